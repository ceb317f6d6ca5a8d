"""`palate text validate`: an instruction set proven again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Json, Quiet
from palate.cli.show import print_json, print_table, shown
from palate.cli.style import bold
from palate.errors import DataError

if TYPE_CHECKING:
    from palate.text.suri import Report

EXAMPLES = """
palate text validate suri.jsonl
palate text validate suri/train.jsonl --json
"""

_TOLD = 10


def validate(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What `text build` wrote, or JSON lines or Parquet with Suri's columns."
        ),
    ],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Prove every constraint of a set again: true of its text, its corruption false; and tell what is in the set.

    Rows with the columns that Suri publishes and no typed constraints are counted and measured; nothing can prove them.
    Ends with exit code 3 where something is wrong.
    """
    from palate.text.suri import read
    from palate.text.suri import validate as prove

    report = prove(read(file))
    if as_json:
        print_json(report.to_dict())
    elif not quiet:
        _print(file, report)
    if not report.sound:
        more = "" if as_json or quiet else f", the first {min(_TOLD, len(report.problems))} above"
        raise DataError(
            f"{file}: {len(report.problems):,} problems{more}. Build the set again, or drop those rows."
        )


def _print(file: Path, report: Report) -> None:
    print(bold(f"{file}: {report.examples:,} examples of {len(report.sources)} sources"))
    rows = (
        ("constraints of an example", report.per_example),
        ("words of a text", report.words),
    )
    print_table(
        ("", "fewest", "median", "most"), ((name, low, shown(mid), high) for name, (low, mid, high) in rows)
    )
    print(
        f"{report.proven:,} of {report.constraints:,} constraints proven both ways"
        + (f"; {report.unproven:,} without a kind, which nothing proves" if report.unproven else "")
    )
    for name, counts in (("kinds", report.kinds), ("types", report.types), ("scopes", report.scopes)):
        print(f"{name}: " + ", ".join(f"{key or 'none'} {count:,}" for key, count in counts.items()))
    print(
        f"words of the constraints that occur in the text: {report.overlap_chosen:.1%} of the true ones, "
        f"{report.overlap_rejected:.1%} of the corrupted"
    )
    if report.proven:
        print(f"values as often true as corrupted: {report.balance:.1%}")
    for problem in report.problems[:_TOLD]:
        print(f"- {problem}")
