"""A set proven again: every constraint true of its text, every corruption false, neither told by its form."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from palate.errors import PalateError
from palate.text.constraints.kind import NEGATION
from palate.text.constraints.pairing import Contrast, fair
from palate.text.constraints.registry import holds, kind_of
from palate.text.prose import LONG_WORD, Prose, length
from palate.text.suri.example import Example


@dataclass(frozen=True)
class Report:
    """What is in a set, and what is wrong with it.

    `proven`: constraints that are true of their text and whose corruption is false; `unproven`: those without a kind,
    as in the published set. `overlap_chosen`, `overlap_rejected`: mean share of the words of the constraints (four
    letters or more) that occur in the text. `balance`: share of changed values that are as often true as corrupted; at
    1 who sees one constraint by itself is at chance. Beside the goal, or beside other constraints, it may still tell:
    `palate text rank` measures that (`Trial.blind`). `problems` names what a fair set has none of, by example.
    """

    examples: int
    constraints: int
    proven: int
    unproven: int
    per_example: tuple[int, float, int]
    """constraints of an example: fewest, median, most"""
    words: tuple[int, float, int]
    """words of a text: fewest, median, most"""
    kinds: dict[str, int]
    scopes: dict[str, int]
    types: dict[str, int]
    sources: dict[str, int]
    """texts of each source"""
    overlap_chosen: float
    overlap_rejected: float
    balance: float
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return the report in values that JSON has."""
        return asdict(self) | {"sound": self.sound}


def validate(examples: Sequence[Example]) -> Report:
    """Return a report on a set, each constraint proven again. Linear; 3,000 words take about 10 ms."""
    problems: list[str] = []
    proven = unproven = 0
    overlaps: tuple[list[float], list[float]] = ([], [])
    ids = Counter(one.id for one in examples)
    problems += [f"{name}: {count} examples have this id" for name, count in ids.items() if count > 1]
    for example in examples:
        prose = Prose(example.answer)
        problems += [f"{example.id}: {what}" for what in _unfair(example)]
        for number, one in enumerate(example.contrasts, start=1):
            if not one.chosen.kind:
                unproven += 1
                continue
            wrong = _disproved(one, prose)
            proven += not wrong
            problems += [f"{example.id}, constraint {number} ({one.chosen.kind}): {what}" for what in wrong]
        for side, shares in zip(("chosen", "rejected"), overlaps, strict=True):
            shares.append(_overlap([getattr(one, side).text for one in example.contrasts], prose))
    every = [one for example in examples for one in example.contrasts]
    return Report(
        examples=len(examples),
        constraints=len(every),
        proven=proven,
        unproven=unproven,
        per_example=_range([len(one.contrasts) for one in examples]),
        words=_range([length(one.answer) for one in examples]),
        kinds=_counted(one.chosen.kind for one in every),
        scopes=_counted(one.chosen.scope for one in every),
        types=_counted(one.chosen.type for one in every),
        sources=_counted(one.source for one in examples),
        overlap_chosen=_mean(overlaps[0]),
        overlap_rejected=_mean(overlaps[1]),
        balance=balance(every),
        problems=tuple(problems),
    )


def _disproved(one: Contrast, prose: Prose) -> list[str]:
    try:
        wrong = [] if holds(one.chosen, prose) else ["the text fails it"]
        wrong += ["the text meets its corruption too"] if holds(one.rejected, prose) else []
        kind = kind_of(one.chosen.kind)
        told = all(kind.says(side.slots, side.text) for side in (one.chosen, one.rejected))
        return wrong + ([] if told else ["its words are not those of its slots"])
    except PalateError as error:
        return [str(error)]


def _unfair(example: Example) -> list[str]:
    """Return what would let a reader tell the two instructions apart by their form, or makes them no pair."""
    wrong = []
    if example.chosen == example.rejected:
        wrong.append("both instructions are the same")
    if not example.contrasts:
        wrong.append("it has no constraint")
    if not example.goal.strip():
        wrong.append("it has no main goal")
    for number, one in enumerate(example.contrasts, start=1):
        texts = (one.chosen.text, one.rejected.text)
        if texts[0] == texts[1]:
            wrong.append(f"constraint {number} is the same in both")
        elif one.chosen.kind and any(NEGATION.search(text) for text in texts):
            wrong.append(f"constraint {number} has a word of negation")
        elif one.chosen.kind and not fair(one):
            wrong.append(f"constraint {number} and its corruption differ in length by more than 15 %")
    return wrong


def balance(contrasts: Sequence[Contrast]) -> float:
    """Return the share of changed values that stand as often in true constraints as in corrupted ones, from 0 to 1."""
    right: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for one in contrasts:
        for slot, value in one.chosen.slots.items():
            other = one.rejected.slots.get(slot)
            if value != other:
                right[one.chosen.kind, json.dumps(value)] += 1
                wrong[one.chosen.kind, json.dumps(other)] += 1
    return (right & wrong).total() / max(1, right.total())


def _overlap(constraints: Sequence[str], prose: Prose) -> float:
    words = {word.lower() for text in constraints for word in LONG_WORD.findall(text)}
    return sum(word in prose.counts for word in words) / max(1, len(words))


def _range(numbers: Sequence[int]) -> tuple[int, float, int]:
    return (min(numbers), median(numbers), max(numbers)) if numbers else (0, 0.0, 0)


def _counted(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / max(1, len(numbers))
