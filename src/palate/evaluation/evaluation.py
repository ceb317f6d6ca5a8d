"""Evaluate a fitted model on the test part of a split: lists, predicted values, and what they cost.

Every user with a relevant test row counts, also one for whom the model has no list. What a model is asked and
what counts as relevant is the same for all models of a split; nothing of the test part reaches the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.evaluation import beyond, rating
from palate.evaluation.candidates import Candidates, CandidatesLike, best_of, resolve
from palate.evaluation.clock import Clock
from palate.evaluation.estimated import Estimated
from palate.evaluation.keys import AT_K, BEYOND, RATING, Wanted, wanted
from palate.evaluation.ranking import Codes, Floats, auc_values, hits, list_values
from palate.evaluation.significance import Estimate, Statistic, estimates
from palate.evaluation.task import Task, TrainTest, task
from palate.models.base import Recommender
from palate.split import Split
from palate.vocabulary import Vocabulary

_USERS = 32_768  # users asked for at a time
_CELLS = 2**23  # scores held at a time


@dataclass(frozen=True, eq=False)
class Evaluation(Estimated):
    """What one model scored on one test part. Plain data: it can be sent to another process."""

    label: str
    """the model's name on the board"""
    users: pl.Series
    """(users) ids of the users of the truth, ascending"""
    per_user: dict[str, Floats]
    """metric key to the value of each user; NaN where the metric has none for a user"""
    overall: dict[str, float]
    """metrics that have no value per user"""
    estimates: dict[str, Estimate]
    """every metric, in the order asked for"""
    seconds: dict[str, float]
    """wall seconds of `recommend` (all answers of the model) and of `evaluate` (all else)"""
    cpu_seconds: dict[str, float]
    """the same in CPU seconds, all threads together"""
    top: Codes
    """(users, largest k) recommended items in the model's codes, best first, padded with -1"""
    truth: tuple[NDArray[np.int64], Codes]
    """relevant pairs: places in `users`, and items in the model's codes (-1: the model does not know it)"""
    items: Vocabulary
    """what the model's codes of items are: those of train, or more for a model that reads what items are"""
    notes: list[str]
    """what was left out, or counted as a miss"""
    rated: rating.Rated | None = None
    """the test rows with predicted values, where a rating metric was asked for"""

    @property
    def sums(self) -> dict[str, Statistic]:
        """Return the rating metrics as statistics of sums by user."""
        asked = Wanted(tuple(self.estimates))
        return rating.statistics(self.rated.sums(), asked) if self.rated is not None else {}

    def __str__(self) -> str:
        return self.in_words(f"{self.label}, {len(self.users):,} users (95 % interval)")


