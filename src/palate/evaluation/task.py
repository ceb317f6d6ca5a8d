"""What a model is asked and what counts: the test users, what it is shown of each, and what is relevant.

All in the codes of the model. It is made of the split alone, so two models get the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce

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
    items: Vocabulary
    """of the model"""
    code: Codes
    """(users) the model's codes, -1 for users it does not know"""
    events: Histories | None
    """(users) what the model is shown of each; None: what it has of them from train"""
    context: Interactions | None
    """what is shown of new users, without items that the model lacks"""
    relevant: Relevant
    seen: Pairs
    """(users) what each has in train or was shown, negative events too"""
    past: Pairs
    """(users) the same without negative events"""
    train: Pairs
    """all of train without negative events, by train's users"""
    test: Interactions
    valid: Interactions | None
    """the validation part, shown or not"""
    candidates: Interactions | None
    """what the split lists for each user, where it came with lists"""
    truth: tuple[NDArray[np.int64], Codes]
    """relevant pairs: place of the user, and item in the model's codes (-1: unknown)"""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def taken(self) -> Pairs:
        """(users) every item that anybody knows a user to have met: in train, context, validation or test."""
        parts = [self.test] if self.valid is None else [self.valid, self.test]
        return _joined(self.seen, _of_users(parts, [_pairs(part, self.items) for part in parts], self.users))

    def batches(self, step: int) -> Iterator[NDArray[np.int64]]:
        """Yield places of users, `step` at a time."""
        for start in range(0, len(self), step):
            yield np.arange(start, min(start + step, len(self)))

    def lists(
        self,
        model: Recommender,
        rows: NDArray[np.int64],
        k: int,
        exclude_seen: bool,
        allowed: NDArray[np.bool_] | None,
    ) -> Codes:
        """Return the model's lists for a batch of users, (rows, k)."""
        return model.recommend_codes(*self._who(rows), k=k, exclude_seen=exclude_seen, allowed=allowed)[0]

    def scores(self, model: Recommender, rows: NDArray[np.int64]) -> Floats:
        """Return the model's scores of all its items for a batch of users, -inf for those it knows nothing of."""
        return np.asarray(model.score_codes(*self._who(rows)), np.float64)

    def _who(self, rows: NDArray[np.int64]) -> tuple[Codes, Histories | None]:
        return self.code[rows], None if self.events is None else self.events.select(rows)

    def ratable(self, model: Recommender) -> Ratable:
        """Return the test rows that the model can rate: of users of train, or with a context that it can read."""
        if not self.test.has_values:
            raise PlanError(
                "rmse, mae, r2 and explained_variance need values, and the data has no value column."
            )
        ids = self.test.users.ids
        known = model.users.encode(ids) >= 0
        shown = ~known & (self.context is not None)
        if self.context is not None:
            shown &= self.context.users.encode(ids) >= 0
        item = model.items.encode(self.test.items.ids)[self.test.item]
        good = (item >= 0) & (known | shown)[self.test.user]
        if self.test.negative is not None:
            good &= ~self.test.negative
        rows = np.flatnonzero(good)
        return Ratable(rows, known[self.test.user[rows]], item[rows])


