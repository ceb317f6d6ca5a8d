"""Amazon reviews of 2014 and 2018 (McAuley and others), any category; and the text form of the S3-Rec paper.

Names: `amazon-2014-CATEGORY` and `amazon-2018-CATEGORY` (5-core reviews as JSON lines, or the ratings-only
CSV where that is what lies there), `amazon-CATEGORY` (2014 5-core as `user item item ...`, Zhou and others,
CIKM 2020). The oldest files are Python dictionaries, not JSON: they are read as literals, never evaluated.
"""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from palate.catalogue import Catalogue
from palate.columns import BadRows
from palate.datasets.dataset import Dataset, Entry
from palate.datasets.fetch import Remote, fetch, find
from palate.datasets.files import read
from palate.datasets.raw import check, is_gzip, open_text
from palate.errors import DataError, FetchError
from palate.interactions import Interactions

LICENCE = (
    "Amazon review data (McAuley et al.): research use, no formal licence; do not redistribute;"
    " cite Ni, Li and McAuley, EMNLP 2019 (2018) or He and McAuley, WWW 2016 (2014)"
)

_BOTH = (
    "Automotive", "Books", "CDs_and_Vinyl", "Cell_Phones_and_Accessories", "Clothing_Shoes_and_Jewelry",
    "Digital_Music", "Electronics", "Grocery_and_Gourmet_Food", "Home_and_Kitchen", "Kindle_Store",
    "Movies_and_TV", "Musical_Instruments", "Office_Products", "Patio_Lawn_and_Garden", "Pet_Supplies",
    "Sports_and_Outdoors", "Tools_and_Home_Improvement", "Toys_and_Games", "Video_Games",
)  # fmt: skip
CATEGORIES = {
    "2014": [
        *_BOTH, "Amazon_Instant_Video", "Apps_for_Android", "Baby", "Beauty", "Health_and_Personal_Care",
    ],
    "2018": [
        *_BOTH, "AMAZON_FASHION", "All_Beauty", "Appliances", "Arts_Crafts_and_Sewing", "Gift_Cards",
        "Industrial_and_Scientific", "Luxury_Beauty", "Magazine_Subscriptions", "Prime_Pantry", "Software",
    ],
}  # fmt: skip
_ADDRESS = {
    "2014": "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles",
    "2018": "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2/categoryFilesSmall",
}
_SEQUENCES = "https://raw.githubusercontent.com/RUCAIBox/CIKM2020-S3Rec/master/data"
_SEQUENCE_SHA256 = {
    "Beauty": "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8",
    "Sports_and_Outdoors": "2a095e0648872beb9982408958290f5d655db5be2911c3756b5446de9f0b8de2",
}
_REVIEW = {
    "reviewerID": pl.String(),
    "asin": pl.String(),
    "overall": pl.Float64(),
    "unixReviewTime": pl.Int64(),
}
_MAX_LINE = 4_000_000
"""Characters of one review or article; a longer line is no such thing"""


def entries() -> list[Entry]:
    """Return every category as a named set: the S3-Rec sequences first, then 2014, then 2018."""
    sequences = [_sequences_entry(category) for category in sorted(CATEGORIES["2014"])]
    reviews = [_reviews_entry(year, category) for year in CATEGORIES for category in sorted(CATEGORIES[year])]
    return sequences + reviews


def _slug(category: str) -> str:
    return category.lower().replace("_", "-")


def _sequences_entry(category: str) -> Entry:
    places = [f"amazon/sequences/{category}.txt", f"amazon/{category}.txt"]

    def load_named(offline: bool, progress: bool | None) -> Dataset:
        place = find(places)
        if place is None and category not in _SEQUENCE_SHA256:
            year_name = f"amazon-2014-{_slug(category)}"
            raise FetchError(
                f"{category}.txt (lines of 'user item item ...') is not on this machine and has no known"
                " address."
                f" Put it into PALATE_DATA/amazon/sequences, or use {year_name}."
            )
        if place is None:
            checksum = f"sha256:{_SEQUENCE_SHA256[category]}"
            url = f"{_SEQUENCES}/{category}.txt"
            remote = Remote(f"amazon/sequences/{category}.txt", url, "2 MB", LICENCE, checksum)
            place = fetch(remote, offline=offline, progress=progress)
        beside = place.with_name(f"{category}_item2attributes.json")
        return load_sequences(place, attributes=beside if beside.exists() else None)

    return Entry(
        name=f"amazon-{_slug(category)}",
        title=f"Amazon 2014 {category.replace('_', ' ')}: 5-core histories in order of time (S3-Rec form)",
        licence=LICENCE,
        size="2 MB",
        present=lambda: find(places) is not None,
        load=load_named,
    )


