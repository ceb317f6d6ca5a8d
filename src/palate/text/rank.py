"""Whether a language model finds a text likelier under the instruction that it follows than under the corrupted one.

Ranking accuracy (Pham, Sun and Iyyer, 2024): the share of texts with log P(y | x_w) > log P(y | x_l), sums over the
tokens of y, with so many constraints shown and so many of them corrupted:

    M,M   M,M/2   M,1   M/2,M/2   1,1        M: all of an example's; chance is one half

Where a beginning of a text is read, only constraints that are proven of that are asked. Beside each margin stands that
of the instructions by themselves, log P(x_w) - log P(x_l): how far one gets without reading the text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.errors import DataError, PlanError
from palate.progress import progress
from palate.text.constraints.kind import Constraint, dice
from palate.text.constraints.pairing import Contrast, copied, drawn, proven, still_proven
from palate.text.constraints.registry import kind_of
from palate.text.corpus import json_rows
from palate.text.language_model import LanguageModel
from palate.text.prose import LONG_WORD, Prose
from palate.text.suri import SPECIFICITIES, Example, Prompts, prompt, specificity, subset

_PART = re.compile(r"\w{2,}")


@dataclass(frozen=True)
class Trial:
    """One text under two instructions."""

    example: str
    """id of the example whose instructions they are"""
    text: str
    """id of the text that was read: the example's own, or of a control another one's"""
    chapter: str
    """what that text is a piece of"""
    source: str
    """whose that text is"""
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
    blind: float
    """log P(x_w) - log P(x_l), in nats: which of the two is likelier by itself, the text unread"""
    question: str
    """digest of both instructions and of what was read: trials of two models with the same may be compared"""

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


@dataclass(frozen=True, eq=False)
class _Text:
    """An example with the constraints that are proven of what is read of its text."""

    example: Example
    answer: list[int]
    read: Prose
    room: int
    """tokens that a text may have beside the longest of its instructions"""
    cut: bool = False


@dataclass(frozen=True)
class _Asked:
    text: _Text
    """what is read"""
    example: Example
    """whose instructions are asked about"""
    specificity: str
    prompts: Prompts
    control: bool


@dataclass(frozen=True, eq=False)
class _Told:
    """What a model says of an instruction, and of each token of a text after it."""

    instruction: float
    text: NDArray[np.float64]


def rank(
    model: LanguageModel,
    examples: Sequence[Example],
    *,
    specificities: Sequence[str] = SPECIFICITIES,
    tokens: int | None = None,
    draws: int | None = None,
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
        draws: single constraints that are asked of each example, for 1,1, with the other half of each exchange, so
            that what wins in the one loses in the other; None: all of them.
        controls: ask each 1,1 also of another text of the set, of which the corrupted constraint is true: of the one
            that it was exchanged with, else of a drawn one.
        strips: trials of which each token's gain is told.
        seed: which constraints and which other texts are drawn.

    Raises DataError where a prompt and a text do not fit into the model's context.
    """
    import torch

    for name in specificities:
        specificity(name, 1)  # refuses what is none
    if draws is not None and draws < 1:
        raise PlanError(f"draws = {draws}: give at least 1.")
    texts, notes = _texts(model, examples, tokens)
    asked = list(_asked(texts, specificities, draws, controls, seed))
    if not asked:
        raise DataError(
            f"nothing to rank: no example has a constraint to ask about. {' '.join(notes)}".strip()
        )
    trials: list[Trial] = []
    told: list[Strip] = []
    cache: dict[tuple[_Text, str], _Told] = {}
    with progress("Ranking", total=len(asked), unit="pairs") as advance, torch.inference_mode():
        for one in asked:
            if len(cache) > 8:
                cache.clear()  # what is asked again is asked soon
            for request in (one.prompts.chosen, one.prompts.rejected):
                if (one.text, request) not in cache:
                    cache[one.text, request] = _told(model, request, one.text.answer)
            w, l = (cache[one.text, request] for request in (one.prompts.chosen, one.prompts.rejected))  # noqa: E741
            trials.append(_trial(one, w, l))
            if len(told) < strips and not one.control:
                told.append(_strip(model, one, w.text - l.text))
            advance(1)
    return Ranking(model.name, model.conventions(), tuple(trials), tuple(told), tuple(notes))


