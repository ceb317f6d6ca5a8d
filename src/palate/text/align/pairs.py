"""Pairs of texts to pairs of tokens. What is too long is refused, cut at a sentence or left out, never silently.

A pair of an instruction set is held to what is read of its text: where a text is cut, its constraints are proven again
of what is left, and those that are not go, with the other half of their exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from palate.errors import DataError, PlanError, listing
from palate.text.align.training import Training
from palate.text.constraints.pairing import Contrast, still_proven
from palate.text.language_model import LanguageModel
from palate.text.suri import prompt


@dataclass(frozen=True)
class Pair:
    """What was preferred, and what was not: of I-ORPO one answer under two prompts, else two answers under one."""

    prompt: str
    answer: str
    rejected_prompt: str
    rejected_answer: str
    source: str = ""
    goal: str = ""
    contrasts: tuple[Contrast, ...] = ()
    """what both prompts are made of, beside the goal; none where they are no more than texts"""
    where: str = ""
    """the row that it was made of, for messages"""

    @classmethod
    def of(
        cls, goal: str, contrasts: Sequence[Contrast], answer: str, source: str = "", where: str = ""
    ) -> Pair:
        """Return the pair of one answer under the instruction that it follows and under the corrupted one."""
        asked = prompt(goal, [one.chosen.text for one in contrasts])
        corrupted = prompt(goal, [one.rejected.text for one in contrasts])
        return cls(asked, answer, corrupted, answer, source, goal, tuple(contrasts), where)

    @property
    def link(self) -> str:
        """The same of both halves of an exchange, where the pair shows one constraint; else empty."""
        return self.contrasts[0].link if len(self.contrasts) == 1 else ""

    @property
    def same(self) -> bool:
        """Whether both sides are the same, so that there is nothing to prefer."""
        return (self.prompt, self.answer) == (self.rejected_prompt, self.rejected_answer)


@dataclass(frozen=True)
class Side:
    """A prompt and its answer, in tokens."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


class Row(NamedTuple):
    """A pair in tokens: what was preferred, what was not, and what it is half of."""

    w: Side
    l: Side  # noqa: E741 - the letters of the papers
    link: str = ""


@dataclass(frozen=True)
class _Read:
    """A pair with its tokens, and what is read of its text where it was cut."""

    pair: Pair
    w: Side
    l: Side  # noqa: E741 - the letters of the papers
    cut: str | None = None

    @property
    def row(self) -> Row:
        return Row(self.w, self.l, self.pair.link)


def token_pairs(
    model: LanguageModel, pairs: Sequence[Pair], training: Training, what: str
) -> tuple[list[Row], list[str]]:
    """Return the pairs' tokens, and notes of what was cut or left out. `what` a pair is called in a message."""
    longest = training.max_tokens or model.context
    if longest > model.context:
        raise PlanError(
            f"max_tokens = {longest:,}, and {model.name} reads {model.context:,}: lower max_tokens."
        )
    whole, notes = _whole(model, pairs, training, what)
    long = [place for place, one in whole if max(len(one.w), len(one.l)) > longest]
    if long and training.too_long == "refuse":
        raise DataError(
            f"{len(long):,} of {len(pairs):,} {what}s are longer than {longest:,} tokens (the first: "
            f"{listing(long)}). Set too_long = cut (at a sentence) or drop, or raise max_tokens."
        )
    if long and training.too_long == "drop":
        left, torn = _without(whole, set(long))
        others = f", and {torn:,} that were the other half of an exchange" if torn else ""
        notes.append(
            f"{len(long):,} of {len(pairs):,} {what}s are longer than {longest:,} tokens and were left out{others}."
        )
        return left, notes
    if not long:
        return [one.row for _, one in whole], notes
    read = [_beginning(model, one, longest, one.pair.where or f"{what} {place}") for place, one in whole]
    notes.append(f"{len(long):,} of {len(pairs):,} {what}s were cut at a sentence to {longest:,} tokens.")
    kept, more = _held_to_what_is_read(model, read, training, what)
    different = [one for one in kept if training.method == "sft" or one.w != one.l]
    if same := len(kept) - len(different):
        more.append(f"{same:,} of {len(pairs):,} {what}s differ only in what was cut: left out.")
    return [one.row for one in different], notes + more


