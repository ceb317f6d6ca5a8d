"""Recommender: the verbs that every model has, and the border between ids and codes.

A model writes the mathematics (`algorithm.Algorithm`); here stands, once for all of them, what turns it into
answers: who is asked for, which items may be listed, what is unknown, and tables with the caller's ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.catalogue import Catalogue
from palate.datasets.dataset import Dataset
from palate.datasets.newsdata import NewsDataset
from palate.errors import (
    DataError,
    PlanError,
    UnknownId,
    did_you_mean,
    listing,
)
from palate.interactions import Histories, Interactions
from palate.models import answers, checks, impressed, saved
from palate.models.algorithm import Algorithm, Fitted, Floats, Pairs
from palate.models.answers import Explanation
from palate.models.contexts import (
    Contexts,
    HistoriesLike,
    from_histories,
    from_users,
    refuse,
    signed_histories,
)
from palate.models.dense import best_of_all, of_pairs
from palate.models.exported import Exported
from palate.news import Impressions
from palate.vocabulary import Codes, Id, Vocabulary, as_ids

Unknown = Literal["raise", "skip", "popular"]
UNKNOWN: tuple[Unknown, ...] = Unknown.__args__  # type: ignore[attr-defined]


class Recommender(Algorithm):
    """A model that scores items in a context.

    Public arguments and answers are in the caller's ids; `recommend_codes` is the same in codes, for evaluation.
    """

    # --- fit, update, forget --------------------------------------------------------------------------------

    def fit(
        self,
        train: Interactions | object,
        *,
        valid: Interactions | object | None = None,
        catalogue: Catalogue | None = None,
    ) -> Self:
        """Learn from interactions, from nothing: what was fitted before is forgotten.

        Args:
            train: decides which users and items the model knows. Interactions; or a data set that `palate.load` gave;
                or impressions, whose histories and clicks it takes; or a table with the columns user, item and, where
                there are any, value, time, event.
            valid: held-out rows for models that stop early, as train; others leave it unread.
            catalogue: names and attributes of items, for `where` filters and for people.

        """
        if isinstance(train, Dataset):
            catalogue = catalogue or train.catalogue
            train = train.interactions
        if isinstance(train, NewsDataset):
            catalogue, train = catalogue or train.articles, train.train
        if isinstance(train, Impressions):
            train = train.interactions()
        if not isinstance(train, Interactions):
            train = Interactions.from_table(train, source="train")
        if catalogue is not None:
            checks.check_catalogue(catalogue, train.items)
        if valid is not None and not isinstance(valid, Interactions):
            valid = Interactions.from_table(valid, source="valid", negative_events=train.negative_events)
        positive = checks.likes(self, train)
        pairs = Pairs(*positive.pairs())
        popularity = np.bincount(pairs.items, minlength=train.n_items).astype(np.int64)
        self._fitted = Fitted(
            users=train.users,
            items=train.items,
            histories=signed_histories(train),
            popularity=popularity,
            catalogue=catalogue,
            fingerprint=train.fingerprint,
            negative_events=train.negative_events,
            state=None,
        )
        if valid is not None and (valid.has_values or not self.rated):
            valid = valid.positive()
            self._valid = valid if len(valid) else None
        try:
            self._fitted.state = self._fit(positive, pairs)
        except BaseException:
            self._fitted = None
            raise
        finally:
            self._valid = None
        return self

    def update(self, events: Interactions | object) -> Self:
        """Learn from more events, exactly as if they had stood at the end of train. New users and items are welcome.

        Args:
            events: interactions, or a table of them: user, item and, as train had them, value, time, event.

        """
        self._need("update")
        if not isinstance(events, Interactions):
            negative = self.fitted.negative_events
            events = Interactions.from_table(events, source="events", negative_events=negative)
        self._update(events)
        return self

    def forget(self, user: Id) -> Self:
        """Take a user's events out, exactly as if they had never been in train; items only they had go too."""
        self._need("forget")
        code = self.users.code(user)
        if code < 0:
            raise UnknownId(
                f"there is no user {user!r} to forget; the model knows {len(self.users):,} {self.users.kind} ids."
            )
        self._forget(code)
        return self

    def export(self, path: str | Path) -> Exported:
        """Write the fitted network as ONNX, with what its codes mean beside it; returns the files.

        What goes in and comes out is told by each model that has a network to write.
        """
        self._need("export")
        raise NotImplementedError

    # --- recommend, rank, score -----------------------------------------------------------------------------

    def recommend(
        self,
        *,
        users: Iterable[Id] | None = None,
        histories: HistoriesLike | object | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: Iterable[Id] | None = None,
        where: str | None = None,
        unknown: Unknown = "raise",
    ) -> pl.DataFrame:
        """Return the best k items for each user or history.

        Args:
            users: ids of train users; with neither users nor histories, all of them.
            histories: for people that train lacks, see `models.contexts.from_histories`.
            k: items a list; fewer where fewer are left.
            exclude_seen: leave out what stands in the user's own history.
            candidates: only these items.
            where: only items of the catalogue that match, as in `genres has Comedy and year >= 1990`.
            unknown: for users train lacks and for empty histories, `raise`, `skip` them, or give the `popular` items.

        Returns:
            user, item, score, rank (from 1); contexts in the order asked for. Ties: the smaller item id first.

        """
        checks.check_k(k)
        if unknown not in UNKNOWN:
            hint = did_you_mean(unknown, UNKNOWN)
            raise PlanError(f"unknown = {unknown!r}: give one of {', '.join(UNKNOWN)}.{hint}")
        contexts = self._contexts(users, histories, strangers=unknown != "raise")
        allowed = self._allowed(candidates, where)
        known = self._has_likes(contexts) & (self.folds_in | (contexts.users >= 0))
        if histories is None and (unknown != "popular" or self.needs_text):
            known &= contexts.users >= 0  # also for a model that would answer anybody
        if unknown == "raise" and not known.all():
            refuse(contexts, ~known, folds_in=self.folds_in, told=histories is not None)
        if unknown == "skip":
            contexts, known = contexts.select(known), known[known]
        k = min(k, len(self.items))
        items = np.full((len(contexts), k), -1, np.int32)
        scores = np.full((len(contexts), k), -np.inf)
        if known.any():
            items[known], scores[known] = self._top(contexts.select(known), k, exclude_seen, allowed)
        if not known.all():
            strangers = contexts.select(~known)
            items[~known], scores[~known] = self._most_popular(strangers, k, exclude_seen, allowed)
        return answers.lists(contexts.labels, self.items, items, scores, ("user", "item"))

    def recommend_codes(
        self,
        users: Codes | None = None,
        histories: Histories | None = None,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        allowed: NDArray[np.bool_] | None = None,
    ) -> tuple[Codes, Floats]:
        """Return the best k items in codes, for train users (-1: an empty list) or histories in train's item codes.

        Args:
            users: (n) codes. histories: n of them, instead; or as well: what these users did, told anew.
            k: items a list.
            exclude_seen: leave out what stands in the history. allowed: (items) which items may be listed.

        Returns:
            items (n, k) padded with -1, and scores (n, k) padded with -inf.

        """
        checks.check_k(k)
        contexts = self._coded(users, histories)
        known = self._has_likes(contexts)
        if known.all():
            return self._top(contexts, k, exclude_seen, allowed)
        items = np.full((len(contexts), k), -1, np.int32)
        scores = np.full((len(contexts), k), -np.inf)
        if known.any():
            items[known], scores[known] = self._top(contexts.select(known), k, exclude_seen, allowed)
        return items, scores

    def score_codes(self, users: Codes | None = None, histories: Histories | None = None) -> Floats:
        """Return the scores of all items, (n, items), for users and histories as `recommend_codes` takes them.

        A row is -inf where the model needs a history and there is none.
        """
        contexts = self._coded(users, histories)
        known = self._known(contexts)
        every = np.arange(len(self.items), dtype=np.int32)
        if known.all():
            return self._scores(contexts, every)
        scores = np.full((len(contexts), len(every)), -np.inf)
        if known.any():
            scores[known] = self._scores(contexts.select(known), every)
        return scores

    def score(
        self,
        *,
        users: Iterable[Id] | None = None,
        histories: HistoriesLike | object | None = None,
        items: Iterable[Id] | None = None,
    ) -> Floats:
        """Return the scores of `items` (None: all of train, in order) for each user or history, (contexts, items)."""
        contexts = self._contexts(users, histories)
        known = self._known(contexts)
        if not known.all():
            refuse(contexts, ~known, folds_in=self.folds_in, told=histories is not None)
        return self._scores(contexts, self._item_codes(items))

    def rank(self, contexts: Sequence[Any], candidates: Sequence[Sequence[Id]]) -> pl.DataFrame:
        """Order a list of candidates for each context.

        Args:
            contexts: user ids, or histories (lists of item ids).
            candidates: as many lists of item ids. Items that train lacks have no score and come last, as given.

        Returns:
            user, item, score, rank; best first.

        """
        if len(contexts) == 0 or len(contexts) != len(candidates):
            raise DataError(
                f"{len(contexts):,} contexts but {len(candidates):,} candidate lists: give one list a context."
            )
        lists = all(isinstance(context, (list, tuple)) for context in contexts)
        asked = self._contexts(None, contexts) if lists else self._contexts(contexts, None)
        known = self._known(asked)
        if not known.all():
            refuse(asked, ~known, folds_in=self.folds_in, told=lists)
        ids = as_ids([id for some in candidates for id in some])
        indptr = np.cumsum([0, *map(len, candidates)])
        context, codes = np.repeat(np.arange(len(candidates)), np.diff(indptr)), self.items.encode(ids)
        scores = np.full(len(codes), -np.inf)
        for start in range(0, len(asked), impressed.BLOCK):
            some = np.arange(start, min(start + impressed.BLOCK, len(asked)))
            pairs = slice(indptr[start], indptr[some[-1] + 1])
            scores[pairs] = self._of_pairs(asked.select(some), context[pairs] - start, codes[pairs])
        order = np.lexsort((codes, -scores, context))  # contexts stand together already
        return pl.DataFrame(
            {
                "user": asked.labels.gather(context),
                "item": ids.gather(order),
                "score": pl.Series(scores[order]).replace(-np.inf, None),
                "rank": (np.arange(len(order)) - indptr[context] + 1).astype(np.int32),
            }
        )

    def _of_pairs(self, contexts: Contexts, row: NDArray[np.int64], codes: Codes) -> Floats:
        """Return the score of each pair of a context and an item, (pairs); -inf for the item -1."""
        return of_pairs(partial(self._scores, contexts), row, codes)

    def score_impressions(self, shown: Impressions) -> Floats:
        """Return the score of each candidate of impressions, (candidates), in the order of `shown`.

        By the history of each impression where the model goes by histories, else by the user. What a model of
        interactions does not know has -inf. Labels are not read, but for those of earlier seconds by a running `ctr`.
        """
        return self._score_shown(shown)

    def _score_shown(self, shown: Impressions) -> Floats:
        return impressed.scores(self, shown)

    # --- similar, explain, rate -----------------------------------------------------------------------------

    def similar(self, items: Iterable[Id], k: int = 10) -> pl.DataFrame:
        """Return the k items most similar to each of `items`, not itself: item, similar, score, rank."""
        self._need("similar")
        checks.check_k(k)
        codes = self._item_codes(items)
        found, scores = self._similar(codes, min(k, len(self.items)))
        return answers.lists(self.items.decode(codes), self.items, found, scores, ("item", "similar"))

    def similar_users(self, users: Iterable[Id], k: int = 10) -> pl.DataFrame:
        """Return the k users most similar to each of `users`: user, similar, score, rank."""
        self._need("similar_users")
        checks.check_k(k)
        contexts = self._contexts(users, None)
        if (contexts.users < 0).any():
            refuse(contexts, contexts.users < 0, folds_in=False)
        found, scores = self._similar_users(contexts, min(k, len(self.users)))
        return answers.lists(contexts.labels, self.users, found, scores, ("user", "similar"))

    def explain(
        self,
        *,
        user: Id | None = None,
        history: Sequence[Id] | HistoriesLike | object | None = None,
        item: Id,
        k: int | None = None,
    ) -> Explanation:
        """Return what each past item of a user or a history adds to the score of `item`.

        Args:
            user, history: one of them; a history is a list of item ids, or whatever `recommend` takes, of one context.
            item: any item of train. k: how many contributions to show (None: all).

        """
        self._need("explain")
        contexts = self._one_context(user, history)
        code = int(self._item_codes([item])[0])
        items, effects, baseline = self._explain(contexts, code)
        table = answers.contributions(contexts.events, items, effects, self.items)
        score = float(effects.sum() + baseline)
        shown = table if k is None else table.head(k)
        return Explanation(item, score, float(baseline), self.baseline_is, shown)

    def _one_context(self, user: Id | None, history: object | None) -> Contexts:
        """Return the context of `explain`: a user, or a history."""
        if (user is None) == (history is None):
            raise PlanError("explain one context: give either user=... or history=[...].")
        if isinstance(history, (list, tuple)) and not any(isinstance(one, (list, tuple)) for one in history):
            history = [history]
        contexts = self._contexts(None if user is None else [user], history)
        if len(contexts) != 1:
            raise PlanError(f"explain one context: {len(contexts):,} histories were given.")
        if not self._known(contexts).all():
            refuse(contexts, np.array([True]), folds_in=self.folds_in, told=history is not None)
        return contexts

    def rate(self, pairs: object, *, histories: HistoriesLike | object | None = None) -> pl.DataFrame:
        """Return the rating each user would give each item: user, item, rating, rows as given.

        Args:
            pairs: interactions, a table with the columns user and item, or a list of (user, item). Users or items that
                train lacks: UnknownId.
            histories: ratings of all users in `pairs`, who are then judged by these alone, in train or not: a table, or
                {user: {item: rating}}.

        """
        self._need("rate")
        from palate.tables import require_column, to_frame

        if isinstance(pairs, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
            pairs = {"user": [user for user, _ in pairs], "item": [item for _, item in pairs]}
        frame = pairs.table() if isinstance(pairs, Interactions) else to_frame(pairs, source="pairs")
        users = as_ids(require_column(frame, "user", source="pairs", role="user"))
        items = as_ids(require_column(frame, "item", source="pairs", role="item"))
        distinct, place = Vocabulary.factorise(users)
        if histories is None:
            contexts = from_users(distinct.ids, self.users, self.fitted.histories)
            known = contexts.users >= 0
        else:
            told = self._contexts(None, histories)
            places = {label: n for n, label in enumerate(told.labels)}
            found = np.array([places.get(id, -1) for id in distinct.ids], np.int64)
            known = found >= 0
            contexts = told.select(found[known])
        if not known.all():
            raise UnknownId(
                f"no ratings for users that {'train lacks' if histories is None else 'have no history'} "
                f"({listing(distinct.ids.filter(pl.Series(~known)))})."
            )
        rating = self._rate(contexts, place, self._item_codes(items))
        return pl.DataFrame({"user": users, "item": items, "rating": rating})

    # --- files ----------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write the model as a folder of safe files, whole or not at all; see `models.saved`. Returns the folder."""
        return saved.save_model(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a model that `save` wrote, after checking every byte of it. Raises SavedModelError."""
        return saved.load_model(cls, Path(folder))

    # --- borders --------------------------------------------------------------------------------------------

    def _contexts(
        self,
        users: Iterable[Id] | None,
        histories: HistoriesLike | object | None,
        *,
        strangers: bool = False,
    ) -> Contexts:
        """Return who is asked for; `strangers`: also histories that the model cannot go by."""
        if users is not None and histories is not None:
            raise PlanError("give users or histories, not both.")
        if histories is not None:
            if not strangers:
                self._need_fold_in()
            contexts = from_histories(histories, self.items, self.fitted.negative_events)
            return self._with_values(contexts) if self.rated and not contexts.rated else contexts
        return from_users(users, self.users, self.fitted.histories)

    def _coded(self, users: Codes | None, histories: Histories | None) -> Contexts:
        """Return contexts in codes: users with their history of train or with another, or histories alone."""
        if histories is None:
            codes = (
                np.arange(len(self.users), dtype=np.int32) if users is None else np.asarray(users, np.int32)
            )
            every = len(codes) == len(self.users) and (codes == np.arange(len(codes))).all()
            histories = self.fitted.histories if every else self.fitted.histories.select(codes)
        else:
            codes = np.full(len(histories), -1, np.int32) if users is None else np.asarray(users, np.int32)
            if ((codes < 0) & (histories.lengths > 0)).any():
                self._need_fold_in()
        return Contexts(pl.Series(codes), codes, histories)

    def _with_values(self, contexts: Contexts) -> Contexts:
        """Return contexts told without ratings: a like counts as the mean of train's ratings from the median up."""
        train = self.fitted.histories.value
        train = train[train >= 0]
        value = contexts.events.value.copy()
        value[value >= 0] = train[train >= np.median(train)].mean(dtype=np.float64)
        return replace(contexts, events=replace(contexts.events, value=value))

    def _known(self, contexts: Contexts) -> NDArray[np.bool_]:
        """(contexts) whether there is a history, where the model needs one: enough for a score."""
        return (contexts.events.lengths > 0) | (not self.learns_from_history)

    def _has_likes(self, contexts: Contexts) -> NDArray[np.bool_]:
        """(contexts) whether there is something liked to go by: enough for a list."""
        if not self.learns_from_history:
            return np.ones(len(contexts), bool)
        if contexts.events.value.min(initial=0) >= 0:
            return contexts.events.lengths > 0
        liked = np.concatenate([[0], np.cumsum(contexts.events.value >= 0)])
        indptr = contexts.events.indptr
        return np.asarray(liked[indptr[1:]] > liked[indptr[:-1]])

    def _item_codes(self, items: Iterable[Id] | None) -> Codes:
        if items is None:
            return np.arange(len(self.items), dtype=np.int32)
        ids = as_ids(items)
        codes = self.items.encode(ids)
        if (codes < 0).any():
            missing = ids.filter(pl.Series(codes < 0)).unique(maintain_order=True)
            hint = did_you_mean(str(missing[0]), self.items.ids.head(50_000)) if self.items.is_text else ""
            raise UnknownId(
                f"{len(missing):,} of {len(ids):,} items are not in train ({listing(missing)}); it has "
                f"{len(self.items):,} {self.items.kind} ids.{hint}"
            )
        return codes

    def _allowed(self, candidates: Iterable[Id] | None, where: str | None) -> NDArray[np.bool_] | None:
        if candidates is None and where is None:
            return None
        allowed = np.ones(len(self.items), bool)
        if candidates is not None:
            allowed[:] = False
            allowed[self._item_codes(candidates)] = True
        if where is not None:
            if self.catalogue is None:
                raise DataError(
                    f"where = {where!r} needs the attributes of the items: fit with catalogue=... (--items FILE)."
                )
            allowed &= self.catalogue.matching(where, self.items)
        return allowed

    def _top(
        self, contexts: Contexts, k: int, exclude_seen: bool, allowed: NDArray[np.bool_] | None
    ) -> tuple[Codes, Floats]:
        every = np.arange(len(self.items), dtype=np.int32)
        return self._best(contexts, k, exclude_seen, every if allowed is None else every[allowed])

    def _most_popular(
        self, contexts: Contexts, k: int, exclude_seen: bool, allowed: NDArray[np.bool_] | None
    ) -> tuple[Codes, Floats]:
        def score(strangers: Contexts, columns: Codes) -> Floats:
            return np.tile(self.popularity[columns].astype(np.float64), (len(strangers), 1))

        every = np.arange(len(self.items), dtype=np.int32)
        columns = every if allowed is None else every[allowed]
        return best_of_all(score, contexts, k, exclude_seen=exclude_seen, columns=columns, n_items=len(every))
