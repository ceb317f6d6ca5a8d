"""Tables in, numbers out: metrics of any system's recommendations, without a model of Palate's.

A run is a table of user, item and score (or rank); the truth is a table of user and item. Integer ids are
compared as they are: no encoding, and no sort where a table's users ascend already, as they do in most files.
All metrics of a user come from one look at the user's rows (`kernels.ranking.grouped_metrics`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.errors import DataError, PlanError, listing
from palate.evaluation import rating
from palate.evaluation.keys import AT_K, BEYOND, RATING, Wanted, wanted
from palate.evaluation.ranking import Relevant, Values, hits, named
from palate.evaluation.significance import Estimate, Statistic, estimates
from palate.kernels import ranking as kernel
from palate.kernels.ranking import frozen
from palate.tables import require_column, to_frame
from palate.vocabulary import Vocabulary, as_ids

_DENSE = 4  # counting sort wants no more places than this for each row


class Estimates(dict[str, Estimate]):
    """Metric key to estimate, with notes on what was left out or counted as a miss."""

    notes: list[str]

    def __init__(self, found: dict[str, Estimate], notes: list[str]) -> None:
        super().__init__(found)
        self.notes = notes


def evaluate_tables(
    run: object,
    truth: object,
    *,
    k: Iterable[int] | int = (10,),
    metrics: Iterable[str] | str = ("ndcg", "map", "precision", "recall"),
    train: object | None = None,
    relevant_from: float | None = None,
    bootstrap: int = 1_000,
    seed: int = 42,
) -> Estimates:
    """Evaluate recommendations given as a table.

    Args:
        run: user, item, and `score` (higher is better, ties by lower item id) or `rank` (from 1). Any table:
            pandas, Polars, Arrow, DuckDB, a dict of columns. Rows may come in any order, lists of any length.
            Rating metrics need `score`, the predicted value: a rank predicts none.
        truth: user, item; and `value` for `relevant_from` and for rating metrics. A repeated pair is one
            relevant item; for rating metrics every row counts, as each is a value to predict.
        k: cut-offs.
        metrics: names or keys, all but `auc`, which needs scores of the whole catalogue.
        train: user, item: what the beyond-accuracy metrics need.
        relevant_from: rows of the truth with a lower value are not relevant; negative values never are.
        bootstrap: resamples of the intervals by user; 0 for none. From 20,000 users on the interval of a
            mean is the normal one.
        seed: of the resampling.

    Returns: estimates by key. Users of the truth without a list count as zeros; users of the run that the
        truth lacks are left out; `notes` counts both.

    Raises:
        DataError: a column is missing or has gaps, ids are of two kinds, a pair stands twice in the run, a
            score or a value of the truth is NaN, the truth is empty.
        PlanError: a metric that cannot be had from these tables.

    Time: 10 million rows of run and 5 million of truth with integer ids take about a third of a second on
        one core.

    >>> found = evaluate_tables(
    ...     {"user": [1, 1, 1], "item": [10, 20, 30], "score": [0.9, 0.8, 0.7]},
    ...     {"user": [1, 1, 2], "item": [20, 40, 10]},
    ...     k=2, metrics=["recall", "mrr"],
    ... )
    >>> found["recall@2"].mean, found["mrr@2"].mean
    (0.25, 0.25)
    >>> found.notes
    ['1 of 2 users of the truth have no list: they count as zeros.']
    """
    asked = wanted(metrics, k)
    if asked.any_of(["auc"]):
        raise PlanError(
            "auc needs a score for every item of the catalogue: use palate.evaluate with a model."
        )
    if asked.any_of(BEYOND) and train is None:
        raise PlanError(
            f"{listing(key for key in asked.keys if key.partition('@')[0] in BEYOND)}: give train too."
        )
    truth_frame = to_frame(truth, source="truth")
    run_frame = _typed(to_frame(run, source="run"), truth_frame)
    values = _values(truth_frame) if "value" in truth_frame.columns else None
    found: dict[str, Estimate] = {}
    notes: list[str] = []
    statistics: dict[str, Statistic] = {}
    if asked.any_of(RATING):
        found |= _rating(asked, run_frame, truth_frame, values, bootstrap, seed, notes)
    if asked.any_of((*AT_K, "r_precision", *BEYOND)):
        relevant_rows = _relevant(truth_frame, values, relevant_from)
        tables = _Tables.read(run_frame, relevant_rows)
        per_user = _list_values(tables, asked, notes)
        statistics |= {key: Statistic.mean(per_user[key]) for key in asked.keys if key in per_user}
        if asked.any_of(BEYOND):
            found |= _beyond(asked, run_frame, relevant_rows, train, statistics, notes)
    found |= estimates(statistics, resamples=bootstrap, seed=seed)
    return Estimates({key: found[key] for key in asked.keys}, notes)


@dataclass(frozen=True, eq=False)
class _Tables:
    """Both tables as integers, rows in ascending order of user."""

    run_user: NDArray[np.int64]
    run_item: NDArray[np.int64]
    run_score: NDArray[np.float64]
    truth_user: NDArray[np.int64]
    truth_item: NDArray[np.int64]
    n_users: int
    """distinct users of the truth"""
    longest: int
    """rows of the user with the most rows"""
    vocabularies: tuple[Vocabulary | None, Vocabulary | None]
    """of users and items, where they are text"""

    @classmethod
    def read(cls, run: pl.DataFrame, truth: pl.DataFrame) -> _Tables:
        run_user, truth_user, users = _ids(run, truth, "user")
        run_item, truth_item, items = _ids(run, truth, "item")
        run_score = frozen(_scores(run).to_numpy(), np.float64)
        (run_user, run_item, run_score), _, longest_list = _by_user(run_user, run_item, run_score)
        (truth_user, truth_item), n_users, most_relevant = _by_user(truth_user, truth_item)
        longest = max(longest_list, most_relevant)
        return cls(run_user, run_item, run_score, truth_user, truth_item, n_users, longest, (users, items))

    def name(self, which: int, code: np.int64) -> object:
        """Return the id behind an integer: of a user (0) or an item (1)."""
        vocabulary = self.vocabularies[which]
        return int(code) if vocabulary is None else vocabulary.ids[int(code)]


def _list_values(tables: _Tables, asked: Wanted, notes: list[str]) -> Values:
    """Return the list metrics of every user of the truth, users ascending."""
    ks = asked.cutoffs(AT_K) or (1,)
    values = np.empty((len(kernel.METRICS), len(ks), tables.n_users))
    r_precision = np.empty(tables.n_users)
    discount, ideal = kernel.discounts(max(ks))
    without_list, strangers, wrong, row = kernel.grouped_metrics(
        tables.run_user,
        tables.run_item,
        tables.run_score,
        tables.truth_user,
        tables.truth_item,
        tables.longest,
        frozen(np.array(ks), np.int64),
        discount,
        ideal,
        values,
        r_precision,
    )
    if wrong == kernel.NOT_A_NUMBER:
        user, item = tables.name(0, tables.run_user[row]), tables.name(1, tables.run_item[row])
        raise _no_score(user, item)
    if wrong == kernel.DUPLICATE:
        user = tables.run_user[row]
        ids, counts = np.unique(tables.run_item[tables.run_user == user], return_counts=True)
        item = tables.name(1, ids[counts > 1][0])
        raise _repeated(tables.name(0, user), item)
    if without_list:
        notes.append(
            f"{without_list:,} of {tables.n_users:,} users of the truth have no list: they count as zeros."
        )
    if strangers:
        notes.append(
            "1 user of the run is not in the truth: they were left out."
            if strangers == 1
            else f"{strangers:,} users of the run are not in the truth: they were left out."
        )
    return named(values, r_precision, ks)


def _no_score(user: object, item: object) -> DataError:
    return DataError(
        f"run: the score of user {user!r}, item {item!r} is NaN: give numbers, or leave the row out."
    )


def _repeated(user: object, item: object) -> DataError:
    return DataError(
        f"run: item {item!r} is recommended to user {user!r} more than once. "
        "Keep one row of each pair, say the one with the highest score."
    )


def _beyond(
    asked: Wanted,
    run: pl.DataFrame,
    truth: pl.DataFrame,
    train: object,
    statistics: dict[str, Statistic],
    notes: list[str],
) -> dict[str, Estimate]:
    """Add the beyond-accuracy statistics, and return the estimates that are no statistics of users."""
    from palate.evaluation import beyond
    from palate.interactions import Interactions

    known = Interactions.from_table(train, value=None, time=None, event=None, basket=None, source="train")
    pairs = beyond.Pairs(*known.pairs(), known.n_items)
    users = Vocabulary.of(truth["user"])
    places = max(asked.cutoffs(BEYOND))
    lists = pl.DataFrame(
        {
            "u": users.encode(run["user"]),
            "item": as_ids(run["item"]),
            "code": known.items.encode(run["item"]),
            "score": _scores(run),
        }
    )
    lists = (
        lists.filter(pl.col("u") >= 0)
        .sort(["u", "score", "item"], descending=[False, True, False])
        .with_columns(place=pl.int_range(pl.len()).over("u"))
        .filter(pl.col("place") < places)
    )
    unknown = int((lists["code"] < 0).sum())
    if unknown:  # their places stay empty
        notes.append(f"{unknown:,} listed items are not in train: beyond-accuracy leaves them out.")
    top = np.full((len(users), places), -1, np.int32)
    top[lists["u"].to_numpy(), lists["place"].to_numpy()] = lists["code"].to_numpy()
    held = truth.select(u=pl.Series(users.encode(truth["user"])), item=as_ids(truth["item"])).unique(
        maintain_order=True
    )
    relevant = Relevant.of_pairs(held["u"].to_numpy(), known.items.encode(held["item"]), len(users))
    past = pairs.select(known.users.encode(users.ids))
    measured = beyond.measure(asked, top, hits(top, relevant), past, pairs)
    statistics |= {key: Statistic.mean(values) for key, values in measured.per_user.items()} | measured.ratios
    return {key: Estimate(value, None, len(users)) for key, value in measured.overall.items()}


def _rating(
    asked: Wanted,
    run: pl.DataFrame,
    truth: pl.DataFrame,
    values: pl.Series | None,
    bootstrap: int,
    seed: int,
    notes: list[str],
) -> dict[str, Estimate]:
    """Return the rating metrics over the pairs that stand in both tables."""
    if values is None:
        raise PlanError("rmse, mae, r2 and explained_variance need a column 'value' in the truth.")
    if "score" not in run.columns and "rank" in run.columns:
        raise PlanError("rmse, mae, r2 and explained_variance need a column 'score' in the run: not ranks.")
    _same_kind(run, truth)
    predicted = run.select(user=as_ids(run["user"]), item=as_ids(run["item"]), score=_scores(run))
    if (bad := predicted["score"].is_nan()).any():
        row = predicted.row(bad.arg_max() or 0)
        raise _no_score(row[0], row[1])
    if (twice := predicted.select("user", "item").is_duplicated()).any():
        row = predicted.row(twice.arg_max() or 0)
        raise _repeated(row[0], row[1])
    actual = truth.select(user=as_ids(truth["user"]), item=as_ids(truth["item"]), value=values)
    both = actual.join(predicted, on=["user", "item"], how="inner")
    if both.height == 0:
        raise DataError(
            "run and truth share no pair of user and item: there is nothing to compare values on."
        )
    if both.height < actual.height:
        notes.append(
            f"{actual.height - both.height:,} rows of the truth have no predicted value: they were left out."
        )
    users = Vocabulary.of(both["user"])
    sums = rating.user_sums(
        users.encode(both["user"]), len(users), both["value"].to_numpy(), both["score"].to_numpy()
    )
    return estimates(rating.statistics(sums, asked), resamples=bootstrap, seed=seed)


def _typed(run: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Give a run without rows the types it would have: an empty file or frame tells none."""
    if run.height:
        return run
    ids = [name for name in ("user", "item") if name in truth.columns]
    return pl.DataFrame(
        schema={name: truth.schema[name] if name in ids else pl.Float64() for name in run.columns}
    )


