"""Which column plays which part: the names that publishers use, and a choice that says what it did."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from palate.errors import DataError, did_you_mean, listing

POSITIONAL = ("user", "item", "value", "time")
"""What the columns of a file of two to four without header are taken to be."""

ALIASES: dict[str, tuple[str, ...]] = {
    "user": ("user", "userid", "user_id", "reviewerid", "customer", "customerid", "visitorid", "uid"),
    "item": (
        "item", "itemid", "item_id", "movie", "movieid", "movie_id", "product", "productid", "product_id",
        "asin", "book_id", "iid", "article", "article_id", "news_id",
    ),
    "value": ("value", "rating", "overall", "score", "quantity", "stars"),
    "time": ("time", "timestamp", "unixreviewtime", "unix_time", "datetime", "date"),
    "event": ("event", "event_type"),
    "basket": ("basket", "basket_id", "order_id", "invoice", "invoiceno"),
}  # fmt: skip
"""Part -> names it goes by, the usual one first; compared without case, spaces and underscores."""


def plain(name: str) -> str:
    """Return a column name without case, spaces and underscores, and without RecBole's `:type` ending."""
    return name.strip().lower().partition(":")[0].replace("_", "").replace(" ", "")


def choose(
    given: dict[str, str | None],
    columns: Sequence[str],
    *,
    source: str,
    headerless: bool = False,
    guessed_header: bool = False,
) -> tuple[dict[str, str | None], list[str]]:
    """Return the column of each part, and notes on those that were found under another name.

    `given` maps part -> the caller's column; one that equals the part itself is the default, and is looked
    for under the other names it goes by; None leaves the part out. Parts that are not there map to None.
    Raises DataError, listing the columns, when a named one, the user or the item is not there.
    """
    chosen: dict[str, str | None] = {}
    notes = []
    for part, name in given.items():
        if name is None or name in columns:
            chosen[part] = name
            continue
        if headerless and name.isdigit() and 1 <= int(name) <= len(columns):
            chosen[part] = columns[int(name) - 1]
            continue
        if name == part:
            taken = set(given.values())
            wanted = [plain(alias) for alias in ALIASES[part]]
            found = [column for column in columns if plain(column) in wanted and column not in taken]
            if len(found) == 1 or (found and part not in ("user", "item")):
                found.sort(key=lambda column: wanted.index(plain(column)))
                chosen[part] = found[0]
                notes.append(f"{part} taken from column '{found[0]}'")
                continue
            if part not in ("user", "item"):
                chosen[part] = None
                continue
        hint = did_you_mean(name, columns)
        first = ", or header = false (--no-header) if the first line is data" if guessed_header else ""
        raise DataError(
            f"{source}: no column '{name}' for {part}.{hint} The columns are: {listing(columns, limit=12)}."
            f' Name the right one: {part} = "..." (--{part}){first}.'
        )
    return chosen, notes


def whole_numbers(ids: pl.Series) -> pl.Series:
    """Return text ids as Int64 where each is written as a whole number is (no 007), else as they are."""
    if ids.dtype != pl.String or ids.null_count() == len(ids):
        return ids
    plain_numbers = ids.drop_nulls().str.contains(r"^(0|-?[1-9]\d{0,17})$").all()
    return ids.cast(pl.Int64) if plain_numbers else ids
