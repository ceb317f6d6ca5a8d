"""Any table in, as one frame, the caller's own left as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from palate.errors import DataError
from palate.tables import require_column, to_frame

COLUMNS: dict[str, list[Any]] = {
    "user": ["ann", "bo", "ann"], "item": [7, 7, 9], "value": [1.5, 2.0, 0.0], "time": [5, 6, 8],
}  # fmt: skip
FRAME = pl.DataFrame(COLUMNS)

KINDS: dict[str, Callable[[], object]] = {
    "polars": lambda: FRAME,
    "polars lazy": FRAME.lazy,
    "pandas": lambda: pd.DataFrame(COLUMNS),
    "pandas with an index": lambda: pd.DataFrame(COLUMNS, index=[9, 4, 7]),
    "pandas with a named index": lambda: pd.DataFrame(COLUMNS, index=pd.Index(["x", "y", "z"], name="row")),
    "pandas of NumPy columns": lambda: pd.DataFrame(
        {name: np.array(values, object if name == "user" else None) for name, values in COLUMNS.items()}
    ),
    "arrow table": lambda: pa.table(COLUMNS),
    "arrow batches": lambda: pa.RecordBatchReader.from_batches(
        pa.table(COLUMNS).schema, pa.table(COLUMNS).to_batches(max_chunksize=2)
    ),
    "duckdb": lambda: duckdb.connect().from_arrow(pa.table(COLUMNS)),
    "dict of lists": lambda: COLUMNS,
    "dict of arrays": lambda: {name: np.array(values) for name, values in COLUMNS.items()},
    "list of rows": lambda: [
        dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)
    ],
    "list of rows, later ones longer": lambda: [
        {"user": "ann", "item": 7, "value": 1.5, "time": 5},
        {"item": 7, "user": "bo", "value": 2, "time": 6},
        {"user": "ann", "item": 9, "value": 0, "time": 8},
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_rows(kind: str) -> None:
    frame = to_frame(KINDS[kind]()).select("user", "item", "value", "time")
    assert frame.rows() == FRAME.rows()


def test_pandas_without_pyarrow_is_read_column_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: pd.DataFrame, requested_schema: object = None) -> object:
        raise ImportError("pyarrow")

    monkeypatch.setattr(pd.DataFrame, "__arrow_c_stream__", missing)
    assert to_frame(pd.DataFrame(COLUMNS)).rows() == FRAME.rows()


@pytest.mark.parametrize("table", [42, "ratings.csv", None, [1, 2], FRAME["user"], np.ones((2, 2))])
def test_what_is_no_table_is_refused_with_what_would_be(table: object) -> None:
    with pytest.raises(DataError, match=r"events: .*(is no table. Give a pandas|cannot be read)"):
        to_frame(table, source="events")


@pytest.mark.parametrize(
    "table",
    [
        {"user": [1, "two"], "item": [1, 2]},
        {"user": [1], "item": [1, 2]},
        [{"user": 1}, {"user": "two"}],
        pd.DataFrame({"user": [1, "two"]}),
    ],
)
def test_mixed_or_ragged_columns_are_refused_in_one_line(table: object) -> None:
    with pytest.raises(DataError, match="one type") as error:
        to_frame(table)
    assert "\n" not in str(error.value)


def test_whole_numbers_and_fractions_mix() -> None:
    for table in ({"value": [4, 3.5, None]}, [{"value": 4}, {"value": 3.5}, {"other": 1}]):
        assert to_frame(table)["value"].to_list() == [4.0, 3.5, None]


def test_a_missing_column_is_named_with_the_nearest_and_the_rest() -> None:
    with pytest.raises(
        DataError, match=r"x: no column 'usr' for user. Did you mean 'user'\? The columns are: user, item"
    ):
        require_column(FRAME, "usr", source="x", role="user")
    assert require_column(FRAME, "item", source="x", role="item").to_list() == [7, 7, 9]


def test_pandas_without_pyarrow_marks_missing_text_by_nan() -> None:
    class Frame(pd.DataFrame):
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise ImportError("pyarrow")

    frame = Frame({"name": pd.Series(["a", np.nan, None], dtype=object), "n": [1, 2, 3]})
    assert to_frame(frame).to_dict(as_series=False) == {"name": ["a", None, None], "n": [1, 2, 3]}
