"""What a model is asked and what counts: the test users, what it may know of each, and what is relevant.

All in the codes of the model. It is made of the split alone, so two models get the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import PlanError, SplitError
from palate.evaluation.beyond import Pairs
from palate.evaluation.ranking import Codes, Floats, Relevant
from palate.interactions import Histories, Interactions
from palate.kernels.ranking import frozen, members
from palate.models.base import Recommender
from palate.models.contexts import from_histories
from palate.split import Split
from palate.vocabulary import Vocabulary

TrainTest = tuple[Interactions, Interactions]


@dataclass(frozen=True, eq=False)
class Ratable:
    """Rows of the test part that a model can rate."""

    rows: NDArray[np.int64]
    """places in the test part"""
    known: NDArray[np.bool_]
    """(rows) whether train has the user; the others have a context"""
    item: Codes
    """(rows) the model's codes"""


@dataclass(frozen=True, eq=False)
class Task:
    """The test users (ascending ids), what the model may know of them, and their relevant items."""

    users: pl.Series
    """(users) ids"""
    code: Codes
    """(users) the model's codes, -1 for users it does not know"""
    shown: Interactions | None
    """context of new users, without items that the model lacks"""
    shown_code: Codes
    """(users) codes into `shown`, -1 for none"""
    histories: Histories | None
    """events of `shown`, by its users, in the model's item codes"""
    relevant: Relevant
    seen: Pairs
    """(users) what train or the context holds of each user, negative events too"""
    past: Pairs
    """(users) the same without negative events"""
    train: Pairs
    """all of train without negative events, by train's users"""
    test: Interactions
    truth: tuple[NDArray[np.int64], Codes]
    """relevant pairs: place of the user, and item in the model's codes (-1: unknown)"""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.users)

    def batches(self, step: int) -> Iterator[NDArray[np.int64]]:
        """Yield places of users, `step` at a time: those with a context apart from the others."""
        for group in (np.flatnonzero(self.shown_code < 0), np.flatnonzero(self.shown_code >= 0)):
            for start in range(0, len(group), step):
                yield group[start : start + step]

    def lists(
        self,
        model: Recommender,
        rows: NDArray[np.int64],
        k: int,
        exclude_seen: bool,
        allowed: NDArray[np.bool_] | None,
    ) -> Codes:
        """Return the model's lists for a batch of users, (rows, k)."""
        if self.histories is not None and self.shown_code[rows[0]] >= 0:
            events = self.histories.select(self.shown_code[rows])
            return model.recommend_codes(histories=events, k=k, exclude_seen=exclude_seen, allowed=allowed)[0]
        return model.recommend_codes(self.code[rows], k=k, exclude_seen=exclude_seen, allowed=allowed)[0]

    def scores(self, model: Recommender, rows: NDArray[np.int64]) -> Floats:
        """Return the model's scores of all its items for a batch of users, -inf for unknown users."""
        scores = np.full((len(rows), len(model.items)), -np.inf)
        if self.shown is not None and self.shown_code[rows[0]] >= 0:
            asked = self.shown.select(np.isin(self.shown.user, self.shown_code[rows]))
            scores[:] = model.score(histories=asked)
            return scores
        known = (self.code[rows] >= 0) | (not model.learns_from_history)
        if known.any():
            scores[known] = model.score(users=self.users.gather(rows[known]))
        return scores

    def ratable(self, model: Recommender) -> Ratable:
        """Return the test rows that the model can rate: of users of train, or with a context that it can read."""
        if not self.test.has_values:
            raise PlanError(
                "rmse, mae, r2 and explained_variance need values, and the data has no value column."
            )
        ids = self.test.users.ids
        known = model.users.encode(ids) >= 0
        shown = ~known & (self.shown is not None)
        if self.shown is not None:
            shown &= self.shown.users.encode(ids) >= 0
        item = model.items.encode(self.test.items.ids)[self.test.item]
        good = (item >= 0) & (known | shown)[self.test.user]
        if self.test.negative is not None:
            good &= ~self.test.negative
        rows = np.flatnonzero(good)
        return Ratable(rows, known[self.test.user[rows]], item[rows])


