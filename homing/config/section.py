"""What every section of the configuration is made of: documented fields, and a ``repr`` without secrets.

Type, range, default and sentence of a key stand on its field, through ``about``, and nowhere else.
"""

from typing import Annotated, Any

import msgspec
from msgspec.structs import FieldInfo

Octet = Annotated[int, msgspec.Meta(ge=0, le=255)]
Wait = Annotated[float, msgspec.Meta(gt=0)]


def about(
    text: str,
    *,
    sample: object = None,
    unset: str = "",
    allowed: str = "",
    secret: bool = False,
    must_exist: bool = False,
    **limits: Any,
) -> msgspec.Meta:
    """What a key is about.

    ``sample`` is what ``homing init`` shows where the default says little; ``unset`` says in words what the
    default does, ``allowed`` what may stand there where the type says too little; a ``secret`` has a
    ``_file`` variant; a path that ``must_exist`` is tried. ``limits`` are those of ``msgspec.Meta``.
    """
    extra = {"sample": sample, "unset": unset, "allowed": allowed, "secret": secret, "must_exist": must_exist}
    meta: msgspec.Meta = msgspec.Meta(description=text, extra=extra, **limits)
    return meta


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What all sections share: a ``repr`` in which secrets are stars."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [
            (field.name, "***" if is_secret(field) and value != field.default else value)
            for field in msgspec.structs.fields(type(self))
            for value in [getattr(self, field.name)]
        ]

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({said})"


def meta(field: FieldInfo) -> msgspec.Meta:
    """What ``about`` said of this key. Limits of a named type, such as ``Octet``, stand before it."""
    said: msgspec.Meta = field.type.__metadata__[-1]
    return said


def is_secret(field: FieldInfo) -> bool:
    return bool(getattr(field.type, "__metadata__", ()) and (meta(field).extra or {})["secret"])
