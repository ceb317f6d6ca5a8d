"""The parts of a chart: a scale, text, axes, round numbers, and names that keep out of each other's way."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from html import escape

WIDTH = 360
"""Units across; a phone shows them at their own size, so text stays readable."""
CHAR = 6.1
"""Mean width of a character of 11 units, with some air."""

Box = tuple[float, float, float, float]


class Scale:
    """A straight line from data to the page; `low == high` maps to `start`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.start = low, start
        self.slope = (end - start) / ((high - low) or 1.0)

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        return self.start + (value - self.low) * self.slope


def svg(height: float, title: str, body: Sequence[str]) -> str:
    """Return the whole drawing, named for those who cannot see it."""
    name = escape(title, quote=True)
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{name}">'
    return f"{head}<title>{name}</title>{''.join(body)}</svg>"


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Return escaped text, standing on `y`."""
    style = f' class="{kind}"' if kind else ""
    style += f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(words)}</text>'


def rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    """Return a filled rectangle."""
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def dot(series: int, x: float, y: float, radius: float = 4) -> str:
    """Return a dot in the colour of a series."""
    return f'<circle class="dot s{series}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def path(kind: str, points: Sequence[tuple[float, float]]) -> str:
    """Return a line through points."""
    return f'<path class="{kind}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'


def x_axis(x: Scale, marks: Sequence[float], left: float, right: float, y: float) -> str:
    """Return the line below a chart with its numbers."""
    parts = [path("axis", [(left, y), (right, y)])]
    for mark in marks:
        parts += [
            path("axis", [(x(mark), y), (x(mark), y + 3)]),
            text(x(mark), y + 15, f"{mark:g}", "faint", "middle"),
        ]
    return "".join(parts)


def y_axis(y: Scale, marks: Sequence[float], left: float, right: float, *, percent: bool = False) -> str:
    """Return faint lines across a chart with their numbers on the left."""
    parts = []
    for mark in marks:
        name = f"{mark:.0%}" if percent else f"{mark:g}"
        parts += [
            path("grid", [(left, y(mark)), (right, y(mark))]),
            text(left - 6, y(mark) + 4, name, "faint", "end"),
        ]
    return "".join(parts)


def number(value: float | None) -> str:
    """Write a number with three digits after the point or three significant ones; `-` for none.

    >>> [number(x) for x in (0.12345, 12.345, 1234.5, 0.0, 0.00001, None)]
    ['0.123', '12.3', '1,234', '0', '1e-05', '-']
    """
    if value is None or not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 0.0005:
        return f"{value:.0e}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.3g}"


def short(count: int) -> str:
    """Write a count in at most five characters or so.

    >>> short(9_999), short(12_345), short(20_000_263)
    ('9,999', '12k', '20M')
    """
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1000:,.0f}k" if count < 10_000_000 else f"{count / 1_000_000:,.0f}M"


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about `count` round numbers from `low` to `high`: steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0, 0.37)
    [0.0, 0.1, 0.2, 0.3]
    """
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    places = max(0, 1 - math.floor(math.log10(step)))
    return [round(step * n, places) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def area(points: Sequence[tuple[float, float]]) -> float:
    """Return the area below a line through points."""
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending places apart by at least `gap`: downwards first, then back up from the lower edge."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, low, moved[-1] + gap if moved else low))
    ceiling = high
    for n in range(len(moved) - 1, -1, -1):
        moved[n] = min(moved[n], ceiling)
        ceiling = moved[n] - gap
    return moved


def beside(
    x: float, y: float, width: float, *, taken: list[Box], left: float, right: float
) -> tuple[float, float, str]:
    """Choose where a dot's name stands, so that it hides least of what is `taken`; that is then taken too."""
    choices = [
        (x + 8, y + 4, "start"),
        (x - 8, y + 4, "end"),
        (x, y - 9, "middle"),
        (x, y + 17, "middle"),
        *((x + dx, y + dy, anchor) for dy in (-6, 14) for dx, anchor in ((7, "start"), (-7, "end"))),
    ]
    shift = {"start": 0.0, "end": -width, "middle": -width / 2}

    def box(choice: tuple[float, float, str]) -> Box:
        start = choice[0] + shift[choice[2]]
        return (start, choice[1] - 10, start + width, choice[1] + 3)

    def cost(choice: tuple[float, float, str]) -> float:
        here = box(choice)
        outside = max(here[2] - right, 0) + max(left - here[0], 0)
        return 1000 * outside + sum(_overlap(here, other) for other in taken)

    chosen = min(choices, key=cost)
    taken.append(box(chosen))
    return chosen


def _overlap(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
