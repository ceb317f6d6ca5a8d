"""`palate compare`: models tuned alike, tested, their cost beside, and a sentence of advice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.options import Fresh, Jobs, Json, Metric, Models, PlanSets, Quiet, reads_data
from palate.cli.show import Figure, print_table
from palate.cli.style import bold, program

if TYPE_CHECKING:
    from palate.evaluation.contest import Contest

EXAMPLES = """
palate compare movietweetings --min-user 5 --min-item 5
palate compare my-plan.toml --trials 20 --seconds 60 --splits 5 --out runs/compared
palate compare ratings.csv --models popularity,ease,markov,sasrec --set split.method=last-out
palate compare ratings.csv --value rating --metric rmse --models bias,svd,rlrmc
"""


@reads_data
def compare(
    what: Annotated[
        str,
        typer.Argument(metavar="PLAN|DATA", help="A plan file (TOML), a recipe, or data: a name or a file."),
    ],
    *,
    models: Models = None,
    metric: Metric = None,
    k: Annotated[
        int | None, typer.Option("--k", "-k", metavar="N", min=1, help="Length of the lists  [default: 10]")
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            "--trials", metavar="N", min=1, help="Of each model, at most; one is the model as given."
        ),
    ] = 12,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", metavar="S", min=0.001, help="About so many CPU seconds for each model's trials."
        ),
    ] = 20.0,
    splits: Annotated[
        int,
        typer.Option("--splits", metavar="N", min=1, help="Test on so many splits, each with another seed."),
    ] = 3,
    jobs: Jobs = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the search.")] = 42,
    sets: PlanSets = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where it goes  [default: runs/NAME-compare]"),
    ] = None,
    fresh: Fresh = False,
    as_json: Json = False,
    quiet: Quiet = False,
    reading: dict[str, Any],
) -> None:
    """Compare models that were all tuned alike: how good, how sure, and at what cost; and which one to take.

    Bare data is split at random (75 % of each user's rows train) and gets every model that fits it. Where order tells,
    ask for the last row of each user: --set split.method=last-out. Writes compare.html, comparison.json, all that
    `palate tune` and `palate run` write, in the folder --out. Stopped with Ctrl-C or killed, it goes on when the same
    is called again.
    """
    from palate.cli.reading import quieten
    from palate.cli.tune import listed, resumable, step
    from palate.experiment.compare import compare_models

    quieten(quiet)
    folder = out if out is not None else Path("runs") / f"{Path(what).stem}-compare"
    with resumable(folder):
        contest = compare_models(
            what,
            models=listed(models),
            metric=metric,
            k=k,
            trials=trials,
            seconds=seconds,
            splits=splits,
            jobs=jobs,
            seed=seed,
            out=folder,
            fresh=fresh,
            settings=sets or [],
            reading=reading,
            progress=None if quiet else step,
        )
    if as_json:
        print(contest.to_json())
        return
    _show(contest)
    if not quiet:
        print(f"\nPage: {folder / 'compare.html'}")
        print(f"Next: {program()} recommend {folder / 'models' / contest.ranking()[0].label} --all --k 5")


def _show(contest: Contest) -> None:
    from palate.evaluation.result import metric_name
    from palate.report.html import figure, interval
    from palate.report.words import protocol_words

    said, equal, front = contest.advice, contest.equal(), contest.front()
    print(f"{bold(said[0])}\n")
    best = contest.ranking()[0].label

    def cells(place: int, label: str) -> tuple[object, ...]:
        tested, spread = contest.result.model(label).metrics[contest.metric], contest.values(label)
        validated, (wins, splits) = contest.study.best(label), contest.ahead(best, label)
        return (
            place,
            f"{label} ≈" if label in equal else label,
            Figure(figure(tested.mean)),
            Figure(interval(tested)),
            Figure(f"{figure(spread.mean)} ± {figure(spread.deviation)}" if len(spread.known) > 1 else ""),
            Figure("" if label == best or splits < 2 else f"{wins} of {splits}"),
            Figure(figure(validated.value) if validated else ""),
            Figure(f"{contest.cost(label):.2f}"),
            "◆" if label in front else "",
        )

    metric = metric_name(contest.metric)
    headers = (
        "#",
        "model",
        metric,
        "95 % interval",
        "over the splits",
        "best ahead",
        "validation",
        "CPU s",
        "front",
    )
    print_table(headers, (cells(n, model.label) for n, model in enumerate(contest.ranking(), start=1)))
    print()
    if equal:
        print(f"≈ within the noise of the best, by {contest.test}.")
    print("◆ on the Pareto front: no model is both better and cheaper (CPU seconds to fit and to recommend).")
    print(contest.varied)
    for line in [*said[1:], *contest.notes, protocol_words(contest.result)]:
        print(line)
