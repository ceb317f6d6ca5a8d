"""Plans of news: models that learn from impressions, judged by the order of what readers were shown.

Such a plan has the same sections as any other. What makes it one is the data (MIND by name or folder) or the metrics
(`impression_auc` and its like); what its sections leave out is filled in accordingly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.errors import FetchError, PlanError, SplitError, did_you_mean
from palate.experiment import texts

if TYPE_CHECKING:
    from palate.datasets.newsdata import NewsDataset
    from palate.experiment.plan import DataPlan, EvaluatePlan, Plan, SplitPlan
    from palate.news import Impressions
    from palate.split.protocol import Protocol

EVALUATE = ("k", "metrics", "bootstrap", "seed")
"""What `[evaluate]` says of impressions; the rest of it is about lists."""
_METRICS = ["impression_auc", "impression_mrr", "impression_ndcg"]
_CUTS = [5, 10]
_COLUMNS = ("user", "item", "candidates", "clicked", "history", "time", "time_unit", "text")
_DATA = ("name", "otherwise", "path", "items", "bad_rows", *_COLUMNS, *texts.KEYS)
OF_IMPRESSIONS = ("candidates", "clicked", "history", "text")
"""Columns of `[data]` that no other plan has."""
_SPLITS: dict[str, dict[str, Any]] = {"given": {}, "time": {"at": 0.8}}


@dataclass(frozen=True, eq=False)
class Parts:
    """What a plan of news learns from, and what it is judged by."""

    data: NewsDataset
    train: Impressions
    test: Impressions
    protocol: Protocol

    @property
    def strange_users(self) -> int:
        """Readers of the test part that train lacks."""
        return int((self.train.users.encode(self.test.users.ids) < 0).sum())

    @property
    def strange_articles(self) -> int:
        """Candidates of the test part, as articles, that train lacks."""
        shown = np.unique(self.test.candidate)
        return int((self.test.codes_in(self.train.articles)[shown] < 0).sum())

    @property
    def strange_rows(self) -> int:
        """Impressions of such readers."""
        return int((self.train.users.encode(self.test.users.ids)[self.test.user] < 0).sum())


# --- the plan -------------------------------------------------------------------------------------------------


def give_defaults(content: dict[str, Any]) -> None:
    """Fill in what a plan of news leaves out: its metrics with their cut-offs, and how it is split."""
    data, how = content.get("data"), content.setdefault("evaluate", {})
    if not isinstance(data, dict) or not isinstance(how, dict):
        return  # the check of types will tell
    metrics = how.get("metrics")
    first = metrics[0] if isinstance(metrics, list) and metrics else metrics
    told = isinstance(first, str)
    if told and not str(first).startswith("impression_"):
        return
    from palate.datasets import mind
    from palate.datasets.news import NAMES

    named = data.get("name") in NAMES or texts.is_texts(data.get("name"))
    path = data.get("path")
    parts = mind.parts_in(Path(path).expanduser()) if isinstance(path, str) else ()
    if not (told or named or parts):
        return
    how.setdefault("metrics", ["impression_auc"] if texts.is_texts(data.get("name")) else _METRICS)
    how.setdefault("k", _CUTS)
    split = content.setdefault("split", {})
    if isinstance(split, dict):
        split.setdefault("method", "given" if named or "valid" in parts else "time")


def check(plan: Plan, source: str) -> None:
    """Raise PlanError, with the section and key, for what a plan of news cannot mean."""
    from palate.experiment.checks import create_model

    try:
        metric_keys(plan.evaluate)
    except PlanError as error:
        raise PlanError(
            f"{source}: [evaluate] {error} The first metric is of impressions, so all are; metrics of lists need a "
            "plan of their own, on palate.load_news(...).train.interactions()."
        ) from None
    for section, used in ((plan.evaluate, EVALUATE), (plan.data, _DATA)):
        for key, field in type(section).model_fields.items():
            if key not in used and getattr(section, key) != field.get_default():
                name = "evaluate" if used is EVALUATE else "data"
                raise PlanError(
                    f"{source}: [{name}] {key} is about lists of interactions, and this plan is of impressions: "
                    "leave it out."
                )
    split_params(plan.split, source)
    for model in plan.models:
        create_model(model.name, model.params, model.label, source)


def metric_keys(how: EvaluatePlan) -> tuple[str, ...]:
    """Return the metric keys of a plan of news, the one that ranks the board first."""
    from palate.evaluation.keys import impression_keys

    return tuple(impression_keys(how.metrics, how.k))


def split_params(split: SplitPlan, source: str = "plan") -> dict[str, Any]:
    """Return every parameter of a split of impressions, defaults filled in. Raises PlanError."""
    if split.method not in _SPLITS:
        raise PlanError(
            f"{source}: [split] impressions are split by 'given' (the part that was published to measure on) or 'time' "
            f"(the first share of them trains), not by '{split.method}'.{did_you_mean(split.method, _SPLITS)}"
        )
    known = _SPLITS[split.method]
    for key, value in split.params.items():
        if key not in known:
            has = f"It has: {', '.join(known)}." if known else "It has none."
            raise PlanError(f"{source}: [split] method '{split.method}' has no parameter '{key}'. {has}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise PlanError(
                f"{source}: [split] {key} = {value!r}: expected the share of impressions that trains, above 0, below 1."
            )
    return known | split.params


# --- its data -------------------------------------------------------------------------------------------------


def read(plan: DataPlan) -> tuple[NewsDataset, list[str]]:
    """Return the plan's data set, and what its reader must know. Raises DataError, FetchError."""
    from palate.datasets.news import load_news

    if texts.is_texts(plan.name):
        return texts.read(plan), []
    options: dict[str, Any] = {name: value for name in _COLUMNS if (value := getattr(plan, name)) is not None}
    options = {name: None if value is False else value for name, value in options.items()}
    if plan.items is not None:
        options["articles"] = plan.items
    source = Path(plan.path) if plan.path is not None else str(plan.name)
    try:
        return load_news(source, bad_rows=plan.bad_rows, **options), []
    except FetchError as error:
        if plan.otherwise is None:
            raise
        note = f"{error} So this run took {plan.otherwise}."
        return load_news(plan.otherwise), [note]


_WEAKNESS = (
    "What readers could click was chosen by the system that was live then: figures tell who orders its choice best, "
    "and nothing of articles that it did not show. Articles higher on the page are clicked more, and the order of the "
    "files does not tell where one stood."
)


def divide(plan: Plan, data: NewsDataset) -> Parts:
    """Return what learns and what tests. Raises SplitError where the data has no part to measure on."""
    from palate.split.protocol import Protocol

    params, method = split_params(plan.split), plan.split.method
    parts = data
    if method == "given":
        if parts.valid is None:
            raise SplitError(
                f'{data.name} was published with no part to measure on: [split] method = "time" makes one.'
            )
        words = "As published: one part trains, the other tests."
    else:
        parts = replace(data, valid=None).split_by_time(params["at"])
        words = f"By time: the first {params['at']:.0%} of the impressions train, the rest test."
    assert parts.valid is not None
    protocol = Protocol(
        method=method,
        params=params,
        words=f"{words} Models that stop early judge themselves by the last impressions of train.",
        weakness=texts.WEAKNESS if texts.is_texts(plan.data.name) else _WEAKNESS,
    )
    return Parts(parts, parts.train, parts.valid, protocol)
