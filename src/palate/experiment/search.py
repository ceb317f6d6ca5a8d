"""The search over one model's parameters: what to try next, and when to stop.

Sets of parameters are asked for in rounds and told in order, so that a search is a function of its seed and of what
its trials gave: the same on any number of processes, and the same when it was stopped and goes on. The first round is
the model as it was given; then all of a small space, or what the tree-structured Parzen estimator proposes (Bergstra
et al., NeurIPS 2011; optuna's, multivariate). Cost: some milliseconds a trial.
"""

from __future__ import annotations

import itertools
import math
import statistics
import warnings
import zlib
from dataclasses import dataclass
from typing import Any

from palate.errors import PlanError, need
from palate.evaluation.study import Trial
from palate.experiment.plan import ModelPlan
from palate.models.search import Options, Span, space

ROUND = 4
"""Trials asked for at a time, whatever the number of processes."""
STARTUP = 8
"""Trials drawn at random before the estimator has something to go by."""
_JUDGES = 4  # trials that must have been at a step before another is stopped there

Advice = Span | Options


@dataclass(frozen=True)
class Budget:
    """What each model may spend: `trials`, and CPU `seconds` in them, all threads together (None: no limit)."""

    trials: int = 20
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise PlanError(
                f"trials = {self.trials}: expected a whole number from 1; 1 is the model as given."
            )
        if self.seconds is not None and not self.seconds > 0:
            raise PlanError(f"seconds = {self.seconds}: expected a number above 0, or none for no limit.")


class Search:
    """One model's search. `round()` says what to try, `told()` takes what came of it."""

    def __init__(
        self,
        plan: ModelPlan,
        *,
        budget: Budget,
        seed: int,
        lower: bool,
        timed: bool,
        skip: tuple[str, ...] = (),
    ) -> None:
        """Prepare a search over the parameters that have a span and that the plan leaves open.

        `timed` says whether the data has times: without them nothing can fade.
        """
        self.plan, self.budget, self.seed, self.lower = plan, budget, seed, lower
        model = plan.create()
        fixed = {*plan.params, *skip, *(() if timed else ("half_life_days",))}
        self.space = {name: one for name, one in space(type(model)).items() if name not in fixed}
        given = model.params()
        self.given = {name: given[name] for name in self.space}
        """the tuned parameters of the model as given"""
        self.trials: list[Trial] = []
        self.asked = 0
        self._grid = _grid(self.space, self.given, budget.trials)
        self._study = None if self._grid is not None else _study(lower)
        self._open: list[Any] = []  # optuna's own trials of the current round

    @property
    def size(self) -> int:
        """How many trials the search will have at most."""
        return self.budget.trials if self._grid is None else len(self._grid)

    def round(self) -> list[dict[str, Any]]:
        """Return the next sets of parameters, none when the budget is spent or everything was tried."""
        count = self._affordable()
        start, self.asked = self.asked, self.asked + count
        if self._grid is not None:
            return self._grid[start : start + count]
        if start == 0:
            return [self.given]
        self._open = [self._ask(start + place) for place in range(count)]
        return [{name: _legible(value) for name, value in one.params.items()} for one in self._open]

    def told(self, trials: list[Trial]) -> None:
        """Take the trials of the last round, in order."""
        self.trials += trials
        if self._study is None:
            return
        if self._open:
            for one, trial in zip(self._open, trials, strict=True):
                self._tell(one, trial)
            self._open = []
        elif trials[0].state == "done":
            self._tell_given(trials[0])

    def thresholds(self) -> dict[int, float]:
        """Return for each step the median of what finished trials had there: who is worse is stopped.

        The median stopping rule (Golovin et al., KDD 2017), for models that tell how they do on the way.
        """
        by_step: dict[int, list[float]] = {}
        for trial in self.trials:
            if trial.state == "done":
                for step, value in trial.trace:
                    by_step.setdefault(step, []).append(value)
        return {step: statistics.median(values) for step, values in by_step.items() if len(values) >= _JUDGES}

    def seconds_left(self) -> float | None:
        """Return what is left of the seconds, None where there is no limit."""
        if self.budget.seconds is None:
            return None
        return self.budget.seconds - sum(trial.cpu_seconds for trial in self.trials)

    def _affordable(self) -> int:
        """Return how many trials the next round may have."""
        count = min(ROUND, self.size - self.asked)
        if self.asked == 0:
            return 1
        left = self.seconds_left()
        if left is None or count <= 0:
            return max(count, 0)
        typical = statistics.median(trial.cpu_seconds for trial in self.trials)
        return max(0, min(count, int(left / max(typical, 1e-3))))

    def _ask(self, number: int) -> Any:
        """Ask optuna for the trial of that number; its seed is the number's own, so a stopped search goes on alike."""
        from optuna.samplers import TPESampler

        assert self._study is not None
        key = zlib.crc32(f"{self.plan.name}/{number}".encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # optuna calls two settled options experimental
            self._study.sampler = TPESampler(
                n_startup_trials=STARTUP,
                multivariate=True,
                constant_liar=True,
                seed=(self.seed + key) % 2**32,
            )
            return self._study.ask({name: _distribution(one) for name, one in self.space.items()})

    def _tell(self, one: Any, trial: Trial) -> None:
        from optuna.trial import TrialState

        assert self._study is not None
        if trial.state == "done" and trial.value is not None:
            self._study.tell(one, trial.value)
            return
        for step, value in trial.trace:
            one.report(value, step)
        state = TrialState.PRUNED if trial.state == "pruned" and trial.trace else TrialState.FAIL
        self._study.tell(one, state=state)

    def _tell_given(self, trial: Trial) -> None:
        """Tell optuna of the model as given, where its parameters lie inside the space."""
        from optuna.trial import create_trial

        if trial.value is None or not all(
            inside(self.space[name], value) for name, value in trial.params.items()
        ):
            return
        distributions = {name: _distribution(one) for name, one in self.space.items()}
        assert self._study is not None
        self._study.add_trial(
            create_trial(params=trial.params, distributions=distributions, value=trial.value)
        )


def need_optuna() -> None:
    """Raise MissingExtra where optuna is not installed; let it be quiet where it is."""
    need("optuna", extra="tune", what="tuning")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def inside(advice: Advice, value: Any) -> bool:
    """Return whether a value is one that the search could try."""
    if isinstance(advice, Options):
        return value in advice.values
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and advice.low <= value <= advice.high
    )


