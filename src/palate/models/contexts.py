"""Contexts: who is asked for, as train users or as histories alone, in the codes of a fitted model."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, PalateWarning, UnknownId, listing
from palate.interactions import Histories, Interactions
from palate.vocabulary import Codes, Id, Vocabulary, as_ids

HistoriesLike = Interactions | Mapping[Any, Sequence[Id]] | Sequence[Sequence[Id]]


@dataclass(frozen=True)
class Contexts:
    """What a model scores for: one context is one user, or one history without a user."""

    labels: pl.Series
    """(contexts) what the `user` column of an answer holds: user ids, or the keys or places of histories"""
    users: Codes
    """(contexts) train codes, -1 for a history without a known user"""
    events: Histories
    """(contexts) events in train item codes; negative ones have a value below zero"""
    rated: bool = True
    """whether the values were told; else each is 1"""

    def __len__(self) -> int:
        return len(self.users)

    def select(self, rows: NDArray[Any]) -> Contexts:
        """Return some contexts, by mask or place."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        if len(places) == len(self) and (places == np.arange(len(self))).all():
            return self
        return Contexts(
            self.labels.gather(places), self.users[places], self.events.select(places), self.rated
        )


def signed_histories(data: Interactions) -> Histories:
    """Return the histories of `data` with the value of every negative event below zero, however it was told."""
    value = data.signed_value()
    return data.histories() if value is data.value else replace(data, value=value).histories()


def from_users(users: Iterable[Id] | None, known: Vocabulary, histories: Histories) -> Contexts:
    """Return train users as contexts (None: all); a user that train lacks has code -1 and no events."""
    if users is None:
        return Contexts(known.ids, np.arange(len(known), dtype=np.int32), histories)
    ids = as_ids(users)
    codes = known.encode(ids)
    return Contexts(ids, codes, histories.select(codes))


def from_histories(
    histories: HistoriesLike | object, items: Vocabulary, negative_events: tuple[str, ...] = ("negative",)
) -> Contexts:
    """Return histories as contexts. Items that train lacks are left out, with a warning.

    Args:
        histories: interactions or a table of them (user, item, and value and time where they are known); a mapping from
            label to item ids; or a list of lists of item ids, oldest first. A mapping from item id to rating in
            place of a list says how each was rated.
        items: the items of train.
        negative_events: event types of a table that say "not this".

    """
    if _is_table(histories):
        histories = Interactions.from_table(histories, source="histories", negative_events=negative_events)
    if isinstance(histories, Interactions):
        labels, events, theirs = histories.users.ids, signed_histories(histories), histories.items
        codes, rated = items.encode(theirs.ids)[events.item], histories.has_values
    else:
        given: Any = histories
        if isinstance(given, Mapping):
            labels, lists = as_ids(list(given)), list(given.values())
        else:
            labels, lists = pl.Series(np.arange(len(given))), list(given)
        rated = any(isinstance(one, Mapping) for one in lists)
        if not all(isinstance(one, Mapping) == rated for one in lists):
            raise DataError(
                "some histories are {item: rating} and some are lists of items: give all with ratings, or none."
            )
        if any(
            isinstance(items_of_one, str) or not isinstance(items_of_one, Iterable) for items_of_one in lists
        ):
            raise DataError(
                f"histories are lists of item ids, one list a context; given {listing(lists, limit=2)}. "
                "For one history, give [[...]]."
            )
        told = [float(rating) for one in lists for rating in one.values()] if rated else None
        lists = [list(one) for one in lists]
        codes = items.encode([id for one in lists for id in one])
        indptr = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
        value = np.ones(len(codes), np.float32) if told is None else np.array(told, np.float32)
        if not np.isfinite(value).all():
            raise DataError("a rating of a history is no finite number.")
        events = Histories(indptr, codes, value, None)
    known = codes >= 0
    if not known.all():
        warnings.warn(
            f"{int((~known).sum()):,} of {len(codes):,} history events have items that train lacks; they are left out.",
            PalateWarning,
            stacklevel=3,
        )
    kept = np.concatenate([[0], np.cumsum(known)])[events.indptr].astype(np.int64)
    events = Histories(
        kept, codes[known], events.value[known], None if events.time is None else events.time[known]
    )
    return Contexts(labels, np.full(len(labels), -1, np.int32), events, rated)


def _is_table(histories: object) -> bool:
    """Whether it is a table: also a dict of columns, or a list of rows, where they name user and item."""
    if isinstance(histories, Mapping):
        return {"user", "item"} <= set(histories)
    if isinstance(histories, (list, tuple)):
        rows = [row for row in histories if isinstance(row, Mapping)]
        return len(rows) == len(histories) > 0 and all({"user", "item"} <= set(row) for row in rows)
    return not isinstance(histories, Interactions)


def refuse(contexts: Contexts, without: NDArray[np.bool_], *, folds_in: bool, told: bool = False) -> None:
    """Raise UnknownId for contexts a model knows nothing of, saying what can be done.

    folds_in: whether the model goes by a history alone. told: whether histories were asked for, not users.
    """
    ids = contexts.labels.filter(pl.Series(without))
    who = [f"history {label}" for label in ids] if told else ids
    do = (
        "Give a history with an item of train, or ask"
        if folds_in
        else "This model knows users of train only: ask"
    )
    raise UnknownId(
        f"nothing is known of {len(ids):,} of {len(contexts):,} asked for ({listing(who)}): not in train, or no "
        f'known item in the history. {do} for unknown = "popular" or "skip" (--unknown).'
    )
