"""A line chart as SVG text, for results that are kept: no library, readable on a light and a dark page."""

from __future__ import annotations

from html import escape

WIDTH, HEIGHT = 460, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 34, 96
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito 2008: safe for colour-blind eyes
Points = list[tuple[float, float]]


def _ticks(top: float) -> list[float]:
    """Round numbers from 0 to at least `top`, about five of them."""
    step = 10.0 ** len(str(int(top))) / 100
    while top / step > 6:
        step *= 2 if str(step).strip("0.")[0] in "15" else 2.5
    return [n * step for n in range(int(-(-top // step)) + 1)]


def lines(series: dict[str, Points], *, title: str, x: str) -> str:
    """Return the inside of a chart: one line a series, both axes from zero."""
    xs, ys = (_ticks(max(point[axis] for points in series.values() for point in points)) for axis in (0, 1))

    def place(point: tuple[float, float]) -> tuple[float, float]:
        across = _LEFT + point[0] / xs[-1] * (WIDTH - _LEFT - _RIGHT)
        return round(across, 1), round(HEIGHT - _BOTTOM - point[1] / ys[-1] * (HEIGHT - _TOP - _BOTTOM), 1)

    parts = [f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}</text>']
    for value in ys:
        _, y = place((0, value))
        parts.append(f'<path d="M{_LEFT} {y}H{WIDTH - _RIGHT}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for value in xs:
        across, y = place((value, 0))
        parts.append(f'<text x="{across}" y="{y + 16}" text-anchor="middle">{value:g}</text>')
    right, below = WIDTH - _RIGHT, HEIGHT - _BOTTOM + 32
    parts.append(f'<text x="{right}" y="{below}" text-anchor="end">{escape(x)}</text>')
    for n, (name, points) in enumerate(series.items()):
        colour, placed = _COLOURS[n % len(_COLOURS)], [place(point) for point in points]
        path = "M" + "L".join(f"{a} {b}" for a, b in placed)
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.extend(f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>' for a, b in placed)
        across, down = _LEFT + (n % 2) * 200, HEIGHT - 44 + (n // 2) * 18
        parts.append(f'<circle cx="{across}" cy="{down - 4}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{across + 10}" y="{down}">{escape(name)}</text>')
    return "".join(parts)


def page(charts: list[str]) -> str:
    """Return the charts side by side as one SVG file."""
    style = (
        "text{font:12px system-ui,sans-serif;fill:#222}.grid{stroke:#8884}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
    )
    inside = "".join(f'<g transform="translate({n * WIDTH} 0)">{chart}</g>' for n, chart in enumerate(charts))
    size = f'viewBox="0 0 {WIDTH * len(charts)} {HEIGHT}" width="{WIDTH * len(charts)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>{inside}</svg>\n'
