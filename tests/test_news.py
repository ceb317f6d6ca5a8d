"""Impressions: what a table becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from palate.errors import DataError, PalateWarning
from palate.news import Impressions

TABLE: dict[str, Any] = {
    "user": ["ann", "bo", "ann"],
    "time": [10, 30, 20],
    "history": [["n1", "n2"], [], ["n1", "n2"]],
    "candidates": [["n3", "n4"], ["n1", "n5", "n3"], ["n9"]],
    "clicked": [[True, False], [False, True, True], [False]],
}


def ids(shown: Impressions, codes: Any) -> list[Any]:
    return shown.articles.decode(codes).to_list()


def test_a_table_becomes_columns():
    shown = Impressions.from_table(TABLE)
    assert (len(shown), shown.n_candidates, shown.n_clicks) == (3, 6, 3)
    assert shown.users.ids.to_list() == ["ann", "bo"]
    assert ids(shown, shown.candidate) == ["n3", "n4", "n1", "n5", "n3", "n9"]
    assert shown.clicks_of.tolist() == [1, 2, 0]
    assert len(shown.histories) == 2  # ann's stands once
    past = shown.histories.select(shown.history_of)
    assert ids(shown, past.item) == ["n1", "n2", "n1", "n2"]
    assert past.lengths.tolist() == [2, 0, 2]


@pytest.mark.parametrize(
    "clicked", [[[1, 0], [0, 1, 1], [0]], [["n3"], ["n5", "n3"], []], [["n3"], ["n3", "n5"], None]]
)
def test_labels_may_be_told_in_several_ways(clicked: list[Any]):
    shown = Impressions.from_table(TABLE | {"clicked": clicked})
    assert shown.fingerprint == Impressions.from_table(TABLE).fingerprint


def test_integer_ids_and_own_names():
    table = pl.DataFrame({"reader": [7, 8], "seen": [[1], None], "shown": [[2, 3], [3]], "hit": [[3], []]})
    shown = Impressions.from_table(table, user="reader", history="seen", candidates="shown", clicked="hit")
    assert shown.articles.ids.to_list() == [1, 2, 3]
    assert shown.clicked is not None
    assert shown.clicked.tolist() == [False, True, False]  # an id is no mark, though 1 and 0 could be
    assert shown.time is None


def test_some_impressions_are_those_of_their_rows_alone():
    whole = Impressions.from_table(TABLE)
    some = whole.select(np.array([1, 2]))
    table = {name: column[1:] for name, column in TABLE.items()}
    assert some.fingerprint == Impressions.from_table(table).fingerprint
    assert some.articles.ids.to_list() == ["n1", "n2", "n3", "n5", "n9"]


def test_before_takes_the_earlier_part_and_parts_no_second():
    early, late = Impressions.from_table(TABLE).before(0.7)
    assert early.time is not None
    assert late.time is not None
    assert sorted(early.time.tolist()) == [10, 20]
    assert late.time.tolist() == [30]
    same = Impressions.from_table(TABLE | {"time": [10, 20, 20]})
    assert len(same.before(0.7)[0]) == 1


def test_clicks_are_interactions_and_first_seen_is_the_first_show():
    shown = Impressions.from_table(TABLE)
    clicks = shown.clicks()
    assert clicks.time is not None
    assert list(zip(clicks.users.decode(clicks.user), clicks.items.decode(clicks.item), clicks.time, strict=True)) == [
        ("ann", "n3", 10), ("bo", "n5", 30), ("bo", "n3", 30),
    ]  # fmt: skip
    first = dict(zip(shown.articles.ids, shown.first_seen().tolist(), strict=True))
    assert (first["n3"], first["n9"]) == (10, 20)
    assert first["n2"] == np.iinfo(np.int64).max  # read before, never shown


def test_without_labels_nothing_is_measured():
    shown = Impressions.from_table({name: column for name, column in TABLE.items() if name != "clicked"})
    assert shown.clicked is None
    with pytest.raises(DataError, match="no labels"):
        _ = shown.n_clicks


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"candidates": [["n3"], [], ["n9"]], "clicked": [[1], [], [0]]},
            r"1 row has no article in 'candidates'.*\(line 2\)",
        ),
        (
            {"candidates": [["n3"], [], None], "clicked": [[1], [], []]},
            r"2 rows have no article in .*\(lines 2, 3\)",
        ),
        (
            {"clicked": [[True], [False, True, True], [False]]},
            r"more or fewer marks than candidates.*\(line 1\)",
        ),
        (
            {"clicked": [["n3"], ["n9"], []]},
            r"a clicked article in 'clicked' that is not among.*such as n9\) \(line 2\)",
        ),
        (
            {"candidates": [["n3", None], ["n1", "n5", "n3"], ["n9"]]},
            r"without an id \(null\).*labels go by place.*\(line 1\)",
        ),
        ({"candidates": [["n3", "n4"], ["n1", "n5", "n3"], [None]]}, r"without an id \(null\).*\(line 3\)"),
        ({"clicked": [[True, None], [False, True, True], [False]]}, r"missing mark \(null\).*\(line 1\)"),
        ({"candidates": ["n3 n4", "n1", "n9"]}, "lists of article ids were expected.*split"),
        ({"user": ["ann", None, "bo"]}, "no user"),
        ({"time": [10, None, 20]}, "no time"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(change: dict[str, Any], said: str):
    with pytest.raises(DataError, match=said):
        Impressions.from_table(TABLE | change)


def test_bad_rows_can_be_left_out_and_are_counted():
    rows: list[dict[str, Any]] = [
        {"user": "ann", "history": ["n1"], "candidates": ["n3", "n4"], "clicked": [1, 0], "time": 1},
        {"user": None, "history": [], "candidates": ["n3"], "clicked": [1], "time": 2},
        {"user": "bo", "history": [], "candidates": [], "clicked": [], "time": 3},
        {"user": "bo", "history": ["n2"], "candidates": ["n3", None], "clicked": [1, 0], "time": 4},
        {"user": "bo", "history": [], "candidates": ["n3", "n5"], "clicked": [1], "time": 5},
        {"user": "bo", "history": [], "candidates": ["n3"], "clicked": [None], "time": 6},
        {"user": "bo", "history": [], "candidates": ["n3"], "clicked": [1], "time": None},
        {"user": "cy", "history": [], "candidates": ["n5", "n3"], "clicked": [0, 1], "time": 8},
    ]
    shown = Impressions.from_table(pl.DataFrame(rows), bad_rows="drop")
    whole = Impressions.from_table(pl.DataFrame([rows[0], rows[-1]]))
    assert shown.notes[0] == "6 bad rows of 8 left out."
    assert shown.fingerprint == whole.fingerprint
    by_id = [one | {"clicked": clicked} for one, clicked in zip(rows[:2], (["n4"], ["n9"]), strict=True)]
    left = Impressions.from_table(pl.DataFrame([*by_id, by_id[0] | {"clicked": ["n9"]}]), bad_rows="drop")
    assert left.clicked is not None
    assert (left.clicked.tolist(), left.notes[0]) == ([False, True], "2 bad rows of 3 left out.")
    with pytest.raises(DataError, match="nothing is left"):
        Impressions.from_table(pl.DataFrame(rows[1:3]), bad_rows="drop")


def test_a_history_by_another_name_is_pointed_at():
    renamed = {"read" if name == "history" else name: column for name, column in TABLE.items()}
    assert any("'read' holds lists" in note for note in Impressions.from_table(renamed).notes)
    assert not any("holds lists" in note for note in Impressions.from_table(TABLE).notes)
    assert not any("holds lists" in note for note in Impressions.from_table(renamed, history="read").notes)


def test_what_is_odd_is_told_and_kept():
    odd = {"candidates": [["n3", "n4"], ["n1", "n5", "n5"], ["n9"]], "clicked": [[1, 1], [0, 1, 0], [0]]}
    shown = Impressions.from_table(TABLE | odd)
    assert shown.n_candidates == 6
    assert shown.notes == (
        "1 candidates stand twice in an impression; each stays, as in the official figures.",
        "1 impressions have no click: not measured, not learned from.",
        "1 impressions have only clicks: not measured, not learned from.",
        "1 of 3 impressions are of readers without a history.",
    )
    assert not Impressions.from_table({"user": ["a"], "history": [["x"]], "candidates": [["y", "z"]]}).notes


def test_a_missing_article_of_a_history_is_left_out():
    shown = Impressions.from_table(TABLE | {"history": [["n1", None, "n2"], [None], ["n1", "n2"]]})
    assert shown.fingerprint == Impressions.from_table(TABLE).fingerprint


def read(shown: Impressions) -> dict[Any, list[Any]]:
    found = shown.interactions()
    rows: dict[Any, list[Any]] = {}
    for user, item in zip(found.users.decode(found.user), found.items.decode(found.item), strict=True):
        rows.setdefault(user, []).append(item)
    return rows


def test_clicks_that_a_growing_history_holds_stand_once():
    log = {
        "user": ["ann", "ann", "ann", "bo"],
        "time": [1, 2, 3, 1],
        "history": [["n0"], ["n0", "n1"], ["n0", "n1", "n2"], ["n9"]],
        "candidates": [["n1", "n8"], ["n2", "n8"], ["n3", "n8"], ["n1", "n2"]],
        "clicked": [["n1"], ["n2"], ["n3"], ["n1"]],
    }
    assert read(Impressions.from_table(log)) == {"ann": ["n0", "n1", "n2", "n3"], "bo": ["n9", "n1"]}


def test_clicks_after_a_history_that_stands_still_follow_it():
    frozen = {
        "user": ["ann", "ann"],
        "time": [2, 1],
        "history": [["n0", "n5"]] * 2,
        "candidates": [["n2", "n8"], ["n1", "n8"]],
        "clicked": [["n2"], ["n1"]],
    }
    assert read(Impressions.from_table(frozen)) == {"ann": ["n0", "n5", "n1", "n2"]}


def test_labels_may_be_an_array_of_rows():
    marks = pl.Series("clicked", np.array([[1, 0], [0, 1]]))
    assert isinstance(marks.dtype, pl.Array)
    shown = Impressions.from_table(
        pl.DataFrame({"user": ["a", "b"], "candidates": [["x", "y"], ["y", "z"]]}).with_columns(marks)
    )
    assert shown.labels.tolist() == [True, False, False, True]


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(DataError, match="clicks"):
        Impressions.from_table(TABLE, clicked="clicks")
    with pytest.raises(DataError, match="candidates"):
        Impressions.from_table({"user": ["ann"]})


@pytest.mark.parametrize("nothing", [[[], []], [None, None], [None, []], [[None], []]])
def test_readers_without_any_history_are_read(nothing: list[Any]):
    table = {"user": ["a", "b"], "history": nothing, "candidates": [["x", "y"], ["y", "z"]]}
    shown = Impressions.from_table(table)
    assert (shown.histories.lengths[shown.history_of] == 0).all()
    assert ids(shown, shown.candidate) == ["x", "y", "y", "z"]
    numbers = Impressions.from_table(table | {"candidates": [[1, 2], [2, 3]]})
    assert ids(numbers, numbers.candidate) == [1, 2, 2, 3]


def test_clicks_on_nothing_and_no_clicks_told_are_two_things():
    table = {"user": ["a", "b"], "candidates": [["x", "y"], ["y", "z"]]}
    assert Impressions.from_table(table | {"clicked": [[], []]}).n_clicks == 0
    assert Impressions.from_table(table | {"clicked": [None, None]}).clicked is None


@pytest.mark.parametrize("column", ["history", "clicked"])
def test_ids_of_two_kinds_are_refused_by_name(column: str):
    table = {"user": ["a", "b"], "candidates": [["x", "y"], ["y", "z"]], column: [[7], []]}
    with pytest.raises(
        DataError, match=rf"'{column}' holds Int64 ids and 'candidates' String ids: make both"
    ):
        Impressions.from_table(table)


def test_fresh_articles_are_those_first_shown_lately():
    hour = 3_600
    shown = Impressions.from_table(
        {
            "user": ["a", "b", "a"],
            "time": [0, 10 * hour, 12 * hour],
            "history": [["old"], [], []],
            "candidates": [["x", "y"], ["y", "z"], ["w", "x"]],
        }
    )
    assert shown.fresh(1).to_list() == ["w"]
    assert shown.fresh(3).to_list() == ["w", "z"]
    with pytest.warns(PalateWarning, match="of 12 hours, so all that they show is of the last 100"):
        assert shown.fresh(100).to_list() == [
            "w",
            "x",
            "y",
            "z",
        ]  # what only stands in a history was never shown
    with pytest.raises(DataError, match="hours = 0"):
        shown.fresh(0)
