"""Facts of many texts to contrasts: what is true of a text beside the same, minimally changed, that is not.

By default two texts exchange what is true of them: "Name Holmes" is true of the one, "Name Darcy" of the other, and
each is false of the other text. Every value then is as often true as it is corrupted, so a constraint by itself tells
nothing; and each corrupted constraint is true of a text in the set. What is left to tell is how a constraint goes with
the main goal and with the other constraints, which are those of its text: `Trial.blind` measures how far that goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from palate.text.constraints.kind import NEGATION, Constraint, Kind, Slots, dice
from palate.text.constraints.people import leading
from palate.text.constraints.registry import holds, refuted
from palate.text.prose import Prose

Corrupter = Literal["exchange", "own"]
"""what makes the corrupted slots:

exchange   those of another text, of the same source where one will do
own        each kind's own rule: the next band, another word of its list, another value
"""
_TRIES = 400
"""partners that are looked at before a fact is given up"""
_ROUNDS = 8
"""times that facts are linked anew without the texts that had too few"""


@dataclass(frozen=True)
class Contrast:
    """A constraint that a text meets, and the same one, minimally changed, which it fails."""

    chosen: Constraint
    rejected: Constraint
    link: str = ""
    """the same of both halves of an exchange, so that they can be kept together; empty: it has no other half"""

    @property
    def same(self) -> bool:
        """Whether both sides say the same, so that there is nothing to tell apart."""
        return self.chosen.text == self.rejected.text


@dataclass(frozen=True)
class Fact:
    """Something that is true of one text, given by its number."""

    text: int
    kind: Kind
    slots: Slots


@dataclass(frozen=True)
class Link:
    """Contrasts that stand or fall together: of two texts that exchanged something, or of one."""

    kind: Kind
    contrasts: tuple[tuple[int, Contrast], ...]
    """each with the number of its text"""


def facts(texts: Iterable[Prose], kinds: Sequence[Kind], rng: Random) -> list[list[Fact]]:
    """Return, for each kind, what is true of the texts; of a kind that may stand several times, different things.

    A kind that a name would tell of is passed over where the main goal names somebody.
    """
    found: list[list[Fact]] = [[] for _ in kinds]
    for number, prose in enumerate(texts):
        for kind, mine in zip(kinds, found, strict=True):
            if kind.unnamed and prose.once(leading):
                continue
            known: list[Slots] = []
            for _ in range(kind.most):
                slots = kind.extract(prose, rng)
                if slots is not None and slots not in known and kind.holds(slots, prose):
                    known.append(slots)
            mine += [Fact(number, kind, slots) for slots in known]
    return found


def links(
    found: Sequence[Fact],
    texts: Sequence[Prose],
    sources: Sequence[str],
    rng: Random,
    *,
    corrupter: Corrupter,
) -> list[Link]:
    """Return the contrasts that facts of one kind give; facts without a partner give none."""
    if not found:
        return []
    kind = found[0].kind
    if corrupter == "own" or kind.alone:
        owned = (_own(fact, found, texts, rng) for fact in found)
        return [link for link in owned if link is not None]
    shuffled = rng.sample(found, len(found))
    of_source: dict[str, list[Fact]] = {}
    for fact in shuffled:
        of_source.setdefault(sources[fact.text], []).append(fact)
    made: list[Link] = []
    left = [fact for group in of_source.values() for fact in _matched(group, texts, rng, into=made)]
    _matched(rng.sample(left, len(left)), texts, rng, into=made)
    return made


def _matched(waiting: Sequence[Fact], texts: Sequence[Prose], rng: Random, *, into: list[Link]) -> list[Fact]:
    """Link facts, each with the first one that exchanges with it; return those that found none."""
    alone: list[Fact] = []
    rest = list(waiting)
    while rest:
        one = rest.pop()
        for place in range(len(rest) - 1, max(-1, len(rest) - 1 - _TRIES), -1):
            other = rest[place]
            if one.slots == other.slots or one.text == other.text:
                continue
            link = _exchanged(one, other, texts, rng)
            if link:
                into.append(link)
                del rest[place]
                break
        else:
            alone.append(one)
    return alone


def _exchanged(one: Fact, other: Fact, texts: Sequence[Prose], rng: Random) -> Link | None:
    kind = one.kind
    mine, theirs = kind.exchange(one.slots, other.slots), kind.exchange(other.slots, one.slots)
    if mine is None or theirs is None:
        return None
    if not (kind.refuted(mine, texts[one.text]) and kind.refuted(theirs, texts[other.text])):
        return None
    wording = rng.getrandbits(32)  # the same for both, so that sentences as wholes are exchanged too
    link = f"{kind.name}-{wording:08x}"
    made = [
        (fact.text, contrast(kind, fact.slots, wrong, wording, link))
        for fact, wrong in ((one, mine), (other, theirs))
    ]
    return Link(kind, tuple(made)) if all(fair(contrast_) for _, contrast_ in made) else None


def _own(fact: Fact, found: Sequence[Fact], texts: Sequence[Prose], rng: Random) -> Link | None:
    others = [one.slots for one in rng.sample(found, min(20, len(found))) if one.text != fact.text]
    wrong = fact.kind.corrupt(fact.slots, texts[fact.text], rng, others)
    if wrong is None or not fact.kind.refuted(wrong, texts[fact.text]):
        return None
    made = contrast(fact.kind, fact.slots, wrong, rng.getrandbits(32))
    return Link(fact.kind, ((fact.text, made),)) if fair(made) else None


def contrast(kind: Kind, right: Slots, wrong: Slots, wording: int, link: str = "") -> Contrast:
    """Return both constraints, said in the same words; `wording` is the seed that chooses them."""
    chosen, rejected = (
        Constraint(kind.name, kind.scope, kind.type, slots, kind.say(slots, dice(wording)))
        for slots in (right, wrong)
    )
    return Contrast(chosen, rejected, link)


def proven(one: Contrast, prose: Prose) -> bool:
    """Return whether a text does what is asked and clearly fails the corruption; of no kind, nothing says otherwise."""
    return not one.chosen.kind or (holds(one.chosen, prose) and refuted(one.rejected, prose))


def still_proven(
    every: Sequence[Sequence[Contrast]], read: Sequence[str | None]
) -> list[tuple[Contrast, ...]]:
    """Return what is left of the contrasts of texts of which only a beginning is read; None: the whole text is.

    Those that are not proven of the beginning go, and with each the other half of its exchange, wherever that is: else
    its value would be told by being the only one of the two.
    """
    found: list[list[Contrast]] = []
    for mine, text in zip(every, read, strict=True):
        prose = Prose(text or "")
        found.append([one for one in mine if text is None or proven(one, prose)])
    there = Counter(one.link for mine in every for one in mine if one.link)
    left = Counter(one.link for mine in found for one in mine if one.link)
    return [tuple(one for one in mine if left[one.link] == there[one.link]) for mine in found]


def fair(one: Contrast) -> bool:
    """Return whether neither side can be told by its form: no negation, other words, about the same length."""
    right, wrong = one.chosen.text, one.rejected.text
    more, less = sorted((len(right.split()), len(wrong.split())), reverse=True)
    return (
        right != wrong
        and not NEGATION.search(right)
        and not NEGATION.search(wrong)
        and more - less <= max(2, 0.15 * more)
    )


def drawn(every: Sequence[Sequence[Contrast]], rng: Random, *, draws: int = 1) -> list[tuple[int, int]]:
    """Return contrasts, as (text, place), so that each text has `draws` of its own, or all where it has fewer.

    Of an exchange both halves are there, one after the other, so that what wins in the one loses in the other. Those
    between texts that both lack one come first; so a text has few more than it asked for.
    """
    linked: dict[str, list[tuple[int, int]]] = {}
    for number, mine in enumerate(every):
        for place, one in enumerate(mine):
            if not one.same:
                linked.setdefault(one.link or f"{number}/{place}", []).append((number, place))
    waiting = rng.sample(sorted(linked), len(linked))
    found: list[tuple[int, int]] = []
    have: Counter[int] = Counter()
    for enough in (all, any):
        left = []
        for link in waiting:
            if enough(have[number] < draws for number, _ in linked[link]):
                found += linked[link]
                have.update(number for number, _ in linked[link])
            else:
                left.append(link)
        waiting = left
    return found


def copied(kind: Kind, slots: Slots) -> frozenset[str]:
    """Return the words of the slots that were taken from a text, in lower case, titles left out."""
    words = (word for slot in kind.copied for word in str(slots.get(slot, "")).split())
    return frozenset(word.lower().removesuffix("s") for word in words if not word.endswith("."))


def contrasts(
    found: Sequence[Sequence[Fact]],
    texts: Sequence[Prose],
    sources: Sequence[str],
    goals: Sequence[str],
    *,
    corrupter: Corrupter,
    wanted: Sequence[int],
    least: int,
    rng: Random,
) -> list[list[Contrast]]:
    """Return for each text its contrasts, as many as wanted where there are so many; none where there are not `least`.

    `found` has the facts of each kind. A text that is left out takes the contrasts of its partners with it; so where
    many texts have too few, those with the fewest go, and the facts of the others are linked anew.
    """
    out: set[int] = set()
    for _ in range(_ROUNDS):
        still = [[fact for fact in mine if fact.text not in out] for mine in found]
        pool = [links(mine, texts, sources, rng, corrupter=corrupter) for mine in still]
        taken = _taken(pool, goals, wanted, rng)
        short = [number for number, mine in enumerate(taken) if number not in out and len(mine) < least]
        if len(short) <= len(texts) // 50:
            break
        out.update(sorted(short, key=lambda number: len(taken[number]))[: 1 + len(short) // 2])
    return _with_enough(taken, least)


def _taken(
    pool: Sequence[Sequence[Link]], goals: Sequence[str], wanted: Sequence[int], rng: Random
) -> list[list[tuple[Link, Contrast]]]:
    """Take links, one kind after the other in turn, until each text has as many contrasts as wanted.

    A word of a text stands in one constraint of an instruction at most, and not in its goal unless both sides have it:
    else the true instruction would be the one that agrees with itself.
    """
    named = [frozenset(word.removesuffix("s") for word in _lower_words(goal)) for goal in goals]
    used: list[frozenset[str]] = [frozenset() for _ in goals]
    mine: list[list[tuple[Link, Contrast]]] = [[] for _ in goals]
    for link in _in_turn(pool, rng):
        words = []
        for number, one in link.contrasts:
            right, wrong = (copied(link.kind, side.slots) for side in (one.chosen, one.rejected))
            new = right | wrong
            full = len(mine[number]) >= wanted[number]
            enough = sum(other.kind is link.kind for other, _ in mine[number]) >= link.kind.most
            if full or enough or new & used[number] or (right != wrong and new & named[number]):
                break
            words.append(new)
        else:
            for (number, one), new in zip(link.contrasts, words, strict=True):
                mine[number].append((link, one))
                used[number] |= new
    return mine


def _in_turn(pool: Sequence[Sequence[Link]], rng: Random) -> list[Link]:
    """Return one link of each kind after the other, the kinds in a new order each time, so that none is preferred."""
    piles = [rng.sample(pile, len(pile)) for pile in pool]
    order = []
    while piles := [pile for pile in piles if pile]:
        rng.shuffle(piles)
        order += [pile.pop() for pile in piles]
    return order


def _with_enough(mine: list[list[tuple[Link, Contrast]]], least: int) -> list[list[Contrast]]:
    """Take links away until each text has none or `least`."""
    while short := {number for number, some in enumerate(mine) if 0 < len(some) < least}:
        gone = {id(link) for number in short for link, _ in mine[number]}
        mine = [[(link, one) for link, one in some if id(link) not in gone] for some in mine]
    return [[one for _, one in some] for some in mine]


def _lower_words(text: str) -> list[str]:
    return [word.strip(".,;:“”") for word in text.lower().split()]
