"""The plan: one typed TOML that says which data, which split, which models, which figures.

A plan is checked whole before any work starts. A misspelt key or parameter is refused with the nearest
right one; a wrong type with what was expected. `resolved()` has every default written out, so that the plan
inside a result repeats the run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from palate.errors import PlanError, did_you_mean
from palate.experiment import news, recipes, texts
from palate.experiment.checks import check_metrics, create_model, give_folder, give_labels, split_params
from palate.experiment.complaint import complaint
from palate.experiment.settings import plain, set_value
from palate.report.toml import write

if TYPE_CHECKING:
    from palate.models.base import Recommender

Column = str | Literal[False] | None
"""A column's name; false: do not use it; absent: the default name where the table has it."""


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataPlan(_Section):
    """`[data]`: a data set by `name`, or a file by `path` with its columns."""

    name: str | None = None
    """A data set that Palate knows: `palate data list`."""
    otherwise: str | None = None
    """The data set to take where `name` is not on this machine."""
    path: str | None = None
    """A file; a relative path starts at the plan's folder."""
    user: Column = None
    item: Column = None
    value: Column = None
    time: Column = None
    event: Column = None
    basket: Column = None
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    items: str | None = None
    """A file of the items: names, attributes, text."""
    candidates: str | None = None
    """Of impressions: the column of the articles shown, a list each."""
    clicked: str | None = None
    history: str | None = None
    text: str | None = None
    """Of impressions: the column of `items` that models of news read."""
    corpus: str | None = None
    """Of texts: where they come from (a file or folder); absent: the books that ship with Palate."""
    words: list[PositiveInt] | None = None
    """Of texts: from so many words to so many."""
    pieces: PositiveInt | None = None
    """Of texts: how many are taken of a longer one."""
    constraints: list[PositiveInt] | None = None
    """Of instructions: from so many to so many."""
    alternatives: PositiveInt | None = None
    """Of continuations: sentences that are shown."""
    draws: PositiveInt | None = None
    """Of texts: what is asked of each."""
    limit: PositiveInt | None = None
    """Of texts: how many, of each part."""
    seed: int | None = None
    """Of texts: of all that is drawn."""
    format: Literal["csv", "tsv", "dat", "parquet", "jsonl", "sequences", "pairs"] | None = None
    header: bool | None = None
    separator: str | None = None
    encoding: str | None = None
    min_user: Annotated[int, Field(ge=0)] = 0
    """Keep users with at least so many distinct items (with `min_item`: the iterative k-core)."""
    min_item: Annotated[int, Field(ge=0)] = 0
    repeats: Literal["keep", "first", "last", "sum"] = "keep"
    """What to do with rows that repeat a user-item pair."""
    negative: list[str] | None = None
    """Event types that mean dislike."""
    bad_rows: Literal["raise", "drop"] = "raise"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.name is None) == (self.path is None):
            raise ValueError(
                "needs one of 'name' (a data set: `palate data list`) and 'path' (a file), not both"
            )
        return self


class SplitPlan(BaseModel):
    """`[split]`: the method and its parameters, which `palate.split` checks."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    method: str = "random"

    @property
    def params(self) -> dict[str, Any]:
        """The method's parameters as given."""
        return dict(self.model_extra or {})


class ModelPlan(BaseModel):
    """One `[[models]]`: the model's name, its label on the board, and its parameters."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    name: str
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")]

    @property
    def params(self) -> dict[str, Any]:
        """The model's parameters as given."""
        return dict(self.model_extra or {})

    def create(self) -> Recommender:
        """Make the model, unfitted. Raises `PlanError`."""
        return create_model(self.name, self.params, self.label)

    def with_params(self, params: dict[str, Any]) -> ModelPlan:
        """Return the model with other values of some parameters; None leaves a parameter out."""
        content = {**self.params, **params}
        kept = {name: value for name, value in content.items() if value is not None}
        return ModelPlan.model_validate({"name": self.name, "label": self.label, **kept})

    def aside(self) -> ModelPlan:
        """Return the model for a fit beside the one of the plan: a checkpoint is of that one training."""
        return self.with_params({"checkpoint": None})

    def all_params(self) -> dict[str, Any]:
        """Return every parameter that has a value, defaults filled in."""
        return {key: value for key, value in self.create().params().items() if value is not None}


class Sampled(_Section):
    """Rank each user's truth among `sampled` random items instead of the whole catalogue."""

    sampled: PositiveInt
    seed: int = 42


class FromFile(_Section):
    """Rank candidates that a file lists: columns user, item; or lines of `(user,item)`, then items, as NCF has them."""

    file: str


def _candidates(value: object) -> object:
    if isinstance(value, dict) and "file" in value:
        return FromFile.model_validate(value)
    if isinstance(value, dict):
        return Sampled.model_validate(value)
    if value not in ("all", "given") and not isinstance(value, Sampled | FromFile):
        raise ValueError('give "all", "given", {sampled = 100, seed = 1} or {file = "candidates.csv"}')
    return value


class EvaluatePlan(_Section):
    """`[evaluate]`: cutoffs, metrics (the first ranks the board) and how the test is made."""

    k: Annotated[list[PositiveInt], BeforeValidator(_as_list), Field(min_length=1)] = [10]
    metrics: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)] = [
        "ndcg",
        "map",
        "precision",
        "recall",
    ]
    relevant_from: float | None = None
    """A test row counts as relevant from this value; absent: every row that is not negative."""
    candidates: Annotated[Literal["all", "given"] | Sampled | FromFile, BeforeValidator(_candidates)] = "all"
    exclude_seen: bool = True
    """Never recommend what the user had in train."""
    refit: bool = False
    """For the test, fit again on train and validation together."""
    show_valid: bool | None = None
    """For the test, show models that learnt from train alone each user's validation rows as the end of the history.
    Absent: in a last-out split with validation, without refit."""
    bootstrap: Annotated[int, Field(ge=0)] = 1000
    """Resamples behind each interval."""
    seed: int = 42
    by_time: bool = True
    """Show the first metric on a split by time beside a protocol that trains on the future."""


