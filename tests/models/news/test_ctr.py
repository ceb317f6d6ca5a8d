"""The click rate so far: counted by hand, never ahead of its time, the same for anybody who asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import palate
from palate.datasets.simulate import NewsWorld, news_world
from palate.news import Impressions


@pytest.fixture(scope="module")
def world() -> NewsWorld:
    """Readers whose last impression tests, so that train holds later clicks of others, as in the recipes' world."""
    return news_world(users=40, articles=100, shown=10, impressions=4, popularity=2.0, seed=4)


def valid(world: NewsWorld) -> Impressions:
    assert world.dataset.valid is not None
    return world.dataset.valid


def events(part: Impressions) -> list[tuple[int, Any, bool]]:
    assert part.time is not None
    ids = part.articles.decode(part.candidate).to_list()
    return [
        (int(part.time[row]), one, bool(hit))
        for row, one, hit in zip(part.row_of, ids, part.labels, strict=True)
    ]


def counted(shown: Impressions, train: Impressions, strength: float, *, running: bool = True) -> list[float]:
    """The smoothed rate by hand: over all that happened in an earlier second."""
    learned = events(train)
    seen = learned + (events(shown) if running else [])
    found = []
    for time, one, _ in events(shown):
        before = [hit for when, _, hit in learned if when < time]
        mean = sum(before) / len(before) if before else 0.0
        mine = [hit for before, article, hit in seen if article == one and before < time]
        found.append((sum(mine) + strength * mean) / (len(mine) + strength))
    return found


@pytest.mark.parametrize("running", [True, False])
def test_the_click_rate_is_that_of_what_came_before(world: NewsWorld, running: bool):
    train, shown = world.dataset.train, valid(world)
    assert shown.time is not None
    assert train.time is not None
    assert shown.time.min() < train.time.max()  # the worlds overlap in time, so the future could be seen
    shown = replace(shown, time=shown.time // 3_600 * 3_600)  # seconds that several share
    model = palate.CTR(strength=7.0, running=running).fit(train, catalogue=world.dataset.articles)
    assert model.score_impressions(shown) == pytest.approx(
        counted(shown, train, 7.0, running=running), abs=1e-12
    )


def test_clicks_of_train_that_came_later_change_nothing(world: NewsWorld):
    """Labels of train that are others from a moment on, and more or fewer, change no score until then."""
    train, shown = world.dataset.train, valid(world)
    assert train.time is not None
    assert shown.time is not None
    moment = int(np.median(shown.time))
    later = (train.time >= moment)[train.row_of]
    rolled = train.labels.copy()
    rolled[later] = np.roll(rolled[later], 1)
    none = train.labels & ~later
    plain, *others = (
        palate.CTR().fit(replace(train, clicked=labels)).score_impressions(shown)
        for labels in (train.labels, rolled, none)
    )
    until = (shown.time <= moment)[shown.row_of]
    for scores in others:
        assert (plain[until] == scores[until]).all()
        assert (plain[~until] != scores[~until]).any()


def test_clicks_so_far_are_counted(world: NewsWorld):
    train, shown = world.dataset.train, valid(world)
    late = replace(shown, time=None)
    clicks = palate.CTR(of="clicks").fit(train).score_impressions(late)
    of_article = dict.fromkeys(train.articles.ids, 0)
    for article in train.articles.decode(train.candidate[train.labels]):
        of_article[article] += 1
    assert clicks.tolist() == [of_article.get(one, 0) for one in shown.articles.decode(shown.candidate)]


def test_what_has_no_time_is_scored_by_all_of_train(world: NewsWorld):
    train, shown = world.dataset.train, valid(world)
    timeless = palate.CTR().fit(replace(train, time=None))
    timed = palate.CTR().fit(train)
    late = replace(shown, time=np.full(len(shown), np.iinfo(np.int64).max))
    for other in (late, replace(shown, time=None)):
        assert (timed.score_impressions(other) == timeless.score_impressions(other)).all()


def test_a_rate_that_does_not_run_stands_still(world: NewsWorld):
    shown = valid(world)
    model = palate.CTR(running=False).fit(world.dataset)
    turned = replace(shown, clicked=~shown.labels)
    assert (model.score_impressions(shown) == model.score_impressions(turned)).all()


def test_moments_are_saved_and_stay_with_their_articles(world: NewsWorld, tmp_path: Path):
    shown = valid(world)
    model = palate.CTR().fit(world.dataset)
    scores = model.score_impressions(shown)
    assert (palate.load_model(model.save(tmp_path / "m")).score_impressions(shown) == scores).all()
    first = palate.Catalogue.from_table(
        {"item": ["A", "N0500"], "category": ["", ""], "title": ["new", "new"]}, name="title", text=["title"]
    )
    assert (model.with_articles(first).score_impressions(shown) == scores).all()


def test_it_answers_anybody(world: NewsWorld):
    model = palate.CTR().fit(world.dataset)
    some = world.dataset.articles.table["item"].head(6).to_list()
    known = model.rank([world.dataset.train.users.ids[0]], [some])
    assert model.rank([[]], [some])["item"].to_list() == known["item"].to_list()
    assert (model.score(histories=[[]], items=some) == model.score(items=some)[:1]).all()
    assert len(model.recommend(histories=[[]], k=3)) == 3
