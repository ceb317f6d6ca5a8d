"""One measurement of tuning: a model with its parameters, fitted on train, measured on validation or test."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from palate import split
from palate.datasets import Dataset
from palate.errors import PalateError
from palate.experiment.fit import judge, warm_up
from palate.experiment.plan import EvaluatePlan, ModelPlan, Plan, Sampled
from palate.experiment.reading import divide
from palate.models.base import Recommender
from palate.split import Split

SHARE = 0.2
"""Of train, taken for validation where the plan says nothing."""


@dataclass(frozen=True)
class Task:
    """What to measure."""

    model: ModelPlan
    on: Literal["valid", "test"] = "valid"
    shift: int = 0
    """added to the seeds of the split and of the model"""
    thresholds: dict[int, float] = field(default_factory=dict)
    """step to the value that a trial must reach there, or it is stopped"""
    seconds: float | None = None
    """CPU seconds after which a model that tells its steps is stopped"""


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    state: Literal["done", "pruned", "failed"]
    value: float | None
    seconds: float
    cpu_seconds: float
    trace: list[tuple[int, float]]
    note: str = ""
    transient: bool = False
    """whether it hung on circumstance: memory, or seconds"""


@dataclass
class Bench:
    """The plan and its data; the split is made where it is needed, once for each shift of the seed."""

    plan: Plan
    data: Any
    """a `Dataset`; a `NewsDataset` where the plan is of news"""
    _splits: dict[int, Split] = field(default_factory=dict)
    _warm: set[str] = field(default_factory=set)

    @property
    def metric(self) -> str:
        """The key that ranks the board."""
        return self.plan.keys[0]

    @property
    def timed(self) -> bool:
        """Whether the data has times."""
        return self.data.interactions.time is not None

    @property
    def words(self) -> str:
        """How validation was made, in words."""
        return judged_by_valid(self.split()).protocol.words

    def split(self, shift: int = 0) -> Split:
        """Return the plan's split with its seed so much further on; the last one asked for is kept."""
        if shift not in self._splits:
            self._splits = {shift: parted(shifted(self.plan, shift), self.data)}
        return self._splits[shift]

    def measure(self, task: Task) -> Outcome:
        """Fit and measure. What a model refuses (`PalateError`, no memory, no solution) is a failed outcome."""
        how = only(self.plan.evaluate, self.metric)
        self._ready(task.shift)  # before the clock starts
        plan = seeded(task.model, task.shift).aside()
        if plan.name not in self._warm:
            self._warm_up(plan, how)
            self._warm.add(plan.name)
        watch = _Watch(task, self.metric)
        clock, cpu = time.perf_counter(), time.process_time()

        def outcome(
            state: Literal["done", "pruned", "failed"],
            value: float | None,
            note: str = "",
            *,
            transient: bool = False,
        ) -> Outcome:
            spent = time.perf_counter() - clock, time.process_time() - cpu
            return Outcome(state, value, *spent, watch.trace, note, transient)

        try:
            value = self._value(watch.over(plan.create()), task.shift, how, task.on)
        except _Stopped as stopped:
            last = watch.trace[-1][1] if watch.trace else None
            return outcome("pruned", last, str(stopped), transient=isinstance(stopped, _Late))
        except MemoryError as error:
            return outcome("failed", None, str(error) or "the memory did not suffice.", transient=True)
        except (PalateError, np.linalg.LinAlgError, FloatingPointError) as error:
            return outcome("failed", None, str(error) or type(error).__name__)
        if not np.isfinite(value):
            return outcome("failed", None, f"{self.metric} is {value}.")
        return outcome("done", value)

    def _ready(self, shift: int) -> None:
        self.split(shift)

    def _warm_up(self, plan: ModelPlan, how: EvaluatePlan) -> None:
        warm_up(plan, how)

    def _value(
        self, model: Recommender, shift: int, how: EvaluatePlan, on: Literal["valid", "test"]
    ) -> float:
        parts = self.split(shift)
        refit = self.plan.evaluate.refit or _lent(self.plan)
        early = None if refit else parts.valid  # a model is tuned as it will be fitted
        if on == "valid":
            train, judged = parts.train, judged_by_valid(parts)
            if not isinstance(
                how.candidates, Sampled
            ):  # lists are of the test, and would hold nothing that validates
                how = how.model_copy(update={"candidates": "all"})
        else:
            judged = replace(parts, train=parts.train_and_valid(), valid=None) if refit else parts
            train = judged.train
        model.fit(train, valid=early, catalogue=self.data.catalogue)
        found = judge(model, judged, how.model_copy(update={"bootstrap": 0}), model.name)
        return found.estimate(self.metric).mean


