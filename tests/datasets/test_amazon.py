"""Amazon reviews: JSON lines, the old Python dictionaries, ratings-only CSV in both orders, and S3-Rec's text."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from palate import datasets
from palate.datasets import amazon
from palate.errors import DataError, FetchError
from palate.experiment.run import run
from palate.split import last_out

DATA = Path(os.environ.get("PALATE_DATA", "/nowhere"))

REVIEWS = [
    {
        "reviewerID": "A2SUAM1J3GNN3B", "asin": "0000013714", "reviewerName": "J. \"Mac\" O'Donald",
        "helpful": [2, 3], "reviewText": "It's great", "overall": 5.0, "unixReviewTime": 1252800000,
    },
    {"overall": 3.0, "verified": True, "asin": "B00ABC", "reviewerID": "A1", "unixReviewTime": 1500000000},
]  # fmt: skip
ROWS = [("A2SUAM1J3GNN3B", "0000013714", 5.0, 1252800000), ("A1", "B00ABC", 3.0, 1500000000)]


def lines(path: Path, rows: list[str]) -> Path:
    data = "\n".join(rows).encode() + b"\n"
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["reviews_Beauty_5.json.gz", "Beauty_5.json"])
def test_json_reviews_are_read_by_their_path_alone(name: str, tmp_path: Path) -> None:
    dataset = datasets.load(lines(tmp_path / name, [json.dumps(row) for row in REVIEWS]))
    assert dataset.interactions.table().rows() == ROWS
    assert "research" in dataset.licence


def test_python_dictionaries_are_read_as_literals(tmp_path: Path) -> None:
    dataset = datasets.load(lines(tmp_path / "reviews_Beauty.json.gz", [repr(row) for row in REVIEWS]))
    assert dataset.interactions.table().rows() == ROWS
    assert any("literals" in note for note in dataset.notes)


@pytest.mark.parametrize(
    "line",
    [
        "{'reviewerID': __import__('os').system('touch hacked'), 'asin': 'x'}",
        "{'reviewerID': 'a', 'asin': 'b'",
        "{'asin': [" + "[" * 5000 + "]" * 5000 + "]}",
        "['reviewerID', 'asin']",
    ],
)
def test_a_line_that_is_no_literal_is_refused_and_never_run(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = lines(tmp_path / "reviews_X.json", [repr(REVIEWS[0]), line])
    with pytest.raises(DataError, match="line 2 is neither"):
        amazon.load_reviews(path)
    assert not (tmp_path / "hacked").exists()


def test_a_torn_file_of_reviews_is_told(tmp_path: Path) -> None:
    path = lines(tmp_path / "reviews_X.json.gz", [json.dumps(row) for row in REVIEWS])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="torn gzip"):
        amazon.load_reviews(path)


def test_the_two_orders_of_ratings_only_files_are_told_apart(tmp_path: Path) -> None:
    users = ["AKM1MP6P0OYPR", "A2CX7LUOHB2NDG", "A1YS9MDZP93857"]
    old = lines(tmp_path / "ratings_Electronics.csv", [f"{user},0132793040,5.0,1365811200" for user in users])
    new = lines(tmp_path / "Electronics.csv", [f"0132793040,{user},5.0,1365811200" for user in users])
    for path in (old, new):
        dataset = amazon.load_ratings(path)
        assert dataset.interactions.table().rows() == [
            (user, "0132793040", 5.0, 1365811200) for user in users
        ]
        assert any("columns taken to be" in note for note in dataset.notes)


def test_articles_become_a_catalogue(tmp_path: Path) -> None:
    metas = [
        repr({"asin": "0000013714", "title": "It's", "price": 4.5, "categories": [["Books", "Music"], ["Books"]]}),
        json.dumps({"asin": "B00ABC", "title": "Cream", "price": "$1,299.00", "category": ["Beauty"],
                    "description": ["very", "soft"]}),
        json.dumps({"asin": "B00ABC", "title": "again"}),
    ]  # fmt: skip
    reviews = lines(tmp_path / "reviews_Beauty_5.json", [json.dumps(row) for row in REVIEWS])
    dataset = datasets.load(reviews, items=lines(tmp_path / "meta_Beauty.json.gz", metas))
    assert dataset.catalogue is not None
    assert dataset.catalogue.table.select("item", "title", "price", "categories").rows() == [
        ("0000013714", "It's", 4.5, ["Books", "Music"]),
        ("B00ABC", "Cream", 1299.0, ["Beauty"]),
    ]
    assert dataset.catalogue.matching("categories has music", dataset.interactions.items).tolist() == [
        True,
        False,
    ]


def test_named_categories_are_found_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_DATA", str(tmp_path))
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "amazon" / "2018").mkdir(parents=True)
    lines(tmp_path / "amazon" / "2018" / "Video_Games_5.json.gz", [json.dumps(row) for row in REVIEWS])
    lines(tmp_path / "amazon" / "ratings_Beauty.csv", ["AKM1MP6P0OYPR,0132793040,5.0,1365811200"])
    assert datasets.load("amazon-2018-video-games", offline=True).interactions.table().rows() == ROWS
    assert len(datasets.load("amazon-2014-beauty", offline=True).interactions) == 1
    with pytest.raises(FetchError, match=r"reviews_Baby_5.json.gz.*amazon/2014"):
        datasets.load("amazon-2014-baby", offline=True)
    with pytest.raises(FetchError, match="amazon-2014-baby"):
        datasets.load("amazon-baby", offline=True)
    with pytest.raises(DataError, match="Did you mean 'amazon-2014-beauty'"):
        datasets.load("amazon-2014-beuty")


def test_sequences_and_attributes_become_interactions_and_catalogue(tmp_path: Path) -> None:
    lines(tmp_path / "Beauty.txt", ["1 1 2 3", "2 3 1"])
    lines(tmp_path / "Beauty_item2attributes.json", ['{"1": [4, 5], "3": [5]}'])
    dataset = amazon.load_sequences(
        tmp_path / "Beauty.txt", attributes=tmp_path / "Beauty_item2attributes.json"
    )
    assert dataset.interactions.table().rows() == [(1, 1, 0), (1, 2, 1), (1, 3, 2), (2, 3, 0), (2, 1, 1)]
    assert dataset.catalogue is not None
    assert dataset.catalogue.matching("attributes has 4", dataset.interactions.items).tolist() == [
        True,
        False,
        False,
    ]
    lines(tmp_path / "bad.json", ["[1, 2]"])
    with pytest.raises(DataError, match="list of numbers"):
        amazon.read_attributes(tmp_path / "bad.json")


@pytest.mark.skipif(
    not (DATA / "amazon/sequences").is_dir(), reason="needs PALATE_DATA with amazon/sequences"
)
@pytest.mark.parametrize(
    ("name", "users", "items", "rows"),
    [
        ("amazon-beauty", 22_363, 12_101, 198_502),
        ("amazon-sports-and-outdoors", 35_598, 18_357, 296_337),
        ("amazon-video-games", 24_303, 10_672, 231_780),
    ],
)
def test_the_real_sequences_have_their_published_counts(name: str, users: int, items: int, rows: int) -> None:
    data = datasets.load(name, offline=True).interactions
    assert (data.n_users, data.n_items, len(data)) == (users, items, rows)


def test_electronics_as_a_tutorial_prepares_them_ten_core_last_out_a_hundred_others(tmp_path: Path) -> None:
    """JSON lines; 10-core until stable; the last review tests, the last but one validates; 100 sampled negatives."""
    rng = np.random.default_rng(0)
    reviews = []
    for user in range(150):  # 140 users of 20 articles each, and 10 of nine, who bring articles of their own
        few = user >= 140
        articles = rng.choice(150, 9 if few else 20, replace=False)
        for day, article in enumerate(articles):
            reviews.append(
                {
                    "reviewerID": f"A{user}",
                    "asin": f"B{900 + article % 30 if few else article}",
                    "overall": float(1 + article % 5),
                    "unixReviewTime": 1_400_000_000 + 86_400 * day + user,
                    "reviewText": "it's fine",
                }
            )
    order = rng.permutation(len(reviews))
    path = lines(tmp_path / "reviews_Electronics_5.json.gz", [json.dumps(reviews[row]) for row in order])
    plan = {
        "data": {"path": str(path), "min_user": 10, "min_item": 10},
        "split": {"method": "last-out", "valid": True},
        "models": [{"name": "popularity"}, {"name": "markov"}],
        "evaluate": {
            "metrics": ["hit", "ndcg", "map", "precision", "recall"],
            "candidates": {"sampled": 100, "seed": 1},
            "bootstrap": 0,
            "by_time": False,
        },
    }
    result = run(plan, out=tmp_path / "out")
    core = datasets.load(path, min_user=10, min_item=10).interactions
    assert not any(user in ("A145", "A149") for user in core.users.ids)
    indptr, items = core.pairs()
    assert np.diff(indptr).min() >= 10
    assert np.bincount(items).min() >= 10
    assert (result.data.users, result.data.interactions) == (core.n_users, len(core))
    assert (result.split.valid, result.split.test) == (core.n_users, core.n_users)
    histories = core.histories()
    parts = last_out(core, valid=True)
    for part, back in ((parts.test, 1), (parts.valid, 2)):
        held = dict(part.table().select("user", "item").iter_rows())
        ends = core.items.decode(histories.item[histories.indptr[1:] - back])
        assert [held[user] for user in core.users.ids] == ends.to_list()
    found = result.models[0].metrics
    assert found["precision@10"].mean == pytest.approx(found["hit@10"].mean / 10)
    assert found["recall@10"].mean == found["hit@10"].mean > found["ndcg@10"].mean > found["map@10"].mean
    assert any("100 sampled items" in note for note in result.split.notes)
