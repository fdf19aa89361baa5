"""Rules between and within the values of a section that a type and a range cannot say.

Each rule looks at a section whose values are well-formed by themselves and yields findings. A finding
names the keys it rests on, the one to blame first; the reader gives it a file and a line.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from homing.config.link import LinkSettings
from homing.config.section import Section
from homing.config.settings import (
    CreditsSettings,
    HttpSettings,
    MmsSettings,
    Pop3Settings,
    PushSettings,
    Settings,
    SimulatorSettings,
    SmtpSettings,
)
from homing.model.networks import doubt_about
from homing.model.report import Status

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")  # RFC 5321 §4.1.2

_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|[0-9A-Fa-f:.]{2,45}")


class Finding(NamedTuple):
    keys: tuple[str, ...]
    text: str
    hint: str = ""


def host_and_port(listen: str) -> tuple[str, int]:
    """``127.0.0.1:8080``, ``[::1]:8080`` or ``localhost:8080`` as host and port; else ValueError."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ip_address(host[1:-1]))
    elif ":" in host or "[" in host:
        raise ValueError("an IPv6 address stands in brackets: [::1]:8080")
    if not host or not colon or any(letter.isspace() for letter in host):
        raise ValueError("expected address:port")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError("the port is a number from 0 to 65535")
    return host, int(port)


def findings(section: Section) -> Iterator[Finding]:
    """What is wrong with the values of this section, taken together."""
    rules = _RULES.get(type(section))
    return rules(section) if rules else iter(())


def _http(http: HttpSettings) -> Iterator[Finding]:
    yield from _listens(http, "listen", "listen_tls")
    if http.listen_tls and not (http.tls_certificate or http.tls_key):
        yield Finding(
            ("listen_tls", "tls_certificate", "tls_key"),
            "needs a certificate and its key",
            "set tls_certificate and tls_key",
        )
    else:
        yield from _pair_of_files(http)
    if http.listen and http.listen == http.listen_tls:
        yield Finding(("listen_tls", "listen"), "is the same address as listen", "choose another port")
    for network in http.trusted_proxies:
        try:
            ip_network(network, strict=False)
        except ValueError:
            yield Finding(
                ("trusted_proxies",),
                f"{network!r} is no address and no network",
                "for example 10.0.0.0/8 or 192.0.2.7",
            )


def _pop3(pop3: Pop3Settings) -> Iterator[Finding]:
    yield from _listens(pop3, "listen", "listen_tls")
    yield from _pair_of_files(pop3)
    if pop3.listen and pop3.listen == pop3.listen_tls:
        yield Finding(("listen_tls", "listen"), "is the same address as listen", "choose another port")


def _smtp(smtp: SmtpSettings) -> Iterator[Finding]:
    if smtp.password and not smtp.user:
        yield Finding(("password", "user"), "needs a user", "set user")
    if smtp.sender and not _ADDRESS.fullmatch(smtp.sender):
        yield Finding(("from",), f"{smtp.sender!r} is no mail address", 'like "homing@example.net"')
    if smtp.ca_file and smtp.tls == "none":
        yield Finding(("ca_file", "tls"), "has no effect without TLS", 'set tls = "starttls" or "tls"')


def across(settings: Settings) -> Iterator[tuple[str, Finding]]:
    """What is wrong between sections: the one to blame, and the finding."""
    pop3, http, box = settings.pop3, settings.http, settings.mailbox
    if not (pop3.tls_certificate or http.tls_certificate):
        for key in ("listen_tls", "require_tls"):
            if getattr(pop3, key):
                yield "pop3", Finding((key,), "needs a certificate", "set tls_certificate and tls_key")
    if box.retention_d > settings.node.event_retention_d:
        yield (
            "mailbox",
            Finding(
                ("retention_d",),
                f"must not exceed [node] event_retention_d, {settings.node.event_retention_d}",
            ),
        )
    if settings.mms.retention_d > settings.node.event_retention_d:
        yield (
            "mms",
            Finding(
                ("retention_d",),
                f"must not exceed [node] event_retention_d, {settings.node.event_retention_d}",
                "a content is found by its event",
            ),
        )


def advice(settings: Settings) -> Iterator[str]:
    """What is not wrong and may still be a slip."""
    for link in settings.link:
        doubt = doubt_about(link.network or None)
        if doubt is not None:
            yield f"link {link.name}: {doubt}"


def _push(push: PushSettings) -> Iterator[Finding]:
    if push.source_address:
        try:
            ip_address(push.source_address)
        except ValueError:
            yield Finding(("source_address",), f"{push.source_address!r} is no IP address")
    if push.lease_s <= push.give_up_s:
        yield Finding(
            ("lease_s", "give_up_s"),
            f"must exceed give_up_s, {push.give_up_s:g} s, but is {push.lease_s:g} s",
            "with a shorter lease a second node would repeat a push that is still under way",
        )
    if push.expect_s > push.give_up_s:
        yield Finding(("expect_s", "give_up_s"), f"must not exceed give_up_s, {push.give_up_s:g} s")
    if push.max_in_memory_per_endpoint > push.max_in_memory:
        yield Finding(
            ("max_in_memory_per_endpoint", "max_in_memory"),
            f"must not exceed max_in_memory, {push.max_in_memory}",
        )


