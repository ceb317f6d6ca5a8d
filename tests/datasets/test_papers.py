"""The files of papers: SASRec's and BERT4Rec's pairs, and NCF's split with its listed candidates."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import polars as pl
import pytest

from palate import datasets
from palate.datasets.lines import is_lists, read_lists
from palate.datasets.papers import with_ncf_split
from palate.errors import DataError, FetchError, PlanError, SplitError
from palate.evaluation import evaluate
from palate.experiment.plan import Plan
from palate.experiment.run import run
from palate.interactions import Interactions
from palate.models.registry import create
from palate.split import random

DATA = Path(os.environ.get("PALATE_DATA", "/nowhere"))
real = pytest.mark.skipif(not (DATA / "ml-1m/ncf").is_dir(), reason="needs PALATE_DATA with ml-1m/ncf")

RATINGS = [
    (1, 70, 5, 10), (1, 30, 4, 11), (1, 90, 3, 12),
    (2, 30, 2, 20), (2, 50, 5, 21), (2, 70, 4, 22),
    (3, 50, 1, 30), (3, 20, 4, 31), (3, 30, 5, 32),
]  # fmt: skip
"""Items by first appearance: 70 is 0, 30 is 1, 90 is 2, 50 is 3, 20 is 4"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny MovieLens 1M with NCF's files, in a folder of data."""
    home = tmp_path / "ml-1m"
    (home / "ncf").mkdir(parents=True)
    (home / "ratings.dat").write_text("".join("::".join(map(str, row)) + "\n" for row in RATINGS))
    movies = [f"{item}::Film {item} (1999)::Drama\n" for item in (20, 30, 50, 70, 90)]
    (home / "movies.dat").write_text("".join(movies))
    (home / "ncf" / "ml-1m.test.rating").write_text("0\t2\t3\t12\n1\t0\t4\t22\n2\t1\t5\t32\n")
    (home / "ncf" / "ml-1m.test.negative").write_text("(0,2)\t3\t4\n(1,0)\t2\t0\n(2,1)\t0\t2\n")
    monkeypatch.setenv("PALATE_DATA", str(tmp_path))
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    return home


def test_ncf_files_are_turned_back_into_the_ids_of_the_ratings(folder: Path) -> None:
    data = datasets.load("movielens-1m-ncf", offline=True)
    assert len(data.interactions) == 9
    parts = data.published_split()
    assert parts.test.table().select("user", "item").rows() == [(1, 90), (2, 70), (3, 30)]
    assert parts.train.table().select("user", "item").rows() == [
        row[:2] for row in RATINGS if row[3] % 10 < 2
    ]
    lists = parts.candidates.table().group_by("user", maintain_order=True).agg(pl.col("item"))
    assert lists["item"].to_list() == [[90, 50, 20], [70, 90], [30, 70, 90]]
    assert any("1 of the 6 negatives that NCF drew are the test item itself" in note for note in data.notes)


def test_the_lists_that_came_with_a_split_are_what_is_ranked(folder: Path) -> None:
    parts = datasets.load("movielens-1m-ncf", offline=True).published_split()
    model = create("popularity").fit(parts.train)
    found = evaluate(model, parts, k=5, metrics="hit", candidates="given", exclude_seen=False, bootstrap=0)
    ranked = [model.items.decode(row[row >= 0]).to_list() for row in found.top]
    assert [set(one) for one in ranked] == [{50, 20}, {70}, {30, 70}]  # train has no 90
    assert found.per_user["hit@5"].tolist() == [0.0, 1.0, 1.0]
    assert any("no other figures compare" in note for note in found.notes)
    assert any("3 candidates are items that train lacks" in note for note in found.notes)
    with pytest.raises(PlanError, match="came with no lists"):
        evaluate(model, random(parts.source, ratio=0.7), candidates="given")


def test_a_plan_takes_the_split_and_the_lists_of_a_named_set(folder: Path, tmp_path: Path) -> None:
    plan = {
        "data": {"name": "movielens-1m-ncf"},
        "split": {"method": "given"},
        "models": [{"name": "popularity"}],
        "evaluate": {"candidates": "given", "metrics": ["hit"], "bootstrap": 0},
    }
    result = run(plan, out=tmp_path / "out")
    assert (result.split.method, result.split.train, result.split.test) == ("given", 6, 3)
    assert any("no other figures compare" in note for note in result.split.notes)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "the items that the data set lists for each user" in page
    assert Plan.parse(Plan.of(plan).to_toml()).resolved() == Plan.of(plan).resolved()
    with pytest.raises(PlanError, match="needs the parameter 'test'"):
        Plan.of({**plan, "data": {"path": "ratings.csv"}})
    with pytest.raises(SplitError, match="published without a split"):
        run({**plan, "data": {"name": "movietweetings-10k"}}, out=tmp_path / "other")


