"""Delimited text: csv, tsv and dat ("::", colons inside titles are safe).

Separator and header are guessed from the first lines where the caller does not give them. Polars reads;
separators of more than one character become the unit separator 0x1F first, because Polars takes one byte
only.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from palate.datasets.columns import ALIASES, POSITIONAL, plain, whole_numbers
from palate.datasets.raw import Text, open_text
from palate.errors import DataError

_SINGLE = "\x1f"
_CANDIDATES = (",", "\t", ";", "|")
_SHOWN = {"\t": "tab", " ": "space", "::": "::"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FIELD = rb'(?:"(?:[^"]|"")*"|[^"\t][^\t]*|)'
_QUOTED_LINE = re.compile(rb"%b(?:\t%b)*" % (_FIELD, _FIELD))
_FIRST_UNIX_TIME = 100_000_000
"""1973: a third column of larger whole numbers is a time, no rating"""
_SCAN_ERRORS = (pl.exceptions.PolarsError, OSError)


class Delimited:
    """A delimited text file, opened: `columns` are known, `read` reads them.

    `first_line` is the line number of the first data row, `notes` say what was guessed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        format: str,
        header: bool | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        """Open the file; raises DataError when it is missing, empty, binary, or has nothing but a header."""
        text = open_text(path, encoding)
        self.name = text.path.name
        self.notes = [text.note] if text.note else []
        head = [line for line in text.head() if line.strip()]
        if not head:
            raise DataError(f"{self.name} is empty: it has no line with anything on it.")
        self.separator = separator or self._guess_separator(head, format)
        quoted = format != "dat" and len(self.separator) == 1
        self.quote = '"' if quoted and (self.separator != "\t" or _quotes_fields(text)) else None
        rows = self._fields(head)
        self.has_header = _has_header(rows, expected=format != "dat") if header is None else header
        self.guessed_header = header is None and self.has_header
        self.first_line = 2 if self.has_header else 1
        self.rows = rows[self.has_header :]
        if not self.rows:
            raise DataError(f"{self.name} has a header and no rows; give header = false if the line is data.")
        self.width = len(rows[0])
        self.columns = self._name_columns(rows[0], names)
        self.source = self._single_byte(text)

    def read(self, columns: Collection[str] | None = None, ids: Collection[str] = ()) -> pl.DataFrame:
        """Return the rows of `columns` (None: all); `ids` stay text unless every one is a plain whole number.

        Text such as 007 keeps its zeros. Raises DataError, with the line, for a row of another width.
        """
        wanted = [name for name in self.columns if columns is None or name in columns]
        twice = [name for name, count in Counter(self.columns).items() if count > 1 and name in wanted]
        if twice:
            raise DataError(f"{self.name} has column '{twice[0]}' more than once; rename one of them.")
        sample = {
            name: [row[at] for row in self.rows if at < len(row)] for at, name in enumerate(self.columns)
        }
        types = {name: _type(sample[name], id=name in ids) for name in wanted}
        if self._zeros([name for name in wanted if name in ids and types[name] == pl.Int64]):
            types |= {name: pl.String() for name in ids if name in wanted}
        try:
            frame = self._scan(types).collect()
        except _SCAN_ERRORS:
            try:
                frame = self._scan(dict.fromkeys(wanted, pl.String())).collect()
            except _SCAN_ERRORS as error:
                raise self._broken(error) from error
        textual = [name for name in wanted if frame[name].dtype == pl.String]
        frame = frame.with_columns(
            whole_numbers(frame[name]) if name in ids else _numbers(frame[name]) for name in textual
        )
        empty = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
        filled = (~empty).arg_true()
        return frame.head(int(filled[-1]) + 1 if len(filled) else 0)  # blank lines at the end are no rows

    def _scan(self, types: dict[str, pl.DataType]) -> pl.LazyFrame:
        unique = [f"{name}\x1f{at}" if name not in types else name for at, name in enumerate(self.columns)]
        frame = pl.scan_csv(
            self.source,
            separator=self.separator if len(self.separator) == 1 else _SINGLE,
            quote_char=self.quote,
            has_header=False,
            skip_rows=self.first_line - 1,
            schema={name: types.get(name, pl.String()) for name in unique},
            glob=False,
        )
        return frame.select(list(types))

    def _zeros(self, names: list[str]) -> bool:
        """Whether an id that reads as a number would not be written the same: 007, +7, a space before it.

        Both id columns are then text. One pass over the file in pieces; nothing is kept.
        """
        if not names:
            return False
        # By code point: space, tab and "+" < "-" < "0" < "1", so two comparisons find what is no plain number.
        odd = [
            (
                (pl.col(name) < "1")
                & (pl.col(name) != "0")
                & ~pl.col(name).is_between(pl.lit("-1"), pl.lit("-:"))
            ).any()
            for name in names
        ]
        try:
            scan = self._scan(dict.fromkeys(names, pl.String()))
            found = scan.select(*odd).collect(engine="streaming")
        except _SCAN_ERRORS as error:
            raise self._broken(error) from error
        return any(bool(one) for one in found.row(0))

    def _guess_separator(self, head: list[str], format: str) -> str:
        if format == "tsv":
            return "\t"
        if "::" in head[0] and format in ("dat", "text"):
            return "::"
        widths = {one: [len(row) for row in _rows(head[:20], one)] or [0] for one in _CANDIDATES}
        even = [one for one in _CANDIDATES if widths[one][0] > 1 and len(set(widths[one])) == 1]
        some = [one for one in _CANDIDATES if widths[one][0] > 1]
        best = max(even or some or [","], key=lambda one: (widths[one][0], -_CANDIDATES.index(one)))
        if best != "," or format not in ("csv", "text"):
            self.notes.append(f"separator taken to be {_SHOWN.get(best, best)!r}")
        return best

    def _fields(self, lines: list[str]) -> list[list[str]]:
        if self.quote is None:
            return [line.split(self.separator) for line in lines]
        try:
            return list(csv.reader(io.StringIO("\n".join(lines)), delimiter=self.separator))
        except csv.Error as error:
            raise DataError(
                f"{self.name} cannot be read as delimited text ({error}). Give format or separator."
            ) from error

    def _name_columns(self, first: list[str], names: Sequence[str] | None) -> list[str]:
        if names is not None:
            if len(names) != self.width:
                raise DataError(f"{self.name} has {self.width} columns in its first line, not {len(names)}.")
            return list(names)
        if self.has_header:
            return [name.strip() for name in first]
        if not 2 <= self.width <= len(POSITIONAL):
            return [str(at + 1) for at in range(self.width)]
        columns = list(POSITIONAL[: self.width])
        if self.width == 3 and all(_is_time(row[2]) for row in self.rows if len(row) == 3):
            columns[2] = "time"
        self.notes.append(f"no header: columns taken to be {', '.join(columns)}")
        return columns

    def _single_byte(self, text: Text) -> Path | bytes:
        if len(self.separator) == 1:
            if text.has_newline:
                return text.source if isinstance(text.source, Path) else text.content()
            return text.content().replace(b"\r", b"\n")  # the line ends of old Macs
        data = text.content()
        if _SINGLE.encode() in data:
            raise DataError(
                f"{self.name} holds the control character 0x1F, so '{self.separator}' cannot be read."
            )
        return data.replace(self.separator.encode(), _SINGLE.encode())

    def _broken(self, error: Exception) -> DataError:
        """Say which line has another width than the first one, or what Polars says where none has."""
        data = self.source.read_bytes() if isinstance(self.source, Path) else self.source
        single = self.separator if len(self.separator) == 1 else _SINGLE
        lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
        quoting: Literal[0, 3] = csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL
        shown = _SHOWN.get(self.separator, self.separator)
        reader = csv.reader(lines, delimiter=single, quoting=quoting, strict=self.quote is not None)
        try:
            for row in reader:
                if row and len(row) != self.width:
                    return DataError(
                        f"{self.name}: line {reader.line_num} has {len(row)} fields, the first line"
                        f" {self.width}."
                        f" Mend it, or give the separator (taken: {shown!r})."
                    )
        except csv.Error as broken:
            return DataError(
                f"{self.name}: the quotes do not match near line {reader.line_num} ({broken}). Mend them."
            )
        first = str(error).strip().splitlines()[0]
        return DataError(f"{self.name} cannot be read as delimited text ({first}). Give format or separator.")


