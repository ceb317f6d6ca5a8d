"""The typed outcome of tuning: every trial of every model, and the best of each. Plain data, as `result.py`'s."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from palate.errors import DataError, PlanError, did_you_mean
from palate.evaluation.result import LOWER_IS_BETTER, Number

if TYPE_CHECKING:
    import polars as pl


_T = TypeVar("_T", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Trial(_Part):
    """One set of parameters, fitted on train and measured on the validation part."""

    model: str
    """the label of the model"""
    number: int
    """its place among the model's trials; number 0 is the model as it was given, the others are what was tried"""
    params: dict[str, Any]
    """the tuned parameters; what the plan fixes is not among them"""
    state: Literal["done", "pruned", "failed"]
    """pruned: stopped early, because it fell behind or ran out of time; failed: `note` says why"""
    value: Number = None
    """of the study's metric on the validation part"""
    seconds: float = 0.0
    """wall seconds to fit and to measure"""
    cpu_seconds: float = 0.0
    """the same in CPU seconds, all threads together"""
    trace: list[tuple[int, float]] = []
    """(step, value) on the validation part while it was fitted, for models that tell"""
    note: str = ""
    transient: bool = False
    """whether it hung on circumstance (memory or seconds ran out): a study that goes on runs it again"""


class Study(_Part):
    """What tuning found. `metric` was measured on the validation part alone; the test part was never looked at."""

    palate: str
    name: str
    metric: str
    """the key, such as `ndcg@10`"""
    words: str = ""
    """how the validation part was made"""
    trials_each: int
    """budget of each model: trials ..."""
    seconds_each: float | None = None
    """... and CPU seconds of its trials; None: no limit"""
    seed: int = 42
    plan: dict[str, Any]
    """the plan with the best parameters of each model: `palate.run(study.plan)`"""
    models: list[str]
    """labels, in the plan's order"""
    trials: list[Trial]
    notes: list[str] = []

    @property
    def lower(self) -> bool:
        """Whether a lower value is better."""
        return self.metric.partition("@")[0] in LOWER_IS_BETTER

    def of(self, label: str) -> list[Trial]:
        """Return a model's trials in order. Raises PlanError for a label that the study lacks."""
        if label not in self.models:
            raise PlanError(
                f"the study has no model '{label}'.{did_you_mean(label, self.models)} "
                f"It has: {', '.join(self.models)}."
            )
        return [trial for trial in self.trials if trial.model == label]

    def best(self, label: str | None = None) -> Trial | None:
        """Return the best finished trial of a model, or of all; the earlier of two alike. None where none finished."""
        trials = self.trials if label is None else self.of(label)
        return best_trial(trials, lower=self.lower)

    def ranking(self) -> list[Trial]:
        """Return the best trial of each model that has one, best model first."""
        found = [best for label in self.models if (best := self.best(label)) is not None]
        sign = 1.0 if self.lower else -1.0
        return sorted(found, key=lambda trial: sign * (trial.value or 0.0))

    def gain(self, label: str) -> float | None:
        """Return by how much the best trial is better than the model as given; None where either is missing."""
        first, best = self.of(label)[:1], self.best(label)
        if not first or best is None or first[0].value is None or best.value is None:
            return None
        return first[0].value - best.value if self.lower else best.value - first[0].value

    def table(self) -> pl.DataFrame:
        """Return every trial as a row: model, number, state, value, seconds, cpu_seconds, params (JSON), note."""
        import polars as pl

        rows = [
            {
                "model": trial.model,
                "number": trial.number,
                "state": trial.state,
                "value": trial.value,
                "seconds": round(trial.seconds, 4),
                "cpu_seconds": round(trial.cpu_seconds, 4),
                "params": json.dumps(trial.params),
                "note": trial.note,
            }
            for trial in self.trials
        ]
        return pl.DataFrame(rows, schema_overrides={"value": pl.Float64}, infer_schema_length=None)

    def __str__(self) -> str:
        lines = [f"{self.name}: {len(self.trials)} trials of {len(self.models)} models, by {self.metric}"]
        for best in self.ranking():
            params = ", ".join(f"{key} = {value}" for key, value in best.params.items()) or "nothing to tune"
            lines.append(f"  {best.model:<20}{best.value:.4f}  {params}")
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the text of `study.json`."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def read(cls, path: str | Path) -> Study:
        """Read `study.json`, or the folder that holds it. Raises `DataError`."""
        return read_part(cls, path, "study.json", "tune")


def best_trial(trials: list[Trial], *, lower: bool) -> Trial | None:
    """Return the best finished trial, the earlier of two alike; None where none finished."""
    sign = 1.0 if lower else -1.0
    done = [trial for trial in trials if trial.state == "done" and trial.value is not None]
    return min(done, key=lambda trial: sign * (trial.value or 0.0), default=None)


def read_part(kind: type[_T], path: str | Path, name: str, verb: str) -> _T:
    """Read a typed JSON file, or the folder that holds it under `name`. Raises DataError, naming the verb to run."""
    path = Path(path)
    file = path / name if path.is_dir() else path
    try:
        return kind.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}). Give the folder of a finished `palate {verb}`."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise DataError(f"{file}: not what `palate {verb}` writes: {at}: {first['msg']}.") from error


def deviation(values: list[float]) -> float:
    """Return the standard deviation (n - 1); NaN for fewer than two."""
    if len(values) < 2:
        return math.nan
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
