"""Whether a language model finds a text likelier under the instruction that it follows than under the corrupted one.

Ranking accuracy (Pham, Sun and Iyyer, 2024): the share of texts with log P(y | x_w) > log P(y | x_l), sums over the
tokens of y, with so many constraints shown and so many of them corrupted:

    M,M   M,M/2   M,1   M/2,M/2   1,1        M: all of an example's; chance is one half
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from palate.errors import DataError, PlanError
from palate.progress import progress
from palate.text.constraints.registry import holds
from palate.text.language_model import LanguageModel
from palate.text.prose import Prose
from palate.text.suri import SPECIFICITIES, Example, Prompts, specificity, subset

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Trial:
    """One text under two instructions."""

    example: str
    """id of the text's example"""
    source: str
    specificity: str
    kinds: tuple[str, ...]
    """of the corrupted constraints; empty where the set does not say"""
    overlap: bool
    """a word that only x_w has stands in the text: the order could be found by looking for it"""
    control: bool
    """the text is another one, of which x_l is true and x_w is not: the order must turn"""
    tokens: int
    """of the text"""
    margin: float
    """log P(text | x_w) - log P(text | x_l), in nats"""
    log_p: float
    """log P(text | x_w), in nats"""

    @property
    def right(self) -> bool:
        """Whether the text is likelier under what it follows; equal is wrong."""
        return self.margin < 0 if self.control else self.margin > 0


@dataclass(frozen=True, eq=False)
class Strip:
    """Where an instruction matters: a text's tokens, and what each gains by x_w over x_l."""

    example: str
    specificity: str
    chosen: str
    rejected: str
    pieces: tuple[str, ...]
    gain: NDArray[np.float64]
    """(tokens) in nats"""


@dataclass(frozen=True, eq=False)
class Ranking:
    """What was found."""

    model: str
    conventions: str
    trials: tuple[Trial, ...]
    strips: tuple[Strip, ...]
    notes: tuple[str, ...]

    @property
    def nll(self) -> float:
        """Mean -log P(token | x_w, tokens before), in nats, of the texts under what they follow."""
        asked = [one for one in self.trials if not one.control]
        return -sum(one.log_p for one in asked) / sum(one.tokens for one in asked)


@dataclass(frozen=True)
class _Asked:
    example: Example
    specificity: str
    prompts: Prompts
    answer: str
    control: bool


def rank(
    model: LanguageModel,
    examples: Sequence[Example],
    *,
    specificities: Sequence[str] = SPECIFICITIES,
    tokens: int | None = None,
    draws: int = 1,
    controls: bool = False,
    strips: int = 0,
    seed: int = 0,
) -> Ranking:
    """Return a trial for each example and specificity.

    Args:
        model: any.
        examples: of a set.
        specificities: which of the five.
        tokens: of a text that are read: its longest beginning that ends at a sentence; None: all of it.
        draws: single constraints that are asked of each example, for 1,1.
        controls: ask each 1,1 also of another text of the set, of which the corrupted constraint is true.
        strips: trials of which each token's gain is told.
        seed: which constraints are drawn.

    Raises DataError where a prompt and a text do not fit into the model's context.
    """
    import torch

    from palate.text.logprob import score

    asked = list(_asked(examples, specificities, draws, controls, seed))
    if not asked:
        raise DataError("nothing to rank: the set is empty, or no example has enough constraints.")
    trials: list[Trial] = []
    told: list[Strip] = []
    cut = 0
    cache: dict[tuple[str, str], NDArray[np.float64]] = {}
    with progress("Ranking", total=len(asked), unit="pairs") as advance, torch.inference_mode():
        for one in asked:
            pair = [model.prompt(text) for text in (one.prompts.chosen, one.prompts.rejected)]
            room = min(tokens or model.context, model.context - max(map(len, pair)))
            answer = model.response(one.answer)
            if len(answer) > room:
                if tokens is None:
                    raise DataError(
                        f"{one.example.id}: instruction and text are {max(map(len, pair)) + len(answer):,} tokens, and "
                        f"{model.name} reads {model.context:,}. Give --tokens, and texts are cut at a sentence."
                    )
                answer, cut = model.beginning(one.answer, room), cut + 1
                if not answer:
                    raise DataError(
                        f"{one.example.id}: no sentence of the text fits into {room:,} tokens. Raise --tokens."
                    )
            if len(cache) > 8:
                cache.clear()  # what is asked again is asked soon
            sides = []
            for text, prompt in zip((one.prompts.chosen, one.prompts.rejected), pair, strict=True):
                key = text, one.answer
                if key not in cache:
                    cache[key] = score(model.network, [prompt], [answer])[0].double().cpu().numpy()
                sides.append(cache[key])
            gain = sides[0] - sides[1]
            trials.append(_trial(model, one, answer, float(gain.sum()), float(sides[0].sum())))
            if len(told) < strips and not one.control:
                told.append(_strip(model, one, answer, gain))
            advance(1)
    notes = (f"{cut:,} of {len(asked):,} texts were cut at a sentence to {tokens:,} tokens.",) if cut else ()
    return Ranking(model.name, model.conventions(), tuple(trials), tuple(told), notes)


