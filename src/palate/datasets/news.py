"""A name or a folder -> articles and impressions."""

from __future__ import annotations

import os
from pathlib import Path

from palate.columns import BadRows
from palate.datasets import mind
from palate.datasets.newsdata import NewsDataset
from palate.datasets.simulate import news_world
from palate.errors import DataError, did_you_mean

NAMES = ("news-world", *mind.NAMES)


def load_news(name_or_path: str | Path, *, bad_rows: BadRows = "raise") -> NewsDataset:
    """Load a news data set by name, or MIND's files from a folder or zip.

    Args:
        name_or_path: `news-world` (made up, always there), `mind-demo`, `mind-small` or `mind-large` (from the folder
            PALATE_DATA or the cache); or a folder or zip with `news.tsv` and `behaviors.tsv`, itself or in its parts.
        bad_rows: `raise` for rows that do not read, with their line numbers, or `drop` and count them.

    For two tables of your own: `palate.Impressions.from_table` and `palate.Catalogue.from_table`.

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
    if name_or_path == "news-world":
        return news_world().dataset
    if str(name_or_path) in mind.NAMES:
        return mind.load_named(str(name_or_path))
    path = Path(name_or_path).expanduser()
    if not path.exists():
        hint = did_you_mean(str(name_or_path), NAMES)
        raise DataError(
            f"There is no news data set and no folder '{name_or_path}'.{hint} The names are: {', '.join(NAMES)}."
        )
    return mind.load(path, bad_rows=bad_rows)
