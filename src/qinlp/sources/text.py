"""Bytes to text: the one module that opens files, detects encodings and cleans characters."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from qinlp.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

_BOMS = (  # UTF-32 first: its little-endian mark begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = {
    b"PK\x03\x04": "a ZIP or Office file: name it .docx or .xlsx, or unpack it",
    b"%PDF": "a PDF: name it .pdf",
    b"\xd0\xcf\x11\xe0": "an old Office file: save it as .docx or .xlsx",
    b"{\\rtf": "an RTF file: save it as .docx or plain text",
    b"\x89PNG": "an image: qinlp reads text",
    b"\xff\xd8\xff": "an image: qinlp reads text",
    b"\x1f\x8b": "a gzip file: unpack it",
    b"ID3": "a sound file: transcribe it first",
    b"RIFF": "a sound or video file: transcribe it first",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_DROPPED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u2060\ufeff\ufffe\uffff]")
"""Control characters and what has no width: soft hyphen, zero-width space, word joiner, byte order mark.

The zero-width joiners stay: emoji and several scripts are spelt with them.
"""
_NEWLINE = re.compile("\r\n|[\r\v\x1c\x1d\x1e\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def load(path: Path) -> bytes:
    """Return the content of the file.

    Raises:
        SourceError: it is missing, a folder, unreadable (the cause is the system's OSError), or holds
            nothing but spaces.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file; check the spelling and the folder") from error
    except IsADirectoryError:
        raise SourceError(f"{path}: a folder, not a file; give the files in it, or use files_in") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be opened ({error}); check its name and permissions") from error
    if not raw.strip(b" \t\r\n\x00\xef\xbb\xbf\xff\xfe"):
        raise SourceError(f"{path}: the file is empty; export or save it again")
    return raw


def load_text(path: Path) -> str:
    """Return the text of the file, decoded and cleaned.

    Raises:
        SourceError: see `load` and `decode`.
    """
    return clean(decode(load(path), path))


def head(path: Path, size: int = 65536) -> str:
    """Return the beginning of a text file, "" where there is none: enough to recognise a format by."""
    try:
        with path.open("rb") as file:
            return clean(decode(file.read(size), path))
    except (OSError, ValueError, SourceError):
        return ""


def decode(raw: bytes, place: Path | str = "the data") -> str:
    """Return `raw` as text: UTF-8, UTF-16 or UTF-32 with or without a mark, else Windows' Western code page.

    A file put together from several exports may change its encoding on the way, so every line that
    is not UTF-8 is decoded by itself. Text mostly outside ASCII (Cyrillic, Greek, Asian code pages)
    is guessed by charset-normalizer.

    Raises:
        SourceError: the bytes are no text.
    """
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, "replace")
    for magic, remedy in _MAGIC.items():
        if raw.startswith(magic):
            raise SourceError(f"{place}: not text but {remedy}")
    if b"\0" in raw:
        return _without_mark(raw, place)
    if len(_CONTROL.findall(raw[:65536])) > len(raw[:65536]) / 100:
        raise SourceError(f"{place}: a binary file; qinlp reads text, .docx, .xlsx and .pdf")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    beyond_ascii = sum(byte > 127 for byte in raw[:65536])
    if beyond_ascii > 0.35 * len(raw[:65536]):
        from charset_normalizer import from_bytes

        best = from_bytes(raw[:65536]).best()
        if best is not None and best.encoding != "utf_8":
            return raw.decode(best.encoding, "replace")
    return "".join(_line(line) for line in raw.splitlines(keepends=True))


def _line(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _without_mark(raw: bytes, place: Path | str) -> str:
    """Decode UTF-16 that lacks its mark: zeros (of spaces, newlines, Latin letters) on one side only."""
    sides = raw[0:65536:2].count(0), raw[1:65536:2].count(0)
    encoding = "utf-16-be" if sides[0] > sides[1] else "utf-16-le"
    text = raw.decode(encoding, "replace")
    sample = text[:4096]
    readable = sum(c.isprintable() or c in "\n\r\t" for c in sample)
    if min(sides) > 0.02 * max(sides) or readable < 0.97 * len(sample):
        raise SourceError(f"{place}: a binary file; qinlp reads text, .docx, .xlsx and .pdf")
    return text


def clean(text: str) -> str:
    r"""Return `text` with \n for every kind of line end, and without marks that have no width or glyph.

    A lone surrogate, which no encoding can carry, becomes the replacement character. Form feeds
    stay (they part pages); letters are kept as they are, not recomposed.
    """
    return _SURROGATE.sub("\ufffd", _DROPPED.sub("", _NEWLINE.sub("\n", text)))


def squeezed(text: str) -> str:
    """Return `text` cleaned, on one line, every run of white space one space, none at the ends."""
    return " ".join(clean(text).split())


def vocabulary(listed: str) -> frozenset[str]:
    """Return the words in a string, or the names in it where commas part them."""
    names = listed.replace("\n", " ").split(",") if "," in listed else listed.split()
    return frozenset(" ".join(name.split()) for name in names if name.strip())
