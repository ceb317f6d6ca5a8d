"""Cross-entropies over a catalogue, chunk by chunk: the full logits never exist.

A position has a vector h, an item a row w of the table, and the score of the item there is h . w. Every loss here is
the sum over positions of what the score of the item that came next costs against the others:

    cross_entropy           - log softmax over the whole catalogue, with label smoothing; or with less weight on the
                            other items, as if so many of them had been drawn, without the noise of drawing
    cross_entropy, sampled  the same over the item and a few others drawn evenly, shared by all positions
    binary_cross_entropy    - log sigmoid of the item, - log(1 - sigmoid) of drawn others; with a power on the first it
                            is gBCE (Petrov and Macdonald, "gSASRec", RecSys 2023), which undoes the overconfidence
                            that comes from drawing few

Logits, loss and gradients are made together, a chunk of positions at a time in one buffer that is used again, so
memory is (items x chunk) and the backward pass is only a multiplication. With e = exp(logit - shift) and Z its sum,

    d/dh = (sum_i e_i w_i) / Z - w_target        d/dw_i = sum_h e_i h / Z - (h where i is the target)

so the buffer is never divided: Z divides the rows of h, which are 64 numbers and not 10,000.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CHUNK = 112
"""Positions at a time on a processor: the buffer stays in the cache."""
CHUNK_BYTES = 2**28
"""Of the buffer on an accelerator, which wants large products."""


def cross_entropy(
    hidden: Tensor,
    table: Tensor,
    target: Tensor,
    *,
    negatives: Tensor | None = None,
    smoothing: float = 0.0,
    weight: float = 1.0,
    chunk: int | None = None,
) -> Tensor:
    """Return the sum over positions of - log P(target), differentiable by `hidden` and `table`.

    Args:
        hidden: (positions, size).
        table: (items, size), a row for each item.
        target: (positions) int64, the item that came next.
        negatives: (drawn) int64 items that all positions share, instead of the catalogue; where one is the target of a
            position it does not count there. Their logits are raised by log(items / drawn): the sum of their
            exponentials is then on average that of all other items.
        smoothing: share of the target's probability that is spread evenly over the catalogue (full loss only).
        weight: of each other item's exponential beside the target's, above 0 (full loss only). 1: the softmax;
            n / items: what a softmax over the target and n drawn items has on average below its fraction line.
        chunk: positions at a time.

    Cost: 6 x positions x items x size operations, three matrix products; memory items x chunk, and the gradients.

    """
    with _precise(hidden):
        hidden = hidden.to(table.dtype)
        if negatives is not None:
            sampled: Tensor = _Sampled.apply(hidden, table, target, negatives, chunk)  # type: ignore[no-untyped-call]
            return sampled
        full: Tensor = _Full.apply(hidden, table, target, smoothing, weight, chunk)  # type: ignore[no-untyped-call]
        return full


def binary_cross_entropy(
    hidden: Tensor, table: Tensor, target: Tensor, negatives: Tensor, *, calibration: float = 0.0
) -> Tensor:
    """Return the sum over positions of - beta log sigmoid(target) - sum over drawn items of log(1 - sigmoid).

    Args:
        hidden, table, target: as in `cross_entropy`.
        negatives: (positions, drawn) int64, other items for each position.
        calibration: t of gBCE, 0 to 1; beta = a (t (1 - 1/a) + 1/a) with a = drawn / (items - 1). 0 is plain BCE, 1
            gives scores that are calibrated over the catalogue.

    """
    drawn = negatives.shape[-1]
    share = drawn / max(len(table) - 1, 1)
    beta = share * (calibration * (1 - 1 / share) + 1 / share)
    with _precise(hidden):
        hidden = hidden.to(table.dtype)
        positive = (hidden * functional.embedding(target, table)).sum(-1)  # (positions)
        others = functional.embedding(negatives, table)  # (positions, drawn, size)
        logits = (hidden[:, None] * others).sum(-1)  # for so few, faster than a batched product
        return -beta * functional.logsigmoid(positive).sum() + functional.softplus(logits).sum()


class _Full(torch.autograd.Function):
    """Over the whole catalogue; the gradients are made on the way and wait for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        target: Tensor,
        smoothing: float,
        weight: float,
        chunk: int | None,
    ) -> Tensor:
        n_items, more = (
            len(table),
            1 / weight - 1,
        )  # dividing by the weight, so that it is the target that has more
        owed = hidden.new_full(
            (len(hidden),), 1 - smoothing
        )  # of its own row, what a position's target takes off
        of_hidden, of_table = torch.empty_like(hidden), torch.zeros_like(table)
        losses = torch.zeros((), dtype=_exact(hidden), device=hidden.device)
        middle = table.mean(0) if smoothing else None
        small = _small(hidden, table)
        for rows, buffer in _chunks(hidden, n_items, chunk):
            h, theirs = hidden[rows], table[target[rows]]  # (chunk, size)
            logits = torch.mm(table, h.T, out=buffer)  # (items, chunk)
            shift, total = _raise(logits, small)
            chosen = (h * theirs).sum(-1)
            if more:
                extra = more * torch.exp(chosen - shift)
                total = total + extra
                owed[rows] -= extra / total
            told = chosen - math.log(weight)
            losses += (total.log() + shift - (1 - smoothing) * told).sum(dtype=losses.dtype)
            here = torch.mm(logits.T, table, out=of_hidden[rows]).div_(total[:, None])
            here.sub_(theirs * owed[rows, None])
            if middle is not None:
                losses -= smoothing * ((h @ middle) - math.log(weight) / n_items).sum(dtype=losses.dtype)
                here.sub_(smoothing * middle)
            of_table.addmm_(logits, h / total[:, None])
        of_table.index_add_(0, target, hidden * -owed[:, None])
        if smoothing:
            of_table -= smoothing / n_items * hidden.sum(0)
        ctx.save_for_backward(of_hidden, of_table)
        return losses.to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> Any:
        of_hidden, of_table = ctx.saved_tensors
        return of_hidden * outer, of_table * outer, None, None, None, None


