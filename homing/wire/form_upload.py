"""A form with a file, read as it comes: ``multipart/form-data``. RFC 7578 §4

The small fields are gathered, the file is handed on in pieces. Of a field that comes twice the first one that
is not empty counts; an empty file is none, as browsers send it for an input that was left alone. Other files
are passed over.

What goes wrong is a ``MimeProblem`` with a text for the peer: no form, a field that is too long, a second
file.
"""

from typing import Final

import msgspec

from homing.wire.mime_reader import Event, Headers, MimeProblem, MimeReader, PartBegin, PartData

FIELD_OCTETS: Final = 65_536
"""Of one field."""
FIELDS_OCTETS: Final = 262_144
"""Of all fields together."""


class FileBegin(msgspec.Struct, frozen=True):
    """The file begins; the fields that came before it are known."""


class FileData(msgspec.Struct, frozen=True):
    """Octets of the file."""

    octets: bytes


UploadEvent = FileBegin | FileData


class UploadReader:
    """Reads one form. Feed ``receive_data`` in pieces, then ``end``; then ``fields`` are known."""

    def __init__(self, content_type: str, file: str) -> None:
        """``content_type`` is that of the whole form; ``file`` names the file, or the input it comes from."""
        self.fields: dict[str, bytes] = {}
        """What is not empty, by name."""
        self._file = file
        self._mime = MimeReader({"content-type": content_type})
        self._name: str | None = None
        """Of the field that is being read; None = the part is none."""
        self._value = bytearray()
        self._octets = 0
        self._is_file = False
        """Whether the part that is being read is the file."""
        self._is_told = False
        """Whether it was told of."""
        self._had_file = False
        self._told: list[UploadEvent] = []

    def receive_data(self, octets: bytes) -> list[UploadEvent]:
        """What these octets say of the file."""
        return self._read(self._mime.receive_data(octets))

    def end(self) -> list[UploadEvent]:
        """Nothing more comes."""
        return self._read(self._mime.end())

    def _read(self, events: list[Event]) -> list[UploadEvent]:
        for event in events:
            if isinstance(event, PartBegin):
                self._begin(event.headers)
            elif isinstance(event, PartData):
                self._take(event.octets)
            else:
                self._end_field()
        told, self._told = self._told, []
        return told

    def _begin(self, headers: Headers) -> None:
        name = headers.parameter("content-disposition", "name")
        filename = headers.parameter("content-disposition", "filename")
        self._is_file = self._file in (name, filename)
        self._name = name if filename is None and not self._is_file else None

    def _take(self, octets: bytes) -> None:
        if self._is_file:
            self._take_file(octets)
        elif self._name is not None:
            self._value += octets
            self._octets += len(octets)
            if len(self._value) > FIELD_OCTETS:
                raise MimeProblem(f"{self._name[:60]!r} is longer than {FIELD_OCTETS} octets")
            if self._octets > FIELDS_OCTETS:
                raise MimeProblem(f"the fields of the form have more than {FIELDS_OCTETS} octets")

    def _take_file(self, octets: bytes) -> None:
        """An octet makes it a file: what is empty is not told of."""
        if not self._is_told:
            if self._had_file:
                raise MimeProblem(f"the form holds {self._file} twice")
            self._had_file = self._is_told = True
            self._told.append(FileBegin())
        self._told.append(FileData(octets))

    def _end_field(self) -> None:
        if self._name is not None and self._value:
            self.fields.setdefault(self._name, bytes(self._value))
        self._name = None
        self._value.clear()
        self._is_file = self._is_told = False
