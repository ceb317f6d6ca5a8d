"""log P of each token of a text, without ever holding the logits of all positions.

The network's last layer, the head, turns hidden states (positions, size) into logits (positions, vocabulary). For 2,300
positions and 49,152 tokens those are 450 MB, and a loss written in the usual way holds them four times. Here the head
is applied to a few positions at a time, forward and again backward: kept are the hidden states and one number a
position.

    log p_t = z_t - log sum exp z         d log p_t / dz = y_t - p         z = head(h)

Logits that a model scales or caps (Gemma 2: cap tanh(z / cap); Cohere, Granite: a factor) are so here too.

Several texts after one prompt, such as both answers of a pair, are read in one row: the prompt once, and none of them
sees another (prefix sharing: Wang and Hegde, 2024). For 90 tokens of prompt and two titles of 5 that is half the work.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from palate.errors import NotSupported
from palate.neural import processes

BUFFER = 2**24
"""Bytes of the logits that exist at once, in float32; a model in bfloat16 has them a second time, at half the size."""


CELLS = 2**14
"""Tokens of prompts and responses that `score_after` has a network keep at once: 750 MB of SmolLM2's"""


SHARED = 16
"""tokens of a prompt from which texts after it share it"""
_ROW = 1024
"""Tokens of a row that is shared at most: its mask, and attention with one, grow with their square"""

_REFUSED = "_palate_refused"
"""attribute of a network whose logits are others than those of its head: why log P is refused"""
_SHARES = "_palate_shares"
"""attribute of a network: whether texts may share a prompt in it"""


@dataclass(frozen=True)
class Head:
    """What turns hidden states into logits."""

    weight: Tensor
    """(vocabulary, size)"""
    bias: Tensor | None = None
    """(vocabulary)"""
    scale: float = 1.0
    """of the logits"""
    cap: float = 0.0
    """the logits' largest size, by tanh; 0: none"""

    def logits(self, hidden: Tensor) -> Tensor:
        """Return (positions, vocabulary) logits in float32, of few positions."""
        return _finish(_product(hidden, self.weight, self.bias), self.scale, self.cap)


def head_of(network: Any) -> Head:
    """Return the head of a causal language model of transformers.

    Raises NotSupported where the head is more than a linear layer (an adapter on it, say), and where `compare_head`
    found that it does more with the logits than is known here.
    """
    if refused := getattr(network, _REFUSED, ""):
        raise NotSupported(refused)
    layer = network.get_output_embeddings()
    weight = getattr(layer, "weight", None)
    if layer is None or weight is None or type(layer) not in (torch.nn.Linear, torch.nn.Embedding):
        raise NotSupported(
            f"the head of {type(network).__name__} is a {type(layer).__name__}, expected a linear layer: leave lm_head "
            "out of the adapter's target modules."
        )
    config = network.config
    scale = getattr(config, "logit_scale", None) or 1.0
    if dividing := getattr(config, "logits_scaling", None):
        scale /= dividing
    return Head(
        weight,
        getattr(layer, "bias", None),
        float(scale),
        float(getattr(config, "final_logit_softcapping", None) or 0),
    )


def compare_head(network: Any, name: str) -> None:
    """Have `head_of` refuse a network from now on whose own logits are others than those of its head.

    Some multiply where others divide, or have a factor that is called otherwise: log P would be wrong, and nothing
    would look so. The network can still write. Cost: one token through one layer and twice through the head.
    """
    try:
        head = head_of(network)
    except NotSupported:
        return  # and it will be so again when log P is asked for
    seen: list[Tensor] = []
    inner = body(network)
    layers = getattr(inner, "layers", None)
    if isinstance(layers, torch.nn.ModuleList):
        inner.layers = layers[
            :1
        ]  # what becomes of a state behind the body is the same after one layer as after all
    watch = inner.register_forward_hook(lambda _, given, told: seen.append(told.last_hidden_state))
    try:
        with torch.inference_mode():
            ids = torch.ones((1, 1), dtype=torch.int64, device=head.weight.device)
            theirs = network(input_ids=ids, use_cache=False).logits[0].float()
            ours = head.logits(seen[0][0])
    finally:
        watch.remove()
        if isinstance(layers, torch.nn.ModuleList):
            inner.layers = layers
    off = float((theirs - ours).norm() / theirs.norm())
    # What rounding makes of it: bfloat16 has 8 bits, and rounds again after a factor and a cap.
    if off > (1e-3 if head.weight.dtype == torch.float32 else 0.02):
        setattr(
            getattr(network, "get_base_model", lambda: network)(),  # which stays when an adapter is merged
            _REFUSED,
            f"{name}: its logits differ from those of its last layer by {off:.0%}, so {type(network).__name__} does "
            "more with them than Palate knows (a factor, say), and log P would be wrong. It can write, but to measure "
            "or train take another model, such as smollm2.",
        )


