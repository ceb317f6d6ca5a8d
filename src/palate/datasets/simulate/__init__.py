"""Worlds whose truth is known: made-up data in which the best possible figures are exact numbers.

`markov_world` walks people around a ring of items: all that can be known is in the order. `news_world` shows readers
articles: all that can be known is in the words and, if it is so planted, in which words count for whom.
"""

from __future__ import annotations

from palate.datasets.simulate.markov import DAY, MarkovWorld, markov_world
from palate.datasets.simulate.news import NewsWorld, news_world

__all__ = ["DAY", "MarkovWorld", "NewsWorld", "markov_world", "news_world"]
