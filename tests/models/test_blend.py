"""Blend: ranks and weights against brute force, and what it does with models of either kind."""

from __future__ import annotations

import numpy as np
import pytest

import palate
from palate.errors import DataError, PlanError
from palate.evaluation import evaluate
from palate.models import logit
from palate.models.bias import Bias
from palate.models.blend import Blend
from palate.models.ease import EASE
from palate.models.mean import Mean
from palate.models.popularity import Popularity
from palate.models.rbm import RBM
from palate.models.svd import SVD
from palate.split import random as random_split
from palate.split import stratified
from tests.worlds import rows, world


def tastes(seed: int = 0, *, users: int = 150, items: int = 40) -> palate.Interactions:
    """Choices by taste and popularity, with ratings."""
    rng = np.random.default_rng(seed)
    like = rng.normal(size=(users, 2)) @ rng.normal(size=(2, items))
    score = 1.5 * like + rng.normal(size=items) + rng.gumbel(size=(users, items))
    user, item = np.nonzero(score > np.quantile(score, 0.7, axis=1, keepdims=True))
    value = np.clip(np.round(3 + like[user, item] + 0.5 * rng.normal(size=len(user))), 1, 5)
    return palate.Interactions.from_table({"user": user, "item": item, "value": value})


def test_rank_fusion_is_the_sum_of_reciprocal_places():
    train = tastes()
    blend = Blend(models=[{"name": "ease", "l2": 20.0}, {"name": "popularity"}]).fit(train)
    total = np.zeros((train.n_users, train.n_items))
    for model in (EASE(l2=20.0), Popularity()):
        scores = np.asarray(model.fit(train).score(), np.float64)
        better = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
        equal = (scores[:, None, :] == scores[:, :, None]).sum(axis=2)
        total += 1 / (60 + better + (equal + 1) / 2)
    np.testing.assert_allclose(blend.score(), total)


def test_one_model_alone_keeps_its_order():
    train = tastes(1)
    alone = EASE(l2=20.0).fit(train).recommend(k=5)
    for fusion in ("ranks", "weights"):
        blend = Blend(models=[{"name": "ease", "l2": 20.0}], fusion=fusion).fit(train)
        assert blend.recommend(k=5)["item"].to_list() == alone["item"].to_list()


def planted(w: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(len(w), 3_000, 20))
    free = rng.random((3_000, 20)) < 0.8
    free[:, 0] = True
    best = np.where(free, np.tensordot(w, scores, 1) + rng.gumbel(size=(3_000, 20)), -np.inf).argmax(axis=1)
    return scores, np.arange(20) == best[:, None], free


def test_weights_that_made_the_choices_are_found():
    scores, chosen, free = planted([1.5, 0.5, 0.0])
    np.testing.assert_allclose(logit.weights(scores, chosen, free), [1.5, 0.5, 0.0], atol=0.1)


def test_a_score_that_speaks_against_the_choices_gets_no_weight():
    scores, chosen, free = planted([1.0, -0.7])
    found = logit.weights(scores, chosen, free)
    assert found[1] == 0
    assert found[0] > 0.5


def test_of_equal_scores_that_speak_against_the_choices_one_stays():
    scores = np.random.default_rng(0).normal(size=(1, 50, 10))
    free, least = np.ones((50, 10), bool), np.arange(10) == scores[0].argmin(axis=1)[:, None]
    one, other = logit.weights(scores[[0, 0]], least, free)
    assert sorted([one, other]) == [0, *logit.weights(scores, least, free)]


def test_a_weighted_blend_of_one_model_twice_is_that_model_even_where_validation_rows_speak_against_it():
    user, item = np.nonzero(np.arange(12)[:, None] >= np.arange(12))
    train = palate.Interactions.from_table({"user": user, "item": item})
    valid = palate.Interactions.from_table(
        {"user": np.arange(11), "item": np.full(11, 11)}
    )  # the least popular
    blend = Blend(models=[{"name": "popularity"}] * 2, fusion="weights").fit(train, valid=valid)
    alone = Popularity().fit(train)
    assert blend.recommend(k=3).select("user", "item").equals(alone.recommend(k=3).select("user", "item"))


def test_weights_are_at_the_top_of_the_likelihood():
    scores, chosen, free = planted([0.8, 0.4], seed=3)
    found = logit.weights(scores, chosen, free)

    def likelihood(w: np.ndarray) -> float:
        linear = np.where(free, np.tensordot(w, scores, 1), -np.inf)
        return float((linear[chosen] - np.log(np.exp(linear).sum(axis=1))).mean() - 5e-4 * w @ w)

    for step in ([1e-3, 0], [-1e-3, 0], [0, 1e-3], [0, -1e-3]):
        assert likelihood(found + step) < likelihood(found)


