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

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.catalogue import Catalogue
from palate.datasets.newsdata import NewsDataset
from palate.datasets.simulate.law import FAME, HOUR, START, Law, births
from palate.errors import DataError
from palate.news import Impressions

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
_FACETS, _LETTERS = "abcdefghij", "abcdefghijklmnopqrstuvwxyz"
"""name facets and topics that have no word"""


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
    birth: NDArray[np.int64] | None = None
    """(articles) the second from which each may be shown, ascending; None where any may be shown at any time"""

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
        like_mind: give impressions, clicks, histories and titles the spread of MIND's sample (titles of 12 words on
            average, words by Zipf's law), and articles fame and a birth: three in four are of the weeks before and
            stand in histories, the others are shown from their birth on for a day or two, famous ones the oftener. Else
            every impression has one click, every reader the same history, every title as many words, and any article
            may be shown at any time. Nearest to the sample (of 5,000 impressions) are users=4_700, articles=36_000,
            impressions=2, history=32, shown=24, popularity=0.6, sharpness=3, common_words=20_000.
        seed: another seed, another world.

    Raises:
        DataError: numbers that make no world.

    Time: 2 s and 1 GB for a million impressions of 25.

    >>> world = news_world(users=10, articles=100)
    >>> len(world.dataset.train), len(world.dataset.valid)
    (50, 10)

    """
    named = len(_FACETS), len(_LETTERS)
    if not (1 <= facets <= named[0] and 1 <= topics <= named[1]):
        raise DataError(
            f"facets = {facets}, topics = {topics}: expected 1 to {named[0]} facets of 1 to {named[1]} topics, which "
            "have words of their own."
        )
    if not 1 / facets <= weight <= 1:
        raise DataError(f"weight = {weight}: expected a number from 1 / facets ({1 / facets:g}) to 1.")
    if min(users, topics, topic_words, title_words, common_words) < 1 or impressions < 2 or shown < 2:
        raise DataError(
            "expected at least one user, topic and word, 2 impressions a user and 2 articles in each."
        )
    if history < 0 or not (0 < sharpness < np.inf and 0 <= popularity < np.inf):
        raise DataError(
            f"history = {history}, sharpness = {sharpness}, popularity = {popularity}: expected no negative "
            "number, and sharpness above 0."
        )
    if articles < 4 * shown:
        raise DataError(f"articles = {articles}: expected at least 4 x shown = {4 * shown}.")
    rng = np.random.default_rng(seed)
    topic = rng.integers(0, topics, (articles, facets))
    likes = rng.integers(0, topics, (users, facets))
    weights = np.full((users, facets), (1 - weight) / max(facets - 1, 1))
    weights[np.arange(users), rng.integers(0, facets, users)] = weight
    fame = rng.normal(size=articles)
    liking = popularity * fame
    law = Law(rng, topic, likes, liking, np.exp(FAME * fame), sharpness, like_mind=like_mind)

    spread = (
        np.full(users, impressions)
        if not like_mind
        else 1 + rng.poisson(_activity(rng, users, impressions - 1))
    )
    user = np.repeat(np.arange(users), spread)
    time = START + np.sort(rng.integers(0, 7 * 24 * HOUR, len(user)))
    user = user[rng.permutation(len(user))]  # so that each reader's moments are spread over the week
    sizes = np.full(len(user), shown)
    if like_mind:
        sizes = np.clip(
            np.exp(rng.normal(np.log(shown), 0.98, len(user))), 2, min(300, articles // 4)
        ).astype(np.int64)
    birth = births(rng, articles, like_mind=like_mind)
    candidates, clicked = law.impressions(user, time, sizes, weights, birth)

    lengths = np.full(users, history)
    if like_mind:  # 2 % of readers are new
        read = rng.poisson(_activity(rng, users, max(history - 1, 0.01), deviation=1.06)) + 1
        lengths = np.where(rng.random(users) < 0.02, 0, read)
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
            "title": _titles(rng, topic, topic_words, title_words, common_words, like_mind=like_mind),
        },
        name="title",
        text=("title",),
    )
    dataset = NewsDataset(
        "news-world", catalogue, whole.select(~last), whole.select(last),
        licence="made up: no rights in it", source="palate.datasets.simulate",
    )  # fmt: skip
    return NewsWorld(dataset, topic, likes, weights, liking, sharpness, birth if like_mind else None)


def _activity(
    rng: np.random.Generator, users: int, mean: float, *, deviation: float = 1.0
) -> NDArray[np.float64]:
    """Return log-normal numbers with a mean, and a deviation of their logarithm."""
    return np.exp(rng.normal(np.log(mean) - deviation**2 / 2, deviation, users))


def _name(facet: int, topic: int) -> str:
    """Return the word of a topic, without a number."""
    named = _TOPICS[facet] if facet < len(_TOPICS) else ()
    return named[topic] if topic < len(named) else f"facet{_FACETS[facet]}topic{_LETTERS[topic]}"


def _titles(
    rng: np.random.Generator,
    topic: NDArray[np.int64],
    topic_words: int,
    title_words: int,
    common_words: int,
    *,
    like_mind: bool,
) -> pl.Series:
    """Return titles: words of each facet's topic and common ones, in any order.

    As many common words as others; like_mind: titles of 11.8 words, deviation 3.7, and words by Zipf's law.
    """
    facets = topic.shape[1]
    names = np.array([[_name(f, t) for t in range(int(topic.max()) + 1)] for f in range(facets)])
    named = np.repeat(
        names[np.arange(facets), topic], title_words, axis=1
    )  # (articles, facets x title_words)
    least = named.shape[1]
    if like_mind:
        lengths = rng.gamma((11.8 / 3.7) ** 2, 3.7**2 / 11.8, len(topic)).round().astype(np.int64)
        lengths = lengths.clip(least, max(30, least))
        number = _zipf(rng, topic_words, named.shape)
        common = _zipf(rng, common_words, (len(topic), int(lengths.max()) - least))
    else:
        lengths = np.full(len(topic), 2 * least)
        number = rng.integers(0, topic_words, named.shape)
        common = rng.integers(0, common_words, named.shape)
    words = np.concatenate(
        [
            np.char.add(named, np.char.zfill(number.astype(str), 2)),
            np.char.add("common", np.char.zfill(common.astype(str), 3)),
        ],
        axis=1,
    )
    if like_mind:
        there = np.arange(words.shape[1]) < lengths[:, None]
        order = np.argsort(np.where(there, rng.random(words.shape), 2), axis=1)
        words = np.take_along_axis(words, order, axis=1)
    else:
        words = rng.permuted(words, axis=1)
    return pl.Series([" ".join(row[:length]) for row, length in zip(words, lengths, strict=True)])


def _zipf(rng: np.random.Generator, words: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return numbers below `words`, each as likely as 1 / (its rank + 2.7) says (Mandelbrot's form of Zipf's law)."""
    share = np.cumsum(1 / (np.arange(1, words + 1) + 2.7))
    found: NDArray[np.int64] = np.searchsorted(share, rng.random(shape) * share[-1]).astype(np.int64)
    return found


def _nested(flat: pl.Series, sizes: NDArray[np.int64]) -> pl.Series:
    """Return lists of so many members."""
    frame = pl.DataFrame({"row": np.repeat(np.arange(len(sizes)), sizes), "one": flat})
    lists = frame.group_by("row", maintain_order=True).agg("one")
    whole = pl.DataFrame({"row": np.arange(len(sizes))}).join(
        lists, on="row", how="left", maintain_order="left"
    )
    return whole["one"].fill_null([])
