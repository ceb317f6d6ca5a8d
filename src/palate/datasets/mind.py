"""MIND, Microsoft's news data set: folders or zips of `news.tsv` and `behaviors.tsv`.

Wu and others, "MIND: A large-scale dataset for news recommendation", ACL 2020. Tab-separated, without header:

    news.tsv        id, category, subcategory, title, abstract, url, entities of the title, of the abstract (JSON)
    behaviors.tsv   number, user, time (11/12/2019 2:14:46 PM), history (N1 N2, oldest first), candidates (N3-1 N4-0)

A set is the parts train, dev and, in large, an unlabelled test; each part has both files, in a folder or zip whose name
ends in that of the part. Sets may lie side by side: by name (`mind-small`), only what begins as its own does is read.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.catalogue import Catalogue
from palate.columns import BadRows
from palate.datasets.fetch import data_folders
from palate.datasets.newsdata import NewsDataset, Part, lacking_text
from palate.errors import DataError, FetchError, listing
from palate.news import Impressions, oddities
from palate.vocabulary import Vocabulary

LICENCE = "Microsoft Research licence: non-commercial research, no redistribution (terms at https://msnews.github.io)"
NAMES = ("mind-demo", "mind-small", "mind-large")
NEWS = ("item", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities")
BEHAVIORS = ("number", "user", "time", "history", "candidates")
_APART = b"\x01"
_TIME = "%m/%d/%Y %I:%M:%S %p"
_NAMED: dict[str, Part] = {"train": "train", "dev": "valid", "valid": "valid", "test": "test"}
_ENDS = re.compile(rf"(?:^|[_-])({'|'.join(_NAMED)})$")


@dataclass(frozen=True)
class _Files:
    """The two files of a part, in a folder or a zip."""

    place: Path
    news: str
    behaviors: str

    def open(self, name: str) -> bytes:
        if self.place.is_dir():
            return (self.place / name).read_bytes()
        with zipfile.ZipFile(self.place) as archive:
            return archive.read(name)

    def source(self, name: str) -> str:
        return f"{self.place.name}/{name}"


def load(
    place: Path,
    *,
    name: str | None = None,
    only: Sequence[Part] = (),
    begins: str = "",
    bad_rows: BadRows = "raise",
) -> NewsDataset:
    """Read a part (a folder or zip with both files), or a set: a folder that holds its parts.

    Args:
        place: folder or zip. name: of the set; None: that of the place.
        only: read the first of these parts that is there, and no other; none named: all of them.
        begins: of a folder of parts, take those whose names begin so.
        bad_rows: `raise` for rows that do not read, with their line numbers, or `drop` and count them.

    Raises:
        DataError: nothing there that is MIND, two folders for one part, or files that do not read.

    """
    parts = _wanted(_parts(place, begins), only, place)
    notes: list[str] = []
    tables = [_news(files, bad_rows, notes) for files in parts.values()]
    articles = _merged(tables, notes)
    found = {part: _behaviors(files, bad_rows, notes) for part, files in parts.items()}
    notes += lacking_text(articles, found)
    return NewsDataset(
        name or place.name,
        articles,
        found.get("train"),
        found.get("valid"),
        found.get("test"),
        licence=LICENCE,
        source=str(place),
        notes=tuple(notes),
    )


def find(name: str) -> Path | None:
    """Return the folder of a named set on this machine, its own or one where it lies beside others, or None."""
    return next((folder for folder, _ in _places(name)), None)


def load_named(name: str, *, only: Sequence[Part] = (), bad_rows: BadRows = "raise") -> NewsDataset:
    """Read a named set, as `load` reads it. Raises FetchError, which says where to get it and where to put it."""
    for folder, begins in _places(name):
        return load(folder, name=name, only=only, begins=begins, bad_rows=bad_rows)
    size = name.removeprefix("mind-")
    raise FetchError(
        f"{name} is not on this machine, and its publisher's links have been dead since July 2024. Get "
        f"MIND{size}_train.zip and MIND{size}_dev.zip (https://msnews.github.io names who hands them out) and put "
        f"them, or what they unpack to, into {data_folders()[0]}. Licence: {LICENCE}."
    )


def _places(name: str) -> Iterator[tuple[Path, str]]:
    """Yield the folders that hold a named set, and how its parts' names begin there."""
    size = name.removeprefix("mind-")
    for folder in data_folders():
        yield from ((own, "") for own in (folder / name, folder / f"MIND{size}") if own.is_dir())
        if any(_part_of(one) for one in folder.glob(f"MIND{size}_*")):
            yield folder, f"MIND{size}_"


# --- which files ----------------------------------------------------------------------------------------------


def parts_in(place: Path) -> tuple[Part, ...]:
    """Return which parts of MIND a folder or zip holds, itself or one folder below; none where it is no MIND."""
    return tuple(_found(place))


