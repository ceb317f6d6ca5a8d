"""Bytes of a file as text: checked, gunzipped, decoded; all that can be wrong before a format matters."""

from __future__ import annotations

import codecs
import gzip
import mmap
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palate.errors import DataError, did_you_mean

_CHUNK = 1 << 22
HEAD = 1 << 16
"""Bytes that are looked at to guess separators, headers and types."""
_LONGEST_HEAD = 1 << 25


@dataclass(frozen=True)
class Text:
    """A text file as UTF-8: `source` is its path where the file itself is that, else the decoded bytes."""

    path: Path
    source: Path | bytes
    note: str | None
    """What was done to decode it, for the reader's notes"""

    def head(self) -> list[str]:
        """Return the first lines, whole ones only (the last may end with the file), without line ends."""
        size = HEAD
        while True:
            start = start_of(self.source, size) if isinstance(self.source, Path) else self.source[:size]
            if len(start) < size or start.count(b"\n") > 1 or size >= _LONGEST_HEAD:
                break
            size *= 8  # lines so long deserve a longer look
        if len(start) == size and b"\n" in start:
            start = start[: start.rindex(b"\n") + 1]
        return re.split(r"\r\n|\n|\r", start.decode("utf-8-sig", errors="replace"))

    def lines_with(self, sign: bytes) -> Iterator[bytes]:
        """Yield the lines that hold `sign`; the others cost a search and no memory."""
        if isinstance(self.source, bytes):
            yield from _lines_with(self.source, sign)
            return
        with self.source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield from _lines_with(data, sign)

    @property
    def has_newline(self) -> bool:
        """Whether the start has a line feed (old Macs ended lines with a carriage return)."""
        if isinstance(self.source, Path):
            return b"\n" in start_of(self.source)
        return b"\n" in self.source[:HEAD]

    def content(self) -> bytes:
        """Return all of it as UTF-8 bytes, without a byte order mark."""
        data = self.source.read_bytes() if isinstance(self.source, Path) else self.source
        return data.removeprefix(b"\xef\xbb\xbf")


def check(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a Path after checking that it is a file with something in it. Raises DataError."""
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise DataError(
                f"{file} is a folder; give a file (csv, tsv, dat, parquet, jsonl, or .gz of each)."
            )
        if file.stat().st_size == 0:
            raise DataError(f"{file} is empty: 0 bytes.")
        with file.open("rb"):
            return file
    except FileNotFoundError:
        beside = sorted(one.name for one in file.parent.iterdir()) if file.parent.is_dir() else []
        hint = did_you_mean(file.name, beside) or " Check the path."
        raise DataError(f"There is no file {file}.{hint}") from None
    except PermissionError:
        raise DataError(f"{file} cannot be read: permission denied. Change its mode or its owner.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}.") from error


def is_gzip(path: Path) -> bool:
    """Whether the file starts as gzip does, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, gunzipped where it is gzip. Raises DataError for a torn one."""
    if not is_gzip(path):
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            data = file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path.name} is a torn gzip file: it ends early or is damaged. Copy or download it again."
        ) from error
    if not data:
        raise DataError(f"{path.name} is empty: the gzip file holds 0 bytes.")
    return data


def open_text(path: str | os.PathLike[str], encoding: str | None = None) -> Text:
    """Open a text file (gz or not), in `encoding`; None takes UTF-8, and Latin-1 where it is not UTF-8.

    A UTF-8 file is checked in pieces and stays on disk; anything else is decoded in memory.
    Raises DataError for what `check` finds, a torn gzip, binary content, and an encoding that does not fit.
    """
    file = check(path)
    packed = is_gzip(file)
    data = read_bytes(file) if packed else None
    start = data[:HEAD] if data is not None else start_of(file)
    utf16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    if encoding is None and utf16:
        encoding = "utf-16"
    if encoding is None:
        _refuse_binary(start, file.name)
        if data is None and _is_utf8(file):
            return Text(file, file, None)
        data = file.read_bytes() if data is None else data
        if data.isascii() or _decodes(data):
            return Text(file, data, None)
        note = "not UTF-8, so it was read as Latin-1 (give encoding when that is wrong)"
        return Text(file, data.decode("latin-1").encode(), note)
    data = file.read_bytes() if data is None else data
    try:
        text = data.decode(encoding)
    except LookupError:
        raise DataError(
            f"There is no encoding '{encoding}'; give for example utf-8, latin-1 or cp1252."
        ) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{file.name} is not {encoding}: line {line} cannot be decoded. Leave encoding out, or try"
            " latin-1."
        ) from None
    return Text(file, text.removeprefix("\ufeff").encode(), "read as UTF-16" if utf16 else None)


def _lines_with(data: bytes | mmap.mmap, sign: bytes) -> Iterator[bytes]:
    at = data.find(sign)
    while at >= 0:
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        yield data[data.rfind(b"\n", 0, at) + 1 : end]
        at = data.find(sign, end)


def start_of(file: Path, size: int = HEAD) -> bytes:
    """Return the first bytes of a file, as they are."""
    with file.open("rb") as opened:
        return opened.read(size)


def _refuse_binary(start: bytes, name: str) -> None:
    if start.startswith(b"PK\x03\x04"):
        raise DataError(f"{name} is a zip archive (or a spreadsheet); unpack it, or save the sheet as CSV.")
    if start.startswith(b"PAR1"):
        raise DataError(f"{name} is a Parquet file; give format = 'parquet', or name it .parquet.")
    control = sum(start.count(byte) for byte in (*range(9), 11, 12, *range(14, 28)))
    if b"\0" in start or control * 50 > len(start):
        raise DataError(
            f"{name} is no text: it holds binary data. Expected csv, tsv, dat, jsonl, or a .parquet file."
        )


def _is_utf8(file: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as opened:
        try:
            while chunk := opened.read(_CHUNK):
                if decoder.getstate()[0] or not chunk.isascii():
                    decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
