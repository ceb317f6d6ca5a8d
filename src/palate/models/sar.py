"""SAR, Smart Adaptive Recommendations: people who chose this also chose that, with memory that fades.

An item-based neighbourhood model (in the family of Sarwar et al., "Item-based collaborative filtering recommendation
algorithms", WWW 2001) as made known by Microsoft's recommenders library:

    affinity    a_ui = sum over u's events with i of value x min(1, 0.5^((time_now - time) / half_life))
    counts      c_ij = users who chose both i and j;  c_i = c_ii
    similarity  s_ij = one of seven functions of c_ij, c_i, c_j, see `similarity`
    score       y_uj = sum over i of a_ui s_ij

Learned are the counts alone, which are whole numbers: every similarity is derived from them when it is needed, a strip
at a time. So `update` and `forget` are exact, cost what the change costs, and a model takes 4 bytes x items^2; with
`neighbours`, 8 bytes x items x neighbours. Counting costs sum of (history length)^2 / 2 increments, scoring
history x items multiply-adds a user. Use it when you need a strong, fast, explainable model that takes new
users and events as they come; for the last bit of accuracy on a catalogue of some thousand items try EASE.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palate.errors import DataError, NotSupported
from palate.interactions import Histories, Interactions
from palate.models import incremental
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.models.itemitem import Affinity, ItemItem
from palate.models.memory import check_memory
from palate.models.search import Options
from palate.vocabulary import Codes

DAY = 86_400

Similarity = Literal[
    "cooccurrence", "jaccard", "lift", "cosine", "inclusion_index", "mutual_information",
    "lexicographers_mutual_information",
]  # fmt: skip
SIMILARITIES: tuple[Similarity, ...] = Similarity.__args__  # type: ignore[attr-defined]

_DENSE_BYTES = (
    2**30
)  # with `neighbours`, counts larger than this are made and pruned a block of rows at a time


@dataclass
class SARState:
    """What SAR learns."""

    time_now: int
    """seconds: ages are counted from here"""
    lowest: float
    """smallest and ..."""
    highest: float
    """... largest value of a train event: the scale of `normalise` and `rate`"""
    counts: NDArray[np.int32] | None = None
    """(items, items) users who chose both; None with `neighbours` unless they are kept"""
    neighbours: Codes | None = None
    """(items, 1 + neighbours) the item itself, then its most similar ones, -1 where there are fewer"""
    nearness: Floats | None = None
    """(items, 1 + neighbours) their similarity, falling"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        near, found = self.nearness, self.neighbours
        if near is None or found is None:
            return self.counts is not None and self.counts.shape == (n_items, n_items)
        inside = found.ndim == 2 and len(found) == n_items and found.min() >= -1 and found.max() < n_items
        return (
            inside
            and near.shape == found.shape
            and (self.counts is None or self.counts.shape == (n_items, n_items))
        )


