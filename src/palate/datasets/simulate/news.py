"""Readers who are shown articles, and click by a known law.

An article has a topic in each of some facets (a subject and a place, say), words of its topics in its title, and words
that mean nothing. A reader likes one topic of each facet, and one facet counts most: whoever knows the words alone, and
not for whom they count, falls short of the best that can be reached. In an impression each click is drawn by

    softmax( sharpness x sum over facets of weight x [the article has the liked topic] + popularity x a normal number )

while histories are drawn with equal weights, so that they tell what a reader likes and not which facet counts: that
only the reader's own clicks in train tell, through the reader's id.

    world = news_world(seed=1)
    world.dataset.valid  # the last impression of each reader
    world.scores(world.dataset.valid)  # of the best possible model; personal=False: of who weighs all facets alike
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.catalogue import Catalogue
from palate.datasets.newsdata import NewsDataset
from palate.errors import DataError
from palate.news import Impressions

_START = 1_573_171_200  # 2019-11-08, when MIND's train begins
_HOUR = 3_600
_TOPICS = (
    (
        "sport",
        "money",
        "health",
        "travel",
        "music",
        "science",
        "food",
        "film",
        "cars",
        "law",
        "home",
        "games",
    ),
    (
        "north",
        "south",
        "east",
        "west",
        "coast",
        "hills",
        "river",
        "desert",
        "forest",
        "island",
        "valley",
        "plain",
    ),
)


@dataclass(frozen=True, eq=False)
class NewsWorld:
    """Articles, readers, what they were shown, and the law of their clicks."""

    dataset: NewsDataset
    """valid is the last impression of each reader"""
    topic: NDArray[np.int64]
    """(articles, facets) the topic of each article, in the order of ids"""
    likes: NDArray[np.int64]
    """(users, facets) the topic that each reader likes, in the order of ids"""
    weights: NDArray[np.float64]
    """(users, facets) how much a facet counts, together 1"""
    popularity: NDArray[np.float64]
    """(articles) what all readers see in an article, as it enters the law"""
    sharpness: float

    def scores(self, shown: Impressions, *, personal: bool = True) -> NDArray[np.float64]:
        """Return the law's scores of impressions of this world, (candidates): no model orders them better.

        personal: with each reader's own weights; else with equal ones, as who knows the likes and not the weights.
        """
        articles = shown.articles.ids.str.slice(1).cast(pl.Int64).to_numpy()[shown.candidate]
        users = shown.users.ids.str.slice(1).cast(pl.Int64).to_numpy()[shown.user][shown.row_of]
        same = self.topic[articles] == self.likes[users]
        weights = self.weights[users] if personal else 1 / self.topic.shape[1]
        found: NDArray[np.float64] = self.sharpness * (weights * same).sum(axis=1) + self.popularity[articles]
        return found

    def liked(self, user: int) -> tuple[str, ...]:
        """Return the topic that a reader likes of each facet, as its words begin: `sport` of `sport07`."""
        return tuple(_name(facet, int(topic)) for facet, topic in enumerate(self.likes[user]))


def news_world(
    *,
    users: int = 2_000,
    articles: int = 5_000,
    impressions: int = 6,
    shown: int = 25,
    history: int = 8,
    facets: int = 2,
    topics: int = 6,
    topic_words: int = 30,
    title_words: int = 2,
    common_words: int = 1_000,
    weight: float = 0.9,
    sharpness: float = 6.0,
    popularity: float = 0.3,
    like_mind: bool = False,
    seed: int = 0,
) -> NewsWorld:
    """Make a planted news world.

    Args:
        users: readers. articles: of all time. impressions: of each reader (like_mind: on average).
        shown: candidates of an impression (like_mind: the median). history: clicks before the first impression.
        facets, topics: topics of each facet. topic_words: words of a topic. title_words: of each facet in a title;
            as many common words as these together stand beside them. common_words: how many there are.
        weight: of the facet that counts most for a reader; the others share the rest. 1 / facets: nobody has one.
        sharpness, popularity: of the law.
        like_mind: give impressions, histories and clicks the spread of MIND's sample, and articles a birth after which
            they are shown for a day or two, the better liked the more often; else every impression has one click,
            every reader the same history and any article may be shown at any time.
        seed: another seed, another world.

    Raises:
        DataError: numbers that make no world.

    Time: 2 s and 1 GB for a million impressions of 25.

    >>> world = news_world(users=10, articles=100)
    >>> len(world.dataset.train), len(world.dataset.valid)
    (50, 10)

    """
    if not 1 / facets <= weight <= 1:
        raise DataError(f"weight = {weight}: expected a number from 1 / facets ({1 / facets:g}) to 1.")
    if min(users, topics, topic_words, title_words, common_words) < 1 or impressions < 2 or shown < 2:
        raise DataError(
            "expected at least one user, topic and word, 2 impressions a user and 2 articles in each."
        )
    if articles < 4 * shown:
        raise DataError(f"articles = {articles}: expected at least 4 x shown = {4 * shown}.")
    rng = np.random.default_rng(seed)
    topic = rng.integers(0, topics, (articles, facets))
    likes = rng.integers(0, topics, (users, facets))
    weights = np.full((users, facets), (1 - weight) / max(facets - 1, 1))
    weights[np.arange(users), rng.integers(0, facets, users)] = weight
    liking = popularity * rng.normal(size=articles)
    law = _Law(rng, topic, likes, liking, sharpness, like_mind=like_mind)

    spread = (
        np.full(users, impressions)
        if not like_mind
        else 1 + rng.poisson(_activity(rng, users, impressions - 1))
    )
    user = np.repeat(np.arange(users), spread)
    time = _START + np.sort(rng.integers(0, 7 * 24 * _HOUR, len(user)))
    user = user[rng.permutation(len(user))]  # so that each reader's moments are spread over the week
    sizes = np.full(len(user), shown)
    if like_mind:
        sizes = np.clip(
            np.exp(rng.normal(np.log(shown), 0.98, len(user))), 2, min(300, articles // 4)
        ).astype(np.int64)
    candidates, clicked = law.impressions(user, time, sizes, weights)

    lengths = np.full(users, history)
    if like_mind:  # 2 % of readers are new
        lengths = np.where(rng.random(users) < 0.02, 0, rng.poisson(_activity(rng, users, history)) + 1)
    past = law.histories(np.repeat(np.arange(users), lengths))

    width = len(str(max(users, articles)))
    ids = pl.Series([f"N{n:0{width}}" for n in range(articles)])
    people = pl.Series([f"U{n:0{width}}" for n in range(users)])
    whole = Impressions.of_lists(
        people.gather(user), _nested(ids.gather(past), lengths), _nested(ids.gather(candidates), sizes), clicked,
        time, history_of=user.astype(np.int32),
    )  # fmt: skip
    last = np.zeros(len(user), np.bool_)
    last[len(user) - 1 - np.unique(user[::-1], return_index=True)[1]] = True
    catalogue = Catalogue.from_table(
        {
            "item": ids,
            "category": [_name(0, n) for n in topic[:, 0]],
            "title": _titles(rng, topic, topic_words, title_words, common_words),
        },
        name="title",
        text=("title",),
    )
    dataset = NewsDataset(
        "news-world", catalogue, whole.select(~last), whole.select(last),
        licence="made up: no rights in it", source="palate.datasets.simulate",
    )  # fmt: skip
    return NewsWorld(dataset, topic, likes, weights, liking, sharpness)


@dataclass
class _Law:
    """Draws what is shown and what is clicked, in pieces that fit into memory."""

    rng: np.random.Generator
    topic: NDArray[np.int64]
    likes: NDArray[np.int64]
    liking: NDArray[np.float64]
    sharpness: float
    like_mind: bool

    def impressions(
        self,
        user: NDArray[np.int64],
        time: NDArray[np.int64],
        sizes: NDArray[np.int64],
        weights: NDArray[np.float64],
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return candidates and clicks, each (sum of sizes)."""
        found, hits = [], []
        clicks = np.ones(len(user), np.int64)
        if self.like_mind:
            clicks = np.minimum(self.rng.geometric(0.66, len(user)), sizes - 1)
        birth = np.sort(self.rng.integers(_START - 48 * _HOUR, _START + 7 * 24 * _HOUR, len(self.liking)))
        for rows in _pieces(sizes):
            widest = int(sizes[rows].max())
            shown = self._shown(time[rows], widest, birth)
            there = np.arange(widest) < sizes[rows][:, None]
            utility = self._utility(user[rows][:, None], shown, weights[user[rows]][:, None, :])
            # The n largest of utility + Gumbel noise are n draws of the softmax without replacement.
            noisy = np.where(there, utility + self.rng.gumbel(size=utility.shape), -np.inf)
            rank = np.argsort(np.argsort(-noisy, axis=1), axis=1)
            found.append(shown[there])
            hits.append((rank < clicks[rows][:, None])[there])
        return np.concatenate(found), np.concatenate(hits)

    def histories(self, user: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one click for each row: of 25 articles, by a law that weighs all facets alike."""
        found = []
        for rows in _pieces(np.full(len(user), 25)):
            shown = self.rng.integers(0, len(self.liking), (len(rows), 25))
            utility = self._utility(user[rows][:, None], shown, 1 / self.topic.shape[1])
            best = np.argmax(utility + self.rng.gumbel(size=utility.shape), axis=1)
            found.append(shown[np.arange(len(rows)), best])
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _utility(
        self, user: NDArray[np.int64], shown: NDArray[np.int64], weights: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        same = self.topic[shown] == self.likes[user]  # (rows, candidates, facets)
        found: NDArray[np.float64] = self.sharpness * (weights * same).sum(axis=2) + self.liking[shown]
        return found

    def _shown(self, time: NDArray[np.int64], widest: int, birth: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return distinct articles for each moment, (moments, widest)."""
        n, moments = len(self.liking), len(time)
        if not self.like_mind:
            return _distinct(self.rng, self.rng.integers(0, n, (moments, widest)), n)
        # Median age 6.5 hours, 87 % within a day; what is liked more is shown again and older.
        age = np.exp(self.rng.normal(np.log(6.5), 1.15, (moments, widest))) * _HOUR
        place = np.searchsorted(birth, time[:, None] - age).clip(0, n - 1)
        nearby = max(n // (9 * 24), 4)  # articles of an hour
        other = (place + self.rng.integers(-nearby, nearby + 1, place.shape)).clip(0, n - 1)
        place = np.where(self.liking[other] > self.liking[place], other, place)
        return _distinct(self.rng, place, n)


def _distinct(rng: np.random.Generator, drawn: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return rows of distinct numbers: what repeats in a row is drawn again, ever further away, until nothing does."""
    reach = 4
    while True:
        reach = min(2 * reach, n)
        order = np.argsort(drawn, axis=1, kind="stable")
        ordered = np.take_along_axis(drawn, order, 1)
        again = np.zeros(drawn.shape, np.bool_)
        np.put_along_axis(again[:, :], order[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
        count = int(again.sum())
        if not count:
            return drawn
        drawn[again] = (drawn[again] + rng.integers(-reach, reach + 1, count)) % n


def _pieces(sizes: NDArray[np.int64], cells: int = 2**21) -> Iterator[NDArray[np.int64]]:
    """Yield places of rows, some at a time."""
    total = np.cumsum(sizes)
    for piece in range(int(total[-1] // cells) + 1 if len(sizes) else 0):
        rows = np.flatnonzero((total > piece * cells) & (total <= (piece + 1) * cells))
        if len(rows):
            yield rows


def _activity(rng: np.random.Generator, users: int, mean: float) -> NDArray[np.float64]:
    """Return log-normal numbers of deviation 1 with a mean."""
    return np.exp(rng.normal(np.log(mean) - 0.5, 1, users))


def _name(facet: int, topic: int) -> str:
    """Return the word of a topic, without a number."""
    named = _TOPICS[facet] if facet < len(_TOPICS) else ()
    return (
        named[topic]
        if topic < len(named)
        else f"facet{'abcdefghij'[facet % 10]}topic{'abcdefghijklmnopqrstuvwxyz'[topic % 26]}"
    )


def _titles(
    rng: np.random.Generator, topic: NDArray[np.int64], topic_words: int, title_words: int, common_words: int
) -> pl.Series:
    """Return titles: words of each facet's topic and as many common ones, in any order."""
    facets = topic.shape[1]
    names = np.array([[_name(f, t) for t in range(int(topic.max()) + 1)] for f in range(facets)])
    named = np.repeat(
        names[np.arange(facets), topic], title_words, axis=1
    )  # (articles, facets x title_words)
    number = rng.integers(0, topic_words, named.shape)
    common = rng.integers(0, common_words, named.shape)
    words = np.concatenate(
        [
            np.char.add(named, np.char.zfill(number.astype(str), 2)),
            np.char.add("common", np.char.zfill(common.astype(str), 3)),
        ],
        axis=1,
    )
    words = rng.permuted(words, axis=1)
    return pl.Series([" ".join(row) for row in words])


def _nested(flat: pl.Series, sizes: NDArray[np.int64]) -> pl.Series:
    """Return lists of so many members."""
    frame = pl.DataFrame({"row": np.repeat(np.arange(len(sizes)), sizes), "one": flat})
    lists = frame.group_by("row", maintain_order=True).agg("one")
    whole = pl.DataFrame({"row": np.arange(len(sizes))}).join(
        lists, on="row", how="left", maintain_order="left"
    )
    return whole["one"].fill_null([])
