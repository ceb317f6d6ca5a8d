"""Tune models: on the validation part alone, each with the same budget, and what is found is never lost.

What a plan says of a parameter stays; the others are searched over the spans that each model declares
(`palate.models.search`). The first trial of every model is the model as given, so that tuning cannot end below it on
validation. The test part is split off first and not looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palate import __version__
from palate.atomic import whole
from palate.errors import PlanError
from palate.evaluation.result import LOWER_IS_BETTER
from palate.evaluation.study import Study, Trial
from palate.experiment.bench import Bench, Outcome, Task
from palate.experiment.journal import Journal
from palate.experiment.plan import ModelPlan, Plan
from palate.experiment.question import Question, What, question
from palate.experiment.search import Budget, Search, need_optuna
from palate.experiment.workers import Workers
from palate.progress import progress as bar

Told = Callable[[str], None]

FILES = ("trials.csv", "best.toml", "tune.html", "study.json")
"""What a finished study leaves beside its journal, in the order of writing."""


def tune(
    what: What,
    *,
    models: Sequence[str] | None = None,
    metric: str | None = None,
    k: int | None = None,
    trials: int = 20,
    seconds: float | None = None,
    jobs: int | None = None,
    seed: int = 42,
    out: str | Path | None = None,
    fresh: bool = False,
    settings: Sequence[str] = (),
    reading: Mapping[str, Any] | None = None,
    progress: Told | None = None,
) -> Study:
    """Find good parameters of each model, on the validation part alone.

    Args:
        what: a plan, its file, a recipe; or data (name, file, data set, interactions), for all models that fit it.
        models: labels or names, to tune only these.
        metric: what is made better; the plan's first metric by default (nDCG for bare data).
        k: cut-off of the metric.
        trials: of each model, at most.
        seconds: about so many CPU seconds for each model's trials; no trial starts that would likely end later, and
            one that tells its steps is stopped when its share is spent. The model as given always runs.
        jobs: processes; by default one for each core, at most four. The trials are the same for any number, as long as
            no seconds run out.
        seed: of the search.
        out: a folder for `trials.jsonl`, `trials.csv`, `best.toml`, `study.json` and `tune.html`. A study that was
            stopped there goes on. None: nothing is kept.
        fresh: drop a study that is there.
        settings: `section.key=value`, applied to the plan.
        reading: how a file is read, as `palate.load` takes it.
        progress: told what is being done, in words.

    Returns: the study; `palate.run(study.plan)` tests the best of each model.

    Raises:
        MissingExtra: optuna is not installed.
        PlanError: a wrong plan or budget, a folder that holds another study, or models whose every trial failed.

    """
    need_optuna()
    budget = Budget(trials, seconds)
    asked = question(what, models=models, metric=metric, k=k, settings=settings, reading=reading)
    folder = Path(out) if out is not None else None
    with Workers(asked.bench(), jobs) as workers:
        study = search(asked, workers, budget, seed=seed, folder=folder, fresh=fresh, progress=progress)
    failed = [label for label in study.models if study.best(label) is None]
    if len(failed) == len(study.models):
        note = study.of(failed[0])[0].note
        raise PlanError(f"no trial of any model came to an end. {failed[0]}: {note}")
    if folder is not None:
        write(study, folder)
    return study


def search(
    asked: Question,
    workers: Workers,
    budget: Budget,
    *,
    seed: int,
    folder: Path | None,
    fresh: bool = False,
    outdated: Sequence[str] = (),
    progress: Told | None = None,
) -> Study:
    """Run the searches of all models of a question, side by side, and return their study.

    Files of the folder that are `outdated` go when they begin; with `fresh`, those of the former study too.
    """
    bench = workers.bench
    lower = bench.metric.partition("@")[0] in LOWER_IS_BETTER
    timed = bench.timed
    searches = [
        Search(model, budget=budget, seed=seed, lower=lower, timed=timed) for model in asked.plan.models
    ]
    gone = (*outdated, *(FILES if fresh else ()))
    journal = Journal(folder, identity(bench), fresh=fresh, outdated=gone)
    if progress is not None:
        here = f", going on from the {journal.found} trials that are here" if journal.found else ""
        progress(f"tuning {_many(len(searches), 'model')}{here}")
    try:
        with bar("Tuning", total=sum(one.size for one in searches), unit="trials") as advance:
            _work(searches, workers, journal, advance)
    finally:
        journal.close()
    return _study(asked, bench, searches, budget, seed)


def identity(bench: Bench) -> dict[str, Any]:
    """Return what makes trials comparable: the version of Palate, the data, the split, and how is measured."""
    plan = bench.plan.resolved()
    how = plan["evaluate"]
    return {
        "palate": __version__,
        "data": bench.data.fingerprint,
        "split": plan["split"],
        "metric": bench.metric,
        "evaluate": {
            name: how.get(name) for name in ("relevant_from", "candidates", "exclude_seen", "refit")
        },
    }


def write(study: Study, folder: Path) -> None:
    """Write `study.json`, `trials.csv`, `best.toml` and `tune.html`, each whole or not at all."""
    from palate.report import toml, tuning

    contents = (study.table().write_csv(), toml.write(study.plan), tuning.render(study), study.to_json())
    for name, content in zip(FILES, contents, strict=True):
        with whole(folder / name) as file:
            file.write_text(content, encoding="utf-8")


@dataclass
class _Round:
    """A round of one model, filling up."""

    search: Search
    sets: list[dict[str, Any]]
    first: int
    trials: list[Trial | None]

    def take(self, place: int, trial: Trial) -> None:
        """Put a trial into its place, by its number and label there."""
        update = {"number": self.first + place, "model": self.search.plan.label}
        self.trials[place] = trial.model_copy(update=update)

    def told(self) -> bool:
        """Tell the search its round, and return whether it was whole."""
        trials = [trial for trial in self.trials if trial is not None]
        if len(trials) < len(self.trials):
            return False
        self.search.told(trials)
        return True

    def share(self) -> float | None:
        """Return the CPU seconds of the next trial: what is left, divided among those that have not ended."""
        left = self.search.seconds_left()
        if left is None:
            return None
        spent = sum(trial.cpu_seconds for trial in self.trials if trial is not None)
        waiting = [params for params, trial in zip(self.sets, self.trials, strict=True) if trial is None]
        each = [place for place, params in enumerate(waiting) if params not in waiting[:place]]
        return max(left - spent, 0.0) / len(each)


def _work(
    searches: Sequence[Search],
    workers: Workers,
    journal: Journal,
    advance: Callable[[int], None],
) -> None:
    """Run every search to its end: rounds of all models in one queue, as many at a time as there are workers."""
    queue: deque[tuple[_Round, int]] = deque()
    running: dict[Future[Outcome], tuple[_Round, int]] = {}

    def begin(search: Search) -> None:
        """Put the search's next round into the queue; what the journal knows is not measured again."""
        while sets := search.round():
            one = _Round(search, sets, search.asked - len(sets), [None] * len(sets))
            for place, params in enumerate(sets):
                known = journal.find(search.plan.name, _whole_params(search.plan, params))
                if known is not None:
                    one.take(place, known)
                    advance(1)
                elif params not in sets[:place]:
                    queue.append((one, place))
            if not one.told():
                return
        advance(max(0, search.size - search.asked))

    for search in searches:
        begin(search)
    while queue or running:
        while queue and len(running) < workers.jobs:
            one, place = queue.popleft()
            running[workers.submit(_task(one, place))] = (one, place)
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            one, place = running.pop(future)
            trial = _trial(one, place, workers.result(future))
            journal.add(one.search.plan.name, _whole_params(one.search.plan, one.sets[place]), trial)
            for again, params in enumerate(one.sets):
                if params == one.sets[place]:  # a small space may be asked for the same twice
                    one.take(again, trial)
                    advance(1)
            if one.told():
                begin(one.search)


