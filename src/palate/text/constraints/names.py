"""Constraints on who is named: that somebody appears, when, where, how often, and whether they speak.

A name is true of a text that has it as a whole word, and clearly false of one that lacks it even inside other words,
whatever the case; so IFEval's check that a keyword exists gives the same answer in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from palate.text.constraints.kind import Band, Kind, Scope, Slots, Type
from palate.text.constraints.people import Person, leading, mentions, people
from palate.text.prose import Prose


def _others(prose: Prose) -> list[Person]:
    """Return the persons that the main goal does not name."""
    return [one for one in prose.once(people) if one.name not in prose.once(leading)]


def _absent(name: str, text: str) -> bool:
    """Return whether a text lacks a name, and each part of it that is not a title, in any case."""
    parts = [part for part in name.split() if not part.endswith(".")]
    return bool(parts) and all(part.lower() not in text for part in (name, parts[-1]))


@dataclass(frozen=True)
class Appears(Kind):
    """Somebody of that name appears in a part of the text (`where` returns the part)."""

    copied = ("name",)
    name: str
    scope: Scope
    type: Type
    where: Callable[[Prose], str]
    phrasings: tuple[str, ...]
    most: int = 1

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return one of the names in that part that the main goal does not have."""
        part = self.where(prose)
        here = [one.name for one in _others(prose) if mentions(one.name, part)[0]]
        return {"name": rng.choice(here)} if here else None

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the part has the name, as a whole word."""
        return mentions(str(slots["name"]), self.where(prose))[0] > 0

    def refuted(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the part lacks the name, in any case and inside other words too."""
        return _absent(str(slots["name"]), self.where(prose).lower())

    def say(self, slots: Slots, rng: Random) -> str:
        """Return a sentence with the name."""
        return rng.choice(self.phrasings).format(slots["name"])

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: Sequence[Slots] = ()) -> Slots | None:
        """Return a name of the same text from outside the part, else one of another text."""
        own = [{"name": one.name} for one in _others(prose)]
        return super().corrupt(slots, prose, rng, own) or super().corrupt(slots, prose, rng, others)


class Order(Kind):
    """Of two names, which stands first in the text. Its corruption turns them round."""

    copied = ("first", "second")
    alone = True
    name = "order"
    scope: Scope = "specific"
    type: Type = "semantic"
    phrasings = (
        "{first} comes into the story before {second}.",
        "{second} comes into the story after {first}.",
        "Mention {first} first and {second} later.",
        "The name {second} falls later than the name {first}.",
    )

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return two of the names, more than twenty words apart where they come in."""
        known = prose.once(people)
        pairs = [
            (one, two)
            for group in (known[:2], known[2:])
            for one in group
            for two in group
            if two.first - one.first > 100
        ]
        if not pairs:
            return None
        one, two = rng.choice(pairs)
        return {"first": one.name, "second": two.name}

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether both names occur, the first one earlier."""
        first, second = (mentions(str(slots[slot]), prose.text)[1] for slot in ("first", "second"))
        return 0 <= first < second

    def refuted(self, slots: Slots, prose: Prose) -> bool:
        """Return whether both names occur, the first one later."""
        first, second = (mentions(str(slots[slot]), prose.text)[1] for slot in ("first", "second"))
        return 0 <= second < first

    def exchange(self, slots: Slots, other: Slots) -> Slots | None:
        """Return nothing: names of another text are in no order in this one."""
        return None

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: Sequence[Slots] = ()) -> Slots | None:
        """Return the two names the other way round."""
        return {"first": slots["second"], "second": slots["first"]}

    def say(self, slots: Slots, rng: Random) -> str:
        """Return a sentence with both names, in either order."""
        return rng.choice(self.phrasings).format(**slots)


