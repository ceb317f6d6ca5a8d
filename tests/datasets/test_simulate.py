"""Planted worlds: what is planted is there, and the oracle's figures are those of its lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from palate import split
from palate.datasets.simulate import MarkovWorld, NewsWorld, markov_world, news_world
from palate.datasets.simulate.news import _TOPICS
from palate.errors import DataError
from palate.evaluation import evaluate
from palate.kernels import impressions
from palate.models.registry import create
from palate.news import Impressions


def oracle_hits(world: MarkovWorld, k: int) -> np.ndarray:
    """Whether the last item of each user is among the oracle's k."""
    histories = world.interactions.table().sort("time").group_by("user").agg("item")["item"].to_list()
    return np.array([history[-1] in world.best(history[:-1], k) for history in histories])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_oracle_hits_as_often_as_the_closed_form_says(order: int, k: int) -> None:
    world = markov_world(users=3_000, order=order, seed=3)
    hits = oracle_hits(world, k)
    assert hits.mean() == pytest.approx(
        world.hit(k), abs=4 * np.sqrt(0.25 / 3_000) * (world.hit(k) < 1) + 1e-9
    )


def test_expected_ndcg_is_the_sum_over_ranks() -> None:
    world = markov_world(users=10)
    assert world.ndcg(2) == pytest.approx(0.4 + 0.25 / np.log2(3))
    assert world.ndcg(1) == world.hit(1) == 0.4
    assert world.hit(3, order=2) == world.hit(3)


@pytest.mark.parametrize("order", [1, 2])
def test_transitions_have_the_planted_probabilities(order: int) -> None:
    world = markov_world(users=5_000, order=order, seed=1)
    place = np.argsort(world.ring)
    histories = world.interactions.histories()
    at = place[world.interactions.items.ids.to_numpy()[histories.item] - 1].reshape(5_000, 20)
    jump = np.searchsorted(world.jumps, np.diff(at, axis=1) % 200)
    share = np.bincount(jump.ravel(), minlength=6) / jump.size
    if order == 1:
        assert share == pytest.approx(world.probabilities, abs=0.005)
    else:
        assert share == pytest.approx(np.full(6, 1 / 6), abs=0.005)
        assert world.hit(3, order=1) == pytest.approx(0.5)
        after = np.bincount(((jump[:, 1:] - jump[:, :-1]) % 6).ravel(), minlength=6) / jump[:, 1:].size
        assert after == pytest.approx(world.probabilities, abs=0.005)


def test_nobody_meets_an_item_twice_and_every_item_is_as_popular() -> None:
    table = markov_world(users=4_000, seed=2).interactions.table()
    assert table.select("user", "item").is_duplicated().sum() == 0
    counts = table.group_by("item").agg(pl.len())["len"].to_numpy()
    assert len(counts) == 200
    assert counts.std() < 0.1 * counts.mean()


def test_popularity_knows_nothing_of_it() -> None:
    world = markov_world(seed=5)
    parts = split.last_out(world.interactions, valid=True)
    found = evaluate(create("popularity").fit(parts.train), parts, metrics="hit", k=3, bootstrap=0)
    assert found.estimates["hit@3"].mean < 0.05 < world.hit(3)


