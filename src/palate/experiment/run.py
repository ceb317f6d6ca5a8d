"""Run a plan: read, split, fit, evaluate, compare, tell.

The folder of a run fills up as it goes (`log.jsonl`, `models/LABEL/`); `result.json` comes last and whole. A
folder without it is a run that did not finish, and its log says why.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from palate import __version__, split
from palate.atomic import whole
from palate.datasets import Dataset
from palate.datasets.newsdata import NewsDataset
from palate.errors import DataError, PalateError, PlanError, SplitError
from palate.evaluation.result import ByTime, Result
from palate.experiment import impressions, news
from palate.experiment.assemble import assemble
from palate.experiment.fit import E, Fitted, Job, Lists, fit
from palate.experiment.log import Log
from palate.experiment.plan import Plan
from palate.experiment.rating import measured, popularity, with_lists
from palate.experiment.reading import divide, read
from palate.report.html import render

_TIMELESS = ("random", "stratified", "chronological", "last-out")
_SHARE = 0.8
_ORDINAL_BEFORE = 315_532_800
"""1980-01-01: times that end before it count the events of each user, as `palate data describe` warns."""


def run(
    plan: Plan | Mapping[str, Any] | str | Path,
    *,
    data: Dataset | NewsDataset | None = None,
    out: str | Path | None = None,
    isolate: bool = False,
    progress: Callable[[str], None] | None = None,
    settings: Sequence[str] = (),
) -> Result:
    """Run a plan and write `result.json`, `report.html`, `log.jsonl` and `models/LABEL/`.

    Args:
        plan: a plan, a plan file, the name of a recipe, or a dict as TOML would give it.
        data: taken as it is, instead of what the plan's `[data]` names.
        out: the folder to write; by default `runs/NAME-DATE-TIME`. A former run there is replaced.
        isolate: give each model a process of its own, and report its peak memory.
        progress: told what is being done, in words.
        settings: `section.key=value`, for a plan given by name or as a dict.

    Raises:
        PlanError, DataError, SplitError and what models raise; as after Ctrl-C, there is no result.json then.
    """
    if isinstance(plan, Mapping):
        plan = Plan.of(dict(plan), settings=settings)
    elif not isinstance(plan, Plan):
        plan = Plan.load(plan, settings=settings)
    folder = _folder(plan, out)
    log = Log(folder / "log.jsonl", progress)
    try:
        log("start", plan=plan.name, palate=__version__, isolate=isolate)
        result = _run(plan, data, folder, isolate, log)
        log.step("writing the report")
        for name, content in (("report.html", render(result)), ("result.json", result.to_json())):
            with whole(folder / name) as file:
                file.write_text(content, encoding="utf-8")
        log("end", result=str(folder / "result.json"))
    except KeyboardInterrupt:
        log("interrupted")
        raise
    except Exception as error:
        log("failed", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        log.close()
    return result


def _run(plan: Plan, data: Dataset | NewsDataset | None, folder: Path, isolate: bool, log: Log) -> Result:
    notes = list(plan.report.notes)
    if plan.of_impressions:
        return _run_news(plan, data, folder, isolate, log, notes)
    if isinstance(data, NewsDataset):
        raise PlanError(
            f"{data.name} holds impressions, and this plan is judged by lists: give metrics of impressions "
            "(impression_auc), or a plan without [evaluate] metrics on news data."
        )
    if data is None:
        log.step("reading the data")
        data, of_data = read(plan.data)
        notes += of_data
    log("data", name=data.name, rows=len(data.interactions), fingerprint=data.fingerprint)
    log.step("splitting")
    parts = divide(plan, data)
    log("split", method=parts.protocol.method, train=len(parts.train), test=len(parts.test))
    used = replace(parts, train=parts.train_and_valid(), valid=None) if plan.evaluate.refit else parts
    fitted = fit_all(plan, Lists(used, with_lists(plan.evaluate), data.catalogue), folder, isolate, log)
    timed = None
    if plan.evaluate.by_time and plan.split.method in _TIMELESS:
        try:
            timed = by_time(plan, data, log)
        except PalateError as error:  # a check at the side of a run that has its figures
            log("by_time", skipped=str(error))
            notes = [*notes, f"By time: not measurable, because {error}"]
    log.step("comparing and choosing examples")
    popular = popularity(used, plan.evaluate)
    return assemble(plan, data, parts, used, fitted, timed=timed, popular=popular, folder=folder, notes=notes)


def _run_news(
    plan: Plan, data: Dataset | NewsDataset | None, folder: Path, isolate: bool, log: Log, notes: list[str]
) -> Result:
    if isinstance(data, Dataset):
        raise PlanError(f"{data.name} holds interactions, and this plan is judged by impressions.")
    if data is None:
        log.step("reading the data")
        data, of_data = news.read(plan.data)
        notes = [*notes, *of_data]
    parts = news.divide(plan, data)
    log("data", name=data.name, rows=len(data.train), fingerprint=data.fingerprint)
    log("split", method=parts.protocol.method, train=len(parts.train), test=len(parts.test))
    fitted = fit_all(plan, impressions.Shown(parts, plan.evaluate), folder, isolate, log)
    log.step("comparing and choosing examples")
    return impressions.assemble(plan, parts, fitted, folder=folder, notes=notes)


def fit_all(plan: Plan, job: Job[E], folder: Path, isolate: bool, log: Log) -> list[Fitted[E]]:
    """Fit and evaluate every model of the plan."""
    fitted = []
    for model in plan.models:
        log.step(f"fitting and evaluating {model.label}")
        one = fit(model, job, folder=folder / "models" / model.label, isolate=isolate)
        for row in one.trace:
            log("training", label=model.label, **row)
        log(
            "model",
            label=model.label,
            seconds=one.seconds.model_dump(),
            cpu_seconds=one.cpu_seconds.model_dump(),
        )
        fitted.append(one)
    return fitted


def by_time(plan: Plan, data: Dataset, log: Log) -> ByTime | None:
    """Measure the first metric again by time, for a plan whose own split lets the future into train.

    None for data without times or with only one. Raises SplitError for times that are places in a history
    and where time does not divide the rows, and what fitting and evaluating raise.
    """
    time = data.interactions.time
    if time is None or time.min() == time.max():
        return None
    if time.max() < _ORDINAL_BEFORE:
        raise SplitError("the times end before 1980: they are places in a history, not dates.")
    timed = split.by_time(data.interactions, at=float(plan.split.params.get("ratio", _SHARE)))
    key = plan.keys[0]
    name, at, k = key.partition("@")
    how = plan.evaluate.model_copy(update={"metrics": [name], "k": [int(k)] if at else plan.evaluate.k})
    figures = {}
    for model in plan.models:
        log.step(f"{model.label} on a split by time")
        job = Lists(timed, how, data.catalogue)
        figures[model.label] = measured(fit(model.aside(), job).evaluation, key)
    return ByTime(
        at=str(timed.protocol.params.get("at", "")),
        words=timed.protocol.words,
        train=len(timed.train),
        test=len(timed.test),
        test_users=timed.test.n_users,
        cold_users=timed.cold_users,
        metric=key,
        models=figures,
    )


def _folder(plan: Plan, out: str | Path | None) -> Path:
    """Make the run's folder; a former run's results and models there go first, and nothing else does."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = Path(out) if out is not None else Path("runs") / f"{plan.name}-{stamp}"
    try:
        (folder / "models").mkdir(parents=True, exist_ok=True)
        for name in ("result.json", "report.html"):
            (folder / name).unlink(missing_ok=True)
        for saved in (folder / "models").glob("*/model.json"):
            if not saved.parent.is_symlink():
                shutil.rmtree(saved.parent)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror}). Give another folder: --out FOLDER."
        ) from None
    return folder
