"""Charts: data in, an SVG that parses, whose marks stand where the numbers say."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.report import charts
from palate.report.svg import WIDTH, area, spread, ticks

LINES = [charts.Line("a", [(0, 0.0), (0.5, 0.9), (1, 1.0)], 0), charts.Line("b & c", [(0, 0.0), (1, 1.0)], 1)]
CHARTS = {
    "intervals": charts.intervals(
        [charts.Row("best", 0.2, (0.1, 0.3), 0, True), charts.Row("<i>", 0.1, None, 1)], title="a < b"
    ),
    "scatter": charts.scatter(
        [charts.Spot("sar", 0.01, 0.3, 0), charts.Spot("<b>", 100.0, 0.1, 1)],
        title="t",
        x_label="x",
        y_label="y",
    ),
    "steps": charts.steps([("1-3", "12"), ("4+", "13")], LINES, title="t", y_label="y"),
    "shares": charts.shares(LINES, title="t", x_label="x", y_label="y"),
    "against": charts.against(LINES, title="t", x_label="x", y_label="y"),
    "bars": charts.bars([("1", 10), ("2", 0), ("4", 5)], title="t", x_label="x"),
    "timeline": charts.timeline([(5, 0, 0), (3, 1, 4)], title="t", first="2020", last="2021"),
}


def marks(svg: str, tag: str, kind: str) -> list[ET.Element]:
    return [mark for mark in ET.fromstring(svg).iter(tag) if kind in mark.get("class", "").split()]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_one_well_formed_picture_with_a_title_and_a_role(name: str) -> None:
    picture = ET.fromstring(CHARTS[name])
    assert (picture.tag, picture.get("role")) == ("svg", "img")
    title = picture.find("title")
    assert title is not None
    assert title.text == picture.get("aria-label")


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_refers_to_nothing_outside_and_runs_nothing(name: str) -> None:
    for mark in ET.fromstring(CHARTS[name]).iter():
        assert mark.tag in {"svg", "title", "text", "path", "rect", "circle"}
        assert not any(key.startswith("on") or "href" in key or key == "style" for key in mark.attrib)


def test_intervals_are_proportional_to_their_width() -> None:
    rows = [charts.Row("a", 0.5, (0.4, 0.6), 0), charts.Row("b", 0.3, (0.1, 0.5), 1)]
    ends = []
    for line in marks(charts.intervals(rows, title="t"), "path", "line"):
        first, last = line.get("d", "")[1:].split("L")
        ends.append(float(last.split()[0]) - float(first.split()[0]))
    assert ends[1] == pytest.approx(2 * ends[0], abs=0.2)


def test_shares_stand_on_an_axis_from_zero_to_one_with_chance_marked() -> None:
    drawn = charts.intervals([charts.Row("a", 0.25, None, 0)], title="t", chance=0.5)
    words = [mark.text for mark in marks(drawn, "text", "faint")]
    assert (words[0], words[-1]) == ("0", "1")
    (chance,), (mean,) = marks(drawn, "path", "diagonal"), marks(drawn, "circle", "dot")
    axis = marks(drawn, "path", "axis")
    zero, one = (float(axis[n].get("d", "")[1:].split()[0]) for n in (1, len(axis) - 1))
    assert float(chance.get("d", "")[1:].split()[0]) == pytest.approx((zero + one) / 2, abs=0.1)
    assert float(mean.get("cx", "nan")) == pytest.approx(zero + (one - zero) / 4, abs=0.1)
    assert not marks(drawn, "rect", "band")


def test_a_logarithmic_axis_gives_equal_steps_to_equal_factors() -> None:
    spots = [charts.Spot(str(x), x, 0.1, 0) for x in (0.1, 1.0, 10.0)]
    xs = [
        float(dot.get("cx", ""))
        for dot in marks(charts.scatter(spots, title="t", x_label="", y_label=""), "circle", "dot")
    ]
    assert xs[2] - xs[1] == pytest.approx(xs[1] - xs[0], abs=0.2)


def test_a_chart_of_two_like_quantities_has_one_scale_and_equal_ones_stand_on_its_diagonal() -> None:
    line = charts.Line("a", [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)], 0)
    svg = charts.against([line, charts.Line("b", [(1.0, 3.0)], 1)], title="t", x_label="x", y_label="y")
    (diagonal,) = marks(svg, "path", "diagonal")
    first, last = ([float(part) for part in end.split()] for end in diagonal.get("d", "")[1:].split("L"))
    for mark in marks(svg, "circle", "s0"):
        along = (float(mark.get("cx", "")) - first[0]) / (last[0] - first[0])
        assert float(mark.get("cy", "")) == pytest.approx(first[1] + along * (last[1] - first[1]), abs=0.2)
    empty = [charts.Line("a", [], 0)]
    assert charts.against(empty, title="t", x_label="x", y_label="y") == ""
    assert "nobody" not in charts.against(
        [line, charts.Line("nobody", [], 1)], title="t", x_label="x", y_label="y"
    )


def test_columns_are_as_high_as_their_rows_are_many() -> None:
    svg = charts.timeline([(6, 0, 0), (0, 1, 2)], title="t", first="2020", last="2021")
    high = {kind: float(marks(svg, "rect", kind)[0].get("height", "")) for kind in ("train", "valid", "test")}
    assert high["train"] == pytest.approx(3 * high["test"], abs=0.2)
    assert high["test"] == pytest.approx(2 * high["valid"], abs=0.2)


def test_charts_of_nothing_are_empty() -> None:
    assert charts.scatter([], title="t", x_label="", y_label="") == ""
    assert charts.steps([("a", "")], [charts.Line("x", [(0, float("nan"))], 0)], title="t", y_label="") == ""
    assert charts.bars([], title="t", x_label="") == ""
    assert charts.timeline([], title="t", first="", last="") == ""


def test_a_figure_that_is_not_a_number_has_no_mark_but_keeps_its_row() -> None:
    svg = charts.intervals(
        [charts.Row("a", 0.2, None, 0), charts.Row("gone", float("nan"), None, 1)], title="t"
    )
    assert len(marks(svg, "circle", "dot")) == 1
    assert "gone" in svg


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_lie_inside_and_are_few(low: float, width: float) -> None:
    high = low + width
    found = ticks(low, high)
    assert 1 <= len(found) <= 9 or high - low < 1e-9 * abs(low)
    assert all(low - 1e-6 * width <= tick <= high + 1e-6 * width for tick in found if width > 1e-9 * abs(low))


@given(st.lists(st.floats(0, 200), min_size=1, max_size=10))
def test_names_that_are_spread_keep_their_order_and_their_distance(places: list[float]) -> None:
    found = spread(sorted(places), 12, 0, 200)
    assert all(b - a >= 12 - 1e-9 for a, b in itertools.pairwise(found))
    assert found[-1] <= 200 + 1e-9


def test_the_area_below_the_diagonal_is_a_half() -> None:
    assert area([(0, 0), (1, 1)]) == 0.5


def test_a_chart_keeps_the_width_of_a_phone() -> None:
    assert ET.fromstring(CHARTS["bars"]).get("viewBox", "").split()[2] == str(WIDTH)
