"""Help pages of the Upside services: the operations, and for each its parameters, samples and a form.

They stand where the pages of the original service stood (``.asmx`` and ``.asmx?op=NAME``). No script; all
that is shown comes from the table of services and is escaped.
"""

from collections.abc import Iterator
from html import escape
from typing import Final

from homing.wire.soap import SoapVersion, write_response, write_result
from homing.wire.upside_services import Field, Operation, Service, item_of

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5d6b7a; --line: #d8dee6; --page: #fff;
  --box: #f4f6f9; --mark: #0b6bcb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --soft: #9aa7b5; --line: #303a46;
  --page: #14191f; --box: #1c232b; --mark: #6cb2ff; } }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 56rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--page); }
h1 { margin: 0 0 .25rem; font-size: 1.7rem; } h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; }
a { color: var(--mark); } p.what { margin-top: 0; color: var(--soft); }
table { width: 100%; border-collapse: collapse; } th, td { padding: .4rem .6rem; text-align: left;
  vertical-align: top; border-bottom: 1px solid var(--line); }
pre { overflow-x: auto; padding: .8rem 1rem; border-radius: 6px; background: var(--box); font-size: .82rem; }
input, button { font: inherit; padding: .3rem .5rem; color: var(--ink); background: var(--page);
  border: 1px solid var(--line); border-radius: 4px; } input { width: 22rem; max-width: 100%; }
button { margin-top: .8rem; color: #fff; background: #0b6bcb; border: 0; padding: .45rem 1.2rem; }
"""
_SAMPLES: Final = {"string": "string", "int": "0", "double": "0.5", "boolean": "true"}


def service_page(service: Service, path: str) -> bytes:
    """The operations of a service; ``path`` is its own."""
    rows = "".join(
        f'<tr><td><a href="{escape(path)}?op={name}">{name}</a></td><td>{escape(operation.what)}</td></tr>'
        for name, operation in service.operations.items()
    )
    return _page(
        service.name,
        f"<h1>{service.name}</h1><p class=what>{escape(service.what)} "
        f'<a href="{escape(path)}?WSDL">Service description (WSDL)</a></p><table>{rows}</table>',
    )


def operation_page(service: Service, operation: Operation, path: str, host: str) -> bytes:
    """One operation: what it does, its parameters, a form to try it, and samples of all four bindings."""
    rows = "".join(
        f"<tr><td>{field.name}</td><td>{_kind(service, field)}</td>"
        f'<td><input name="{field.name}" aria-label="{field.name}"{_secret(field)}></td></tr>'
        for field in operation.parameters
    )
    samples = "".join(f"<h2>{name}</h2>{text}" for name, text in _samples(service, operation, path, host))
    return _page(
        f"{service.name}.{operation.name}",
        f'<p><a href="{escape(path)}">{service.name}</a></p><h1>{operation.name}</h1>'
        f"<p class=what>{escape(operation.what)}</p>"
        f'<form method=post action="{escape(path)}/{operation.name}" autocomplete=off>'
        f"<table><tr><th>Parameter</th><th>Type</th><th>Value</th></tr>{rows}</table>"
        f"<button>Invoke</button></form>{samples}",
    )


def _samples(service: Service, operation: Operation, path: str, host: str) -> Iterator[tuple[str, str]]:
    result = _sample(service, operation.result)
    for version, name in ((SoapVersion.SOAP11, "SOAP 1.1"), (SoapVersion.SOAP12, "SOAP 1.2")):
        action = (
            f'SOAPAction: "{service.namespace}/{operation.name}"\n' if version is SoapVersion.SOAP11 else ""
        )
        given = "".join(f"<{f.name}>{_value(service, f)}</{f.name}>" for f in operation.parameters)
        envelope = (
            f'<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body>'
            f'<{operation.name} xmlns="{service.namespace}">{given}</{operation.name}>'
            "</soap:Body></soap:Envelope>"
        )
        kind = f"Content-Type: {version.content_type}"
        request = f"POST {path} HTTP/1.1\nHost: {host}\n{kind}\n{action}\n{envelope}"
        answer = write_response(version, service, operation, result).decode()
        yield name, _pre(request) + _pre(f"HTTP/1.1 200 OK\n{kind}\n\n{answer}")
    query = "&".join(f"{f.name}={_value(service, f)}" for f in operation.parameters)
    answer = (
        f"HTTP/1.1 200 OK\nContent-Type: text/xml; charset=utf-8\n\n"
        f"{write_result(service, operation, result).decode()}"
    )
    target = f"{path}/{operation.name}"
    yield "HTTP GET", _pre(f"GET {target}?{query} HTTP/1.1\nHost: {host}") + _pre(answer)
    form = f"Content-Type: application/x-www-form-urlencoded\nContent-Length: {len(query)}\n\n{query}"
    yield "HTTP POST", _pre(f"POST {target} HTTP/1.1\nHost: {host}\n{form}") + _pre(answer)


def _sample(service: Service, type_: str) -> object:
    item = item_of(type_)
    if item is not None:
        return [_sample(service, item)]
    if type_ in service.types:
        return {field.name: _sample(service, field.type) for field in service.types[type_]}
    if type_ in service.enums:
        return service.enums[type_][0]
    return {"string": "string", "int": 0, "double": 0.5, "boolean": True}[type_]


def _value(service: Service, field: Field) -> str:
    return _SAMPLES.get(field.type) or service.enums[field.type][0]


def _kind(service: Service, field: Field) -> str:
    words = service.enums.get(field.type)
    said = " or ".join(words) if words else field.type
    return f"{said}, may be left out" if field.optional else said


def _secret(field: Field) -> str:
    return " type=password" if field.name in ("password", "passWord", "signature") else ""


def _pre(text: str) -> str:
    return f"<pre>{escape(text.replace('><', '>' + chr(10) + '<'))}</pre>"


def _page(title: str, body: str) -> bytes:
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    ).encode()