def read_trials(path: Path) -> list[Trial]:
    """Return the trials of a file of JSON lines that `palate text rank --out` wrote.

    Raises DataError, with the line, for a row that is none.
    """
    kinds: dict[str, type | tuple[type, ...]] = {
        "tuple[str, ...]": list, "str": str, "bool": bool, "int": int, "float": (int, float),
    }  # fmt: skip
    found = []
    for line, row in json_rows(path):
        for one in fields(Trial):
            if not isinstance(row.get(one.name), kinds[str(one.type)]):
                raise DataError(
                    f"{path.name}, line {line}: {one.name} is no {one.type}. Expected a row that `palate text rank "
                    "--out` wrote."
                )
        told: dict[str, Any] = {one.name: row[one.name] for one in fields(Trial)}
        found.append(Trial(**told | {"kinds": tuple(row["kinds"])}))
    if not found:
        raise DataError(f"{path.name} has no row. Write one with `palate text rank --out`.")
    return found


# --- what is read, and what can be asked of it ----------------------------------------------------------------


def _texts(
    model: LanguageModel, examples: Sequence[Example], tokens: int | None
) -> tuple[list[_Text], list[str]]:
    """Return what is read of each text, with the constraints that can be asked of that, and notes of what cannot."""
    different = [
        replace(one, contrasts=tuple(pair for pair in one.contrasts if not pair.same)) for one in examples
    ]
    read = [_beginning(model, one, tokens) for one in different]
    left = still_proven(
        [one.contrasts for one in different], [one.read.text if one.cut else None for one in read]
    )
    texts = [
        replace(one, example=replace(one.example, contrasts=contrasts))
        for one, contrasts in zip(read, left, strict=True)
    ]
    return texts, list(_notes(examples, different, left, sum(one.cut for one in read), tokens))


def _notes(
    examples: Sequence[Example],
    different: Sequence[Example],
    left: Sequence[Sequence[Contrast]],
    cut: int,
    tokens: int | None,
) -> Iterator[str]:
    given, told, kept = (
        sum(map(len, some))
        for some in ([one.contrasts for one in examples], [one.contrasts for one in different], left)
    )
    if given > told:
        yield f"{given - told:,} constraints are the same in both instructions: there is nothing to ask."
    if cut:
        yield (
            f"{cut:,} of {len(examples):,} texts were cut at a sentence, to {tokens:,} tokens or what the model's "
            "context leaves; no token ends them."
        )
    if told > kept:
        yield (
            f"{told - kept:,} of {told:,} constraints are not proven of what is read, or the other half of their "
            "exchange is not: they are not asked."
        )


def _beginning(model: LanguageModel, example: Example, tokens: int | None) -> _Text:
    room = model.context - len(model.prompt(_longest(model, example)))
    most = room if tokens is None else min(tokens, room)
    answer = model.response(example.answer)
    if len(answer) <= most:
        return _Text(example, answer, Prose(example.answer), room)
    if tokens is None:
        raise DataError(
            f"{example.id}: instruction and text are {model.context - room + len(answer):,} tokens, and {model.name} "
            f"reads {model.context:,}. Give --tokens, and texts are cut at a sentence."
        )
    answer = model.beginning(example.answer, most)
    if not answer:
        raise DataError(f"{example.id}: no sentence of the text fits into {most:,} tokens. Raise --tokens.")
    return _Text(example, answer, Prose(model.words(answer)), room, cut=True)


def _longest(model: LanguageModel, example: Example) -> str:
    """Return an instruction that none of those that are asked is longer than."""

    def tokens(one: Constraint) -> int:
        return len(model.text(one.text))

    return prompt(
        example.goal, [max(pair.chosen, pair.rejected, key=tokens).text for pair in example.contrasts]
    )


