"""What is learned of pairs: the loss of a step, a few pairs at a time, and what is told meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from palate.memory import peak_mb
from palate.neural import devices, processes
from palate.text import preference
from palate.text.align import draws
from palate.text.align.pairs import Row, Side
from palate.text.align.training import Training
from palate.text.logprob import score


@dataclass
class Alignment:
    """A `loop.Task` in parts: rows are pairs."""

    module: Weights
    rows: list[Row]
    valid: list[Row]
    training: Training
    shares: int = 1
    """processes that a step is shared out among, where the model is too"""
    reference: dict[int, tuple[float, float]] = field(default_factory=dict)
    """of DPO: log P of both sides before training, by the pair's place; validation pairs from -1 down"""
    log_p: Tensor = field(default_factory=lambda: torch.zeros(2))
    """(2) the mean log p of a token of both sides, summed over an epoch's pairs; on the card until it is told"""
    pairs: int = 0
    tokens: int = 0
    begun: float = 0.0

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Return the steps of an epoch; halves of an exchange are in the same one where `batch` is even.

        What both would teach of a value alone, whatever the text, then cancels in one gradient.
        """
        self.log_p, self.pairs, self.tokens = torch.zeros(2, device=self.module.device), 0, 0
        self.begun = time.perf_counter()
        order = self._order(rng)
        if (
            self.training.shard
        ):  # all processes go through the layers equally often: who is left over waits an epoch
            order = order[: len(order) // self.shares * self.shares]
        return [
            order[start : start + self.training.batch] for start in range(0, len(order), self.training.batch)
        ]

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return all places in a drawn order, two by two: halves of an exchange, and of the others any two."""
        links: dict[str, list[int]] = {}
        for place, row in enumerate(self.rows):
            links.setdefault(row.link or f"{place}", []).append(place)
        alone = rng.permutation([group[0] for group in links.values() if len(group) == 1])
        twos = [group for group in links.values() if len(group) > 1]
        twos += [alone[place : place + 2].tolist() for place in range(0, len(alone) - 1, 2)]
        drawn = [place for number in rng.permutation(len(twos)) for place in twos[number]]
        return np.array([*drawn, *alone[len(alone) // 2 * 2 :]], np.int64)

    def parts(
        self, rows: NDArray[np.int64], mine: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield the losses of a step, times its pairs, a few pairs at a time."""
        self.module.make_room()
        learned = sum(self._learned(self.rows[row].w) for row in rows)
        per_token = self.training.nll_weight * len(rows) / learned
        for start in range(0, len(mine), self.training.micro):
            places = mine[start : start + self.training.micro].tolist()
            yield from self._few([self.rows[place] for place in places], places, per_token)

    def _learned(self, side: Side) -> int:
        """Return how many tokens of a preferred side have their -log P learned."""
        return len(side) - 1 if self.training.learns_prompts else len(side.answer)

    def _few(self, few: list[Row], places: list[int], per_token: float) -> Iterator[tuple[Tensor, int]]:
        chosen, rejected = [one.w for one in few], [one.l for one in few]
        if self.training.method == "sft":
            w, nll = self._read(chosen, len(few))
            self._count(w, None, few)
            yield nll * per_token, len(few)
        elif self.training.mode == "joint":
            both, nll = self._read([*chosen, *rejected], len(few))
            w, l = both[: len(few)], both[len(few) :]  # noqa: E741 - the letters of the papers
            self._count(w, l, few)
            yield nll * per_token + self._preference(w, l, few, places), len(few)
        else:
            before = draws.state(self.module.device)
            with torch.no_grad():
                constant, _ = self._read(rejected, 0)
            w, nll = self._read(chosen, len(few))
            after = draws.state(self.module.device)
            self._count(w, constant, few)
            yield nll * per_token + self._preference(w, constant, few, places), len(few)
            w = w.detach()
            draws.restore(self.module.device, before)  # the same dropout as when it was a constant
            l, _ = self._read(rejected, 0)  # noqa: E741
            draws.restore(self.module.device, after)
            loss = self._preference(w, l, few, places)
            yield loss - loss.detach(), 0  # its value is counted already

    def _read(self, sides: Sequence[Side], learned: int) -> tuple[Tensor, Tensor]:
        """Return log P of each answer, (sides), and the sum of -log P over what is learned of the first `learned`."""
        prompts, answers = [], []
        for place, one in enumerate(sides):
            whole = self.training.learns_prompts and place < learned
            prompts.append(one.prompt[:1] if whole else one.prompt)
            answers.append([*one.prompt[1:], *one.answer] if whole else one.answer)
        tokens = score(self.module.network, prompts, answers, at_once=True)
        log_p = torch.stack([told[-len(one.answer) :].sum() for told, one in zip(tokens, sides, strict=True)])
        return log_p, -sum((told.sum() for told in tokens[:learned]), start=log_p.new_zeros(()))

    def _preference(self, w: Tensor, l: Tensor, few: list[Row], places: list[int]) -> Tensor:  # noqa: E741
        """Return the sum over pairs of what the method asks beside -log P."""
        pairs, how = _measured(w, l, few), self.training
        if how.method in ("iorpo", "orpo"):
            return how.weight * preference.odds_ratio(pairs, steepness=how.steepness).sum()
        if how.method == "simpo":
            return preference.simpo(pairs, beta=how.beta, gamma=how.margin).sum()
        return preference.dpo(pairs, self._before(pairs, places), beta=how.beta).sum()

    def _before(self, pairs: preference.Pairs, places: list[int]) -> preference.Pairs:
        """Return what the model said of pairs before training."""
        told = torch.tensor([self.reference[place] for place in places], device=pairs.chosen.device)
        return preference.Pairs(told[:, 0], told[:, 1], pairs.chosen_tokens, pairs.rejected_tokens)

    def _prefers(self, pairs: preference.Pairs, places: list[int]) -> Tensor:
        """Return which pairs are told apart as the method means it: of DPO by more than before, else a token."""
        if self.training.method != "dpo":
            return pairs.margin > 0
        before = self._before(pairs, places)
        return pairs.chosen - before.chosen > pairs.rejected - before.rejected

    # --- without gradients ------------------------------------------------------------------------------------------

    def validate(self) -> dict[str, float]:
        """Return measures of the validation pairs; the first, the objective's negative, says when to stop."""
        if not self.valid:
            return {}
        losses, nll, log_p, right, margin = 0.0, 0.0, 0.0, 0, 0.0
        with torch.no_grad():
            for place, pair in enumerate(self.valid):
                if self.training.method == "sft":  # there is no other side
                    w, learned = self._read([pair.w], 1)
                else:
                    w, l, learned = self._read_both(pair)  # noqa: E741
                    pairs, places = _measured(w, l, [pair]), [-1 - place]
                    margin += float(pairs.margin)
                    right += bool(self._prefers(pairs, places))
                    losses += float(self._preference(w, l, [pair], places))
                log_p += float(w)
                nll += float(learned)
        n, tokens = len(self.valid), sum(len(pair.w.answer) for pair in self.valid)
        nll /= sum(self._learned(pair.w) for pair in self.valid)
        found = {
            "valid_objective": -self.training.nll_weight * nll - losses / n,
            "valid_nll": -log_p / tokens,
        }
        if self.training.method != "sft":
            found |= {"valid_margin": margin / n, "valid_accuracy": right / n}
        return found

    def look_up_reference(self, device: torch.device) -> None:
        """Note what the model says before training, of each pair in the precision in which it will be read again."""
        self.module.to(device)
        self.module.eval()
        with torch.no_grad():
            with devices.autocast(device, self.training.precision):
                self._note(enumerate(self.rows))
            self._note((-1 - place, pair) for place, pair in enumerate(self.valid))

    def _note(self, rows: Iterable[tuple[int, Row]]) -> None:
        for place, pair in rows:
            w, l, _ = self._read_both(pair)  # noqa: E741
            self.reference[place] = float(w), float(l)

    def _read_both(self, pair: Row) -> tuple[Tensor, Tensor, Tensor]:
        """Return log P of both answers, (1) each, and the sum of -log P over what is learned; read as in training."""
        if self.training.mode == "joint":
            both, nll = self._read([pair.w, pair.l], 1)
            return both[:1], both[1:], nll
        w, nll = self._read([pair.w], 1)
        return w, self._read([pair.l], 0)[0], nll

    # --- what is told -----------------------------------------------------------------------------------------------

    def _count(self, w: Tensor, l: Tensor | None, few: list[Row]) -> None:  # noqa: E741
        told = _measured(w.detach(), torch.zeros_like(w) if l is None else l.detach(), few)
        means = told.chosen / told.chosen_tokens, told.rejected / told.rejected_tokens
        self.log_p += torch.stack([one.sum() for one in means])
        self.pairs += len(few)
        self.tokens += sum(len(one.w) + (0 if l is None else len(one.l)) for one in few)

    def told(self) -> dict[str, float]:
        """Return log P a token of both sides, their margin, tokens a second and memory."""
        chosen, rejected = (self.log_p / max(self.pairs, 1)).tolist()
        told = {"log_p": chosen}
        if self.training.method != "sft":
            told |= {"log_p_rejected": rejected, "margin": chosen - rejected}
        told["tokens_per_second"] = self.tokens / max(time.perf_counter() - self.begun, 1e-9)
        told["memory_mb"] = _memory_mb()
        return told


class Weights(nn.Module):
    """The weights that are trained, alone: what is kept of a training."""

    network: Any

    def __init__(self, network: Any) -> None:
        super().__init__()
        object.__setattr__(self, "network", network)  # so that its frozen weights are no part of the state
        self.trained = nn.ParameterList(one for one in network.parameters() if one.requires_grad)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def make_room(self) -> None:
        """Have all gradients in one block: one by one, between tensors that come and go, they would leave holes."""
        if not any(one.grad is not None or processes.is_part(one) for one in self.trained):
            sizes = [one.numel() for one in self.trained]
            room = torch.zeros(sum(sizes), device=self.device)
            for one, part in zip(self.trained, torch.split(room, sizes), strict=True):
                one.grad = part.view_as(one)

    def train(self, mode: bool = True) -> Weights:
        """Set the network's mode."""
        self.network.train(mode)
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> Weights:
        self.network._apply(fn, recurse)  # the parameters here are those of the network
        return self


def _measured(w: Tensor, l: Tensor, few: Sequence[Row]) -> preference.Pairs:  # noqa: E741
    lengths = torch.tensor([[len(pair.w.answer), len(pair.l.answer)] for pair in few], device=w.device)
    return preference.Pairs(w, l, lengths[:, 0], lengths[:, 1])


def _memory_mb() -> float:
    """Return the most memory that was in use: of the card, or of this process."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**20
    return peak_mb() or float("nan")
