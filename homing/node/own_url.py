"""Where a node is reached from its own machine: by the simulated MMSC in it, and by a command beside it."""

from homing.config import Settings, host_and_port


def relay_url(settings: Settings, link: str, port: int) -> str:
    """Where this node takes what a relay on this machine has to say to a link."""
    host = host_and_port(settings.http.listen)[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (every address, also this one)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/mm7/{link}"
