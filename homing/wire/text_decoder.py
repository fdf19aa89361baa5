"""Texts of MMS, from the charset that they came in to UTF-8, in pieces. Never fails.

What is not right in its charset, and a charset that is not known, is read as well as it can be: where UTF-8
was meant, or nothing was said, octets that are none are taken for Latin-1, which is what senders mean then.
"""

import codecs
from typing import Final

_DEFAULT: Final = "utf-8"
_SUPERSETS: Final = {"ascii": "utf-8", "gb2312": "gb18030", "gbk": "gb18030", "utf-16": "utf-16-be"}
"""Charsets that are read by a larger one: of UTF-16 without a mark the first octet is the high one."""
_KNOWN: Final = frozenset(
    {
        "utf-8", "utf-16-be", "utf-16-le", "utf-32", "gb18030", "big5", "shift_jis", "cp932", "euc_jp",
        "iso2022_jp", "euc_kr", "cp949", "iso2022_kr", "koi8-r", "koi8-u", "tis-620", "mac-roman", "hz",
        *(f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))),
        *(f"cp{page}" for page in (437, 850, 852, 866, 874, *range(1250, 1259))),
    }
)  # fmt: skip
"""By the names that Python has for them. Its other codecs are no charsets of texts."""
_MARK: Final = "\ufeff"
_MARKS: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def _latin_1(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("homing_latin_1", _latin_1)


def charset_named(name: str | None) -> str:
    """Python's name of a charset; UTF-8 for what is not known."""
    word = (name or "").strip().lower()
    word = {"ucs-2": "utf-16-be", "iso-10646-ucs-2": "utf-16-be", "csunicode": "utf-16-be"}.get(word, word)
    try:
        found = codecs.lookup(word).name
    except (LookupError, ValueError, UnicodeError):  # a name may hold anything
        return _DEFAULT
    found = _SUPERSETS.get(found, found)
    return found if found in _KNOWN else _DEFAULT


class TextDecoder:
    """One text on its way to UTF-8. Feed it ``decode``, then ``end``."""

    def __init__(self, charset: str | None) -> None:
        self._charset = charset_named(charset)
        self._head: bytes | None = b""
        """What came before it was certain whether there is a mark of the byte order; then None."""
        self._decoder = self._decoder_of(self._charset)
        self._is_first = True

    @staticmethod
    def _decoder_of(charset: str) -> codecs.IncrementalDecoder:
        errors = "homing_latin_1" if charset == _DEFAULT else "replace"
        return codecs.getincrementaldecoder(charset)(errors)

    def decode(self, octets: bytes) -> bytes:
        """What is certain so far, in UTF-8."""
        if self._head is not None:
            octets = self._head + octets
            if len(octets) < 2:
                self._head = octets
                return b""
            self._begin(octets)
        return self._told(self._decoder.decode(octets))

    def end(self) -> bytes:
        """The rest."""
        rest = self._head or b""
        self._head = None
        return self._told(self._decoder.decode(rest, True))

    def _begin(self, octets: bytes) -> None:
        """Heed the mark of UTF-16, whichever of its names the charset has."""
        self._head = None
        if self._charset.startswith("utf-16"):
            for mark, charset in _MARKS:
                if octets.startswith(mark):
                    self._decoder = self._decoder_of(charset)

    def _told(self, text: str) -> bytes:
        if self._is_first and text:
            self._is_first = False
            text = text.removeprefix(_MARK)
        return text.encode("utf-8", "replace")  # half a surrogate pair is no character
