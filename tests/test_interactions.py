"""The table that everything stands on: what comes in, what is refused and how, and what is made of it."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from palate.errors import DataError
from palate.interactions import Interactions
from tests.test_tables import KINDS
from tests.worlds import rows, tables, world

LARGE = 10 * 1024  # bytes of an id that is no id


def read(**columns: Any) -> Interactions:
    return Interactions.from_table(columns)


# --- what comes in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_content(kind: str) -> None:
    data = Interactions.from_table(KINDS[kind]())
    assert data.fingerprint == Interactions.from_table(KINDS["polars"]()).fingerprint
    assert data.users.ids.to_list() == ["ann", "bo"]
    assert data.items.ids.to_list() == [7, 9]
    assert data.user.tolist() == [0, 1, 0]
    assert data.item.tolist() == [0, 0, 1]
    assert data.value.tolist() == [1.5, 2, 0]
    assert data.time is not None
    assert data.time.tolist() == [5, 6, 8]


@given(tables())
def test_ids_and_columns_come_back_as_they_went_in(table: dict[str, list[Any]]) -> None:
    data = Interactions.from_table(table)
    assert_frame_equal(data.table(), pl.DataFrame(table), check_dtypes=False)
    assert len(data) == len(table["user"])
    assert (data.n_users, data.n_items) == (len(set(table["user"])), len(set(table["item"])))
    again = Interactions.from_table(data.table())
    assert again.fingerprint == data.fingerprint


def test_columns_are_named_by_the_caller() -> None:
    table = pl.DataFrame({"u": ["a"], "i": [1], "stars": [3], "at": [7], "user": [9], "time": [1]})
    data = Interactions.from_table(table, user="u", item="i", value="stars", time="at")
    assert data.table().rows() == [("a", 1, 3.0, 7)]


def test_optional_columns_are_used_where_they_are_and_left_where_told() -> None:
    bare = read(user=[1], item=[2])
    assert (bare.has_values, bare.time, bare.event, bare.basket) == (False, None, None, None)
    assert bare.value.tolist() == [1]
    full = {
        "user": [1, 1],
        "item": [2, 3],
        "value": [3, 4],
        "time": [4, 5],
        "event": ["view", "buy"],
        "basket": [8, 8],
    }
    data = Interactions.from_table(full)
    assert data.event is not None
    assert data.event.names.ids.to_list() == ["buy", "view"]
    assert data.basket is not None
    assert data.basket.codes.tolist() == [0, 0]
    assert data.table().columns == list(full)
    left = Interactions.from_table(full, value=None, time=None, event=None, basket=None)
    assert left.fingerprint == read(user=[1, 1], item=[2, 3]).fingerprint


def test_the_table_of_the_caller_is_never_changed() -> None:
    frame, other = rows().to_pandas(), rows(1)
    before, other_before = frame.copy(deep=True), other.clone()
    for table in (frame, other):
        data = Interactions.from_table(table, repeats="sum")
        data.histories()
        data.positive().k_core(2, 2)
    pd.testing.assert_frame_equal(frame, before)
    assert_frame_equal(other, other_before)


def test_it_is_immutable() -> None:
    data = world()
    with pytest.raises(AttributeError):
        data.user = data.item  # type: ignore[misc]


@pytest.mark.parametrize(
    ("time", "unit", "seconds"),
    [
        ([3, 1_700_000_000], "s", [3, 1_700_000_000]),
        ([3_999, -1], "ms", [3, -1]),
        ([3_999_999, 0], "us", [3, 0]),
        ([1_700_000_000_999_999_999, 0], "ns", [1_700_000_000, 0]),
        ([1.9, 2.0], "s", [1, 2]),
        (["17", "18"], "s", [17, 18]),
        (["2000-01-01", "2000-01-02"], "s", [946_684_800, 946_771_200]),
        (["2000-01-01T00:00:01Z", "2000-01-01T01:00:00+01:00"], "s", [946_684_801, 946_684_800]),
        (["2000-01-01 00:00:01", "1969-12-31 23:59:59"], "s", [946_684_801, -1]),
        ([datetime.date(2000, 1, 1), datetime.date(1969, 12, 31)], "s", [946_684_800, -86_400]),
        ([datetime.datetime(2000, 1, 1, 0, 0, 1), datetime.datetime(1970, 1, 1)], "s", [946_684_801, 0]),
        (pd.to_datetime(["2000-01-01T00:00:01Z", "1970-01-01T00:00:00Z"]), "s", [946_684_801, 0]),
    ],
)
def test_times_are_seconds_since_1970_whatever_they_were(time: Any, unit: Any, seconds: list[int]) -> None:
    data = Interactions.from_table(
        pd.DataFrame({"user": [1, 2], "item": [1, 2], "time": time}), time_unit=unit
    )
    assert data.time is not None
    assert data.time.tolist() == seconds


def test_pandas_integers_with_a_gap_are_integers() -> None:
    frame = pd.DataFrame({"user": [7.0, np.nan, 9.0], "item": [1, 2, 3]})
    data = Interactions.from_table(frame, bad_rows="drop")
    assert data.users.ids.to_list() == [7, 9]
    assert data.dropped == 1


# --- bad input ----------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {"user": [1, 2, 3], "item": [4, 5, 6], "value": [1.0, 2.0, 3.0], "time": [7, 8, 9]}

BAD = {
    "no user": ({"user": [1, None, 3]}, "1 row has no user in column 'user'"),
    "nan as user": ({"user": [1.0, float("nan"), 3.0]}, "1 row has no user in column 'user'"),
    "empty item": ({"item": ["a", "", "c"]}, "1 row has an empty item in column 'item'"),
    "item of 10 kB": ({"item": ["a", "x" * LARGE, "c"]}, "1 row has an id of more than 4,096 bytes"),
    "no value": ({"value": [1.0, None, 2.0]}, "1 row has no value in column 'value'"),
    "nan as value": ({"value": [1.0, float("nan"), 2.0]}, "1 row has a value that is not finite in column 'value'"),
    "infinite value": ({"value": [1.0, -float("inf"), 2.0]}, "1 row has a value that is not finite in column 'value'"),
    "value beyond float32": ({"value": [1.0, 1e300, 2.0]}, "1 row has a value that is not finite in column 'value'"),
    "word as value": ({"value": ["1", "good", "2"]}, r"1 row has no number in column 'value' \(such as 'good'\)"),
    "no time": ({"time": [1, None, 2]}, "1 row has no time in column 'time'"),
    "word as time": (
        {"time": ["2000-01-01", "noon", "2000-01-02"]},
        r"1 row has no time in column 'time' \(such as 'noon': give seconds or 2011-10-01\)",
    ),
    "nan as time": ({"time": [1.0, float("nan"), 2.0]}, "1 row has no time in column 'time'"),
    "time in milliseconds": (
        {"time": [1, 1_700_000_000_000, 2]},
        r"1 row has a time out of range in column 'time' \(such as 1700000000000.*time_unit",
    ),
    "time before year 1": ({"time": [1, -(10**12), 2]}, "1 row has a time out of range in column 'time'"),
    "no event": ({"event": ["buy", None, "buy"]}, "1 row has no event in column 'event'"),
    "no basket": ({"basket": [1, None, 2]}, "1 row has no basket in column 'basket'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_refused_with_their_lines_and_what_to_do(case: str) -> None:
    columns, reason = BAD[case]
    with pytest.raises(DataError, match=f"ratings.csv: {reason}") as error:
        Interactions.from_table(GOOD | columns, source="ratings.csv", first_line=2)
    message = str(error.value)
    assert "(line 3)" in message
    assert 'bad_rows = "drop" (--drop-bad-rows)' in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_dropped_and_counted_when_asked(case: str) -> None:
    data = Interactions.from_table(GOOD | BAD[case][0], bad_rows="drop")
    assert len(data) == 2
    assert data.dropped == 1
    assert data.n_users == data.n_items == 2
    good = {name: [column[0], column[2]] for name, column in (GOOD | BAD[case][0]).items()}
    assert data.fingerprint == Interactions.from_table(good).fingerprint


def test_many_bad_rows_are_counted_and_five_are_named() -> None:
    table = {"user": [None] * 8 + [1], "item": list(range(9))}
    with pytest.raises(DataError, match=r"8 rows have no user .*\(lines 1, 2, 3, 4, 5 and 3 more\)"):
        Interactions.from_table(table)
    six = {"user": [None] * 6 + [1], "item": list(range(7))}
    with pytest.raises(DataError, match=r"\(lines 1, 2, 3, 4, 5 and 1 more\)"):
        Interactions.from_table(six)


def test_a_row_bad_in_two_columns_is_dropped_once() -> None:
    data = read_dropping(
        {"user": [None, 2, 3], "item": [1, 2, 3], "value": [float("nan"), 1.0, float("inf")]}
    )
    assert (len(data), data.dropped) == (1, 2)


def read_dropping(table: dict[str, Any]) -> Interactions:
    return Interactions.from_table(table, bad_rows="drop")


def test_nothing_left_is_refused() -> None:
    with pytest.raises(DataError, match="every row is bad"):
        read_dropping({"user": [None, None], "item": [1, 2]})
    with pytest.raises(DataError, match="no rows"):
        read(user=[], item=[])
    with pytest.raises(DataError, match="no rows"):
        Interactions.from_table(pl.DataFrame())


def test_one_row_is_enough() -> None:
    data = read(user=["a"], item=["x"])
    assert (len(data), data.n_users, data.n_items) == (1, 1, 1)


@pytest.mark.parametrize("role", ["user", "item", "value", "time", "event", "basket"])
def test_a_misspelt_column_is_refused_with_the_nearest(role: str) -> None:
    table = {"user": [1], "item": [2], "movieRating": [3.0]}
    with pytest.raises(DataError, match=f"no column 'movieRatings' for {role}. Did you mean 'movieRating'"):
        Interactions.from_table(table, **{role: "movieRatings"})


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"user": [1.5, 2.0, 3.0]}, "column 'user': ids such as 1.5, 2.0, 3.0 are fractions"),
        ({"user": [True, False, True]}, "column 'user': ids of type Boolean"),
        ({"user": [[1], [2], [3]]}, "column 'user': ids of type List"),
        ({"user": pl.Series([2**64 - 1, 1, 2], dtype=pl.UInt64)}, "column 'user': .*64 bits"),
        ({"value": [[1], [2], [3]]}, "column 'value' of type List.* is no value: give numbers"),
        ({"time": [True, False, True]}, "column 'time' of type Boolean is no time"),
        ({"item": [1, "a", 2]}, "one type"),
    ],
)
def test_columns_of_the_wrong_kind_are_refused(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Interactions.from_table(GOOD | columns)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"time_unit": "h"}, "time_unit = 'h' is unknown"),
        ({"bad_rows": "ignore"}, "bad_rows = 'ignore' is unknown"),
        ({"repeats": "mean"}, "repeats = 'mean' is unknown"),
    ],
)
def test_unknown_options_are_refused_with_the_known_ones(option: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Interactions.from_table({"user": [1, 1], "item": [1, 1], "time": [1, 2]}, **option)


def test_the_first_fault_told_is_the_same_in_every_process() -> None:
    code = (
        "from palate import Interactions\n"
        "try: Interactions.from_table({'user': [None], 'item': [None], 'event': [None], 'basket': [None]})\n"
        "except Exception as error: print(error)"
    )
    told = {
        subprocess.check_output([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, text=True)
        for seed in "12"
    }
    assert len(told) == 1
    assert "no user" in told.pop()


# --- negative events ----------------------------------------------------------------------------------------


def test_negative_events_are_values_below_zero_or_named_types() -> None:
    data = read(
        user=[1, 1, 2, 2], item=[1, 2, 3, 3], value=[-1, 0, 2, 2], event=["buy", "buy", "negative", "buy"]
    )
    assert data.negative is not None
    assert data.negative.tolist() == [True, False, True, False]
    positive = data.positive()
    assert positive.item.tolist() == [1, 2]
    assert positive.items == data.items  # train decides the vocabulary, likes or not
    assert positive.positive() is positive
    assert read(user=[1], item=[1], value=[0.0]).negative is None


def test_which_types_are_negative_is_the_callers() -> None:
    table = {"user": [1, 1, 1], "item": [1, 2, 3], "event": ["skip", "return", "negative"]}
    data = Interactions.from_table(table, negative_events=["skip", "return", "unheard of"])
    assert data.negative is not None
    assert data.negative.tolist() == [True, True, False]


# --- repeats ------------------------------------------------------------------------------------------------


@given(tables(values=(-1.0, 0.0, 1.0, 2.0)), st.booleans())
def test_policies_for_repeats_are_what_a_dictionary_says(table: dict[str, list[Any]], timed: bool) -> None:
    if not timed:
        del table["time"]
    data = Interactions.from_table(table)
    time = table.get("time", [0] * len(table["user"]))
    pairs = list(zip(table["user"], table["item"], strict=True))
    in_time = sorted(range(len(pairs)), key=lambda row: time[row])  # stable: ties in file order
    last = {pairs[row]: row for row in in_time}
    first = {pairs[row]: row for row in reversed(in_time)}
    total: Counter[Any] = Counter()
    for row, pair in enumerate(pairs):
        total[pair] += table["value"][row]

    assert data.repeated("keep") is data
    assert_frame_equal(data.repeated("first").table(), data.select(sorted(first.values())).table())
    assert_frame_equal(data.repeated("last").table(), data.select(sorted(last.values())).table())
    summed = data.repeated("sum")
    assert summed.table().select("user", "item").rows() == [pairs[row] for row in sorted(last.values())]
    assert summed.value.tolist() == [total[pairs[row]] for row in sorted(last.values())]
    assert Interactions.from_table(table, repeats="sum").fingerprint == summed.fingerprint


def test_summing_pairs_without_values_counts_them() -> None:
    data = Interactions.from_table({"user": [1, 1, 2], "item": [5, 5, 5]}, repeats="sum")
    assert data.has_values
    assert data.table().rows() == [(1, 5, 2.0), (2, 5, 1.0)]


# --- parts --------------------------------------------------------------------------------------------------


@given(tables(), st.data())
def test_selected_rows_are_the_rows_and_vocabularies_shrink(
    table: dict[str, list[Any]], data: st.DataObject
) -> None:
    whole = Interactions.from_table(table)
    numbers = data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1))
    part = whole.select(np.array(numbers))
    assert_frame_equal(part.table(), whole.table()[numbers])
    assert part.users.ids.to_list() == sorted({table["user"][row] for row in numbers})
    assert part.items.ids.to_list() == sorted({table["item"][row] for row in numbers})
    mask = np.isin(np.arange(len(whole)), numbers)
    assert_frame_equal(whole.select(mask).table(), whole.table().filter(pl.Series(mask)))
    assert part.fingerprint == Interactions.from_table(whole.table()[numbers]).fingerprint


def test_selecting_carries_events_and_baskets() -> None:
    data = read(user=[1, 2], item=[1, 2], event=["buy", "view"], basket=["x", "y"]).select([1])
    assert data.table().rows() == [(2, 2, "view", "y")]


@given(tables(most=60), st.integers(0, 4), st.integers(0, 4))
def test_the_core_is_what_removing_one_by_one_leaves(
    table: dict[str, list[Any]], least_user: int, least_item: int
) -> None:
    pairs = set(zip(table["user"], table["item"], strict=True))
    while True:
        users, items = Counter(u for u, _ in pairs), Counter(i for _, i in pairs)
        kept = {(u, i) for u, i in pairs if users[u] >= least_user and items[i] >= least_item}
        if kept == pairs:
            break
        pairs = kept
    data = Interactions.from_table(table)
    if not pairs:
        with pytest.raises(DataError, match=f"min_user = {least_user}, min_item = {least_item}: lower them"):
            data.k_core(least_user, least_item)
        return
    core = data.k_core(least_user, least_item)
    wanted = [pair in pairs for pair in zip(table["user"], table["item"], strict=True)]
    assert_frame_equal(core.table(), data.table().filter(pl.Series(wanted)))


def test_the_core_counts_distinct_pairs() -> None:
    data = read(user=[1, 1, 1, 2, 2], item=[7, 7, 7, 7, 8])
    assert data.k_core(min_user=2).table()["user"].to_list() == [2, 2]


# --- histories and matrix -----------------------------------------------------------------------------------


@given(tables(), st.booleans())
def test_histories_are_by_user_oldest_first_ties_in_file_order(
    table: dict[str, list[Any]], timed: bool
) -> None:
    if not timed:
        del table["time"]
    data = Interactions.from_table(table)
    histories = data.histories()
    time = table.get("time", [0] * len(data))
    assert len(histories) == data.n_users
    for code, user in enumerate(data.users.ids):
        mine = sorted(
            (row for row in range(len(data)) if table["user"][row] == user), key=lambda row: time[row]
        )
        part = slice(histories.indptr[code], histories.indptr[code + 1])
        assert histories.item[part].tolist() == data.item[mine].tolist()
        assert histories.value[part].tolist() == data.value[mine].tolist()
        if timed:
            assert histories.time is not None
            assert histories.time[part].tolist() == [time[row] for row in mine]
        assert histories.lengths[code] == len(mine)
    assert (histories.time is None) == (not timed)
    assert data.histories() is histories


def test_selected_histories_come_in_the_order_asked_for_and_minus_1_is_empty() -> None:
    histories = world().histories()
    some = histories.select(np.array([3, -1, 0, 3]))
    assert some.lengths.tolist() == [histories.lengths[3], 0, histories.lengths[0], histories.lengths[3]]
    first = slice(histories.indptr[3], histories.indptr[4])
    for name in ("item", "value", "time"):
        wanted = getattr(histories, name)[first].tolist()
        assert getattr(some, name)[: len(wanted)].tolist() == wanted
        assert getattr(some, name)[-len(wanted) :].tolist() == wanted
    assert len(histories.select(np.empty(0, np.int64))) == 0


@given(tables())
def test_the_matrix_adds_up_or_marks_pairs(table: dict[str, list[Any]]) -> None:
    data = Interactions.from_table(table)
    wanted = np.zeros((data.n_users, data.n_items), np.float32)
    np.add.at(wanted, (data.user, data.item), data.value)
    matrix = data.matrix()
    assert matrix.dtype == np.float32
    assert matrix.has_sorted_indices
    assert np.array_equal(matrix.toarray(), wanted)
    marks = np.zeros_like(wanted)
    marks[data.user, data.item] = 1
    binary = data.matrix("binary")
    assert np.array_equal(binary.toarray(), marks)
    assert binary.has_sorted_indices


# --- fingerprint --------------------------------------------------------------------------------------------


def test_any_change_of_content_changes_the_fingerprint() -> None:
    full: dict[str, list[Any]] = {
        "user": [1, 2, 2], "item": ["a", "b", "a"], "value": [1.0, 2.0, 3.0], "time": [5, 6, 7],
        "event": ["buy", "buy", "view"], "basket": [1, 1, 2],
    }  # fmt: skip
    others: dict[str, Any] = {
        "user": 3,
        "item": "c",
        "value": 9.0,
        "time": 8,
        "event": "negative",
        "basket": 9,
    }
    prints = [Interactions.from_table(full).fingerprint]
    for column, other in others.items():
        for row in range(3):
            changed = full | {column: [*full[column][:row], other, *full[column][row + 1 :]]}
            prints.append(Interactions.from_table(changed).fingerprint)
        if column not in ("user", "item"):
            prints.append(Interactions.from_table({k: v for k, v in full.items() if k != column}).fingerprint)
    prints.append(Interactions.from_table({name: column[::-1] for name, column in full.items()}).fingerprint)
    prints.append(Interactions.from_table({name: column[:2] for name, column in full.items()}).fingerprint)
    prints.append(Interactions.from_table(full | {"user": ["1", "2", "2"]}).fingerprint)
    assert len(set(prints)) == len(prints)


def test_the_fingerprint_stays_from_version_to_version() -> None:
    data = read(user=[1, 2], item=["a", "b"], value=[1.0, 2.0], time=[5, 6])
    assert data.fingerprint == "a190f995120638fd678b79c723593747f418654b96c1cf2739b9dd3bfe282e1c"


def test_values_of_1_are_not_the_same_as_none_given() -> None:
    given_ones, none_given = read(user=[1], item=[1], value=[1.0]), read(user=[1], item=[1])
    assert given_ones.fingerprint != none_given.fingerprint
    assert np.array_equal(given_ones.value, none_given.value)


def test_it_says_what_it_holds() -> None:
    assert repr(world()) == "Interactions(345 rows, 25 users, 20 items; values, times)"
    assert repr(read(user=[1], item=[1])) == "Interactions(1 rows, 1 users, 1 items; pairs only)"
