"""Files of preferences to pairs: instruction sets in Suri's schema, or rows of prompt, chosen, rejected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from palate.errors import DataError
from palate.text.align.pairs import Pair
from palate.text.corpus import json_rows
from palate.text.suri import Example, prompt
from palate.text.suri import read as read_examples

Shown = Literal["one", "each", "all"]
"""How much of an instruction a pair shows: one drawn constraint (as the Suri paper trains), each constraint in a pair
of
its own, or all of them together."""


def pairs_of(examples: Sequence[Example], *, shown: Shown = "one", seed: int = 42) -> list[Pair]:
    """Return pairs of one text under its instruction and under the corrupted one."""
    from palate.text.constraints.kind import dice

    made = []
    for one in examples:
        places = range(len(one.contrasts))
        chosen: list[list[int]] = {
            "one": [[dice(f"{seed}/{one.id}").choice(places)]],
            "each": [[place] for place in places],
            "all": [list(places)],
        }[shown]
        for some in chosen:
            contrasts = [one.contrasts[place] for place in some]
            asked = prompt(one.goal, [contrast.chosen.text for contrast in contrasts])
            corrupted = prompt(one.goal, [contrast.rejected.text for contrast in contrasts])
            made.append(Pair(asked, one.answer, corrupted, one.answer, one.source))
    return made


def read_pairs(path: str | Path, *, shown: Shown = "one", seed: int = 42) -> list[Pair]:
    """Return the pairs of a file of JSON lines: of Suri's schema, or with the columns prompt, chosen and rejected.

    Raises DataError, with the line, for a torn or foreign row.
    """
    first = next(json_rows(path), None)
    if first is None:
        raise DataError(f"{Path(path).name} has no row.")
    if "prompt_chosen" in first[1]:
        return pairs_of(read_examples(path), shown=shown, seed=seed)
    return list(_answers(path))


def _answers(path: str | Path) -> Iterator[Pair]:
    """Yield pairs of two answers under one prompt."""
    for line, row in json_rows(path):
        where = f"{Path(path).name}, line {line}"
        told = [_text(row, name, where) for name in ("prompt", "chosen", "rejected")]
        yield Pair(told[0], told[1], told[0], told[2], str(row.get("source", "")))


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise DataError(
            f"{where}: {name} is {'missing' if name not in row else type(value).__name__}. A row has the texts prompt, "
            "chosen and rejected, or the columns that `palate text build` writes."
        )
    return value
