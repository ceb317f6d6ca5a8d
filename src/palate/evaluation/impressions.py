"""Evaluate a fitted model on impressions, as MIND's official script does: each impression by itself, then their mean.

An impression in which nothing or everything was clicked has no measure and is left out, which is said. Intervals and
tests resample readers, with all their impressions: impressions of one reader are not independent of each other.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.atomic import whole
from palate.errors import DataError
from palate.evaluation.clock import Clock
from palate.evaluation.estimated import Estimated
from palate.evaluation.keys import impression_keys
from palate.evaluation.significance import Estimate, Floats, Statistic, estimates
from palate.kernels import impressions as kernel
from palate.models.base import Recommender
from palate.news import Impressions

_HISTORY = (0, 1, 6, 21, 51)
_HOURS = (0, 1, 6, 24, 48)


@dataclass(frozen=True, eq=False)
class ImpressionEvaluation(Estimated):
    """What one model scored on impressions; `palate.compare` takes several."""

    label: str
    """the model's name on the board"""
    users: pl.Series
    """(users) ids of the readers that were measured, ascending"""
    user: NDArray[np.int64]
    """(measured impressions) places in `users`"""
    rows: NDArray[np.int64]
    """(measured impressions) their places in what was given"""
    per_impression: dict[str, Floats]
    """metric key to the value of each measured impression"""
    estimates: dict[str, Estimate]
    """every metric, in the order asked for; `n` counts impressions"""
    seconds: dict[str, float]
    """wall seconds of `recommend` (all scores of the model) and of `evaluate` (all else)"""
    cpu_seconds: dict[str, float]
    """the same in CPU seconds, all threads together"""
    notes: list[str]
    """what was left out, and what should make one doubt"""

    @property
    def per_user(self) -> dict[str, Floats]:
        """Nothing: these metrics are means over impressions, not over readers."""
        return {}

    @property
    def sums(self) -> dict[str, Statistic]:
        """Return each metric as a statistic of sums by reader."""
        return {
            key: _statistic(values, self.user, len(self.users)) for key, values in self.per_impression.items()
        }

    def __str__(self) -> str:
        return self.in_words(
            f"{self.label}, {len(self.user):,} impressions of {len(self.users):,} users (95 % interval by user)"
        )


def evaluate_impressions(
    model: Recommender,
    shown: Impressions,
    *,
    metrics: Iterable[str] | str = ("impression_auc", "impression_mrr", "impression_ndcg"),
    k: Iterable[int] | int = (5, 10),
    seed: int = 42,
    bootstrap: int = 1_000,
    label: str | None = None,
) -> ImpressionEvaluation:
    """Return how well a fitted model orders the candidates of impressions, by MIND's official definitions.

    Args:
        model: of news, or any other that was fitted to the articles' readers.
        shown: with labels.
        metrics: `impression_auc`, `impression_mrr`, `impression_ndcg`, and of the last two the mean over all orders of
            candidates with the same score, `impression_mrr_tied` and `impression_ndcg_tied`; see docs/metrics.md.
        k: cut-offs of nDCG.
        seed: of the resampling. bootstrap: resamples of the intervals by reader; 0 for none.
        label: name on the board; the model's own when None.

    Raises:
        DataError: no labels, or no impression with a click and something that was not clicked.
        PlanError: an unknown metric.

    """
    keys = impression_keys(metrics, k)
    clock = Clock()
    _ = shown.labels
    with clock.recommending():
        scores = model.score_impressions(shown)
    found = measured(shown, scores, keys, clock, seed=seed, bootstrap=bootstrap, label=label or model.name)
    if model.fitted.fingerprint == shown.fingerprint:
        found.notes.append(
            "These are the very impressions that the model was fitted to: on others it is worse."
        )
    return found


def measured(
    shown: Impressions,
    scores: NDArray[np.floating],
    keys: Sequence[str],
    clock: Clock,
    *,
    seed: int,
    bootstrap: int,
    label: str,
) -> ImpressionEvaluation:
    """Return what scores (candidates) are worth."""
    told: Floats = np.asarray(scores, np.float64)
    if np.isnan(told).any():
        raise DataError(f"{label}: {int(np.isnan(told).sum()):,} of {len(told):,} scores are no numbers.")
    cuts = sorted({int(key.partition("@")[2]) for key in keys if "@" in key})
    values = kernel.measure(shown.indptr, shown.labels, told, np.array(cuts, np.int64))
    rows = np.flatnonzero(~np.isnan(values[0]))
    if not len(rows):
        raise DataError(f"{label}: no impression has both a click and an article that was not clicked.")
    named = ["impression_auc", "impression_mrr", *(f"impression_ndcg@{cut}" for cut in cuts)]
    named += ["impression_mrr_tied", *(f"impression_ndcg_tied@{cut}" for cut in cuts)]
    by_key = dict(zip(named, values[:, rows], strict=True))
    codes, user = np.unique(shown.user[rows], return_inverse=True)
    per_impression = {key: by_key[key] for key in keys}
    found = estimates(
        {key: _statistic(one, user, len(codes)) for key, one in per_impression.items()},
        resamples=bootstrap,
        seed=seed,
    )
    wall, cpu = clock.read()
    return ImpressionEvaluation(
        label=label,
        users=shown.users.ids.gather(codes),
        user=user.astype(np.int64),
        rows=rows,
        per_impression=per_impression,
        estimates=found,
        seconds=wall,
        cpu_seconds=cpu,
        notes=_notes(shown, told, rows, by_key["impression_auc"], user),
    )


