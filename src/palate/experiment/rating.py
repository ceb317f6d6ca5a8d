"""What a run tells of ratings beside the board: errors by activity, calibration, and the lists that ratings make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palate.evaluation.estimated import Estimated
from palate.evaluation.evaluation import Evaluation
from palate.evaluation.keys import AT_K, RATING, Wanted, wanted
from palate.evaluation.rating import Rated
from palate.evaluation.result import InducedList, Measured, RatingFacts
from palate.experiment.fit import Lists, fit
from palate.experiment.plan import EvaluatePlan, ModelPlan
from palate.interactions import Interactions
from palate.report import ratings
from palate.split import Split


def list_metric(how: EvaluatePlan) -> str:
    """Return the metric by which the lists of rating models are judged; empty where no rating metric is asked for."""
    asked = wanted(how.metrics, how.k)
    if not asked.any_of(RATING):
        return ""
    return next((key for key in asked.keys if Wanted((key,)).any_of(AT_K)), f"ndcg@{how.k[0]}")


def with_lists(how: EvaluatePlan) -> EvaluatePlan:
    """Ask for a metric of lists too where ratings alone were asked for."""
    key = list_metric(how)
    if not key or key in wanted(how.metrics, how.k).keys:
        return how
    return how.model_copy(update={"metrics": [*how.metrics, key]})


def popularity(used: Split, how: EvaluatePlan) -> Evaluation | None:
    """Return how good lists of the most popular items are, where rating metrics are asked for."""
    key = list_metric(how)
    if not key:
        return None
    asked = how.model_copy(update={"metrics": [key]})
    return fit(ModelPlan(name="popularity", label="popularity"), Lists(used, asked)).evaluation


def rating_facts(
    how: EvaluatePlan, evaluations: Sequence[Evaluation], popular: Evaluation | None, used: Split
) -> RatingFacts | None:
    """Return what is told of ratings; None where no rating metric was asked for, or nothing could be rated."""
    rated = {one.label: one.rated for one in evaluations if one.rated is not None}
    if not rated:
        return None
    first, key = next(iter(rated.values())), list_metric(how)
    if len(first.actual) == 0:
        return None
    context = used.context
    user_rows = _rows(used.train, first) + (_rows(context, first) if context is not None else 0)
    item_rows = np.bincount(used.train.item, minlength=used.train.n_items)
    return RatingFacts(
        rows=len(first.actual),
        slices=ratings.by_activity(rated, user_rows, item_rows),
        calibration=ratings.calibration(rated),
        list_metric=key,
        lists=[
            InducedList(
                label=one.label,
                rmse=ratings.rmse(one.rated.user, one.rated.actual - one.rated.predicted).mean,
                value=measured(one, key),
            )
            for one in evaluations
            if one.rated is not None
        ],
        popularity=measured(popular, key) if popular is not None else None,
    )


def measured(evaluation: Estimated, key: str) -> Measured:
    """Return one figure of an evaluation."""
    found = evaluation.estimate(key)
    return Measured(mean=found.mean, ci95=found.ci95, n=found.n)


def _rows(past: Interactions, rated: Rated) -> NDArray[np.int64]:
    """(users of the test part) rows of each in `past`; 0 for one it lacks."""
    rows = np.append(np.bincount(past.user, minlength=past.n_users), 0)
    return np.asarray(rows[past.users.encode(rated.users)])
