"""Content: articles whose words are like those of what was read; or the things of any shop, by their text.

An article is its words, each counted and weighed by how rare it is (TF-IDF, Salton and Buckley 1988), made of length
1; a reader is the mean of the articles of the history, and the score is the cosine. Nothing of it is learned from
clicks, so an article that nobody has seen yet is scored like any other.

How rare words are is counted over the items that train has; the others are found with those words. Time: one pass over
the words of histories and candidates; memory 12 bytes for each distinct word of each item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array, diags_array

from palate import words
from palate.models.algorithm import Floats
from palate.models.contexts import Contexts
from palate.models.news.base import NewsModel, text_of
from palate.news import Impressions
from palate.vocabulary import Codes, Vocabulary


@dataclass
class ContentState:
    """What is known of words."""

    rarity: NDArray[np.float64]
    """(words) log of texts / texts with the word"""
    words: NDArray[np.uint8]
    """as `palate.words.packed` has them"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays belong together, whatever the items."""
        return len(self.rarity) == words.count(self.words)


class Content(NewsModel):
    """Cosine of TF-IDF between a history and an item."""

    name: ClassVar[str] = "content"
    verbs: ClassVar[frozenset[str]] = frozenset({"similar", "explain"})
    needs_impressions: ClassVar[bool] = False
    baseline_is: ClassVar[str] = "nothing"
    state_type: ClassVar[type] = ContentState

    tokenizer: words.Tokenizer = "words"
    """how text is cut: see `palate.words.Tokenizer`"""
    text: tuple[str, ...] | None = None
    """columns of the catalogue that are read, one after the other; None: its first text column, or the name"""
    history: int = Field(50, ge=1)
    """last items of a history that are read"""

    def _learn(self, train: Impressions, valid: Impressions | None) -> ContentState:
        return self._read(train.articles)

    def _read(self, seen: Vocabulary) -> ContentState:
        texts = self._texts()
        occurs = np.zeros(len(texts), np.bool_)
        occurs[self.fitted.items.encode(seen.ids)] = True
        return _state(texts.filter(pl.Series(occurs)), self.tokenizer)

    def _texts(self) -> pl.Series:
        assert self.fitted.catalogue is not None
        return text_of(self.fitted.catalogue, self.items, self.text)

    def _rows(self) -> csr_array:
        """Return (items, words), each row of length 1, or 0 without a known word."""

        def made(state: ContentState) -> csr_array:
            known = words.unpacked(state.words)
            told = words.encode(self._texts(), tokenizer=self.tokenizer, words=known)
            count = csr_array(
                (np.ones(len(told.word)), told.word, told.indptr), shape=(len(told), len(known))
            )
            count.sum_duplicates()
            weighed = (count @ diags_array(state.rarity)).tocsr()
            return _unit(weighed)

        return self._once(made)

    def _profiles(self, contexts: Contexts) -> csr_array:
        """Return (contexts, words): the mean of what each has read lately, of length 1."""
        events = contexts.events
        place = np.repeat(events.indptr[1:], events.lengths) - np.arange(len(events.item))
        kept = events.where((place <= self.history) & (events.value > 0))
        read = csr_array(
            (np.ones(len(kept.item)), kept.item, kept.indptr), shape=(len(kept), len(self.items))
        )
        return _unit((read @ self._rows()).tocsr())

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        found: NDArray[np.float64] = (self._profiles(contexts) @ self._rows()[columns].T).toarray()
        return found

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        rows = self._rows()
        scores = (rows[items] @ rows.T).toarray()
        scores[np.arange(len(items)), items] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(scores, order, 1)
        return np.where(best > -np.inf, order, -1).astype(np.int32), best

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Share the cosine out over what was read: it is a sum of one term for each."""
        rows = self._rows()
        kept = contexts.events.item[contexts.events.value > 0][-self.history :]
        distinct, count = np.unique(kept, return_counts=True)
        whole = count @ rows[distinct]
        length = float(np.sqrt((whole**2).sum()))
        effects = count * (rows[distinct] @ rows[[item]].T).toarray()[:, 0] / max(length, 1e-300)
        return distinct.astype(np.int32), effects, 0.0


def _state(texts: pl.Series, tokenizer: words.Tokenizer) -> ContentState:
    told = words.encode(texts, tokenizer=tokenizer)
    each = np.unique(np.repeat(np.arange(len(told)), told.lengths) * max(len(told.words), 1) + told.word)
    having = np.bincount(each % max(len(told.words), 1), minlength=len(told.words))
    rarity = (
        np.log((1 + len(told)) / (1 + having)) + 1
    )  # never zero: a text of common words alone is still a text
    return ContentState(rarity, words.packed(told.words))


def _unit(rows: csr_array) -> csr_array:
    length = np.sqrt(rows.multiply(rows).sum(axis=1))
    return (diags_array(1 / np.where(length > 0, length, 1)) @ rows).tocsr()