def _without(whole: Sequence[tuple[int, _Read]], gone: set[int]) -> tuple[list[Row], int]:
    """Return the pairs at other places, and how many more went because the half that they belong to did."""
    torn = {one.pair.link for place, one in whole if place in gone} - {""}
    left = [one.row for place, one in whole if place not in gone]
    kept = [row for row in left if row.link not in torn]
    return kept, len(left) - len(kept)


def _whole(
    model: LanguageModel, pairs: Sequence[Pair], training: Training, what: str
) -> tuple[list[tuple[int, _Read]], list[str]]:
    """Return the pairs with something to prefer, each with its place from 1; a row that has nothing is refused."""
    found = []
    for place, pair in enumerate(pairs, start=1):
        where = pair.where or f"{what} {place}"
        texts = [pair.prompt, pair.answer]
        if training.method != "sft":
            texts += [pair.rejected_prompt, pair.rejected_answer]
        if not all(text.strip() for text in texts):
            raise DataError(f"{where}: its prompt or its answer is empty.")
        if pair.same and training.method != "sft":
            if pair.contrasts:  # one unchanged constraint of an instruction does not spoil the set
                continue
            raise DataError(f"{where}: both sides are the same, so there is nothing to prefer. Leave it out.")
        try:
            found.append((place, _sides(model, pair, training)))
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
    same = len(pairs) - len(found)
    note = f"{same:,} of {len(pairs):,} {what}s have a constraint that is the same on both sides: left out."
    return found, [note] if same else []


def _sides(model: LanguageModel, pair: Pair, training: Training) -> _Read:
    w = Side(model.prompt(pair.prompt), model.response(pair.answer))
    if training.method == "sft":  # the other side is not read
        return _Read(pair, w, w)
    one_text = pair.answer == pair.rejected_answer
    answer = w.answer if one_text else model.response(pair.rejected_answer)
    return _Read(pair, w, Side(model.prompt(pair.rejected_prompt), answer))


def _beginning(model: LanguageModel, one: _Read, longest: int, where: str) -> _Read:
    """Return a pair with as much of its answers as there is room for."""
    if max(len(one.w), len(one.l)) <= longest:
        return one
    room = longest - max(len(one.w.prompt), len(one.l.prompt))
    other = one.pair.answer if one.l is one.w else one.pair.rejected_answer  # is: SFT reads one side
    answers = [model.beginning(text, room) for text in (one.pair.answer, other)]
    if not all(answers):
        raise DataError(
            f"{where}: beside its prompt of {len(one.w.prompt):,} tokens no sentence of the answer "
            f"fits into {longest:,}. Raise max_tokens, or set too_long = drop."
        )
    sides = Side(one.w.prompt, answers[0]), Side(one.l.prompt, answers[1])
    return _Read(one.pair, *sides, cut=model.words(answers[0]))


def _held_to_what_is_read(
    model: LanguageModel, read: Sequence[_Read], training: Training, what: str
) -> tuple[list[_Read], list[str]]:
    """Return the pairs with the constraints that are proven of what is read; those with none of them left go."""
    left = still_proven([one.pair.contrasts for one in read], [one.cut for one in read])
    kept = []
    for one, contrasts in zip(read, left, strict=True):
        if contrasts == one.pair.contrasts:
            kept.append(one)
        elif contrasts:
            new = Pair.of(one.pair.goal, contrasts, one.pair.answer, one.pair.source, one.pair.where)
            prompts = [model.prompt(text) for text in (new.prompt, new.rejected_prompt)]
            w, l = Side(prompts[0], one.w.answer), Side(prompts[1], one.l.answer)  # noqa: E741
            kept.append(replace(one, pair=new, w=w, l=w if training.method == "sft" else l))
    constraints = sum(len(one.pair.contrasts) for one in read)
    lost = constraints - sum(map(len, left))
    if not lost:
        return kept, []
    return kept, [
        f"{lost:,} of {constraints:,} constraints are not proven of what is read of the texts, or the other half of "
        f"their exchange is not: left out, and with them {len(read) - len(kept):,} {what}s."
    ]
