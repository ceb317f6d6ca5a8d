"""Who is asked for: users, lists, mappings and tables, in the codes of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from palate.errors import DataError, PalateWarning, UnknownId
from palate.interactions import Interactions
from palate.models.contexts import from_histories, from_users, refuse, signed_histories
from palate.vocabulary import Vocabulary

ITEMS = Vocabulary.of(["a", "b", "c"])


def lists(histories: Any) -> list[list[str]]:
    contexts = from_histories(histories, ITEMS)
    events = contexts.events
    return [
        ITEMS.decode(events.item[a:b]).to_list()
        for a, b in zip(events.indptr[:-1], events.indptr[1:], strict=True)
    ]


@pytest.mark.parametrize(
    ("histories", "labels", "wanted"),
    [
        ([["c", "a"], [], ["b"]], [0, 1, 2], [["c", "a"], [], ["b"]]),
        ((("c", "a"),), [0], [["c", "a"]]),
        ({"zoe": ["c"], "ann": ["a", "a"]}, ["zoe", "ann"], [["c"], ["a", "a"]]),
        ({7: np.array(["c"]), 3: pl.Series(["a"])}, [7, 3], [["c"], ["a"]]),
        ([], [], []),
        ({}, [], []),
        (pl.DataFrame({"user": [9, 8, 9], "item": ["c", "b", "a"]}), [8, 9], [["b"], ["c", "a"]]),
        ({"user": [9, 8, 9], "item": ["c", "b", "a"]}, [8, 9], [["b"], ["c", "a"]]),
        ([{"user": 9, "item": "c"}, {"user": 8, "item": "b"}], [8, 9], [["b"], ["c"]]),
        ({"zoe": {"c": 4.5, "a": 1}}, ["zoe"], [["c", "a"]]),
        ([{"c": 4.5}, {}], [0, 1], [["c"], []]),
        (
            pl.DataFrame({"user": [9, 8, 9], "item": ["c", "b", "a"], "time": [5, 6, 4]}),
            [8, 9],
            [["b"], ["a", "c"]],
        ),
    ],
)
def test_histories_of_every_form(histories: Any, labels: list[Any], wanted: list[list[str]]) -> None:
    assert lists(histories) == wanted
    contexts = from_histories(histories, ITEMS)
    assert contexts.labels.to_list() == labels
    assert (contexts.users == -1).all()
    assert len(contexts) == len(wanted)


def test_ratings_of_a_history_are_its_values() -> None:
    contexts = from_histories({"zoe": {"c": 4.5, "a": 1}, "ann": {"b": 3}}, ITEMS)
    assert contexts.rated
    assert contexts.events.value.tolist() == [4.5, 1, 3]
    assert not from_histories({"zoe": ["c", "a"]}, ITEMS).rated
    with pytest.raises(DataError, match="all with ratings, or none"):
        from_histories([{"c": 4.5}, ["a"]], ITEMS)
    with pytest.raises(DataError, match="no finite number"):
        from_histories([{"c": float("nan")}], ITEMS)


def test_items_that_train_lacks_are_counted_and_left_out() -> None:
    with pytest.warns(PalateWarning, match="2 of 4 history events have items that train lacks"):
        assert lists([["a", "x"], ["y"], ["b"]]) == [["a"], [], ["b"]]
    with pytest.warns(PalateWarning, match="1 of 1"):
        assert lists([[5]]) == [[]]


@pytest.mark.parametrize("flat", [["a", "b"], [1, 2], {"ann": "a"}, {"ann": 3}, [None]])
def test_one_history_needs_its_own_brackets(flat: Any) -> None:
    with pytest.raises(DataError, match=r"give \[\[\.\.\.\]\]"):
        from_histories(flat, ITEMS)


def test_labels_and_items_of_mixed_types_are_refused() -> None:
    with pytest.raises(DataError, match="mixed types"):
        from_histories({"ann": ["a"], 5: ["b"]}, ITEMS)
    with pytest.raises(DataError, match="mixed types"):
        from_histories([["a", 5]], ITEMS)


def test_what_is_no_history_is_refused() -> None:
    with pytest.raises(DataError, match="is no table"):
        from_histories(42, ITEMS)
    with pytest.raises(DataError, match="histories: no column 'item'"):
        from_histories(pl.DataFrame({"user": [1]}), ITEMS)


def test_negative_events_have_a_value_below_zero_however_told() -> None:
    table = {
        "user": [1] * 5, "item": list("abcab"), "value": [-2.0, 3.0, 0.0, 0.25, 3.0],
        "event": ["view", "negative", "negative", "negative", "view"],
    }  # fmt: skip
    data = Interactions.from_table(table)
    assert signed_histories(data).value.tolist() == [-2, -3, -1, -1, 3]
    assert data.value.tolist() == [-2, 3, 0, 0.25, 3]
    assert data.histories().value.tolist() == [-2, 3, 0, 0.25, 3]


def test_users_of_every_form_and_unknown_ones() -> None:
    data = Interactions.from_table({"user": [1, 2, 2], "item": ["a", "b", "c"]})
    histories = data.histories()
    for asked in ([2, 9], (2, 9), pl.Series([2, 9]), np.array([2, 9]), iter([2, 9])):
        contexts = from_users(asked, data.users, histories)
        assert contexts.users.tolist() == [1, -1]
        assert contexts.events.lengths.tolist() == [2, 0]
        assert contexts.labels.to_list() == [2, 9]
    for one in (2, np.int32(2)):
        assert from_users(one, data.users, histories).users.tolist() == [1]
    every = from_users(None, data.users, histories)
    assert every.events is histories
    assert len(from_users([], data.users, histories)) == 0
    assert from_users("2", data.users, histories).users.tolist() == [-1]


def test_selecting_all_in_order_copies_nothing() -> None:
    contexts = from_histories([["a"], ["b"]], ITEMS)
    assert contexts.select(np.array([True, True])) is contexts
    some = contexts.select(np.array([1, 0, 1]))
    assert some.labels.to_list() == [1, 0, 1]
    assert some.events.item.tolist() == [1, 0, 1]


def test_refusals_name_who_and_what_to_do() -> None:
    contexts = from_histories({f"user {n}": [] for n in range(9)}, ITEMS)
    with pytest.raises(
        UnknownId, match=r'9 of 9 asked for \(user 0, .* and 4 more\).*unknown = "popular" or "skip"'
    ):
        refuse(contexts, np.ones(9, bool), folds_in=True)
    with pytest.raises(UnknownId, match="This model knows users of train only: ask for unknown"):
        refuse(contexts, np.ones(9, bool), folds_in=False)
