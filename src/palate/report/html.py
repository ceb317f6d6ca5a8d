"""A result as one HTML file that loads nothing: charts are inline SVG, styles inline, no script.

Every text of the data (names of items, users, columns) passes through jinja2's escaping; every number comes
from the result as it is. What is computed here is layout.
"""

from __future__ import annotations

import datetime
import math
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from palate import __version__
from palate.evaluation.result import Measured, ModelFacts, RatingFacts, Result, metric_keys, metric_name
from palate.report import charts, words
from palate.report.svg import number
from palate.report.toml import write
from palate.report.training import training_charts, training_tables

_COLOURS = 6  # of models; baselines follow in three greys, random in the faintest
_INK = 9
_FEW_VALUES = 12  # a histogram of more distinct values says little of ratings


def render(result: Result) -> str:
    """Return the whole page."""
    series = series_of(result)
    page: str = (
        environment()
        .get_template("report.html")
        .render(
            result=result,
            keys={key: places(result, key) for key in metric_keys(result.models)},
            equal=result.as_good_as_best(),
            series=series,
            words=words,
            by_time=words.by_time_words(result),
            facts=_facts(result.data.description),
            toml=write(result.plan),
            training=[Markup(svg) for svg in training_charts(result.models, series)],  # noqa: S704 - svg.py escapes
            epochs=training_tables(result.models),
            charts={name: Markup(svg) for name, svg in _charts(result, series).items()},  # noqa: S704 - svg.py escapes
        )
    )
    return page


def figure(value: float | None, places: int = 4) -> str:
    """Write a figure of the board.

    >>> figure(0.123456), figure(11.27, 2), figure(None)
    ('0.1235', '11.27', '-')
    """
    return "-" if value is None or not math.isfinite(value) else f"{value:.{places}f}"


def interval(measured: Measured, places: int = 4) -> str:
    """Write a 95 % interval, or nothing.

    >>> interval(Measured(mean=0.5, ci95=(0.4, 0.6), n=3))
    '0.4000–0.6000'
    """
    return "\u2013".join(figure(end, places) for end in measured.ci95 or ())


def places(result: Result, key: str) -> int:
    """Return the decimal places of a column: four where figures are below 1, fewer where they are large."""
    largest = max(
        (abs(model.metrics[key].value) for model in result.models if key in model.metrics), default=0.0
    )
    return 4 if not largest > 1 else 3 if largest < 10 else 2


def day(seconds: float) -> str:
    """Write a time in seconds since 1970 as a day."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d")


@cache
def environment() -> jinja2.Environment:
    """Return where the pages' templates are, with what they call."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"figure": figure, "interval": interval, "metric": metric_name, "number": number}
    made.globals["version"] = __version__
    return made


def series_of(result: Result) -> dict[str, int]:
    """Give every model a colour of its own in the plan's order, and the baselines greys."""
    own = [model.label for model in result.models if model.name not in words.BASELINES]
    grey = [model.label for model in result.models if model.name in words.BASELINES]
    colours = {label: place % _COLOURS for place, label in enumerate(own)}
    return colours | {
        label: _COLOURS + min(place, 2)
        for place, label in enumerate(sorted(grey, key=lambda label: label != "random"))
    }