class MoreOften(Order):
    """Of two names, which is named more often, by half at least. Its corruption turns them round."""

    name = "more_often"
    scope: Scope = "broad"
    type: Type = "semantic"
    phrasings = (
        "Name {first} more often than {second}.",
        "{second} is named on fewer occasions than {first}.",
        "Give {first} a larger part than {second}.",
        "{second} has a smaller part than {first}.",
    )

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return two of the names, both of the main goal or both not, of clearly different counts."""
        known = prose.once(people)
        pairs = [
            (one, two)
            for group in (known[:2], known[2:])
            for one in group
            for two in group
            if one.count >= 1.5 * two.count and one.count >= two.count + 2
        ]
        if not pairs:
            return None
        one, two = rng.choice(pairs)
        return {"first": one.name, "second": two.name}

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the first name occurs more often than the second, and the second at all."""
        first, second = (mentions(str(slots[slot]), prose.text)[0] for slot in ("first", "second"))
        return first > second > 0

    def refuted(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the first name occurs, and more rarely than the second."""
        first, second = (mentions(str(slots[slot]), prose.text)[0] for slot in ("first", "second"))
        return 0 < first < second


class Entrance(Kind):
    """In which half of the text somebody first appears."""

    copied = ("name",)
    name = "entrance"
    scope: Scope = "specific"
    type: Type = "mixed"
    phrasings = (
        "{name} first appears in the {half} half of the text.",
        "Bring in {name} during the {half} half.",
        "Let {name} be named for the first time in the {half} half.",
    )

    @staticmethod
    def _half(name: str, prose: Prose) -> str:
        first = mentions(name, prose.text)[1]
        return "" if first < 0 else "opening" if 2 * first < len(prose.text) else "closing"

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return one who is not in the main goal, and the half; not one who comes in near the middle."""
        size = len(prose.text)
        clear = [one for one in _others(prose) if abs(one.first - size / 2) > size / 20]
        if not clear:
            return None
        halves = [
            group
            for late in (False, True)
            if (group := [one for one in clear if (2 * one.first >= size) == late])
        ]
        one = rng.choice(rng.choice(halves))
        return {"name": one.name, "half": self._half(one.name, prose)}

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the name stands first in that half."""
        return bool(self._half(str(slots["name"]), prose) == slots["half"])

    def exchange(self, slots: Slots, other: Slots) -> Slots | None:
        """Return the same name in the other's half."""
        return {**slots, "half": other["half"]}

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: Sequence[Slots] = ()) -> Slots | None:
        """Return the same name in the other half."""
        return {**slots, "half": "closing" if slots["half"] == "opening" else "opening"}

    def say(self, slots: Slots, rng: Random) -> str:
        """Return a sentence with the name and the half."""
        return rng.choice(self.phrasings).format(**slots)


@dataclass(frozen=True)
class Speaks(Appears):
    """Somebody of that name says something: "said Holmes", "Holmes replied"."""

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return one who speaks and is not in the main goal."""
        speakers = [one.name for one in _others(prose) if one.speaks]
        return {"name": rng.choice(speakers)} if speakers else None

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether a verb of speech stands beside the name."""
        return any(one.name == slots["name"] and one.speaks for one in prose.once(people))

    def refuted(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the text lacks the name, or has it and never beside a verb of speech."""
        for one in prose.once(people):
            if one.name == slots["name"]:
                return not one.speaks
        return _absent(str(slots["name"]), prose.lowered)


def _everywhere(prose: Prose) -> str:
    return prose.text


def _opening(prose: Prose) -> str:
    return prose.paragraphs[0] if prose.paragraphs else ""


def _closing(prose: Prose) -> str:
    return prose.paragraphs[-1] if prose.paragraphs else ""


def _cast(prose: Prose) -> int:
    return len(prose.once(people))


KINDS: tuple[Kind, ...] = (
    Appears(
        "name",
        "specific",
        "semantic",
        _everywhere,
        (
            "One of the characters is called {}.",
            "Give a part to somebody named {}.",
            "Include a character by the name of {}.",
        ),
        most=2,
    ),
    Appears(
        "opening_name",
        "specific",
        "mixed",
        _opening,
        (
            "Name {} in the opening paragraph.",
            "The first paragraph already mentions {}.",
            "Bring {} in at once, within the first paragraph.",
        ),
    ),
    Appears(
        "closing_name",
        "specific",
        "mixed",
        _closing,
        (
            "Name {} in the last paragraph.",
            "The closing paragraph mentions {}.",
            "Come back to {} in the final paragraph.",
        ),
    ),
    Speaks(
        "speaker",
        "specific",
        "mixed",
        _everywhere,
        (
            "Give {} something to say, and mark who is speaking.",
            "{} speaks at least once, with the speaker marked.",
            "Let {} be heard in direct speech.",
        ),
    ),
    Order(),
    MoreOften(),
    Entrance(),
    Band(
        "cast",
        "broad",
        "semantic",
        _cast,
        (
            "Have {band} characters whose names come back.",
            "The cast: {band} people who are named more than once.",
            "Let {band} named people recur.",
        ),
        width=0.4,
        least=1,
        bottom=2,
    ),
)
