"""How a judge and people agree, beyond chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from palate.text.annotate import Label, majority

_DRAWS = 1_000

What = tuple[str, int]
"""id of a text, place of a constraint"""


@dataclass(frozen=True)
class Agreement:
    """How the judge's labels and the majority of people's go together, on constraints that both judged."""

    n: int
    raw: float
    """share of equal labels"""
    kappa: float | None
    """Cohen's, over Yes, Partially and No; None where chance alone makes them equal"""
    interval: tuple[float, float] | None
    """95 %, of that kappa, over texts (bootstrap)"""
    kappa_satisfied: float | None
    """Cohen's, over Yes and the rest"""
    annotators: int
    ties: int
    """constraints left out, since people do not agree"""
    people: float | None
    """mean kappa (three labels) of pairs of people, weighted by what both labelled: what a judge may hope for"""

    def words(self) -> str:
        """Say it in a sentence."""
        three, two = (
            "undefined" if one is None else f"{one:.2f}" for one in (self.kappa, self.kappa_satisfied)
        )
        ends = "" if self.interval is None else f" ({self.interval[0]:.2f} to {self.interval[1]:.2f})"
        people = "" if self.people is None else f"; people among themselves: kappa {self.people:.2f}"
        return (
            f"agreement with people on {self.n:,} labels of {self.annotators} annotators: {self.raw:.0%}, kappa"
            f" {three}{ends}, of Yes against the rest {two}{people}."
        )


def agreement(said: Mapping[What, str], labels: Sequence[Label]) -> Agreement | None:
    """Return how a judge's labels agree with the majority of people; None where no constraint has both."""
    people = {what: label for what, label in majority(labels).items() if what in said}
    both = {what: (said[what], label) for what, label in people.items() if label is not None}
    if not both:
        return None
    pairs = list(both.values())
    return Agreement(
        n=len(pairs),
        raw=sum(judge == label for judge, label in pairs) / len(pairs),
        kappa=kappa(pairs),
        interval=_interval(both),
        kappa_satisfied=kappa([(judge == "Yes", label == "Yes") for judge, label in pairs]),
        annotators=len({one.annotator for one in labels}),
        ties=len(people) - len(both),
        people=people_kappa(labels),
    )


def _interval(both: Mapping[What, tuple[str, str]]) -> tuple[float, float] | None:
    """Return the middle 95 % of kappas of texts drawn anew, with all their labels; None for fewer than two texts."""
    texts: dict[str, list[tuple[str, str]]] = {}
    for (name, _), pair in both.items():
        texts.setdefault(name, []).append(pair)
    if len(texts) < 2:
        return None
    rng, groups = Random(0), list(texts.values())  # noqa: S311 - a bootstrap
    drawn = ([pair for group in rng.choices(groups, k=len(groups)) for pair in group] for _ in range(_DRAWS))
    kappas = sorted(value for value in map(kappa, drawn) if value is not None)
    return (kappas[len(kappas) * 25 // 1000], kappas[len(kappas) * 975 // 1000]) if kappas else None


def kappa(pairs: Sequence[tuple[object, object]]) -> float | None:
    """Return Cohen's kappa of paired labels (Cohen, 1960); None where both use one label only, or nothing is paired.

    >>> kappa([("Yes", "Yes"), ("No", "No"), ("Yes", "No"), ("No", "No")])
    0.5
    >>> kappa([("Yes", "Yes")]) is None
    True
    """
    if not pairs:
        return None
    first, second = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    chance = sum(first[label] * second[label] for label in first) / len(pairs) ** 2
    observed = sum(one == two for one, two in pairs) / len(pairs)
    return None if math.isclose(chance, 1) else (observed - chance) / (1 - chance)


def people_kappa(labels: Iterable[Label]) -> float | None:
    """Return the mean kappa of pairs of people, weighted by what both labelled; None where none is defined."""
    by_person: dict[str, dict[What, str]] = {}
    for label in labels:
        by_person.setdefault(label.annotator, {})[label.id, label.constraint] = label.label
    total, weight = 0.0, 0
    for one, other in combinations([by_person[name] for name in sorted(by_person)], 2):
        pairs = [(said, other[what]) for what, said in one.items() if what in other]
        if (value := kappa(pairs)) is not None:
            total, weight = total + value * len(pairs), weight + len(pairs)
    return total / weight if weight else None