def _asked(
    examples: Sequence[Example], specificities: Sequence[str], draws: int, controls: bool, seed: int
) -> Iterator[_Asked]:
    for one in specificities:
        specificity(one, 1)  # refuses what is none
    if draws < 1:
        raise PlanError(f"draws = {draws}: give at least 1.")
    turned = _Turned(examples) if controls else None
    for example in examples:
        for name in specificities:
            shown, corrupted = specificity(name, len(example.contrasts))
            for draw in range(min(draws, len(example.contrasts)) if name == "1,1" else 1):
                drawn = subset(example, shown, corrupted, seed=seed)
                if name == "1,1":
                    drawn = _single(example, drawn, draw)
                asked = _Asked(example, name, drawn, example.answer, False)
                yield asked
                if (
                    turned is not None
                    and name == "1,1"
                    and (other := turned.text(example, drawn.corrupted[0]))
                ):
                    yield replace(asked, answer=other, control=True)


def _single(example: Example, drawn: Prompts, draw: int) -> Prompts:
    """Return the `draw`-th single constraint, counted from the one that was drawn."""
    from palate.text.suri import prompt

    place = (drawn.shown[0] + draw) % len(example.contrasts)
    contrast = example.contrasts[place]
    return Prompts(
        prompt(example.goal, [contrast.chosen.text]),
        prompt(example.goal, [contrast.rejected.text]),
        (place,),
        (place,),
    )


class _Turned:
    """Texts of which a corrupted constraint is true, and the true one false."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.texts = [(one.id, Prose(one.answer)) for one in examples]

    def text(self, example: Example, place: int) -> str | None:
        contrast = example.contrasts[place]
        if not contrast.chosen.kind:
            return None
        for name, prose in self.texts:
            if name != example.id and holds(contrast.rejected, prose) and not holds(contrast.chosen, prose):
                return prose.text
        return None


def _trial(model: LanguageModel, one: _Asked, answer: list[int], margin: float, log_p: float) -> Trial:
    corrupted = [one.example.contrasts[place] for place in one.prompts.corrupted]
    right = {word for pair in corrupted for word in _words(pair.chosen.text) - _words(pair.rejected.text)}
    return Trial(
        example=one.example.id,
        source=one.example.source,
        specificity=one.specificity,
        kinds=tuple(sorted({pair.chosen.kind for pair in corrupted if pair.chosen.kind})),
        overlap=bool(right & _words(model.words(answer))),
        control=one.control,
        tokens=len(answer),
        margin=margin,
        log_p=log_p,
    )


def _strip(model: LanguageModel, one: _Asked, answer: list[int], gain: NDArray[np.float64]) -> Strip:
    from palate.text.pieces import pieces

    shown = tuple(piece.text if piece.first else "" for piece in pieces(model.tokenizer, answer))
    return Strip(one.example.id, one.specificity, one.prompts.chosen, one.prompts.rejected, shown, gain)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
