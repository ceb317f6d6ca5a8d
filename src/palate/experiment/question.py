"""What is to be tuned or compared: from a plan, a recipe, a data set or a file to one plan, and which models fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palate.datasets import Dataset, NewsDataset
from palate.datasets.news import NAMES as NEWS
from palate.datasets.news import is_news, load_news
from palate.errors import PlanError, did_you_mean
from palate.evaluation.keys import NAMES, RATING
from palate.experiment import news, recipes
from palate.experiment.bench import Bench, with_valid
from palate.experiment.news_bench import NewsBench
from palate.experiment.plan import Plan
from palate.experiment.reading import read
from palate.interactions import Interactions
from palate.models import registry

What = Plan | Mapping[str, Any] | str | Path | Dataset | NewsDataset | Interactions
"""A plan (as it is, as a dict, a file or a recipe), or data (a name, a file, a data set, interactions)."""

LISTS = ("ndcg", "precision", "recall", "coverage", "novelty")
"""What a comparison on bare data measures beside its metric."""

RATES_AS: dict[str, dict[str, Any]] = {"rbm": {"visible": "softmax", "orientation": "item"}}
"""Models that make lists as they come, as they enter a comparison of ratings on bare data."""

FROM_THE_MIDDLE = ("random", "stratified")
"""Splits whose test rows have later rows of the same user in train."""


@dataclass
class Question:
    """A plan with a validation part, its data, and what its reader must know."""

    plan: Plan
    data: Dataset | NewsDataset
    notes: list[str] = field(default_factory=list)

    def bench(self) -> Bench:
        """Return where its models are measured."""
        return (NewsBench if self.plan.of_impressions else Bench)(self.plan, self.data)


def question(
    what: What,
    *,
    models: Sequence[str] | None = None,
    metric: str | None = None,
    k: int | None = None,
    settings: Sequence[str] = (),
    reading: Mapping[str, Any] | None = None,
) -> Question:
    """Return what is asked.

    Args:
        what: see `What`. Bare data gets a split of 75 % of each user's rows, and every model that fits it.
        models: labels or names of the plan's models to keep; for bare data, names of any models.
        metric: ranks the models; the plan's first by default, nDCG for bare data.
        k: cut-off of the metric.
        settings: `section.key=value`.
        reading: how a file is read, as `palate.load` takes it.

    Raises: PlanError, and DataError or FetchError where the data cannot be had.
    """
    plan = _given_plan(what, settings)
    if plan is not None:
        if reading:
            raise PlanError(
                f"--{next(iter(reading)).replace('_', '-')} says how a file is read; a plan says it in [data]."
            )
        plan = _asked(_kept(plan, models), metric, k)
        if plan.of_impressions:
            return Question(plan, *news.read(plan.data))
        data, notes = read(plan.data)
        return Question(with_valid(plan), data, [*notes, *_of_order(plan, data.interactions)])
    if isinstance(what, NewsDataset) or (isinstance(what, str | Path) and is_news(what)):
        if odd := [name for name in reading or {} if name != "offline"]:
            raise PlanError(
                f"--{odd[0].replace('_', '-')} says how a file of interactions is read, and this is news: leave it out."
            )
        return _of_news(what, models, metric, k, settings)
    named = metric or "ndcg"
    content = _of_data(what, named, k, dict(reading or {}))
    if isinstance(what, Dataset | Interactions):
        data = what if isinstance(what, Dataset) else Dataset(name="data", interactions=what)
    else:
        general = [setting for setting in settings if not setting.startswith("models.")]
        data, _ = read(Plan.of(content, settings=general).data)
    fitting, notes = which_fit(named, data.interactions, models)
    plan = Plan.of({**content, "models": fitting}, settings=settings)
    return Question(with_valid(plan), data, [*notes, *_of_order(plan, data.interactions)])


def _of_order(plan: Plan, data: Interactions) -> list[str]:
    """Say where models that learn what comes next are asked what somebody did in between."""
    if data.time is None or data.time.min() == data.time.max() or plan.split.method not in FROM_THE_MIDDLE:
        return []
    labels = [model.label for model in plan.models if registry.get(model.name, needed=False).reads_order]
    if not labels:
        return []
    who = " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
    learn = "learns" if len(labels) == 1 else "learn"
    return [
        f"{who} {learn} what comes next, and this split draws rows from the middle of histories: try "
        "--set split.method=last-out"
    ]


def _of_news(
    what: NewsDataset | str | Path,
    models: Sequence[str] | None,
    metric: str | None,
    k: int | None,
    settings: Sequence[str],
) -> Question:
    """Return the question of bare news: every model that learns from impressions, beside two that know no text."""
    data = what if isinstance(what, NewsDataset) else load_news(what)
    notes = []
    rows = []
    for name in models if models is not None else ["random", "popularity", *registry.news_names()]:
        reason = registry.lacks(name)
        if reason and models is not None:
            registry.need(name)
        if reason:
            notes.append(f"{name} was left out: it {reason}")
        else:
            rows.append({"name": name})
    content = {
        "name": data.name,
        "data": {"name" if str(what) in NEWS else "path": str(what)},
        "split": {"method": "time" if data.valid is None else "given"},
        "models": rows,
        "evaluate": {"metrics": ["impression_auc", "impression_mrr", "impression_ndcg"]},
    }
    return Question(_asked(Plan.of(content, settings=settings), metric, k), data, notes)


def which_fit(
    metric: str, data: Interactions, wanted: Sequence[str] | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a `[[models]]` row for every model that the metric and the data allow, and why others were left out.

    A model that is `wanted` by name and does not fit raises PlanError, and one that needs what is not installed
    MissingExtra.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for name in wanted if wanted is not None else registry.names():
        row = {"name": name, **(RATES_AS.get(name, {}) if _of_ratings(metric) else {})}
        if wanted is not None:
            registry.need(name)
        reason = registry.lacks(name) or _unfit(row, metric, data)
        if reason and wanted is not None:
            raise PlanError(f"{name} {reason}")
        if reason:
            notes.append(f"{name} was left out: it {reason}")
        else:
            rows.append(row)
    if not rows:
        raise PlanError(f"no model fits: {' '.join(notes)}")
    return rows, notes


def _unfit(row: dict[str, Any], metric: str, data: Interactions) -> str:
    """Say why a model with these parameters does not fit, nothing where it does."""
    if registry.get(row["name"]).needs_values and not data.has_values:
        return "learns from ratings, and the data has no value column."
    if _of_ratings(metric) and not data.has_values:
        return f"cannot be judged by {metric}: the data has no value column."
    try:
        model = registry.create(**row)
    except PlanError:
        return "needs parameters that only a plan can give."
    if _of_ratings(metric) and not model.can("rate"):
        return f"predicts no ratings, and {metric} is about them."
    return ""


def _of_ratings(metric: str) -> bool:
    return metric.partition("@")[0] in RATING


def _given_plan(what: What, settings: Sequence[str]) -> Plan | None:
    """Return the plan that was given; None where data was."""
    if isinstance(what, Plan):
        return what
    if isinstance(what, Mapping):
        return Plan.of(dict(what), settings=settings)
    if isinstance(what, str | Path) and (str(what) in recipes.names() or Path(what).suffix == ".toml"):
        return Plan.load(what, settings=settings)
    return None


def _kept(plan: Plan, models: Sequence[str] | None) -> Plan:
    """Return the plan with the models asked for, by label or name."""
    if models is None:
        return plan
    labels = [model.label for model in plan.models]
    for one in models:
        if one not in labels and all(model.name != one for model in plan.models):
            raise PlanError(
                f"the plan has no model '{one}'.{did_you_mean(one, labels)} It has: {', '.join(labels)}."
            )
    kept = [model for model in plan.models if model.label in models or model.name in models]
    return plan.model_copy(update={"models": kept})


def _asked(plan: Plan, metric: str | None, k: int | None) -> Plan:
    """Return the plan with another metric first, and another cut-off."""
    how = plan.evaluate
    if metric is not None:
        how = how.model_copy(update={"metrics": [metric, *(one for one in how.metrics if one != metric)]})
    if k is not None:
        how = how.model_copy(update={"k": [k]})
    asked = plan.model_copy(update={"evaluate": how})
    _ = asked.keys  # refuses what is no metric
    return asked


def _of_data(what: What, metric: str, k: int | None, reading: dict[str, Any]) -> dict[str, Any]:
    """Return the plan of a comparison on bare data; its model stands in for those that the data will allow."""
    name = metric.partition("@")[0]
    if name not in NAMES:
        raise PlanError(f"no metric {metric!r}.{did_you_mean(name, NAMES)} There are: {', '.join(NAMES)}.")
    metrics = [metric, "mae" if metric == "rmse" else "rmse"] if name in RATING else [metric]
    metrics += [one for one in LISTS if name not in RATING and one != name]
    named = what if isinstance(what, str | Path) else getattr(what, "name", "data")
    from palate import datasets

    known = {info.name: info for info in datasets.names()}
    is_name = not isinstance(what, str | Path) or str(what) in known
    if not is_name and not Path(named).exists():
        near = did_you_mean(str(named), [*known, *recipes.names()])
        raise PlanError(
            f"there is no plan, recipe, data set or file '{named}'.{near} See: palate data list, palate recipes."
        )
    source = {"name": str(named)} if is_name else {"path": str(named)}
    options = {column: False if value == "none" else value for column, value in reading.items()}
    if options.pop("offline", False) and str(named) in known and not known[str(named)].present:
        datasets.load(str(named), offline=True)  # says what is missing, and where to put it
    if options.pop("drop_bad_rows", False):
        options["bad_rows"] = "drop"
    return {
        "name": Path(str(named)).stem,
        "data": {**source, **options},
        "split": {"method": "stratified", "ratio": 0.75},
        "models": [{"name": "popularity"}],
        "evaluate": {"k": [k or 10], "metrics": metrics},
    }
