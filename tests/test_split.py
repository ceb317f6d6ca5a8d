"""Splits: exact counts, no leak, and the known faults of other splitters, each by name."""

from __future__ import annotations

import datetime
import itertools
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from palate import split as splits
from palate.errors import PlanError, SplitError
from palate.interactions import Interactions
from palate.split.by_time import moment
from palate.split.protocol import Split, share
from palate.split.rows import counted

quick = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])

METHODS: list[tuple[str, dict[str, object]]] = [
    ("random", {}),
    ("stratified", {}),
    ("stratified", {"by": "item"}),
    ("chronological", {}),
    ("chronological", {"by": "item"}),
    ("last-out", {}),
    ("time", {"at": 0.75}),
    ("new-users", {"users": 0.4}),
    ("new-items", {"items": 0.3}),
]
names = [f"{method}-{params['by']}" if "by" in params else method for method, params in METHODS]
each_method = pytest.mark.parametrize(("method", "params"), METHODS, ids=names)


def world(rows: int = 400, users: int = 20, items: int = 12, seed: int = 0, **more: object) -> Interactions:
    """Rows with tied times and repeated pairs; `value` numbers the rows, so a part says which it has."""
    rng = np.random.default_rng(seed)
    table = {
        "user": rng.integers(100, 100 + users, rows),
        "item": [f"i{i}" for i in rng.integers(0, items, rows)],
        "time": rng.integers(0, 60, rows),
        "value": np.arange(rows, dtype=float),
    }
    return Interactions.from_table(table | more)


@st.composite
def tables(draw: st.DrawFn) -> Interactions:
    """Small tables in which at least one user has four rows, with many ties and repeats."""
    n = draw(st.integers(4, 40))
    user = [0, 0, 0, 0, *draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))]
    item = draw(st.lists(st.integers(0, 5), min_size=len(user), max_size=len(user)))
    time = draw(st.lists(st.integers(-3, 8), min_size=len(user), max_size=len(user)))
    order = draw(st.permutations(range(len(user))))
    table = pl.DataFrame({"user": user, "item": item, "time": time})[order]
    return Interactions.from_table(table.with_columns(value=pl.int_range(len(user))))


def parts(split: Split) -> dict[str, Interactions]:
    named = {name: getattr(split, name) for name in ("train", "valid", "test", "context", "valid_context")}
    return {name: part for name, part in named.items() if part is not None}


def rows(part: Interactions) -> list[int]:
    return part.value.astype(int).tolist()


def made(data: Interactions, method: str, **params: object) -> Split | None:
    """The split, or None where this table leaves a part empty (which is refused, and tested by itself)."""
    try:
        return splits.make(data, method, **params)
    except SplitError:
        return None


# Facts of every method


@each_method
@quick
@given(data=tables(), seed=st.integers(0, 3), valid=st.sampled_from([0.0, 0.3]))
def test_parts_are_a_permutation_of_the_rows_in_their_order(method, params, data, seed, valid):
    split = made(data, method, **(params | {"valid": valid, "seed": seed}))
    if split is None:
        return
    assert sorted(row for part in parts(split).values() for row in rows(part)) == list(range(len(data)))
    for part in parts(split).values():
        assert rows(part) == sorted(rows(part))
        assert part.table().equals(data.table()[rows(part)])


@each_method
@quick
@given(data=tables(), valid=st.sampled_from([0.0, 0.3]))
def test_cold_and_seen_counts_equal_brute_force(method, params, data, valid):
    split = made(data, method, **(params | {"valid": valid}))
    if split is None:
        return
    train, test = split.train.table(), split.test.table()
    shown = split.context.table() if split.context else train
    known_users, known_items = {*train["user"], *shown["user"]}, {*train["item"]}
    pairs = {*zip(shown["user"], shown["item"], strict=True)}
    tested = list(zip(test["user"], test["item"], strict=True))
    assert split.cold_rows == sum(u not in known_users or i not in known_items for u, i in tested)
    assert split.cold_users == len({*test["user"]} - known_users)
    assert split.cold_items == len({*test["item"]} - known_items)
    assert split.seen_rows == sum(pair in pairs for pair in tested)
    if method == "new-items":  # there every test row is cold
        return
    dropped = made(data, method, **(params | {"valid": valid, "cold": "drop"}))
    if dropped is not None:
        assert (dropped.cold_rows, dropped.cold_items) == (split.cold_rows, split.cold_items)
        assert rows(dropped.train) == rows(split.train)
        assert len(dropped.test) == len(split.test) - split.cold_rows
        assert {*dropped.test.items.ids} <= known_items


