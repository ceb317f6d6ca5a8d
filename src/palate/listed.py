"""Columns of lists: their members, which of them are marked, and which rows are bad."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.columns import ColumnReader
from palate.errors import DataError
from palate.vocabulary import as_ids


def lists(frame: pl.DataFrame, column: str, reader: ColumnReader) -> pl.Series:
    """Return a column of lists. Raises DataError for another.

    JSON lines of which some hold a list and some text come as text; those without a list are bad rows.
    """
    found = frame[column]
    if found.dtype == pl.Null:
        found = found.cast(pl.List(pl.Null))
    if found.dtype == pl.String and (kept := found.str.contains(r"^\[.*\]$").fill_null(value=True)).any():
        if len(astray := found.filter(~kept)):
            reader.refuse(~kept, f"have no list in column '{column}' (such as {astray[0]!r})")
        found = pl.select(pl.when(kept).then(found)).to_series().str.json_decode(pl.List(pl.String))
    if not isinstance(found.dtype, pl.List | pl.Array):
        raise DataError(
            f"{reader.source}: column '{column}' holds {found.dtype}, and lists of article ids were expected, such as "
            f'["n1", "n2"]. For text such as \'n1 n2\', split it first: '
            f"table.with_columns(pl.col('{column}').str.split(' '))."
        )
    return found.cast(pl.List(found.dtype.inner))


def alike(found: pl.Series, shown: pl.Series, source: str) -> pl.Series:
    """Return lists of ids of one kind with those of `shown`; nothing but empty lists is of any kind.

    Raises DataError where the ones are text and the others numbers.
    """
    kinds = [one.dtype.inner for one in (found, shown)]  # type: ignore[attr-defined]
    if kinds[0] == pl.Null:
        return found.cast(shown.dtype)
    if kinds[0].is_numeric() != kinds[1].is_numeric():
        raise DataError(
            f"{source}: '{found.name}' holds {kinds[0]} ids and '{shown.name}' {kinds[1]} ids: make both text or both "
            f"integers, as by table.with_columns(pl.col('{found.name}').cast(pl.List(pl.{kinds[1]})))."
        )
    return found


def marked(told: pl.Series, shown: pl.Series, reader: ColumnReader) -> NDArray[np.bool_]:
    """Return labels as a flat array: from lists of true and false, or of the ids that were clicked.

    Rows whose labels are none of their candidates are refused by the reader; where it only notes them, what is returned
    is not to be used.
    """
    if not isinstance(told.dtype, pl.List | pl.Array):
        raise DataError(
            f"{reader.source}: column '{told.name}' holds {told.dtype}, and lists were expected, one an impression."
        )
    told = told.cast(pl.List(told.dtype.inner))
    flat = told.list.explode().drop_nulls()
    if flat.dtype == pl.Boolean or (flat.dtype.is_numeric() and len(flat) > 0 and flat.is_in([0, 1]).all()):
        unlike = told.list.len().fill_null(0) != shown.list.len()
        reader.refuse(
            unlike,
            f"have in '{told.name}' more or fewer marks than candidates: give true or false for each, or the list of "
            "ids that were clicked",
        )
        reader.refuse(lacking(told), f"have a missing mark (null) in '{told.name}': each is true or false")
        return flat.cast(pl.Boolean).to_numpy()
    told = alike(told, shown, reader.source)
    found = pl.DataFrame({"row": np.arange(len(told)), "shown": shown, "told": told})
    ids = found.select("row", "told").explode("told").drop_nulls().unique()
    each = found.select("row", "shown").explode("shown")
    hit = each.join(
        ids.with_columns(clicked=True),
        left_on=["row", "shown"],
        right_on=["row", "told"],
        how="left",
        maintain_order="left",
    )["clicked"].fill_null(value=False)
    strange = ids.join(each, left_on=["row", "told"], right_on=["row", "shown"], how="anti").sort("row")
    if len(strange):
        reader.refuse(
            found["row"].is_in(strange["row"].implode()),
            f"have a clicked article in '{told.name}' that is not among the candidates (such as {strange['told'][0]})",
        )
    return hit.to_numpy()


def members(lists: pl.Series) -> pl.Series:
    """Return the members of all lists, one after the other."""
    return as_ids(lists.list.explode().drop_nulls())


def starts(lists: pl.Series) -> NDArray[np.int64]:
    """Return where the members of each list begin among those of all, and last their number, (lists + 1)."""
    lengths = lists.list.drop_nulls().list.len().fill_null(0).to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def lacking(lists: pl.Series) -> pl.Series:
    """Return which lists have a null among their members."""
    return lists.list.eval(pl.element().is_null()).list.any().fill_null(value=False)
