"""What a language model wrote: how long, how much of it again, and how many of the constraints it meets.

Repetition is told like in the Suri paper, of words where that counts tokens: the share of texts in which some run of 5
or 10 of them stands at least 3 times, in the whole text, in its first 2,048 words and after them; and the share of a
text's runs of 5 words that stood before, in both. Constraints are
proven by the verifiers that made them; the corrupted ones are asked as well, since a text meets many by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from palate.errors import DataError, listing
from palate.evaluation.following import clustered
from palate.evaluation.significance import Estimate
from palate.text.constraints.registry import holds
from palate.text.generate import Generation
from palate.text.prose import Prose
from palate.text.suri import Example

SPLIT = 2_048
"""Words after which a text counts as long"""


@dataclass(frozen=True)
class Met:
    """How many constraints of a kind are met."""

    kind: str
    asked: Estimate
    corrupted: Estimate
    """of the corrupted ones, which nobody asked for: what is met by chance"""


@dataclass(frozen=True)
class Written:
    """Measures of texts; intervals resample texts, or the chapters whose instructions they answer, where known."""

    texts: int
    words: Estimate
    ended: Estimate
    """share that the model ended by itself"""
    repeats_5: Estimate
    """share of texts with a run of 5 words that stands at least 3 times"""
    repeats_10: Estimate
    """the same of 10 words"""
    repeats_by_part: dict[str, Estimate]
    """the same in the first 2,048 words and, of texts that are so long, after them"""
    again_first: Estimate
    """share of runs of 5 words, in the first 2,048, that stood before"""
    again_later: Estimate | None
    """the same after them; None where no text is so long"""
    met: tuple[Met, ...]
    """constraints met: all of them, then by kind; empty without a set that proves them"""

    def rows(self) -> dict[str, Estimate]:
        """Return the measures by name."""
        told = {
            "words": self.words,
            "ended by itself": self.ended,
            "a 5-gram 3 times": self.repeats_5,
            "a 10-gram 3 times": self.repeats_10,
            **self.repeats_by_part,
            f"5-grams again, first {SPLIT:,} words": self.again_first,
        }
        if self.again_later is not None:
            told[f"5-grams again, after {SPLIT:,} words"] = self.again_later
        for one in self.met[:1]:
            told |= {"constraints met": one.asked, "corrupted ones met": one.corrupted}
        return told


def measure(generations: Sequence[Generation], examples: Sequence[Example] = ()) -> Written:
    """Return the measures of texts; `examples` are those of their ids, and prove the constraints.

    Raises DataError for no texts, and for a text whose id no example has.
    """
    if not generations:
        raise DataError("there is no text to measure.")
    words = [one.text.split() for one in generations]
    of_id = {one.id: one for one in examples}
    clusters = [of_id[one.id].chapter if one.id in of_id else one.id for one in generations]

    def mean(values: Sequence[float], of: Sequence[str] = clusters) -> Estimate:
        return clustered(np.asarray(values, np.float64), of)

    long = [place for place, told in enumerate(words) if len(told) > SPLIT + 5]
    return Written(
        texts=len(generations),
        words=mean([len(told) for told in words]),
        ended=mean([one.ended for one in generations]),
        repeats_5=mean([repeats(told, 5) for told in words]),
        repeats_10=mean([repeats(told, 10) for told in words]),
        repeats_by_part={
            f"a {n}-gram 3 times, {where} {SPLIT:,} words": mean(
                [repeats(words[place][part], n) for place in places], [clusters[place] for place in places]
            )
            for where, places, part in (
                ("first", range(len(words)), slice(SPLIT)),
                ("after", long, slice(SPLIT, None)),
            )
            if long
            for n in (5, 10)
        },
        again_first=mean([repeated_share(told, 5, last=SPLIT) for told in words]),
        again_later=mean(
            [repeated_share(words[place], 5, first=SPLIT) for place in long],
            [clusters[place] for place in long],
        )
        if long
        else None,
        met=_met(generations, of_id) if examples else (),
    )


def _met(generations: Sequence[Generation], examples: Mapping[str, Example]) -> tuple[Met, ...]:
    strangers = [one.id for one in generations if one.id not in examples]
    if strangers:
        raise DataError(
            f"{len(strangers):,} of {len(generations):,} texts are of no example of the set (ids "
            f"{listing(strangers)}): give the set that the requests were of."
        )
    kinds, clusters, asked, corrupted = [], [], [], []
    for one in generations:
        prose = Prose(one.text)
        for contrast in examples[one.id].contrasts:
            if contrast.chosen.kind:
                kinds.append(contrast.chosen.kind)
                clusters.append(examples[one.id].chapter)
                asked.append(holds(contrast.chosen, prose))
                corrupted.append(holds(contrast.rejected, prose))
    if not kinds:
        return ()
    told = np.array(kinds), np.array(clusters), np.array(asked, np.float64), np.array(corrupted, np.float64)

    def of(name: str, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Met:
        _, cluster, met, by_chance = (column[rows] for column in told)
        return Met(name, clustered(met, list(cluster)), clustered(by_chance, list(cluster)))

    every = np.ones(len(kinds), bool)
    return of("all", every), *(of(kind, told[0] == kind) for kind in sorted(set(kinds)))


def repeats(words: Sequence[str], n: int, *, times: int = 3) -> bool:
    """Return whether some run of n words stands in a text at least so many times.

    >>> repeats("a b a b a b".split(), 2), repeats("a b a b".split(), 2)
    (True, False)
    """
    counts: dict[tuple[str, ...], int] = {}
    for start in range(len(words) - n + 1):
        run = tuple(words[start : start + n])
        counts[run] = counts.get(run, 0) + 1
        if counts[run] >= times:
            return True
    return False


def repeated_share(words: Sequence[str], n: int, *, first: int = 0, last: int | None = None) -> float:
    """Return the share of a text's runs of n words, those that begin at `first` up to `last`, that stood before it.

    >>> repeated_share("a b c a b".split(), 2)
    0.25
    """
    seen: set[tuple[str, ...]] = set()
    again = counted = 0
    for start in range(len(words) - n + 1):
        run = tuple(words[start : start + n])
        if start >= first and (last is None or start < last):
            counted += 1
            again += run in seen
        seen.add(run)
    return again / counted if counted else 0.0
