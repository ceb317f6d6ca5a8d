"""A name, a folder or two files -> articles and impressions."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from palate.columns import BadRows
from palate.datasets import files, mind, own
from palate.datasets.dataset import DatasetInfo
from palate.datasets.newsdata import NewsDataset, Part, lacking_text
from palate.datasets.simulate import news_world
from palate.errors import DataError, did_you_mean
from palate.news import Impressions

NAMES = ("news-world", *mind.NAMES)


def infos() -> list[DatasetInfo]:
    """Return the named sets: what each is, and whether it is on this machine."""
    world = DatasetInfo(
        "news-world",
        "A made-up world of news",
        "Apache-2.0, as Palate",
        "made in a second",
        embedded=True,
        present=True,
    )
    sizes = {"demo": "5,000 readers", "small": "50,000 readers", "large": "1 million readers"}
    named = [(name, sizes[name.removeprefix("mind-")]) for name in mind.NAMES]
    return [
        world,
        *(
            DatasetInfo(
                name,
                f"MIND, {readers}",
                mind.LICENCE,
                "by hand",
                embedded=False,
                present=mind.find(name) is not None,
            )
            for name, readers in named
        ),
    ]


def is_news(name_or_path: str | Path) -> bool:
    """Return whether this is the name of a news data set, or a folder or zip of MIND."""
    return str(name_or_path) in NAMES or bool(mind.parts_in(Path(name_or_path).expanduser()))


def holds_impressions(data: str | Path, *, candidates: str = "candidates") -> bool:
    """Return whether this is news: a name, MIND's folder or zip, or a file with a column of lists of what was shown."""
    if is_news(data):
        return True
    path = Path(data).expanduser()
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    if not path.is_file() or ending not in ("parquet", "jsonl", "ndjson"):
        return False
    try:
        if ending == "parquet":
            return isinstance(pl.read_parquet_schema(path).get(candidates), pl.List | pl.Array)
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            first = json.loads(lines.readline())
        return isinstance(first, dict) and isinstance(first.get(candidates), list)
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return False  # whoever reads it says what is wrong


def load_news(
    name_or_path: str | Path,
    *,
    articles: str | Path | None = None,
    item: str | None = None,
    text: str | None = None,
    only: Sequence[Part] = (),
    bad_rows: BadRows = "raise",
    **columns: Any,
) -> NewsDataset:
    """Load a news data set by name, MIND's files from a folder or zip, or your own from two files.

    Args:
        name_or_path: `news-world` (made up, always there), `mind-demo`, `mind-small` or `mind-large` (from the folder
            PALATE_DATA or the cache); a folder or zip with `news.tsv` and `behaviors.tsv`, itself or in its parts; or a
            Parquet or JSONL file of impressions, one a row.
        articles: beside a file of impressions, the file of the articles, one a row.
        item: the column of `articles` with their ids; None: item, article or one of its like.
        text: the column of `articles` that models read; None: the title or name.
        only: of MIND's files, read the first of these parts (`train`, `valid`, `test`) that is there, and no other;
            none named: all of them.
        bad_rows: `raise` for rows that do not read, with their line numbers, or `drop` and count them.
        columns: of a file of impressions, as `palate.Impressions.from_table` takes them.

    For tables in memory: `palate.Impressions.from_table` and `palate.Catalogue.from_table`.

    Raises:
        DataError: nothing there that is MIND, or files that do not read.
        FetchError: a named set that is not on this machine; it says where to get it.

    >>> load_news("news-world").train.n_clicks
    10000

    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise DataError(
            f"load_news takes a name or a folder, not a {type(name_or_path).__name__}. For tables: "
            "palate.Impressions.from_table and palate.Catalogue.from_table."
        )
    path = Path(name_or_path).expanduser()
    if path.is_file() and path.suffix != ".zip":
        return _of_files(path, articles, item, text, bad_rows, columns)
    named = name_or_path == "news-world" or str(name_or_path) in mind.NAMES
    if not named and not path.exists():
        hint = did_you_mean(str(name_or_path), NAMES)
        raise DataError(
            f"There is no news data set, no file and no folder '{name_or_path}'.{hint} The names are: "
            f"{', '.join(NAMES)}."
        )
    given = [
        name for name, value in {"articles": articles, "item": item, "text": text, **columns}.items() if value
    ]
    if given:
        raise DataError(
            f"{name_or_path}: {', '.join(given)} {'is' if len(given) == 1 else 'are'} for a file of impressions; a "
            "named set and MIND's folders have columns of their own."
        )
    if name_or_path == "news-world":
        return news_world().dataset
    if str(name_or_path) in mind.NAMES:
        return mind.load_named(str(name_or_path), only=only, bad_rows=bad_rows)
    return mind.load(path, only=only, bad_rows=bad_rows)


def _of_files(
    path: Path,
    articles: str | Path | None,
    item: str | None,
    text: str | None,
    bad_rows: BadRows,
    columns: dict[str, Any],
) -> NewsDataset:
    if articles is None:
        raise DataError(
            f"{path.name}: where are the articles? Give the file of them, one a row, as `articles` (--items, and of "
            "palate evaluate --articles)."
        )
    opened, kind = files.open_file(path)
    if kind not in ("parquet", "jsonl"):
        raise DataError(
            f"{path.name} is {kind}: impressions hold lists of articles, so they come as Parquet or JSONL; MIND's own "
            "layout is a folder with news.tsv and behaviors.tsv."
        )
    shown = Impressions.from_table(opened.read(None), **columns, bad_rows=bad_rows, source=path.name)
    catalogue, notes = own.load_items(articles, item=item or "item", like=shown.articles)
    if text is not None:
        catalogue = catalogue.reading(text)
    return NewsDataset(
        path.stem,
        catalogue,
        shown,
        source=str(path),
        notes=(*opened.notes, *notes, *shown.notes, *lacking_text(catalogue, {"train": shown})),
    )
