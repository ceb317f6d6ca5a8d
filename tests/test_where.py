"""The filter language: what it admits, what it forgives, what it says when it cannot read."""

from __future__ import annotations

import contextlib
import datetime as dt
import operator

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import PlanError
from palate.where import expression

FILMS = pl.DataFrame(
    {
        "item": [1, 2, 3, 4],
        "title": ["Toy Story (1995)", "Alien", "The Big Sleep", None],
        "year": [1995, 1979, 1946, None],
        "genres": [["Animation", "Comedy"], ["Sci-Fi", "Horror"], ["Film-Noir"], []],
        "price": [1.5, 2.5, None, 0.5],
        "seen": [True, False, None, True],
        "released": [dt.date(1995, 11, 22), dt.date(1979, 5, 25), None, None],
    }
)


def admitted(where: str) -> list[int]:
    return FILMS.filter(expression(where, FILMS.schema))["item"].to_list()


@pytest.mark.parametrize(
    ("where", "items"),
    [
        ("genres has Comedy and year >= 1990", [1]),
        ("genre has comedy", [1]),
        ("GENRES has 'sci-fi'", [2]),
        ("genres has Sci-Fi or genres has Film-Noir", [2, 3]),
        ("genres contains noir", [3]),
        ("genres = Comedy", [1]),
        ("genres != Comedy", [2, 3]),
        ("genres in (Horror, Animation)", [1, 2]),
        ("genres is null", [4]),
        ("genres is not null", [1, 2, 3]),
        ("year < 1979", [3]),
        ("year <= 1979", [2, 3]),
        ("year == 1979", [2]),
        ("year <> 1979", [1, 3]),
        ("year in (1946, 1995)", [1, 3]),
        ("year not in (1946, 1995)", [2, 4]),
        ("year is null", [4]),
        ("not year = 1979", [1, 3, 4]),
        ("not (year < 1979 or year > 1990)", [2, 4]),
        ("price > 1.4 and price < 2.6", [1, 2]),
        ("price >= -1", [1, 2, 4]),
        ("title = alien", [2]),
        ("title has big", [3]),
        ("title has lie", []),
        ("title contains lie", [2]),
        ("title not contains lie", [1, 3, 4]),
        ('title = "toy story (1995)"', [1]),
        ("'title' has '(1995)'", [1]),
        ("seen = true", [1, 4]),
        ("seen = no", [2]),
        ("released < 1990-01-01", [2]),
        ("item = 3", [3]),
        ("year > 1900 or year > 1990 and title = alien", [1, 2, 3]),
    ],
)
def test_a_filter_admits_what_it_says(where: str, items: list[int]) -> None:
    assert admitted(where) == items


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("", "empty"),
        ("year >=", "position 8: expected a value"),
        ("year >= and title = x", "position 9 before 'and': expected a value"),
        ("year 1990", "position 6 before '1990': expected a comparison after 'year'"),
        ("(year > 1990", "position 13: expected ')'"),
        ("year > 1990)", "position 12"),
        ("genres has Film Noir", "several words needs quotes"),
        ("title = 'open", "position 9"),
        ("yeer > 1990", "Did you mean 'year'"),
        ("year > soon", "'year' holds numbers, not 'soon'"),
        ("genres > Comedy", "holds lists"),
        ("year contains 19", "asks for text"),
        ("released < yesterday", "2011-10-01"),
        ("seen = maybe", "true or false"),
        ("and year > 1990", "expected the name of a column"),
        ("year is 1990", "expected 'null'"),
        ("(" * 5000 + "year > 1" + ")" * 5000, "levels"),
    ],
)
def test_a_filter_that_does_not_read_says_where_and_why(where: str, says: str) -> None:
    with pytest.raises(PlanError) as error:
        expression(where, FILMS.schema)
    assert says in str(error.value)
    assert len(str(error.value).splitlines()) <= 2


@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=12),
    st.integers(-5, 5),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.booleans(),
)
def test_comparisons_equal_python_and_a_missing_value_never_matches(
    values: list[int | None], bound: int, sign: str, negated: bool
) -> None:
    compare = {
        "=": operator.eq, "!=": operator.ne, "<": operator.lt,
        "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    }[sign]  # fmt: skip
    frame = pl.DataFrame({"x": values}, schema={"x": pl.Int64})
    mask = frame.select(expression(f"{'not ' if negated else ''}x {sign} {bound}", frame.schema)).to_series()
    assert mask.to_list() == [(value is not None and compare(value, bound)) != negated for value in values]


@pytest.mark.parametrize(
    ("where", "items"),
    [
        ("price >= 10", [2]),
        ("price < 10", [1]),
        ("price != 3", [1, 2]),
        ("not price >= 10", [1, 3, 4]),
        ("price is null", [3, 4]),
        ("price is not null", [1, 2]),
    ],
)
def test_nan_is_a_missing_value(where: str, items: list[int]) -> None:
    frame = pl.DataFrame({"item": [1, 2, 3, 4], "price": [5.0, 15.0, float("nan"), None]})
    assert frame.filter(expression(where, frame.schema))["item"].to_list() == items
    with pytest.raises(PlanError, match="is null"):
        expression("price >= nan", frame.schema)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", None])
def test_a_time_is_one_in_the_columns_zone_unless_it_names_another(zone: str | None) -> None:
    times = pl.Series([dt.datetime(2024, 6, 1, 11), dt.datetime(2024, 6, 1, 13)])
    frame = pl.DataFrame({"item": [1, 2], "sold": times.dt.replace_time_zone(zone)})

    def later(than: str) -> list[int]:
        return frame.filter(expression(f"sold >= '{than}'", frame.schema))["item"].to_list()

    assert later("2024-06-01T12:00") == [2]
    assert later("2024-06-01") == [1, 2]
    noon = "2024-06-01T10:00+00:00" if zone == "Europe/Berlin" else "2024-06-01T14:00+02:00"
    assert later(noon) == [2]


@given(st.text(max_size=40))
def test_any_text_gives_a_filter_or_a_plan_error(where: str) -> None:
    with contextlib.suppress(PlanError):
        FILMS.filter(expression(where, FILMS.schema))


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12))
def test_a_quoted_value_finds_exactly_its_text(value: str) -> None:
    frame = pl.DataFrame({"x": [value, "something else entirely"]})
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    found = frame.filter(expression(f'x = "{quoted}"', frame.schema))["x"].to_list()
    assert found == [value]