def task(
    model: Recommender,
    split: Split | TrainTest,
    *,
    exclude_seen: bool,
    relevant_from: float | None,
    show_valid: bool | None = None,
) -> Task:
    """Make the task of a split's test part for a fitted model.

    Relevant are the distinct pairs of test rows that are no negative events and have at least the value
    `relevant_from`; with `exclude_seen`, pairs that the user has in train or was shown already leave. An item
    that the model lacks stays: as a miss. For `show_valid` see `shows_valid`.

    Raises: SplitError when nothing relevant is left.
    """
    train, test, valid, context = (
        (*split, None, None)
        if isinstance(split, tuple)
        else (split.train, split.test, split.valid, split.context)
    )
    later = valid if shows_valid(split, show_valid) else None
    place, of_test, notes = _relevant_pairs(test, relevant_from)
    item = model.items.encode(test.items.ids)[of_test]
    parts = [part for part in (train, context, later) if part is not None]
    pairs = [_pairs(part, model.items) for part in parts]
    likes = [
        found if part.negative is None else _pairs(part.positive(), model.items)
        for part, found in zip(parts, pairs, strict=True)
    ]
    theirs = _of_users(parts, pairs, test.users.ids)
    liked = (
        theirs if all(part.negative is None for part in parts) else _of_users(parts, likes, test.users.ids)
    )
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
    known = None if context is None else _readable(context, model.items)
    told = later is not None and not _learnt_both(model, split)
    events = _events(model, users, code, known, _readable(later, model.items) if told and later else None)
    if told:
        notes.append(
            "The models learnt from train alone, and were shown each user's validation rows as the end of the history."
        )
    strangers = int(((code < 0) & ((0 if events is None else events.lengths) == 0)).sum())
    if strangers:
        notes.append(f"{strangers:,} of {len(users):,} test users have no history that the model knows.")
    return Task(
        users=users,
        items=model.items,
        code=code,
        events=events,
        context=known,
        relevant=Relevant.of_pairs(place, item, len(users)),
        seen=theirs.select(kept),
        past=liked.select(kept),
        train=likes[0],
        test=test,
        valid=valid,
        candidates=None if isinstance(split, tuple) else split.candidates,
        truth=(place.astype(np.int64), item),
        notes=tuple(notes),
    )


def shows_valid(split: Split | TrainTest, wanted: bool | None = None) -> bool:
    """Return whether models are shown the validation rows of the test users, as a history, before the test.

    None: where each user's last row tests and the last but one validates. There the papers fit on train, and ask for
    the test with the validation row as the end of the history (Kang and McAuley 2018; Zhou and others 2020).
    """
    if isinstance(split, tuple) or split.valid is None:
        return False
    return split.protocol.method == "last-out" if wanted is None else wanted


def _learnt_both(model: Recommender, split: Split | TrainTest) -> bool:
    """Return whether the model was fitted on train and validation, and so has the validation rows already."""
    learnt = model.fitted.fingerprint
    if isinstance(split, tuple) or learnt == split.train.fingerprint:
        return False
    return learnt == split.train_and_valid().fingerprint


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


def _of_users(parts: list[Interactions], pairs: list[Pairs], users: pl.Series) -> Pairs:
    """Return the pairs of `users` (in their order) in all parts together."""
    theirs = [found.select(part.users.encode(users)) for part, found in zip(parts, pairs, strict=True)]
    return reduce(_joined, theirs)


def _joined(one: Pairs, other: Pairs) -> Pairs:
    keys = [pairs.user * pairs.n_items + pairs.items for pairs in (one, other)]
    both = np.sort(np.concatenate(keys), kind="stable")  # two sorted runs: a merge, far faster than np.unique
    user, item = np.divmod(both[np.diff(both, prepend=-1) > 0], one.n_items)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(one)))]).astype(np.int64)
    return Pairs(indptr, item.astype(np.int32), one.n_items)


def _readable(part: Interactions, items: Vocabulary) -> Interactions | None:
    """Return the rows of a part whose items the model knows."""
    known = items.encode(part.items.ids)[part.item] >= 0
    return part.select(known) if known.any() else None


def _events(
    model: Recommender,
    users: pl.Series,
    code: Codes,
    context: Interactions | None,
    later: Interactions | None,
) -> Histories | None:
    """Return what the model is shown of each user: train, and after it `later`; of a stranger the context."""
    told = []
    if context is not None:  # a user of train is asked for by name: the model has the history
        told.append((context, np.where(code >= 0, -1, context.users.encode(users))))
    if later is not None:
        theirs = later.users.encode(users)
        told.append((later, theirs if model.folds_in else np.where(code >= 0, theirs, -1)))
    if not told:
        return None
    parts = [model.fitted.histories.select(code)]
    parts += [from_histories(part, model.items).events.select(codes) for part, codes in told]
    user = np.concatenate([np.repeat(np.arange(len(users)), part.lengths) for part in parts])
    order = np.argsort(user, kind="stable")
    times = [part.time for part in parts if part.time is not None]
    return Histories(
        np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(users)))]).astype(np.int64),
        np.concatenate([part.item for part in parts])[order],
        np.concatenate([part.value for part in parts])[order],
        np.concatenate(times)[order] if len(times) == len(parts) else None,
    )
