"""The typed `result.json`: what a run found, and all that a report needs to tell it.

Everything here is plain data: no model, no table, no array. A result that is written and read again is the
same result, and a reader of this version leaves out what a later version may add.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from palate.errors import DataError

LOWER_IS_BETTER = frozenset({"rmse", "mae"})
NO_RANKING = frozenset({"gini", "popularity_lift"})
"""Metrics that describe lists and call neither end better: they rank no board."""


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A float; what is not finite is stored as null, because JSON has no word for it."""


def _finite_ends(value: object) -> object:
    known = isinstance(value, tuple | list) and all(_finite(end) is not None for end in value)
    return value if known else None


Ends = Annotated[tuple[float, float] | None, BeforeValidator(_finite_ends)]
"""The ends of an interval, or null where there is none."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Measured(_Part):
    """A mean over `n` users with its 95 % interval (None where the metric has no value per user)."""

    mean: Number
    ci95: Ends = None
    n: int

    @property
    def value(self) -> float:
        """The mean as a float; NaN where there is none."""
        return math.nan if self.mean is None else self.mean


class Difference(_Part):
    """Model `a` minus model `b` on one metric, paired by user; `p_holm` is corrected for the whole family."""

    a: str
    b: str
    metric: str
    difference: Number
    ci95: Ends = None
    p: Number
    p_holm: Number
    method: str
    n: int = 0

    def significant(self, level: float = 0.05) -> bool:
        """Whether the difference is more than luck at `level` after Holm's correction."""
        return self.p_holm is not None and self.p_holm < level


class Seconds(_Part):
    """Seconds that fitting, recommending and evaluating took."""

    fit: float
    recommend: float
    evaluate: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.fit + self.recommend + self.evaluate


class ModelFacts(_Part):
    """One model of the board: its parameters, figures and cost."""

    name: str
    label: str
    params: dict[str, Any]
    metrics: dict[str, Measured]
    seconds: Seconds
    cpu_seconds: Seconds
    peak_rss_mb: float | None = None
    """Peak memory of the model's own process under `isolate`, else None."""
    notes: list[str] = []
    training: list[dict[str, Number]] = []
    """What `fit` saw: figures by name, a row for each iteration or epoch."""


class DataFacts(_Part):
    """The data of the run, before the split."""

    name: str
    fingerprint: str
    users: int
    items: int
    interactions: int
    """Rows; of news, clicks on what was shown."""
    impressions: int | None = None
    licence: str
    source: str = ""
    notes: list[str] = []
    warnings: list[str] = []
    description: dict[str, Any] = {}
    """What `palate data describe` says of it."""


class Interval(_Part):
    """Rows of train, validation and test in one interval of time (seconds since 1970)."""

    low: int
    high: int
    train: int
    valid: int
    test: int


class SplitFacts(_Part):
    """The protocol and what it left in each part (rows), with the rows that no model could answer."""

    method: str
    params: dict[str, Any] = {}
    words: str = ""
    weakness: str = ""
    train: int
    valid: int
    test: int
    train_users: int = 0
    train_items: int = 0
    test_users: int = 0
    cold_rows: int
    cold_users: int = 0
    cold_items: int = 0
    seen_rows: int
    timeline: list[Interval] = []
    notes: list[str] = []
    """What the evaluation left out or counted as a miss."""


class Slice(_Part):
    """One metric of every model on a part of the users or of the items."""

    kind: Literal["activity", "popularity", "history", "age"]
    """`history` and `age` are of impressions: by articles read before, and by hours since the click was first shown."""
    label: str
    users: int
    """in the part; of news, impressions"""
    items: int | None = None
    metrics: dict[str, Measured]
    """By the model's label."""


class LongTail(_Part):
    """Cumulative share of recommendations against the catalogue, most popular item first, for one model.

    `points` are (share of the catalogue, share of the recommendations), from (0, 0) to (1, 1).
    """

    label: str
    points: list[tuple[float, float]]


class RatingSlice(_Part):
    """Errors of every model on about a quarter of the rated test rows, by how active their user or item is."""

    kind: Literal["user", "item"]
    label: str
    """ratings in train, from-to"""
    rows: int
    rmse: dict[str, Measured]
    """By the model's label."""
    mae: dict[str, Measured]


class CalibrationPoint(_Part):
    """A tenth of the rated test rows, by what was predicted: mean prediction and mean rating."""

    predicted: float
    actual: float
    rows: int


class Calibration(_Part):
    """Whether ratings are as high as a model says, in tenths of its predictions.

    `slope` is that of a line of ratings on predictions: below 1, the model spreads its predictions too far.
    """

    label: str
    points: list[CalibrationPoint]
    slope: Number = None


class InducedList(_Part):
    """A rating model's error, and how good the lists are that its ratings order."""

    label: str
    rmse: Number
    value: Measured
    """of the lists, by `RatingFacts.list_metric`"""


class RatingFacts(_Part):
    """What a run with a rating metric tells beside the board."""

    rows: int
    """Test rows that were rated."""
    slices: list[RatingSlice] = []
    calibration: list[Calibration] = []
    list_metric: str = ""
    lists: list[InducedList] = []
    popularity: Measured | None = None
    """The lists of the most popular items, which rate nothing, by the same metric."""


class Reason(_Part):
    """A past item and its share of the recommendation's score (positive contributions only)."""

    item: str
    name: str
    share: float


