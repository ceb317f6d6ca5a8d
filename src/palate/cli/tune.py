"""`palate tune`: good parameters for the models of a plan, found on validation alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.endings import say
from palate.cli.options import Fresh, Jobs, Json, Metric, Models, PlanSets, Quiet, reads_data
from palate.cli.show import Figure, print_table
from palate.cli.style import faint, is_terminal, program

if TYPE_CHECKING:
    from palate.evaluation.study import Study

EXAMPLES = """
palate tune quickstart
palate tune my-plan.toml --trials 40 --jobs 2 --out runs/tuned
palate tune my-plan.toml --models sar,ease --seconds 60 --set evaluate.metrics=recall
palate tune ratings.csv --value stars --models bias,svd --metric rmse
"""


@reads_data
def tune(
    plan: Annotated[
        str,
        typer.Argument(metavar="PLAN", help="A plan file (TOML), a recipe, or data: a name or a file."),
    ],
    *,
    models: Models = None,
    metric: Metric = None,
    k: Annotated[
        int | None,
        typer.Option(
            "--k", "-k", metavar="N", min=1, help="Length of the lists  [default: the plan's, or 10]"
        ),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            "--trials", metavar="N", min=1, help="Of each model, at most; one is the model as given."
        ),
    ] = 20,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            metavar="S",
            min=0.001,
            help="About so many CPU seconds for each model's trials  [default: no limit]",
        ),
    ] = None,
    jobs: Jobs = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the search.")] = 42,
    sets: PlanSets = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where it goes  [default: runs/NAME-tune]"),
    ] = None,
    fresh: Fresh = False,
    as_json: Json = False,
    quiet: Quiet = False,
    reading: dict[str, Any],
) -> None:
    """Tune the models of a plan on its validation part: the same budget for each, the test part unseen.

    A parameter that the plan gives stays. Writes best.toml (the plan with what was found), trials.csv, study.json and
    tune.html in the folder --out. Stopped with Ctrl-C or killed, it goes on when the same is called again.
    """
    from palate.cli.reading import quieten
    from palate.experiment.tune import tune as tune_plan

    quieten(quiet)
    folder = out if out is not None else Path("runs") / f"{Path(plan).stem}-tune"
    with resumable(folder):
        study = tune_plan(
            plan,
            models=listed(models),
            metric=metric,
            k=k,
            trials=trials,
            seconds=seconds,
            jobs=jobs,
            seed=seed,
            out=folder,
            fresh=fresh,
            settings=sets or [],
            reading=reading,
            progress=None if quiet else step,
        )
    if as_json:
        print(study.to_json())
        return
    _show(study)
    if not quiet:
        print(f"\nPage: {folder / 'tune.html'}")
        print(f"Next: {program()} run {folder / 'best.toml'}    # the test, which tuning has not seen")


def _show(study: Study) -> None:
    from palate.evaluation.result import metric_name
    from palate.report.tuning import params_text, rows

    found = rows(study)
    headers = ("model", f"{metric_name(study.metric)} on validation", "gain", "trials", "CPU s")
    print_table(
        headers,
        (
            (
                row["label"],
                row["best"].value if row["best"] else None,
                row["gain"],
                row["trials"],
                Figure(f"{row['cpu_seconds']:.1f}"),
            )
            for row in found
        ),
    )
    print()
    for row in found:
        print(f"{row['label']}: {params_text(row['best'])}")
    for note in study.notes:
        print(note)


def step(words: str) -> None:
    """Say on a terminal what is being done; a bar below says how much is left."""
    if is_terminal(sys.stderr):
        print(faint(f"  {words} ...", sys.stderr), file=sys.stderr, flush=True)


def listed(words: str | None) -> list[str] | None:
    """Return what stands between commas; None where nothing was given."""
    return None if words is None else [word.strip() for word in words.split(",") if word.strip()]


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Say after Ctrl-C that the trials are kept."""
    try:
        yield
    except KeyboardInterrupt:
        if (folder / "trials.jsonl").exists():
            say(f"what is finished is kept in {folder}; the same command goes on from there")
        raise
