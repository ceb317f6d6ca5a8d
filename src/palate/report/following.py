"""A ranking as one HTML page: accuracy with intervals, and where in a text an instruction matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from markupsafe import Markup

from palate.atomic import whole
from palate.evaluation.following import Accuracy
from palate.report import charts
from palate.report.html import environment
from palate.text.rank import Ranking

_TITLES = {
    "specificity": "By constraints shown and corrupted",
    "kind": "Single constraints, by kind",
    "overlap": "With and without a name or keyword of the instruction in the text",
    "control": "A text that the corrupted constraint is true of",
    "blind": "By the instructions alone, the text unread",
}


def write_ranking(found: Ranking, accuracy: Accuracy, path: Path, *, name: str) -> Path:
    """Write the page, whole or not at all."""
    drawn = {}
    for by, title in _TITLES.items():
        groups = [one for one in accuracy.groups if one.by == by]
        if groups:
            rows = [charts.Row(one.name, one.accuracy.mean, one.accuracy.ci95, 0) for one in groups]
            drawn[title] = Markup(charts.intervals(rows, title=title, chance=0.5))  # noqa: S704 - svg.py escapes
    strips = []
    for strip in found.strips:
        largest = float(np.abs(strip.gain).max()) or 1.0
        strips.append(
            (strip, [(piece, gain, gain / largest) for piece, gain in _joined(strip.pieces, strip.gain)])
        )
    page = (
        environment()
        .get_template("following.html")
        .render(found=found, accuracy=accuracy, name=name, charts=drawn, strips=strips)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path


def _joined(
    pieces: tuple[str, ...], gain: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> list[tuple[str, float]]:
    """Return whole characters, the gains of their parts added up."""
    told: list[tuple[str, float]] = []
    for piece, one in zip(pieces, gain.tolist(), strict=True):
        if piece or not told:
            told.append((piece, one))
        else:
            told[-1] = (told[-1][0], told[-1][1] + one)
    return told