@each_method
def test_a_seed_repeats_and_another_seed_differs_where_chance_plays(method, params):
    data = world()
    one, again, other = (splits.make(data, method, **(params | {"seed": seed})) for seed in (1, 1, 2))
    assert {n: rows(p) for n, p in parts(one).items()} == {n: rows(p) for n, p in parts(again).items()}
    assert (rows(one.test) != rows(other.test)) == (
        method in ("random", "stratified", "new-users", "new-items")
    )


@each_method
def test_the_test_part_is_the_same_with_and_without_validation(method, params):
    data = world()
    without = splits.make(data, method, **(params | {"valid": 0}))
    with_valid = splits.make(data, method, **(params | {"valid": 0.2}))
    assert rows(without.test) == rows(with_valid.test)
    assert without.valid is None
    assert len(with_valid.valid) > 0
    assert rows(with_valid.train_and_valid()) == rows(without.train)
    assert rows(without.train_and_valid()) == rows(without.train)


@each_method
def test_train_does_not_depend_on_what_the_test_rows_hold(method, params):
    data = world()
    split = splits.make(data, method, **params)
    item = data.table()["item"].to_numpy().copy()
    item[rows(split.test)] = "something else"
    if params.get("by") == "item" or method == "new-items":
        return  # there the items are the groups
    changed = splits.make(
        Interactions.from_table(data.table().with_columns(item=pl.Series(item))), method, **params
    )
    assert changed.train.fingerprint == split.train.fingerprint


@each_method
def test_the_protocol_states_counts_words_weakness_and_every_parameter(method, params):
    split = splits.make(world(), method, **params)
    protocol = split.protocol
    assert protocol.method == method
    assert params.items() <= protocol.params.items()
    assert f"{len(split.test):,} rows of {split.test.n_users} users test." in protocol.words
    assert f"{split.seen_rows} test rows repeat a pair" in protocol.words or method == "new-items"
    assert protocol.weakness.endswith(".")


@each_method
def test_parts_know_only_their_own_ids(method, params):
    for part in parts(splits.make(world(users=90, items=150), method, **params)).values():
        assert part.users.ids.to_list() == sorted(part.table()["user"].unique())
        assert part.items.ids.to_list() == sorted(part.table()["item"].unique())


