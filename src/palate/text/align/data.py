"""Files of preferences to pairs: instruction sets in Suri's schema, or rows of prompt, chosen, rejected.

What two texts exchanged is true of the one and corrupted in the other. Who learned the one half alone would learn that
its value wins, whatever the text; so where one constraint of an instruction is shown, both halves are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from palate.errors import DataError
from palate.text.align.pairs import Pair
from palate.text.constraints.kind import dice
from palate.text.constraints.pairing import drawn
from palate.text.corpus import rows
from palate.text.suri import Example
from palate.text.suri import read as read_examples

Shown = Literal["one", "each", "all"]
"""How much of an instruction a pair shows: one drawn constraint (as the Suri paper trains), each in a pair of its own,
or all of them together."""


def pairs_of(examples: Sequence[Example], *, shown: Shown = "one", seed: int = 42) -> list[Pair]:
    """Return pairs of one text under its instruction and under the corrupted one.

    `one`: each text is in a pair at least, and in few more: of an exchange both halves stand side by side, and texts
    are matched so that most are in one.
    """
    if shown == "one":
        contrasts = [one.contrasts for one in examples]
        chosen = [(number, [place]) for number, place in drawn(contrasts, dice(seed))]
    elif shown == "each":
        chosen = [
            (number, [place]) for number, one in enumerate(examples) for place in range(len(one.contrasts))
        ]
    else:
        chosen = [(number, list(range(len(one.contrasts)))) for number, one in enumerate(examples)]
    return [_pair(examples[number], places) for number, places in chosen]


def _pair(example: Example, places: Sequence[int]) -> Pair:
    contrasts = [example.contrasts[place] for place in places]
    return Pair.of(example.goal, contrasts, example.answer, example.source, f"example {example.id}")


def read_pairs(
    path: str | Path, *, shown: Shown = "one", seed: int = 42, both_sides: bool = True
) -> list[Pair]:
    """Return the pairs of a file of JSON lines or Parquet: of Suri's schema, or with prompt, chosen and rejected.

    Without `both_sides`, as SFT learns, rejected is not read, and may be missing. Raises DataError, with the line, for
    a torn or foreign row.
    """
    first = next(rows(path), None)
    if first is None:
        raise DataError(f"{Path(path).name} has no row.")
    if "prompt_chosen" in first[1]:
        return pairs_of(read_examples(path), shown=shown, seed=seed)
    return list(_answers(path, both_sides))


def _answers(path: str | Path, both_sides: bool) -> Iterator[Pair]:
    """Yield pairs of two answers under one prompt."""
    for where, row in rows(path):
        other = "rejected" if both_sides else "chosen"
        told = [_text(row, name, where) for name in ("prompt", "chosen", other)]
        yield Pair(told[0], told[1], told[0], told[2], str(row.get("source", "")), where=where)


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise DataError(
            f"{where}: {name} is {'missing' if name not in row else type(value).__name__}. A row has the texts prompt, "
            "chosen and rejected, or the columns that `palate text build` writes."
        )
    return value
