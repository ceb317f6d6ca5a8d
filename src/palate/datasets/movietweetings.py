"""MovieTweetings: film ratings of 0 to 10 that people tweeted in 2013 (embedded, MIT).

Dooms, De Pessemier and Martens, MovieTweetings: a Movie Rating Dataset Collected From Twitter, CrowdRec at
RecSys 2013. Items are IMDb ids, text with leading zeros.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import polars as pl

from palate.catalogue import Catalogue
from palate.datasets.dataset import Dataset, Entry
from palate.datasets.files import read
from palate.datasets.movielens import year_of
from palate.datasets.own import split_list
from palate.interactions import Interactions

LICENCE = "MIT, Copyright (c) 2013 Simon Dooms; cite Dooms et al., CrowdRec at RecSys 2013"

_SIZES = {"movietweetings": "100K", "movietweetings-10k": "10K"}


def entries() -> list[Entry]:
    """Return the two snapshots as named sets."""
    return [
        Entry(
            name=name,
            title=f"MovieTweetings {size}: film ratings from tweets, 2013",
            licence=LICENCE,
            size="1.1 MB, 100,000 rows" if size == "100K" else "0.1 MB, 10,000 rows",
            present=lambda: True,
            load=lambda offline, progress, name=name: load(name),  # type: ignore[misc]
            embedded=True,
        )
        for name, size in _SIZES.items()
    ]


def load(name: str = "movietweetings") -> Dataset:
    """Return an embedded snapshot: `movietweetings` (100,000 ratings) or `movietweetings-10k`."""
    size = _SIZES[name]
    with resources.as_file(resources.files("palate.datasets") / "embedded" / "movietweetings") as folder:
        ratings = read(
            folder / f"ratings-{size}.dat.gz",
            header=False,
            separator="::",
            names=("user", "item", "value", "time"),
            ids=("user", "item"),
        )
        movies = read(
            folder / f"movies-{size}.dat.gz",
            header=False,
            separator="::",
            names=("item", "title", "genres"),
            ids=("item",),
        )
    data = Interactions.from_table(ratings.frame, source=f"ratings-{size}.dat.gz")
    frame = movies.frame.select(
        "item",
        pl.col("title").str.strip_chars(),
        year_of(pl.col("title")).alias("year"),
        split_list(pl.col("genres")).alias("genres"),
    )
    return Dataset(
        name,
        data,
        Catalogue.from_table(frame, name="title", source=f"movies-{size}.dat.gz"),
        licence=LICENCE,
        source=str(Path("palate", "datasets", "embedded", "movietweetings")),
        notes=("ratings run from 0 to 10",),
    )
