"""What an MM7 link needs to know. The fields are named as in the configuration, where they are documented.

Nothing here ever prints the password.
"""

from pathlib import Path

import msgspec

from homing.wire.mm7 import DEFAULT_NAMESPACE, DEFAULT_VERSION


class Mm7Options(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one link, ``[[link]]``."""

    name: str
    user: str = ""
    password: str = ""
    submit_url: str = ""
    """Where the relay listens; empty = nothing is sent."""
    vasp_id: str = ""
    vas_id: str = ""
    mm7_namespace: str = DEFAULT_NAMESPACE
    mm7_version: str = DEFAULT_VERSION
    window: int = 10
    response_timeout_s: float = 60.0
    reconnect_min_s: float = 0.5
    reconnect_max_s: float = 30.0
    throughput_per_s: float = 0.0
    tls_verify: bool = True
    tls_ca_file: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    prefixes: tuple[str, ...] = ()
    id_scope: str = ""

    @property
    def scope(self) -> str:
        """The account at the relay within which message ids are unique."""
        return self.id_scope or f"{self.name}@mm7"

    def __repr__(self) -> str:
        return f"Mm7Options({self.name!r})"