def parted(plan: Plan, data: Dataset) -> Split:
    """Return the plan's split, its validation part taken out of train at random where it is given without one."""
    parts = divide(plan, data)
    if parts.valid is not None:
        return parts
    inner = split.stratified(parts.train, ratio=1 - SHARE)
    return replace(
        parts,
        train=inner.train,
        valid=inner.test,
        source=parts.train,
        fits=np.ones(len(parts.train), np.bool_),
    )


def _lent(plan: Plan) -> bool:
    """Return whether train lent the validation part to tuning alone, and the plan itself has none."""
    return plan.split.method == "given" and "valid" not in plan.split.params


def with_valid(plan: Plan) -> Plan:
    """Return the plan with a validation part: its own, or a fifth of train (last-out: the last but one row)."""
    method, params = plan.split.method, plan.split.params
    if method == "given" or params.get("valid"):
        return plan
    valid = True if method == "last-out" else SHARE
    content = type(plan.split).model_validate({"method": method, **params, "valid": valid})
    return plan.model_copy(update={"split": content})


def judged_by_valid(parts: Split) -> Split:
    """Return the split with its validation part as the test part, which is gone."""
    assert parts.valid is not None
    return replace(parts, test=parts.valid, valid=None, context=parts.valid_context, valid_context=None)


def shifted(plan: Plan, shift: int) -> Plan:
    """Return the plan with the seed of its split so much further on, where the method draws anything."""
    if shift == 0 or not draws(plan.split.method):
        return plan
    params = plan.split.params
    content = {"method": plan.split.method, **params, "seed": int(params.get("seed", 42)) + shift}
    return plan.model_copy(update={"split": type(plan.split).model_validate(content)})


def seeded(plan: ModelPlan, shift: int) -> ModelPlan:
    """Return the model with its seed so much further on, where it has one."""
    seed = None if shift == 0 else plan.create().params().get("seed")
    return plan if seed is None else plan.with_params({"seed": int(seed) + shift})


def draws(method: str) -> bool:
    """Return whether a split method draws at random."""
    return method in ("random", "stratified", "new-users", "new-items")


def only(how: EvaluatePlan, metric: str) -> EvaluatePlan:
    """Return the evaluation of one metric alone, without intervals."""
    name, at, k = metric.partition("@")
    return how.model_copy(
        update={"metrics": [name], "k": [int(k)] if at else how.k, "bootstrap": 0, "by_time": False}
    )


class _Stopped(Exception):
    pass


class _Late(_Stopped):
    pass


class _Watch:
    """Listens to a model's trace, and stops it where it falls behind or its time is up."""

    def __init__(self, task: Task, metric: str) -> None:
        self.task, self.name = task, f"valid_{metric}"
        self.lower = metric.startswith(("rmse", "mae"))
        self.trace: list[tuple[int, float]] = []
        self._step, self._start = 0, time.process_time()

    def over(self, model: Recommender) -> Recommender:
        """Return the same model with its trace listened to."""
        kind, heard = type(model), self._heard

        def trace(self: Recommender, **numbers: float) -> None:
            kind._trace(self, **numbers)
            heard(numbers)

        listening: type[Recommender] = type(kind.__name__, (kind,), {"_trace": trace, "__module__": __name__})
        return listening(**{name: getattr(model, name) for name in model.model_fields_set})

    def _at_another_cut(self, numbers: dict[str, float]) -> float | None:
        """Return the same metric as a model judges itself by: trials of one model stop by one measure all the same."""
        name = self.name.partition("@")[0]
        return next((value for told, value in numbers.items() if told.partition("@")[0] == name), None)

    def _heard(self, numbers: dict[str, float]) -> None:
        self._step += 1
        late = self.task.seconds is not None and time.process_time() - self._start > self.task.seconds
        if late:
            raise _Late("its seconds ran out while it was fitted.")
        value = numbers.get(self.name, self._at_another_cut(numbers))
        if value is None or not np.isfinite(value):
            return
        self.trace.append((self._step, float(value)))
        needed = self.task.thresholds.get(self._step)
        if needed is not None and (value > needed if self.lower else value < needed):
            raise _Stopped(f"at step {self._step} it was worse than the median of the trials before it.")
