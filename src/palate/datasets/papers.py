"""Files that papers on the next item were measured on, so that figures can stand beside theirs.

`movielens-1m-sasrec` and `amazon-video-games-sasrec` (Kang and McAuley, ICDM 2018) and `amazon-beauty-bert4rec` (Sun
and others, CIKM 2019) are lines of `user item`, oldest first, users and items of fewer than five rows left out.
`movielens-1m-ncf` (He and others, WWW 2017) is MovieLens 1M with the split it was published with: the last film of each
user tests, among 99 listed ones. Of several films rated in that second it is any, so others of them stand in train.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from palate.datasets import movielens
from palate.datasets.amazon import LICENCE as AMAZON
from palate.datasets.dataset import Dataset, Entry
from palate.datasets.fetch import Remote, fetch, find
from palate.datasets.files import read
from palate.datasets.lines import read_lists
from palate.errors import DataError
from palate.interactions import Interactions

_RAW = "https://raw.githubusercontent.com"
_NCF = f"{_RAW}/hexiangnan/neural_collaborative_filtering/master/Data"
_MOVIELENS = movielens.RELEASES["1m"].licence


@dataclass(frozen=True)
class _Pairs:
    """A file of `user item` lines: where it may lie, and where it comes from."""

    name: str
    title: str
    file: str
    also: tuple[str, ...]
    """other places where it may lie"""
    url: str
    size: str
    checksum: str
    licence: str

    @property
    def places(self) -> list[str]:
        return [place for one in (self.file, *self.also) for place in (one, f"{one}.gz")]

    def load(self, offline: bool, progress: bool | None) -> Dataset:
        """Read the file, from this machine or from its publisher."""
        remote = Remote(self.file, self.url, self.size, self.licence, self.checksum)
        place = find(self.places) or fetch(remote, offline=offline, progress=progress)
        table = read(place, format="pairs", ids=("user", "item"))
        data = Interactions.from_table(table.frame, source=place.name)
        return Dataset(self.name, data, licence=self.licence, source=str(place), notes=table.notes)


_FILES = (
    _Pairs(
        "movielens-1m-sasrec",
        "MovieLens 1m as SASRec and BERT4Rec have it: 5-core, in order of time",
        "ml-1m/ml-1m.txt",
        ("ml-1m/sasrec_ml-1m.txt",),
        f"{_RAW}/kang205/SASRec/master/data/ml-1m.txt",
        "9 MB",
        "md5:f7699aece54d883579ea84535bacdda0",
        _MOVIELENS,
    ),
    _Pairs(
        "amazon-video-games-sasrec",
        "Amazon 2014 Video Games as SASRec has it, in order of time",
        "amazon/sasrec/Video.txt",
        (),
        f"{_RAW}/kang205/SASRec/master/data/Video.txt",
        "3 MB",
        "sha256:b7376fe24430743f411dc7f567285657b2adb3f74361cc7ba0aee94f3024b651",
        AMAZON,
    ),
    _Pairs(
        "amazon-beauty-bert4rec",
        "Amazon 2014 Beauty as BERT4Rec has it, in order of time (another Beauty than S3-Rec's)",
        "amazon/bert4rec/beauty.txt",
        (),
        f"{_RAW}/FeiSun/BERT4Rec/master/data/beauty.txt",
        "4 MB",
        "sha256:f480b7a7403852342ffd8f9809bb30697dd669be31813d0e204b698fec86ef49",
        AMAZON,
    ),
)
_LISTS = {
    "ml-1m.test.rating": "sha256:231ae11eb060b643a8c58c063cd17ffc743b54f569afb073d1abb6cf126b88b5",
    "ml-1m.test.negative": "sha256:127853228a76b7d21c0481e8ef8d00dd009cd5c88670dbdd9e9debfdb9f93de4",
}


def entries() -> list[Entry]:
    """Return the files as named data sets."""
    of_pairs = [
        Entry(one.name, one.title, one.licence, one.size, _present(one.places), one.load) for one in _FILES
    ]
    release = movielens.RELEASES["1m"]
    here = [_present([f"ml-1m/ncf/{name}", f"ml-1m/ncf/{name}.gz"]) for name in _LISTS]
    of_ncf = Entry(
        name="movielens-1m-ncf",
        title="MovieLens 1m with NCF's split: each user's last film among 99 listed ones",
        licence=_MOVIELENS,
        size="9 MB",
        present=lambda: release.find() is not None and all(one() for one in here),
        load=_load_ncf,
    )
    return [*of_pairs, of_ncf]


def _present(places: list[str]) -> Callable[[], bool]:
    return lambda: find(places) is not None


def _load_ncf(offline: bool, progress: bool | None) -> Dataset:
    release = movielens.RELEASES["1m"]
    folder = release.find() or fetch(release.remote, offline=offline, progress=progress)
    test, lists = (
        find([f"ml-1m/ncf/{name}", f"ml-1m/ncf/{name}.gz"])
        or fetch(
            Remote(f"ml-1m/ncf/{name}", f"{_NCF}/{name}", "3 MB", _MOVIELENS, checksum),
            offline=offline,
            progress=progress,
        )
        for name, checksum in _LISTS.items()
    )
    return with_ncf_split(movielens.load(folder, name="movielens-1m-ncf", licence=_MOVIELENS), test, lists)


def with_ncf_split(dataset: Dataset, test: str | Path, lists: str | Path) -> Dataset:
    """Return a data set with NCF's test part and candidates.

    NCF numbers users by id, from 0, and items by their first appearance in the file; its files are turned back into the
    ids of `dataset`, whose rows must stand in the file's order.

    Args:
        dataset: the ratings. test: lines of `user item rating time`. lists: lines of `(user,item)`, then candidates.

    Raises: DataError for files of another data set.
    """
    data = dataset.interactions
    first = np.unique(data.item, return_index=True)[1]
    item_at = data.items.ids.gather(np.argsort(first, kind="stable"))  # NCF's item n is the n-th to appear

    def ids(frame: pl.DataFrame, source: str) -> tuple[pl.Series, pl.Series]:
        user, item = (frame[name].cast(pl.Int64).to_numpy() for name in ("user", "item"))
        inside = (user >= 0) & (user < data.n_users) & (item >= 0) & (item < data.n_items)
        if not inside.all():
            raise DataError(
                f"{source} numbers users and items that {dataset.name} lacks, which has {data.n_users:,} users and "
                f"{data.n_items:,} items: it belongs to another data set."
            )
        return data.users.ids.gather(user), item_at.gather(item)

    names = ("user", "item", "value", "time")
    rows = read(test, format="tsv", header=False, separator="\t", names=names).frame
    user, item = ids(rows, Path(test).name)
    held = data.users.encode(user).astype(np.int64) * data.n_items + data.items.encode(item)
    tests = np.isin(data.user.astype(np.int64) * data.n_items + data.item, held)
    if int(tests.sum()) != len(held):
        raise DataError(
            f"{Path(test).name}: {len(held):,} rows, of which {int(tests.sum()):,} stand in {dataset.name}: they are "
            "not of this data set, or its rows stand in another order."
        )
    user, item = ids(read_lists(lists), Path(lists).name)
    candidates = Interactions.from_table({"user": user, "item": item}, source=Path(lists).name)
    listed = candidates.repeated("first")
    note = (
        f"split by NCF: {len(held):,} rows test, one of each user's last second, to be ranked among {len(listed):,} "
        f"listed pairs; {len(candidates) - len(listed):,} of the {len(candidates) - len(held):,} negatives that NCF "
        "drew are the test item itself, which counts once"
    )
    return Dataset(
        dataset.name,
        data,
        dataset.catalogue,
        licence=dataset.licence,
        source=dataset.source,
        notes=(*dataset.notes, note),
        tests=tests,
        candidates=listed,
    )
