"""One model of a plan: fit, save, evaluate, and say what that cost; if asked, in a process of its own."""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from palate.catalogue import Catalogue
from palate.errors import PalateError, PalateWarning
from palate.evaluation import Evaluation, evaluate
from palate.evaluation.result import Seconds
from palate.experiment.plan import EvaluatePlan, ModelPlan
from palate.interactions import Interactions
from palate.models.base import Recommender
from palate.split import Split, chronological

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Fitted:
    """What one model gave and cost."""

    plan: ModelPlan
    evaluation: Evaluation
    seconds: Seconds
    cpu_seconds: Seconds
    peak_rss_mb: float | None
    trace: list[dict[str, float]]
    """what `fit` saw, a row for each iteration or epoch"""


def fit(
    plan: ModelPlan,
    split: Split,
    how: EvaluatePlan,
    *,
    catalogue: Catalogue | None = None,
    folder: Path | None = None,
    isolate: bool = False,
) -> Fitted:
    """Fit and evaluate one model, and save it in `folder` where that is given.

    With `isolate` all of it happens in a fresh process, whose peak memory is then the model's: the split, the
    fit, the lists of all test users.
    """
    if not isolate:
        return _fit(plan, split, how, catalogue=catalogue, folder=folder, measure=False)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        asked = pool.submit(_fit, plan, split, how, catalogue=catalogue, folder=folder, measure=True)
        return asked.result()


def _fit(
    plan: ModelPlan,
    split: Split,
    how: EvaluatePlan,
    *,
    catalogue: Catalogue | None,
    folder: Path | None,
    measure: bool,
) -> Fitted:
    warm_up(plan, how)
    clock, cpu = time.perf_counter(), time.process_time()
    model = plan.create().fit(split.train, valid=split.valid, catalogue=catalogue)
    fitted = time.perf_counter() - clock, time.process_time() - cpu
    if folder is not None:
        model.save(folder)
    evaluation = judge(model, split, how, plan.label)
    wall, used = evaluation.seconds, evaluation.cpu_seconds
    return Fitted(
        plan=plan,
        evaluation=evaluation,
        seconds=Seconds(fit=fitted[0], recommend=wall["recommend"], evaluate=wall["evaluate"]),
        cpu_seconds=Seconds(fit=fitted[1], recommend=used["recommend"], evaluate=used["evaluate"]),
        peak_rss_mb=peak_rss_mb() if measure else None,
        trace=model.fitted.trace,
    )


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


def warm_up(plan: ModelPlan, how: EvaluatePlan) -> None:
    """Compile the kernels on a few rows, so that a model's seconds are its own and not the compiler's."""
    users, items = np.divmod(np.arange(32 * 32), 32)
    rows = (users + items) % 2 == 0
    columns = {"user": users, "item": items, "value": 1.0 + items % 5, "time": np.arange(32 * 32)}
    tiny = Interactions.from_table({name: column[rows] for name, column in columns.items()})
    split = chronological(tiny, ratio=0.5)
    easy = how.model_copy(update={"bootstrap": 0, "relevant_from": None, "candidates": "all"})
    # So few rows may be too few for it; the data at hand will tell.
    with contextlib.suppress(PalateError), warnings.catch_warnings(action="ignore", category=PalateWarning):
        model = plan.create()
        brief = {name: value for name, value in _BRIEF.items() if name in type(model).model_fields}
        judge(model.model_copy(update=brief).fit(split.train), split, easy, plan.label)


def peak_rss_mb() -> float | None:
    """Return the peak memory of this process in MB; None where the system does not tell.

    From /proc where there is one: a child's `ru_maxrss` starts at its parent's peak on Linux.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        if "VmHWM" in lines:
            return int(lines["VmHWM"].split()[0]) / 1024
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
