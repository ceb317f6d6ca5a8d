"""A name or a path -> a data set."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from palate.columns import BadRows, TimeUnit
from palate.datasets import amazon, movielens, movietweetings, papers, retail
from palate.datasets.dataset import Dataset, DatasetInfo, Entry, Repeats
from palate.datasets.own import load_file, load_items
from palate.errors import DataError, did_you_mean, listing


@lru_cache(maxsize=1)
def _entries() -> dict[str, Entry]:
    modules = (retail, movietweetings, movielens, papers, amazon)
    return {entry.name: entry for module in modules for entry in module.entries()}


def names() -> list[DatasetInfo]:
    """Return every data set that has a name, the embedded ones first, and whether it is on this machine."""
    return [entry.info for entry in _entries().values()]


def load(
    name_or_path: str | Path,
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
    min_user: int = 0,
    min_item: int = 0,
    bad_rows: BadRows = "raise",
    negative: Iterable[str] = ("negative",),
    offline: bool = False,
    progress: bool | None = None,
) -> Dataset:
    """Load a data set by name, or a file of your own.

    `name_or_path` is a name of `names()`, a file, or a MovieLens folder or zip. A name goes before a file of
    that name (write `./retail` for the file).

    `user`, `item`, `value`, `time`, `event` and `basket` are columns of a file; None leaves an optional one
    out, of a named set too. A default that is not there is looked for under the usual other names (userId,
    rating, timestamp), and the notes say so. A file without header has columns user, item, value, time, or
    "1", "2" ... by position.

    `time_unit` is the unit of numeric times. `format`, `header`, `separator` and `encoding` say how to read a
    file; None looks. `items` is a file of items, its key column named like `item`; it becomes the catalogue.

    `repeats` says what a pair that occurs again does; `min_user` and `min_item` ask for the iterative k-core
    over distinct pairs; `bad_rows` raises, or drops and counts; `negative` names the event types that say
    "not this". `offline` never asks the network; `progress` shows a bar in downloads (None: on a terminal).

    Raises:
        DataError: a file that cannot be read, a column that is not there, bad rows, or nothing left.
        FetchError: a named set that is not on this machine and cannot be downloaded.

    >>> load("movietweetings-10k").interactions.n_users
    3794

    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise DataError(
            f"load takes a name or a file, not a {type(name_or_path).__name__}. For a table: "
            "palate.Interactions.from_table(table, user=..., item=...)."
        )
    negative = (negative,) if isinstance(negative, str) else tuple(negative)
    entry = _entries().get(str(name_or_path)) if isinstance(name_or_path, str) else None
    path = Path(name_or_path).expanduser()
    if entry is not None:
        dataset = entry.load(offline, progress)
    elif not path.exists() and _looks_like_name(name_or_path):
        hint = did_you_mean(str(name_or_path), _entries())
        raise DataError(
            f"There is no data set and no file '{name_or_path}'.{hint} See: palate data list, or give a path."
        )
    elif movielens.is_release(path):
        dataset = movielens.load(path)
    elif format is None and amazon.is_reviews(path):
        dataset = amazon.load_reviews(path, meta=items, bad_rows=bad_rows)
        items = None
    else:
        dataset = load_file(
            path,
            user=user,
            item=item,
            value=value,
            time=time,
            event=event,
            basket=basket,
            time_unit=time_unit,
            items=items,
            format=format,
            header=header,
            separator=separator,
            encoding=encoding,
            bad_rows=bad_rows,
            negative=negative,
        )
        items = None
    if items is not None:
        dataset = _with_items(dataset, items, item)
    dataset = _without(dataset, {"value": value, "time": time, "event": event, "basket": basket})
    if negative != ("negative",):
        dataset = _with_negative(dataset, negative)
    return dataset.prepared(repeats=repeats, min_user=min_user, min_item=min_item)


def _without(dataset: Dataset, columns: dict[str, str | None]) -> Dataset:
    """Forget the columns that are None; a file was read without them, a named set brings all it has."""
    data = dataset.interactions
    if columns["value"] is None and data.has_values:
        data = replace(data, value=np.ones_like(data.value), has_values=False)
    if columns["time"] is None and data.time is not None:
        data = replace(data, time=None)
    if columns["event"] is None and data.event is not None:
        data = replace(data, event=None)
    if columns["basket"] is None and data.basket is not None:
        data = replace(data, basket=None)
    return dataset if data is dataset.interactions else replace(dataset, interactions=data)


def _with_negative(dataset: Dataset, names: tuple[str, ...]) -> Dataset:
    """Name the event types that say "not this". Raises DataError where the data has no types of events."""
    data = dataset.interactions
    if data.event is None and names:
        raise DataError(
            f"{dataset.name}: negative = {listing(names)} names types of events, and the data has none: "
            "name their column with event (--event)."
        )
    if data.negative_events == names:
        return dataset
    return replace(dataset, interactions=replace(data, negative_events=names))


def _with_items(dataset: Dataset, items: str | Path, item: str) -> Dataset:
    catalogue, notes = load_items(items, item=item, like=dataset.interactions.items)
    return replace(dataset, catalogue=catalogue, notes=(*dataset.notes, *notes))


def _looks_like_name(name_or_path: str | Path) -> bool:
    """Whether a text that is no file was more likely meant as a name: no folder, no file ending."""
    text = str(name_or_path)
    return isinstance(name_or_path, str) and not any(sign in text for sign in "/\\.")
