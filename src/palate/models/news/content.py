"""Content: articles whose words are like those of what was read; or the things of any shop, by their text.

An article is its words, each counted and weighed by how rare it is (TF-IDF, Salton and Buckley 1988), made of length
1; a reader is the mean of the articles of the history, and the score is the cosine. Nothing of it is learned from
clicks, so an article that nobody has seen yet is scored like any other.

How rare words are is counted over the items that train has; the others are found with those words. Time: one pass over
the words of histories and candidates; memory 12 bytes for each distinct word of each item.

With `vectors` an article is its pretrained vector instead: by its id from a file, or made of its text by a sentence
encoder (Reimers and Gurevych, EMNLP 2019), for which words need not be the same to be alike. They are kept with the
model, 4 bytes a number; the file or folder is asked again for articles that come later.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array, diags_array

from palate import words
from palate.errors import DataError, PalateWarning, listing
from palate.models.algorithm import Floats, PathText
from palate.models.contexts import Contexts
from palate.models.dense import nearest_by_score, of_columns
from palate.models.news.base import NewsModel, text_of
from palate.news import Impressions
from palate.vectors import article_vectors
from palate.vocabulary import Codes, Vocabulary

Rows: TypeAlias = csr_array | NDArray[Any]
"""Articles or readers as rows of length 1: of words, most of them 0, or of a vector's numbers."""


@dataclass
class ContentState:
    """What is known of words, or the vectors of articles."""

    rarity: NDArray[np.float64]
    """(words) log of texts / texts with the word; none with vectors"""
    words: NDArray[np.uint8]
    """as `palate.words.packed` has them"""
    vectors: NDArray[np.float32] | None = None
    """(items, size) of length 1, zeros for an item that has none; None: items are their words"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays belong together, and vectors are those of so many items."""
        told = self.vectors is None or (self.vectors.ndim == 2 and len(self.vectors) == n_items)
        return told and len(self.rarity) == words.count(self.words)