def _study(lower: bool) -> Any:
    import optuna

    return optuna.create_study(direction="minimize" if lower else "maximize")


def _distribution(advice: Advice) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(advice, Options):
        return CategoricalDistribution(advice.values)
    if _whole(advice):
        return IntDistribution(int(advice.low), int(advice.high), log=advice.log)
    return FloatDistribution(advice.low, advice.high, log=advice.log)


def _whole(span: Span) -> bool:
    return isinstance(span.low, int) and isinstance(span.high, int)


def _grid(advice: dict[str, Advice], given: dict[str, Any], trials: int) -> list[dict[str, Any]] | None:
    """Return every set of a space that the budget can try whole, the given one first; None for a larger space."""
    choices: list[list[Any]] = []
    for one in advice.values():
        if isinstance(one, Options):
            choices.append(list(one.values))
        elif _whole(one) and one.high - one.low < trials:
            choices.append(list(range(int(one.low), int(one.high) + 1)))
        else:
            return [given] if trials == 1 else None
    if math.prod(map(len, choices)) > trials:
        return [given] if trials == 1 else None
    every = [dict(zip(advice, values, strict=True)) for values in itertools.product(*choices)]
    return [given, *(one for one in every if one != given)][:trials]


def _legible(value: Any) -> Any:
    """Round to three significant digits: a plan is read by people, and the fourth is noise.

    >>> _legible(0.0123456), _legible(1234.5), _legible(7), _legible("lift")
    (0.0123, 1230.0, 7, 'lift')
    """
    return float(f"{value:.3g}") if isinstance(value, float) else value
