"""The help pages show every operation, and nothing that a stranger wrote into the address."""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homing.wire.soap import SoapVersion, read_parameters, read_request
from homing.wire.soap_help import operation_page, service_page
from homing.wire.upside_services import SERVICES

PATH = "/soap/X.asmx"
LOCATION = f"https://sms.acme.test:8443{PATH}"
OPERATIONS = [(path, name) for path, service in SERVICES.items() for name in service.operations]
VOID = {"meta", "input"}


class Page(HTMLParser):
    """Elements with their attributes, and the texts of those that matter here."""

    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(octets.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("path", SERVICES)
def test_a_service_lists_its_operations(path: str) -> None:
    service = SERVICES[path]
    page = Page(service_page(service, PATH))
    links = [each["href"] for each in page.all("a")]
    assert links == [f"{PATH}?WSDL", *(f"{PATH}?op={name}" for name in service.operations)]
    assert page.texts["title"] == [service.name]
    assert {operation.what for operation in service.operations.values()} <= set(page.texts["td"])


@pytest.mark.parametrize(("path", "name"), OPERATIONS)
def test_the_form_has_every_parameter(path: str, name: str) -> None:
    operation = SERVICES[path].operations[name]
    page = Page(operation_page(SERVICES[path], operation, LOCATION))
    assert page.all("form") == [{"method": "post", "action": f"{PATH}/{name}", "autocomplete": "off"}]
    controls = [attributes for tag, attributes in page.elements if tag in ("input", "select")]
    names = [field.name for field in operation.parameters]
    assert [each["name"] for each in controls] == [each["id"] for each in controls] == names
    assert [each["for"] for each in page.all("label")] == names
    secret = {each["name"] for each in controls if each.get("type") == "password"}
    assert secret == set(names) & {"password", "passWord", "signature"}


def test_what_can_be_chosen_is_chosen() -> None:
    account = SERVICES["account"]
    page = Page(operation_page(account, account.operations["RegisterDeviceForSubUser"], LOCATION))
    assert page.texts["option"] == ["SMS", "Email", "URL", "true", "false"]


@pytest.mark.parametrize(("path", "name"), OPERATIONS)
def test_the_samples_are_right(path: str, name: str) -> None:
    """What the page shows is fed to the reader."""
    service = SERVICES[path]
    operation = service.operations[name]
    page = Page(operation_page(service, operation, LOCATION))
    texts = page.texts["pre"]
    assert [text for text in page.texts["h2"] if text.startswith(("SOAP", "HTTP"))] == [
        "SOAP 1.1", "SOAP 1.2", "HTTP GET", "HTTP POST"
    ]  # fmt: skip
    requests, answers = texts[::2], texts[1::2]
    values = None
    for version, text in zip(SoapVersion, requests[:2], strict=True):
        head, _, body = text.partition("\n\n")
        assert f"POST {PATH} HTTP/1.1\nHost: sms.acme.test:8443\n" in head
        assert f"Content-Type: {version.content_type}" in head
        action = re.search(r'SOAPAction: "(.*)"', head)
        assert (action[1] if action else None) == (
            f"{service.namespace}/{name}" if version is SoapVersion.SOAP11 else None
        )
        assert f"Content-Length: {len(body)}" in head
        request = read_request(body.encode(), version.content_type)
        assert (request.version, request.namespace, request.operation) == (version, service.namespace, name)
        values = read_parameters(operation, service, request.parameters)
        assert None not in values.values()
    query = requests[2].splitlines()[0].removeprefix(f"GET {PATH}/{name}?").removesuffix(" HTTP/1.1")
    body = requests[3].partition("\n\n")[2]
    for form in (query, body):
        assert read_parameters(operation, service, dict(parse_qsl(form))) == values
    assert all(text.startswith("HTTP/1.1 200 OK\nContent-Type: ") for text in answers)
    assert all(f"<{name}Result" in text for text in answers[:2])
    assert all(f'xmlns="{service.namespace}"' in text for text in answers)


def test_the_fields_of_the_result_are_listed() -> None:
    sms = SERVICES["sms"]
    for name in ("GetTopMessage", "GetNewInboxMessages"):
        page = Page(operation_page(sms, sms.operations[name], LOCATION))
        assert {field.name for field in sms.types["NewSMSMessage"]} <= set(page.texts["td"])


@pytest.mark.parametrize(("path", "name"), OPERATIONS)
def test_pages_are_small_and_load_nothing(path: str, name: str) -> None:
    service = SERVICES[path]
    for octets in (service_page(service, PATH), operation_page(service, service.operations[name], LOCATION)):
        assert len(octets) < 24_000
        page = Page(octets)
        assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
        assert not any("src" in each or "style" in each for _, each in page.elements)
        assert "url(" not in page.texts["style"][0]
        assert "prefers-color-scheme: dark" in page.texts["style"][0]


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=())) | st.text("\"'<>&/?#:[]a \ud800\n", max_size=20))
@example('"><script>alert(1)</script>')
@example("\" onfocus='x'")
@example("//[")
def test_no_address_does_harm(text: str) -> None:
    sms = SERVICES["sms"]
    plain = [tag for tag, _ in Page(service_page(sms, PATH)).elements]
    assert [tag for tag, _ in Page(service_page(sms, text)).elements] == plain
    operation = sms.operations["GetDLR"]
    plain_form = Page(operation_page(sms, operation, LOCATION)).elements
    for location in (text, f"https://{text}{PATH}", f"{LOCATION}{text}"):
        elements = Page(operation_page(sms, operation, location)).elements
        assert [(tag, set(each)) for tag, each in elements] == [(tag, set(each)) for tag, each in plain_form]


@pytest.mark.parametrize(
    "text", ["//evil.test/a", "/\\evil.test/a", "/\t/evil.test/a", "\n//evil.test/a", "evil.test/a"]
)
def test_links_and_forms_stay_on_this_host(text: str) -> None:
    sms = SERVICES["sms"]
    pages = (
        service_page(sms, text),
        operation_page(sms, sms.operations["GetDLR"], f"https://acme.test{text}"),
    )
    for octets in pages:
        page = Page(octets)
        for where in [each["href"] for each in page.all("a")] + [each["action"] for each in page.all("form")]:
            assert where is not None
            assert re.match(r"/[^/\\\s]", where)


def test_a_script_is_no_address() -> None:
    sms = SERVICES["sms"]
    for link in Page(service_page(sms, "javascript:alert(1)")).all("a"):
        assert (link["href"] or "").startswith("/javascript:")