@each_method
def test_events_baskets_and_ids_come_through(method, params):
    names = np.array(["view", "buy", "negative"])[np.arange(400) % 3]
    data = world(event=names, basket=np.arange(400) // 2)
    split = splits.make(data, method, **params)
    assert split.test.table().equals(data.table()[rows(split.test)])


# Counts


@given(n=st.integers(0, 10**7), share_=st.sampled_from([0.1, 0.25, 0.5, 0.7, 0.75, 0.8, 0.9, 0.35]))
def test_a_share_of_n_is_rounded_exactly_as_decimal_and_at_least_one(n, share_):
    from decimal import ROUND_HALF_EVEN, Decimal

    exact = int((Decimal(str(share_)) * n).to_integral_value(ROUND_HALF_EVEN))
    assert counted(np.array([n]), share("ratio", share_)) == [max(exact, min(n, 1))]


@quick
@given(data=tables(), ratio=st.sampled_from([0.2, 0.5, 0.75, 0.9]), by=st.sampled_from(["user", "item"]))
@pytest.mark.parametrize("method", ["stratified", "chronological"])
def test_each_user_or_item_trains_on_its_rounded_share_and_on_at_least_one_row(method, data, ratio, by):
    split = made(data, method, ratio=ratio, by=by)
    if split is None:
        return
    sizes, train = Counter(data.table()[by]), Counter(split.train.table()[by])
    assert train == {id: max(1, round(ratio * n)) for id, n in sizes.items()}


@quick
@given(data=tables(), ratio=st.sampled_from([0.2, 0.5, 0.75, 0.9]), valid=st.sampled_from([0.25, 0.5]))
def test_random_trains_on_exactly_its_rounded_share_of_rows(data, ratio, valid):
    split = made(data, "random", ratio=ratio, valid=valid)
    if split is None:
        return
    assert len(split.train_and_valid()) == round(ratio * len(data))
    assert len(split.train) == round((1 - valid) * round(ratio * len(data)))


def test_the_share_of_a_validation_part_is_taken_of_train():
    data = world(rows=1000)
    split = splits.random(data, ratio=0.8, valid=0.1)
    assert (len(split.train), len(split.valid), len(split.test)) == (720, 80, 200)


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_each_row_is_drawn_equally_often(method):
    data = Interactions.from_table({"user": [1] * 5 + [2] * 5, "item": range(10), "value": range(10)})
    counts = Counter(
        row for seed in range(500) for row in rows(splits.make(data, method, ratio=0.6, seed=seed).train)
    )
    assert all(abs(counts[row] - 300) < 5 * np.sqrt(500 * 0.6 * 0.4) for row in range(10))


def test_each_set_of_rows_is_drawn_equally_often():
    data = Interactions.from_table({"user": [1] * 5, "item": range(5), "value": range(5)})
    sets = Counter(tuple(rows(splits.stratified(data, ratio=0.4, seed=seed).train)) for seed in range(1000))
    assert len(sets) == 10
    assert all(abs(count - 100) < 5 * np.sqrt(1000 * 0.1 * 0.9) for count in sets.values())


# Time


@quick
@given(data=tables(), valid=st.sampled_from([0.0, 0.3]), by=st.sampled_from(["user", "item"]))
def test_chronological_has_no_train_row_of_a_user_later_than_a_test_row(data, valid, by):
    split = made(data, "chronological", valid=valid, by=by)
    if split is None:
        return
    ordered = [part for part in (split.train, split.valid, split.test) if part is not None]
    for earlier, later in itertools.pairwise(ordered):
        last, first = _extreme(earlier, by, max), _extreme(later, by, min)
        assert all(last[id] < first[id] for id in last.keys() & first.keys())


def _extreme(part: Interactions, by: str, pick: object) -> dict[object, tuple[int, int]]:
    """Each user's first or last (time, row)."""
    found: dict[object, tuple[int, int]] = {}
    for id, *at in part.table().select(by, "time", "value").iter_rows():
        found[id] = pick(found.get(id, tuple(at)), tuple(at))
    return found


@quick
@given(data=tables(), at=st.sampled_from([0.3, 0.5, 0.8]), valid=st.sampled_from([0.0, 0.4]))
def test_by_time_trains_strictly_before_it_tests_and_takes_the_boundary_nearest_to_the_share(data, at, valid):
    split = made(data, "time", at=at, valid=valid)
    if split is None:
        return
    before = split.train_and_valid()
    assert before.time.max() < split.test.time.min()
    if valid:
        assert split.train.time.max() < split.valid.time.min()
    possible = [(data.time < second).sum() for second in np.unique(data.time)[1:]]
    target = round(at * len(data))
    assert abs(len(before) - target) == min(abs(n - target) for n in possible)


def test_by_time_at_a_date_puts_that_second_in_test():
    days = ["2011-09-30T23:59:59", "2011-10-01T00:00:00", "2011-10-02", "2011-09-01"]
    days = [datetime.datetime.fromisoformat(day) for day in days]
    data = Interactions.from_table(
        {"user": [1, 2, 3, 4], "item": [1, 2, 3, 4], "time": days, "value": range(4)}
    )
    same = ("2011-10-01", "2011-10-01T00:00", "2011-10-01T02:00:00+02:00", "2011-09-30T23:59:59.5Z")
    for at in (*same, datetime.date(2011, 10, 1), datetime.datetime(2011, 10, 1)):
        split = splits.by_time(data, at=at)
        assert rows(split.train) == [0, 3]
    assert rows(splits.by_time(data, at="2011-10-01", valid="2011-09-15").valid) == [0]
    assert "before 2011-10-01 train" in split.protocol.words
    with pytest.raises(SplitError, match=r"test part.*from 2011-09-01 to 2011-10-02"):
        splits.by_time(data, at="2012-01-01")
    with pytest.raises(SplitError, match="train part"):
        splits.by_time(data, at="2011-09-01")
    with pytest.raises(SplitError, match="valid part"):
        splits.by_time(data, at="2011-10-01", valid="2011-12-01")


def test_a_boundary_never_parts_rows_of_one_second():
    data = Interactions.from_table(
        {"user": range(10), "item": range(10), "time": [0, 1, 1, 1, 1, 1, 1, 1, 1, 2]}
    )
    assert len(splits.by_time(data, at=0.4).train) == 1  # 1 or 9 of 10: 1 is nearer to 4
    assert len(splits.by_time(data, at=0.6).train) == 9
    with pytest.raises(SplitError, match="train part"):
        splits.by_time(Interactions.from_table({"user": [1, 2], "item": [1, 2], "time": [7, 7]}), at=0.5)


@pytest.mark.parametrize("seconds", [0, -62_135_596_800, 253_402_300_799, 1317427201])
def test_moments_are_told_over_the_whole_range_of_times(seconds):
    assert datetime.datetime.fromisoformat(moment(seconds)).replace(tzinfo=datetime.UTC) == datetime.datetime(
        1970, 1, 1, tzinfo=datetime.UTC
    ) + datetime.timedelta(seconds=seconds)


@quick
@given(data=tables())
def test_last_out_is_the_last_row_in_time_then_file_order_and_validation_the_last_but_one(data):
    split = splits.last_out(data, valid=True) if max(Counter(data.user).values()) >= 3 else None
    wanted_test, wanted_valid = [], []
    for user in range(data.n_users):
        own = sorted(np.flatnonzero(data.user == user), key=lambda row: (data.time[row], row))
        wanted_test += own[1:][-1:]
        wanted_valid += own[1:-1][-1:]
    assert rows(split.test) == sorted(wanted_test)
    assert rows(split.valid) == sorted(wanted_valid)
    assert rows(splits.last_out(data).test) == rows(split.test)
    assert split.cold_users == 0


@pytest.mark.parametrize(
    "method", ["random", "stratified", "chronological", "last-out", "time", "new-users", "new-items"]
)
def test_no_method_validates_unless_it_is_asked_to(method):
    split = splits.make(world(), method, **({"at": 0.8} if method == "time" else {}))
    assert split.valid is None
    assert sorted(
        [*rows(split.train), *rows(split.test), *(rows(split.context) if split.context else [])]
    ) == rows(world())


def test_last_out_breaks_ties_by_file_order():
    data = Interactions.from_table({"user": [1, 1, 1, 1], "item": [4, 3, 2, 1], "time": [5, 9, 9, 9]})
    split = splits.last_out(data, valid=True)
    assert split.test.items.ids.to_list() == [1]
    assert split.valid.items.ids.to_list() == [2]


def test_file_order_stands_in_for_times_only_when_asked():
    data = Interactions.from_table({"user": [1, 2, 1, 2, 1], "item": [5, 6, 7, 8, 9], "value": range(5)})
    split = splits.last_out(data, order="file")
    assert rows(split.test) == [3, 4]
    assert "by file order" in split.protocol.words
    assert rows(splits.chronological(data, order="file", ratio=0.5).test) == [3, 4]


@pytest.mark.parametrize(
    ("method", "params"), [("chronological", {}), ("last-out", {}), ("time", {"at": 0.8})]
)
def test_methods_that_need_times_say_so_and_name_another(method, params):
    data = Interactions.from_table({"user": [1, 1], "item": [1, 2]})
    with pytest.raises(SplitError, match=r"needs times, and the table has none.*stratified"):
        splits.make(data, method, **params)


# New users


@quick
@given(data=tables(), context=st.sampled_from([0.2, 0.5, 0.8]), timed=st.booleans())
def test_new_users_are_not_in_train_and_are_shown_their_earlier_rows(data, context, timed):
    if not timed:
        data = Interactions.from_table(data.table().drop("time"))
    split = made(data, "new-users", users=0.5, context=context, valid=0.5)
    if split is None:
        return
    sizes = Counter(data.table()["user"])
    for shown, asked in ((split.context, split.test), (split.valid_context, split.valid)):
        users = {*asked.users.ids}
        assert users == {*shown.users.ids}
        assert not users & {*split.train.users.ids}
        counts = Counter(shown.table()["user"])
        assert all(counts[u] == min(max(round(context * sizes[u]), 1), sizes[u] - 1) for u in users)
        if timed:
            last, first = _extreme(shown, "user", max), _extreme(asked, "user", min)
            assert all(last[user] < first[user] for user in users)
    eligible = sum(n >= 2 for n in sizes.values())
    assert split.test.n_users == max(1, round(0.5 * eligible))
    assert not {*split.test.users.ids} & {*split.valid.users.ids}
    assert split.cold_users == 0


def test_new_users_shown_at_random_without_times_depend_on_the_seed_alone():
    data = Interactions.from_table(world().table().drop("time"))
    one = splits.new_users(data, users=0.3, seed=1)
    assert rows(one.context) == rows(splits.new_users(data, users=0.3, seed=1, valid=0.5).context)
    assert "randomly drawn" in one.protocol.words


# Given


def test_given_counts_and_joins_in_order():
    train = Interactions.from_table(
        {"user": ["a", "b"], "item": [5, 6], "time": [3, 4], "event": ["buy", "negative"]}
    )
    valid = Interactions.from_table({"user": ["c"], "item": [4], "time": [5], "event": ["view"]})
    test = Interactions.from_table({"user": ["a", "b", "z"], "item": [5, 9, 9]})
    split = splits.given(train, test, valid)
    assert (split.cold_rows, split.cold_users, split.cold_items, split.seen_rows) == (2, 1, 1, 1)
    assert split.train_and_valid().table().equals(pl.concat([train.table(), valid.table()]))
    assert split.train_and_valid().negative.tolist() == [False, True, False]
    assert rows(splits.given(train, test, cold="drop").test) == [1]
    assert splits.make(train, "given", test=test).protocol.method == "given"


def test_given_parts_with_other_kinds_of_ids_are_refused():
    train = Interactions.from_table({"user": [1], "item": [5]})
    test = Interactions.from_table({"user": ["1"], "item": [5]})
    with pytest.raises(SplitError, match="user ids are integer in train and text in test"):
        splits.given(train, test)


def test_dropping_every_cold_row_is_refused():
    train = Interactions.from_table({"user": [1], "item": [5]})
    test = Interactions.from_table({"user": [1], "item": [6]})
    with pytest.raises(SplitError, match=r"every test row .* cold = 'drop' leaves none"):
        splits.given(train, test, cold="drop")


# Faults of Microsoft Recommenders' splitters, not repeated here


@each_method
def test_fault_the_callers_table_gains_no_column_and_no_row_moves(method, params):
    frame = world().table().to_pandas()
    before = frame.copy(deep=True)
    data = Interactions.from_table(frame)
    fingerprint = data.fingerprint
    arrays = {name: getattr(data, name).copy() for name in ("user", "item", "value", "time")}
    cold = {} if method == "new-items" else {"cold": "drop"}  # there every test row is cold
    splits.make(data, method, **(params | {"valid": 0.3} | cold))
    assert_frame_equal(frame, before)
    assert all(np.array_equal(getattr(data, name), array) for name, array in arrays.items())
    assert data.fingerprint == fingerprint


@pytest.mark.parametrize("ratio", [0.7, 0.8, 0.9])
@pytest.mark.parametrize("method", ["random", "stratified", "chronological"])
def test_fault_a_ratio_is_not_truncated_to_another(method, ratio):
    data = Interactions.from_table({"user": [1] * 100, "item": range(100), "time": range(100)})
    assert len(splits.make(data, method, ratio=ratio).train) == round(100 * ratio)


@each_method
def test_fault_numpys_global_seed_is_neither_reset_nor_read(method, params):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    splits.make(world(), method, **params)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_fault_a_ratio_of_one_is_refused_with_a_reason():
    with pytest.raises(
        SplitError, match=r"ratio = 1.0: expected a share between 0 and 1 \(neither included\)"
    ):
        splits.random(world(), ratio=1.0)


def test_fault_cold_test_items_are_counted_and_told():
    data = Interactions.from_table({"user": [1, 1, 2, 2], "item": [1, 2, 1, 3], "time": [1, 2, 3, 4]})
    split = splits.last_out(data)
    assert (split.cold_rows, split.cold_items, split.cold_users) == (2, 2, 0)
    told = "2 of 2 test rows are cold (0 users and 2 items that train does not know); they stay"
    assert told in split.protocol.words


def test_fault_no_row_falls_to_both_sides():
    data = world(rows=5000)
    split = splits.stratified(data)
    assert not {*rows(split.train)} & {*rows(split.test)}


# Bad input


@pytest.mark.parametrize(
    "ratio", [0, 1, -0.1, 1.5, float("nan"), float("inf"), "0.75", None, True, [0.5, 0.5]]
)
@pytest.mark.parametrize("method", [splits.random, splits.stratified, splits.chronological])
def test_ratios_that_are_no_share_are_refused(method, ratio):
    with pytest.raises(SplitError, match=r"ratio = .*expected a share between 0 and 1"):
        method(world(), ratio=ratio)


def test_a_percentage_is_told_from_a_share():
    with pytest.raises(SplitError, match=r"Did you mean 0.75\?"):
        splits.random(world(), ratio=75)


@pytest.mark.parametrize("at", ["soon", "0.8", "", "2011-13-01", 1.0, 0, True, None])
def test_moments_that_are_no_date_and_no_share_are_refused(at):
    with pytest.raises(SplitError, match=r"at = .*expected"):
        splits.by_time(world(), at=at)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"seed": -1}, "seed = -1: expected a whole number"),
        ({"seed": "x"}, "seed = 'x'"),
        ({"by": "basket"}, "by = 'basket': expected 'user' or 'item'"),
        ({"cold": "hide"}, "cold = 'hide': expected 'keep' or 'drop'"),
        ({"valid": 1.0}, "valid = 1.0: expected 0 .none. or a share"),
    ],
)
def test_other_wrong_parameters_are_refused(params, message):
    with pytest.raises(SplitError, match=message):
        splits.stratified(world(), **params)