def _rows(lines: list[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator))
    except csv.Error:  # a field of more than 128 kB: not this separator
        return []


def _quotes_fields(text: Text) -> bool:
    """Whether quotes in a tab file enclose fields; else they are characters, as in 5" or a title."""
    return all(_QUOTED_LINE.fullmatch(line.rstrip(b"\r")) for line in text.lines_with(b'"'))


def _has_header(rows: list[list[str]], *, expected: bool) -> bool:
    """Guess: a line with numbers is data; one with known names, or above columns of numbers, is a header."""
    first, rest = rows[0], rows[1:]
    if any(_NUMBER.fullmatch(field.strip()) for field in first):
        return False
    known = {plain(name) for names in ALIASES.values() for name in names}
    if any(plain(field) in known for field in first):
        return True
    for at in range(len(first)):
        below = [row[at].strip() for row in rest if at < len(row)]
        if below and all(_NUMBER.fullmatch(field) for field in below):
            return True
    return expected


def _type(sample: list[str], *, id: bool) -> pl.DataType:
    filled = [field.strip() for field in sample if field.strip()]
    if filled and all(re.fullmatch(r"-?\d{1,18}", field) for field in filled):
        return pl.Int64()
    if not id and filled and all(_NUMBER.fullmatch(field) for field in filled):
        return pl.Float64()
    return pl.String()


def _numbers(column: pl.Series) -> pl.Series:
    """Return a column of text as numbers where all of it is, else as it is."""
    for dtype in (pl.Int64, pl.Float64):
        cast = column.cast(dtype, strict=False)
        if cast.null_count() == column.null_count() < len(column):
            return cast
    return column


def _is_time(field: str) -> bool:
    return field.strip().isdigit() and int(field) >= _FIRST_UNIX_TIME
