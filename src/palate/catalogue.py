"""The items: names, attributes and text, one row each; filters over them; safe files.

A catalogue may know items that nobody has touched and lack items that somebody has: it never decides what a
model can recommend, it only names, describes and filters.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.atomic import whole
from palate.errors import DataError, listing
from palate.tables import require_column, to_frame
from palate.vocabulary import Vocabulary, as_ids
from palate.where import expression

_NAME_COLUMNS = ("name", "title", "description")
_METADATA = "palate.catalogue"


class Catalogue:
    """A table of items, immutable: column `item` (Int64 or String, unique), then whatever is known of each.

    `table` is the whole table, `item` first; `name` the column that holds the display name, or None; `text`
    the columns that hold longer text, for models that read.
    """

    __slots__ = ("name", "table", "text")
    table: pl.DataFrame
    name: str | None
    text: tuple[str, ...]

    def __init__(self, table: pl.DataFrame, *, name: str | None = None, text: Sequence[str] = ()) -> None:
        """Take a frame that is already in order; `from_table` checks and names what comes from outside."""
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "text", tuple(text))

    def __setattr__(self, attribute: str, value: object) -> None:
        raise AttributeError(f"A catalogue is immutable; '{attribute}' cannot be set.")

    def __reduce__(self) -> tuple[object, ...]:
        # another process makes it anew: setting attributes one by one is what `__setattr__` forbids
        return partial(type(self), name=self.name, text=self.text), (self.table,)

    def __len__(self) -> int:
        return self.table.height

    def __repr__(self) -> str:
        attributes = listing(self.table.columns[1:], limit=8)
        return f"Catalogue({len(self):,} items; {attributes or 'no attributes'})"

    @classmethod
    def from_table(
        cls,
        table: object,
        *,
        item: str = "item",
        name: str | None = None,
        text: Sequence[str] = (),
        source: str = "table",
    ) -> Catalogue:
        """Make a catalogue of any table that `palate.tables.to_frame` takes.

        `item` is the key column, `name` the display name (None: the first of name, title, description that is
        there), `text` the columns of longer text. `source` names the table in messages.
        Raises DataError for a column that is not there, a key without value, or one that stands twice.
        """
        frame = to_frame(table, source=source)
        for column, role in ((item, "item"), (name, "name"), *((one, "text") for one in text)):
            if column is not None:
                require_column(frame, column, source=source, role=role)
        key = _key(frame[item], item, source)
        if item != "item" and "item" in frame.columns:
            frame = frame.drop("item")
        frame = frame.with_columns(key.alias(item)).rename({item: "item"}).select("item", pl.exclude("item"))
        if name == item:
            name = "item"
        if name is None:
            by_lower = {column.lower(): column for column in reversed(frame.columns[1:])}
            name = next((by_lower[known] for known in _NAME_COLUMNS if known in by_lower), None)
        return cls(frame, name=name, text=text)

    def reading(self, *text: str) -> Catalogue:
        """Return the same items with other columns of longer text; without a name the first of them is it, too.

        Raises DataError for a column that is not there.
        """
        for column in text:
            require_column(self.table, column, source="the catalogue", role="text")
        return Catalogue(self.table, name=self.name or next(iter(text), None), text=text)

    def names(self, ids: pl.Series | Iterable[int | str]) -> list[str]:
        """Return the display name of each id, in the order given; the id as text where there is none."""
        asked = ids if isinstance(ids, pl.Series) else pl.Series("item", list(ids), strict=False)
        plain = [str(one) for one in asked.to_list()]
        if self.name is None or not self._same_kind(asked.dtype):
            return plain
        known = self.table.select("item", pl.col(self.name).cast(pl.String).alias("name"))
        asked = asked.alias("item").cast(self.table["item"].dtype)
        found = asked.to_frame().join(known, on="item", how="left", maintain_order="left")["name"].to_list()
        return [name or one for name, one in zip(found, plain, strict=True)]

    def matching(self, where: str, items: Vocabulary) -> NDArray[np.bool_]:
        """Return which of `items` the filter admits: bool [len(items)].

        Items that the catalogue lacks do not match. The language of `where` is described in `palate.where`.
        Raises PlanError when it does not read.
        """
        kept = self.table.filter(expression(where, self.table.schema))["item"]
        mask = np.zeros(len(items), dtype=np.bool_)
        codes = np.asarray(items.encode(kept))
        mask[codes[codes >= 0]] = True
        return mask

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one Parquet file, whole or not at all; name and text columns go into its metadata."""
        roles = json.dumps({"name": self.name, "text": self.text})
        with whole(path) as temporary:
            self.table.write_parquet(temporary, metadata={_METADATA: roles})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Catalogue:
        """Read what `save` wrote. Raises DataError when the file is missing, torn or no catalogue."""
        try:
            table = pl.read_parquet(Path(path))
            roles = json.loads(pl.read_parquet_metadata(Path(path)).get(_METADATA, "{}"))
        except FileNotFoundError:
            raise DataError(f"There is no catalogue at {path}.") from None
        except (OSError, pl.exceptions.PolarsError, ValueError) as error:
            raise DataError(f"{Path(path).name} is no catalogue that can be read; save it again.") from error
        if not table.columns or table.columns[0] != "item":
            raise DataError(f"{Path(path).name} is no catalogue: its first column must be 'item'.")
        return cls(table, name=roles.get("name"), text=roles.get("text", ()))

    def _same_kind(self, dtype: pl.DataType) -> bool:
        return dtype.is_integer() == self.table["item"].dtype.is_integer()


def _key(column: pl.Series, name: str, source: str) -> pl.Series:
    """Return the key column as ids after checking that every row has its own."""
    try:
        key = as_ids(column)
    except DataError as error:
        raise DataError(f"{source}: column {name!r}: {error}") from error
    missing = (key.is_null() | (key.cast(pl.String) == "").fill_null(True)).arg_true()
    if len(missing):
        raise DataError(
            f"{source}: {len(missing)} rows have no item in column {name!r} (rows {listing(missing + 1)})."
        )
    twice = key.is_first_distinct().not_().arg_true()
    if len(twice):
        again = key.gather(twice).unique(maintain_order=True)
        raise DataError(
            f"{source}: column {name!r} must name each item once, and {len(twice)} rows repeat one"
            f" (rows {listing(twice + 1)}: {listing(again)})."
        )
    return key
