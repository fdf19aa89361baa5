"""TLS towards networks, as the settings of a link say. What cannot be read, or is none, is an ``OSError``."""

import ssl
from pathlib import Path
from typing import Protocol


class TlsOptions(Protocol):
    """What a link says about TLS; named as in the configuration."""

    @property
    def tls_verify(self) -> bool: ...
    @property
    def tls_ca_file(self) -> Path | None: ...
    @property
    def tls_certificate(self) -> Path | None: ...
    @property
    def tls_key(self) -> Path | None: ...


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """How the connections of a link are secured."""
    context = ssl.create_default_context(cafile=options.tls_ca_file)
    if not options.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.tls_certificate is not None:
        context.load_cert_chain(options.tls_certificate, options.tls_key)
    return context