def _ids(
    run: pl.DataFrame, truth: pl.DataFrame, column: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], Vocabulary | None]:
    """Return a column of both tables as integers in the order of the ids: text becomes codes."""
    in_run, in_truth = (
        as_ids(require_column(frame, column, source=source, role=f"the {column}s"))
        for frame, source in ((run, "run"), (truth, "truth"))
    )
    for ids, source in ((in_run, "run"), (in_truth, "truth")):
        if ids.null_count():
            raise DataError(f"{source}: {ids.null_count():,} rows have no {column}. Mend or drop them.")
    if in_run.dtype == pl.Int64 and in_truth.dtype == pl.Int64:
        return frozen(in_run.to_numpy(), np.int64), frozen(in_truth.to_numpy(), np.int64), None
    if in_run.dtype != in_truth.dtype:
        kinds = ["integers" if ids.dtype == pl.Int64 else "text" for ids in (in_run, in_truth)]
        raise DataError(
            f"column '{column}' holds {kinds[0]} in the run and {kinds[1]} in the truth: make both one kind."
        )
    codes, vocabulary = _text_codes(pl.concat([in_run, in_truth]))
    return frozen(codes[: len(in_run)], np.int64), frozen(codes[len(in_run) :], np.int64), vocabulary


def _text_codes(ids: pl.Series) -> tuple[NDArray[np.int64], Vocabulary]:
    """Return text ids as codes in the order of the text; a row like the one above is not hashed again."""
    heads = (ids != ids.shift()).fill_null(True)
    words = ids.filter(heads).cast(pl.Categorical)
    physical = words.to_physical().to_numpy()
    distinct = words.unique()
    text = distinct.cast(pl.String)
    vocabulary = Vocabulary(text.sort())
    code = np.empty(int(physical.max()) + 1, np.int64)
    code[distinct.to_physical().to_numpy()] = vocabulary.encode(text)
    return code[physical][np.cumsum(heads.to_numpy()) - 1], vocabulary