@each_method
def test_one_row_cannot_be_split(method, params):
    data = Interactions.from_table({"user": [1], "item": [1], "time": [1]})
    with pytest.raises(SplitError, match=r"no row is left|no user has two rows|none trains"):
        splits.make(data, method, **params)


def test_users_of_one_row_leave_no_stratified_test_part():
    data = Interactions.from_table({"user": [1, 2, 3], "item": [1, 2, 3]})
    with pytest.raises(
        SplitError, match=r"no row is left for the test part, of 3 rows. .*use method 'random'"
    ):
        splits.stratified(data)


def test_validation_that_leaves_nothing_is_refused():
    data = Interactions.from_table({"user": [1, 1], "item": [1, 2], "time": [1, 2]})
    with pytest.raises(SplitError, match=r"valid part.*three rows"):
        splits.last_out(data, valid=True)
    with pytest.raises(SplitError, match="valid part"):
        splits.random(data, ratio=0.5, valid=0.1)


def test_a_misspelt_method_or_parameter_is_put_right():
    data = world()
    with pytest.raises(PlanError, match=r"'stratifed' is unknown.*Did you mean 'stratified'"):
        splits.make(data, "stratifed")
    with pytest.raises(PlanError, match=r"has no 'ration'.*Did you mean 'ratio'"):
        splits.make(data, "random", ration=0.5)
    with pytest.raises(PlanError, match="'time' needs 'at'"):
        splits.make(data, "time")
    with pytest.raises(PlanError, match="'given' needs 'test'"):
        splits.make(data, "given")


