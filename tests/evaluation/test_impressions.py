"""Evaluation of impressions: means, intervals by reader, slices, warnings, and MIND's submission."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import palate
from palate.datasets.simulate import NewsWorld, news_world
from palate.errors import DataError, PlanError
from palate.evaluation import impressions
from palate.evaluation.clock import Clock
from palate.evaluation.keys import impression_keys
from palate.news import Impressions


@pytest.fixture(scope="module")
def world() -> NewsWorld:
    return news_world(users=300, articles=400, seed=6)


def valid(world: NewsWorld) -> Impressions:
    assert world.dataset.valid is not None
    return world.dataset.valid


def judged(shown: Impressions, scores: NDArray[np.floating], **how: Any) -> impressions.ImpressionEvaluation:
    keys = impression_keys(how.pop("metrics", ["impression_auc", "impression_ndcg"]), [5, 10])
    told = {"seed": 1, "bootstrap": 500, "label": "x"} | how
    return impressions.measured(shown, scores, keys, Clock(), **told)


def test_the_figures_are_means_over_impressions_and_intervals_are_by_reader(world: NewsWorld):
    shown = world.dataset.train  # five impressions a reader
    found = judged(shown, world.scores(shown))
    assert list(found.estimates) == ["impression_auc", "impression_ndcg@5", "impression_ndcg@10"]
    auc, values = found.estimate("impression_auc"), found.per_impression["impression_auc"]
    assert auc.mean == pytest.approx(values.mean(), abs=1e-12)
    assert auc.n == len(shown) == 1_500
    assert auc.ci95 is not None
    # Standard error of a mean of clusters: the root of the sum of squared sums of deviations, over n.
    by_reader = np.bincount(found.user, values - values.mean())
    error = np.sqrt((by_reader**2).sum()) / len(values)
    assert auc.ci95[1] - auc.ci95[0] == pytest.approx(2 * 1.96 * error, rel=0.15)
    # Told a thousand times over, nobody knows more: copies of a reader's impressions narrow nothing.
    copies = shown.select(np.repeat(np.arange(len(shown)), 4))
    again = judged(copies, world.scores(copies)).estimate("impression_auc")
    assert again.ci95 is not None
    assert again.ci95[1] - again.ci95[0] == pytest.approx(auc.ci95[1] - auc.ci95[0], rel=0.05)


def test_models_are_compared_by_reader(world: NewsWorld):
    shown = valid(world)
    best, blind = (judged(shown, world.scores(shown, personal=one), label=str(one)) for one in (True, False))
    [one] = palate.compare([best, blind], ["impression_auc"])
    assert one.difference == pytest.approx(
        best.estimate("impression_auc").mean - blind.estimate("impression_auc").mean, abs=1e-12
    )
    assert one.p < 0.001
    [same] = palate.compare([best, replace(best, label="again")], ["impression_auc"])
    assert same.difference == 0
    assert same.p > 0.9


def test_a_model_is_asked_and_what_is_odd_is_said(world: NewsWorld):
    shown = valid(world)
    content = palate.evaluate_impressions(palate.Content().fit(world.dataset), shown)
    assert content.estimate("impression_auc").mean > 0.6
    assert not content.notes
    chance = judged(shown, np.random.default_rng(3).random(shown.n_candidates))
    assert "is not told from chance" in chance.notes[0]
    turned = judged(shown, -world.scores(shown))
    assert turned.estimate("impression_auc").mean < 0.3
    assert "is worse than chance" in turned.notes[0]
    assert len(turned.notes) == 1
    labels = shown.labels.copy()
    labels[: shown.indptr[3]] = False
    part = judged(
        replace(shown, clicked=labels),
        np.where(np.arange(shown.n_candidates) < 9, -np.inf, world.scores(shown)),
    )
    assert part.rows.tolist() == list(range(3, 300))
    assert "3 of 300 impressions have no click" in part.notes[0]
    assert "9 of 7,500 candidates have no score" in part.notes[1]


def test_slices_share_out_the_impressions(world: NewsWorld):
    mind = news_world(
        like_mind=True, users=2_000, articles=8_000, impressions=3, history=20, popularity=1.0, seed=2
    )
    shown = valid(mind)
    found = judged(shown, mind.scores(shown))
    values = found.per_impression["impression_auc"]
    for parts in (
        impressions.by_history(found, shown, "impression_auc"),
        impressions.by_age(found, mind.dataset.train, shown, "impression_auc"),
    ):
        assert sum(part.n for part in parts) == len(values)
        told = [part for part in parts if part.n]
        assert len(told) >= 4
        assert sum(part.n * part.value for part in told) == pytest.approx(values.sum())
    fresh = impressions.by_age(found, mind.dataset.train, shown, "impression_auc")
    # News: most of what is clicked is of the day.
    assert sum(part.n for part in fresh[:3]) > 0.6 * len(values)


def test_a_submission_holds_ranks_in_the_order_shown(tmp_path: Path):
    shown = Impressions.from_table(
        {"user": ["a", "b"], "candidates": [["n1", "n2", "n3"], ["n1", "n2"]], "clicked": [[1, 0, 0], [0, 1]]}
    )
    scores = np.array([0.5, 0.9, 0.5, -np.inf, 0.0])
    path = impressions.write_submission(tmp_path / "prediction.zip", shown, scores)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("prediction.txt").decode() == "1 [3,1,2]\n2 [2,1]\n"
    # The official script scores 1 / rank: the same figures as the scores themselves, with ties broken its way.
    as_ranked = judged(
        shown, 1 / impressions.ranks(shown.indptr, scores), metrics=["impression_mrr", "impression_ndcg"]
    )
    as_scored = judged(shown, scores, metrics=["impression_mrr", "impression_ndcg"])
    for key, one in as_scored.per_impression.items():
        assert (as_ranked.per_impression[key] == one).all()
    impressions.write_submission(path, replace(shown, number=np.array([7, 9]), clicked=None), scores)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("prediction.txt").decode().startswith("7 [")
    with pytest.raises(DataError, match="a score for each of 5 candidates"):
        impressions.write_submission(path, shown, scores[:3])


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (["impression_acu"], "Did you mean 'impression_auc'"),
        (["ndcg"], "no metric of impressions"),
        (["impression_mrr@5"], "takes no cut-off"),
        (["impression_ndcg@0"], "from 1"),
        ([], "no metric to compute"),
    ],
)
def test_metrics_that_are_none_are_refused(metrics: list[str], said: str):
    with pytest.raises(PlanError, match=said):
        impression_keys(metrics, [5])
    assert impression_keys(["impression_ndcg@3", "impression_ndcg_tied"], [5]) == [
        "impression_ndcg@3",
        "impression_ndcg_tied@5",
    ]


def test_without_labels_or_numbers_there_is_no_figure(world: NewsWorld):
    shown = valid(world)
    model = palate.CTR().fit(world.dataset)
    with pytest.raises(DataError, match="no labels"):
        palate.evaluate_impressions(model, replace(shown, clicked=None))
    with pytest.raises(DataError, match="no impression has both"):
        judged(replace(shown, clicked=np.zeros_like(shown.labels)), world.scores(shown))
    with pytest.raises(DataError, match="1 of 7,500 scores are no numbers"):
        judged(shown, np.where(np.arange(shown.n_candidates) == 4, np.nan, 1.0))
