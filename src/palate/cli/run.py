"""`palate run`: a plan, from its data to the leaderboard and the report."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Json, Quiet
from palate.cli.style import faint, has_colour, is_terminal, program

if TYPE_CHECKING:
    from palate.evaluation.result import Result

WIDE = 160  # columns where nobody's terminal says: a board in a file is not folded

EXAMPLES = """
palate run quickstart
palate run my-plan.toml --set evaluate.k=20 --set models.sar.half_life_days=30
palate run sar-movielens --set data.name=movielens-100k --out runs/sar-100k --isolate
"""


def run(
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="A plan file (TOML), or a name from `palate recipes`.")
    ],
    *,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change the plan; may be given many times."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where results go  [default: runs/NAME-TIME]"),
    ] = None,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="Each model in its own process, with its peak memory.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a plan: read the data, split, fit, evaluate, compare, and write a report.

    Writes report.html, log.jsonl, models/LABEL/ and, last and whole, result.json in the folder --out.
    """
    from palate.cli.reading import quieten
    from palate.experiment.plan import Plan
    from palate.experiment.run import run as run_plan

    quieten(quiet)
    checked = Plan.load(plan, settings=sets or [])
    folder = out if out is not None else Path("runs") / f"{checked.name}-{datetime.now():%Y%m%d-%H%M%S}"
    result = run_plan(checked, out=folder, isolate=isolate, progress=None if quiet else _step)
    if as_json:
        print(result.to_json())
        return
    from rich.console import Console

    from palate.experiment.leaderboard import show

    show(
        result, Console(no_color=not has_colour(sys.stdout), width=None if is_terminal(sys.stdout) else WIDE)
    )
    if not quiet:
        _close(result, folder)


def _step(words: str) -> None:
    """Say on a terminal what is being done; a line each, for the bars of long steps to stand below."""
    if is_terminal(sys.stderr):
        print(faint(f"  {words} ...", sys.stderr), file=sys.stderr, flush=True)


def _close(result: Result, folder: Path) -> None:
    best = folder / "models" / result.ranking()[0].label
    # Of news, a reader of the test may be one whom train lacks.
    known = result.examples and not (result.data.impressions and result.split.cold_users)
    whom = f"--users {result.examples[0].user}" if known else "--all"
    print(f"\nReport: {folder / 'report.html'}")
    print(f"Next:   {program()} recommend {best} {whom} --k 5")
    print(f"        {program()} recipes quickstart > another-plan.toml    # a plan to make your own")
