"""NRMS and NPA as one would first write them: every slot read anew, everything padded, nothing shared.

It is slow, and plain: other runtimes take it (ONNX), and the networks that learn are tested against it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from palate.models.news import network


class Padded(nn.Module):
    """A network of news, from padded word codes to scores."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, past: Tensor, candidates: Tensor, user: Tensor | None = None) -> Tensor:
        """Return (readers, candidates) scores.

        Args:
            past: (readers, clicks, words) int64 word codes; -1 is padding, and a click of padding alone is none.
            candidates: (readers, candidates, words) likewise.
            user: (readers) int64, 1 + the reader's code; 0 for one who is not known. NRMS reads none.

        """
        there, shown = past >= 0, candidates >= 0
        told = past.clamp(min=0), there, candidates.clamp(min=0), shown
        if isinstance(self.net, network.NRMS):
            return nrms(self.net, *told)
        assert isinstance(self.net, network.NPA)
        assert user is not None
        return npa(self.net, user, *told)


def softmax(logits: Tensor, there: Tensor) -> Tensor:
    """Shares of what is there."""
    return logits.masked_fill(~there, -1e30).softmax(-1)


def heads(parts: Tensor, there: Tensor, n: int) -> Tensor:
    """(..., longest, 3 size) to (..., longest, size)."""
    query, key, value = (
        one.view(*one.shape[:-1], n, one.shape[-1] // n).transpose(-2, -3) for one in parts.chunk(3, -1)
    )
    weights = softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, there[..., None, None, :])
    mixed: Tensor = (weights @ value).transpose(-2, -3).flatten(-2)
    return mixed


def nrms_article(net: network.NRMS, title: Tensor, there: Tensor) -> Tensor:
    """(..., words), padding false in `there`, to (..., size)."""
    x = net.words(title)
    mixed = heads(net.title.inward(x), there, net.title.heads)
    mixed = mixed + x if net.residual else mixed
    pool = net.title_pool
    weights = softmax(pool.query(torch.tanh(pool.inner(mixed)))[..., 0], there)
    found = (weights[..., None] * mixed).sum(-2)
    told: Tensor = torch.where(there.any(-1, keepdim=True), found, net.blank)
    return told


def nrms(
    net: network.NRMS, past: Tensor, past_there: Tensor, candidate: Tensor, candidate_there: Tensor
) -> Tensor:
    """(readers, clicks, words) and (readers, candidates, words) to (readers, candidates)."""
    articles = nrms_article(net, past, past_there)
    there = past_there.any(-1)
    mixed = heads(net.past.inward(articles), there, net.past.heads)
    mixed = mixed + articles if net.residual else mixed
    pool = net.past_pool
    weights = softmax(pool.query(torch.tanh(pool.inner(mixed)))[..., 0], there)
    reader = torch.where(there.any(-1, keepdim=True), (weights[..., None] * mixed).sum(-2), net.stranger)
    return torch.einsum("rs,rcs->rc", reader, nrms_article(net, candidate, candidate_there))


def personal(pool: network.PersonalAttention, users: Tensor, x: Tensor, there: Tensor) -> Tensor:
    """(readers, user size) and (readers, ..., longest, size) to (readers, ..., size)."""
    while users.dim() < x.dim() - 1:
        users = users[:, None]
    if pool.form == "tutorial":
        assert pool.inner is not None
        assert pool.query is not None
        logits = pool.query(torch.tanh(pool.inner(x) + pool.user(users)[..., None, :]))[..., 0]
    else:
        query = torch.relu(pool.user(users))
        if pool.form == "authors":
            assert pool.outer is not None
            query, answers = torch.tanh(pool.outer(query)), x
        else:
            assert pool.inner is not None
            answers = torch.tanh(pool.inner(x))
        logits = (query[..., None, :] * answers).sum(-1)
    return (softmax(logits, there)[..., None] * x).sum(-2)


def npa_article(net: network.NPA, users: Tensor, title: Tensor, there: Tensor) -> Tensor:
    """(readers, user size) and (readers, ..., words) to (readers, ..., filters)."""
    x = net.words(title) * there[..., None]  # what is not there gives nothing
    kernel = net.taps.weight.view(net.width, net.size, -1).permute(1, 2, 0)  # (filters, word size, width)
    flat = x.reshape(-1, *x.shape[-2:]).transpose(1, 2)
    seen = functional.conv1d(flat, kernel, net.bias, padding=net.width // 2).transpose(1, 2)
    features = torch.relu(seen[:, : x.shape[-2]]).view(*x.shape[:-1], net.size)
    found = personal(net.title_pool, users, features, there)
    return torch.where(there.any(-1, keepdim=True), found, net.blank)


def npa(
    net: network.NPA,
    user: Tensor,
    past: Tensor,
    past_there: Tensor,
    candidate: Tensor,
    candidate_there: Tensor,
) -> Tensor:
    """As `nrms`, with (readers) people."""
    users = net.users(user)
    articles = npa_article(net, users, past, past_there)
    there = past_there.any(-1)
    reader = personal(net.past_pool, users, articles, there)
    reader = torch.where(there.any(-1, keepdim=True), reader, net.stranger)
    return torch.einsum("rs,rcs->rc", reader, npa_article(net, users, candidate, candidate_there))