class Recommended(_Part):
    """One recommended item with its reasons; `hit` says that the user did take it in the test part."""

    item: str
    name: str
    rank: int
    score: Number
    hit: bool
    reasons: list[Reason]


class Example(_Part):
    """One user's past (last items first), and what the model named `label` recommends."""

    label: str
    user: str
    history_length: int
    history: list[str]
    held_out: int
    recommended: list[Recommended]


class Looked(_Part):
    """A word of a title or an article of a history: the attention it gets, and what the score loses without it."""

    name: str
    attention: float
    contribution: float


class Look(_Part):
    """What a model of news looked at when it scored one article for one reader."""

    label: str
    user: str
    article: str
    clicked: bool
    score: Number
    words: list[Looked]
    """of the article's title, in order"""
    history: list[Looked]
    """what was read before, that which adds most first"""
    remarks: list[str] = []
    """where attention and what leaving out costs do not say the same"""


class ByTime(_Part):
    """The first metric again on a split by global time, beside a protocol that lets the future into train."""

    at: str
    words: str
    train: int
    test: int
    test_users: int = 0
    cold_users: int = 0
    """Of the test users, those whom train lacks."""
    metric: str
    models: dict[str, Measured]


class Environment(_Part):
    """Where and with what the run was made."""

    model_config = ConfigDict(frozen=True, extra="allow")

    date: str
    python: str
    platform: str
    cpu_count: int
    threads: int
    versions: dict[str, str]


class Result(_Part):
    """What one run found. `primary` is the metric key that ranks the board."""

    palate: str
    name: str
    plan: dict[str, Any]
    primary: str
    data: DataFacts
    split: SplitFacts
    models: list[ModelFacts]
    comparisons: list[Difference]
    environment: Environment
    slices: list[Slice] = []
    long_tail: list[LongTail] = []
    examples: list[Example] = []
    by_time: ByTime | None = None
    ratings: RatingFacts | None = None
    looks: list[Look] = []
    notes: list[str] = []

    def ranking(self) -> list[ModelFacts]:
        """Models by the primary metric, best first; ties by label."""
        sign = 1.0 if self.primary.partition("@")[0] in LOWER_IS_BETTER else -1.0

        def place(model: ModelFacts) -> tuple[float, str]:
            value = model.metrics[self.primary].value
            return (math.inf if math.isnan(value) else sign * value, model.label)

        return sorted(self.models, key=place)

    def model(self, label: str) -> ModelFacts:
        """Return the model of that label; KeyError where there is none."""
        for model in self.models:
            if model.label == label:
                return model
        raise KeyError(label)

    def comparison(self, a: str, b: str, metric: str | None = None) -> Difference | None:
        """Return the comparison of `a` with `b` on `metric` (default: the primary one), with `a` first."""
        for found in self.comparisons:
            if found.metric != (metric or self.primary) or {found.a, found.b} != {a, b}:
                continue
            if found.a == a or found.difference is None:
                return found
            turned = (-found.ci95[1], -found.ci95[0]) if found.ci95 else None
            return found.model_copy(update={"a": a, "b": b, "difference": -found.difference, "ci95": turned})
        return None

    def as_good_as_best(self) -> set[str]:
        """Labels whose tested difference from the best model may be luck (the best itself is not among them).

        None where the primary metric has no tests: it has no value per user.
        """
        best, *others = self.ranking()
        pairs = {model.label: self.comparison(best.label, model.label) for model in others}
        return {label for label, pair in pairs.items() if pair is not None and not pair.significant()}

    def __str__(self) -> str:
        lines = [f"{self.name} on {self.data.name}, by {self.primary}"]
        for model in self.ranking():
            figures = "  ".join(f"{key} {model.metrics[key].value:.4f}" for key in model.metrics)
            lines.append(f"  {model.label:<20}{figures}")
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the text of `result.json`."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def read(cls, path: str | Path) -> Result:
        """Read `result.json`, or the run folder that holds it. Raises `DataError`."""
        path = Path(path)
        file = path / "result.json" if path.is_dir() else path
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise DataError(
                f"{file}: cannot be read ({error.strerror}). Give the folder of a finished `palate run`."
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise DataError(f"{file}: not a result of Palate: {at}: {first['msg']}.") from error


def metric_name(key: str) -> str:
    """How a metric key is written for readers.

    >>> metric_name("ndcg@10"), metric_name("map_all@10"), metric_name("user_coverage@5")
    ('nDCG@10', 'MAP (all relevant)@10', 'user coverage@5')
    """
    base, at, k = key.partition("@")
    known = {"ndcg": "nDCG", "map": "MAP", "map_all": "MAP (all relevant)", "mrr": "MRR", "auc": "AUC"}
    known |= {"impression_auc": "AUC", "impression_mrr": "MRR", "impression_ndcg": "nDCG"}
    known |= {"impression_mrr_tied": "MRR (ties averaged)", "impression_ndcg_tied": "nDCG (ties averaged)"}
    known |= {"rmse": "RMSE", "mae": "MAE", "r2": "R2", "hit": "hit rate", "r_precision": "R-precision"}
    return known.get(base, base.replace("_", " ")) + at + k


def metric_keys(models: Iterable[ModelFacts]) -> list[str]:
    """Every metric key of the board, in the order of the first model that has it."""
    return list(dict.fromkeys(key for model in models for key in model.metrics))