def _charts(result: Result, series: dict[str, int]) -> dict[str, str]:
    ranking, metric, about = result.ranking(), metric_name(result.primary), result.data.description
    values = about.get("values")
    if values and values["distinct"] > _FEW_VALUES:
        values = None
    drawn = {
        "board": charts.intervals(
            [_row(model, result.primary, series, place == 0) for place, model in enumerate(ranking)],
            title=f"{metric} of each model with its 95 % interval",
        ),
        "cost": charts.scatter(
            [
                charts.Spot(
                    model.label,
                    model.cpu_seconds.fit + model.cpu_seconds.recommend,
                    model.metrics[result.primary].value,
                    series[model.label],
                )
                for model in ranking
            ],
            title=f"{metric} against CPU seconds to fit and to recommend",
            x_label="CPU seconds to fit and to recommend to every test user",
            y_label=metric,
        ),
        "long_tail": charts.shares(
            [
                charts.Line(curve.label, curve.points, series.get(curve.label, _INK))
                for curve in result.long_tail
            ],
            title="Cumulative share of recommendations against the catalogue, most popular item first",
            x_label="share of the catalogue, most popular first",
            y_label="share of recommendations",
        )
        if result.long_tail
        else "",
        "timeline": charts.timeline(
            [(part.train, part.valid, part.test) for part in result.split.timeline],
            title="Rows of train, validation and test over time",
            first=day(result.split.timeline[0].low) if result.split.timeline else "",
            last=day(result.split.timeline[-1].high) if result.split.timeline else "",
        ),
        "user_rows": charts.bars(_bars(about.get("by_user")), title="Users by rows", x_label="rows per user"),
        "item_rows": charts.bars(_bars(about.get("by_item")), title="Items by rows", x_label="rows per item"),
        "values": charts.bars(_bars(values), title="Rows by value", x_label="value"),
    }
    recall = "recall of the user's items in the part"
    for kind, y_label in (("activity", metric), ("popularity", recall), ("history", metric), ("age", metric)):
        parts = [part for part in result.slices if part.kind == kind]
        labels = [model.label for model in result.models]
        drawn[kind] = charts.steps(
            [(part.label, f"{part.users:,}") for part in parts],
            [
                charts.Line(
                    label,
                    [
                        (place, part.metrics[label].value)
                        for place, part in enumerate(parts)
                        if label in part.metrics
                    ],
                    series[label],
                )
                for label in labels
            ],
            title=f"{y_label} by {kind}",
            y_label=y_label,
        )
    return drawn | _rating_charts(result.ratings, series)


def _rating_charts(facts: RatingFacts | None, series: dict[str, int]) -> dict[str, str]:
    """Return the charts of the section on ratings; empty ones where the run rated nothing."""
    drawn = {"rmse_user": "", "rmse_item": "", "calibration": ""}
    if facts is None:
        return drawn
    for kind in ("user", "item"):
        parts = [part for part in facts.slices if part.kind == kind]
        lines = [
            charts.Line(label, [(place, part.rmse[label].value) for place, part in enumerate(parts)], colour)
            for label, colour in series.items()
            if parts and label in parts[0].rmse
        ]
        drawn[f"rmse_{kind}"] = charts.steps(
            [(part.label, f"{part.rows:,}") for part in parts],
            lines,
            title=f"RMSE by ratings of the {kind} in train",
            y_label="RMSE",
            from_zero=False,
        )
    drawn["calibration"] = charts.against(
        [
            charts.Line(
                one.label,
                [(point.predicted, point.actual) for point in one.points],
                series.get(one.label, _INK),
            )
            for one in facts.calibration
        ],
        title="Mean rating against mean prediction, in tenths of the test rows",
        x_label="predicted",
        y_label="rated",
    )
    return drawn


def _row(model: ModelFacts, key: str, series: dict[str, int], strong: bool) -> charts.Row:
    measured = model.metrics[key]
    return charts.Row(model.label, measured.value, measured.ci95, series[model.label], strong)


def _bars(counts: dict[str, Any] | None) -> list[tuple[str, int]]:
    bars = (counts or {}).get("histogram", ())
    return [
        (f"{bar['low']:g}" if bar["low"] < 1000 else f"{bar['low'] / 1000:.0f}k", bar["count"])
        for bar in bars
    ]


def _facts(about: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the description says in single figures, as (name, value)."""
    if "rows" not in about:  # of impressions: figures by name
        return [
            (name, f"{value:.1%}" if name.startswith("share") else f"{value:,.0f}")
            for name, value in about.items()
        ]
    facts = [
        ("rows", f"{about['rows']:,}"),
        ("distinct user-item pairs", f"{about['pairs']:,}"),
        ("density", f"{about['density']:.2%}"),
        ("rows that repeat a pair", f"{about['repeated_share']:.0%}"),
    ]
    for kind, name in (("by_user", "user"), ("by_item", "item")):
        counts = about[kind]
        facts.append((f"rows per {name}, median", f"{counts['quantiles']['median']:,.0f}"))
        facts.append((f"rows per {name}, at most", f"{counts['quantiles']['max']:,.0f}"))
        facts.append((f"Gini over {name}s", f"{counts['gini']:.2f}"))
    if times := about["times"]:
        facts += [("first day", times["first"]), ("last day", times["last"])]
        facts.append(("same time as the row before", f"{times['tied_share']:.0%}"))
    if about["baskets"]:
        facts.append(("baskets", f"{about['baskets']:,}"))
    return facts
