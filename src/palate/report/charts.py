"""Small charts: data in, an SVG text out. No state, no script, no outside file.

Colours are CSS classes (`s0`, `s1`, ... for series, `faint`, `band`, `train`, ...) which the page defines for
light and dark. Every chart has a title for those who cannot see it, and its text is text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from palate.report.svg import (
    CHAR,
    WIDTH,
    Scale,
    area,
    beside,
    dot,
    number,
    path,
    rect,
    short,
    spread,
    svg,
    text,
    ticks,
    x_axis,
    y_axis,
)


@dataclass(frozen=True)
class Row:
    """A model in an interval chart."""

    label: str
    mean: float
    ci95: tuple[float, float] | None
    series: int
    strong: bool = False


@dataclass(frozen=True)
class Spot:
    """A model in a scatter chart."""

    label: str
    x: float
    y: float
    series: int


@dataclass(frozen=True)
class Line:
    """A model's curve."""

    label: str
    points: Sequence[tuple[float, float]]
    series: int


def intervals(rows: Sequence[Row], *, title: str, chance: float | None = None) -> str:
    """Draw a dot and a 95 % interval per row, and behind all what to look at them beside.

    That is the first row's interval; or, of shares that `chance` is given for, the line of that chance.
    """
    left, right, step, top = 14 + CHAR * max(len(row.label) for row in rows), WIDTH - 46.0, 22, 4
    ends = [end for row in rows for end in (row.mean, *(row.ci95 or ())) if math.isfinite(end)] + [0.0]
    if chance is not None:
        ends.append(1.0)
    x = Scale(min(ends), max(ends), left + 4, right - 6)
    bottom = top + step * len(rows)
    body = []
    if chance is not None:
        body.append(path("diagonal", [(x(chance), top), (x(chance), bottom)]))
    elif rows[0].ci95:
        low, high = map(x, rows[0].ci95)
        body.append(rect("band", low, top, max(high - low, 1), bottom - top))
    body.append(x_axis(x, ticks(min(ends), max(ends)), left, right, bottom))
    for place, row in enumerate(rows):
        y = top + step * (place + 0.5)
        weight = "strong" if row.strong else ""
        mean = number(row.mean) if chance is None else f"{row.mean:.1%}"
        body += [text(0, y + 4, row.label, weight), text(WIDTH, y + 4, mean, weight, "end")]
        if row.ci95:
            body.append(path(f"line s{row.series}", [(x(end), y) for end in row.ci95]))
        if math.isfinite(row.mean):
            body.append(dot(row.series, x(row.mean), y))
    return svg(bottom + 20, title, body)


def scatter(spots: Sequence[Spot], *, title: str, x_label: str, y_label: str) -> str:
    """Draw named dots; x is in seconds on a logarithmic axis (below a millisecond counts as one)."""
    spots = [spot for spot in spots if math.isfinite(spot.y)]
    if not spots:
        return ""
    left, right, top, bottom = 40.0, WIDTH - 10.0, 20.0, 190.0
    logs = [math.log10(max(spot.x, 1e-3)) for spot in spots]
    first = math.floor(min(logs) + 1e-9)
    last = max(math.ceil(max(logs) - 1e-9), first + 1)
    low, high = min(0.0, *(spot.y for spot in spots)), max(spot.y for spot in spots)
    x, y = Scale(first, last, left + 8, right - 12), Scale(low, high, bottom, top + 4)
    body = [y_axis(y, ticks(low, high), left, right), text(0, 10, y_label, "faint")]
    body += [text(x(n), bottom + 15, f"{10.0**n:g} s", "faint", "middle") for n in range(first, last + 1)]
    body.append(text(right, bottom + 29, x_label, "faint", "end"))
    places = [(x(log), y(spot.y)) for log, spot in zip(logs, spots, strict=True)]
    taken = [(px - 5, py - 5, px + 5, py + 5) for px, py in places]
    for spot, (px, py) in zip(spots, places, strict=True):
        tx, ty, anchor = beside(px, py, CHAR * len(spot.label), taken=taken, left=left, right=WIDTH)
        body += [dot(spot.series, px, py), text(tx, ty, spot.label, "halo", anchor)]
    return svg(bottom + 34, title, body)


