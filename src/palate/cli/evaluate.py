"""`palate evaluate`: ranking metrics of recommendations that anything may have made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.options import Json, reads_impressions
from palate.cli.show import print_json, print_table
from palate.errors import DataError, PlanError, did_you_mean, listing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from palate.datasets.newsdata import Part
    from palate.evaluation.significance import Estimate
    from palate.vocabulary import Codes, Vocabulary

_PARTS: tuple[Part, ...] = ("valid", "train", "test")
"""of news; the first that is there is scored"""

EXAMPLES = """
palate evaluate --run run.csv --truth truth.csv --k 5 --k 10
palate evaluate --run run.csv --truth truth.csv --train train.csv --metrics ndcg,coverage,novelty --json
palate evaluate models/sar --truth truth.csv --k 10
palate evaluate models/nrms --impressions mind-demo
palate evaluate models/nrms --impressions MINDsmall_dev.zip --metrics impression_auc,impression_mrr --json
"""


@reads_impressions
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
    impressions: Annotated[
        str | None,
        typer.Option("--impressions", metavar="DATA", help="News: a name, MIND's folder or zip, or a file."),
    ] = None,
    articles: Annotated[
        str | None, typer.Option("--articles", metavar="FILE", help="Beside a file of impressions.")
    ] = None,
    as_json: Json = False,
    reading: dict[str, Any],
) -> None:
    """Score recommendations against the truth, or a model of news against clicks, with a 95 % interval by user.

    Every user of the truth counts, also one who got no recommendation. A MODEL leaves out what a user already
    has, so such pairs leave the truth. Of news, the part that was published to measure on is read and scored (else
    train), and articles that the model does not know are read first. Formulas are in docs/metrics.md.
    """
    from palate.evaluation import evaluate_tables

    if impressions is not None:
        if model is None or run is not None or truth is not None or train is not None:
            raise PlanError("evaluate: --impressions DATA goes with a saved MODEL, and without other files.")
        reading |= {"items": articles} if articles else {}
        _print(*_of_impressions(model, impressions, reading, metrics, k), as_json)
        return
    columns = {role: reading.pop(role, role) for role in ("user", "item")}
    if reading:
        odd = next(iter(reading)).replace("_", "-")
        raise PlanError(f"evaluate: --{odd} says how --impressions DATA is read: give that, or leave it out.")
    if truth is None:
        raise PlanError("evaluate: give --truth FILE, what the users really chose (columns user, item).")
    cutoffs = tuple(sorted(set(k or [10])))
    chosen = _read(truth, columns)
    notes: list[str] = []
    if run is not None and model is None:
        given = _read(run, columns)
    elif model is not None and run is None:
        given, chosen, notes = _recommended(model, chosen, max(cutoffs))
    else:
        raise PlanError("evaluate: give --run FILE (columns user, item, score), or a saved MODEL, not both.")
    tables = _of_one_kind([given, chosen, *([_read(train, columns)] if train is not None else [])])
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
    notes += found.notes
    _print(found, f"{chosen['user'].n_unique():,} users in the truth.", notes, as_json)


def _print(found: Mapping[str, Estimate], counted: str, notes: list[str], as_json: bool) -> None:
    if as_json:
        print_json({"metrics": {key: _measured(one) for key, one in found.items()}, "notes": notes})
        return
    print_table(
        ("metric", "mean", "95 % from", "to"),
        ((key, float(one.mean), *(one.ci95 or (None, None))) for key, one in found.items()),
    )
    for note in [counted, *notes]:
        print(note)


def _of_impressions(
    folder: Path, data: str, reading: dict[str, Any], metrics: str | None, k: list[int] | None
) -> tuple[Mapping[str, Estimate], str, list[str]]:
    """Return the metrics of a model of news, of how many they are, and what to know of them."""
    from palate.cli.reading import load_impressions, model_at
    from palate.evaluation.impressions import evaluate_impressions
    from palate.evaluation.keys import IMPRESSION
    from palate.models.news.base import NewsModel

    model = model_at(folder)
    news = load_impressions(data, reading, only=_PARTS)
    shown = news.first(*_PARTS)
    if isinstance(model, NewsModel):
        model = model.with_articles(news.articles)
    asked = [one.strip() for one in metrics.split(",")] if metrics else IMPRESSION[:3]
    found = evaluate_impressions(model, shown, metrics=asked, k=k or [5, 10])
    return found.estimates, f"{len(found.rows):,} impressions of {len(found.users):,} users.", found.notes


def _default(*, with_train: bool) -> tuple[str, ...]:
    """Return the metrics that the files given allow."""
    from palate.evaluation.keys import AT_K, BEYOND

    return (*AT_K, "r_precision", *BEYOND) if with_train else (*AT_K, "r_precision")


def _read(path: Path, columns: dict[str, str]) -> pl.DataFrame:
    """Read a table of any format that has the columns user and item, which go by other names in `columns`."""
    from palate.datasets import files

    table = files.read(path, ids=tuple(columns.values())).frame
    for role, column in columns.items():
        if column in table.columns:
            table = table.with_columns(table[column].alias(role))
        elif role not in table.columns:  # a list that Palate wrote has its own names
            hint = did_you_mean(column, table.columns)
            raise DataError(
                f"{path}: no column '{column}'; its columns are {listing(table.columns)}.{hint} Name it: "
                f"--{role} COLUMN."
            )
    return table


def _of_one_kind(tables: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Take ids as text in every table where one has text: 7 in one file is the 7 beside 007 in another."""
    import polars as pl

    for column in ("user", "item"):
        if len({table[column].dtype for table in tables}) > 1:
            tables = [table.with_columns(pl.col(column).cast(pl.String)) for table in tables]
    return tables


