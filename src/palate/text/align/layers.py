"""Layers whose inside is made again for the gradient: the least memory in which a text can be learned.

Kept of a text are the inputs of every few layers (Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear
memory cost", 2016). On the way back a group of layers runs once more for the inputs in between, then each of its
layers once more for its gradient: attention in one piece, and what comes after it, where a token stands for itself, a
few tokens at a time. So what exists at once is the inputs of a group, one attention, and one piece.

    as transformers has it    inputs of all layers                     one whole layer
    here                      inputs of all groups, and of one group   one attention and a piece of what comes after
    price                     one more forward pass, of all but the last layer of each group
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from palate.neural import processes
from palate.text.align import draws
from palate.text.logprob import body

PIECE = 256
"""tokens of all rows together, of what comes after attention, that are made again at once"""


def remake(network: Any) -> bool:
    """Have a network's layers made again in groups; False, and nothing is changed, where that cannot be.

    It can in networks of transformers 5 whose layers follow one another, each with a tensor in and a tensor out.
    """
    if not hasattr(network, "activation_checkpointing_enable"):
        return False
    from transformers.modeling_layers import GradientCheckpointingLayer

    inner = body(network)
    layers = list(getattr(inner, "layers", ()))
    alike = all(isinstance(one, GradientCheckpointingLayer) for one in layers)
    shared_out = any(map(processes.is_part, network.parameters()))  # whose parts come by hooks of their own
    if not layers or len(layers) != inner.config.num_hidden_layers or not alike or shared_out:
        return False
    stack = _Stack(len(layers))
    for place, layer in enumerate(layers):
        vars(layer)["forward"] = partial(stack.call, place, layer)
    return True


def keep(network: Any) -> None:
    """Take `remake` back."""
    for layer in getattr(body(network), "layers", ()):
        vars(layer).pop("forward", None)


@dataclass
class _Layer:
    """A layer and what it is given beside the states (rows, tokens, size)."""

    module: Any
    given: tuple[Any, ...]
    named: dict[str, Any]
    usual: bool = False
    """x + attention(norm(x)), and h + mlp(norm(h)) of what that gives: what comes second is then made in pieces"""

    def whole(self, x: Tensor) -> Tensor:
        made: Tensor = type(self.module).forward(self.module, x, *self.given, **self.named)
        return made

    def attend(self, x: Tensor) -> Tensor:
        normed = self.module.input_layernorm(x)
        made: Tensor = self.module.self_attn(*self.given, hidden_states=normed, **self.named)[0]
        return x + made

    def after(self, h: Tensor) -> Tensor:
        made: Tensor = h + self.module.mlp(self.module.post_attention_layernorm(h))
        return made

    def __call__(self, x: Tensor) -> Tensor:
        """Return what the layer makes, without what its gradient would need."""
        if not self.usual:
            return self.whole(x)
        h = self.attend(x)
        for some in _pieces(h):
            h[:, some] = self.after(h[:, some])
        return h

    def back(self, x: Tensor, slope: Tensor) -> Tensor:
        """Return the gradient by the layer's input, of that by its output; add those of its weights."""
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            made = self.attend(x) if self.usual else self.whole(x)
        if self.usual:
            slope = self._back_after(made.detach(), slope)
        torch.autograd.backward(made, slope)
        assert x.grad is not None
        return x.grad

    def _back_after(self, h: Tensor, slope: Tensor) -> Tensor:
        found = torch.empty_like(h)
        for some in _pieces(h):
            piece = h[:, some].requires_grad_()
            with torch.enable_grad():
                made = self.after(piece)
            torch.autograd.backward(made, slope[:, some])
            assert piece.grad is not None
            found[:, some] = piece.grad
        return found

    def is_usual(self, x: Tensor) -> bool:
        """Return whether the layer makes of `x`, to the bit, what a usual one makes of it."""
        moment = _Moment(x.device)
        try:
            with torch.no_grad():
                with moment.again():
                    whole = self.whole(x)
                with moment.again():
                    return torch.equal(self.after(self.attend(x)), whole)
        except (AttributeError, TypeError, ValueError, RuntimeError):  # a layer of other parts
            return False


class _Stack:
    """The layers of a network, which take down how they are called until the last one is: then they run together."""

    def __init__(self, many: int) -> None:
        self.many, self.group = many, max(1, round(math.sqrt(many)))  # keeps the fewest inputs
        self.called: list[_Layer] = []
        self.usual: dict[type, bool] = {}

    def call(self, place: int, module: Any, x: Tensor, *given: Any, **named: Any) -> Tensor:
        """Take the place of a layer's forward."""
        if not module.training and not torch.is_grad_enabled():
            return _Layer(module, given, named).whole(x)
        self.called = [*self.called[:place], _Layer(module, given, named)]
        if place < self.many - 1:
            return x
        layers, self.called = self.called, []
        for one in layers:
            kind = type(one.module)
            if kind not in self.usual:
                self.usual[kind] = one.is_usual(x)
            one.usual = self.usual[kind]
        if torch.is_grad_enabled():
            # under LoRA nothing before the layers is learned, and yet the way back must come here
            x = x if x.requires_grad else x.detach().requires_grad_()
            made: Tensor = _Remade.apply(x, layers, self.group)  # type: ignore[no-untyped-call]
            return made
        for one in layers:
            x = one(x)
        return x


class _Remade(torch.autograd.Function):
    """The layers, of which the inputs of groups are kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layers: Sequence[_Layer], group: int) -> Tensor:
        ctx.groups = []
        for start in range(0, len(layers), group):
            some = layers[start : start + group]
            ctx.groups.append((some, x, _Moment(x.device)))
            for layer in some:
                x = layer(x)
        _close_holes(x.device)
        return x

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        (slope,) = slopes
        while ctx.groups:
            some, x, moment = ctx.groups.pop()
            inputs = []
            with moment.again(), torch.no_grad():
                for layer in some:
                    inputs.append((x, _Moment(x.device)))
                    if layer is not some[-1]:
                        x = layer(x)
            for layer in reversed(some):
                x, moment = inputs.pop()
                with moment.again():
                    slope = layer.back(x, slope)
            _close_holes(slope.device)
        return slope, None, None


class _Moment:
    """What a layer's result depends on beside its input and weights: what dropout draws by, and autocast."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.drawn = device, draws.state(device)
        self.cast = torch.is_autocast_enabled(device.type)
        self.kind = torch.get_autocast_dtype(device.type)

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """Make things as they were made then."""
        with (
            draws.from_state(self.device, self.drawn),
            torch.autocast(self.device.type, dtype=self.kind, enabled=self.cast),
        ):
            yield


def _close_holes(device: torch.device) -> None:
    """Give back to the system what lies free between tensors on a processor, where that can be told (glibc).

    What a piece made is too small for pages of its own, so it leaves holes in the heap: 90 MB after one way back.
    """
    if device.type == "cpu" and sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _pieces(h: Tensor) -> Iterator[slice]:
    """Yield tokens of (rows, tokens, size), a few at a time."""
    step = max(1, PIECE // h.shape[0])
    for start in range(0, h.shape[1], step):
        yield slice(start, start + step)
