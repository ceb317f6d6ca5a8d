"""Ids and titles as people write them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from palate.catalogue import Catalogue
from palate.cli import ids
from palate.errors import DataError, PlanError, UnknownId
from palate.vocabulary import Vocabulary

NUMBERS = Vocabulary.of(pl.Series([3, 1, 20]))
WORDS = Vocabulary.of(pl.Series(["007", "b, c", "x"]))
FILMS = Catalogue.from_table({"item": [1, 3, 20], "title": ["Heat", "The Good, the Bad", "heat"]})


def test_commas_part_ids_and_quotes_keep_a_comma():
    assert ids.words('a, "b, c" ,d', "--users") == ["a", "b, c", "d"]


def test_ids_follow_the_kind_of_the_vocabulary():
    assert ids.user_ids("1, 20", NUMBERS) == [1, 20]
    assert ids.user_ids("007,x", WORDS) == ["007", "x"]


def test_a_word_for_a_number_is_an_unknown_id():
    with pytest.raises(UnknownId, match="whole numbers, such as 1"):
        ids.user_ids("alice", NUMBERS)


def test_two_signs_are_no_number():
    assert ids.user_ids("-5", NUMBERS) == [-5]
    with pytest.raises(UnknownId, match="whole numbers"):
        ids.user_ids("--5", NUMBERS)


def test_a_file_has_one_id_a_line(tmp_path: Path):
    (tmp_path / "users.txt").write_text("1\n\n20\n")
    assert ids.user_ids(f"@{tmp_path / 'users.txt'}", NUMBERS) == [1, 20]
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="is empty"):
        ids.user_ids(f"@{tmp_path / 'empty.txt'}", NUMBERS)


def test_nothing_is_refused():
    for nothing in ("", " ", ",", ", ,"):
        with pytest.raises(PlanError, match="--users is empty"):
            ids.user_ids(nothing, NUMBERS)


def test_an_item_may_be_named_by_its_title():
    assert ids.item_ids('"the good, the bad"', NUMBERS, FILMS) == [3]
    assert ids.item_ids("20,1", NUMBERS, FILMS) == [20, 1]


def test_a_title_of_two_items_asks_for_the_id():
    with pytest.raises(UnknownId, match=r"2 items are named 'Heat'.*\(1, 20\)"):
        ids.item_ids("Heat", NUMBERS, FILMS)


def test_a_misspelt_title_gets_the_nearest():
    with pytest.raises(UnknownId, match="Did you mean 'The Good, the Bad'"):
        ids.item_ids('"Good, the Bad"', NUMBERS, FILMS)


def test_without_a_catalogue_a_word_is_an_id():
    assert ids.item_ids("x", WORDS, None) == ["x"]
    assert ids.title(3, None) == "3"
    assert ids.title(3, FILMS) == "The Good, the Bad (3)"