def test_a_seed_is_a_world() -> None:
    one, same, other = markov_world(seed=1), markov_world(seed=1), markov_world(seed=2)
    assert one.dataset.fingerprint == same.dataset.fingerprint != other.dataset.fingerprint


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"probabilities": (0.5, 0.2, 0.1, 0.1, 0.05, 0.04)}, "together 1"),
        ({"probabilities": (1.0,)}, "one a jump"),
        ({"jumps": (1, 1, 2, 3, 4, 5)}, "distinct"),
        ({"items": 171}, "more than 171"),
    ],
)
def test_a_world_that_cannot_be_is_refused(asked: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        markov_world(**asked)


def test_a_history_that_the_world_does_not_know_is_refused() -> None:
    world = markov_world(users=10, order=2)
    with pytest.raises(DataError, match="needs the last 2"):
        world.best([3], 2)
    with pytest.raises(DataError, match="nobody goes"):
        world.best([int(world.ring[0]), int(world.ring[100])], 2)


# --- news ---------------------------------------------------------------------------------------------------


def auc(shown: Impressions, scores: NDArray[np.float64]) -> float:
    return float(np.nanmean(impressions.measure(shown.indptr, shown.labels, scores, np.array([5]))[0]))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_law_of_clicks_bounds_what_can_be_reached(seed: int):
    world = news_world(seed=seed)
    valid = world.dataset.valid
    assert valid is not None
    assert auc(valid, world.scores(valid)) == pytest.approx(0.93, abs=0.01)
    assert auc(valid, world.scores(valid, personal=False)) == pytest.approx(0.885, abs=0.01)
    assert (valid.clicks_of == 1).all()
    equal = news_world(seed=seed, weight=0.5)
    shown = equal.dataset.train
    assert (equal.scores(shown) == equal.scores(shown, personal=False)).all()


def test_titles_say_the_topics_and_histories_the_likes():
    world = news_world(users=300, seed=3)
    for row in range(20):
        title = world.dataset.articles.table["title"][row].split()
        named = {word.rstrip("0123456789") for word in title}
        assert named == {_TOPICS[facet][world.topic[row, facet]] for facet in range(2)} | {"common"}
    train = world.dataset.train
    read = train.articles.ids.str.slice(1).cast(pl.Int64).to_numpy()[train.histories.item]
    users = np.repeat(np.arange(300), 8)
    share = (world.topic[read] == world.likes[users]).mean(axis=0)
    liked = world.liked(7)
    assert liked[0] in {"sport", "money", "health", "travel", "music", "science"}
    assert liked[1] in {"north", "south", "east", "west", "coast", "hills"}
    # Drawn with equal weights: neither facet is likelier, and both far likelier than one in six.
    assert share[0] == pytest.approx(share[1], abs=0.05)
    assert (share > 0.5).all()


@pytest.fixture(scope="module")
def mind_like() -> NewsWorld:
    return news_world(
        like_mind=True, users=4_700, articles=36_000, impressions=2, history=32, shown=24, popularity=0.6,
        sharpness=3, common_words=20_000, seed=1,
    )  # fmt: skip


def gini(counts: NDArray[np.int64]) -> float:
    counts = np.sort(counts)
    return float(
        (2 * np.arange(1, len(counts) + 1) - len(counts) - 1) @ counts / (len(counts) * counts.sum())
    )


def test_a_world_like_mind_has_its_spread(mind_like: NewsWorld):
    """Beside what was measured on MIND's sample of 5,000 impressions."""
    train, valid = mind_like.dataset.train, mind_like.dataset.valid
    assert valid is not None
    # candidates: median 24, 95th percentile 120; 3.98 % clicked; 1.51 clicks, 72.5 % with one
    assert np.median(train.sizes) == pytest.approx(24, abs=2)
    assert np.percentile(train.sizes, 95) == pytest.approx(120, rel=0.1)
    assert train.n_clicks / train.n_candidates == pytest.approx(0.04, abs=0.005)
    assert train.clicks_of.mean() == pytest.approx(1.51, abs=0.08)
    assert (train.clicks_of == 1).mean() == pytest.approx(0.725, abs=0.03)
    # histories: 32 on average, median 18, 18.7 % above 50, 2.1 % none
    lengths = valid.histories.lengths[valid.history_of]
    assert lengths.mean() == pytest.approx(32, abs=3)
    assert np.median(lengths) == pytest.approx(18, abs=2)
    assert (lengths > 50).mean() == pytest.approx(0.187, abs=0.03)
    assert (lengths == 0).mean() == pytest.approx(0.021, abs=0.01)
    # what was read: Gini 0.707, 60.3 % of it by a tenth of the articles, 39.0 % of them once
    counts = np.sort(np.bincount(train.interactions().item))[::-1]
    assert gini(counts) == pytest.approx(0.707, abs=0.03)
    assert counts[: len(counts) // 10].sum() / counts.sum() == pytest.approx(0.603, abs=0.03)
    assert (counts == 1).mean() == pytest.approx(0.39, abs=0.05)
    # a click falls 6.5 hours (median) after the article was first shown, 87 % within a day, 94 % within two
    assert train.time is not None
    age = (train.time[train.row_of] - train.first_seen()[train.candidate])[train.labels] / 3_600
    assert np.median(age) == pytest.approx(6.5, abs=1)
    assert (age < 24).mean() == pytest.approx(0.87, abs=0.04)
    assert (age < 48).mean() == pytest.approx(0.94, abs=0.04)
    distinct = np.unique(train.row_of.astype(np.int64) * len(train.articles) + train.candidate)
    assert len(distinct) == train.n_candidates


def test_in_a_world_like_mind_click_rates_and_words_tell_as_little_as_there(mind_like: NewsWorld):
    early, late = mind_like.dataset.train.before(0.8)
    found = {}
    for name in ("ctr", "content"):
        model = create(name).fit(early, catalogue=mind_like.dataset.articles)
        found[name] = auc(late, np.asarray(model.score_impressions(late), np.float64))
    # the sample's last fifth: 0.556 by the click rate; 0.593 by the cosine of words, of those that have text
    assert found["ctr"] == pytest.approx(0.556, abs=0.04)
    assert found["content"] == pytest.approx(0.58, abs=0.04)
    assert auc(late, mind_like.scores(late)) > 0.75


def test_titles_like_mind_s_are_as_long_and_their_words_as_unlike(mind_like: NewsWorld):
    told = mind_like.dataset.articles.table["title"].str.split(" ")
    # measured on MIND's sample: 11.8 words, deviation 3.7, median 11, 95th percentile 18, at most 29
    lengths = told.list.len().to_numpy()
    assert lengths.mean() == pytest.approx(11.8, abs=0.2)
    assert lengths.std() == pytest.approx(3.7, abs=0.2)
    assert np.median(lengths) == pytest.approx(11, abs=1)
    assert np.percentile(lengths, 95) == pytest.approx(18, abs=1)
    words = told.explode()
    common = words.filter(words.str.starts_with("common")).value_counts(sort=True)["count"].to_numpy()
    rank = np.arange(1, len(common) + 1)
    some = slice(0, 300)
    slope = np.polyfit(np.log(rank[some] + 2.7), np.log(common[some]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)  # Zipf's law in Mandelbrot's form
    # The words of both topics are there, wherever they stand.
    for row in range(20):
        stems = {word.rstrip("0123456789") for word in told[row]}
        liked = {_TOPICS[facet][mind_like.topic[row, facet]] for facet in range(2)}
        assert liked <= stems <= liked | {"common"}


def test_nothing_is_shown_or_read_before_it_is_there(mind_like: NewsWorld):
    assert mind_like.birth is not None
    assert (np.diff(mind_like.birth) >= 0).all()
    assert mind_like.dataset.valid is not None
    first: dict[str, int] = {}
    for part in (mind_like.dataset.train, mind_like.dataset.valid):
        assert part.time is not None
        born = mind_like.birth[part.articles.ids.str.slice(1).cast(pl.Int64).to_numpy()]
        assert (born[part.candidate] <= part.time[part.row_of]).all()
        for user, time in zip(part.users.decode(part.user), part.time.tolist(), strict=True):
            first[user] = min(first.get(user, time), time)
    for part in (mind_like.dataset.train, mind_like.dataset.valid):
        born = mind_like.birth[part.articles.ids.str.slice(1).cast(pl.Int64).to_numpy()]
        past = part.histories.select(part.history_of)
        readers = part.users.decode(np.repeat(part.user, past.lengths)).to_list()
        assert (born[past.item] <= np.array([first[one] for one in readers])).all()


def test_the_plain_world_is_the_one_that_figures_were_told_of():
    """Recorded from the world that benchmarks/results/news-planted.json and the tutorial's figures are of."""
    plain = news_world(users=50, articles=200, seed=5).dataset
    assert plain.fingerprint == "b1adbf7458f6e793175b6c1ce840551286b28d3c915de6c51f9245be7d968b2c"


def test_a_seed_is_a_news_world():
    one, same, other = (news_world(users=50, articles=200, seed=seed) for seed in (5, 5, 6))
    assert one.dataset.fingerprint == same.dataset.fingerprint != other.dataset.fingerprint
    with pytest.raises(DataError, match="weight"):
        news_world(weight=0.1)
    with pytest.raises(DataError, match="4 x shown"):
        news_world(articles=50)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"facets": 0}, "facets = 0"),
        ({"facets": 11}, "1 to 10 facets"),
        ({"topics": 27}, "of 1 to 26 topics"),
        ({"history": -1}, "history = -1"),
        ({"sharpness": 0.0}, "sharpness above 0"),
        ({"popularity": float("nan")}, "popularity = nan"),
    ],
)
def test_numbers_that_make_no_news_world_are_refused(numbers: dict[str, Any], said: str):
    with pytest.raises(DataError, match=said):
        news_world(**numbers)


def test_each_topic_has_words_of_its_own():
    world = news_world(users=20, articles=400, facets=4, topics=26, shown=5, seed=1)
    stems = {
        word.rstrip("0123456789") for title in world.dataset.articles.table["title"] for word in title.split()
    }
    assert len(stems - {"common"}) == len({(f, t) for row in world.topic for f, t in enumerate(row)})
