"""Compare models: all tuned alike on validation, then tested, with the spread over other splits, and the cost beside.

The order of things keeps the test clean: the test part is split off first, parameters are chosen on validation, and
only the best of each model is tested: with intervals, and with paired tests that are corrected for their number. Then
the same models are fitted and tested on other splits, with other seeds: what is ahead in one split alone is not ahead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from tempfile import TemporaryDirectory

from palate import __version__
from palate.atomic import whole
from palate.errors import PlanError
from palate.evaluation.contest import Contest, Spread
from palate.evaluation.result import Result
from palate.evaluation.study import Study
from palate.experiment.bench import Outcome, Task, draws
from palate.experiment.plan import ModelPlan, Plan
from palate.experiment.question import What, question
from palate.experiment.run import run
from palate.experiment.search import Budget, need_optuna
from palate.experiment.tune import Told, search
from palate.experiment.tune import write as write_study
from palate.experiment.workers import Workers
from palate.progress import progress as bar
from palate.report.advice import advice
from palate.report.tuning import render_contest

TRIALS = 12
SECONDS = 20.0
SPLITS = 3
FILES = ("compare.html", "comparison.json")
"""What a finished comparison leaves beside its study and its run, in the order of writing."""


def compare_models(
    what: What,
    *,
    models: Sequence[str] | None = None,
    metric: str | None = None,
    k: int | None = None,
    trials: int = TRIALS,
    seconds: float | None = SECONDS,
    splits: int = SPLITS,
    jobs: int | None = None,
    seed: int = 42,
    out: str | Path | None = None,
    fresh: bool = False,
    settings: Sequence[str] = (),
    reading: dict[str, object] | None = None,
    progress: Told | None = None,
) -> Contest:
    """Tune models alike, test the best of each, and say which to take.

    (`palate.compare` tests the differences between evaluations that you have made; this makes them.)

    Args:
        what: a plan, its file, a recipe; or data (name, file, data set, interactions), for all models that fit it.
        models: labels or names, to compare only these.
        metric: ranks the models; the plan's first metric by default (nDCG for bare data; `rmse` compares ratings).
        k: cut-off of the metric.
        trials: of each model, at most.
        seconds: about so many CPU seconds for each model's trials; None: no limit. The model as given always runs.
        splits: the tuned models are tested on so many splits, each with another seed; 1: on the plan's alone.
        jobs: processes; by default one for each core, at most four.
        seed: of the search.
        out: a folder for what `palate run` writes (of the tuned models), what `palate tune` writes, and
            `comparison.json` and `compare.html`. A comparison that was stopped there goes on. None: nothing is kept.
        fresh: drop a study that is there.
        settings: `section.key=value`, applied to the plan.
        reading: how a file is read, as `palate.load` takes it.
        progress: told what is being done, in words.

    Raises:
        MissingExtra: optuna is not installed.
        PlanError: a wrong plan or budget, a folder that holds another study, or no model that fits.

    """
    need_optuna()
    if splits < 1:
        raise PlanError(f"splits = {splits}: expected a whole number from 1; 1 is the plan's own split.")
    began, budget = time.perf_counter(), Budget(trials, seconds)
    asked = question(what, models=models, metric=metric, k=k, settings=settings, reading=reading)
    folder = Path(out) if out is not None else None
    with Workers(asked.bench(), jobs) as workers:
        study = search(
            asked,
            workers,
            budget,
            seed=seed,
            folder=folder,
            fresh=fresh,
            outdated=FILES,
            progress=progress,
        )
        plan, notes = _tested(study)
        if folder is not None:
            write_study(study, folder)
        with TemporaryDirectory() as nowhere:
            place = folder if folder is not None else Path(nowhere)
            result = run(plan, data=asked.data, out=place, progress=progress)
        shifts = splits if draws(plan.split.method) or any(map(_has_seed, plan.models)) else 1
        spread = _spread(plan, result, workers, shifts, progress)
    contest = Contest(
        palate=__version__,
        study=study,
        result=result,
        spread=spread,
        varied=_varied(plan, shifts),
        redrawn=draws(plan.split.method),
        seconds=time.perf_counter() - began,
        notes=[*study.notes, *notes],
    )
    contest = contest.model_copy(update={"advice": advice(contest)})
    if folder is not None:
        for name, content in zip(FILES, (render_contest(contest), contest.to_json()), strict=True):
            with whole(folder / name) as file:
                file.write_text(content, encoding="utf-8")
    return contest


def _tested(study: Study) -> tuple[Plan, list[str]]:
    """Return the plan of the tuned models, without those that no trial could fit, and who these are."""
    failed = [label for label in study.models if study.best(label) is None]
    rows = [row for row in study.plan["models"] if row["label"] not in failed]
    notes = [f"{label} was left out: no trial came to an end. {study.of(label)[0].note}" for label in failed]
    if not rows:
        raise PlanError(f"no trial of any model came to an end. {notes[0]}")
    return Plan.of({**study.plan, "models": rows}), notes


def _spread(plan: Plan, result: Result, workers: Workers, splits: int, progress: Told | None) -> list[Spread]:
    """Measure every model on the test part of `splits` splits; the first is the run's own."""
    found: dict[tuple[str, int], float | None] = {
        (model.label, 0): model.metrics[result.primary].mean for model in result.models
    }
    tasks = [(shift, model) for shift in range(1, splits) for model in plan.models]
    if progress is not None and tasks:
        progress(f"testing on {splits - 1} more splits")
    with bar("Testing on other splits", total=len(tasks), unit="fits") as advance:
        _measure(tasks, workers, found, advance)
    return [
        Spread(label=model.label, values=[found[model.label, shift] for shift in range(splits)])
        for model in plan.models
    ]


def _measure(
    tasks: list[tuple[int, ModelPlan]],
    workers: Workers,
    found: dict[tuple[str, int], float | None],
    advance: Callable[[int], None],
) -> None:
    """Measure the tasks, as many at a time as there are workers; a shift's tasks stand together, for their split."""
    running: dict[Future[Outcome], tuple[int, ModelPlan]] = {}
    waiting = list(reversed(tasks))
    while waiting or running:
        while waiting and len(running) < workers.jobs:
            shift, model = waiting.pop()
            running[workers.submit(Task(model, on="test", shift=shift))] = (shift, model)
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            shift, model = running.pop(future)
            found[model.label, shift] = workers.result(future).value
            advance(1)


def _has_seed(model: ModelPlan) -> bool:
    return "seed" in model.create().params()


def _varied(plan: Plan, splits: int) -> str:
    """Say what is another in each split."""
    method = plan.split.method
    if splits == 1:
        if draws(method):
            return "There is one split alone, drawn at random: no other was asked for (--splits)."
        return f"There is one split alone: {method} draws nothing, and so would give the same again."
    if draws(method):
        return f"{splits} splits, drawn with other seeds, which the models that have a seed take too."
    return f"The split ({method}) draws nothing, so it stays; the models that have a seed are fitted with {splits}."