class _Sampled(torch.autograd.Function):
    """Over the target and drawn items."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, table: Tensor, target: Tensor, negatives: Tensor, chunk: int | None
    ) -> Tensor:
        others = table[negatives]  # (drawn, size)
        of_hidden, of_others = torch.empty_like(hidden), torch.zeros_like(others)
        of_target = torch.empty_like(hidden)
        losses = torch.zeros((), dtype=_exact(hidden), device=hidden.device)
        raised = math.log(len(table) / len(negatives))
        for rows, buffer in _chunks(hidden, len(negatives), chunk):
            h, theirs = hidden[rows], table[target[rows]]  # (chunk, size)
            logits = torch.mm(others, h.T, out=buffer)  # (drawn, chunk)
            logits.masked_fill_(negatives[:, None] == target[rows], -math.inf)
            largest, total = _raise(logits, small=False)
            chosen = (h * theirs).sum(-1)
            # Two terms, the drawn and the chosen, under the larger of their shifts.
            shift = torch.maximum(largest + raised, chosen)
            drawn = total * torch.exp(largest + raised - shift)
            whole = drawn + torch.exp(chosen - shift)
            losses += (whole.log() + shift - chosen).sum(dtype=losses.dtype)
            share = (torch.exp(largest + raised - shift) / whole)[:, None]  # what an exponential weighs
            missing = (drawn / whole)[:, None]  # 1 - P(target)
            of_hidden[rows] = torch.mm(logits.T, others) * share - missing * theirs
            of_others.addmm_(logits, h * share)
            of_target[rows] = -missing * h
        of_table = torch.zeros_like(table)
        of_table.index_add_(0, target, of_target)
        of_table.index_add_(0, negatives, of_others)
        ctx.save_for_backward(of_hidden, of_table)
        return losses.to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> Any:
        of_hidden, of_table = ctx.saved_tensors
        return of_hidden * outer, of_table * outer, None, None, None


def _precise(hidden: Tensor) -> torch.autocast:
    """Return the context of a loss: in the table's own precision, whatever the network's products are in."""
    return torch.autocast(hidden.device.type, enabled=False)


def _chunks(hidden: Tensor, rows: int, chunk: int | None) -> Any:
    """Yield slices of positions, each with a buffer (rows, chunk) for its logits."""
    if chunk is None:
        chunk = CHUNK if hidden.device.type == "cpu" else max(CHUNK, CHUNK_BYTES // (4 * max(rows, 1)))
    buffer = torch.empty((rows * min(chunk, len(hidden)),), dtype=hidden.dtype, device=hidden.device)
    for start in range(0, len(hidden), chunk):
        stop = min(start + chunk, len(hidden))
        yield slice(start, stop), buffer[: rows * (stop - start)].view(rows, stop - start)


def _small(hidden: Tensor, table: Tensor) -> bool:
    """Return whether no logit can exceed 60 or fall below -60: then exponentials need no shift (on a processor)."""
    if hidden.device.type != "cpu" or not len(hidden):
        return False  # asking would make a card wait
    longest = torch.linalg.vector_norm(hidden, dim=1).amax() * torch.linalg.vector_norm(table, dim=1).amax()
    return bool(longest < 60)


def _raise(logits: Tensor, small: bool) -> tuple[Tensor, Tensor]:
    """Replace (items, chunk) by exp(logits - shift of the column); return the shifts and the sums, (chunk)."""
    # A column of -inf alone: exponentials of 0, not NaN.
    shift = logits.new_zeros(logits.shape[1]) if small else logits.amax(0).clamp_(min=-1e30)
    if logits.device.type == "cpu" and logits.dtype == torch.float32:
        from palate.kernels.softmax import exponentials

        total = torch.empty_like(shift)
        exponentials(logits.numpy(), shift.numpy(), total.numpy())
        return shift, total
    logits.sub_(shift).exp_()
    return shift, logits.sum(0)


def _exact(hidden: Tensor) -> torch.dtype:
    """Return the type to add up losses in; Apple's cards have no float64."""
    return torch.float32 if hidden.device.type == "mps" else torch.float64
