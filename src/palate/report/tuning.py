"""Pages of tuning and of comparing: one HTML file each that loads nothing, as the report of a run."""

from __future__ import annotations

import json
import math
from typing import Any

from markupsafe import Markup

from palate.evaluation.contest import Contest
from palate.evaluation.result import metric_name
from palate.evaluation.study import Study, Trial
from palate.report import charts, words
from palate.report.advice import advice
from palate.report.html import environment, series_of
from palate.report.pareto import Climb, Place, climbs, pareto
from palate.report.svg import number
from palate.report.toml import write


def render(study: Study) -> str:
    """Return the page of a study."""
    series = {label: place % 6 for place, label in enumerate(study.models)}
    return _page("tune.html", study=study, rows=rows(study), charts={"climbs": _climbs(study, series)})


def render_contest(contest: Contest) -> str:
    """Return the page of a comparison."""
    series = series_of(contest.result)
    metric = metric_name(contest.metric)
    front = contest.front()
    drawn = {
        "pareto": pareto(
            [
                Place(
                    model.label,
                    contest.cost(model.label),
                    model.metrics[contest.metric].value,
                    model.metrics[contest.metric].ci95,
                    series[model.label],
                    model.label in front,
                )
                for model in contest.ranking()
            ],
            lower=contest.study.lower,
            title=f"{metric} against CPU seconds, with the Pareto front",
            x_label="CPU seconds to fit and to recommend to every test user",
            y_label=f"{metric}{' (lower is better)' if contest.study.lower else ''}",
        ),
        "spread": charts.intervals(
            [
                charts.Row(
                    one.label, one.mean, (min(one.known), max(one.known)), series[one.label], place == 0
                )
                for place, one in enumerate(_spreads(contest))
            ],
            title=f"{metric} over the splits: mean, lowest and highest",
        )
        if _spreads(contest)
        else "",
        "climbs": _climbs(contest.study, series),
    }
    return _page(
        "compare.html",
        contest=contest,
        study=contest.study,
        result=contest.result,
        rows=rows(contest.study),
        series=series,
        front=front,
        equal=contest.equal(),
        chances=contest.chances(),
        said=advice(contest),
        cheapest=min(contest.cost(model.label) for model in contest.ranking()),
        words=words,
        charts=drawn,
    )


def rows(study: Study) -> list[dict[str, Any]]:
    """Return what a table of models says: label, best trial, gain over the model as given, trials, CPU seconds."""
    found: list[dict[str, Any]] = []
    for label in [*(best.model for best in study.ranking()), *study.models]:
        if label in [row["label"] for row in found]:
            continue
        trials = study.of(label)
        found.append(
            {
                "label": label,
                "best": study.best(label),
                "gain": study.gain(label),
                "trials": len(trials),
                "pruned": sum(trial.state == "pruned" for trial in trials),
                "failed": sum(trial.state == "failed" for trial in trials),
                "cpu_seconds": sum(trial.cpu_seconds for trial in trials),
            }
        )
    return found


def params_text(trial: Trial | None) -> str:
    """Write the tuned parameters of a trial.

    >>> params_text(Trial(model="a", number=1, params={"l2": 250.0, "x": None}, state="done"))
    'l2 = 250.0, x = none'
    """
    if trial is None:
        return "-"
    shown = ((name, "none" if value is None else _shown(value)) for name, value in trial.params.items())
    return ", ".join(f"{name} = {value}" for name, value in shown) or "nothing to tune"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _spreads(contest: Contest) -> list[Any]:
    ranked = [contest.values(model.label) for model in contest.ranking()]
    return [one for one in ranked if len(one.known) > 1]


def _climbs(study: Study, series: dict[str, int]) -> str:
    lines = []
    for label in study.models:
        best, so_far = math.nan, []
        for trial in study.of(label):
            if trial.state == "done" and trial.value is not None:
                better = trial.value if math.isnan(best) else (min if study.lower else max)(best, trial.value)
                best = better
            so_far.append(best)
        lines.append(Climb(label, so_far, series.get(label, 0)))
    metric = metric_name(study.metric)
    return climbs(
        lines, title=f"Best {metric} on validation after each trial", y_label=f"best {metric} so far"
    )


def _page(template: str, *, charts: dict[str, str], study: Study, **content: Any) -> str:
    page = environment().get_template(template)
    safe = {name: Markup(svg) for name, svg in charts.items()}  # noqa: S704 - svg.py escapes
    return page.render(
        study=study, charts=safe, params=params_text, number=number, toml=write(study.plan), **content
    )
