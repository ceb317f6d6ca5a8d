"""How a network of news that stands still is asked: what hangs on an article alone is made once for all who ask.

    NRMS   an article is a vector, the same for all readers, and so is a reader: a score is their product
    NPA    an article is its words' features, the same for all readers, who weigh them otherwise: a pair costs words x
           (query + filters) multiplications. Articles come some at a time, and meet all their readers then.

Scores are made on the processor; what a network makes of words and articles, where it stands. Memory beside the answer:
what is kept of articles, the readers' vectors, and pieces of some MB, some ten with the sizes of the papers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from palate.kernels import impressions, personal
from palate.models.dense import of_columns
from palate.models.news.network import NPA, NRMS, PersonalAttention
from palate.models.news.reading import Lists, compose, padded
from palate.models.news.shown import Shown
from palate.vocabulary import Codes

Single = NDArray[np.float32]
Places = NDArray[np.int64]

_WORDS = 2**12  # whose features are made at a time, at most (one article may have more)
_READ = 2**14  # articles that readers of NRMS have read, taken at a time
_NUMBERS = 2**22  # of articles as readers of NPA have seen them, held at a time
_KEPT = 2**28  # bytes of words' features that are kept
_READERS = 2**15  # whose impressions are scored at a time
_NOBODY = Lists(np.zeros(1, np.int64), np.empty(0, np.int32))


class Scorer(Protocol):
    """A network that stands still, asked about articles by the codes of `titles`."""

    def pairs(self, pasts: Lists, users: Places, reader: Places, article: Codes) -> Single:
        """Return the scores of pairs, (pairs).

        Args:
            pasts: (readers) what was read. users: (readers) codes of people, 0: unknown.
            reader, article: (pairs) places of readers, and codes of articles, -1: one that is not known.

        """

    def every(self, pasts: Lists, users: Places, columns: Codes) -> Single:
        """Return the scores of articles `columns` for each reader, (readers, columns)."""

    def wider(self, titles: Lists, code: Codes, fresh: Places) -> Scorer:
        """Return the same network, asked about more articles; what was made of these stays.

        Args:
            titles: of all articles. code: (articles of today) their codes in these, ascending.
            fresh: codes in these of articles that were not known or had no words, ascending.

        """


def scorer(module: nn.Module, titles: Lists, *, keep: bool) -> Scorer:
    """Return what asks a network. keep: it will be asked again, so what is made of articles stays."""
    if isinstance(module, NRMS):
        return NRMSScorer(module, titles, keep=keep)
    assert isinstance(module, NPA)
    return NPAScorer(module, titles, keep=keep)


def score(asked: Scorer, shown: Shown) -> Single:
    """Return the scores of all candidates of impressions, (candidates), some readers at a time."""
    found = np.zeros(len(shown.candidate), np.float32)
    each = Lists(shown.indptr, np.arange(len(shown.candidate), dtype=np.int32))
    for rows in shown.by_reader(_READERS):
        some, reader = np.unique(shown.reader[rows], return_inverse=True)
        places = each.select(rows).member
        found[places] = asked.pairs(
            shown.pasts.select(some),
            1 + shown.user[some].astype(np.int64),
            np.repeat(reader, shown.sizes[rows]),
            shown.candidate[places],
        )
    return found


# --- NRMS: one vector an article ------------------------------------------------------------------------------


class NRMSScorer:
    """Asks NRMS."""

    def __init__(self, module: NRMS, titles: Lists, *, keep: bool) -> None:
        self.module, self.titles, self.keep = module.eval(), titles, keep

    @cached_property
    def table(self) -> Single:
        """The vectors of all articles, and last that of one without words, (articles + 1, size)."""
        return self._encoded(np.arange(len(self.titles)))

    def _encoded(self, articles: NDArray[np.integer]) -> Single:
        """Return vectors of articles, and last that of one without words."""
        found = np.empty((len(articles) + 1, self.module.size), np.float32)
        found[-1] = _array(self.module.blank)
        for some in _pieces(articles, self.titles):
            batch = compose(
                self.titles, _NOBODY, np.empty(0, np.int64), np.empty(0, np.int64), articles[some]
            )
            batch = batch.to(_device(self.module))
            with torch.inference_mode():
                found[some] = _array(self.module.articles(batch.words, batch.titles)[batch.article])
        return found

    def wider(self, titles: Lists, code: Codes, fresh: Places) -> NRMSScorer:
        """Return the same network, asked about more articles."""
        other = NRMSScorer(self.module, titles, keep=self.keep)
        if "table" in vars(self):
            table = np.empty((len(titles) + 1, self.module.size), np.float32)
            table[code] = self.table[:-1]
            table[np.append(fresh, len(titles))] = other._encoded(fresh)
            other.table = table
        return other

    def readers(self, table: Single, pasts: Lists) -> Single:
        """Return the vectors of readers, (readers, size), from the vectors of articles that they have read."""
        found = np.empty((len(pasts), self.module.size), np.float32)
        order = np.argsort(pasts.lengths, kind="stable")
        for some in _cut(pasts.lengths[order], _READ):
            chosen = pasts.select(order[some])
            # What is linear in an article is made once for each that they have read.
            distinct, place = np.unique(chosen.member, return_inverse=True)
            groups, rows = padded(Lists(chosen.indptr, place.astype(np.int32)))
            strangers = len(chosen) - sum(len(one) for one in groups)
            device = _device(self.module)
            articles = torch.from_numpy(table[distinct]).to(device)
            with torch.inference_mode():
                vectors = self.module.readers(articles, [one.to(device) for one in groups], strangers)
            found[order[some][rows]] = _array(vectors)
        return found

    def _told(self, pasts: Lists) -> Lists:
        """Return histories without articles that have no words."""
        return pasts.where(self.titles.lengths[pasts.member] > 0)

    def pairs(self, pasts: Lists, users: Places, reader: Places, article: Codes) -> Single:
        """Return the scores of pairs, (pairs)."""
        pasts = self._told(pasts)
        if self.keep:
            table = self.table
        else:  # of those that are asked about; -1, one that is not known, is no article
            distinct, place = np.unique(np.concatenate([pasts.member, article]), return_inverse=True)
            unknown = int(np.searchsorted(distinct, 0))
            table = self._encoded(distinct[unknown:])
            code = (place - unknown).astype(np.int32)
            pasts, article = Lists(pasts.indptr, code[: len(pasts.member)]), code[len(pasts.member) :]
        return impressions.products(
            self.readers(table, pasts), table, reader.astype(np.int32), article.astype(np.int32)
        )

    def every(self, pasts: Lists, users: Places, columns: Codes) -> Single:
        """Return the scores of articles `columns` for each reader, (readers, columns)."""
        found: Single = self.readers(self.table, self._told(pasts)) @ of_columns(self.table[:-1], columns).T
        return found


# --- NPA: words that each reader weighs -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Read:
    """Articles as NPA has read them, whoever asks."""

    articles: NDArray[np.integer]
    """(articles) codes, ascending; none is without words"""
    answers: Single
    """(words, query) what each word answers"""
    features: Single
    """(words, filters) what each word gives"""
    first: Places
    """(articles) where the words of each begin"""
    stop: Places
    """(articles) and where they end"""


class NPAScorer:
    """Asks NPA."""

    def __init__(self, module: NPA, titles: Lists, *, keep: bool) -> None:
        self.module, self.titles, self.keep = module.eval(), titles, keep

    # --- articles ---------------------------------------------------------------------------------------------

    @cached_property
    def kept(self) -> list[Read] | None:
        """All articles that have words, where they stay and are small enough."""
        return list(self._reads(np.flatnonzero(self.titles.lengths > 0))) if self._stay else None

    @property
    def _stay(self) -> bool:
        title = self.module.title_pool
        width = self.module.size + (title.user.out_features if title.inner is not None else 0)
        return self.keep and 4 * width * len(self.titles.member) <= _KEPT

    def wider(self, titles: Lists, code: Codes, fresh: Places) -> NPAScorer:
        """Return the same network, asked about more articles."""
        other = NPAScorer(self.module, titles, keep=self.keep)
        if (kept := vars(self).get("kept")) and other._stay:
            other.kept = [replace(read, articles=code[read.articles]) for read in kept]
            other.kept += other._reads(fresh[titles.lengths[fresh] > 0])
        return other

    def _reads(self, articles: NDArray[np.integer]) -> Iterator[Read]:
        """Yield articles, which have words and ascend, some at a time."""
        for some in _pieces(articles, self.titles):
            yield self._read(articles[some])

    def _read(self, articles: NDArray[np.integer]) -> Read:
        none = np.empty(0, np.int64)
        batch = compose(self.titles, _NOBODY, none, none, articles).to(_device(self.module))
        with torch.inference_mode():
            features, begin = self.module.read(self.module.tapped(batch.words), batch.titles)
            answers = self.module.title_pool.answers(features)
        number, begins = batch.article.cpu().numpy(), begin.cpu().numpy()
        given = _array(features)
        answered = given if answers is features else _array(answers)
        return Read(articles, answered, given, begins[number - 1], begins[number])

    def _by_article(self, articles: NDArray[np.integer]) -> Iterator[tuple[Read, Places, Places]]:
        """Yield articles that were read, which of the asked ones they are, and their places among those read."""
        order = np.argsort(articles, kind="stable")
        ordered = articles[order]
        for read in self.kept if self.kept is not None else self._reads(np.unique(articles)):
            first, stop = np.searchsorted(ordered, [read.articles[0], read.articles[-1] + 1])
            place = np.searchsorted(read.articles, ordered[first:stop])
            there = read.articles[place] == ordered[first:stop]  # others, that came later, may stand between
            if there.any():
                yield read, order[first:stop][there], place[there]

    # --- readers ----------------------------------------------------------------------------------------------

    def _asks(self, pool: PersonalAttention, users: Places) -> Single:
        with torch.inference_mode():
            return _array(pool.asks(self.module.users(torch.from_numpy(users).to(_device(self.module)))))

    @cached_property
    def _shared(self) -> Single:
        """What all readers weigh a word by, in the form that has it; else empty."""
        query = self.module.title_pool.query
        return np.empty(0, np.float32) if query is None else _array(query.weight)[0]

    def _readers(self, asks: Single, pasts: Lists, users: Places) -> Single:
        """Return the vectors of readers, (readers, filters): of what they have read, as they see and weigh it."""
        pasts = pasts.where(self.titles.lengths[pasts.member] > 0)
        reader = np.repeat(np.arange(len(pasts)), pasts.lengths)
        later = self._asks(self.module.past_pool, users)
        found = np.zeros((len(pasts), self.module.size), np.float32)
        top, total = np.full(len(pasts), -np.inf, np.float32), np.zeros(len(pasts), np.float32)
        step = max(1, _NUMBERS // self.module.size)
        for read, some, place in self._by_article(pasts.member):
            for start in range(0, len(some), step):
                who, which = reader[some[start : start + step]], place[start : start + step]
                seen = personal.pooled(
                    asks, read.answers, read.features, read.first, read.stop, who, which, self._shared
                )
                personal.add(found, top, total, who, self._logits(later[who], seen), seen)
        found /= np.maximum(total, np.float32(1e-30))[:, None]
        found[total == 0] = _array(self.module.stranger)
        return found

    def _logits(self, asks: Single, seen: Single) -> Single:
        """Return how much what readers have seen counts for them, (pairs)."""
        pool, device = self.module.past_pool, _device(self.module)
        with torch.inference_mode():
            answers = pool.answers(torch.from_numpy(seen).to(device))
            return _array(pool.logits(torch.from_numpy(asks).to(device), answers[:, None])[:, 0])

    # --- answers ----------------------------------------------------------------------------------------------

    def pairs(self, pasts: Lists, users: Places, reader: Places, article: Codes) -> Single:
        """Return the scores of pairs, (pairs)."""
        asks = self._asks(self.module.title_pool, users)
        readers = self._readers(asks, pasts, users)
        found: Single = (readers @ _array(self.module.blank))[reader]
        told = np.flatnonzero((article >= 0) & (self.titles.lengths[article] > 0))
        for read, some, place in self._by_article(article[told]):
            found[told[some]] = self._products(read, asks, readers, reader[told[some]], place)
        return found

    def every(self, pasts: Lists, users: Places, columns: Codes) -> Single:
        """Return the scores of articles `columns` for each reader, (readers, columns)."""
        asks = self._asks(self.module.title_pool, users)
        readers = self._readers(asks, pasts, users)
        found = np.repeat((readers @ _array(self.module.blank))[:, None], len(columns), axis=1)
        told = np.flatnonzero(self.titles.lengths[columns] > 0)
        for read, some, place in self._by_article(columns[told]):
            for row in range(len(readers)):
                who = np.full(len(some), row)
                found[row, told[some]] = self._products(read, asks, readers, who, place)
        return found

    def _products(self, read: Read, asks: Single, readers: Single, reader: Places, place: Places) -> Single:
        return personal.scores(
            asks,
            read.answers,
            read.features,
            read.first,
            read.stop,
            reader,
            place,
            self._shared,
            readers,
        )


# --- both -----------------------------------------------------------------------------------------------------


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


def _array(tensor: Tensor) -> Single:
    """Return a tensor as an array here."""
    found: Single = tensor.detach().float().cpu().numpy()
    return found


def _pieces(articles: NDArray[np.integer], titles: Lists) -> Iterator[slice]:
    """Yield articles, so many at a time that their titles have few words together."""
    return _cut(titles.lengths[articles], _WORDS)


def _cut(sizes: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Yield things one after the other, as many at a time as have `most` together, or one alone that has more."""
    total, start = np.cumsum(sizes), 0
    while start < len(sizes):
        before = int(total[start]) - int(sizes[start])
        stop = max(int(np.searchsorted(total, before + most, side="right")), start + 1)
        yield slice(start, stop)
        start = stop
