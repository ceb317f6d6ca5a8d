"""Which items are ranked: the whole catalogue, some items, or a list of candidates for each user.

Ranking a few sampled candidates is another task than ranking the catalogue: its figures depend on how many
are drawn and can even order models otherwise (Krichene, Rendle 2020). So it is asked for by name, and noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import PlanError, did_you_mean
from palate.evaluation.beyond import Pairs
from palate.evaluation.ranking import Codes, Floats
from palate.evaluation.task import Task
from palate.models.base import Recommender
from palate.vocabulary import Id, Vocabulary, as_ids

CandidatesLike = Literal["all", "given"] | Mapping[str, Any] | Iterable[Id]


@dataclass(frozen=True, eq=False)
class Candidates:
    """What may be recommended: `allowed` to everybody, or `of_user` to each."""

    allowed: NDArray[np.bool_] | None = None
    """(items) None: every item"""
    of_user: Pairs | None = None
    """(users) each user's candidates"""
    notes: tuple[str, ...] = ()

    def outside(self, users: NDArray[np.int64], seen: Pairs | None, n_items: int) -> NDArray[np.bool_]:
        """Return (users, items) what may not be recommended to each: no candidate, or `seen` by them."""
        shut = np.zeros((len(users), n_items), np.bool_)
        if self.allowed is not None:
            shut[:] = ~self.allowed
        if self.of_user is not None:
            mine = self.of_user.select(users)
            shut[:] = True
            shut[mine.user, mine.items] = False
        if seen is not None:
            shut[seen.user, seen.items] = True
        return shut


def resolve(candidates: CandidatesLike, model: Recommender, job: Task, *, exclude_seen: bool) -> Candidates:
    """Return the candidates that a caller describes, see `evaluate`. Raises PlanError."""
    if isinstance(candidates, str):
        if candidates == "given" and job.candidates is None:
            raise PlanError(
                "candidates = 'given': this split came with no lists. Give 'all', {sampled = n} or {file = path}."
            )
        if candidates == "given" and job.candidates is not None:
            pairs = job.candidates
            user, item = pairs.users.decode(pairs.user), pairs.items.decode(pairs.item)
            return _of_users(user, item, model, job, exclude_seen, "the split's candidates")
        if candidates != "all":
            raise PlanError(
                f"candidates = {candidates!r}: give 'all', item ids, {{sampled = n}}, {{file = path}} or 'given'."
            )
        return Candidates()
    if not isinstance(candidates, Mapping):
        return _listed(as_ids(candidates), model)
    known = ("sampled", "seed", "file")
    for key in candidates:
        if key not in known:
            raise PlanError(
                f"candidates: no key {key!r}.{did_you_mean(key, known)} Give sampled and seed, or file."
            )
    if "file" in candidates and "sampled" not in candidates:
        return _from_file(Path(candidates["file"]), model, job, exclude_seen)
    n, seed = candidates.get("sampled"), candidates.get("seed", 42)
    if "file" in candidates or not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise PlanError(
            f"candidates = {dict(candidates)}: give {{sampled = n}}, n from 1, or {{file = path}}."
        )
    return Candidates(
        of_user=sampled(job, n, int(seed)),
        notes=(
            f"Ranked among {n:,} sampled items a user, not the whole catalogue: no other figures compare.",
        ),
    )


def sampled(job: Task, n: int, seed: int) -> Pairs:
    """Return each user's relevant items and `n` others, drawn evenly from those the user has not taken.

    Taken is what stands in train, context, validation or test, shown or not. Without replacement. The draw depends on
    seed and place alone, so every model ranks the same candidates.
    """
    taken = job.taken
    n_items = taken.n_items
    rows = []
    for user in range(len(job)):
        relevant = job.relevant.items[job.relevant.indptr[user] : job.relevant.indptr[user + 1]]
        free = np.ones(n_items, bool)
        free[taken.items[taken.indptr[user] : taken.indptr[user + 1]]] = False
        others = np.flatnonzero(free)
        if len(others) > n:
            others = np.random.default_rng([seed, user]).choice(others, n, replace=False, shuffle=False)
        rows.append(np.sort(np.concatenate([others, relevant])).astype(np.int32))
    return _stacked(rows, n_items)


def best_of(scores: Floats, candidates: Pairs, k: int) -> Codes:
    """Return each user's k best candidates by `scores` (users, items), ties by item; then -1."""
    user, value = candidates.user, scores[candidates.user, candidates.items]
    order = np.lexsort((candidates.items, -value, user))
    order = order[value[order] > -np.inf]
    user = user[order]
    place = np.arange(len(user)) - np.searchsorted(user, user)
    top = np.full((len(candidates), k), -1, np.int32)
    first = place < k
    top[user[first], place[first]] = candidates.items[order[first]]
    return top


def _listed(ids: pl.Series, model: Recommender) -> Candidates:
    codes = model.items.encode(ids)
    known = codes[codes >= 0]
    if len(known) == 0:
        raise PlanError(
            f"candidates: the model knows none of the {len(ids):,} items. Are they ids of the same kind?"
        )
    allowed = np.zeros(len(model.items), bool)
    allowed[known] = True
    notes = [f"Ranked among {int(allowed.sum()):,} given items, not the whole catalogue."]
    if len(known) < len(codes):
        notes.append(f"{len(codes) - len(known):,} candidates are items that train lacks: left out.")
    return Candidates(allowed=allowed, notes=tuple(notes))


def _from_file(path: Path, model: Recommender, job: Task, exclude_seen: bool) -> Candidates:
    from palate.datasets import files, lines
    from palate.tables import require_column

    table = lines.read_lists(path) if lines.is_lists(path) else files.read(path).frame
    item = as_ids(require_column(table, "item", source=str(path), role="the candidates"))
    if "user" not in table.columns:
        return _listed(item, model)
    return _of_users(as_ids(table["user"]), item, model, job, exclude_seen, str(path))


def _of_users(
    user: pl.Series, item: pl.Series, model: Recommender, job: Task, exclude_seen: bool, source: str
) -> Candidates:
    """Return the candidates of each user from pairs of ids."""
    place, code, n_items = Vocabulary(job.users).encode(user), model.items.encode(item), len(model.items)
    known = (place >= 0) & (code >= 0)
    listed = np.unique(place[known].astype(np.int64) * n_items + code[known])
    keys = listed
    if exclude_seen:
        keys = np.setdiff1d(listed, job.seen.user * n_items + job.seen.items, assume_unique=True)
    if len(keys) == 0:
        raise PlanError(
            f"{source}: no candidate is left for any test user. Are the ids of the same kind as train's?"
        )
    owner, items = np.divmod(keys, n_items)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(job)))]).astype(np.int64)
    sizes = np.diff(indptr)
    notes = [
        f"Ranked among the given candidates of each user ({np.median(sizes[sizes > 0]):,.0f} in the median), not the "
        "whole catalogue: no other figures compare."
    ]
    if len(keys) < len(listed):
        notes.append(f"{len(listed) - len(keys):,} candidates stand in the user's history: left out.")
    unknown = int(((place >= 0) & (code < 0)).sum())
    if unknown:
        notes.append(f"{unknown:,} candidates are items that train lacks: left out.")
    if without := int((sizes == 0).sum()):
        notes.append(f"{without:,} test users have no candidate.")
    return Candidates(of_user=Pairs(indptr, items.astype(np.int32), n_items), notes=tuple(notes))


def _stacked(rows: list[NDArray[np.int32]], n_items: int) -> Pairs:
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Pairs(indptr, np.concatenate(rows), n_items)
