"""MovieLens, all eight releases.

Harper and Konstan, The MovieLens Datasets: History and Context, ACM TiiS 2015. Three layouts: `u.data`
(100k), `::` (1m, 10m) and CSV (20m, 25m, 32m, latest, latest-small). A release is read from the publisher's
zip or from the folder it unpacks to. Titles, genres and the year in the title become the catalogue.
"""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from palate.catalogue import Catalogue
from palate.datasets.dataset import Dataset, Entry
from palate.datasets.fetch import Remote, data_folders, fetch
from palate.datasets.files import read
from palate.datasets.own import split_list
from palate.errors import DataError
from palate.interactions import Interactions

_ADDRESS = "https://files.grouplens.org/datasets/movielens"
_STRICT = (
    "GroupLens: research use with citation; no redistribution without permission, no commercial use"
    " (README in the archive)"
)
_OPEN = (
    "GroupLens: research use with citation; redistribution under the same conditions, no commercial use"
    " without permission (README in the archive)"
)
_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_LAYOUTS = {
    "tab": ("u.data", "u.item"),
    "dat": ("ratings.dat", "movies.dat"),
    "csv": ("ratings.csv", "movies.csv"),
}
_ORDERED = "ratings_ordered.tsv.gz"
"""A stand-in for the ratings of 1m: the order inside each user in place of the time"""


@dataclass(frozen=True)
class _Release:
    size: str
    layout: str
    bytes: str
    md5: str | None
    licence: str = _STRICT
    folders: tuple[str, ...] = ()
    """Other names that its folder goes by"""

    @property
    def name(self) -> str:
        return f"movielens-{self.size}"

    @property
    def remote(self) -> Remote:
        url = f"{_ADDRESS}/ml-{self.size}.zip"
        checksum = f"md5:{self.md5}" if self.md5 else None
        beside = None if self.md5 else f"{url}.md5"
        return Remote(f"ml-{self.size}.zip", url, self.bytes, self.licence, checksum, beside)

    def places(self) -> Iterator[Path]:
        """Yield the folders and archives that may hold the release, in the order of preference."""
        for folder in data_folders():
            for name in (f"ml-{self.size}", self.name, *self.folders):
                yield folder / name
            for name in (f"ml-{self.size}.zip", f"{self.name}.zip"):
                yield folder / name

    def find(self) -> Path | None:
        """Return the first place that holds the release's ratings and movies."""
        return next((place for place in self.places() if self.is_in(place)), None)

    def is_in(self, place: Path) -> bool:
        ratings, movies = _LAYOUTS[self.layout]
        there = _members(place)
        return movies in there and (ratings in there or (self.size == "1m" and _ORDERED in there))


# MD5 as published beside each archive; `latest` and `latest-small` change, so theirs is asked for.
RELEASES = {
    release.size: release
    for release in (
        _Release("100k", "tab", "5 MB", "0e33842e24a9c977be4e0107933c0723"),
        _Release("1m", "dat", "6 MB", "c4d9eecfca2ab87c1945afe126590906"),
        _Release("10m", "dat", "63 MB", "ce571fd55effeba0271552578f2648bd", folders=("ml-10M100K",)),
        _Release("20m", "csv", "190 MB", "cd245b17a1ae2cc31bb14903e1204af3"),
        _Release("25m", "csv", "250 MB", "6b51fb2759a8657d3bfcbfc42b592ada"),
        _Release("32m", "csv", "239 MB", "d472be332d4daa821edc399621853b57"),
        _Release("latest", "csv", "335 MB", None, _OPEN),
        _Release("latest-small", "csv", "1 MB", None, _OPEN, ("ml-latest-small-2018",)),
    )
}


def entries() -> list[Entry]:
    """Return the eight releases as named data sets."""
    return [_entry(release) for release in RELEASES.values()]


def _entry(release: _Release) -> Entry:
    def load_named(offline: bool, progress: bool | None) -> Dataset:
        place = release.find() or fetch(release.remote, offline=offline, progress=progress)
        return load(place, name=release.name, licence=release.licence)

    return Entry(
        name=release.name,
        title=f"MovieLens {release.size}: film ratings",
        licence=release.licence,
        size=release.bytes,
        present=lambda: release.find() is not None,
        load=load_named,
    )


def is_release(place: Path) -> bool:
    """Whether a folder or zip holds a MovieLens release in one of the three layouts."""
    there = _members(place)
    return any(set(files) <= there for files in _LAYOUTS.values())


