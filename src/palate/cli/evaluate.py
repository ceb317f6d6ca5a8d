"""`palate evaluate`: ranking metrics of recommendations that anything may have made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.options import Json
from palate.cli.show import print_json, print_table
from palate.errors import DataError, PlanError, did_you_mean, listing

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = """
palate evaluate --run run.csv --truth truth.csv --k 5 --k 10
palate evaluate --run run.csv --truth truth.csv --train train.csv --metrics ndcg,coverage,novelty --json
palate evaluate models/sar --truth truth.csv --k 10
"""


def evaluate(
    model: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="A saved model, to make the recommendations now.")
    ] = None,
    *,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="FILE", help="Recommendations: columns user, item, score.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="What users chose: columns user, item.")
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option("--train", metavar="FILE", help="Training rows, for novelty, coverage and their kin."),
    ] = None,
    k: Annotated[
        list[int] | None, typer.Option("--k", "-k", min=1, help="Cut-off; may be repeated  [default: 10]")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="NAMES", help="With commas between: ndcg,map,recall")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score recommendations against the truth, with a 95 % interval by user.

    Every user of the truth counts, also one who got no recommendation. Formulas are in docs/metrics.md.
    """
    from palate.evaluation import evaluate_tables

    if truth is None:
        raise PlanError("evaluate: give --truth FILE, what the users really chose (columns user, item).")
    if (model is None) == (run is None):
        raise PlanError(
            "evaluate: give --run FILE (columns user, item, score), or a saved MODEL, and not both."
        )
    cutoffs = tuple(sorted(set(k or [10])))
    chosen = read(truth, ("user", "item"))
    if run is not None and model is None:
        given = read(run, ("user", "item", "score"))
    elif model is not None and run is None:
        given = _recommended(model, chosen, cutoffs)
    else:
        raise PlanError("evaluate: give --run FILE (columns user, item, score), or a saved MODEL, not both.")
    seen = read(train, ("user", "item")) if train is not None else None
    names = tuple(metrics.split(",")) if metrics else default_metrics(with_train=seen is not None)
    found = evaluate_tables(given, chosen, k=cutoffs, metrics=names, train=seen)
    if as_json:
        print_json({"metrics": {key: _measured(one) for key, one in found.items()}})
        return
    users = chosen["user"].n_unique()
    print_table(
        ("metric", "mean", "95 % from", "to"),
        ((key, float(one.mean), *(one.ci95 or ("", ""))) for key, one in found.items()),
    )
    print(f"\n{users:,} users with truth; one without recommendations counts as zero.")


def default_metrics(*, with_train: bool) -> tuple[str, ...]:
    """Return the metrics that the files given allow."""
    from palate.evaluation.keys import AT_K, BEYOND

    return (*AT_K, *BEYOND) if with_train else AT_K


def read(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """Read a table of any format, and check that its columns are there."""
    from palate.datasets import files

    table = files.read(path)
    for column in columns:
        if column not in table.columns:
            hint = did_you_mean(column, table.columns)
            expected = ", ".join(columns)
            raise DataError(
                f"{path}: no column '{column}' (expected {expected}; found {listing(table.columns)}).{hint}"
            )
    return table


def _recommended(folder: Path, truth: pl.DataFrame, cutoffs: tuple[int, ...]) -> pl.DataFrame:
    from palate.cli.reading import model_at

    model = model_at(folder)
    return model.recommend(users=truth["user"].unique(maintain_order=True), k=max(cutoffs), unknown="skip")


def _measured(one: Any) -> dict[str, Any]:
    return {"mean": one.mean, "ci95": one.ci95, "n": one.n}
