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
        Path | None, typer.Argument(metavar="MODEL", help="A saved model, to make the recommendations now.")
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
        list[int] | None,
        typer.Option("--k", "-k", metavar="N", min=1, help="Cut-off; may be repeated  [default: 10]"),
    ] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="NAMES", help="With commas between: ndcg,map,recall")
    ] = None,
    relevant_from: Annotated[
        float | None,
        typer.Option("--relevant-from", metavar="VALUE", help="Rows of the truth count from this value on."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score recommendations against the truth, with a 95 % interval by user.

    Every user of the truth counts, also one who got no recommendation. Formulas are in docs/metrics.md.
    """
    from palate.evaluation import evaluate_tables

    if truth is None:
        raise PlanError("evaluate: give --truth FILE, what the users really chose (columns user, item).")
    cutoffs = tuple(sorted(set(k or [10])))
    chosen = _read(truth)
    if run is not None and model is None:
        given = _read(run)
    elif model is not None and run is None:
        given = _recommended(model, chosen, max(cutoffs))
    else:
        raise PlanError("evaluate: give --run FILE (columns user, item, score), or a saved MODEL, not both.")
    tables = _of_one_kind([given, chosen, *([_read(train)] if train is not None else [])])
    found = evaluate_tables(
        tables[0],
        tables[1],
        k=cutoffs,
        metrics=[one.strip() for one in metrics.split(",")]
        if metrics
        else _default(with_train=train is not None),
        train=tables[2] if train is not None else None,
        relevant_from=relevant_from,
    )
    if as_json:
        print_json({"metrics": {key: _measured(one) for key, one in found.items()}, "notes": found.notes})
        return
    print_table(
        ("metric", "mean", "95 % from", "to"),
        ((key, float(one.mean), *(one.ci95 or (None, None))) for key, one in found.items()),
    )
    for note in [f"{chosen['user'].n_unique():,} users in the truth.", *found.notes]:
        print(note)


def _default(*, with_train: bool) -> tuple[str, ...]:
    """Return the metrics that the files given allow."""
    from palate.evaluation.keys import AT_K, BEYOND

    return (*AT_K, "r_precision", *BEYOND) if with_train else (*AT_K, "r_precision")


def _read(path: Path) -> pl.DataFrame:
    """Read a table of any format that has the columns user and item."""
    from palate.datasets import files

    table = files.read(path, ids=("user", "item")).frame
    for column in ("user", "item"):
        if column not in table.columns:
            hint = did_you_mean(column, table.columns)
            raise DataError(f"{path}: no column '{column}'; its columns are {listing(table.columns)}.{hint}")
    return table


def _of_one_kind(tables: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Take ids as text in every table where one has text: 7 in one file is the 7 beside 007 in another."""
    import polars as pl

    for column in ("user", "item"):
        if len({table[column].dtype for table in tables}) > 1:
            tables = [table.with_columns(pl.col(column).cast(pl.String)) for table in tables]
    return tables


def _recommended(folder: Path, truth: pl.DataFrame, k: int) -> pl.DataFrame:
    from palate.cli.reading import model_at

    model = model_at(folder)
    return model.recommend(users=truth["user"].unique(maintain_order=True), k=k, unknown="skip")


def _measured(one: Any) -> dict[str, Any]:
    return {"mean": one.mean, "ci95": one.ci95, "n": one.n}
