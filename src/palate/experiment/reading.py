"""From a plan to its data and its split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from palate import datasets, split
from palate.datasets import Dataset
from palate.errors import FetchError
from palate.experiment.plan import DataPlan, Plan
from palate.split import Split

_COLUMNS = ("user", "item", "value", "time", "event", "basket")


def read(plan: DataPlan, *, path: str | None = None) -> tuple[Dataset, list[str]]:
    """Return the plan's data set, and what its reader must know. `path` reads another file in the same way.

    Raises `DataError`; `FetchError` where a named set is neither here nor to be had, and no other is named.
    """
    options = plan.model_dump(exclude_none=True, exclude={"name", "otherwise", "path"})
    unused = [column for column in _COLUMNS if options.get(column) is False]
    options |= dict.fromkeys(unused)
    source = path or plan.path or plan.name or ""
    if plan.otherwise is None or path is not None:
        return _without(datasets.load(source, **options), unused), []
    try:
        return _without(datasets.load(source, offline=True, **options), unused), []
    except FetchError:
        note = (
            f"{plan.name} is not on this machine, so this run took {plan.otherwise}. "
            f"`palate data get {plan.name}` fetches it; then run again."
        )
        return _without(datasets.load(plan.otherwise, **options), unused), [note]


def divide(plan: Plan, data: Dataset) -> Split:
    """Return the plan's split; `given` without files is the one that the data set was published with.

    Raises `SplitError`; for `given` also what reading its files raises.
    """
    params = plan.split.params
    if plan.split.method != "given":
        return split.make(data.interactions, plan.split.method, **params)
    if not params:
        return data.published_split()
    parts = {
        name: read(plan.data, path=params[name])[0].interactions
        for name in ("test", "valid")
        if name in params
    }
    return split.given(data.interactions, parts["test"], parts.get("valid"))


def _without(dataset: Dataset, columns: list[str]) -> Dataset:
    """Forget columns that the plan does not use; a data set with a name brings them all."""
    data = dataset.interactions
    if "value" in columns and data.has_values:
        data = replace(data, value=np.ones_like(data.value), has_values=False)
    if "time" in columns and data.time is not None:
        data = replace(data, time=None)
    if "event" in columns and data.event is not None:
        data = replace(data, event=None)
    return dataset if data is dataset.interactions else replace(dataset, interactions=data)
