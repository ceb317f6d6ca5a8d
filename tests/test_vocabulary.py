"""Ids to codes and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import DataError
from palate.vocabulary import Vocabulary, as_ids

integers = st.integers(-(2**63), 2**63 - 1)
near = st.integers(-50, 50)
text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
ids = st.one_of(st.lists(integers), st.lists(near), st.lists(text))


@given(ids)
def test_ids_are_distinct_sorted_and_come_back_as_they_went_in(drawn: list[Any]) -> None:
    vocabulary = Vocabulary.of(drawn)
    assert vocabulary.ids.to_list() == sorted(set(drawn))  # Python sorts text by code point too
    codes = vocabulary.encode(drawn)
    assert codes.dtype == np.int32
    assert vocabulary.decode(codes).to_list() == drawn
    assert [vocabulary.code(id) for id in drawn] == codes.tolist()


@given(
    st.one_of(st.tuples(st.lists(integers), st.lists(integers)), st.tuples(st.lists(near), st.lists(near)))
)
def test_unknown_ids_have_code_minus_1(drawn: tuple[list[int], list[int]]) -> None:
    known, asked = drawn
    vocabulary = Vocabulary.of(known)
    wanted = [sorted(set(known)).index(id) if id in known else -1 for id in asked]
    assert vocabulary.encode(asked).tolist() == wanted
    assert [vocabulary.code(id) for id in asked] == wanted


def test_text_and_integers_are_never_the_same_id() -> None:
    number, word = Vocabulary.of([5, 6]), Vocabulary.of(["5", "6"])
    assert number.encode(["5", "6"]).tolist() == word.encode([5, 6]).tolist() == [-1, -1]
    assert number.code("5") == word.code(5) == -1
    assert number.code(True) == number.code(5.0) == number.code(None) == -1
    assert 5 in number
    assert "5" not in number
    assert number.code(np.int64(6)) == 1
    assert number != word
    assert number.digest != word.digest


def test_ids_beyond_64_bits_are_unknown_one_by_one_and_refused_in_bulk() -> None:
    vocabulary = Vocabulary.of([1, 2])
    assert vocabulary.code(2**70) == -1
    for large in ([2**70], pl.Series([2**63 + 5], dtype=pl.UInt64), pl.Series([1e300])):
        with pytest.raises(DataError, match="64 bits"):
            vocabulary.encode(large)


@pytest.mark.parametrize(
    "same",
    [
        [3, 1, 2], (3, 1, 2), np.array([3, 1, 2], np.uint8), pl.Series([3, 1, 2], dtype=pl.Int16),
        pl.Series([3.0, 1.0, 2.0]), iter([3, 1, 2]), range(1, 4),
    ],
)  # fmt: skip
def test_integers_of_every_width_are_the_same_ids(same: Any) -> None:
    assert Vocabulary.of(same).ids.to_list() == [1, 2, 3]


def test_categories_are_text() -> None:
    series = pl.Series(["b", "a", "b"])
    assert Vocabulary.of(series.cast(pl.Categorical)) == Vocabulary.of(series)
    assert Vocabulary.of(series.cast(pl.Enum(["b", "a"]))).ids.to_list() == ["a", "b"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ([1, "a"], "mixed"),
        ([True, False], "no ids"),
        (pl.Series([True]), "give integers or text"),
        ([1.5, 2.0], "fractions"),
        (pl.Series([b"x"]), "give integers or text"),
        ([[1], [2]], "give integers or text"),
        ([1, None], "1 of 2 ids are missing"),
        (["a", None], "1 of 2 ids are missing"),
        (pl.Series([1.0, float("nan")]), "missing"),
        (pl.Series("x", [object(), object()], dtype=pl.Object), "mixed types"),
    ],
)
def test_what_is_no_id_is_refused(bad: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Vocabulary.of(bad)


def test_missing_ids_are_unknown() -> None:
    assert Vocabulary.of([1, 2]).encode(pl.Series([2, None, 1])).tolist() == [1, -1, 0]
    assert Vocabulary.of(["a"]).encode(pl.Series(["a", None])).tolist() == [0, -1]
    assert as_ids(pl.Series([2.0, float("nan")])).to_list() == [2, None]


def test_an_empty_vocabulary_knows_nothing() -> None:
    empty = Vocabulary.of([])
    assert len(empty) == 0
    assert empty.encode([1]).tolist() == [-1]
    assert empty.code(1) == -1


def test_far_apart_and_close_integers_are_coded_alike() -> None:
    close = list(range(0, 3_000, 3))
    far = [id * 10**12 for id in close]
    asked = [0, 1, 2_997, 3_000, -3]
    assert (
        Vocabulary.of(close).encode(asked).tolist()
        == Vocabulary.of(far).encode([i * 10**12 for i in asked]).tolist()
    )


def test_the_digest_is_of_the_content_and_tells_boundaries_apart() -> None:
    assert Vocabulary.of(["ab", "c"]).digest != Vocabulary.of(["a", "bc"]).digest
    assert Vocabulary.of([2, 1, 2]).digest == Vocabulary.of([1, 2]).digest
    assert hash(Vocabulary.of([1, 2])) == hash(Vocabulary.of([2, 1]))
    # Saved models carry these: another digest would refuse them all.
    assert Vocabulary.of([1, 2]).digest.startswith("901f2be220022a51")
    assert Vocabulary.of(["a", "bc"]).digest.startswith("035f3037ef324c92")


@given(ids)
def test_files_hold_the_ids(tmp_path_factory: pytest.TempPathFactory, drawn: list[Any]) -> None:
    path: Path = tmp_path_factory.mktemp("ids") / "ids.parquet"
    vocabulary = Vocabulary.of(drawn)
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    assert Vocabulary.load(path).ids.dtype == vocabulary.ids.dtype


def test_it_says_what_it_holds() -> None:
    assert repr(Vocabulary.of(["b", "a"])) == "Vocabulary(2 text ids: a, b)"
    assert repr(Vocabulary.of(range(2_000))) == "Vocabulary(2,000 integer ids: 0, 1, 2, ...)"
