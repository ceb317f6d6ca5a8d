"""The user's own files: a file of interactions, and one of items where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from palate.catalogue import Catalogue
from palate.columns import BadRows, TimeUnit
from palate.datasets.columns import ALIASES, choose, plain
from palate.datasets.dataset import Dataset, Repeats
from palate.datasets.delimited import Delimited
from palate.datasets.files import open_file
from palate.interactions import Interactions
from palate.vocabulary import Vocabulary

_LISTS = {"genre", "genres", "category", "categories", "tags"}


def load_file(
    path: str | Path,
    *,
    user: str = "user",
    item: str = "item",
    value: str | None = "value",
    time: str | None = "time",
    event: str | None = "event",
    basket: str | None = "basket",
    time_unit: TimeUnit = "s",
    items: str | Path | None = None,
    format: str | None = None,
    header: bool | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    repeats: Repeats = "keep",
    bad_rows: BadRows = "raise",
    negative: Iterable[str] = ("negative",),
) -> Dataset:
    """Read a file of interactions; see `palate.datasets.load` for the arguments and errors."""
    file = Path(path).expanduser()
    opened, _ = open_file(file, format=format, header=header, separator=separator, encoding=encoding)
    given = {"user": user, "item": item, "value": value, "time": time, "event": event, "basket": basket}
    headerless = isinstance(opened, Delimited) and not opened.has_header
    hint = isinstance(opened, Delimited) and opened.guessed_header
    chosen, notes = choose(
        given, opened.columns, source=file.name, headerless=headerless, guessed_header=hint
    )
    ids = [name for part in ("user", "item") if (name := chosen[part]) is not None]
    data = Interactions.from_table(
        opened.read([name for name in chosen.values() if name is not None], ids),  # no name: freed on the way
        user=str(chosen["user"]),
        item=str(chosen["item"]),
        value=chosen["value"],
        time=chosen["time"],
        event=chosen["event"],
        basket=chosen["basket"],
        time_unit=time_unit,
        negative_events=tuple(negative),
        bad_rows=bad_rows,
        repeats=repeats,
        source=file.name,
        first_line=opened.first_line,
    )
    notes = [*opened.notes, *notes]
    if data.dropped:
        notes.append(f"{data.dropped:,} bad rows left out")
    catalogue = None
    if items is not None:
        catalogue, more = load_items(items, item=item, like=data.items, encoding=encoding)
        notes.extend(more)
    name = file.name.removesuffix(".gz")
    return Dataset(Path(name).stem, data, catalogue, source=str(file), notes=tuple(notes))


def load_items(
    path: str | Path, *, item: str = "item", like: Vocabulary | None = None, encoding: str | None = None
) -> tuple[Catalogue, list[str]]:
    """Read a catalogue from a file, and say what was guessed.

    The key column is named like `item`, or goes by another name items have, or is `id`. Columns of genres, categories
    or tags become lists at `|`. Ids take the kind that `like` has, where they can.
    """
    file = Path(path).expanduser()
    opened, _ = open_file(file, encoding=encoding)
    known = [name for name in opened.columns if plain(name) in map(plain, ALIASES["item"])]
    if not known and item == "item":
        known = [name for name in opened.columns if plain(name) == "id"]
    key = item if item in opened.columns else known[0] if len(known) == 1 else "item"
    chosen, notes = choose({"item": key}, opened.columns, source=file.name)
    column = str(chosen["item"])
    frame = opened.read(None, (column,))
    lists = [name for name in frame.columns if plain(name) in _LISTS and frame[name].dtype == pl.String]
    frame = frame.with_columns(split_list(pl.col(name)).alias(name) for name in lists)
    if like is not None and frame.schema[column].is_integer() and like.is_text:
        frame = frame.with_columns(pl.col(column).cast(pl.String))
    elif like is not None and frame.schema[column] == pl.String and not like.is_text:
        numbers = frame[column].cast(pl.Int64, strict=False)
        if lost := numbers.null_count() - frame[column].null_count():
            notes.append(f"{lost:,} items whose id is no number left out of the catalogue")
        frame = frame.with_columns(numbers).filter(numbers.is_not_null())
    return Catalogue.from_table(frame, item=column, source=file.name), [*opened.notes, *notes]


def split_list(column: pl.Expr) -> pl.Expr:
    """Return a column of `a|b|c` as lists; nothing, and "(no genres listed)", give an empty one."""
    text = pl.when(column == "(no genres listed)").then(pl.lit("")).otherwise(column.fill_null(""))
    return pl.when(text == "").then(pl.lit([], dtype=pl.List(pl.String))).otherwise(text.str.split("|"))