def _credits(credits: CreditsSettings) -> Iterator[Finding]:
    for prefix in credits.prices:
        if not (prefix.isascii() and prefix.isdigit()):
            yield Finding(
                ("prices",), f"{prefix!r} is no beginning of a number", 'digits only, for example "44"'
            )
    plain = (("price", credits.price), ("mms_price", credits.mms_price))
    for key, price in (*plain, *(("prices", each) for each in credits.prices.values())):
        if not (price <= 1e6 and round(price, 4) == price):
            yield Finding((key,), f"{price} is no price", "up to 4 decimals, at most 1,000,000")


def _mms(mms: MmsSettings) -> Iterator[Finding]:
    if mms.max_part_bytes > mms.max_message_bytes:
        yield Finding(
            ("max_part_bytes", "max_message_bytes"),
            f"must not exceed max_message_bytes, {mms.max_message_bytes}",
        )
    if bool(mms.s3_access_key_id) != bool(mms.s3_secret_access_key):
        missing = "s3_secret_access_key" if mms.s3_access_key_id else "s3_access_key_id"
        yield Finding((missing,), "is missing", "a key has a name and a secret")


def _simulator(simulator: SimulatorSettings) -> Iterator[Finding]:
    yield from _listens(simulator, "listen")


def _mm7(link: LinkSettings) -> Iterator[Finding]:
    if not (link.user or link.addresses):
        yield Finding(
            ("user", "addresses"),
            "anybody could send MMS here",
            "set user and password, or the addresses of the relay",
        )
    if bool(link.user) != bool(link.password):
        yield Finding(
            ("password" if link.user else "user",), "is missing", "the relay logs in with user and password"
        )
    for network in link.addresses:
        try:
            ip_network(network, strict=False)
        except ValueError:
            yield Finding(
                ("addresses",), f"{network!r} is no address and no network", "for example 192.0.2.0/24"
            )
    if link.submit_url not in ("", "simulator"):
        try:
            parts = urlsplit(link.submit_url)
            if parts.port == 0 or not parts.hostname or not _HOST.fullmatch(parts.hostname):
                raise ValueError
        except ValueError:
            yield Finding(("submit_url",), "its host or port cannot be read")
    if link.tls_server_name:
        yield Finding(
            ("tls_server_name", "kind"),
            "has no effect with mm7",
            "the certificate must carry the host of submit_url; or remove it",
        )


def _link(link: LinkSettings) -> Iterator[Finding]:
    if link.kind == "mm7":
        yield from _mm7(link)
        secured = link.submit_url.startswith("https:")
    else:
        secured = link.tls
    if link.kind == "smpp":
        for key in ("host", "system_id"):
            if not getattr(link, key):
                yield Finding((key, "kind"), "is missing", 'a link of kind "smpp" needs it')
    if not secured:
        wanted = "https:// in submit_url" if link.kind == "mm7" else "tls = true"
        for key in ("tls_ca_file", "tls_certificate", "tls_key", "tls_server_name"):
            if getattr(link, key) and not (link.kind == "mm7" and key == "tls_server_name"):
                yield Finding((key, "tls"), "has no effect without TLS", f"set {wanted}, or remove it")
    yield from _pair_of_files(link)
    if link.reconnect_max_s < link.reconnect_min_s:
        yield Finding(
            ("reconnect_max_s", "reconnect_min_s"),
            f"is less than reconnect_min_s, {link.reconnect_min_s:g} s",
        )
    for prefix in link.prefixes:
        if not (prefix.isascii() and prefix.isdigit()):
            yield Finding(
                ("prefixes",), f"{prefix!r} is no beginning of a number", 'digits only, for example "44"'
            )
    for word, status in link.status_overrides.items():
        if status in (Status.ACCEPTED, Status.SENT):
            yield Finding(
                ("status_overrides",),
                f"{word!r} cannot mean {status.value}",
                "BUFFERED, DELIVERED, FAILED, REJECTED or UNKNOWN",
            )
    if not _is_timezone(link.receipt_timezone):
        yield Finding(
            ("receipt_timezone",),
            f"{link.receipt_timezone!r} is no time zone known here",
            'for example "UTC" or "Europe/London"',
        )


def _listens(section: Section, *keys: str) -> Iterator[Finding]:
    for key in keys:
        listen = getattr(section, key)
        try:
            if listen:
                host_and_port(listen)
        except ValueError as error:
            yield Finding((key,), f"{listen!r} is no address to listen at: {error}", 'like "127.0.0.1:8080"')


def _pair_of_files(section: HttpSettings | Pop3Settings | LinkSettings) -> Iterator[Finding]:
    if section.tls_certificate and not section.tls_key:
        yield Finding(("tls_certificate", "tls_key"), "needs its private key", "set tls_key")
    if section.tls_key and not section.tls_certificate:
        yield Finding(("tls_key", "tls_certificate"), "needs its certificate", "set tls_certificate")


def _is_timezone(name: str) -> bool:
    if name == "UTC":  # known even where no time zone data is installed
        return True
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: names a directory of the time zone data
        return False
    return True


_RULES: dict[type[Section], Callable[[Any], Iterator[Finding]]] = {
    HttpSettings: _http,
    CreditsSettings: _credits,
    MmsSettings: _mms,
    Pop3Settings: _pop3,
    SmtpSettings: _smtp,
    PushSettings: _push,
    SimulatorSettings: _simulator,
    LinkSettings: _link,
}
