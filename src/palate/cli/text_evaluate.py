"""`palate text evaluate`: how long texts are, how much they repeat, and which constraints they meet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Json
from palate.cli.show import print_json, print_table
from palate.cli.style import bold, faint

if TYPE_CHECKING:
    from palate.evaluation.significance import Estimate
    from palate.evaluation.written import Written

EXAMPLES = """
palate text evaluate generations.jsonl --data suri/test.jsonl
palate text evaluate raw.jsonl sft.jsonl iorpo.jsonl --data suri/test.jsonl --json
"""


def evaluate(
    files: Annotated[list[Path], typer.Argument(metavar="TEXTS", help="Files that `text generate` wrote.")],
    *,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="The instruction set, that proves constraints."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure texts: length, repetition, and the constraints they meet, beside those that nobody asked for.

    Intervals are of 95 %, over texts, or over the chapters that the set's texts are of.
    """
    from palate.evaluation.written import measure
    from palate.text.generate import read
    from palate.text.suri import read as read_set

    examples = read_set(data) if data is not None else []
    told = {str(path): measure(read(path), examples) for path in files}
    if as_json:
        print_json({name: asdict(one) for name, one in told.items()})
        return
    measures = list(dict.fromkeys(name for one in told.values() for name in one.rows()))
    print_table(
        ("", *(f"{Path(name).stem} ({one.texts:,} texts)" for name, one in told.items())),
        ((name, *(_figure(one.rows().get(name), name) for one in told.values())) for name in measures),
    )
    kinds = list(dict.fromkeys(met.kind for one in told.values() for met in one.met[1:]))
    if kinds:
        print("\n" + bold("constraints met, and corrupted ones met, by kind"))
        print_table(
            ("kind", *(Path(name).stem for name in told)),
            ((kind, *(_kind(one, kind) for one in told.values())) for kind in kinds),
        )
    resampled = "chapters" if examples else "texts"
    print(
        faint(f"Intervals resample {resampled}. What is met of the corrupted constraints is met by chance.")
    )


def _figure(one: Estimate | None, name: str) -> str:
    if one is None:
        return ""
    how = ",.0f" if name == "words" else ".1%"
    return f"{one.mean:{how}}" + (f" ({one.ci95[0]:{how}} to {one.ci95[1]:{how}})" if one.ci95 else "")


def _kind(one: Written, kind: str) -> str:
    found = next((met for met in one.met if met.kind == kind), None)
    return (
        "" if found is None else f"{found.asked.mean:.0%} / {found.corrupted.mean:.0%} of {found.asked.n:,}"
    )
