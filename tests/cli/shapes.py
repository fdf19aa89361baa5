"""The JSON of ``docs/reference/commands.md``: what is printed has the fields of its example, in order."""

import json
import re
from functools import cache
from typing import Any

from tests.docs.pages import page

_SECTION = re.compile(r"^### `homing (.+?)`$(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"```json\n(.+?)```", re.DOTALL)


@cache
def sections() -> dict[str, str]:
    """The text of each command's section, by the words of the command."""
    return dict(_SECTION.findall(page("commands.md")))


def example(command: str) -> Any:
    """The JSON that the page shows for a command."""
    (found,) = _EXAMPLE.findall(sections()[command])
    return json.loads(found)


def shape(value: Any) -> Any:
    """The names of a document's fields, at every depth; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value and isinstance(value[0], dict) else []
    return None


def as_documented(command: str, document: Any) -> bool:
    """Whether a document has exactly the fields, in the order, of the page."""
    return json.dumps(shape(document)) == json.dumps(shape(example(command)))