def _parts(place: Path, begins: str = "") -> dict[Part, _Files]:
    if not place.exists():
        raise DataError(f"There is no folder or zip {place}.")
    found = _found(place, begins)
    if not found:
        raise DataError(
            f"{place}: no news.tsv and behaviors.tsv together, here or one folder below whose name ends in train, dev "
            "or test. Give a folder or zip of MIND, or two tables of your own: palate.Impressions.from_table and "
            "palate.Catalogue.from_table."
        )
    return found


def _wanted(parts: dict[Part, _Files], only: Sequence[Part], place: Path) -> dict[Part, _Files]:
    """Return the first part that is asked for and there, or all where none is asked for."""
    if not only:
        return parts
    for part in only:
        if part in parts:
            return {part: parts[part]}
    raise DataError(f"{place}: there is no {' and no '.join(only)} part, only {listing(parts)}.")


def _found(place: Path, begins: str = "") -> dict[Part, _Files]:
    """Return the parts in a place; a folder or zip of both files whose name tells no part trains."""
    alone = _files(place)
    if alone is not None:
        return {_part_of(place) or "train": alone}
    if not place.is_dir():
        return {}
    found: dict[Part, _Files] = {}
    for below in sorted(place.iterdir()):
        part = _part_of(below)
        if part is None or not below.name.startswith(begins) or (files := _files(below)) is None:
            continue
        other = found.setdefault(part, files).place
        if _stem(other) != _stem(below):
            raise DataError(
                f"{place} holds {other.name} and {below.name}, each a {part} part: give the folder of one set, or "
                "a set's name, such as mind-small."
            )
        # A zip beside what it unpacked to sorts behind it, and is left.
    return found


def _part_of(place: Path) -> Part | None:
    """Return the part that a folder or zip names at its end: MINDsmall_dev.zip, dev; not latest, not devices."""
    end = _ENDS.search(_stem(place).lower())
    return None if end is None else _NAMED[end[1]]


def _stem(place: Path) -> str:
    return place.name.removesuffix(".zip")


def _files(place: Path) -> _Files | None:
    names = list(_members(place))
    pairs = {
        end: next((name for name in names if Path(name).name == end), None)
        for end in ("news.tsv", "behaviors.tsv")
    }
    news, behaviors = pairs["news.tsv"], pairs["behaviors.tsv"]
    return None if news is None or behaviors is None else _Files(place, news, behaviors)


def _members(place: Path) -> Iterator[str]:
    if place.is_dir():
        yield from (one.name for one in place.iterdir() if one.is_file())
    elif place.suffix == ".zip" and zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            yield from archive.namelist()


# --- rows -----------------------------------------------------------------------------------------------------


def _rows(
    raw: bytes, columns: tuple[str, ...], source: str, bad_rows: BadRows, notes: list[str]
) -> pl.DataFrame:
    """Return rows of text with their line numbers; those of another number of columns are refused or dropped."""
    raw = raw.replace(_APART, b" ")  # which no text has, and which parts cells here, so that each line is one
    try:
        lines = pl.read_csv(
            io.BytesIO(raw), separator=_APART.decode(), has_header=False, new_columns=["line"], quote_char=None,
            schema_overrides={"column_1": pl.String},
        )  # fmt: skip
    except pl.exceptions.NoDataError:
        raise DataError(f"{source} is empty.") from None
    except pl.exceptions.PolarsError as error:
        readable = _readable(raw, source, bad_rows, notes)
        if readable == raw:
            raise DataError(f"{source} does not read as text ({str(error).splitlines()[0]}).") from None
        return _rows(readable, columns, source, bad_rows, notes)
    lines = lines.with_row_index("row", offset=1).with_columns(pl.col("line").str.strip_chars_end("\r"))
    lines = lines.filter(pl.col("line").fill_null("") != "")
    tabs = lines["line"].str.count_matches("\t", literal=True) + 1
    good = _kept(
        tabs == len(columns), lines["row"], f"have not {len(columns)} columns", source, bad_rows, notes
    )
    lines = lines.filter(good)
    parts = pl.col("line").str.split_exact("\t", len(columns) - 1).struct.rename_fields(list(columns))
    return lines.select("row", parts.alias("cells")).unnest("cells")


def _readable(raw: bytes, source: str, bad_rows: BadRows, notes: list[str]) -> bytes:
    """Return the lines that are UTF-8, the others made empty, with a note. Raises DataError for the first ones."""
    lines = raw.split(b"\n")
    good = np.ones(len(lines), np.bool_)
    for place, line in enumerate(lines):
        try:
            line.decode()
        except UnicodeDecodeError:
            good[place] = False
            lines[place] = b""
    rows = pl.Series(np.arange(1, len(lines) + 1))
    _kept(pl.Series(good), rows, "are not UTF-8", source, bad_rows, notes)
    return b"\n".join(lines)