class Content(NewsModel):
    """Cosine of TF-IDF, or of pretrained vectors, between a history and an item."""

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
    vectors: PathText = None
    """pretrained vectors in place of words: a file by ids (.npy, .parquet or .safetensors), or the folder of a sentence
    encoder that reads the text, such as all-MiniLM-L6-v2's"""

    def _learn(self, train: Impressions, valid: Impressions | None) -> ContentState:
        return self._read(train.articles)

    @property
    def reads_text(self) -> bool:
        """Whether it reads text: not where a file has the vectors."""
        return self.vectors is None or Path(self.vectors).expanduser().is_dir()

    def _read(self, seen: Vocabulary) -> ContentState:
        if self.vectors is not None:
            vectors, found = self._given(self.items.ids)
            if not found.any():
                raise DataError(
                    f"{self.vectors} has no vector of any of {len(found):,} items ({listing(self.items.ids.head(3))}): "
                    "are its ids those of other items?"
                )
            self._tell(found)
            return ContentState(np.empty(0), np.empty(0, np.uint8), vectors)
        texts = self._texts()
        occurs = np.zeros(len(texts), np.bool_)
        occurs[self.fitted.items.encode(seen.ids)] = True
        return _state(texts.filter(pl.Series(occurs)), self.tokenizer)

    def _moved(self, state: ContentState, code: Codes, n_items: int) -> ContentState:
        if state.vectors is None:
            return state
        moved = np.zeros((n_items, state.vectors.shape[1]), np.float32)
        moved[code] = state.vectors
        known = np.zeros(n_items, np.bool_)
        known[code] = state.vectors.any(axis=1)  # one that had none may have one now
        fresh = np.flatnonzero(~known)
        if len(fresh):
            vectors, found = self._given(self.items.decode(fresh))
            if vectors.shape[1] != moved.shape[1]:
                raise DataError(
                    f"{self.vectors} has vectors of {vectors.shape[1]:,} numbers now, and this model those of "
                    f"{moved.shape[1]:,}: fit it again, or put the first ones back."
                )
            self._tell(found)
            moved[fresh] = vectors
        return replace(state, vectors=moved)

    def _given(self, ids: pl.Series) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the pretrained vectors of items, (ids, size), of length 1, and (ids) which have one."""
        assert self.vectors is not None
        texts = self._texts().gather(self.items.encode(ids)) if self.reads_text else None
        table, found = article_vectors(Path(self.vectors).expanduser(), ids, texts)
        return _unit(table).astype(np.float32), found

    def _tell(self, found: NDArray[np.bool_]) -> None:
        """Warn of items that have no vector."""
        if not found.all():
            lacking = f"{int((~found).sum()):,} of {len(found):,} items"
            warnings.warn(
                f"{self.vectors} has no vector of {lacking}: they are like nothing.",
                PalateWarning,
                stacklevel=2,
            )

    def _texts(self) -> pl.Series:
        assert self.fitted.catalogue is not None
        return text_of(self.fitted.catalogue, self.items, self.text)

    def _rows(self) -> Rows:
        """Return (items, words or numbers), each row of length 1, or 0 where nothing is known."""

        def made(state: ContentState) -> Rows:
            if state.vectors is not None:
                return state.vectors
            known = words.unpacked(state.words)
            told = words.encode(self._texts(), tokenizer=self.tokenizer, words=known)
            count = csr_array(
                (np.ones(len(told.word)), told.word, told.indptr), shape=(len(told), len(known))
            )
            count.sum_duplicates()
            return _unit((count @ diags_array(state.rarity)).tocsr())

        return self._once(made)

    def _profiles(self, contexts: Contexts) -> Rows:
        """Return (contexts, words or numbers): the mean of what each has read lately, of length 1."""
        events = contexts.events
        place = np.repeat(events.indptr[1:], events.lengths) - np.arange(len(events.item))
        kept = events.where((place <= self.history) & (events.value > 0))
        read = csr_array(
            (np.ones(len(kept.item)), kept.item, kept.indptr), shape=(len(kept), len(self.items))
        )
        return _unit(read @ self._rows())

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        rows = self._rows()
        asked = of_columns(rows, columns) if isinstance(rows, np.ndarray) else rows[columns]
        return _cosines(self._profiles(contexts), asked)

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        rows = self._rows()
        return nearest_by_score(lambda some: _cosines(rows[some], rows), items, k, len(self.items))

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Share the cosine out over what was read: it is a sum of one term for each."""
        rows = self._rows()
        kept = contexts.events.item[contexts.events.value > 0][-self.history :]
        distinct, count = np.unique(kept, return_counts=True)
        whole = count @ rows[distinct]
        length = float(np.sqrt((whole**2).sum()))
        effects = count * _cosines(rows[distinct], rows[[item]])[:, 0] / max(length, 1e-300)
        return distinct.astype(np.int32), effects, 0.0


def _state(texts: pl.Series, tokenizer: words.Tokenizer) -> ContentState:
    told = words.encode(texts, tokenizer=tokenizer)
    each = np.unique(np.repeat(np.arange(len(told)), told.lengths) * max(len(told.words), 1) + told.word)
    having = np.bincount(each % max(len(told.words), 1), minlength=len(told.words))
    rarity = (
        np.log((1 + len(told)) / (1 + having)) + 1
    )  # never zero: a text of common words alone is still a text
    return ContentState(rarity, words.packed(told.words))


def _unit(rows: Rows) -> Rows:
    """Return rows made of length 1; one of zeros stays."""
    if isinstance(rows, np.ndarray):
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(length > 0, length, 1)
    length = np.sqrt(rows.multiply(rows).sum(axis=1))
    return (diags_array(1 / np.where(length > 0, length, 1)) @ rows).tocsr()


def _cosines(some: Rows, others: Rows) -> NDArray[np.float64]:
    """Return the products of rows of length 1, (some, others)."""
    if isinstance(others, np.ndarray):
        return np.asarray(some.astype(others.dtype) @ others.T, np.float64)
    found: NDArray[np.float64] = (some @ others.T).toarray()
    return found