def test_a_k_core_of_a_published_set_has_no_published_split(folder: Path) -> None:
    assert datasets.load("movielens-1m-ncf", min_item=2, offline=True).tests is None
    assert datasets.load("movielens-1m-ncf", value=None, offline=True).tests is not None


def test_ncf_files_of_another_set_are_refused(folder: Path) -> None:
    data = datasets.load("movielens-1m", offline=True)
    ncf = folder / "ncf"
    (ncf / "far").write_text("0\t7\t3\t12\n")
    with pytest.raises(DataError, match="belongs to another data set"):
        with_ncf_split(data, ncf / "far", ncf / "ml-1m.test.negative")
    (ncf / "other").write_text("0\t3\t3\t12\n")
    with pytest.raises(DataError, match="not of this data set"):
        with_ncf_split(data, ncf / "other", ncf / "ml-1m.test.negative")


def test_candidates_in_ncf_form_are_read_from_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "lists"
    path.write_text("(1,30)\t20\t40\n\n(2,20)\t30\n")
    assert is_lists(path)
    assert read_lists(path).rows() == [(1, 30), (1, 20), (1, 40), (2, 20), (2, 30)]
    train = Interactions.from_table({"user": [1, 2, 3, 3, 3, 3], "item": [10, 10, 10, 20, 30, 40]})
    test = Interactions.from_table({"user": [1, 2], "item": [30, 20]})
    model = create("popularity").fit(train)
    found = evaluate(model, (train, test), k=4, candidates={"file": path}, bootstrap=0)
    assert [set(model.items.decode(row[row >= 0])) for row in found.top] == [{20, 30, 40}, {20, 30}]
    path.write_text("(1,30)\t20\n1\t20\n")
    with pytest.raises(DataError, match="lines 2 are not"):
        read_lists(path)
    (tmp_path / "pairs.csv").write_text("user,item\n1,30\n")
    assert not is_lists(tmp_path / "pairs.csv")


def test_pairs_of_papers_are_found_gz_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALATE_DATA", str(tmp_path))
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FetchError, match=r"kang205/SASRec.*put it into"):
        datasets.load("movielens-1m-sasrec", offline=True)
    (tmp_path / "ml-1m").mkdir()
    (tmp_path / "ml-1m" / "sasrec_ml-1m.txt.gz").write_bytes(gzip.compress(b"1 2\n1 3\n2 3\n"))
    table = datasets.load("movielens-1m-sasrec", offline=True).interactions.table()
    assert table.rows() == [(1, 2, 0), (1, 3, 1), (2, 3, 0)]


@real
@pytest.mark.parametrize(
    ("name", "users", "items", "rows"),
    [
        ("movielens-1m-sasrec", 6_040, 3_416, 999_611),
        ("amazon-video-games-sasrec", 31_013, 23_715, 287_107),
        ("amazon-beauty-bert4rec", 40_226, 54_542, 353_962),
    ],
)
def test_the_real_files_have_their_published_counts(name: str, users: int, items: int, rows: int) -> None:
    data = datasets.load(name, offline=True).interactions
    assert (data.n_users, data.n_items, len(data)) == (users, items, rows)


@real
def test_the_real_split_of_ncf_has_a_hundred_items_for_every_user() -> None:
    data = datasets.load("movielens-1m-ncf", offline=True)
    parts = data.published_split()
    assert (len(parts.train), len(parts.test), parts.test.n_users) == (994_169, 6_040, 6_040)
    assert len(parts.candidates) == 6_040 * 100 - 156
    assert any("156 of the 597,960 negatives" in note for note in data.notes)
    if "stand-in" not in " ".join(
        data.notes
    ):  # the last second of each user, in which often more than one film stands
        last = data.interactions.histories()
        assert (parts.test.time == last.time[last.indptr[1:] - 1]).all()