def _statistic(values: Floats, user: NDArray[np.int64], users: int) -> Statistic:
    """Return the mean over impressions as sums by reader."""
    count = np.bincount(user, minlength=users).astype(np.float64)
    columns = np.stack([np.bincount(user, values, users), count], axis=1)
    return Statistic(columns, lambda sums: np.asarray(sums[..., 0] / sums[..., 1]), len(values))


def _notes(
    shown: Impressions, scores: Floats, rows: NDArray[np.int64], auc: Floats, user: NDArray[np.int64]
) -> list[str]:
    notes = []
    if len(rows) < len(shown):
        notes.append(
            f"{len(shown) - len(rows):,} of {len(shown):,} impressions have no click, or nothing else: not measured."
        )
    unknown = int((scores == -np.inf).sum())
    if unknown:
        notes.append(
            f"{unknown:,} of {len(scores):,} candidates have no score, since the model knows nothing of the article or "
            "of the reader: they stand last."
        )
    by_reader = np.bincount(user, auc - auc.mean())
    error = float(np.sqrt((by_reader**2).sum())) / len(auc)
    lead = float(auc.mean()) - 0.5
    if abs(lead) < 2 * error:
        notes.append(
            f"An AUC of {auc.mean():.3f} is not told from chance (0.5, standard error {error:.3f}). Where more was to "
            "be expected, look at the text, the ids and the settings first."
        )
    elif lead < 0:
        notes.append(
            f"An AUC of {auc.mean():.3f} is worse than chance (0.5, standard error {error:.3f}): the order is turned "
            "round. Look whether labels or scores are, and what readers saw that the model did not."
        )
    return notes


# --- slices -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slice:
    """Some of the impressions."""

    name: str
    n: int
    value: float
    """the metric's mean; NaN without impressions"""


def by_history(evaluation: ImpressionEvaluation, shown: Impressions, key: str) -> list[Slice]:
    """Return a metric by how many articles the reader had read."""
    lengths = shown.histories.lengths[shown.history_of[evaluation.rows]]
    names = ["none", "1 to 5", "6 to 20", "21 to 50", "more than 50"]
    return _slices(
        evaluation.per_impression[key], np.searchsorted(_HISTORY, lengths, side="right") - 1, names
    )


def by_age(evaluation: ImpressionEvaluation, train: Impressions, shown: Impressions, key: str) -> list[Slice]:
    """Return a metric by how long ago the clicked article (of several, the newest) was first shown to anybody.

    Raises DataError without times.
    """
    first = np.minimum(shown.first_seen(), _first_in(train, shown))
    assert shown.time is not None
    age = np.where(shown.labels, shown.time[shown.row_of] - first[shown.candidate], np.iinfo(np.int64).max)
    newest = np.minimum.reduceat(age, shown.indptr[:-1])[evaluation.rows] / 3_600
    names = ["under 1 hour", "1 to 6 hours", "6 to 24 hours", "1 to 2 days", "over 2 days"]
    return _slices(evaluation.per_impression[key], np.searchsorted(_HOURS, newest, side="right") - 1, names)


def _first_in(train: Impressions, shown: Impressions) -> NDArray[np.int64]:
    code = train.codes_in(shown.articles)
    first = np.full(len(shown.articles), np.iinfo(np.int64).max)
    first[code[code >= 0]] = train.first_seen()[code >= 0]
    return first


def _slices(values: Floats, part: NDArray[np.integer], names: list[str]) -> list[Slice]:
    return [
        Slice(name, int((part == n).sum()), float(values[part == n].mean()) if (part == n).any() else np.nan)
        for n, name in enumerate(names)
    ]


# --- a submission -----------------------------------------------------------------------------------------------


def ranks(indptr: NDArray[np.int64], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the place of each candidate in its impression, from 1; of equal scores the later one stands first."""
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((-np.arange(len(scores)), -np.asarray(scores, np.float64), row))
    found = np.empty(len(scores), np.int64)
    found[order] = np.arange(len(scores)) - indptr[row] + 1
    return found


def write_submission(path: str | Path, shown: Impressions, scores: NDArray[np.floating]) -> Path:
    """Write MIND's submission, whole or not at all: a zip with `prediction.txt`, one line an impression.

    A line is the impression's number and the ranks of its candidates in the order shown, as `1 [2,1,3]`. Raises
    DataError for scores of another length, or that are no numbers.
    """
    scores = np.asarray(scores)
    if scores.shape != (shown.n_candidates,) or np.isnan(scores).any():
        raise DataError(
            f"a submission needs a score for each of {shown.n_candidates:,} candidates; given are {scores.shape} with "
            f"{int(np.isnan(scores).sum()):,} that are no numbers."
        )
    numbers = np.arange(1, len(shown) + 1) if shown.number is None else shown.number
    place = pl.Series(ranks(shown.indptr, scores)).cast(pl.String)
    lines = (
        pl.DataFrame({"row": shown.row_of, "rank": place}).group_by("row", maintain_order=True).agg("rank")
    )
    text = io.StringIO()
    for number, one in zip(numbers.tolist(), lines["rank"].list.join(","), strict=True):
        text.write(f"{number} [{one}]\n")
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("prediction.txt", text.getvalue())
    return Path(path)