def _reviews_entry(year: str, category: str) -> Entry:
    core = f"reviews_{category}_5.json.gz" if year == "2014" else f"{category}_5.json.gz"
    ratings = f"ratings_{category}.csv" if year == "2014" else f"{category}.csv"
    files = [core, core.removesuffix(".gz"), core.replace("_5.json", ".json"), ratings, f"{ratings}.gz"]
    places = [f"{folder}/{file}" for file in files for folder in (f"amazon/{year}", "amazon")]
    metas = [f"{folder}/meta_{category}.json.gz" for folder in (f"amazon/{year}", "amazon")]

    def load_named(offline: bool, progress: bool | None) -> Dataset:
        remote = Remote(f"amazon/{year}/{core}", f"{_ADDRESS[year]}/{core}", "up to several GB", LICENCE)
        place = find(places) or fetch(remote, offline=offline, progress=progress)
        name = f"amazon-{year}-{_slug(category)}"
        if ".csv" in place.name:
            return load_ratings(place, name=name)
        return load_reviews(place, name=name, meta=find(metas))

    return Entry(
        name=f"amazon-{year}-{_slug(category)}",
        title=f"Amazon {year} {category.replace('_', ' ')}: 5-core reviews",
        licence=LICENCE,
        size="up to several GB",
        present=lambda: find(places) is not None,
        load=load_named,
    )


def load_sequences(path: str | Path, *, attributes: str | Path | None = None) -> Dataset:
    """Read `user item item ...` lines, oldest first, and the items' attributes where they are given.

    Raises DataError for files that are not so.
    """
    table = read(path, format="sequences", ids=("user", "item"))
    data = Interactions.from_table(table.frame, source=Path(path).name)
    catalogue = None if attributes is None else read_attributes(attributes)
    name = f"amazon-{_slug(Path(path).name.split('.')[0])}"
    return Dataset(name, data, catalogue, licence=LICENCE, source=str(path), notes=table.notes)


def read_attributes(path: str | Path) -> Catalogue:
    """Read S3-Rec's attributes, one JSON object of item -> list of attribute numbers, as a catalogue."""
    text = open_text(path)
    try:
        found = json.loads(text.content())
        rows = {int(item): [int(one) for one in numbers] for item, numbers in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{text.path.name} is no JSON object of item -> list of numbers ({error})."
        ) from error
    frame = pl.DataFrame(
        {"item": list(rows), "attributes": list(rows.values())},
        schema={"item": pl.Int64, "attributes": pl.List(pl.Int64)},
    )
    return Catalogue.from_table(frame, source=text.path.name)


def load_reviews(
    path: str | Path, *, name: str | None = None, meta: str | Path | None = None, bad_rows: BadRows = "raise"
) -> Dataset:
    """Read review lines (JSON, or the old files' Python dictionaries; gz or not): user, item, rating, time.

    `meta` is the file of articles, which becomes the catalogue. Raises DataError with the number of a bad
    line.
    """
    file = check(path)
    notes = []
    try:
        if is_gzip(file):
            open_text(file)  # a torn file is told as such, not as a line that does not parse
        frame = pl.scan_ndjson(file, schema=_REVIEW).select(list(_REVIEW)).collect()
    except pl.exceptions.PolarsError:
        frame = pl.DataFrame(
            [[row.get(key) for key in _REVIEW] for row in _objects(file)],
            schema=_REVIEW,
            orient="row",
            strict=False,
        )
        notes.append("lines are Python dictionaries, read as literals")
    if frame.is_empty():
        raise DataError(f"{file.name} holds no reviews.")
    data = Interactions.from_table(
        frame,
        user="reviewerID",
        item="asin",
        value="overall",
        time="unixReviewTime",
        bad_rows=bad_rows,
        source=file.name,
    )
    catalogue = None if meta is None else read_meta(meta)
    return Dataset(
        name or file.name.split(".")[0],
        data,
        catalogue,
        licence=LICENCE,
        source=str(file),
        notes=tuple(notes),
    )


