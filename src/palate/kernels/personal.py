"""Articles as their readers see them: attention over the words of a title, with a query that each reader has.

A pair of a reader and an article costs words x (query + size) multiplications, and nothing of it is kept but the
result: `scores` makes no array of pairs x words or pairs x size. All numbers are float32.

    asks          (readers, query) what each reader asks
    answers       (words, query) what each word answers, whoever asks
    features      (words, size) what each word gives
    first, stop   (articles) where the words of each article stand; no article is without words
    reader, article   (pairs)
    shared        (query) weights of tanh(asks + answers); empty: a word counts by the product of both
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Single = NDArray[np.float32]
Places = NDArray[np.int64]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _weigh(ask: Single, answers: Single, first: int, stop: int, shared: Single, weights: Single) -> None:
    """Write to `weights` how much each word from `first` to `stop` counts, together 1."""
    top = np.float32(-np.inf)
    for word in range(first, stop):
        logit = np.float32(0)
        if len(shared):
            for at in range(len(ask)):
                logit += shared[at] * np.tanh(ask[at] + answers[word, at])
        else:
            for at in range(len(ask)):
                logit += ask[at] * answers[word, at]
        weights[word - first] = logit
        top = max(top, logit)
    total = np.float32(0)
    for place in range(stop - first):
        weights[place] = np.exp(weights[place] - top)
        total += weights[place]
    for place in range(stop - first):
        weights[place] /= total


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def pooled(
    asks: Single, answers: Single, features: Single, first: Places, stop: Places,
    reader: Places, article: Places, shared: Single,
) -> Single:  # fmt: skip
    """Return each article as its reader sees it, (pairs, size): its words' features, as they count."""
    found = np.zeros((len(reader), features.shape[1]), np.float32)
    weights = np.empty((stop - first).max() if len(first) else 0, np.float32)
    for pair in range(len(reader)):
        begin, end = first[article[pair]], stop[article[pair]]
        _weigh(asks[reader[pair]], answers, begin, end, shared, weights)
        for word in range(begin, end):
            weight = weights[word - begin]
            for at in range(features.shape[1]):
                found[pair, at] += weight * features[word, at]
    return found


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def scores(
    asks: Single, answers: Single, features: Single, first: Places, stop: Places,
    reader: Places, article: Places, shared: Single, readers: Single,
) -> Single:  # fmt: skip
    """Return the product of each article, as `pooled` has it, and its reader's vector, (pairs).

    readers: (readers, size).
    """
    found = np.zeros(len(reader), np.float32)
    weights = np.empty((stop - first).max() if len(first) else 0, np.float32)
    for pair in range(len(reader)):
        begin, end = first[article[pair]], stop[article[pair]]
        _weigh(asks[reader[pair]], answers, begin, end, shared, weights)
        for word in range(begin, end):
            product = np.float32(0)
            for at in range(features.shape[1]):
                product += features[word, at] * readers[reader[pair], at]
            found[pair] += weights[word - begin] * product
    return found


@njit(cache=True, nogil=True)
def add(found: Single, top: Single, total: Single, reader: Places, logits: Single, seen: Single) -> None:
    """Add what readers have seen to the running mean of each, weighed by the softmax of `logits` over all of it.

    Args:
        found: (readers, size) sums; top, total: (readers) the largest logit until now (at first -inf), and the sum of
            exp(logit - top). `found / total` is the mean.
        reader, logits: (pairs). seen: (pairs, size).

    """
    for pair in range(len(reader)):
        row = reader[pair]
        if logits[pair] > top[row]:  # what stands there already is measured against the new largest
            shrunk = np.exp(top[row] - logits[pair])
            total[row] *= shrunk
            for at in range(found.shape[1]):
                found[row, at] *= shrunk
            top[row] = logits[pair]
        share = np.exp(logits[pair] - top[row])
        total[row] += share
        for at in range(found.shape[1]):
            found[row, at] += share * seen[pair, at]
