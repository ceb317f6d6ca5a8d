"""What is learned of pairs: the loss of a step, a few pairs at a time, and what is told meanwhile."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from palate.text import preference
from palate.text.align.pairs import Side
from palate.text.align.training import Training
from palate.text.logprob import score


@dataclass
class Alignment:
    """A `loop.Task` in parts: rows are pairs."""

    module: Weights
    rows: list[tuple[Side, Side]]
    valid: list[tuple[Side, Side]]
    training: Training
    reference: dict[int, tuple[float, float]] = field(default_factory=dict)
    """of DPO: log P of both sides before training, by the pair's place; validation pairs from -1 down"""
    sums: dict[str, float] = field(default_factory=dict)
    begun: float = 0.0

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Return the steps of an epoch."""
        self.sums, self.begun = (
            dict.fromkeys(("pairs", "chosen", "rejected", "tokens"), 0.0),
            time.perf_counter(),
        )
        order = rng.permutation(len(self.rows))
        return [
            order[start : start + self.training.batch] for start in range(0, len(order), self.training.batch)
        ]

    def loss(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the sum of the losses of a step in one graph."""
        parts = list(self.parts(rows, rows, rng))
        return torch.stack([loss for loss, _ in parts]).sum(), sum(count for _, count in parts)

    def parts(
        self, rows: NDArray[np.int64], mine: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield the losses of a step, times its pairs, a few pairs at a time."""
        every = [self.rows[row][0] for row in rows]
        counted = sum(
            len(one.answer) + (len(one.prompt) - 1) * (self.training.nll_on == "all") for one in every
        )
        per_token = len(rows) / counted
        for start in range(0, len(mine), self.training.micro):
            places = mine[start : start + self.training.micro].tolist()
            yield from self._few([self.rows[place] for place in places], places, per_token)

    def _few(
        self, few: list[tuple[Side, Side]], places: list[int], per_token: float
    ) -> Iterator[tuple[Tensor, int]]:
        chosen, rejected = [one for one, _ in few], [one for _, one in few]
        if self.training.method == "sft":
            w, nll = self._read(chosen)
            self._count(w.detach(), None, chosen)
            yield nll * per_token, len(few)
        elif self.training.mode == "joint":
            both, nll = self._read([*chosen, *rejected], learned=len(few))
            w, l = both[: len(few)], both[len(few) :]  # noqa: E741 - the letters of the papers
            self._count(w.detach(), l.detach(), chosen)
            yield nll * per_token + self._preference(w, l, few, places), len(few)
        else:
            state = _random_state(self.module)
            with torch.no_grad():
                constant, _ = self._read(rejected)
            after = _random_state(self.module)
            w, nll = self._read(chosen)
            self._count(w.detach(), constant, chosen)
            yield nll * per_token + self._preference(w, constant, few, places), len(few)
            _set_random_state(state)  # the same dropout as when it was a constant
            l, _ = self._read(rejected)  # noqa: E741
            loss = self._preference(w.detach(), l, few, places)
            yield loss - loss.detach(), 0  # its value is counted already
            _set_random_state(after)

    def _read(self, sides: list[Side], learned: int | None = None) -> tuple[Tensor, Tensor]:
        """Return log P of each answer, (sides), and the sum of -log P over what is learned of the first `learned`."""
        network, whole = self.module.network, self.training.nll_on == "all"
        prompts = [one.prompt[:1] if whole else one.prompt for one in sides]
        answered = [[*one.prompt[1:], *one.answer] if whole else one.answer for one in sides]
        tokens = score(network, prompts, answered, at_once=True)
        answers = torch.stack(
            [told[-len(one.answer) :].sum() for told, one in zip(tokens, sides, strict=True)]
        )
        nll = -torch.stack([told.sum() for told in tokens[:learned]]).sum()
        return answers, nll

    def _preference(self, w: Tensor, l: Tensor, few: list[tuple[Side, Side]], places: list[int]) -> Tensor:  # noqa: E741
        """Return the sum over pairs of what the method asks beside -log P."""
        pairs = _measured(w, l, few)
        how = self.training
        if how.method in ("iorpo", "orpo"):
            return how.weight * preference.odds_ratio(pairs).sum()
        if how.method == "simpo":
            return preference.simpo(pairs, beta=how.beta, gamma=how.gamma) * len(few)
        before = torch.tensor([self.reference[place] for place in places], device=w.device)
        reference = preference.Pairs(before[:, 0], before[:, 1], pairs.chosen_tokens, pairs.rejected_tokens)
        return preference.dpo(pairs, reference, beta=how.beta) * len(few)

    # --- what is told -----------------------------------------------------------------------------------------------

    def _count(self, w: Tensor, l: Tensor | None, chosen: list[Side]) -> None:  # noqa: E741
        lengths = torch.tensor([len(one.answer) for one in chosen], device=w.device)
        self.sums["pairs"] += len(chosen)
        self.sums["chosen"] += float((w / lengths).sum())
        self.sums["rejected"] += float((l / lengths).sum()) if l is not None else 0.0
        self.sums["tokens"] += sum(map(len, chosen)) * (1 if l is None else 2)

    def told(self) -> dict[str, float]:
        """Return log P a token of both sides, their margin, tokens a second and memory."""
        pairs = max(self.sums["pairs"], 1)
        told = {"log_p": self.sums["chosen"] / pairs}
        if self.training.method != "sft":
            told["log_p_rejected"] = self.sums["rejected"] / pairs
            told["margin"] = told["log_p"] - told["log_p_rejected"]
        told["tokens_per_second"] = self.sums["tokens"] / max(time.perf_counter() - self.begun, 1e-9)
        told["memory_mb"] = _memory_mb()
        return told

    def validate(self) -> dict[str, float]:
        """Return measures of the validation pairs; the first, the objective's negative, says when to stop."""
        if not self.valid:
            return {}
        losses, log_p, tokens, right, margin = 0.0, 0.0, 0, 0, 0.0
        with torch.no_grad():
            for place, pair in enumerate(self.valid):
                tokens += len(pair[0].answer)
                if self.training.method == "sft":  # there is no other side
                    log_p += float(self._read([pair[0]])[0])
                    continue
                both, _ = self._read(list(pair))
                w, l = both[:1], both[1:]  # noqa: E741
                log_p += float(w[0])
                told = _measured(w, l, [pair])
                margin += float(told.margin[0])
                right += bool(w[0] > l[0])
                losses += float(self._preference(w, l, [pair], [-1 - place]))
        n = len(self.valid)
        found = {"valid_objective": log_p / tokens - losses / n, "valid_nll": -log_p / tokens}
        if self.training.method != "sft":
            found |= {"valid_margin": margin / n, "valid_accuracy": right / n}
        return found

    def look_up_reference(self, device: torch.device) -> None:
        """Note what the model says before training."""
        self.module.to(device)
        self.module.eval()
        with torch.no_grad():
            for places, rows in (
                (range(len(self.rows)), self.rows),
                (range(-1, -1 - len(self.valid), -1), self.valid),
            ):
                for place, pair in zip(places, rows, strict=True):
                    both, _ = self._read(list(pair))
                    self.reference[place] = (float(both[0]), float(both[1]))


class Weights(nn.Module):
    """The weights that are trained, alone: what is kept of a training."""

    network: Any

    def __init__(self, network: Any) -> None:
        super().__init__()
        object.__setattr__(self, "network", network)  # so that its frozen weights are no part of the state
        self.trained = nn.ParameterList(one for one in network.parameters() if one.requires_grad)

    def train(self, mode: bool = True) -> Weights:
        """Set the network's mode."""
        self.network.train(mode)
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> Weights:
        self.network._apply(fn, recurse)  # the parameters here are those of the network
        return self


def _measured(w: Tensor, l: Tensor, few: list[tuple[Side, Side]]) -> preference.Pairs:  # noqa: E741
    lengths = torch.tensor([[len(one.answer) for one in pair] for pair in few], device=w.device)
    return preference.Pairs(w, l, lengths[:, 0], lengths[:, 1])


def _random_state(module: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Return the state of what dropout draws by: the processor's, and the card's where the weights are on one."""
    on_card = next(module.parameters()).device.type == "cuda"
    return torch.get_rng_state(), torch.cuda.get_rng_state() if on_card else None


def _set_random_state(state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1])


def _memory_mb() -> float:
    """Return the most memory that was in use: of the card, or of this process."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
