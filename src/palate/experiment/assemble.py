"""From fitted models to the typed result: facts, comparisons, slices, examples."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate import __version__, datasets
from palate.datasets import Dataset
from palate.evaluation.estimated import Estimated
from palate.evaluation.evaluation import Evaluation
from palate.evaluation.keys import Wanted
from palate.evaluation.result import (
    ByTime,
    DataFacts,
    Difference,
    Environment,
    Example,
    ModelFacts,
    Result,
    SplitFacts,
)
from palate.evaluation.significance import PerUser, compare
from palate.evaluation.task import shows_valid
from palate.experiment.examples import choose_users, examples, explains
from palate.experiment.fit import E, Fitted
from palate.experiment.log import now
from palate.experiment.plan import Plan
from palate.experiment.rating import measured, rating_facts
from palate.experiment.settings import plain
from palate.interactions import Interactions
from palate.models.registry import load_model
from palate.report import slices
from palate.split import Split

_LIBRARIES = ("numpy", "scipy", "numba", "polars", "pydantic")


def assemble(
    plan: Plan,
    data: Dataset,
    parts: Split,
    used: Split,
    fitted: Sequence[Fitted[Evaluation]],
    *,
    timed: ByTime | None,
    popular: Evaluation | None = None,
    folder: Path,
    notes: Sequence[str] = (),
) -> Result:
    """Return the result of a run. `used` is the split as the models saw it: after `refit`, train is whole.

    `popular` is the popularity lists' evaluation, where ratings are judged.
    The models that `folder` holds give the examples their reasons.
    """
    keys = plan.keys
    evaluations = [one.evaluation for one in fitted]
    users = evaluations[0].users
    truth = _truth(evaluations[0], used.train)
    told = shows_valid(used, plan.evaluate.show_valid)
    past = used.context or (used.train_and_valid() if told else used.train)
    rows = rows_of(past, users)
    popularity = np.bincount(used.train.item, minlength=used.train.n_items)
    # Rating metrics and AUC ask for no lists: then there are none to describe.
    tops = {
        one.label: _in_codes_of(used.train, one, one.top) for one in evaluations if Wanted(keys).cutoffs()
    }
    shared = shared_notes(evaluations)
    values = {one.label: one.per_user[keys[0]] for one in evaluations if keys[0] in one.per_user}
    result = Result(
        palate=__version__,
        name=plan.name,
        plan=plan.resolved(),
        primary=keys[0],
        data=data_facts(data),
        split=split_facts(parts, len(users), shared),
        models=[model_facts(one, keys, shared) for one in fitted],
        comparisons=compared(plan, evaluations),
        environment=environment(),
        slices=[
            *(slices.by_activity(values, rows) if values else ()),
            *(slices.by_popularity(tops, truth, popularity) if tops else ()),
        ],
        long_tail=slices.long_tail(tops, truth, popularity) if tops else [],
        by_time=timed,
        ratings=rating_facts(plan.evaluate, evaluations, popular, used),
        notes=list(notes),
    )
    places = choose_users(rows, plan.report.examples if tops else 0, seed=plan.evaluate.seed)
    return result.model_copy(
        update={"examples": _examples(result, evaluations, folder, data, past=past, told=told, places=places)}
    )


def compared(plan: Plan, evaluations: Sequence[PerUser]) -> list[Difference]:
    """Return the paired comparisons of all models on all metrics."""
    how = plan.evaluate
    pairs = compare(evaluations, plan.keys, seed=how.seed, bootstrap=how.bootstrap)
    return [Difference(**asdict(pair)) for pair in pairs]


def shared_notes(evaluations: Sequence[Estimated]) -> list[str]:
    """Return the notes that all models have, to be said once."""
    return [note for note in evaluations[0].notes if all(note in one.notes for one in evaluations)]


def _in_codes_of(train: Interactions, one: Evaluation, items: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return items of an evaluation in train's codes, -1 for what train lacks."""
    if one.items == train.items:
        return items
    code = np.append(train.items.encode(one.items.ids), np.int32(-1))
    return np.asarray(code[items], np.int32)


def _truth(one: Evaluation, train: Interactions) -> slices.Truth:
    user, item = one.truth
    return slices.Truth(user, _in_codes_of(train, one, item))


def model_facts(one: Fitted[E], keys: Sequence[str], shared: Sequence[str] = ()) -> ModelFacts:
    """Return a model's row of the result; notes that all models share are said once, elsewhere."""
    return ModelFacts(
        name=one.plan.name,
        label=one.plan.label,
        params=plain(one.plan.create().params()),
        metrics={key: measured(one.evaluation, key) for key in keys},
        seconds=one.seconds,
        cpu_seconds=one.cpu_seconds,
        peak_rss_mb=one.peak_rss_mb,
        notes=[note for note in one.evaluation.notes if note not in shared],
        training=[dict(row) for row in one.trace],
    )


def data_facts(data: Dataset) -> DataFacts:
    """Return what the result says of the data before the split."""
    about = datasets.describe(data)
    return DataFacts(
        name=data.name,
        fingerprint=data.fingerprint,
        users=about.users,
        items=about.items,
        interactions=about.rows,
        licence=data.licence,
        source=data.source,
        notes=list(about.notes),
        warnings=list(about.warnings),
        description=plain(about.to_dict()),
    )


def split_facts(parts: Split, test_users: int, notes: Sequence[str] = ()) -> SplitFacts:
    """Return what the result says of the split."""
    times = {
        "train": parts.train.time,
        "valid": parts.valid.time if parts.valid else None,
        "test": parts.test.time,
    }
    return SplitFacts(
        method=parts.protocol.method,
        params=plain(parts.protocol.params),
        words=parts.protocol.words,
        weakness=parts.protocol.weakness,
        train=len(parts.train),
        valid=len(parts.valid) if parts.valid else 0,
        test=len(parts.test),
        train_users=parts.train.n_users,
        train_items=parts.train.n_items,
        test_users=test_users,
        cold_rows=parts.cold_rows,
        cold_users=parts.cold_users,
        cold_items=parts.cold_items,
        seen_rows=parts.seen_rows,
        timeline=slices.timeline({name: part for name, part in times.items() if part is not None}),
        notes=list(notes),
    )


def environment() -> Environment:
    """Return where and with what this process runs."""
    import numba

    return Environment(
        date=now(),
        python=platform.python_version(),
        platform=platform.platform(),
        cpu_count=os.cpu_count() or 1,
        threads=numba.get_num_threads(),
        versions={name: version(name) for name in _LIBRARIES},
    )


def rows_of(past: Interactions, users: pl.Series) -> NDArray[np.int64]:
    """Return how many rows each of `users` has in `past`; 0 for one it lacks."""
    rows = np.append(np.bincount(past.user, minlength=past.n_users), 0)
    return rows[past.users.encode(users)]


def _examples(
    result: Result,
    evaluations: Sequence[Evaluation],
    folder: Path,
    data: Dataset,
    *,
    past: Interactions,
    told: bool,
    places: NDArray[np.int64],
) -> list[Example]:
    """Return examples of the best model that can say why; of the best one where none can."""
    if not len(places):
        return []
    by_label = {one.label: one for one in evaluations}
    ranking = result.ranking()
    best = next((facts for facts in ranking if explains(facts.name)), ranking[0])
    return examples(
        load_model(folder / "models" / best.label),
        by_label[best.label],
        past=past,
        beyond_train=told,
        truth=slices.Truth(*by_label[best.label].truth),
        catalogue=data.catalogue,
        places=places,
    )