def test_a_weighted_blend_trusts_the_model_that_knows_and_not_chance():
    parts = stratified(tastes(2), ratio=0.8)
    blend = Blend(models=[{"name": "random"}, {"name": "ease", "l2": 20.0}], fusion="weights")
    weights = blend.fit(parts.train).fitted.state.weights
    assert weights[0] < 0.1 * weights[1]
    alone = EASE(l2=20.0).fit(parts.train)
    found = [
        evaluate(model, parts, metrics="ndcg", bootstrap=0).estimate("ndcg@10").mean
        for model in (blend, alone)
    ]
    assert found[0] > 0.97 * found[1]


def test_ratings_of_a_weighted_blend_are_the_best_mixture_on_validation_rows():
    everything = random_split(tastes(3), ratio=0.8, valid=0.15)
    train, valid = everything.train, everything.valid
    blend = Blend(
        models=[{"name": "bias"}, {"name": "mean"}, {"name": "svd", "factors": 3}], fusion="weights"
    )
    blend.fit(train, valid=valid)
    members = [Bias().fit(train), Mean().fit(train), SVD(factors=3).fit(train)]
    pairs = valid.table()
    pairs = pairs.filter(
        pairs["user"].is_in(train.users.ids.implode()), pairs["item"].is_in(train.items.ids.implode())
    )
    said = np.stack([member.rate(pairs)["rating"].to_numpy() for member in members], axis=1)
    constant, *shares = blend.fitted.state.shares
    np.testing.assert_allclose(blend.rate(pairs)["rating"], constant + said @ shares)
    mixed = np.mean((pairs["value"].to_numpy() - constant - said @ shares) ** 2)
    alone = ((pairs["value"].to_numpy()[:, None] - said) ** 2).mean(axis=0)
    assert mixed <= alone.min()


def test_ratings_without_weights_are_the_mean_of_those_who_rate():
    train = tastes(4)
    blend = Blend(models=[{"name": "bias"}, {"name": "popularity"}, {"name": "mean"}]).fit(train)
    pairs = {"user": [3, 4], "item": [5, 6]}
    said = [model.fit(train).rate(pairs)["rating"].to_numpy() for model in (Bias(), Mean())]
    np.testing.assert_allclose(blend.rate(pairs)["rating"], np.mean(said, axis=0))
    assert not Blend(models=[{"name": "ease"}]).can("rate")


def test_a_history_told_without_ratings_counts_as_liked_for_those_who_need_ratings():
    train = tastes(5)
    blend = Blend(models=[{"name": "svd", "factors": 3}]).fit(train)
    alone = SVD(factors=3).fit(train)
    history = train.items.ids[:4].to_list()
    np.testing.assert_array_equal(
        np.argsort(-blend.score(histories=[history])), np.argsort(-alone.score(histories=[history]))
    )


@pytest.mark.parametrize("visible", ["softmax", "multinomial", "joint"])
def test_likes_told_without_ratings_are_no_worst_ratings_to_an_rbm_in_a_blend(visible: str):
    train = tastes(5)
    how = {"visible": visible, "hidden": 8, "epochs": 4, "batch": 16}
    alone = RBM(**how).fit(train)
    blend = Blend(models=[{"name": "rbm", **how}]).fit(train)
    histories = [train.items.ids[:4].to_list()]
    np.testing.assert_array_equal(
        np.argsort(-blend.score(histories=histories)), np.argsort(-alone.score(histories=histories))
    )
    pairs = {"user": [0, 0], "item": train.items.ids[4:6]}
    said = alone.rate(pairs, histories=histories)["rating"]
    np.testing.assert_allclose(blend.rate(pairs, histories=histories)["rating"], said)


def test_a_saved_blend_of_rating_models_answers_the_same(tmp_path):
    train = tastes(6)
    for fusion in ("ranks", "weights"):
        blend = Blend(models=[{"name": "svd", "factors": 3}, {"name": "bias"}], fusion=fusion).fit(train)
        loaded = palate.load_model(blend.save(tmp_path / fusion))
        assert np.array_equal(loaded.score(), blend.score())
        pairs = {"user": [1, 2], "item": [3, 4]}
        assert loaded.rate(pairs).equals(blend.rate(pairs))


def test_models_of_a_blend_are_checked_when_it_is_made():
    with pytest.raises(PlanError, match=r"no model is called 'eas'\. Did you mean 'ease'"):
        Blend(models=[{"name": "eas"}])
    with pytest.raises(PlanError, match="no parameter 'l3'"):
        Blend(models=[{"name": "ease", "l3": 1}])
    with pytest.raises(PlanError, match="needs a name"):
        Blend(models=[{"l2": 1}])
    with pytest.raises(PlanError, match="list those"):
        Blend(models=[{"name": "blend"}])
    with pytest.raises(PlanError, match="models"):
        Blend(models=[])


def test_a_rating_model_in_a_blend_needs_ratings():
    with pytest.raises(DataError, match="bias learns from ratings"):
        Blend(models=[{"name": "bias"}, {"name": "ease"}]).fit(rows().select("user", "item"))


def test_too_few_rows_to_take_some_out_leave_the_weights_equal():
    train = world(0, users=2, items=2, count=0)
    blend = Blend(models=[{"name": "popularity"}, {"name": "mean"}], fusion="weights").fit(train)
    assert np.isfinite(blend.score()).all()
