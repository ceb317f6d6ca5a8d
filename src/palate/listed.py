"""Columns of lists: their members, which of them are marked, and which rows are bad."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, listing
from palate.vocabulary import as_ids


def lists(frame: pl.DataFrame, column: str, source: str) -> pl.Series:
    """Return a column of lists. Raises DataError for another."""
    found = frame[column]
    if found.dtype == pl.Null:
        found = found.cast(pl.List(pl.Null))
    if not isinstance(found.dtype, pl.List | pl.Array):
        raise DataError(
            f"{source}: column '{column}' holds {found.dtype}, and lists of article ids were expected. For text such "
            f"as 'n1 n2', split it first: table.with_columns(pl.col('{column}').str.split(' '))."
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


def marked(told: pl.Series, shown: pl.Series, source: str) -> NDArray[np.bool_]:
    """Return labels as a flat array: from lists of true and false, or of the ids that were clicked."""
    if not isinstance(told.dtype, pl.List | pl.Array):
        raise DataError(
            f"{source}: column '{told.name}' holds {told.dtype}, and lists were expected, one an impression."
        )
    told = told.cast(pl.List(told.dtype.inner))
    lengths = told.list.len().fill_null(0) == shown.list.len()
    flat = told.list.explode().drop_nulls()
    marks = flat.dtype == pl.Boolean or (
        flat.dtype.is_numeric() and len(flat) > 0 and flat.is_in([0, 1]).all()
    )
    if marks and lengths.all() and len(flat) == told.list.len().sum():
        return flat.cast(pl.Boolean).to_numpy()
    if marks and not lengths.all():
        raise DataError(
            f"{source}: '{told.name}' and the candidates have unlike lengths in {row_numbers(~lengths)}: give true or "
            "false for each candidate, or the list of ids that were clicked."
        )
    if marks:
        raise DataError(
            f"{source}: '{told.name}' has a missing mark (null) in {row_numbers(lacking(told))}: give true or false "
            "for each candidate."
        )
    told = alike(told, shown, source)
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
    strange = ids.join(each, left_on=["row", "told"], right_on=["row", "shown"], how="anti")
    if len(strange):
        example = f"{strange['told'][0]} in row {strange['row'][0] + 1:,}"
        raise DataError(
            f"{source}: {len(strange):,} clicked articles were not among the candidates, as {example}."
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


def row_numbers(mask: pl.Series) -> str:
    """Return row numbers from 1, as words."""
    bad = mask.fill_null(value=True).arg_true() + 1
    return f"row {bad[0]:,}" if len(bad) == 1 else f"{len(bad):,} rows ({listing(bad.head(5))})"
