"""The networks of NRMS and NPA: words to articles, articles to readers, and the product of both.

Padding is masked wherever something is weighed, an article without words has a vector of its own (`blank`), and so has
a reader without a history (`stranger`). Every product that is linear in a word or an article is made before it is
gathered, so once for each that is distinct in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from palate.models.news.reading import Batch
from palate.neural.dropout import Dropout

Personal = Literal["paper", "authors", "tutorial"]
_PERSON = 0.05  # deviation of people's first vectors


class SelfAttention(nn.Module):
    """Multi-head attention without an output layer, as NRMS has it."""

    def __init__(self, inward: int, heads: int, head_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(inward, 3 * heads * head_size, bias=False)

    def forward(self, parts: Tensor, there: Tensor) -> Tensor:
        """Map (lists, longest, 3 size) of `inward`, and (lists, longest) what is there, to (lists, longest, size)."""
        lists, longest, width = parts.shape
        split = parts.view(lists, longest, 3, self.heads, width // (3 * self.heads))
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each (lists, heads, longest, head size)
        mask = None if bool(there.all()) else there[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return mixed.transpose(1, 2).reshape(lists, longest, width // 3)


class AdditiveAttention(nn.Module):
    """One vector of many: softmax(query . tanh(W x + b)) says how much each counts."""

    def __init__(self, size: int, query_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(size, query_size)
        self.query = nn.Linear(query_size, 1, bias=False)

    def weights(self, x: Tensor, there: Tensor) -> Tensor:
        """Map (lists, longest, size) to (lists, longest), each list together 1."""
        return masked_softmax(self.query(torch.tanh(self.inner(x)))[..., 0], there)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """Map (lists, longest, size) to (lists, size)."""
        return torch.einsum("nl,nls->ns", self.weights(x, there), x)


class NRMS(nn.Module):
    """Self-attention and additive attention, over the words of a title and over the articles of a history."""

    def __init__(
        self,
        words: Tensor,
        *,
        heads: int,
        head_size: int,
        query_size: int,
        dropout: float,
        residual: bool,
    ) -> None:
        super().__init__()
        n_words, word_size = words.shape
        self.size, self.residual = heads * head_size, residual
        self.words = nn.Embedding(n_words, word_size, _weight=words)
        self.title = SelfAttention(word_size, heads, head_size)
        self.title_pool = AdditiveAttention(self.size, query_size)
        self.past = SelfAttention(self.size, heads, head_size)
        self.past_pool = AdditiveAttention(self.size, query_size)
        self.blank = nn.Parameter(torch.zeros(self.size))
        self.stranger = nn.Parameter(torch.zeros(self.size))
        self.dropout = Dropout(dropout)
        self.apply(begin)

    def articles(self, words: Tensor, titles: list[Tensor]) -> Tensor:
        """Return (1 + articles, size); the arguments are as in `Batch`."""
        return torch.cat(
            [self.blank[None], *(self.title_pool(x, there) for x, there in self._titles(words, titles))]
        )

    def _titles(self, words: Tensor, titles: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield of each group what its words are together, (articles, longest, size), and which are there."""
        x = _with_padding(self.dropout(self.words(words)))  # (distinct words + 1, word size)
        parts = _in_groups(self.title.inward(x), titles)  # which makes zeros of zeros: padding needs no copy
        plain = _in_groups(x, titles) if self.residual else [None] * len(titles)
        for group, part, same in zip(titles, parts, plain, strict=True):
            there = group < len(words)
            mixed = self.dropout(self.title(part, there))
            yield mixed if same is None else mixed + same, there

    def readers(self, articles: Tensor, pasts: list[Tensor], strangers: int) -> Tensor:
        """Return (readers, size), the last of them `strangers`."""
        found = [self.past_pool(x, there) for x, there in self._pasts(articles, pasts)]
        return torch.cat([*found, self.stranger.expand(strangers, self.size)])

    def _pasts(self, articles: Tensor, pasts: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield of each group what its articles are together, (readers, longest, size), and which are there."""
        places = [group.clamp(min=0) for group in pasts]
        parts = _in_groups(self.past.inward(articles), places)
        plain = _in_groups(articles, places) if self.residual else [None] * len(pasts)
        for group, part, same in zip(pasts, parts, plain, strict=True):
            there = group >= 0
            mixed = self.dropout(self.past(part, there))
            yield mixed if same is None else mixed + same, there

    def looks(self, batch: Batch) -> tuple[list[Tensor], Tensor]:
        """Return what one reader looks at: the words of the candidate and of each article read, and these articles.

        batch: of one reader with a history, and one pair whose article has words. Each list of weights is together 1.
        """
        titles = [
            row[mask]
            for x, there in self._titles(batch.words, batch.titles)
            for row, mask in zip(self.title_pool.weights(x, there), there, strict=True)
        ]
        [(x, there)] = self._pasts(self.articles(batch.words, batch.titles), batch.pasts)
        chosen = [int(batch.article[0]), *batch.pasts[0][0].tolist()]
        return [titles[article - 1] for article in chosen], self.past_pool.weights(x, there)[0]

    def forward(self, batch: Batch) -> Tensor:
        """Return the score of each pair, (pairs)."""
        articles = self.articles(batch.words, batch.titles)
        readers = self.readers(articles, batch.pasts, batch.strangers)
        found: Tensor = (gathered(readers, batch.reader) * gathered(articles, batch.article)).sum(-1)
        return found


class PersonalAttention(nn.Module):
    """Which of a list counts, for one reader.

    paper      query(u) . tanh(W x + b), the query a rectified map of the person's vector
    authors    query(u) . x, the query two layers of it (as the authors' program has it)
    tutorial   v . tanh(W1 x + W2 u), as the tutorial prints it
    """

    def __init__(self, size: int, user_size: int, query_size: int, form: Personal) -> None:
        super().__init__()
        self.form = form
        self.inner = nn.Linear(size, query_size) if form != "authors" else None
        self.user = nn.Linear(user_size, query_size, bias=form != "tutorial")
        self.outer = nn.Linear(query_size, size) if form == "authors" else None
        self.query = nn.Linear(query_size, 1, bias=False) if form == "tutorial" else None

    def asks(self, users: Tensor) -> Tensor:
        """(readers, user size) to what each reader asks."""
        asked: Tensor = self.user(users)
        if self.form == "tutorial":
            return asked
        asked = torch.relu(asked)
        return asked if self.outer is None else torch.tanh(self.outer(asked))

    def answers(self, x: Tensor) -> Tensor:
        """(..., size) to what each thing answers, whoever asks."""
        if self.inner is None:
            return x
        inner: Tensor = self.inner(x)
        return inner if self.form == "tutorial" else torch.tanh(inner)

    def logits(self, asks: Tensor, answers: Tensor) -> Tensor:
        """Map (lists, query) and (lists, longest, query) to (lists, longest)."""
        if self.query is None:
            return torch.einsum("nq,nlq->nl", asks, answers)
        together: Tensor = self.query(torch.tanh(asks[:, None] + answers)).squeeze(-1)
        return together


class Tokens(NamedTuple):
    """The words that readers see, one after the other."""

    pair: Tensor
    """(articles seen) which pair each belongs to"""
    features: Tensor
    """(tokens of the batch, filters)"""
    token: Tensor
    """(words seen) places in `features`"""
    length: Tensor
    """(articles seen) words of each"""
    weights: Tensor
    """(words seen) how much each counts for its reader, together 1 for each article"""


class NPA(nn.Module):
    """A convolution over the words of a title; which words, and which articles, count, says the person."""

    def __init__(
        self,
        words: Tensor,
        n_users: int,
        *,
        filters: int,
        width: int,
        user_size: int,
        query_size: int,
        dropout: float,
        form: Personal,
    ) -> None:
        super().__init__()
        n_words, word_size = words.shape
        self.size, self.width = filters, width
        self.words = nn.Embedding(n_words, word_size, _weight=words)
        self.users = nn.Embedding(1 + n_users, user_size)
        self.taps = nn.Linear(word_size, width * filters, bias=False)
        """one filter for each place of the window, applied before words are put side by side"""
        self.bias = nn.Parameter(torch.zeros(filters))
        self.title_pool = PersonalAttention(filters, user_size, query_size, form)
        self.past_pool = PersonalAttention(filters, user_size, query_size, form)
        self.blank = nn.Parameter(torch.zeros(filters))
        self.stranger = nn.Parameter(torch.zeros(filters))
        self.dropout = Dropout(dropout)
        self.apply(begin)
        # Near nobody in particular, so that clicks say who somebody is; at zero a rectified query would stand still.
        nn.init.normal_(self.users.weight, std=_PERSON)

    def tapped(self, words: Tensor) -> Tensor:
        """Return what each word gives to each place of the window, (distinct words + 1, width x filters)."""
        return cast(Tensor, self.taps(_with_padding(self.dropout(self.words(words)))))

    def forward(self, batch: Batch) -> Tensor:
        """Return the score of each pair, (pairs)."""
        return self.scores(self.tapped(batch.words), batch)

    def scores(self, tapped: Tensor, batch: Batch) -> Tensor:
        """Return the score of each pair; `tapped` is that of the batch's words."""
        seen = self._seen(
            self.tokens(tapped, batch), len(batch.reader) + sum(int((one >= 0).sum()) for one in batch.pasts)
        )
        of_pairs, of_pasts = seen[: len(batch.reader)], seen[len(batch.reader) :]
        readers = [torch.einsum("nl,nls->ns", weights, x) for weights, x in self._pasts(of_pasts, batch)]
        readers.append(self.stranger.expand(batch.strangers, self.size))
        found: Tensor = (gathered(torch.cat(readers), batch.reader) * of_pairs).sum(-1)
        return found

    def tokens(self, tapped: Tensor, batch: Batch) -> Tokens | None:
        """Return the words of what readers see: first of the pairs, then of what each has read; None without any."""
        reader, article = [batch.reader], [batch.article]
        start = 0
        for group in batch.pasts:
            there = group >= 0
            who = start + torch.arange(len(group), device=group.device)
            reader.append(who[:, None].expand_as(group)[there])
            article.append(group[there])
            start += len(group)
        every = torch.cat(article)
        told = torch.nonzero(every)[:, 0]
        if not len(told):
            return None
        features, begin = self.read(tapped, batch.titles)
        first, length = begin[every[told] - 1], begin[every[told]] - begin[every[told] - 1]
        place = torch.arange(int(length.max()), device=length.device)
        there = place < length[:, None]  # (pairs, longest)
        token = torch.where(there, first[:, None] + place, 0)
        asks = self.title_pool.asks(self.users(batch.users))
        weights = masked_softmax(self._logits(asks, features, torch.cat(reader)[told], token), there)
        return Tokens(told, features, token[there], length, weights[there])

    def _seen(self, tokens: Tokens | None, pairs: int) -> Tensor:
        """Return each article as its reader sees it, (pairs, filters)."""
        blank = self.blank.expand(pairs, self.size)
        if tokens is None:
            return blank
        starts = tokens.length.cumsum(0) - tokens.length
        pooled = functional.embedding_bag(
            tokens.token,
            tokens.features,
            starts,
            mode="sum",
            per_sample_weights=tokens.weights.to(tokens.features.dtype),
        )
        return blank.index_copy(0, tokens.pair, pooled)

    def _pasts(self, of_pasts: Tensor, batch: Batch) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield of each group the weights (readers, longest) and what was read, (readers, longest, filters)."""
        asks, answers = self.past_pool.asks(self.users(batch.users)), self.past_pool.answers(of_pasts)
        start, row = 0, 0
        for group in batch.pasts:
            there = group >= 0
            stop = start + int(there.sum())
            logits = self.past_pool.logits(asks[row : row + len(group)], _spread(answers[start:stop], there))
            yield masked_softmax(logits, there), _spread(of_pasts[start:stop], there)
            start, row = stop, row + len(group)

    def looks(self, batch: Batch) -> tuple[list[Tensor], Tensor]:
        """Return what one reader looks at: the words of the candidate and of each article read, and these articles.

        batch: of one reader with a history, and one pair whose article has words. Each list of weights is together 1.
        """
        tokens = self.tokens(self.tapped(batch.words), batch)
        assert tokens is not None
        seen = self._seen(tokens, 1 + batch.pasts[0].numel())
        [(weights, _)] = self._pasts(seen[1:], batch)
        return list(torch.split(tokens.weights, tokens.length.tolist())), weights[0]

    def read(self, tapped: Tensor, titles: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return what each word of titles gives, whoever reads, (tokens, filters), and where articles begin there.

        tapped: that of the words. titles: groups as in `Batch`. The second has (articles + 1) places.
        """
        windows, begin = _windows(titles, self.width, len(tapped) - 1)
        # One row for each word and each place of the window: a token is the sum of `width` rows.
        rows = tapped.view(-1, self.size)
        given = functional.embedding_bag(
            windows * self.width + torch.arange(self.width, device=windows.device), rows, mode="sum"
        )
        # In place: this is the largest array of a step.
        return rectified(given.to(self.bias.dtype).add_(self.bias), self.dropout), begin

    def _logits(self, asks: Tensor, features: Tensor, who: Tensor, token: Tensor) -> Tensor:
        """Return how much each token counts for a reader, (pairs, longest)."""
        answers = self.title_pool.answers(features)
        if self.title_pool.form == "tutorial":
            return self.title_pool.logits(gathered(asks, who), gathered(answers, token))
        # All readers ask all tokens, of which few pairs are wanted: one product costs less than gathering tokens.
        every = answers @ asks.T  # (tokens, readers)
        return gathered(every.view(-1, 1), token * len(asks) + who[:, None]).squeeze(-1)


class _Rectified(torch.autograd.Function):
    """max(x, 0) times what a dropout keeps, in place: where the result is above zero is all that its gradient needs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        x.relu_().mul_(kept)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        ctx.scale = scale
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, x, 0).mul_(ctx.scale), None, None


def rectified(x: Tensor, dropout: Dropout) -> Tensor:
    """Return dropout(relu(x)), in the place of x, which nothing else may need."""
    if not dropout.training or not dropout.share:
        return x.relu_()
    kept = dropout(x.new_ones(1).expand_as(x))
    found: Tensor = _Rectified.apply(x, kept, 1 / (1 - dropout.share))  # type: ignore[no-untyped-call]
    return found


def gathered(rows: Tensor, place: Tensor) -> Tensor:
    """Return rows (n, size) at places, (..., size). Unlike that of [], its gradient is added up in one order."""
    return functional.embedding(place, rows)


def masked_softmax(logits: Tensor, there: Tensor) -> Tensor:
    """Map (lists, longest) to shares of what is there, together 1."""
    return logits.masked_fill(~there, -torch.inf).softmax(-1)


def _with_padding(rows: Tensor) -> Tensor:
    """Return the rows and one of zeros."""
    return functional.pad(rows, (0, 0, 0, 1))


def _in_groups(rows: Tensor, groups: list[Tensor]) -> list[Tensor]:
    """Return the rows at the places of each group, (lists, longest, size); gathered once, as is the gradient."""
    if not groups:
        return []
    flat = gathered(rows, torch.cat([group.reshape(-1) for group in groups]))
    parts = torch.split(flat, [group.numel() for group in groups])
    return [part.view(*group.shape, -1) for part, group in zip(parts, groups, strict=True)]


def _windows(titles: list[Tensor], width: int, padding: int) -> tuple[Tensor, Tensor]:
    """Return the words around each token, (tokens, width), and where each article's tokens start, (articles + 1)."""
    found, lengths = [], []
    for group in titles:
        there = group < padding
        before = width // 2
        around = functional.pad(group, (before, width - 1 - before), value=padding)
        found.append(around.unfold(1, width, 1)[there])
        lengths.append(there.sum(1))
    start = functional.pad(torch.cat(lengths).cumsum(0), (1, 0))
    return torch.cat(found), start


def _spread(rows: Tensor, there: Tensor) -> Tensor:
    """Return rows in their places, (lists, longest, size), and zeros between."""
    place = (there.reshape(-1).cumsum(0) - 1).clamp(min=0).view(there.shape)
    return (
        gathered(rows, place) * there[..., None]
        if len(rows)
        else rows.new_zeros(*there.shape, rows.shape[-1])
    )


def begin(module: nn.Module) -> None:
    """Start as Glorot and Bengio (2010) do; the words' vectors are given."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
