"""Charts of a comparison: accuracy against cost with the Pareto front, and what tuning gained, trial by trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from palate.report.svg import (
    CHAR,
    WIDTH,
    Scale,
    beside,
    dot,
    path,
    spread,
    svg,
    text,
    ticks,
    x_axis,
    y_axis,
)


@dataclass(frozen=True)
class Place:
    """A model: what it costs in seconds, how good it is with its interval, and whether it is on the front."""

    label: str
    cost: float
    value: float
    ci95: tuple[float, float] | None
    series: int
    front: bool


@dataclass(frozen=True)
class Climb:
    """A model's trials: the best value after each."""

    label: str
    best: Sequence[float]
    series: int


def pareto(places: Sequence[Place], *, lower: bool, title: str, x_label: str, y_label: str) -> str:
    """Draw every model with its interval; the steps join the front, where nothing is both better and cheaper.

    Cost is on a logarithmic axis (below a millisecond counts as one). `lower`: lower values are better, and
    the axis is turned, so that up is better in every chart.
    """
    places = [place for place in places if math.isfinite(place.value)]
    if not places:
        return ""
    left, right, top, bottom = 44.0, WIDTH - 10.0, 22.0, 220.0
    logs = {place.label: math.log10(max(place.cost, 1e-3)) for place in places}
    first = math.floor(min(logs.values()) + 1e-9)
    last = max(math.ceil(max(logs.values()) - 1e-9), first + 1)
    ends = [end for place in places for end in (place.value, *(place.ci95 or ()))]
    low, high = min(ends), max(ends)
    if not lower:
        low = min(low, 0.0)
    x = Scale(first, last, left + 8, right - 12)
    y = Scale(low, high, top + 4, bottom) if lower else Scale(low, high, bottom, top + 4)
    body = [y_axis(y, ticks(low, high), left, right), text(0, 10, y_label, "faint")]
    body += [text(x(n), bottom + 15, f"{10.0**n:g} s", "faint", "middle") for n in range(first, last + 1)]
    body.append(text(right, bottom + 29, x_label, "faint", "end"))
    body.append(path("diagonal", _stairs([(x(logs[p.label]), y(p.value)) for p in places if p.front], right)))
    taken = []
    for place in places:
        px, py = x(logs[place.label]), y(place.value)
        taken.append((px - 5, py - 5, px + 5, py + 5))
        if place.ci95:
            body.append(path(f"line s{place.series}", [(px, y(end)) for end in place.ci95]))
    for place in places:
        px, py = x(logs[place.label]), y(place.value)
        tx, ty, anchor = beside(px, py, CHAR * len(place.label), taken=taken, left=left, right=WIDTH)
        body += [dot(place.series, px, py), text(tx, ty, place.label, "halo", anchor)]
    return svg(bottom + 34, title, body)


def climbs(lines: Sequence[Climb], *, title: str, y_label: str) -> str:
    """Draw the best validation value of each model after each of its trials; a model of one trial is a dot."""
    lines = [line for line in lines if any(map(math.isfinite, line.best))]
    if not lines:
        return ""
    left, top, bottom = 44.0, 22.0, 200.0
    right = WIDTH - 10 - CHAR * max(len(line.label) for line in lines)
    finite = [value for line in lines for value in line.best if math.isfinite(value)]
    x = Scale(1, max(2, *(len(line.best) for line in lines)), left + 6, right - 8)
    y = Scale(min(finite), max(finite), bottom, top + 4)
    most = max(len(line.best) for line in lines)
    body = [y_axis(y, ticks(min(finite), max(finite)), left, right), text(0, 10, y_label, "faint")]
    body.append(
        x_axis(x, [mark for mark in ticks(1, max(most, 2)) if mark == int(mark)], left, right, bottom)
    )
    ends = []
    for line in lines:
        points = [(x(n), y(value)) for n, value in enumerate(line.best, start=1) if math.isfinite(value)]
        body += [path(f"line s{line.series}", points), dot(line.series, *points[-1], 2.5)]
        ends.append((points[-1][1], line))
    ends.sort(key=lambda end: end[0])
    for ty, (_, line) in zip(spread([end[0] for end in ends], 12, top, bottom + 4), ends, strict=True):
        body.append(text(right + 6, ty + 4, line.label, f"name s{line.series}"))
    body.append(text(right, bottom + 29, "trials", "faint", "end"))
    return svg(bottom + 34, title, body)


def _stairs(front: Sequence[tuple[float, float]], right: float) -> list[tuple[float, float]]:
    """Return the line that joins the front: level up to the next model, then up to it."""
    points: list[tuple[float, float]] = []
    for px, py in sorted(front):
        if points:
            points.append((px, points[-1][1]))
        points.append((px, py))
    return [*points, (right, points[-1][1])] if points else []
