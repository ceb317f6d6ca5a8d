"""Any table in: pandas, Polars, Arrow, DuckDB or plain Python, as one Polars frame.

Everything that speaks the Arrow stream capsule is taken as it is, so none of those packages is needed
to read their tables (pandas makes its own capsule only where pyarrow is installed; without it the
columns are taken one by one).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, did_you_mean, listing


def to_frame(table: object, *, source: str = "table") -> pl.DataFrame:
    """Return `table` as a Polars frame; the caller's table is never changed.

    Args:
        table: a Polars frame or lazy frame, a pandas frame, an Arrow table, a DuckDB relation, any other
            object with the Arrow stream capsule, a mapping of columns, or a sequence of row mappings.
        source: what messages call the table.

    Raises:
        DataError: for anything else, and for columns that mix types.
    """
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    try:
        if hasattr(table, "__arrow_c_stream__") and not isinstance(table, pl.Series):
            frame = _from_capsule(table)
        elif isinstance(table, Mapping):
            frame = pl.DataFrame({name: _one_type(column) for name, column in table.items()})
        elif isinstance(table, Sequence) and all(isinstance(row, Mapping) for row in table):
            names = dict.fromkeys(name for row in table for name in row)
            frame = pl.DataFrame({name: _one_type([row.get(name) for row in table]) for name in names})
        else:
            kind = type(table).__name__
            raise DataError(
                f"{source}: a {kind} is no table. Give a pandas, Polars, Arrow or DuckDB table, "
                "a dict of columns, or read a file with palate.load(path)."
            )
    except DataError:
        raise
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{source}: the columns cannot be read ({first}). Each column needs one type: "
            "make mixed ones all text or all numbers."
        ) from error
    index = [name for name in frame.columns if name.startswith("__index_level_")]
    return frame.drop(index)


def _one_type(column: Any) -> Any:
    """Return a list that mixes whole numbers and fractions (4, 3.5) as fractions: Polars takes no such mixture."""
    if isinstance(column, (list, tuple)) and {type(value) for value in column} - {type(None)} == {int, float}:
        return [None if value is None else float(value) for value in column]
    return column


def _from_capsule(table: Any) -> pl.DataFrame:
    try:
        return pl.DataFrame(table)
    except ImportError:  # pandas without pyarrow
        return pl.DataFrame({str(name): _values(table[name].to_numpy()) for name in table.columns})


def _values(column: NDArray[Any]) -> Any:
    """Return a pandas column for Polars: pandas marks a missing text by a NaN."""
    if column.dtype != object:
        return column
    return [None if isinstance(value, float) and math.isnan(value) else value for value in column]


def require_column(frame: pl.DataFrame, name: str, *, source: str, role: str) -> pl.Series:
    """Return column `name`, or raise a DataError that lists the columns and suggests the nearest."""
    if name not in frame.columns:
        hint = did_you_mean(name, frame.columns)
        raise DataError(
            f"{source}: no column {name!r} for {role}.{hint} The columns are: "
            f"{listing(frame.columns, limit=12)}."
        )
    return frame[name]
