"""Why a network of news scores an article so: what it looks at, and what the score loses without it.

Attention says how much of each word and of each article goes into a vector. It does not say what the score owes to it:
what is looked at most may push the score up, down or nowhere. So each is also left out, one at a time, and where the
two rank differently that is said (Jain and Wallace, "Attention is not explanation", NAACL 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.models.answers import Explanation
from palate.vocabulary import Vocabulary

if TYPE_CHECKING:
    from palate.models.news.reading import Lists

_ALIKE = 0.5  # correlation of ranks from which attention and effects are taken to say the same


@dataclass(frozen=True)
class NewsExplanation(Explanation):
    """Also what attention looked at; `contributions` has a column `attention`, of the articles read."""

    words: pl.DataFrame
    """of the article that was scored: word, attention, contribution; in the order of the title"""
    remarks: tuple[str, ...] = ()
    """where attention and effects do not say the same, in words"""


@dataclass(frozen=True)
class Looks:
    """What a network looks at, and what leaving out costs, of one reader and one article."""

    words: NDArray[np.int32]
    """(words) of the article"""
    word_attention: NDArray[np.float64]
    word_effect: NDArray[np.float64]
    past_attention: NDArray[np.float64]
    """(articles read that have words), in their order"""


def look(module: object, titles: Lists, past: Lists, user: int, item: int) -> Looks:
    """Return what a network looks at for one reader; past: one history, of articles with words, not empty."""
    import torch

    from palate.models.news.reading import Lists, compose

    mine = titles.select(np.array([item]))
    words = mine.member
    # The title again and again, each time without one of its words, as further articles.
    keep = ~np.eye(len(words), dtype=bool)
    less = np.concatenate([words[row] for row in keep]) if len(words) else words
    ends = np.arange(1, len(words) + 1) * max(len(words) - 1, 0)
    further = Lists(
        np.concatenate([titles.indptr, titles.indptr[-1] + ends]).astype(np.int64),
        np.concatenate([titles.member, less]).astype(np.int32),
    )
    users = np.array([user])
    pairs = np.concatenate([[item], len(titles) + np.arange(len(words))])
    with torch.inference_mode():
        scores = module(compose(further, past, users, np.zeros(len(pairs), np.int64), pairs)).double().numpy()  # type: ignore[operator]
        of_words, of_past = module.looks(  # type: ignore[attr-defined]
            compose(titles, past, users, np.zeros(1, np.int64), np.array([item]))
        )
    return Looks(words, of_words[0].double().numpy(), scores[0] - scores[1:], of_past.double().numpy())


def remark(
    what: str, names: list[str], attention: NDArray[np.float64], effect: NDArray[np.float64]
) -> str | None:
    """Return where attention and effects part, in words; None where they do not, or there is too little to tell."""
    if len(names) < 2 or not np.ptp(attention) or not np.ptp(effect):
        return None
    looked, cost = (np.argsort(np.argsort(one, kind="stable"), kind="stable") for one in (attention, effect))
    alike = float(np.corrcoef(looked, cost)[0, 1])
    most, matters = int(np.argmax(attention)), int(np.argmax(effect))
    if alike >= _ALIKE and most == matters:
        return None
    return (
        f"{what}: attention looks most at {names[most]!r} ({attention[most]:.0%}), whose leaving out costs "
        f"{effect[most]:+.3f}; {names[matters]!r} ({attention[matters]:.0%}) costs most, {effect[matters]:+.3f}. "
        f"Correlation of the two orders: {alike:.2f}."
    )


def word_table(vocabulary: Vocabulary, looks: Looks) -> pl.DataFrame:
    """Return word, attention, contribution, in the order of the title."""
    return pl.DataFrame(
        {
            "word": vocabulary.decode(looks.words),
            "attention": looks.word_attention,
            "contribution": looks.word_effect,
        }
    )
