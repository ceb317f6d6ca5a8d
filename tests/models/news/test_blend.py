"""The blend of news: standardised inside an impression, weighed by the end of train, without a look at the test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import palate
from palate.datasets.simulate import NewsWorld, news_world
from palate.errors import DataError, PlanError
from palate.models.news import NewsBlend
from palate.models.news.blend import within
from palate.news import Impressions


@pytest.fixture(scope="module")
def world() -> NewsWorld:
    """Readers differ, and articles are better or worse liked by all: words and click rate each tell a part."""
    return news_world(users=600, articles=200, impressions=6, shown=10, popularity=1.0, sharpness=6.0, seed=2)


def auc(model: palate.Recommender, shown: Impressions) -> float:
    return palate.evaluate_impressions(model, shown, bootstrap=0).estimate("impression_auc").mean


def test_words_and_click_rate_together_beat_each(world: NewsWorld) -> None:
    news = world.dataset
    assert news.valid is not None
    alone = [auc(palate.models.create(name).fit(news), news.valid) for name in ("ctr", "content")]
    blend = NewsBlend().fit(news)
    assert auc(blend, news.valid) > max(alone) + 0.01
    assert (blend.fitted.state.weights > 0).all()


def test_a_blend_of_one_orders_as_the_one(world: NewsWorld) -> None:
    news = world.dataset
    assert news.valid is not None
    one = palate.models.create("content").fit(news)
    blend = NewsBlend(models=[{"name": "content"}]).fit(news)
    assert auc(blend, news.valid) == pytest.approx(auc(one, news.valid), abs=1e-12)
    assert (
        blend.recommend(users=["U001"], k=5)["item"].to_list()
        == one.recommend(users=["U001"], k=5)["item"].to_list()
    )


def test_candidates_are_ranked_as_an_impression_that_shows_them(world: NewsWorld) -> None:
    """Standardised over the candidates, not over the catalogue: so the order is that of the score of an impression."""
    news = world.dataset
    assert news.valid is not None
    blend = NewsBlend().fit(news)
    shown = replace(news.valid.select(np.arange(60)), time=None)  # what comes next, by all of train
    scores = np.split(np.asarray(blend.score_impressions(shown)), shown.indptr[1:-1])
    past = shown.histories.select(shown.history_of)
    for row in range(len(shown)):
        some = shown.articles.decode(shown.candidate[shown.indptr[row] : shown.indptr[row + 1]]).to_list()
        read = shown.articles.decode(past.item[past.indptr[row] : past.indptr[row + 1]]).to_list()
        assert blend.score(histories=[read], items=some)[0] == pytest.approx(scores[row], abs=1e-9)
        ranked = blend.rank([read], [some])
        assert ranked["item"].to_list() == [some[place] for place in np.lexsort((some, -scores[row]))]


def test_a_reader_without_a_history_is_answered_as_by_its_click_rate(world: NewsWorld) -> None:
    news = world.dataset
    blend, ctr = NewsBlend().fit(news), palate.CTR().fit(news)
    some = news.articles.table["item"].head(8).to_list()
    assert blend.rank([[]], [some])["item"].to_list() == ctr.rank([[]], [some])["item"].to_list()


def test_weights_are_those_of_train_alone(world: NewsWorld) -> None:
    """What comes after train changes neither the weights nor what is scored of earlier seconds."""
    news = world.dataset
    early, late = news.train.before(0.7)
    other = replace(late, clicked=~late.labels)
    blends = [NewsBlend().fit(early, valid=part, catalogue=news.articles) for part in (late, other)]
    assert np.array_equal(blends[0].fitted.state.weights, blends[1].fitted.state.weights)


def test_it_is_saved_and_knows_new_articles(world: NewsWorld, tmp_path: Path) -> None:
    news = world.dataset
    assert news.valid is not None
    blend = NewsBlend().fit(news)
    again = palate.load_model(blend.save(tmp_path / "m"))
    assert np.array_equal(again.score_impressions(news.valid), blend.score_impressions(news.valid))
    fresh = palate.Catalogue.from_table(
        {"item": ["today"], "category": [""], "title": [news.articles.table["title"][0]]},
        name="title",
        text=["title"],
    )
    wider = blend.with_articles(fresh)
    assert wider.score_impressions(news.valid) == pytest.approx(blend.score_impressions(news.valid))
    assert "today" in wider.items.ids


def test_scores_are_standard_inside_an_impression_and_the_unknown_has_none(world: NewsWorld) -> None:
    shown = world.dataset.train.select(np.arange(20))
    rng = np.random.default_rng(0)
    scores = rng.normal(5, 3, shown.n_candidates)
    scores[3] = -np.inf
    scores[shown.indptr[4] : shown.indptr[5]] = 7.0  # all alike
    found = within(shown, scores)
    assert found[3] == 0
    for row in range(20):
        mine = found[shown.indptr[row] : shown.indptr[row + 1]]
        kept = mine[np.isfinite(scores[shown.indptr[row] : shown.indptr[row + 1]])]
        assert kept.mean() == pytest.approx(0, abs=1e-12)
        assert kept.std() == pytest.approx(0 if row == 4 else 1, abs=1e-12)


def test_what_it_cannot_blend_is_refused(world: NewsWorld) -> None:
    with pytest.raises(PlanError, match="popularity learns from no impressions"):
        NewsBlend(models=[{"name": "popularity"}])
    with pytest.raises(PlanError, match="blend of blends"):
        NewsBlend(models=[{"name": "news_blend"}])
    timeless = replace(world.dataset.train, time=None)
    with pytest.raises(DataError, match="have no times"):
        NewsBlend().fit(timeless, catalogue=world.dataset.articles)