def _kept(
    good: pl.Series, rows: pl.Series, what: str, source: str, bad_rows: BadRows, notes: list[str]
) -> pl.Series:
    """Return which rows stay: all, or those that are good, with a note. Raises DataError for the first bad ones."""
    bad = rows.filter(~good)
    if len(bad):
        where = f"{len(bad):,} of {len(rows):,} lines {what}: line {listing(bad.head(5))}"
        if bad_rows == "raise":
            raise DataError(f'{source}: {where}. Mend them, or leave them out with bad_rows = "drop".')
        notes.append(f"{source}: {where}; left out.")
    return good


def _news(files: _Files, bad_rows: BadRows, notes: list[str]) -> pl.DataFrame:
    source = files.source(files.news)
    table = _rows(files.open(files.news), NEWS, source, bad_rows, notes)
    table = table.filter(_kept(table["item"] != "", table["row"], "have no id", source, bad_rows, notes))
    return table.drop("row")


def _merged(tables: list[pl.DataFrame], notes: list[str]) -> Catalogue:
    """Return the articles of all parts, sorted by id; of an id that stands twice the first row."""
    table = pl.concat(tables)
    distinct = table.unique("item", keep="first", maintain_order=True)
    differing = len(table.unique(["item", "title", "abstract"])) - len(distinct)
    if differing > 0:
        notes.append(
            f"{differing:,} rows of news.tsv tell another title or abstract of an id; the first one counts."
        )
    torn = 0
    entities = {}
    for column in ("title_entities", "abstract_entities"):
        lists, bad = _entities(distinct[column])
        entities[column], torn = lists, torn + bad
    if torn:
        notes.append(f"{torn:,} lists of entities do not read as JSON; they are taken as empty.")
    return Catalogue.from_table(
        distinct.with_columns(**entities).sort("item"),
        name="title",
        text=("title", "abstract"),
        source="news.tsv",
    )


def _entities(told: pl.Series) -> tuple[pl.Series, int]:
    """Return the Wikidata ids in lists of JSON objects, and how many lists do not read."""
    distinct = told.unique()
    lists: list[list[str]] = []
    torn = 0
    for text in distinct:
        try:
            found = [str(one["WikidataId"]) for one in json.loads(text or "[]")]
        except (ValueError, TypeError, KeyError):
            found, torn = [], torn + int((told == text).sum())
        lists.append(found)
    look_up = pl.DataFrame({"told": distinct, "ids": pl.Series(lists, dtype=pl.List(pl.String))})
    return pl.DataFrame({"told": told}).join(look_up, on="told", how="left", maintain_order="left")[
        "ids"
    ], torn


def _behaviors(files: _Files, bad_rows: BadRows, notes: list[str]) -> Impressions:
    source = files.source(files.behaviors)
    table = _rows(files.open(files.behaviors), BEHAVIORS, source, bad_rows, notes)
    time = table["time"].str.to_datetime(_TIME, strict=False, time_unit="us")
    shown = table["candidates"].str.extract_all(r"\S+")
    number = table["number"].cast(pl.Int64, strict=False)
    numbered = number.count() > 0
    good = _kept(table["user"] != "", table["row"], "have no user", source, bad_rows, notes)
    good &= _kept(
        time.is_not_null(), table["row"], "have no time as 11/12/2019 2:14:46 PM", source, bad_rows, notes
    )
    good &= _kept(
        table["candidates"].str.strip_chars() != "", table["row"], "show nothing", source, bad_rows, notes
    )
    if numbered:
        good &= _kept(
            number.is_not_null(), table["row"], "have no impression number", source, bad_rows, notes
        )
    else:
        notes.append(f"{source}: no impression has a number; a submission counts them from 1.")
    marked = table.select(
        n=pl.lit(shown).list.len(),
        marks=pl.col("candidates").str.count_matches(r"\S-[01](?:\s|$)"),
    )
    unlabelled = int((marked["marks"] == 0).sum()) == len(table)
    if not unlabelled:
        good &= _kept(
            marked["n"] == marked["marks"],
            table["row"],
            "have a candidate without -1 or -0",
            source,
            bad_rows,
            notes,
        )
    table = table.filter(good)
    shown, time, number = (one.filter(good) for one in (shown, time, number))
    if not len(table):
        raise DataError(f"{source}: no impression is left.")
    clicked: NDArray[np.bool_] | None = None
    if not unlabelled:
        flat = shown.list.explode()
        clicked = flat.str.ends_with("-1").to_numpy()
        shown = shown.list.eval(pl.element().str.slice(0, pl.element().str.len_chars() - 2))
    past, history_of = Vocabulary.factorise(table["history"].fill_null("").str.strip_chars())
    history = past.ids.str.extract_all(r"\S+")
    found = Impressions.of_lists(
        table["user"], history, shown, clicked, time.dt.epoch("s").to_numpy(), history_of=history_of
    )
    notes.extend(f"{source}: {note}" for note in oddities(found))
    return replace(found, number=number.to_numpy()) if numbered else found