class ReportPlan(_Section):
    """`[report]`: what the report shows beside the figures."""

    examples: Annotated[int, Field(ge=0)] = 5
    """Users whose recommendations are shown with their reasons."""
    notes: list[str] = []
    """Sentences that stand below the board, as published figures to compare with."""


class Plan(_Section):
    """A whole plan, checked. Build it with `load` (file or recipe), `parse` (text) or `of` (dict)."""

    name: str = "run"
    about: str = ""
    data: DataPlan
    split: SplitPlan = SplitPlan()
    models: Annotated[list[ModelPlan], Field(min_length=1)]
    evaluate: EvaluatePlan = EvaluatePlan()
    report: ReportPlan = ReportPlan()

    @classmethod
    def of(
        cls,
        content: dict[str, Any],
        *,
        settings: Sequence[str] = (),
        source: str = "plan",
        folder: Path | None = None,
    ) -> Plan:
        """Check a plan given as a dict, as TOML would give it.

        `settings` are `section.key=value` and applied before the check (the command line's `--set`); `source`
        is what messages call the plan; relative paths start in `folder`, or else in the current one.
        Raises `PlanError` with the section, the key and what was expected.
        """
        content = plain(content)
        for setting in settings:
            set_value(content, setting)
        give_labels(content, source)
        give_folder(content, folder)
        news.give_defaults(content)
        try:
            plan = cls.model_validate(content)
        except ValidationError as error:
            raise PlanError(f"{source}: {complaint(error, cls, content)}") from None
        return plan._checked(source)

    @classmethod
    def parse(
        cls, text: str, *, settings: Sequence[str] = (), source: str = "plan", folder: Path | None = None
    ) -> Plan:
        """Check a plan given as TOML text; parameters and errors as in `of`."""
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PlanError(
                f"{source}: not valid TOML: {error}. Mend that line; `palate recipes` has examples."
            ) from None
        content.setdefault("name", Path(source).stem or "run")
        return cls.of(content, settings=settings, source=source, folder=folder)

    @classmethod
    def load(cls, plan: str | Path, *, settings: Sequence[str] = ()) -> Plan:
        """Read a plan file, or the recipe of that name. Raises `PlanError`."""
        path = Path(plan)
        if path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise PlanError(
                    f"{path}: cannot be read as UTF-8 text ({error}). Give a TOML file."
                ) from None
            return cls.parse(text, settings=settings, source=str(path), folder=path.resolve().parent)
        known = recipes.names()
        if str(plan) in known:
            return cls.parse(recipes.text(str(plan)), settings=settings, source=str(plan))
        raise PlanError(
            f"there is no plan file and no recipe '{plan}'.{did_you_mean(str(plan), known)} "
            f"Recipes: {', '.join(known)}."
        )

    @property
    def of_impressions(self) -> bool:
        """Whether models are judged by the order of what readers were shown, as news is."""
        return self.evaluate.metrics[0].startswith("impression_")

    @property
    def keys(self) -> tuple[str, ...]:
        """The metric keys; the first ranks the board."""
        if self.of_impressions:
            return news.metric_keys(self.evaluate)
        return check_metrics(self.evaluate.metrics, self.evaluate.k)

    @property
    def shows_valid(self) -> bool:
        """Whether the models are shown each user's validation rows before the test."""
        if self.evaluate.show_valid is not None:
            return self.evaluate.show_valid
        return (
            self.split.method == "last-out"
            and bool(self.split.params.get("valid"))
            and not self.evaluate.refit
        )

    def resolved(self) -> dict[str, Any]:
        """Return the plan with every default written out and nothing that is absent."""
        content = self.model_dump(exclude_none=True)
        if self.of_impressions:
            content["split"] = {"method": self.split.method, **news.split_params(self.split)}
            content["evaluate"] = {key: content["evaluate"][key] for key in news.EVALUATE}
        else:
            content["split"] = {
                "method": self.split.method,
                **split_params(self.split.method, self.split.params),
            }
            content["evaluate"]["show_valid"] = self.shows_valid
        content["models"] = [
            {"name": model.name, "label": model.label, **model.all_params()} for model in self.models
        ]
        resolved: dict[str, Any] = plain(content)
        return resolved

    def to_toml(self) -> str:
        """Return the resolved plan as TOML: `palate run` on it repeats the run."""
        return write(self.resolved())

    def _checked(self, source: str) -> Plan:
        texts.check(self.data, source)
        if self.of_impressions:
            news.check(self, source)
            return self
        for column in news.OF_IMPRESSIONS:
            if getattr(self.data, column) is not None:
                raise PlanError(
                    f"{source}: [data] {column} is a column of impressions, and this plan is judged by lists: leave it "
                    'out, or put metrics of impressions first, as in metrics = ["impression_auc"].'
                )
        split_params(self.split.method, self.split.params, source)
        by_file = self.data.name is None or "valid" in self.split.params
        if self.split.method == "given" and by_file and "test" not in self.split.params:
            raise PlanError(
                f"{source}: [split] method 'given' needs the parameter 'test', a file; a data set by name may have "
                "been published with its own split, and needs none."
            )
        for model in self.models:
            create_model(model.name, model.params, model.label, source)
        check_metrics(self.evaluate.metrics, self.evaluate.k, source)
        return self
