"""Any file as one frame: csv, tsv, dat, parquet, jsonl, sequences, pairs, and .gz of each.

The name's ending says the format unless the caller does; gzip is seen by its first bytes, whatever the name.
What was guessed (separator, header, encoding) is told in `notes`; what cannot be read is a DataError.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from palate.datasets.delimited import Delimited
from palate.datasets.lines import JsonLines, Sequences
from palate.datasets.raw import check, is_gzip, open_text, read_bytes, start_of
from palate.errors import DataError, did_you_mean

FORMATS = ("csv", "tsv", "dat", "parquet", "jsonl", "sequences", "pairs")

_BY_ENDING = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".inter": "tsv", ".dat": "dat",
    ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip


class TableFile(Protocol):
    """A file that has been opened: its columns are known, its rows are read on demand, once."""

    notes: list[str]

    @property
    def columns(self) -> Sequence[str]:
        """Names in the file's order."""

    @property
    def first_line(self) -> int:
        """Line number of the first data row, from 1."""

    def read(self, columns: Collection[str] | None = None, ids: Collection[str] = ()) -> pl.DataFrame:
        """Return the rows of some columns (None: all); those in `ids` are read as ids."""


@dataclass(frozen=True)
class FileTable:
    """What `read` found: the rows, the line number of the first one, and what was guessed."""

    frame: pl.DataFrame
    first_line: int
    format: str
    notes: tuple[str, ...]


class Parquet:
    """A Parquet file (gz or not)."""

    first_line = 1

    def __init__(self, path: str | Path) -> None:
        """Open the file; raises DataError when it is missing, empty, or no Parquet."""
        file = check(path)
        self.name, self.notes = file.name, list[str]()
        self.source: Path | bytes = read_bytes(file) if is_gzip(file) else file
        try:
            self.columns = pl.scan_parquet(self.source, glob=False).collect_schema().names()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise self._broken(error) from error

    def read(self, columns: Collection[str] | None = None, ids: Collection[str] = ()) -> pl.DataFrame:
        """Return the rows of `columns` (None: all); types are the file's own."""
        wanted = [name for name in self.columns if columns is None or name in columns]
        try:
            frame = pl.scan_parquet(self.source, glob=False).select(wanted).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise self._broken(error) from error
        if frame.is_empty():
            raise DataError(f"{self.name} has columns and no rows.")
        return frame

    def _broken(self, error: Exception) -> DataError:
        first = str(error).strip().splitlines()[0][:120]
        return DataError(
            f"{self.name} is no Parquet file that can be read, or a torn one ({first}). Copy it again."
        )


def open_file(
    path: str | Path,
    *,
    format: str | None = None,
    header: bool | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    names: Sequence[str] | None = None,
) -> tuple[TableFile, str]:
    """Open a file and return it with its format.

    Args:
        path: the file. Its ending gives the format, `.gz` after it or not; other endings are looked into.
        format: one of `FORMATS`, to overrule the ending.
        header: whether the first line holds names; None looks.
        separator: of csv, tsv and dat, also of several characters; None looks.
        encoding: of text; None takes UTF-8, and Latin-1 where it is not UTF-8.
        names: columns of a file without header.

    Raises:
        DataError: for a file that is missing, a folder, unreadable, empty, torn, binary, or header only.

    """
    file = check(path)
    if format is not None and format not in FORMATS:
        raise DataError(
            f"There is no format '{format}'.{did_you_mean(format, FORMATS)} Formats: {', '.join(FORMATS)}."
        )
    notes: list[str] = []
    if format is None:
        format = _BY_ENDING.get(Path(file.name.lower().removesuffix(".gz")).suffix)
    if format is None:
        format = _look(file, separator, encoding)
        notes.append(f"format taken to be {'csv-like text' if format == 'text' else format}")
    opened: TableFile
    if format == "parquet":
        opened = Parquet(file)
    elif format == "jsonl":
        opened = JsonLines(file, encoding=encoding)
    elif format in ("sequences", "pairs"):
        opened = Sequences(file, pairs=format == "pairs", encoding=encoding)
    else:
        opened = Delimited(
            file, format=format, header=header, separator=separator, encoding=encoding, names=names
        )
    opened.notes.extend(notes)
    return opened, format


def read(
    path: str | Path,
    *,
    columns: Collection[str] | None = None,
    ids: Collection[str] = (),
    format: str | None = None,
    header: bool | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    names: Sequence[str] | None = None,
) -> FileTable:
    """Read some columns of a file (None: all); those named in `ids` keep what they are written as.

    An id column becomes Int64 only where every id is written as a whole number is: 007 stays text.
    The other arguments and the errors are those of `open_file`.
    """
    file, found = open_file(
        path, format=format, header=header, separator=separator, encoding=encoding, names=names
    )
    return FileTable(file.read(columns, ids), file.first_line, found, tuple(file.notes))


def _look(file: Path, separator: str | None, encoding: str | None) -> str:
    """Guess the format of a file whose ending says nothing."""
    start = read_bytes(file)[:4] if is_gzip(file) else start_of(file)[:4]
    if start == b"PAR1":
        return "parquet"
    head = [line.strip() for line in open_text(file, encoding).head() if line.strip()][:50]
    if not head or separator is not None:
        return "text"
    if head[0].startswith("{"):
        return "jsonl"
    if any(sign in head[0] for sign in (",", "\t", ";", "|", "::")) or not all(" " in line for line in head):
        return "text"
    return "pairs" if all(len(re.split(r"\s+", line)) == 2 for line in head) else "sequences"
