"""A training of a language model as one HTML page: its curves and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from palate.atomic import whole
from palate.report import charts
from palate.report.html import environment

_CURVES = (
    ("Loss", ("loss",)),
    ("-log P of a token", ("valid_nll",)),
    ("log P of a token, under both sides", ("log_p", "log_p_rejected")),
    ("Margin of a token, in nats", ("margin", "valid_margin")),
    ("Validation pairs that are right", ("valid_accuracy",)),
)


def write_report(facts: Mapping[str, Any], path: Path) -> Path:
    """Write the page of what `palate text train` tells, whole or not at all."""
    page = (
        environment()
        .get_template("alignment.html")
        .render(
            facts=facts,
            last=facts["trace"][-1],
            curves=[Markup(svg) for svg in _charts(facts["trace"])],  # noqa: S704 - svg.py escapes
        )
    )
    with whole(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path


def _charts(trace: list[dict[str, float]]) -> list[str]:
    drawn = []
    for title, names in _CURVES:
        lines = [
            charts.Line(name.replace("_", " "), [(row["epoch"], row[name]) for row in trace], place)
            for place, name in enumerate(name for name in names if name in trace[0])
        ]
        if lines and len(trace) > 1:
            drawn.append(charts.curves(lines, title=title, x_label="epoch", y_label=title))
    return [one for one in drawn if one]
