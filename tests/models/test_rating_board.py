"""The board of ratings on real data: each model beats the simpler one, and a good rating is not a good list."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import palate
from palate.evaluation import compare, evaluate
from palate.models import registry
from palate.split import Split
from palate.split import random as random_split

MOVIELENS = Path(os.environ.get("PALATE_DATA", "/nowhere"), "ml-100k", "u.data")
needs_movielens = pytest.mark.skipif(not MOVIELENS.is_file(), reason="needs MovieLens-100K in PALATE_DATA")


@pytest.fixture(scope="module")
def tweets() -> Split:
    return random_split(palate.load("movietweetings", min_user=5, min_item=5).interactions, ratio=0.8, seed=1)


def test_the_board_of_ratings_is_in_order_on_real_ratings(tweets: Split):
    models = [registry.create(name, **params).fit(tweets.train) for name, params in (
        ("mean", {}), ("bias", {}), ("svd", {"factors": 4}),
    )]  # fmt: skip
    found = [evaluate(model, tweets, metrics=["rmse", "mae"], bootstrap=0) for model in models]
    mean, bias, svd = (one.estimate("rmse").mean for one in found)
    assert svd < bias < 0.92 * mean
    assert all(pair.difference > 0 and pair.p_holm < 0.05 for pair in compare(found, ["rmse"], bootstrap=0))


def test_the_best_rating_model_makes_worse_lists_than_popularity(tweets: Split):
    lists = [
        evaluate(registry.create(name).fit(tweets.train), tweets, metrics="ndcg", bootstrap=0).estimate(
            "ndcg@10"
        )
        for name in ("bias", "popularity")
    ]
    assert lists[0].mean < 0.5 * lists[1].mean


def errors(train_test: Split, name: str, **params: object) -> float:
    model = registry.create(name, **params).fit(train_test.train)
    return evaluate(model, train_test, metrics="rmse", bootstrap=0).estimate("rmse").mean


@needs_movielens
def test_movielens_100k_stays_below_the_gate_of_the_ceiling():
    data = palate.load("movielens-100k").interactions
    found = [errors(random_split(data, ratio=0.8, seed=seed), "svd") for seed in (1, 2, 3)]
    # 0.902 by benchmarks/ratings/board.py; Koren's biased factors reach about 0.92 there.
    assert np.mean(found) < 0.91


@needs_movielens
def test_rank_and_weights_of_unlike_models_are_better_than_each():
    parts = random_split(palate.load("movielens-100k").interactions, ratio=0.8, seed=1)
    alone = [errors(parts, "svd"), errors(parts, "sar")]
    both = errors(parts, "blend", fusion="weights", models=[{"name": "svd"}, {"name": "sar"}])
    assert both < min(alone)