def token_log_probs(
    hidden: Tensor, head: Head, targets: Tensor, *, chunk: int | None = None, at_once: bool = False
) -> Tensor:
    """Return log P of each target, (positions) float32, differentiable by `hidden` and the head.

    Args:
        hidden: (positions, size) states of the positions before the targets.
        head: of the network.
        targets: (positions) int64 ids of the tokens that came.
        chunk: positions at a time; default: as many as `BUFFER` holds.
        at_once: add the weight's gradient to `weight.grad` when it is made, by `backward()` alone. Else autograd holds
            it, as large as the weight, until that of the embedding joins it at the end.

    Cost: 2 x positions x vocabulary x size operations forward, three times as many backward (once again, and two
    gradients); where the head is frozen, twice as many forward and none backward. Memory: a buffer of chunk x
    vocabulary.

    """
    if chunk is None:
        chunk = max(1, BUFFER // (4 * len(head.weight)))
    with torch.autocast(hidden.device.type, enabled=False):
        found: Tensor = _LogProbs.apply(  # type: ignore[no-untyped-call]
            hidden, head.weight, head.bias, targets, head.scale, head.cap, chunk, at_once
        )
        return found


def hidden_states(
    network: Any, ids: Tensor, seen: Mapping[str, Tensor] | None = None, *, at_once: bool = False
) -> Tensor:
    """Return the states (rows, length, size) that the head is given, of (rows, length) tokens padded on the right.

    No mask is needed for the padding: a token sees those before it alone, and what stands behind the last is never
    read. Without one, attention is the fused causal kernel, which makes no table of (length, length).

    `seen`: where tokens of a row share a prompt, their places and which of them see which, as of `_shared`.
    `at_once`: as of `token_log_probs`, of the embedding of the tokens.
    """
    inner, embedding = body(network), network.get_input_embeddings()
    given: dict[str, Tensor] = {"input_ids": ids}
    # On a card the sum of a token's gradients would depend on the order of its threads.
    if at_once and type(embedding) is torch.nn.Embedding and ids.device.type == "cpu":
        given = {"inputs_embeds": _Lookup.apply(embedding.weight, ids, embedding.padding_idx)}  # type: ignore[no-untyped-call]
    states: Tensor = inner(**given, **(seen or {}), use_cache=False).last_hidden_state
    return states


def score(
    network: Any,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    *,
    at_once: bool = False,
) -> list[Tensor]:
    """Return for each pair log P of each token of the response after the prompt, (tokens) float32, in one batch.

    A prompt must not be empty: it is what the first token comes after. Where it is long, equal ones are read once.
    """
    rows = _rows(network, prompts, responses)
    device = next(network.parameters()).device
    ids, seen = _batch([(prompts[row[0]], [responses[place] for place in row]) for row in rows])
    ids = ids.to(device)
    states = hidden_states(
        network, ids, {name: one.to(device) for name, one in seen.items()}, at_once=at_once
    )
    order, before, targets = [place for row in rows for place in row], [], []
    for number, row in enumerate(rows):
        start = end = len(prompts[row[0]])
        for place in row:  # the first token comes after the prompt, whatever stands between
            begin, end = end, end + len(responses[place])
            before += [states[number, start - 1 : start], states[number, begin : end - 1]]
            targets.append(ids[number, begin:end])
    told = token_log_probs(torch.cat(before), head_of(network), torch.cat(targets), at_once=at_once)
    found = dict(zip(order, torch.split(told, [len(responses[place]) for place in order]), strict=True))
    return [found[place] for place in range(len(prompts))]


def _rows(
    network: Any, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Return which pairs stand in one row: those of one prompt, where that is worth it and the network lets them."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, prompt in enumerate(prompts):
        groups.setdefault(tuple(prompt), []).append(place)
    rows: list[list[int]] = []
    for prompt, places in groups.items():
        length = len(prompt) + sum(len(responses[place]) for place in places)
        together = len(places) > 1 and len(prompt) >= SHARED and length <= _ROW and _shares(network, length)
        rows += [places] if together else [[place] for place in places]
    return rows


def _batch(
    rows: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]],
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return (rows, length) tokens of prompts and the texts after each, and what `hidden_states` is to know of them."""
    longest = max(len(prompt) + sum(map(len, texts)) for prompt, texts in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.int64)
    for row, (prompt, texts) in enumerate(rows):
        whole = [*prompt, *itertools.chain.from_iterable(texts)]
        ids[row, : len(whole)] = torch.tensor(whole)
    if all(len(texts) == 1 for _, texts in rows):
        return ids, {}
    places = torch.arange(longest).repeat(len(rows), 1)
    sees = torch.ones((longest, longest), dtype=torch.bool).tril().repeat(len(rows), 1, 1, 1)
    for row, (prompt, texts) in enumerate(rows):
        end = len(prompt)
        for text in texts:
            start, end = end, end + len(text)
            places[row, start:end] = torch.arange(len(prompt), len(prompt) + len(text))
            sees[row, :, start:end, len(prompt) : start] = False  # the texts between
    return ids, {"position_ids": places, "attention_mask": sees}


def _shares(network: Any, length: int) -> bool:
    """Return whether texts in one row of a network can be kept apart by a mask, as it is once tried on a few tokens.

    Not where a layer passes on what it saw by other ways than attention, or sees less than the row.
    """
    config = network.config
    window = getattr(config, "sliding_window", None)
    if getattr(network, _SHARES, None) is None:
        setattr(network, _SHARES, getattr(config, "_attn_implementation", "") == "sdpa" and _tried(network))
    return bool(getattr(network, _SHARES)) and (not window or length <= window)


def _tried(network: Any) -> bool:
    """Return whether a network has the same states for two texts in one row with their prompt, and in two."""
    if any(map(processes.is_part, network.parameters())):  # all processes would have to try at the same time
        return False
    prompt, texts = [1, 2, 3], [[4, 5], [6, 7]]
    device, modes = next(network.parameters()).device, [(one, one.training) for one in network.modules()]
    network.eval()
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            ids, seen = _batch([(prompt, texts)])
            (one,) = hidden_states(
                network, ids.to(device), {name: told.to(device) for name, told in seen.items()}
            )
            apart = hidden_states(network, _batch([(prompt, [text]) for text in texts])[0].to(device))
    except (TypeError, ValueError, RuntimeError):  # it takes no such mask, or no places
        return False
    finally:
        for module, mode in modes:
            module.training = mode
    expected = torch.cat([apart[0], apart[1, len(prompt) :]])
    off = float((one - expected).float().norm() / expected.float().norm())
    return off < (1e-4 if one.dtype == torch.float32 else 0.05)


def score_after(network: Any, prompt: Sequence[int], responses: Sequence[Sequence[int]]) -> list[Tensor]:
    """Return log P of each token of each response after one prompt, which is read once; without gradients.

    Memory: what the network keeps of `CELLS` tokens, prompts counted for each of the responses that are read together.
    """
    from transformers import DynamicCache

    device = next(network.parameters()).device
    inner, cache = body(network), DynamicCache()
    named = "cache" if "cache" in signature(type(inner).forward).parameters else "past_key_values"
    first = inner(
        input_ids=torch.tensor([list(prompt)], device=device), use_cache=True, **{named: cache}
    ).last_hidden_state[:, -1:]
    few = max(1, CELLS // (len(prompt) + max(map(len, responses))))
    found: list[Tensor] = []
    for rows in _chunks(len(responses), few):
        last = rows.stop == len(responses)
        kept = {named: cache if last else copy.deepcopy(cache)}
        found += _after(network, inner, first, kept, len(prompt), responses[rows])
    return found


def _after(
    network: Any,
    inner: Any,
    first: Tensor,
    kept: Mapping[str, Any],
    read: int,
    responses: Sequence[Sequence[int]],
) -> list[Tensor]:
    """Return log P of each token of some responses after `read` tokens that a cache has, which it is then no more."""
    (cache,) = kept.values()
    n, longest, device = len(responses), max(map(len, responses)), first.device
    ids = torch.zeros((n, longest), dtype=torch.int64, device=device)
    mask = torch.zeros_like(ids)
    for row, (response, line) in enumerate(zip(responses, mask, strict=True)):
        ids[row, : len(response)] = torch.tensor(response, device=device)
        line[: len(response)] = 1
    cache.batch_repeat_interleave(n)
    whole = torch.cat([torch.ones((n, read), dtype=torch.int64, device=device), mask], 1)
    states = inner(input_ids=ids, attention_mask=whole, use_cache=True, **kept).last_hidden_state
    # what a token comes after: of the first, the prompt's last state
    before = torch.cat([first.expand(n, -1, -1), states[:, :-1]], 1)
    told = token_log_probs(before[mask.bool()], head_of(network), ids[mask.bool()])
    return list(torch.split(told, [len(response) for response in responses]))


def body(network: Any) -> Any:
    """Return the part of the network below its head; adapters in it stay in it."""
    inner = network
    while hasattr(inner, "get_base_model"):  # peft: LoRA's layers stand in the model itself
        inner = inner.get_base_model()
    return inner.base_model if inner.base_model is not inner else inner.model


def _product(hidden: Tensor, weight: Tensor, bias: Tensor | None, buffer: Tensor | None = None) -> Tensor:
    """Return (positions, vocabulary) logits in float32; in `buffer` where that is given and the weights are float32."""
    told = hidden.to(weight.dtype)
    if buffer is None or weight.dtype != torch.float32:
        raw = told @ weight.T
    else:
        raw = torch.mm(told, weight.T, out=buffer[: len(hidden)])
    return (raw if bias is None else raw.add_(bias)).float()


def _finish(raw: Tensor, scale: float, cap: float) -> Tensor:
    z = raw.mul_(scale) if scale != 1 else raw
    return z.div_(cap).tanh_().mul_(cap) if cap else z


class _LogProbs(torch.autograd.Function):
    """The head, a few positions at a time; made again for the gradient where the head learns."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        scale: float,
        cap: float,
        chunk: int,
        at_once: bool,
    ) -> Tensor:
        found = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        whole = torch.empty_like(found)  # log sum exp of each position
        buffer = _buffer(hidden, weight, chunk)
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        ctx.of_states_alone = wants_hidden and not (wants_weight or wants_bias)
        slopes = torch.empty_like(hidden) if ctx.of_states_alone else None
        for rows in _chunks(len(hidden), chunk):
            z = _finish(_product(hidden[rows], weight, bias, buffer), scale, cap)
            chosen, top = z.gather(1, targets[rows, None])[:, 0], z.amax(1)
            bent = 1 - (z / cap) ** 2 if cap and slopes is not None else None  # of the cap
            total = z.sub_(top[:, None]).exp_().sum(1)
            whole[rows] = total.log() + top
            found[rows] = chosen - whole[rows]
            if slopes is not None:
                change = _change(z.div_(-total[:, None]), targets[rows], bent)
                slopes[rows] = (change.to(weight.dtype) @ weight).mul_(scale)
        if slopes is not None:
            ctx.save_for_backward(slopes)
        else:
            ctx.save_for_backward(hidden, weight, bias, targets, whole)
        ctx.how = scale, cap, chunk, at_once
        return found

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> Any:
        if ctx.of_states_alone:  # a position's log p is of its own state alone
            (slopes,) = ctx.saved_tensors
            return (slopes * outer[:, None]).to(slopes.dtype), *[None] * 7
        hidden, weight, bias, targets, whole = ctx.saved_tensors
        scale, cap, chunk, at_once = ctx.how
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        of_hidden = torch.empty_like(hidden) if wants_hidden else None
        at_once = at_once and wants_weight and weight.is_leaf
        if at_once and weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        of_weight = weight.grad if at_once else torch.zeros_like(weight) if wants_weight else None
        of_bias = torch.zeros_like(bias) if wants_bias and bias is not None else None
        buffer = _buffer(hidden, weight, chunk)
        for rows in _chunks(len(hidden), chunk):
            z = _finish(_product(hidden[rows], weight, bias, buffer), scale, cap)
            bent = 1 - (z / cap) ** 2 if cap else None  # of the cap
            change = _change(z.sub_(whole[rows, None]).exp_().neg_(), targets[rows], bent)
            change = change.mul_(outer[rows, None] * scale).to(weight.dtype)
            if of_hidden is not None:
                of_hidden[rows] = (change @ weight).to(hidden.dtype)
            if of_weight is not None:
                of_weight.addmm_(change.T, hidden[rows].to(weight.dtype))
            if of_bias is not None:
                of_bias.add_(change.sum(0))
        return of_hidden, None if at_once else of_weight, of_bias, None, None, None, None, None


