"""`palate run`: a plan, from its data to the leaderboard and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from palate.cli.options import Json, Quiet

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
        typer.Option("--out", "-o", metavar="FOLDER", help="Where results go  [default: runs/NAME]"),
    ] = None,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="Each model in its own process, with its peak memory.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a plan: read the data, split, fit, evaluate, compare, and write a report.

    Writes result.json, report.html, log.jsonl and models/LABEL/ in the folder --out, whole or not at all.
    """