def _same_kind(run: pl.DataFrame, truth: pl.DataFrame) -> None:
    for column in ("user", "item"):
        _ids(run.head(1), truth.head(1), column)


def _scores(run: pl.DataFrame) -> pl.Series:
    """Return the scores, or ranks turned round."""
    name = "rank" if "score" not in run.columns and "rank" in run.columns else "score"
    scores = _numbers(require_column(run, name, source="run", role="the order of a list"), "run")
    return -scores if name == "rank" else scores


def _values(truth: pl.DataFrame) -> pl.Series:
    """Return the values; raise DataError for NaN, which Polars would call higher than every threshold."""
    values = _numbers(truth["value"], "truth")
    bad = values.is_nan().arg_true()
    if len(bad):
        rows = listing((str(row + 1) for row in bad), limit=5)
        raise DataError(f"truth: the value is NaN in {len(bad):,} rows (row {rows}). Mend or drop them.")
    return values


def _numbers(column: pl.Series, source: str) -> pl.Series:
    if not column.dtype.is_numeric():
        raise DataError(f"{source}: column {column.name!r} holds {column.dtype}, not numbers.")
    if column.null_count():
        raise DataError(f"{source}: {column.null_count():,} rows have no {column.name}. Mend or drop them.")
    return column.cast(pl.Float64)


