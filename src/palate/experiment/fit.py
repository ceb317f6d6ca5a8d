"""One model of a plan: fit, save, evaluate, and say what that cost; if asked, in a process of its own."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from palate.catalogue import Catalogue
from palate.errors import PalateError, PalateWarning
from palate.evaluation import Evaluation, evaluate
from palate.evaluation.estimated import Estimated
from palate.evaluation.result import Seconds
from palate.experiment.plan import EvaluatePlan, ModelPlan
from palate.interactions import Interactions
from palate.memory import peak_mb
from palate.models.base import Recommender
from palate.split import Split, chronological

E = TypeVar("E", bound=Estimated)
E_co = TypeVar("E_co", bound=Estimated, covariant=True)


class Job(Protocol[E_co]):
    """What models of a plan have to do. Plain data: it can be sent to another process."""

    def warm_up(self, plan: ModelPlan) -> None:
        """Compile what the model needs on a little data, so that its seconds are its own and not the compiler's."""

    def learn(self, model: Recommender) -> Recommender:
        """Fit the model."""

    def judge(self, model: Recommender, label: str) -> E_co:
        """Evaluate the fitted model."""


@dataclass(frozen=True)
class Fitted(Generic[E]):
    """What one model gave and cost."""

    plan: ModelPlan
    evaluation: E
    seconds: Seconds
    cpu_seconds: Seconds
    peak_rss_mb: float | None
    trace: list[dict[str, float]]
    """what `fit` saw, a row for each iteration or epoch"""


def fit(plan: ModelPlan, job: Job[E], *, folder: Path | None = None, isolate: bool = False) -> Fitted[E]:
    """Fit and evaluate one model, and save it in `folder` where that is given.

    With `isolate` all of it happens in a fresh process, whose peak memory is then the model's: the data, the
    fit, all its answers.
    """
    if not isolate:
        return _fit(plan, job, folder, measure=False)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_fit, plan, job, folder, measure=True).result()


def _fit(plan: ModelPlan, job: Job[E], folder: Path | None, *, measure: bool) -> Fitted[E]:
    job.warm_up(plan)
    clock, cpu = time.perf_counter(), time.process_time()
    model = job.learn(plan.create())
    fitted = time.perf_counter() - clock, time.process_time() - cpu
    if folder is not None:
        model.save(folder)
    evaluation = job.judge(model, plan.label)
    wall, used = evaluation.seconds, evaluation.cpu_seconds
    return Fitted(
        plan=plan,
        evaluation=evaluation,
        seconds=Seconds(fit=fitted[0], recommend=wall["recommend"], evaluate=wall["evaluate"]),
        cpu_seconds=Seconds(fit=fitted[1], recommend=used["recommend"], evaluate=used["evaluate"]),
        peak_rss_mb=peak_mb() if measure else None,
        trace=model.fitted.trace,
    )


# --- lists ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lists:
    """Learn from interactions, and be judged by lists for the users of the test part."""

    split: Split
    how: EvaluatePlan
    catalogue: Catalogue | None = None

    def warm_up(self, plan: ModelPlan) -> None:
        """Compile the kernels on a few rows."""
        warm_up(plan, self.how)

    def learn(self, model: Recommender) -> Recommender:
        """Fit on train."""
        return model.fit(self.split.train, valid=self.split.valid, catalogue=self.catalogue)

    def judge(self, model: Recommender, label: str) -> Evaluation:
        """Evaluate on the test part."""
        return judge(model, self.split, self.how, label)


def judge(model: Recommender, split: Split, how: EvaluatePlan, label: str) -> Evaluation:
    """Evaluate a fitted model as the plan says."""
    candidates = how.candidates if isinstance(how.candidates, str) else how.candidates.model_dump()
    return evaluate(
        model,
        split,
        k=how.k,
        metrics=how.metrics,
        exclude_seen=how.exclude_seen,
        relevant_from=how.relevant_from,
        candidates=candidates,
        show_valid=how.show_valid,
        seed=how.seed,
        bootstrap=how.bootstrap,
        label=label,
    )


_BRIEF = {"epochs": 1, "iterations": 1, "checkpoint": None}
"""what a model is given to warm up: one pass compiles what a hundred use, and a checkpoint is of the real training"""


def brief(plan: ModelPlan) -> Recommender:
    """Return the model, unfitted, with the least to do."""
    model = plan.create()
    less = {name: value for name, value in _BRIEF.items() if name in type(model).model_fields}
    return model.model_copy(update=less)


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    """Pass over what a model refuses: so little data may be too little for it, and the data at hand will tell."""
    with contextlib.suppress(PalateError), warnings.catch_warnings(action="ignore", category=PalateWarning):
        yield


def warm_up(plan: ModelPlan, how: EvaluatePlan) -> None:
    """Compile the kernels on a few rows, so that a model's seconds are its own and not the compiler's."""
    users, items = np.divmod(np.arange(32 * 32), 32)
    rows = (users + items) % 2 == 0
    columns = {"user": users, "item": items, "value": 1.0 + items % 5, "time": np.arange(32 * 32)}
    tiny = Interactions.from_table({name: column[rows] for name, column in columns.items()})
    split = chronological(tiny, ratio=0.5)
    easy = how.model_copy(update={"bootstrap": 0, "relevant_from": None, "candidates": "all"})
    with forgiving():
        judge(brief(plan).fit(split.train), split, easy, plan.label)
