"""Help pages of the Upside services: the operations, and for each its parameters, samples and a form.

They stand where the pages of the original service stood (``.asmx`` and ``.asmx?op=NAME``). No script; all
that is shown comes from the table of services and is escaped, the address under which they are read too.
"""

from collections.abc import Iterator
from html import escape
from typing import Final
from urllib.parse import urlsplit

from homing.wire.soap import SoapVersion, write_response, write_result
from homing.wire.upside_services import Field, Operation, Service, item_of

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #566474; --line: #d8dee6; --page: #fff;
  --box: #f4f6f9; --mark: #0b5fb5; --edge: #8593a3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --soft: #9aa7b5; --line: #303a46;
  --page: #14191f; --box: #1c232b; --mark: #6cb2ff; --edge: #66737f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 56rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--page); }
h1 { margin: 0 0 .25rem; font-size: 1.7rem; overflow-wrap: anywhere; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; } h3 { margin: 1rem 0 .3rem; font-size: .9rem; }
h3, p.what, td small { color: var(--soft); } p.what { margin-top: 0; } a { color: var(--mark); }
table { width: 100%; border-collapse: collapse; } th, td { padding: .4rem .6rem .4rem 0; text-align: left;
  vertical-align: top; border-bottom: 1px solid var(--line); } td small { display: block; }
pre { overflow-x: auto; margin: 0; padding: .8rem 1rem; border-radius: 6px; background: var(--box);
  font-size: .82rem; }
input, select, button { font: inherit; padding: .3rem .5rem; width: 100%; color: var(--ink);
  background: var(--page); border: 1px solid var(--edge); border-radius: 4px; }
button { width: auto; margin-top: .8rem; padding: .45rem 1.2rem; color: var(--page);
  background: var(--mark); border: 0; }
"""
_SAMPLES: Final = {"string": "string", "int": "0", "double": "0.5", "boolean": "true"}
_CHOICES: Final = {"boolean": ("true", "false")}
_SECRETS: Final = frozenset({"password", "passWord", "signature"})


def service_page(service: Service, base_path: str) -> bytes:
    """The operations of a service; ``base_path`` is its own."""
    path = escape(_rooted(base_path))
    rows = "".join(
        f'<tr><td><a href="{path}?op={name}">{name}</a></td><td>{escape(operation.what)}</td></tr>'
        for name, operation in service.operations.items()
    )
    return _page(
        service.name,
        f"<h1>{service.name}</h1><p class=what>{escape(service.what)}</p>"
        f'<p><a href="{path}?WSDL">Service description (WSDL)</a></p>'
        f"<table><tr><th>Operation</th><th>What it does</th></tr>{rows}</table>",
    )


def operation_page(service: Service, operation: Operation, location: str) -> bytes:
    """One operation: what it does, a form with its parameters, samples of all four bindings.

    ``location`` is the URL of the service.
    """
    host, bare_path = _split(location)
    path = escape(bare_path)
    rows = "".join(_row(service, field) for field in operation.parameters)
    samples = "".join(
        f"<h2>{name}</h2><h3>Request</h3>{_pre(request)}<h3>Answer</h3>{_pre(answer)}"
        for name, request, answer in _samples(service, operation, bare_path, host)
    )
    return _page(
        f"{service.name}.{operation.name}",
        f'<p><a href="{path}">{service.name}</a></p><h1>{operation.name}</h1>'
        f"<p class=what>{escape(operation.what)}</p><h2>Parameters</h2>"
        f'<form method=post action="{path}/{operation.name}" autocomplete=off>'
        f"<table><tr><th>Name</th><th>Value</th></tr>{rows}</table>"
        f"<button>Invoke</button></form><h2>Result</h2>{_result(service, operation)}{samples}",
    )


# --- parameters and results ---


def _row(service: Service, field: Field) -> str:
    """A parameter with its type, and the control to try it."""
    name = field.name
    words = service.enums.get(field.type) or _CHOICES.get(field.type)
    if words:
        options = "".join(f"<option>{word}</option>" for word in words)
        control = f'<select id="{name}" name="{name}">{options}</select>'
    else:
        secret = " type=password" if name in _SECRETS else ""
        control = f'<input id="{name}" name="{name}"{secret}>'
    said = f"<small>{_kind(service, field)}</small>"
    return f'<tr><td><label for="{name}">{name}</label>{said}</td><td>{control}</td></tr>'


def _kind(service: Service, field: Field) -> str:
    words = service.enums.get(field.type)
    said = f"{field.type}: {', '.join(words)}" if words else field.type
    return f"{said}, may be left out" if field.optional else said


def _result(service: Service, operation: Operation) -> str:
    """The type of the result, and its fields when it has some."""
    item = item_of(operation.result)
    fields = service.types.get(item or operation.result, ())
    said = f"<p>{f'any number of {item}' if item else operation.result}</p>"
    if not fields:
        return said
    rows = "".join(f"<tr><td>{field.name}</td><td>{_kind(service, field)}</td></tr>" for field in fields)
    return f"{said}<table><tr><th>Field</th><th>Type</th></tr>{rows}</table>"


# --- samples ---


def _samples(service: Service, operation: Operation, path: str, host: str) -> Iterator[tuple[str, str, str]]:
    """Name, request and answer for each binding."""
    result = _sample(service, operation.result)
    texts = [(field.name, _value(service, field)) for field in operation.parameters]
    for version, name in ((SoapVersion.SOAP11, "SOAP 1.1"), (SoapVersion.SOAP12, "SOAP 1.2")):
        kind = f"Content-Type: {version.content_type}\n"
        action = f'SOAPAction: "{service.namespace}/{operation.name}"\n'
        given = "".join(f"<{key}>{text}</{key}>" for key, text in texts)
        envelope = _lines(
            f'<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body>'
            f'<{operation.name} xmlns="{service.namespace}">{given}</{operation.name}>'
            "</soap:Body></soap:Envelope>"
        )
        head = f"POST {path} HTTP/1.1\nHost: {host}\n{kind}"
        head += action if version is SoapVersion.SOAP11 else ""  # 1.2 has no such header. upside.md §1
        answer = _lines(write_response(version, service, operation, result).decode())
        yield name, f"{head}{_length(envelope)}\n{envelope}", f"HTTP/1.1 200 OK\n{kind}\n{answer}"
    query = "&".join(f"{key}={text}" for key, text in texts)
    bare = _lines(write_result(service, operation, result).decode())
    answer = f"HTTP/1.1 200 OK\nContent-Type: {SoapVersion.SOAP11.content_type}\n\n{bare}"
    target = f"{path}/{operation.name}"
    yield "HTTP GET", f"GET {target}?{query} HTTP/1.1\nHost: {host}\n", answer
    form = f"Content-Type: application/x-www-form-urlencoded\n{_length(query)}\n{query}"
    yield "HTTP POST", f"POST {target} HTTP/1.1\nHost: {host}\n{form}", answer


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


def _lines(document: str) -> str:
    return document.replace("><", ">\n<")


def _length(body: str) -> str:
    return f"Content-Length: {len(body)}\n"


def _split(location: str) -> tuple[str, str]:
    """Host and path of a URL; of what is none, all is taken for the path."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "", _rooted(location)
    return parts.netloc, _rooted(parts.path)


def _rooted(path: str) -> str:
    """A path on this host: ``//name/…`` would be one on another, and the form sends passwords."""
    return "/" + path.lstrip("/\\\t\r\n ")


def _pre(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _page(title: str, body: str) -> bytes:
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    ).encode(errors="replace")
