"""The items: names, filters as masks over a model's items, and files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from palate.catalogue import Catalogue
from palate.errors import DataError, PlanError
from palate.vocabulary import Vocabulary

FILMS = {"movieId": [3, 1, 2], "title": ["Alien", "Big", None], "year": [1979, 1988, 2000]}


def test_the_key_becomes_item_and_stands_first() -> None:
    catalogue = Catalogue.from_table(FILMS, item="movieId")
    assert catalogue.table.columns == ["item", "title", "year"]
    assert catalogue.name == "title"
    assert len(catalogue) == 3


def test_tables_of_other_libraries_give_the_same_catalogue() -> None:
    from_pandas = Catalogue.from_table(pd.DataFrame(FILMS), item="movieId")
    assert from_pandas.table.equals(Catalogue.from_table(FILMS, item="movieId").table)


def test_names_are_the_titles_and_the_id_where_there_is_none() -> None:
    catalogue = Catalogue.from_table(FILMS, item="movieId")
    assert catalogue.names([2, 1, 99, 1]) == ["2", "Big", "99", "Big"]
    assert catalogue.names(pl.Series([3])) == ["Alien"]
    assert catalogue.names([]) == []
    assert catalogue.names(["1"]) == ["1"]  # a text is no number


def test_names_keep_text_ids_with_zeros() -> None:
    catalogue = Catalogue.from_table({"item": ["007", "7"], "name": ["Bond", "Seven"]})
    assert catalogue.names(["007", "7", "07"]) == ["Bond", "Seven", "07"]


def test_the_mask_is_over_the_vocabulary_and_unknown_items_do_not_match() -> None:
    catalogue = Catalogue.from_table(FILMS, item="movieId")
    items = Vocabulary.of([1, 3, 5])
    assert catalogue.matching("year < 1990", items).tolist() == [True, True, False]
    assert catalogue.matching("not year < 1990", items).tolist() == [False, False, False]
    assert catalogue.matching("year = 1979", items).tolist() == [False, True, False]


def test_a_misspelt_column_is_suggested() -> None:
    with pytest.raises(PlanError, match="Did you mean 'year'"):
        Catalogue.from_table(FILMS, item="movieId").matching("yaer > 1", Vocabulary.of([1]))


def test_a_repeated_key_is_refused_with_its_rows() -> None:
    with pytest.raises(DataError, match=r"rows 3: 1"):
        Catalogue.from_table({"item": [1, 2, 1], "name": list("abc")})


def test_a_missing_key_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match="rows 2"):
        Catalogue.from_table({"item": ["a", None], "name": ["x", "y"]})
    with pytest.raises(DataError, match="rows 1"):
        Catalogue.from_table({"item": ["", "b"], "name": ["x", "y"]})


def test_a_column_that_is_not_there_is_suggested() -> None:
    with pytest.raises(DataError, match="Did you mean 'movieId'"):
        Catalogue.from_table(FILMS, item="movieid")
    with pytest.raises(DataError, match="Did you mean 'title'"):
        Catalogue.from_table(FILMS, item="movieId", name="titel")


def test_a_catalogue_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        Catalogue.from_table(FILMS, item="movieId").name = "year"


def test_a_saved_catalogue_comes_back_the_same(tmp_path: Path) -> None:
    table = pl.DataFrame({"item": ["b", "a"], "label": ["B", "A"], "tags": [["x"], []], "plot": ["p", "q"]})
    catalogue = Catalogue.from_table(table, name="label", text=("plot",))
    catalogue.save(tmp_path / "items.parquet")
    loaded = Catalogue.load(tmp_path / "items.parquet")
    assert loaded.table.equals(catalogue.table)
    assert (loaded.name, loaded.text) == ("label", ("plot",))
    assert [one.name for one in tmp_path.iterdir()] == ["items.parquet"]


def test_a_torn_catalogue_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    Catalogue.from_table(FILMS, item="movieId").save(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="no catalogue"):
        Catalogue.load(path)
    with pytest.raises(DataError, match="There is no catalogue"):
        Catalogue.load(tmp_path / "nowhere.parquet")


def test_a_catalogue_into_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Cannot write"):
        Catalogue.from_table(FILMS, item="movieId").save(tmp_path / "nowhere" / "items.parquet")