def _change(less: Tensor, targets: Tensor, bent: Tensor | None) -> Tensor:
    """Return y - p in place of -p, (positions, vocabulary): log p's gradient by the logits, or by those below a cap."""
    change = less.scatter_add_(1, targets[:, None], torch.ones_like(less[:, :1]))
    return change if bent is None else change.mul_(bent)


class _Lookup(torch.autograd.Function):
    """The vectors of tokens; their gradients join the weight's a row at a time, and not as a table of its size."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, padding: int | None) -> Tensor:
        ctx.save_for_backward(weight, ids)
        ctx.padding = padding
        return torch.nn.functional.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> Any:
        weight, ids = ctx.saved_tensors
        if not ctx.needs_input_grad[0]:
            return None, None, None
        places, slopes = ids.flatten(), outer.flatten(0, 1).to(weight.dtype)
        if ctx.padding is not None:  # a token of padding learns nothing, as in torch's own
            places, slopes = places[places != ctx.padding], slopes[places != ctx.padding]
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        weight.grad.index_add_(0, places, slopes)
        return None, None, None


def _buffer(hidden: Tensor, weight: Tensor, chunk: int) -> Tensor:
    """Return what the logits of each chunk are made in, again and again: fresh pages cost more than they seem to."""
    rows = min(chunk, len(hidden)) if weight.dtype == torch.float32 else 0
    return torch.empty((rows, len(weight)), dtype=torch.float32, device=hidden.device)


def _chunks(total: int, chunk: int) -> Iterator[slice]:
    for start in range(0, total, chunk):
        yield slice(start, min(start + chunk, total))
