"""The figures of a run as one picture, for the README: bars of messages/s, an SVG on a ground of its own."""

from typing import Any
from xml.sax.saxutils import escape

WIDTH, LABELS, BAR, GAP, RIGHT = 720, 190, 24, 9, 90
COLOURS = {"homing": "#0f766e", "bare relay": "#94a3b8"}
OTHERS = "#c2410c"
NAMES = {
    "homing": "Homing, durable",
    "kannel": "Kannel, no storage",
    "kannel spool": "Kannel, spool",
    "bare relay": "bare relay, no features",
}
PANELS = {
    "received": "Received SMS: deliver_sm to push, recorded",
    "loop": "Report loop: SMSSend, submit_sm, receipt, push, recorded",
}


def draw(document: dict[str, Any]) -> str:
    """A panel for each work, a bar for each gateway that was given it."""
    parts: list[str] = []
    top = 64
    for work, title in PANELS.items():
        bars = [(key, document["gateways"][key][work]["per_s"]) for key in NAMES
                if work in document["gateways"].get(key, {})]  # fmt: skip
        if bars:
            parts.append(f'<text x="24" y="{top}" class="panel">{escape(title)}</text>')
            parts += panel(bars, top + 14)
            top += 14 + len(bars) * (BAR + GAP) + 34
    cpus, runs = document["machine"]["cpus"], document["runs"]
    foot = (
        f"messages/s, median of {runs} runs on {cpus} CPUs that carry the far sides as well; longer is better"
    )
    height = top + 4
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
            f' viewBox="0 0 {WIDTH} {height}" role="img"'
            ' aria-label="Messages per second of Homing and others">',
            "<style>text{font:14px system-ui,sans-serif;fill:#0f172a}.title{font-size:18px;font-weight:600}"
            ".panel{font-weight:600}.foot{font-size:12px;fill:#475569}.value{font-weight:600}</style>",
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#f8fafc"/>',
            '<text x="24" y="34" class="title">How many a second</text>',
            *parts,
            f'<text x="24" y="{height - 16}" class="foot">{escape(foot)}</text>',
            "</svg>\n",
        )
    )


def panel(bars: list[tuple[str, float]], top: int) -> list[str]:
    longest = max(value for _, value in bars)
    parts = []
    for row, (key, value) in enumerate(bars):
        y = top + row * (BAR + GAP)
        width = max(2.0, (WIDTH - LABELS - RIGHT) * value / longest)
        middle = y + BAR / 2 + 5
        parts.append(f'<text x="24" y="{middle}">{escape(NAMES[key])}</text>')
        parts.append(
            f'<rect x="{LABELS}" y="{y}" width="{width:.0f}" height="{BAR}" rx="3"'
            f' fill="{COLOURS.get(key, OTHERS)}"/>'
        )
        parts.append(f'<text x="{LABELS + width + 8:.0f}" y="{middle}" class="value">{value:,.0f}</text>')
    return parts