def _asked(
    texts: Sequence[_Text], specificities: Sequence[str], draws: int | None, controls: bool, seed: int
) -> Iterator[_Asked]:
    every = [text.example.contrasts for text in texts]
    singles: list[list[int]] = [[] for _ in texts]
    for number, place in drawn(every, dice(seed), draws=draws or max(map(len, every), default=0)):
        singles[number].append(place)
    of_link: dict[str, list[_Text]] = {}
    for text, contrasts in zip(texts, every, strict=True):
        for one in contrasts:
            of_link.setdefault(one.link, []).append(text)
    for text, places in zip(texts, singles, strict=True):
        example, total = text.example, len(text.example.contrasts)
        if not total:
            continue
        for name in specificities:
            if name != "1,1":
                yield _Asked(
                    text, example, name, subset(example, *specificity(name, total), seed=seed), False
                )
                continue
            for place in places:
                single = _single(example, place)
                yield _Asked(text, example, name, single, False)
                link = example.contrasts[place].link
                partners = of_link[link] if link else []
                other = _turned(partners, texts, text, place, seed) if controls else None
                if other is not None:
                    yield _Asked(other, example, name, single, True)


def _single(example: Example, place: int) -> Prompts:
    """Return instructions with one constraint."""
    one = example.contrasts[place]
    right, wrong = (prompt(example.goal, [side.text]) for side in (one.chosen, one.rejected))
    return Prompts(right, wrong, (place,), (place,))


def _turned(
    partners: Sequence[_Text], texts: Sequence[_Text], mine: _Text, place: int, seed: int
) -> _Text | None:
    """Return a text of which a corrupted constraint is true, and the true one false: a partner, else a drawn one."""
    one = mine.example.contrasts[place]
    if not one.chosen.kind:
        return None
    other_way = Contrast(one.rejected, one.chosen)
    for text in [*partners, *dice(f"{seed}/{mine.example.id}/{place}").sample(list(texts), len(texts))]:
        if text is not mine and len(text.answer) <= mine.room and proven(other_way, text.read):
            return text
    return None


# --- what is said of it ---------------------------------------------------------------------------------------


def _told(model: LanguageModel, request: str, answer: list[int]) -> _Told:
    """Read an instruction and a text in one go."""
    from palate.text.logprob import score

    asked = model.prompt(request)
    (found,) = score(model.network, [asked[:1]], [[*asked[1:], *answer]])
    log_p = found.cpu().double().numpy()
    if not np.isfinite(log_p).all():
        raise DataError(
            f"{model.name} finds a token of a text {log_p[~np.isfinite(log_p)][0]} likely (log P): weights of it are "
            "no finite numbers. Train it again with a lower learning_rate, or take another model."
        )
    return _Told(float(log_p[: len(asked) - 1].sum()), log_p[len(asked) - 1 :])


def _trial(one: _Asked, w: _Told, l: _Told) -> Trial:  # noqa: E741 - the letters of the paper
    corrupted = [one.example.contrasts[place] for place in one.prompts.corrupted]
    read = one.text.example
    asked = "\0".join((one.prompts.chosen, one.prompts.rejected, one.text.read.text))
    return Trial(
        example=one.example.id,
        text=read.id,
        chapter=read.chapter,
        source=read.source,
        specificity=one.specificity,
        kinds=tuple(sorted({pair.chosen.kind for pair in corrupted if pair.chosen.kind})),
        overlap=any(_found_by_looking(pair, one.text.read) for pair in corrupted),
        control=one.control,
        tokens=len(one.text.answer),
        margin=float((w.text - l.text).sum()),
        log_p=float(w.text.sum()),
        blind=w.instruction - l.instruction,
        question=hashlib.sha256(asked.encode()).hexdigest()[:16],
    )


def _found_by_looking(one: Contrast, prose: Prose) -> bool:
    """Return whether a word that was taken from the text, and that the corruption lacks, stands in it."""
    right, wrong = (_looked_for(side) for side in (one.chosen, one.rejected))
    return any(word.removesuffix("s") in right - wrong for word in prose.counts)


def _looked_for(one: Constraint) -> frozenset[str]:
    """Return the words that one would look for: a name, a keyword; without a kind every longer word."""
    if one.kind:
        words = copied(kind_of(one.kind), one.slots)
        return frozenset(part for word in words for part in _PART.findall(word))
    return frozenset(word.lower().removesuffix("s") for word in LONG_WORD.findall(one.text))


def _strip(model: LanguageModel, one: _Asked, gain: NDArray[np.float64]) -> Strip:
    from palate.text.pieces import pieces

    shown = tuple(piece.text if piece.first else "" for piece in pieces(model.tokenizer, one.text.answer))
    return Strip(one.example.id, one.specificity, one.prompts.chosen, one.prompts.rejected, shown, gain)