def steps(
    categories: Sequence[tuple[str, str]],
    lines: Sequence[Line],
    *,
    title: str,
    y_label: str,
    from_zero: bool = True,
) -> str:
    """Draw a line per model over ordered categories of (name, detail); points are (category, value)."""
    finite = [value for line in lines for _, value in line.points if math.isfinite(value)]
    if not finite:
        return ""
    left, top, bottom = 40.0, 20.0, 180.0
    right = WIDTH - 10 - CHAR * max(len(line.label) for line in lines)
    low, high = min(0.0, *finite, 0.0) if from_zero else min(finite), max(finite)
    x = Scale(0, max(len(categories) - 1, 1), left + 24, right - 10)
    y = Scale(low, high, bottom, top + 4)
    body = [y_axis(y, ticks(low, high), left, right), text(0, 10, y_label, "faint")]
    for place, (name, detail) in enumerate(categories):
        body.append(text(x(place), bottom + 15, name, "faint", "middle"))
        body.append(text(x(place), bottom + 28, detail, "faint small", "middle"))
    ends = []
    for line in lines:
        drawn = [(x(place), y(value)) for place, value in line.points if math.isfinite(value)]
        if drawn:
            body += [path(f"line s{line.series}", drawn), *(dot(line.series, *point, 2.5) for point in drawn)]
            ends.append((drawn[-1][1], line))
    ends.sort(key=lambda end: end[0])
    for ty, (_, line) in zip(spread([end[0] for end in ends], 12, top, bottom + 4), ends, strict=True):
        body.append(text(right + 6, ty + 4, line.label, f"name s{line.series}"))
    return svg(bottom + 34, title, body)


def shares(lines: Sequence[Line], *, title: str, x_label: str, y_label: str) -> str:
    """Draw cumulative shares, (0, 0) to (1, 1); the names stand in the empty corner, highest curve first."""
    left, right, top, bottom = 40.0, WIDTH - 10.0, 20.0, 210.0
    quarters = [0.0, 0.25, 0.5, 0.75, 1.0]
    x, y = Scale(0, 1, left, right), Scale(0, 1, bottom, top + 4)
    body = [y_axis(y, quarters, left, right, percent=True), text(0, 10, y_label, "faint")]
    body += [
        text(x(share), bottom + 15, f"{share:.0%}", "faint", "end" if share == 1 else "middle")
        for share in quarters
    ]
    body.append(text(right, bottom + 29, x_label, "faint", "end"))
    body.append(path("diagonal", [(x(0), y(0)), (x(1), y(1))]))
    ordered = sorted(lines, key=lambda line: -area(line.points))
    start = right - CHAR * max(len(line.label) for line in ordered) - 10
    for place, line in enumerate(ordered):
        ty = bottom - 8 - 13 * (len(ordered) - 1 - place)
        body.append(path(f"line s{line.series}", [(x(a), y(b)) for a, b in line.points]))
        body.append(path(f"line s{line.series}", [(start - 18, ty - 4), (start - 6, ty - 4)]))
        body.append(text(start, ty, line.label, "halo"))
    return svg(bottom + 34, title, body)


def against(lines: Sequence[Line], *, title: str, x_label: str, y_label: str) -> str:
    """Draw two quantities of one scale against each other, with the diagonal where they are equal."""
    lines = [line for line in lines if line.points]
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    low, high = min(min(point) for point in points), max(max(point) for point in points)
    left, top, bottom = 40.0, 20.0, 210.0
    right = WIDTH - 10 - CHAR * max(len(line.label) for line in lines)
    x, y = Scale(low, high, left + 6, right - 6), Scale(low, high, bottom - 4, top + 4)
    marks = ticks(low, high)
    body = [
        y_axis(y, marks, left, right),
        text(0, 10, y_label, "faint"),
        x_axis(x, marks, left, right, bottom),
    ]
    body += [
        text(right, bottom + 29, x_label, "faint", "end"),
        path("diagonal", [(x(low), y(low)), (x(high), y(high))]),
    ]
    ends = []
    for line in lines:
        drawn = [(x(a), y(b)) for a, b in line.points]
        body += [path(f"line s{line.series}", drawn), *(dot(line.series, *point, 2.5) for point in drawn)]
        ends.append((drawn[-1][1], line))
    ends.sort(key=lambda end: end[0])
    for ty, (_, line) in zip(spread([end[0] for end in ends], 12, top, bottom), ends, strict=True):
        body.append(text(right + 6, ty + 4, line.label, f"name s{line.series}"))
    return svg(bottom + 34, title, body)