# A published count


@pytest.mark.skipif(
    not Path(os.environ.get("PALATE_DATA", "/nowhere"), "ml-100k", "u.data").is_file(),
    reason="needs MovieLens-100K in PALATE_DATA",
)
def test_movielens_100k_stratified_per_user_has_the_published_74_992_and_25_008_rows():
    path = Path(os.environ["PALATE_DATA"], "ml-100k", "u.data")
    names = ["user", "item", "value", "time"]
    data = Interactions.from_table(pl.read_csv(path, separator="\t", has_header=False, new_columns=names))
    split = splits.stratified(data, ratio=0.75)
    assert (len(split.train), len(split.test)) == (74_992, 25_008)
    assert split.train.n_users == split.test.n_users == 943


def test_a_dislike_told_by_its_event_stays_one_where_only_train_has_events() -> None:
    train = Interactions.from_table({"user": [1, 1], "item": [1, 2], "event": ["buy", "negative"]})
    valid, test = (Interactions.from_table({"user": [1], "item": [item]}) for item in (3, 4))
    joined = splits.given(train, test, valid).train_and_valid()
    assert joined.negative is not None
    assert joined.negative.tolist() == [False, True, False]


# --- new items ------------------------------------------------------------------------------------------------


def test_new_items_are_held_out_whole_and_as_many_as_asked_for():
    data = world(items=10)
    one = splits.new_items(data, items=0.3, valid=0.5, seed=1)
    kinds = [set(part.items.ids.to_list()) for part in (one.train, one.valid, one.test) if part is not None]
    assert [len(kind) for kind in kinds] == [3, 4, 3]  # half of seven, to even
    assert set.union(*kinds) == set(data.items.ids.to_list())
    assert sum(map(len, kinds)) == 10
    assert one.cold_items == 3
    assert one.cold_rows == len(one.test)
    assert rows(one.test) == rows(splits.new_items(data, items=0.3, seed=1).test)
    with pytest.raises(SplitError, match="none trains"):
        splits.new_items(data, items=0.5, valid=0.99)


@pytest.mark.parametrize("valid", ["false", "no", 7, -1, float("nan"), None])
def test_a_validation_part_that_is_no_choice_is_refused(valid: Any):
    with pytest.raises(SplitError, match=r"valid = .*expected true or false"):
        splits.last_out(
            Interactions.from_table({"user": [1, 1], "item": [1, 2], "time": [1, 2]}), valid=valid
        )
