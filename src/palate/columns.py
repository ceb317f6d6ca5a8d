"""Columns of a table to arrays: ids, values and times, and which rows are bad.

A bad row has no id, a value that is no finite number, or no time in the years 1 to 9999; of impressions, also one whose
lists do not belong together. It is refused with its line number, or left out and counted when asked.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, listing
from palate.tables import require_column
from palate.vocabulary import as_ids

BadRows = Literal["raise", "drop"]
TimeUnit = Literal["s", "ms", "us", "ns"]

MAX_ID_BYTES = 4_096
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class ColumnReader:
    """Turns columns into arrays, and notes which rows are good (None: all)."""

    def __init__(self, frame: pl.DataFrame, source: str, first_line: int, bad_rows: BadRows) -> None:
        if bad_rows not in ("raise", "drop"):
            raise DataError(f"bad_rows = {bad_rows!r} is unknown: give raise or drop.")
        self.frame, self.source, self.first_line, self.bad_rows = frame, source, first_line, bad_rows
        self.good: NDArray[np.bool_] | None = None

    def ids(self, name: str, role: str) -> pl.Series:
        """Return a column of ids, as integers or text."""
        column = require_column(self.frame, name, source=self.source, role=role)
        try:
            ids = as_ids(column)
        except DataError as error:
            raise DataError(f"{self.source}: column {name!r}: {error}") from error
        if ids.null_count():
            self.refuse(ids.is_null(), f"have no {role} in column {name!r}")
        if ids.dtype == pl.String:
            length = ids.str.len_bytes().fill_null(1)
            if length.min() == 0:
                self.refuse(length == 0, f"have an empty {role} in column {name!r}")
            if (length > MAX_ID_BYTES).any():
                self.refuse(
                    length > MAX_ID_BYTES,
                    f"have an id of more than {MAX_ID_BYTES:,} bytes in column {name!r}: is it the right column?",
                )
        # Narrow integers stay narrow until they are codes: at 20 million rows a copy is 160 MB.
        return column if column.dtype.is_integer() else ids

    def values(self, name: str) -> NDArray[np.float32]:
        """Return a column of numbers as float32."""
        column = require_column(self.frame, name, source=self.source, role="value")
        if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Boolean, pl.Null)):
            raise DataError(
                f"{self.source}: column {name!r} of type {column.dtype} is no value: give numbers."
            )
        if column.null_count():
            self.refuse(column.is_null(), f"have no value in column {name!r}")
        numbers = column.cast(pl.Float32, strict=False)
        if (lost := numbers.is_null() & column.is_not_null()).any():
            self.refuse(lost, f"have no number in column {name!r} (such as {column.filter(lost)[0]!r})")
        if not (finite := numbers.is_finite().fill_null(True)).all():
            self.refuse(~finite, f"have a value that is not finite in column {name!r}")
        return numbers.fill_null(0).to_numpy()

    def times(self, name: str, unit: TimeUnit) -> NDArray[np.int64]:
        """Return a column of times as seconds since 1970 UTC."""
        column = require_column(self.frame, name, source=self.source, role="time")
        if unit not in _PER_SECOND:
            raise DataError(f"time_unit = {unit!r} is unknown: give s, ms, us or ns.")
        if column.null_count():
            self.refuse(column.is_null(), f"have no time in column {name!r}")
        seconds = self._seconds(column, name, unit)
        if (lost := seconds.is_null() & column.is_not_null()).any():
            example = column.filter(lost)[0]
            self.refuse(
                lost, f"have no time in column {name!r} (such as {example!r}: give seconds or 2011-10-01)"
            )
        outside = ((seconds < _FIRST_SECOND) | (seconds > _LAST_SECOND)).fill_null(False)
        if outside.any():
            self.refuse(
                outside,
                f"have a time out of range in column {name!r} (such as {column.filter(outside)[0]}): "
                f"if it is not in {unit!r}, give time_unit",
            )
        return seconds.fill_null(0).to_numpy()

    def _seconds(self, column: pl.Series, name: str, unit: TimeUnit) -> pl.Series:
        dtype = column.dtype
        if dtype == pl.String:
            numbers = column.cast(pl.Int64, strict=False)
            if numbers.is_not_null().sum() * 2 > len(column):
                column, dtype = numbers, numbers.dtype
            else:
                # Only ISO text: in 01/10/2011 nobody can tell the day from the month.
                iso = column.str.contains(r"^\d{4}-\d{2}-\d{2}")
                column = pl.select(pl.when(iso).then(column)).to_series()
                column = column.str.to_datetime(strict=False, time_zone="UTC")
                dtype = column.dtype
        if dtype in (pl.Date, pl.Datetime):
            return column.dt.epoch("s")
        if dtype == pl.Null:
            return column.cast(pl.Int64)
        if not dtype.is_numeric():
            raise DataError(
                f"{self.source}: column {name!r} of type {dtype} is no time: give seconds, dates or ISO text."
            )
        whole = column.cast(pl.Int64, strict=False)
        return whole if unit == "s" else whole // _PER_SECOND[unit]

    def refuse(self, bad: pl.Series, what: str) -> None:
        """Raise with the line numbers of bad rows, or note that they are to be dropped; `what` begins with "have"."""
        mask = bad.fill_null(True).to_numpy()
        if self.good is not None:
            mask = mask & self.good
        count = int(mask.sum())
        if count == 0:
            return
        if self.bad_rows == "raise":
            lines = np.flatnonzero(mask)[:6] + self.first_line
            more = "" if count <= 5 else f" and {count - 5:,} more"
            rows = "1 row has" if count == 1 else f"{count:,} rows have"
            what = what.replace("have ", "", 1)
            raise DataError(
                f"{self.source}: {rows} {what} ({'line' if count == 1 else 'lines'} "
                f'{listing(lines[:5])}{more}). Leave them out: bad_rows = "drop" (--drop-bad-rows), or mend the table.'
            )
        self.good = ~mask if self.good is None else self.good & ~mask