def _relevant(truth: pl.DataFrame, values: pl.Series | None, relevant_from: float | None) -> pl.DataFrame:
    """Return the relevant rows of the truth."""
    require_column(truth, "user", source="truth", role="the users")
    require_column(truth, "item", source="truth", role="the items")
    if relevant_from is not None and values is None:
        raise PlanError(f"relevant_from = {relevant_from}: the truth has no column 'value'.")
    rows = truth
    if values is not None:
        rows = truth.filter(values >= (max(relevant_from, 0.0) if relevant_from is not None else 0.0))
    if rows.height == 0:
        why = "has no rows" if truth.height == 0 else f"has no relevant row among {truth.height:,}"
        raise DataError(f"truth: {why}. Give at least one user with one relevant item.")
    return rows


def _by_user(user: NDArray[np.int64], *columns: NDArray[Any]) -> tuple[list[NDArray[Any]], int, int]:
    """Return the columns with rows in order of user, the number of users, and the rows of the longest."""
    if len(user) == 0:
        return [user, *columns], 0, 0
    ascending, n_users, longest, low, high = kernel.groups(user)
    if ascending:
        return [user, *columns], n_users, longest
    if high - low < _DENSE * len(user) + 65_536:
        order = kernel.counting_order(user, low, high - low + 1)
    else:
        order = np.argsort(user, kind="stable")
    ordered = [frozen(column[order], column.dtype) for column in (user, *columns)]
    _, n_users, longest, _, _ = kernel.groups(ordered[0])
    return ordered, n_users, longest
