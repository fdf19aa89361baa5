"""One value of one key: read as its type says, or said in words what was expected instead.

Values come from TOML as they are, and from the environment as text. Lists are written there with commas
or as in TOML, tables as in TOML.
"""

import math
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import inspect as types

_SHOWN = 60
"""Characters of a wrong value that are shown."""


def read_value(value: object, wanted: Any, *, is_text: bool) -> Any:
    """``value`` as ``wanted`` (the type of a field); ValueError when it is none."""
    if is_text:
        value = _from_text(str(value), types.type_info(wanted))
    if wanted_path(wanted) and value == "":
        return None
    try:
        read = msgspec.convert(value, wanted, strict=not is_text, dec_hook=_path)
    except (msgspec.ValidationError, OverflowError):
        raise ValueError("not of its type or range") from None
    if any(isinstance(item, float) and not math.isfinite(item) for item in _leaves(read)):
        raise ValueError("not finite")
    return read


def wanted_path(wanted: Any) -> bool:
    """Whether this is a path that may be left out."""
    return Path in get_args(get_args(wanted)[0])


def expected(wanted: Any) -> str:
    """What values the type of a field allows, in words."""
    if allowed := (wanted.__metadata__[-1].extra or {})["allowed"]:
        return str(allowed)
    kind = get_args(wanted)[0]
    if get_origin(kind) is Literal:  # msgspec would sort the words
        return _one_of(get_args(kind))
    return _words(types.type_info(wanted))


def shown(value: object) -> str:
    """A wrong value as it may stand in an error; never called with a secret."""
    text = ("true" if value else "false") if isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _path(wanted: type, value: object) -> Path:
    if wanted is Path and isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    raise ValueError("no path")


def _leaves(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _from_text(text: str, kind: types.Type) -> object:
    kind = _bare(kind)
    is_list = isinstance(kind, types.VarTupleType)
    if is_list and not text.lstrip().startswith("["):
        return [part for part in map(str.strip, text.split(",")) if part]
    if is_list or isinstance(kind, types.DictType):
        document = tomllib.loads(f"value = {text.strip()}")
        if list(document) != ["value"]:
            raise ValueError("more than one value")
        return document["value"]
    return text


def _bare(kind: types.Type) -> types.Type:
    """The type without what was said about it, and without "or nothing"."""
    while True:
        if isinstance(kind, types.Metadata):
            kind = kind.type
        elif isinstance(kind, types.UnionType):
            kind = next(item for item in kind.types if not isinstance(item, types.NoneType))
        else:
            return kind


def _words(kind: types.Type) -> str:
    match _bare(kind):
        case types.BoolType():
            return "true or false"
        case types.IntType(ge=ge, gt=gt, le=le):
            return "a whole number" + _range(ge, gt, le)
        case types.FloatType(ge=ge, gt=gt, le=le):
            return "a number" + _range(ge, gt, le)
        case types.VarTupleType(item_type=item):
            return f"a list, each {_words(item)}"
        case types.DictType(value_type=item):
            return f"a table of words, each {_words(item)}"
        case types.EnumType(cls=cls):
            return _one_of(tuple(member.value for member in cls))
        case types.CustomType():
            return "a path"
        case _:
            return "a text"


def _range(ge: float | None, gt: float | None, le: float | None) -> str:
    if le is not None:
        return f" from {ge:g} to {le:g}" if le < 1e6 else f" of at most {le}"
    if gt is not None:
        return f" above {gt:g}"
    return f" of at least {ge:g}" if ge is not None else ""


def _one_of(words: tuple[str, ...]) -> str:
    *most, last = (f'"{word}"' for word in words)
    return f"{', '.join(most)} or {last}" if most else last
