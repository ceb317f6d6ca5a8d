"""MovieLens: the official layouts, as folders and as archives; and the real sets where they are at hand."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from official import FOLDERS, MOVIES, RATINGS, SIZES, official, official_zip

from palate import datasets
from palate.errors import DataError

DATA = Path(os.environ.get("PALATE_DATA", "/nowhere"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PALATE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def check(dataset: datasets.Dataset, size: str) -> None:
    whole = size in ("100k", "1m")
    rows = [(u, i, float(f"{r:.0f}") if whole else r, t) for u, i, r, t in RATINGS]
    assert dataset.interactions.table().rows() == rows
    assert dataset.catalogue is not None
    films = {i: (title, genres) for i, title, genres in MOVIES}
    for item, title, year, genres in dataset.catalogue.table.rows():
        assert title == films[item][0]
        assert year == int(title[-5:-1])
        assert genres == (films[item][1] or (["unknown"] if size == "100k" else []))
    assert dataset.catalogue.names([1029]) == ["Mission: Impossible (1996)"]
    items = dataset.interactions.items
    assert dataset.catalogue.matching("genre has drama or year >= 1996", items).tolist() == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("size", SIZES)
def test_each_release_is_read_from_its_folder(size: str, place: Path) -> None:
    official(size, place / FOLDERS.get(size, f"ml-{size}"))
    dataset = datasets.load(f"movielens-{size}", offline=True)
    check(dataset, size)
    assert dataset.name == f"movielens-{size}"
    assert "GroupLens" in dataset.licence


@pytest.mark.parametrize("size", SIZES)
def test_each_release_is_read_from_its_archive(size: str, place: Path) -> None:
    official_zip(size, place / f"ml-{size}.zip")
    check(datasets.load(f"movielens-{size}", offline=True), size)


def test_a_folder_or_archive_can_be_given_itself(tmp_path: Path) -> None:
    check(datasets.load(official("1m", tmp_path / "anything")), "1m")
    check(datasets.load(official_zip("20m", tmp_path / "any.zip")), "20m")


def test_an_incomplete_folder_is_passed_over_for_the_next_place(place: Path) -> None:
    official("10m", place / "ml-10m")
    (place / "ml-10m" / "ratings.dat").unlink()
    official_zip("10m", place / "ml-10m.zip")
    check(datasets.load("movielens-10m", offline=True), "10m")


def test_a_torn_archive_is_told(tmp_path: Path) -> None:
    path = official_zip("1m", tmp_path / "ml-1m.zip")
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="torn zip"):
        datasets.load(path)


def test_a_zip_of_something_else_is_told(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(DataError, match="zip archive"):
        datasets.load(tmp_path / "a.zip")


def test_order_stands_in_for_the_times_of_1m_and_it_is_said(place: Path) -> None:
    folder = official("1m", place / "ml-1m")
    (folder / "ratings.dat").unlink()
    rows = "user_id\tmovie_id\trating\ttimestamp\torder\n1\t31\t5\t978300760\t2\n"
    rows += "1\t17\t3\t978302109\t1\n7\t17\t4\t\t1\n"
    (folder / "ratings_ordered.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    dataset = datasets.load("movielens-1m", offline=True)
    assert dataset.interactions.table().rows() == [(1, 31, 5, 2), (1, 17, 3, 1), (7, 17, 4, 1)]
    assert any("stand-in" in note for note in dataset.notes)
    assert any(
        "1980" not in one and "places in a history" in one for one in datasets.describe(dataset).warnings
    )


def real(folder: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not (DATA / folder).is_dir(), reason=f"needs PALATE_DATA with {folder}")


@real("ml-100k")
def test_the_real_100k_has_its_published_counts() -> None:
    dataset = datasets.load("movielens-100k", offline=True)
    data = dataset.interactions
    assert (data.n_users, data.n_items, len(data)) == (943, 1_682, 100_000)
    assert np.bincount(data.value.astype(int))[1:].tolist() == [6_110, 11_370, 27_145, 34_174, 21_201]
    assert dataset.catalogue is not None
    assert dataset.catalogue.names([1, 1682]) == [
        "Toy Story (1995)",
        "Scream of Stone (Schrei aus Stein) (1991)",
    ]
    assert int((dataset.catalogue.table["year"].is_null()).sum()) <= 3


@real("ml-1m")
def test_the_real_1m_has_its_published_counts() -> None:
    dataset = datasets.load("movielens-1m", offline=True)
    data = dataset.interactions
    assert (data.n_users, data.n_items, len(data)) == (6_040, 3_706, 1_000_209)
    assert np.bincount(data.value.astype(int))[1:].tolist() == [56_174, 107_557, 261_197, 348_971, 226_310]
    assert dataset.catalogue is not None
    assert len(dataset.catalogue) == 3_883


@real("ml-latest-small-2018")
def test_the_real_latest_small_has_its_published_counts() -> None:
    dataset = datasets.load("movielens-latest-small", offline=True)
    data = dataset.interactions
    assert (data.n_users, data.n_items, len(data)) == (610, 9_724, 100_836)
    assert dataset.catalogue is not None
    assert len(dataset.catalogue) == 9_742