def _recommended(folder: Path, truth: pl.DataFrame, k: int) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Return a model's lists for the users of the truth, and the truth without what they already have."""
    import numpy as np
    import polars as pl

    from palate.cli.reading import model_at

    model = model_at(folder)
    users = truth["user"].drop_nulls().unique(maintain_order=True)
    codes = _codes(users, model.users)
    items, _ = model.recommend_codes(codes, k=min(k, len(model.items)))
    place, rank = np.nonzero(items >= 0)
    # By rank: equal scores stay in the order of the model's own ids, whatever kind the truth's are.
    run = pl.DataFrame(
        {"user": users.gather(place), "item": model.items.decode(items[place, rank]), "rank": rank + 1}
    )
    past = model.fitted.histories.select(codes)
    place = np.repeat(np.arange(len(past)), past.lengths)
    seen = pl.DataFrame({"user": users.gather(place), "item": model.items.decode(past.item)})
    run, truth, seen = _of_one_kind([run, truth, seen])
    left = truth.join(seen, on=["user", "item"], how="anti", maintain_order="left")
    if left.is_empty():
        raise DataError(
            "every pair of the truth stands in the model's data already: nothing is left to find."
        )
    gone = truth.join(seen, on=["user", "item"], how="semi").select("user", "item").unique()
    return run.join(left, on="user", how="semi", maintain_order="left"), left, _of_gone(gone, left)


def _of_gone(gone: pl.DataFrame, left: pl.DataFrame) -> list[str]:
    """Say which pairs left the truth, and which users with them, who had no others."""
    if gone.is_empty():
        return []
    one = gone.height == 1
    notes = [
        f"{gone.height:,} pair{'' if one else 's'} of the truth {'stands' if one else 'stand'} in the user's history: "
        f"{'it' if one else 'they'} left the truth."
    ]
    lost = gone.join(left, on="user", how="anti")
    users = lost["user"].n_unique()
    if users:
        alone, pair = users == 1, "only" if lost.height == users else "every"
        notes.append(
            f"{users:,} user{'' if alone else 's'}, whose {pair} pair was one they already had, "
            f"{'is' if alone else 'are'} not counted."
        )
    return notes


def _codes(ids: pl.Series, known: Vocabulary) -> Codes:
    """Return the code of each id as it is written: 7 finds '7', and '7' finds 7, but '007' does not."""
    import numpy as np
    import polars as pl

    from palate.vocabulary import as_ids

    ids = as_ids(ids)
    if known.is_text or ids.dtype != pl.String:
        return known.encode(ids.cast(known.ids.dtype))
    numbers = ids.cast(pl.Int64, strict=False)
    written = (numbers.cast(pl.String) == ids).fill_null(False).to_numpy()
    return np.where(written, known.encode(numbers.fill_null(0)), -1).astype(np.int32)


def _measured(one: Any) -> dict[str, Any]:
    return {"mean": one.mean, "ci95": one.ci95, "n": one.n}