class SAR(ItemItem):
    """Item-to-item co-occurrence with time decay: fast, explainable, exactly updatable."""

    name: ClassVar[str] = "sar"
    verbs: ClassVar[frozenset[str]] = frozenset(
        {"similar", "similar_users", "explain", "rate", "update", "forget"}
    )
    state_type: ClassVar[type] = SARState

    similarity: Annotated[Similarity, Options(SIMILARITIES)] = "jaccard"
    """from counts: cooccurrence c_ij; jaccard c_ij / (c_i + c_j - c_ij); lift c_ij / (c_i c_j); cosine
    c_ij / sqrt(c_i c_j); inclusion_index c_ij / min(c_i, c_j); mutual_information log2(users c_ij / (c_i c_j));
    lexicographers_mutual_information c_ij x that. 0 for a pair that never met"""
    half_life_days: Annotated[float | None, Options((None, 30.0, 90.0, 365.0))] = Field(
        None, gt=0, allow_inf_nan=False
    )
    """after so many days an event counts half; None: events do not fade"""
    time_now: int | None = None
    """seconds since 1970 from which ages are counted; later events count fully. None: the latest train event"""
    threshold: Annotated[int, Options((1, 2, 4))] = Field(1, ge=1)
    """pairs with fewer common users have similarity 0"""
    normalise: bool = False
    """rescale each user's scores to the range of the values (ratings 1 to 5, say); the order stays. Without effect
    where all values are the same"""
    neighbours: int | None = Field(None, ge=1)
    """keep this many most similar items an item, for large catalogues; None: all"""
    keep_counts: bool = False
    """with `neighbours`: keep all counts too, so that update and forget stay possible"""
    precision: Literal["float32", "float64"] = "float32"
    """of similarities and scores"""

    # --- learning -------------------------------------------------------------------------------------------

    def _fit(self, train: Interactions, pairs: Pairs) -> SARState:
        from palate.kernels.cooccurrence import count_pairs

        if self.half_life_days is not None and train.time is None:
            raise DataError(
                "sar: half_life_days needs a time of each interaction: name the time column, or leave it out."
            )
        n_items = train.n_items
        state = self._measured(train.histories())
        dense = self.neighbours is None or self.keep_counts
        if dense:
            check_memory("sar", n_items, 4, "set neighbours = 200")
        if dense or 4 * n_items**2 <= _DENSE_BYTES:
            state.counts = count_pairs(pairs.indptr, pairs.items, n_items)
        if self.neighbours is not None:
            state.neighbours, state.nearness = self._pruned(state.counts, pairs, n_items)
            if not self.keep_counts:
                state.counts = None
        return state

    def _measured(self, events: Histories) -> SARState:
        """Return a state that knows the time and the scale, and no counts yet."""
        liked = events.value >= 0
        now = self.time_now
        if now is None:
            now = 0 if events.time is None or not liked.any() else int(events.time[liked].max())
        values = events.value[liked]
        return SARState(now, float(values.min(initial=np.inf)), float(values.max(initial=-np.inf)))

    def _pruned(self, counts: NDArray[np.int32] | None, pairs: Pairs, n_items: int) -> tuple[Codes, Floats]:
        """Return each item's most similar ones, by similarity falling, then id rising."""
        from palate.kernels import cooccurrence, similarity

        k = min(self.neighbours or 0, n_items - 1)
        found, near = np.empty((n_items, k + 1), np.int32), np.empty((n_items, k + 1), self._dtype)
        every = np.arange(n_items, dtype=np.int32)
        have = cooccurrence.lists(pairs.indptr, pairs.items, n_items) if counts is None else None
        step = max(1, 2**21 // n_items)  # 8 MB of counts and as much of similarities: they stay in a cache
        for start in range(0, n_items, step):
            stop = min(start + step, n_items)
            if counts is not None:
                part, at, rows = counts, every[start:stop], every[start:stop]
            elif have is not None:
                part, at, rows = (
                    np.empty((stop - start, n_items), np.int32),
                    every[: stop - start],
                    have.by_rank[start:stop],
                )
                cooccurrence.count_rows(have, start, stop, part)
            similarity.nearest(self._similarities(part, at, rows, every), rows, near, found)
        return found, near

    # --- scoring --------------------------------------------------------------------------------------------

    @property
    def _dtype(self) -> type[np.floating]:
        return np.float64 if self.precision == "float64" else np.float32

    def _fading(self, events: Histories) -> NDArray[np.float64]:
        """Return what is left of each event, (events) in (0, 1]; 0 for a negative one."""
        if self.half_life_days is None or events.time is None:
            return (events.value >= 0).astype(np.float64)
        from palate.kernels import scores as kernel

        left = np.empty(len(events.value))
        kernel.fade(events.value, events.time, self.fitted.state.time_now, self.half_life_days * DAY, left)
        return left

    def _weights(self, events: Histories) -> NDArray[np.float64]:
        return self._fading(events) * events.value

    def _weights_of(self, events: Histories, second: NDArray[np.float64]) -> NDArray[np.float64]:
        return second * events.value  # the second weights are always what is left of each event

    def _similarities(self, counts: NDArray[np.int32], at: Codes, rows: Codes, columns: Codes) -> Floats:
        """Return the similarity of items `rows` and `columns`; the counts of `rows` stand in row `at` of `counts`."""
        from palate.kernels import similarity

        block = np.empty((len(rows), len(columns)), self._dtype)
        similarity.similarity_block(
            SIMILARITIES.index(self.similarity), counts, at, rows, columns, self.popularity, len(self.users),
            self.threshold, block,
        )  # fmt: skip
        return block

    def _block(self, rows: Codes, columns: Codes) -> Floats:
        state: SARState = self.fitted.state
        if state.neighbours is None or state.nearness is None:
            assert state.counts is not None
            return self._similarities(state.counts, rows, rows, columns)
        dense = np.zeros((len(rows), len(self.items) + 1), self._dtype)  # the last column takes the -1
        np.put_along_axis(dense, state.neighbours[rows], state.nearness[rows], axis=1)
        return dense[:, columns]

    def similarity_matrix(self) -> Floats:
        """Return all similarities, (items, items), in `precision`. Memory: 4 or 8 bytes x items^2."""
        every = np.arange(len(self.items), dtype=np.int32)
        return self._block(every, every)

    def _best(self, contexts: Contexts, k: int, exclude_seen: bool, columns: Codes) -> tuple[Codes, Floats]:
        if self.neighbours is not None:
            # Few terms a score: adding up the neighbours beats walking a matrix of zeros.
            return Recommender._best(self, contexts, k, exclude_seen, columns)
        if not self.normalise:
            return super()._best(contexts, k, exclude_seen, columns)
        if len(columns) < len(self.items):
            items, scores = super()._best(contexts, k, exclude_seen, columns)
            slope, offset = self._scale(contexts)
        else:
            fading = self._fading(contexts.events)
            items, scores, low, high = self._walk(contexts, k, exclude_seen, columns, fading)
            slope, offset = self._to_scale(low, high)
        return items, scores * slope[:, None] + offset[:, None]

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        scores = self._sums(self._affinity(contexts.events), columns)
        if self.normalise:
            slope, offset = self._scale(contexts)
            scores = (scores * slope[:, None] + offset[:, None]).astype(self._dtype)
        return scores

    def _sums(self, affinity: Affinity, columns: Codes) -> Floats:
        from palate.kernels import scores as kernel

        state: SARState = self.fitted.state
        if state.neighbours is None or state.nearness is None:
            return super()._sums(affinity, columns)
        scores = np.empty((len(affinity.indptr) - 1, len(self.items)), self._dtype)
        kernel.add_neighbours(
            affinity.indptr, affinity.item, affinity.weight, state.neighbours, state.nearness, scores
        )
        every = len(columns) == len(self.items) and (columns[:-1] < columns[1:]).all()
        return scores if every else scores[:, columns]

    def _scale(self, contexts: Contexts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return slope and offset (contexts) that map each user's possible scores to the range of the values.

        If every past value had been the lowest (highest), the scores would lie between the least (most) that
        its fading counts give, times that value: that range is mapped to lowest .. highest.
        """
        every = np.arange(len(self.items), dtype=np.int32)
        fading = self._fading(contexts.events)
        if self.neighbours is None:
            return self._to_scale(*self._walk(contexts, 1, False, every, fading)[2:])
        low, high = np.empty(len(contexts)), np.empty(len(contexts))
        step = max(1, 2**24 // len(every))
        for start in range(0, len(contexts), step):
            batch = contexts.select(np.arange(start, min(start + step, len(contexts))))
            affinity = self._affinity(batch.events, self._fading(batch.events))
            sums = self._sums(replace(affinity, weight=affinity.second), every)
            low[start : start + step], high[start : start + step] = sums.min(axis=1), sums.max(axis=1)
        return self._to_scale(low, high)

    def _to_scale(self, low: Floats, high: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        state: SARState = self.fitted.state
        if state.highest == state.lowest:
            return np.ones(len(low)), np.zeros(len(low))
        ends = np.array([[state.lowest], [state.highest]])
        # Where a similarity is below zero, the highest value may give the least.
        low, high = (low.astype(np.float64) * ends).min(axis=0), (high.astype(np.float64) * ends).max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        slope = (state.highest - state.lowest) / span
        return slope, state.lowest - low * slope

    # --- more verbs -----------------------------------------------------------------------------------------

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        items, terms, baseline = super()._explain(contexts, item)
        if self.normalise:
            slope, offset = self._scale(contexts)
            return items, terms * slope[0], float(offset[0])
        return items, terms, baseline

    def _rate(self, contexts: Contexts, place: Codes, items: Codes) -> NDArray[np.float64]:
        """Return the mean of the user's values, weighted by fading x |similarity| to the item (Sarwar et al. 2001).

        Where nothing in the history is similar to the item: the mean of the user's values.
        """
        state: SARState = self.fitted.state
        if state.lowest == state.highest:
            raise NotSupported(
                "sar cannot rate here: all values of train are the same, so there is no scale."
            )
        ratings = np.empty(len(place))
        order = np.argsort(place, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
            events = contexts.events.select(place[rows[:1]])
            fading = self._fading(events)
            wanted, at = np.unique(items[rows], return_inverse=True)
            near = np.abs(self._block(events.item, wanted)) * fading[:, None]  # (events, wanted)
            total = near.sum(axis=0, dtype=np.float64)
            liked = events.value >= 0
            fallback = (
                float(events.value[liked].mean(dtype=np.float64))
                if liked.any()
                else (state.lowest + state.highest) / 2
            )
            weighted = events.value.astype(np.float64) @ near
            ratings[rows] = np.divide(weighted, total, out=np.full(len(wanted), fallback), where=total > 0)[
                at
            ]
        return ratings

    def _similar_users(self, contexts: Contexts, k: int) -> tuple[Codes, Floats]:
        """Rank users by the dot product of affinities."""
        from palate.kernels import scores, similarity

        everyone = self._affinity(self.fitted.histories)
        columns = np.arange(len(self.users), dtype=np.int32)
        found = np.full((len(contexts), k), -1, np.int32)
        best = np.full((len(contexts), k), -np.inf)
        products = np.empty((1, len(self.users)))
        for n, user in enumerate(contexts.users):
            one = np.zeros(len(self.items))
            terms = slice(everyone.indptr[user], everyone.indptr[user + 1])
            one[everyone.item[terms]] = everyone.weight[terms]
            similarity.dot_users(everyone.indptr, everyone.item, everyone.weight, one, products[0])
            products[0, user] = -np.inf
            scores.top_k(products, columns, best[n : n + 1], found[n : n + 1])
        return found, best

    # --- exact changes --------------------------------------------------------------------------------------

    def _update(self, events: Interactions) -> None:
        before = self._updatable()
        change = incremental.extend(before, events)
        counts = _moved(before.state.counts, change.items, len(change.fitted.items))
        touched = np.unique(change.fitted.users.encode(events.users.ids))
        self._recount(counts, before, change, touched, +1)

    def _forget(self, user: int) -> None:
        before = self._updatable()
        change = incremental.remove(before, user)
        _, items = incremental.liked_pairs(before.histories.select(np.array([user])), len(before.items))
        counts = before.state.counts.copy()
        from palate.kernels import similarity

        similarity.add_user(counts, items, np.ones(len(items), bool), -1)
        self._settle(change, _moved(counts, change.items, len(change.fitted.items)))

    def _updatable(self) -> Any:
        if self.fitted.state.counts is None:
            raise NotSupported(
                f"sar with neighbours = {self.neighbours} kept no counts, so it cannot change exactly: "
                "fit with keep_counts = true, or fit again."
            )
        return self.fitted

    def _recount(
        self, counts: NDArray[np.int32], before: Any, change: incremental.Change, users: Codes, sign: int
    ) -> None:
        from palate.kernels import similarity

        came_from = np.full(len(change.fitted.users), -1, np.int32)
        came_from[change.users] = np.arange(len(change.users), dtype=np.int32)
        n_items = len(change.fitted.items)
        new_indptr, new_items = incremental.liked_pairs(change.fitted.histories.select(users), n_items)
        old_indptr, old_items = incremental.liked_pairs(
            before.histories.select(came_from[users]), len(before.items)
        )
        for n in range(len(users)):
            items = new_items[new_indptr[n] : new_indptr[n + 1]]
            had = change.items[old_items[old_indptr[n] : old_indptr[n + 1]]]
            similarity.add_user(counts, items, ~np.isin(items, had), sign)
        self._settle(change, counts)

    def _settle(self, change: incremental.Change, counts: NDArray[np.int32]) -> None:
        fitted = change.fitted
        fitted.state = self._measured(fitted.histories)
        fitted.state.counts = counts
        before, self._fitted = self._fitted, fitted
        if self.neighbours is not None:
            nothing = Pairs(np.zeros(1, np.int64), np.empty(0, np.int32))
            try:
                fitted.state.neighbours, fitted.state.nearness = self._pruned(
                    counts, nothing, len(fitted.items)
                )
            except BaseException:  # Ctrl-C, say: the model is as it was
                self._fitted = before
                raise


def _moved(counts: NDArray[np.int32], places: Codes, n_items: int) -> NDArray[np.int32]:
    """Return counts under new item codes: row and column i go to places[i], or go away where that is -1."""
    if len(counts) == n_items:
        return counts.copy()
    moved = np.zeros((n_items, n_items), np.int32)
    kept = np.flatnonzero(places >= 0)
    moved[np.ix_(places[kept], places[kept])] = counts[np.ix_(kept, kept)]
    return moved