def curves(lines: Sequence[Line], *, title: str, x_label: str, y_label: str) -> str:
    """Draw quantities that change along x, each named at its end."""
    drawn = [(line, [point for point in line.points if all(map(math.isfinite, point))]) for line in lines]
    points = [point for _, some in drawn for point in some]
    if not points:
        return ""
    left, top, bottom = 46.0, 20.0, 180.0
    right = WIDTH - 10 - CHAR * max(len(line.label) for line in lines)
    (x_low, x_high), (low, high) = ((min(some), max(some)) for some in zip(*points, strict=True))
    x, y = Scale(x_low, x_high, left + 6, right - 6), Scale(low, high, bottom - 4, top + 4)
    body = [y_axis(y, ticks(low, high), left, right), text(0, 10, y_label, "faint")]
    body += [
        x_axis(x, ticks(x_low, x_high), left, right, bottom),
        text(right, bottom + 29, x_label, "faint", "end"),
    ]
    ends = []
    for line, some in drawn:
        if some:
            body.append(path(f"line s{line.series}", [(x(a), y(b)) for a, b in some]))
            ends.append((y(some[-1][1]), line))
    ends.sort(key=lambda end: end[0])
    for ty, (_, line) in zip(spread([end[0] for end in ends], 12, top, bottom), ends, strict=True):
        body.append(text(right + 6, ty + 4, line.label, f"name s{line.series}"))
    return svg(bottom + 34, title, body)


def bars(counts: Sequence[tuple[str, int]], *, title: str, x_label: str) -> str:
    """Draw a histogram of (name of the bin, count), every bar with its count above it."""
    if not counts:
        return ""
    top, bottom, width = 20.0, 120.0, WIDTH / len(counts)
    y = Scale(0, max(1, *(count for _, count in counts)), 0, bottom - top - 8)
    body = []
    for place, (name, count) in enumerate(counts):
        middle, height = width * (place + 0.5), y(count)
        if count:
            body.append(rect("bar", width * place + 1, bottom - height, width - 2, max(height, 0.8)))
        body.append(text(middle, bottom - height - 4, short(count), "faint small", "middle"))
        body.append(text(middle, bottom + 13, name, "faint small", "middle"))
    body += [path("axis", [(0, bottom), (WIDTH, bottom)]), text(WIDTH, bottom + 29, x_label, "faint", "end")]
    return svg(bottom + 34, title, body)


def timeline(columns: Sequence[tuple[int, int, int]], *, title: str, first: str, last: str) -> str:
    """Draw train, validation and test rows per interval of time as stacked columns."""
    if not columns:
        return ""
    top, bottom, width = 20.0, 120.0, WIDTH / len(columns)
    highest = max(1, *(sum(column) for column in columns))
    y = Scale(0, highest, 0, bottom - top - 4)
    body = [text(0, 10, f"rows, at most {short(highest)}", "faint")]
    parts = ("train", "valid", "test")
    for place, column in enumerate(columns):
        base = bottom
        for part, count in zip(parts, column, strict=True):
            if count:
                base -= y(count)
                body.append(rect(part, width * place + 0.5, base, max(width - 1, 0.6), y(count)))
    at = float(WIDTH)
    for n, part in reversed(list(enumerate(parts))):
        if any(column[n] for column in columns):
            name = "validation" if part == "valid" else part
            at -= CHAR * len(name)
            body += [text(at, 10, name, "faint"), rect(part, at - 13, 1, 9, 9)]
            at -= 24
    body += [path("axis", [(0, bottom), (WIDTH, bottom)])]
    body += [text(0, bottom + 15, first, "faint"), text(WIDTH, bottom + 15, last, "faint", "end")]
    return svg(bottom + 20, title, body)