def load(place: str | Path, *, name: str | None = None, licence: str = _STRICT) -> Dataset:
    """Read a release from its folder or zip, whichever of the three layouts it has.

    Ratings become values, timestamps times; the catalogue has `title`, `year` (Int32, from the title) and
    `genres`. Raises DataError when the place holds no release, or a damaged one.
    """
    place = Path(place)
    with _unpacked(place) as folder:
        layout = next((one for one, files in _LAYOUTS.items() if (folder / files[1]).exists()), None)
        ratings = None if layout is None else folder / _LAYOUTS[layout][0]
        if layout is None or ratings is None or not (ratings.exists() or (folder / _ORDERED).exists()):
            expected = ", or ".join(" and ".join(files) for files in _LAYOUTS.values())
            raise DataError(f"{place} holds no MovieLens release; expected {expected} in it.")
        movies = folder / _LAYOUTS[layout][1]
        data, notes = _ratings(ratings, layout) if ratings.exists() else _ordered(folder / _ORDERED)
        catalogue = _movies_tab(movies) if layout == "tab" else _movies(movies, layout)
    known = name or f"movielens ({place.name})"
    return Dataset(known, data, catalogue, licence=licence, source=str(place), notes=notes)


def _ratings(path: Path, layout: str) -> tuple[Interactions, tuple[str, ...]]:
    names = None if layout == "csv" else ("userId", "movieId", "rating", "timestamp")
    table = read(
        path,
        format={"tab": "tsv"}.get(layout, layout),
        header=layout == "csv",
        separator={"tab": "\t", "dat": "::", "csv": ","}[layout],
        names=names,
        columns=("userId", "movieId", "rating", "timestamp"),
        ids=("userId", "movieId"),
    )
    data = Interactions.from_table(
        table.frame,
        user="userId",
        item="movieId",
        value="rating",
        time="timestamp",
        source=path.name,
        first_line=table.first_line,
    )
    return data, ()


def _ordered(path: Path) -> tuple[Interactions, tuple[str, ...]]:
    table = read(
        path,
        columns=("user_id", "movie_id", "rating", "order"),
        ids=("user_id", "movie_id"),
    )
    data = Interactions.from_table(
        table.frame,
        user="user_id",
        item="movie_id",
        value="rating",
        time="order",
        source=path.name,
        first_line=2,
    )
    note = (
        "stand-in for ratings.dat: time is the order inside the user (1, 2, 3 ...), no date;"
        " do not split by global time or decay by days"
    )
    return data, (note,)


def _movies(path: Path, layout: str) -> Catalogue:
    header = layout == "csv"
    table = read(
        path,
        format=layout,
        header=header,
        separator="," if header else "::",
        names=None if header else ("movieId", "title", "genres"),
        ids=("movieId",),
    )
    frame = table.frame.select(
        pl.col("movieId").alias("item"),
        pl.col("title").cast(pl.String).str.strip_chars(),
        year_of(pl.col("title")).alias("year"),
        split_list(pl.col("genres")).alias("genres"),
    )
    return Catalogue.from_table(frame, name="title", source=path.name)


def _movies_tab(path: Path) -> Catalogue:
    names = ("movieId", "title", "release", "video", "imdb", *_GENRES)
    frame = read(
        path, format="dat", header=False, separator="|", names=names, encoding="latin-1", ids=("movieId",)
    ).frame
    flags = [pl.when(pl.col(genre) == 1).then(pl.lit(genre)) for genre in _GENRES]
    frame = frame.select(
        pl.col("movieId").alias("item"),
        pl.col("title").str.strip_chars(),
        year_of(pl.col("title")).alias("year"),
        pl.concat_list(flags).list.drop_nulls().alias("genres"),
    )
    return Catalogue.from_table(frame, name="title", source=path.name)


def year_of(title: pl.Expr) -> pl.Expr:
    """Return the year that ends a title, as Int32: "Toy Story (1995)" -> 1995; null where none does."""
    return title.cast(pl.String).str.extract(r"\((\d{4})(?:[-\u2013]\d{0,4})?\)\s*$").cast(pl.Int32)


def _members(place: Path) -> set[str]:
    """Return the names of the files in a folder or zip, without the folders they lie in."""
    if place.is_dir():
        return {one.name for one in place.iterdir()}
    if not place.is_file() or not zipfile.is_zipfile(place):
        return set()
    with zipfile.ZipFile(place) as archive:
        return {Path(name).name for name in archive.namelist()}


@contextlib.contextmanager
def _unpacked(place: Path) -> Iterator[Path]:
    """Yield the folder with the release's files; for a zip a temporary one, until the block ends."""
    if place.is_dir():
        yield place
        return
    wanted = {name for files in _LAYOUTS.values() for name in files}
    try:
        with zipfile.ZipFile(place) as archive, tempfile.TemporaryDirectory(prefix="palate-") as folder:
            for member in archive.infolist():
                if (name := Path(member.filename).name) in wanted:
                    with archive.open(member) as source, (Path(folder) / name).open("wb") as target:
                        while chunk := source.read(1 << 22):
                            target.write(chunk)
            yield Path(folder)
    except FileNotFoundError:
        raise DataError(f"There is no file or folder {place}.") from None
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{place.name} is a torn zip archive ({error}). Delete it and get it again."
        ) from error
