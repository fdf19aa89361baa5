"""What an SMPP link needs to know, and the TLS context that follows from it.

The fields are named as in the configuration, where they are documented and validated; nothing here ever
prints the password. What goes wrong: a TLS file that cannot be read or is none raises ``OSError``
(``ssl.SSLError`` is one).
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from homing.links.tls import client_context
from homing.model.report import Status

_NO_OVERRIDES: Mapping[str, Status] = {}


class SmppOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one link, ``[[link]]``."""

    name: str
    kind: str = "smpp"
    host: str
    port: int
    system_id: str = ""
    password: str = ""
    system_type: str = ""
    bind: Literal["transceiver", "transmitter+receiver"] = "transceiver"
    binds: int = 1
    window: int = 10
    enquire_link_s: float = 30.0
    response_timeout_s: float = 60.0
    bind_timeout_s: float = 30.0
    reconnect_min_s: float = 0.5
    reconnect_max_s: float = 30.0
    tls: bool = False
    tls_verify: bool = True
    tls_ca_file: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_server_name: str = ""
    throughput_per_s: float = 0.0
    default_alphabet: str = "gsm"
    payload: Literal["short_message", "message_payload"] = "short_message"
    source_ton: int | None = None
    source_npi: int | None = None
    dest_ton: int = 1
    dest_npi: int = 1
    service_type: str = ""
    prefixes: tuple[str, ...] = ()
    network: str = ""
    carrier_code: str = ""
    network_tlv: int = 0
    receipt_timezone: str = "UTC"
    status_overrides: Mapping[str, Status] = _NO_OVERRIDES
    id_scope: str = ""

    @property
    def scope(self) -> str:
        """The account at the SMSC within which message ids are unique."""
        return self.id_scope or f"{self.system_id}@{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"SmppOptions({self.name!r}, {self.system_id!r}@{self.host}:{self.port})"


def tls_context(options: SmppOptions) -> ssl.SSLContext | None:
    """How connections of this link are secured; None = they are not."""
    if not options.tls:
        return None
    return client_context(options)