def load_ratings(path: str | Path, *, name: str | None = None, bad_rows: BadRows = "raise") -> Dataset:
    """Read a ratings-only CSV without header: user,item,rating,time (2014) or item,user,rating,time (2018).

    Article numbers have 10 characters and reviewers' 11 to 21, which tells the two orders apart.
    """
    file = check(path)
    table = read(
        file, format="csv", header=False, names=("1", "2", "value", "time"), separator=",", ids=("1", "2")
    )
    frame = table.frame.with_columns(pl.col("1", "2").cast(pl.String))
    first, second = (frame[name].head(10_000).str.len_chars().median() for name in ("1", "2"))
    item_first = first == 10 and second != 10
    data = Interactions.from_table(
        frame,
        user="2" if item_first else "1",
        item="1" if item_first else "2",
        bad_rows=bad_rows,
        source=file.name,
    )
    note = f"columns taken to be {'item, user' if item_first else 'user, item'}, rating, time"
    known = name or file.name.split(".")[0]
    return Dataset(known, data, licence=LICENCE, source=str(file), notes=(note,))


def read_meta(path: str | Path) -> Catalogue:
    """Read the file of articles (JSON or Python dictionaries): title, brand, price, categories, description.

    An article that stands twice keeps its first row.
    """
    file = check(path)
    rows: dict[str, dict[str, object]] = {}
    for row in _objects(file):
        item = row.get("asin")
        if isinstance(item, str) and item and item not in rows:
            rows[item] = {
                "item": item,
                "title": _text(row.get("title")),
                "brand": _text(row.get("brand")),
                "price": _price(row.get("price")),
                "categories": _flat(row.get("categories", row.get("category"))),
                "description": _text(row.get("description")),
            }
    schema = {
        "item": pl.String(),
        "title": pl.String(),
        "brand": pl.String(),
        "price": pl.Float64(),
        "categories": pl.List(pl.String()),
        "description": pl.String(),
    }
    frame = pl.DataFrame(list(rows.values()), schema=schema)
    return Catalogue.from_table(frame, name="title", text=("description",), source=file.name)


def is_reviews(path: Path) -> bool:
    """Whether the first line of a file is a review (so that a path alone is enough to load it)."""
    if not path.is_file() or not path.name.lower().removesuffix(".gz").endswith((".json", ".jsonl")):
        return False
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            first = file.readline(_MAX_LINE)
    except (OSError, EOFError):
        return False  # whoever reads it says what is wrong
    return b"reviewerID" in first and b"asin" in first


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the object of each line: JSON where it is JSON, else a Python dictionary of literals."""
    for number, line in enumerate(open_text(file).content().decode().split("\n"), start=1):
        if not line.strip():
            continue
        if len(line) > _MAX_LINE:
            raise DataError(f"{file.name}: line {number} has {len(line):,} characters, which is no review.")
        row: object = None
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            try:
                row = ast.literal_eval(line.strip())
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                row = None
        if not isinstance(row, dict):
            raise DataError(
                f"{file.name}: line {number} is neither a JSON object nor a dictionary of literals:"
                f" {line[:60]!r}"
            )
        yield row


def _text(value: object) -> str | None:
    if isinstance(value, list):
        value = " ".join(str(part) for part in value)
    return str(value) if value else None


def _price(value: object) -> float | None:
    try:
        return float(str(value).replace("$", "").replace(",", ""))
    except ValueError:
        return None


def _flat(value: object) -> list[str]:
    """Return categories as one list without repeats: 2014 has a list of paths, 2018 one path."""
    if not isinstance(value, list):
        return []
    parts = [one for part in value for one in (part if isinstance(part, list) else [part])]
    return list(dict.fromkeys(str(part) for part in parts))