def _task(one: _Round, place: int) -> Task:
    search = one.search
    given = one.first + place == 0
    return Task(
        search.plan if given else search.plan.with_params(one.sets[place]),
        thresholds={} if given else search.thresholds(),
        seconds=None if given else one.share(),
    )


def _trial(one: _Round, place: int, outcome: Outcome) -> Trial:
    return Trial(
        model=one.search.plan.label,
        number=one.first + place,
        params=one.sets[place],
        state=outcome.state,
        value=outcome.value,
        seconds=outcome.seconds,
        cpu_seconds=outcome.cpu_seconds,
        trace=outcome.trace,
        note=outcome.note,
        transient=outcome.transient,
    )


def _whole_params(plan: ModelPlan, params: dict[str, Any]) -> dict[str, Any]:
    """Return every parameter of a model with these values: what a measurement depends on."""
    tried = plan.with_params(params)
    try:
        return tried.create().params()
    except PlanError:  # parameters that do not go together: a trial that fails, and says so
        return tried.params


def _study(asked: Question, bench: Bench, searches: Sequence[Search], budget: Budget, seed: int) -> Study:
    study = Study(
        palate=__version__,
        name=asked.plan.name,
        metric=bench.metric,
        words=bench.words,
        trials_each=budget.trials,
        seconds_each=budget.seconds,
        seed=seed,
        plan={},
        models=[search.plan.label for search in searches],
        trials=[trial for search in searches for trial in search.trials],
        notes=[*asked.notes, *_spent(searches, budget)],
    )
    return study.model_copy(update={"plan": _best(asked.plan, study)})


def _best(plan: Plan, study: Study) -> dict[str, Any]:
    """Return the plan with each model's best parameters; a model that was best as given stays as it was given."""
    rows = []
    for model in plan.models:
        best = study.best(model.label)
        found = model.with_params(best.params) if best is not None and best.number else model
        rows.append({"name": model.name, "label": model.label, **found.params})
    return {**plan.resolved(), "models": rows}


def _spent(searches: Sequence[Search], budget: Budget) -> list[str]:
    """Say which searches the seconds cut short, and which models failed."""
    notes = []
    for search in searches:
        label = search.plan.label
        if search.asked < search.size:
            notes.append(
                f"{label}: {search.asked} of {search.size} trials fitted into {budget.seconds:g} CPU seconds."
            )
        failed = [trial for trial in search.trials if trial.state == "failed"]
        if failed:
            notes.append(
                f"{label}: {len(failed)} of {len(search.trials)} trials failed. The first: {failed[0].note}"
            )
    return notes


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
