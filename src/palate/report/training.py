"""How models learned: what `fit` saw of them, one chart for each quantity, and all of it in figures.

Quantities are told by name. `train_x` and `valid_x` are the same on rows that were learned from and on rows that were
not: where they part, a model learns its rows by heart. A model of two parts tells of them in turn, by names of their
own: each line runs over the rows that have its figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palate.evaluation.result import ModelFacts, metric_name
from palate.report import charts

_STEPS = ("iteration", "epoch")
_NO_CURVES = {
    *_STEPS,
    "seconds",
    "cpu_seconds",
    "events_per_second",
    "clicks_per_second",
    "k",
    "gradient_norm",
}


def training_charts(models: Sequence[ModelFacts], series: Mapping[str, int]) -> list[str]:
    """Return charts of what models saw while they learned; none where no model tells."""
    told = [model for model in models if len(model.training) > 1]
    shared: dict[str, list[charts.Line]] = {}
    for model in told:
        for name in dict.fromkeys(name for row in model.training for name in row):
            if name not in _NO_CURVES:
                kind, about = _parted(name)
                by = "seconds" if about == "objective" else _step(model)
                points = [
                    (x, y)
                    for row in model.training
                    if (x := row.get(by)) is not None and (y := row.get(name)) is not None
                ]
                label = f"{model.label} {kind}".strip()
                line = charts.Line(label, points, series[model.label])
                shared.setdefault(f"{about} by {by}", []).append(line)
    drawn = []
    for about, lines in shared.items():
        name, _, by = about.partition(" by ")
        title = f"{_words(name)} while learning"
        drawn.append(charts.curves(lines, title=title, x_label=by, y_label=_words(name)))
    return [chart for chart in drawn if chart]


@dataclass(frozen=True)
class Table:
    """What one model saw while it learned, in figures."""

    label: str
    columns: tuple[str, ...]
    rows: list[list[str]]


def training_tables(models: Sequence[ModelFacts]) -> list[Table]:
    """Return what each model saw, a row for each epoch or iteration."""
    return [
        Table(
            model.label,
            tuple(_heading(name) for name in names),
            [[_cell(row.get(name)) for name in names] for row in model.training],
        )
        for model in models
        if model.training and (names := list(dict.fromkeys(name for row in model.training for name in row)))
    ]


def _parted(name: str) -> tuple[str, str]:
    """Return on which rows a quantity is told, where its name says so, and the quantity."""
    about = name.removeprefix("train_").removeprefix("valid_")
    return name.partition("_")[0] if name != about else "", about


def _heading(name: str) -> str:
    kind, about = _parted(name)
    return f"{kind} {_words(about)}".strip()


def _cell(value: float | None) -> str:
    """Write a count whole, and any other number to five digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.5g}"


def _step(model: ModelFacts) -> str:
    return next((name for name in _STEPS if name in model.training[0]), "seconds")


def _words(name: str) -> str:
    return {"nll": "negative log-likelihood"}.get(name, metric_name(name))