def task(
    model: Recommender, split: Split | TrainTest, *, exclude_seen: bool, relevant_from: float | None
) -> Task:
    """Make the task of a split's test part for a fitted model.

    Relevant are the distinct pairs of test rows that are no negative events and have at least the value
    `relevant_from`; with `exclude_seen`, pairs that the user has in train or context already leave. An item
    that the model lacks stays: as a miss.

    Raises: SplitError when nothing relevant is left.
    """
    train, test, context = (
        (*split, None) if isinstance(split, tuple) else (split.train, split.test, split.context)
    )
    place, of_test, notes = _relevant_pairs(test, relevant_from)
    item = model.items.encode(test.items.ids)[of_test]
    theirs = _of_users([train, context], model, test.users, liked=False)
    liked = _of_users([train, context], model, test.users, liked=True)
    if exclude_seen:
        seen = np.asarray(
            members(
                frozen(theirs.indptr, np.int64),
                frozen(theirs.items, np.int32),
                frozen(place, np.int64),
                frozen(item, np.int32),
            )
        )
        if seen.any():
            notes.append(
                f"{int(seen.sum()):,} relevant pairs stand in the user's history: they left the truth."
            )
        place, item = place[~seen], item[~seen]
    if len(place) == 0:
        raise SplitError(
            "every relevant test row is in the user's history already. Try exclude_seen = false."
        )
    kept, place = np.unique(place, return_inverse=True)
    if len(kept) < test.n_users:
        notes.append(f"{test.n_users - len(kept):,} of {test.n_users:,} test users have nothing relevant.")
    unknown = int((item < 0).sum())
    if unknown:
        notes.append(f"{unknown:,} of {len(item):,} relevant pairs have an item that train lacks: misses.")
    users = test.users.ids.gather(kept)
    code = model.users.encode(users)
    shown, shown_code, histories = _shown(context, model, users, code)
    strangers = int(((code < 0) & (shown_code < 0)).sum())
    if strangers:
        notes.append(f"{strangers:,} of {len(users):,} test users have no history that the model knows.")
    return Task(
        users=users,
        code=code,
        shown=shown,
        shown_code=shown_code,
        histories=histories,
        relevant=Relevant.of_pairs(place, item, len(users)),
        seen=theirs.select(kept),
        past=liked.select(kept),
        train=_pairs(train.positive(), model.items),
        test=test,
        truth=(place.astype(np.int64), item),
        notes=tuple(notes),
    )


def _relevant_pairs(
    test: Interactions, relevant_from: float | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Return the distinct relevant pairs of test, in its own codes, by user and then item."""
    good = np.ones(len(test), bool) if test.negative is None else ~test.negative
    if relevant_from is not None:
        good &= test.value >= relevant_from
    if not good.any():
        span = f"values run from {test.value.min():g} to {test.value.max():g}"
        raise SplitError(
            f"no test row is relevant of {len(test):,} (relevant_from = {relevant_from}, {span}): lower it."
        )
    left = len(test) - int(good.sum())
    notes = (
        [f"{left:,} of {len(test):,} test rows are negative or below relevant_from: not relevant."]
        if left
        else []
    )
    pairs = np.unique(test.user[good].astype(np.int64) * test.n_items + test.item[good])
    return *np.divmod(pairs, test.n_items), notes


def _pairs(data: Interactions, items: Vocabulary) -> Pairs:
    """Return the distinct pairs of `data`, by its own users, in codes of `items`, which may lack some."""
    indptr, codes = data.pairs()
    if data.items == items:
        return Pairs(indptr, codes, len(items))
    codes = items.encode(data.items.ids)[codes]  # both vocabularies are sorted: rows keep ascending
    known = codes >= 0
    kept = np.concatenate([[0], np.cumsum(known)])[indptr].astype(np.int64)
    return Pairs(kept, codes[known], len(items))


def _of_users(
    parts: list[Interactions | None], model: Recommender, users: Vocabulary, *, liked: bool
) -> Pairs:
    """Return the pairs of `users` (in their order) in all parts together."""
    found: Pairs | None = None
    for data in parts:
        if data is None:
            continue
        pairs = _pairs(data.positive() if liked else data, model.items)
        pairs = pairs.select(data.users.encode(users.ids))
        found = pairs if found is None else _joined(found, pairs)
    assert found is not None
    return found


def _joined(one: Pairs, other: Pairs) -> Pairs:
    keys = [pairs.user * pairs.n_items + pairs.items for pairs in (one, other)]
    user, item = np.divmod(np.unique(np.concatenate(keys)), one.n_items)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(one)))]).astype(np.int64)
    return Pairs(indptr, item.astype(np.int32), one.n_items)


def _shown(
    context: Interactions | None, model: Recommender, users: pl.Series, code: Codes
) -> tuple[Interactions | None, Codes, Histories | None]:
    """Return the part of the context that the model can read, the users' codes into it, and its events."""
    nobody = np.full(len(users), -1, np.int32)
    if context is None:
        return None, nobody, None
    known = model.items.encode(context.items.ids)[context.item] >= 0
    if not known.any():
        return None, nobody, None
    shown = context.select(known)
    # A user of train is asked for by name: the model has the history.
    shown_code = np.where(code >= 0, -1, shown.users.encode(users)).astype(np.int32)
    return shown, shown_code, from_histories(shown, model.items).events
