# ruff: noqa: RUF001 (typographic quotation marks are what this file is about)
"""A kind of constraint: what it finds in a text, how that is said, how it is spoilt, and how it is proven."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Literal

from palate.text.prose import Prose

Slots = dict[str, Any]
"""what a kind found, in values that JSON has: {"name": "Holmes"}"""
Scope = Literal["broad", "specific"]
"""about the whole text, or about one place in it"""
Type = Literal["semantic", "stylistic", "mixed"]
"""about what is told, about how, or about both"""

NEGATION = re.compile(
    r"\b(?:no|not|nor|non|none|never|nothing|nobody|nowhere|neither|without|cannot|avoid\w*|exclud\w*|except\w*|omit\w*|"
    r"lack\w*|absen\w*|refrain\w*|hardly|scarcely|barely|instead|rather)\b|n['’]t\b",
    re.IGNORECASE,
)
"""words that would tell a corrupted constraint by its grammar"""


def dice(seed: int | str) -> Random:
    """Return a generator of random numbers: the same seed, the same numbers, on every machine."""
    return Random(seed)  # noqa: S311  (no secrets here)


@dataclass(frozen=True)
class Constraint:
    """One thing that a text must do. `slots` is what is proven, `text` how it is said."""

    kind: str
    scope: str
    type: str
    slots: Slots
    text: str


class Kind(ABC):
    """What all constraints of one kind share. Subclass it for a kind of your own (entry points `palate.constraints`).

    `holds` must answer for any text and must not raise; `extract` returns what `holds` confirms, or None.
    """

    name: str
    scope: Scope
    type: Type
    most: int = 1
    """how many of this kind one text may have"""
    copied: ClassVar[tuple[str, ...]] = ()
    """slots whose words are taken from the text: names, keywords. What a reader may find by looking for the word"""
    unnamed: bool = False
    """asked only of texts whose main goal names nobody: beside a name ("Mrs. Brown") one would know the value"""
    alone: ClassVar[bool] = False
    """corrupted inside its own text, as the order of two names, rather than by what is true of another text"""

    @abstractmethod
    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return something that is true of the text, or None. Asked again, it may return something else."""

    @abstractmethod
    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the text does what the slots say."""

    @abstractmethod
    def say(self, slots: Slots, rng: Random) -> str:
        """Return the constraint as a sentence; the same `rng` gives the same wording for other slots."""

    def says(self, slots: Slots, text: str) -> bool:
        """Return whether `say` has these words for the slots, with one of 64 seeds; override it for more wordings."""
        return any(self.say(slots, dice(seed)) == text for seed in range(64))

    def refuted(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the text clearly fails: a narrower claim than `not holds`, asked of corrupted slots."""
        return not self.holds(slots, prose)

    def exchange(self, slots: Slots, other: Slots) -> Slots | None:
        """Return the slots with the values of another text's, or None where the two may both be true."""
        return dict(other)

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: Sequence[Slots] = ()) -> Slots | None:
        """Return slots that the text clearly fails, or None; `others` are true ones of this kind in other texts."""
        for other in rng.sample(others, len(others)):
            changed = self.exchange(slots, other)
            if changed is not None and changed != slots and self.refuted(changed, prose):
                return changed
        return None


@dataclass(frozen=True)
class Category(Kind):
    """One of a few values: point of view, tense, how a text opens.

    `of(prose)` returns those that are true of a text; a fact is taken where just one is. `values` has the
    words for each.
    """

    name: str
    scope: Scope
    type: Type
    of: Any
    values: Mapping[str, str]
    phrasings: tuple[str, ...]
    unnamed: bool = False

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return the one value that is true, or None."""
        values = prose.once(self.of)
        return {"value": values[0]} if len(values) == 1 else None

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the value is among those that are true of the text."""
        return slots["value"] in prose.once(self.of)

    def say(self, slots: Slots, rng: Random) -> str:
        """Return a sentence with the words of the value."""
        return rng.choice(self.phrasings).format(self.values[slots["value"]])

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: Sequence[Slots] = ()) -> Slots | None:
        """Return another of the values."""
        wrong = [value for value in self.values if self.refuted({"value": value}, prose)]
        return {"value": rng.choice(wrong)} if wrong else None


@dataclass(frozen=True)
class Band(Kind):
    """A number between two others, both included: words, questions, words in a sentence.

    A band is `width` of the number wide, `least` at least, and the number stands anywhere in it.
    """

    name: str
    scope: Scope
    type: Type
    of: Any
    phrasings: tuple[str, ...]
    cues: tuple[tuple[float, str], ...] = ()
    """a word for the band by its middle: (up to, word)"""
    width: float = 0.35
    least: int = 2
    bottom: int = 0
    """below it there is nothing to say"""
    top: float = float("inf")

    def _value(self, prose: Prose) -> int:
        value: float = prose.once(self.of)
        return round(value)

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return a band around the number; None for an empty text, and for a number below the bottom."""
        value = self._value(prose)
        return self._around(value, rng) if prose.n_words and value >= self.bottom else None

    def _around(self, value: int, rng: Random) -> Slots:
        wide = max(self.least, self.width * value)
        low = value - wide * rng.random()
        step = _step(low)
        high = low + wide
        low = max(self.bottom, int(low // step * step))
        return {"low": min(low, value), "high": int(min(self.top, max(value, -(-high // step) * step)))}

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the number, rounded, lies in the band."""
        return bool(slots["low"] <= self._value(prose) <= slots["high"])

    def say(self, slots: Slots, rng: Random) -> str:
        """Return a sentence with both ends of the band."""
        middle = (slots["low"] + slots["high"]) / 2
        cue = next((word for up_to, word in self.cues if middle <= up_to), "")
        return rng.choice(self.phrasings).format(band=f"{slots['low']:,} to {slots['high']:,}", cue=cue)

    def exchange(self, slots: Slots, other: Slots) -> Slots | None:
        """Return the other's band where the two are disjoint."""
        apart = slots["high"] < other["low"] or other["high"] < slots["low"]
        return dict(other) if apart else None

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: Sequence[Slots] = ()) -> Slots | None:
        """Return the next band below or above, where both exist at random."""
        wide = slots["high"] - slots["low"]
        below = {"low": slots["low"] - wide - 1, "high": slots["low"] - 1}
        above = {"low": slots["high"] + 1, "high": slots["high"] + wide + 1}
        possible = [one for one in (below, above) if one["low"] >= self.bottom and one["high"] <= self.top]
        return rng.choice(possible) if possible else None


def _step(value: float) -> int:
    """Return what a number of that size is rounded to, so that it reads like one that a person gives."""
    return 1 if value < 30 else 5 if value < 200 else 10 if value < 1000 else 100


def a(word: str) -> str:
    """Return a word with its article.

    >>> a("uncle"), a("horse")
    ('an uncle', 'a horse')
    """
    return f"{'an' if word[:1].lower() in 'aeio' or word.startswith(('un', 'um')) else 'a'} {word}"