def evaluate(
    model: Recommender,
    split: Split | TrainTest,
    *,
    k: Iterable[int] | int = (10,),
    metrics: Iterable[str] | str = ("ndcg", "map", "precision", "recall"),
    exclude_seen: bool = True,
    relevant_from: float | None = None,
    candidates: CandidatesLike = "all",
    show_valid: bool | None = None,
    seed: int = 42,
    bootstrap: int = 1_000,
    label: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Return how good a fitted model's recommendations are for the users of the test part.

    Args:
        model: fitted on the train part.
        split: a split, whose new users are shown to the model with their context; or the pair (train, test).
            For a model fitted on train and validation, replace the split's train by both, and its `valid` by None.
        k: cut-offs.
        metrics: names or keys, see docs/metrics.md.
        exclude_seen: the model leaves out what a user has in train, and such rows leave the truth.
        relevant_from: test rows are relevant from this value on (None: all); negative events never are.
        candidates: `"all"` items of train; a list of item ids; `{"sampled": n, "seed": s}`, which ranks each
            user's relevant items among n others drawn evenly from those the user has not taken;
            `{"file": path}` of items, or of candidate items of each user; or `"given"`, the lists that came with the
            split. Relevant items outside are misses.
        show_valid: ask the models with each user's validation rows as the end of the history, though they learnt from
            train alone; these rows are seen, too. A model that knows users by name alone (`folds_in`) is asked by name.
            None: where the split is last-out and has validation rows, as papers on the next item do.
        seed: of the resampling.
        bootstrap: resamples of the intervals by user; 0 for none.
        label: name on the board; the model's own when None.
        progress: called with users done and users in all, after each batch.

    Raises:
        PlanError: an unknown metric or kind of candidates.
        SplitError: no relevant row is left.
        NotSupported: rating metrics of a model that rates nothing.
    """
    clock = Clock()
    asked = wanted(metrics, k)
    job = task(model, split, exclude_seen=exclude_seen, relevant_from=relevant_from, show_valid=show_valid)
    chosen = resolve(candidates, model, job, exclude_seen=exclude_seen)
    notes = [*job.notes, *chosen.notes]
    statistics: dict[str, Statistic] = {}
    per_user: dict[str, Floats] = {}
    overall: dict[str, float] = {}
    rated = None
    top = np.full((len(job), max(asked.cutoffs(), default=0)), -1, np.int32)
    if asked.any_of((*AT_K, *BEYOND, "r_precision", "auc")):
        values = _answers(model, job, asked, chosen, exclude_seen, top, clock, progress)
        per_user |= {key: values[key] for key in asked.keys if key in values}
        without = int((top[:, :1] < 0).sum()) if top.shape[1] else 0
        if without:
            notes.append(f"{without:,} of {len(job):,} test users got no list: they count as zeros.")
    if asked.any_of(BEYOND):
        measured = beyond.measure(asked, top, hits(top, job.relevant), job.past, job.train)
        per_user |= measured.per_user
        overall |= measured.overall
        statistics |= measured.ratios
    if asked.any_of(RATING):
        rated = _ratings(model, job, clock, notes)
        statistics |= rating.statistics(rated.sums(), asked)
    statistics |= {key: Statistic.mean(values) for key, values in per_user.items()}
    found = estimates(statistics, resamples=bootstrap, seed=seed)
    overall |= {key: found[key].mean for key in asked.keys if key in found and key not in per_user}
    found |= {key: Estimate(overall[key], None, len(job)) for key in asked.keys if key not in found}
    wall, cpu = clock.read()
    return Evaluation(
        label=label or model.name,
        users=job.users,
        per_user={key: per_user[key] for key in asked.keys if key in per_user},
        overall=overall,
        estimates={key: found[key] for key in asked.keys},
        seconds=wall,
        cpu_seconds=cpu,
        top=top,
        truth=job.truth,
        items=model.items,
        notes=notes,
        rated=rated,
    )


def _answers(
    model: Recommender,
    job: Task,
    asked: Wanted,
    candidates: Candidates,
    exclude_seen: bool,
    top: Codes,
    clock: Clock,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Floats]:
    """Ask the model for every user, a batch at a time; fill `top` and return the accuracy of each user."""
    ks = asked.cutoffs(AT_K) or (1,)
    values: dict[str, Floats] = {}
    needs_scores = asked.any_of(["auc"]) or candidates.of_user is not None
    needs_lists = top.shape[1] > 0 or asked.any_of(["r_precision"])
    step = max(1, min(_USERS, _CELLS // len(model.items))) if needs_scores else _USERS
    done = 0
    for rows in job.batches(step):
        relevant = job.relevant.select(rows)
        found: dict[str, Floats] = {}
        scores = None
        if needs_scores:
            with clock.recommending():
                scores = job.scores(model, rows)
        if needs_lists:
            # R-precision looks as far down the list as a user has relevant items.
            deep = int(relevant.n.max()) if asked.any_of(["r_precision"]) else 1
            places = min(max(top.shape[1], deep), len(model.items))
            with clock.recommending():
                if candidates.of_user is not None and scores is not None:
                    lists = best_of(scores, candidates.of_user.select(rows), places)
                else:
                    lists = job.lists(model, rows, places, exclude_seen, candidates.allowed)
            top[rows, : lists.shape[1]] = lists[:, : top.shape[1]]
            found |= list_values(lists, relevant, ks)
        if scores is not None and asked.any_of(["auc"]):
            outside = candidates.outside(
                rows, job.seen.select(rows) if exclude_seen else None, scores.shape[1]
            )
            counts, excluded = outside.sum(axis=1), np.nonzero(outside)[1].astype(np.int32)
            indptr = np.concatenate([[0], np.cumsum(counts)])
            found["auc"] = auc_values(scores, relevant.within(outside), (indptr, excluded))
        for key, value in found.items():
            values.setdefault(key, np.empty(len(job)))[rows] = value
        done += len(rows)
        if progress is not None:
            progress(done, len(job))
    return values


def _ratings(model: Recommender, job: Task, clock: Clock, notes: list[str]) -> rating.Rated:
    """Return the test rows whose user (or context) and item the model knows, with its ratings."""
    asked, test = job.ratable(model), job.test
    if left_out := len(test) - len(asked.rows):
        notes.append(
            f"{left_out:,} test rows are negative, or their user or item is not in train: no rating is predicted."
        )
    user, predicted = test.user[asked.rows], np.empty(len(asked.rows))
    for some, histories in ((asked.known, None), (~asked.known, job.context)):
        if some.any():
            pairs = pl.DataFrame(
                {"user": test.users.decode(user[some]), "item": model.items.decode(asked.item[some])}
            )
            with clock.recommending():
                predicted[some] = model.rate(pairs, histories=histories)["rating"].to_numpy()
    return rating.Rated(
        test.users.ids, user, asked.item, test.value[asked.rows].astype(np.float64), predicted
    )
