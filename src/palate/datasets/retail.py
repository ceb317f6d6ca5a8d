"""Online Retail: a year of a UK gift shop's purchases, with baskets (embedded, CC0).

Values are quantities, times are the invoices'. The catalogue has the name in ordinary case for people to
read, and the shop's own spelling and stock code beside it.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import polars as pl

from palate.catalogue import Catalogue
from palate.datasets.dataset import Dataset, Entry
from palate.datasets.files import FileTable, read
from palate.interactions import Interactions

LICENCE = "CC0 1.0 (public domain); credit: Daqing Chen, Online Retail, UCI, doi 10.24432/C5BW33"

_SMALL = frozenset(
    ("a", "an", "and", "at", "by", "de", "du", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)
_CAPITALS = frozenset(("BBQ", "CD", "DIY", "LED", "TV", "UK", "USA", "XL", "XXL"))
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def entries() -> list[Entry]:
    """Return the set as a named one."""
    return [
        Entry(
            name="retail",
            title="Online Retail: purchases of a UK gift shop, 2010-12 to 2011-12",
            licence=LICENCE,
            size="1.8 MB, 386,326 rows",
            present=lambda: True,
            load=lambda offline, progress: load(),
            embedded=True,
        )
    ]


def load() -> Dataset:
    """Return the embedded set: 386,326 rows of 4,334 customers, 3,659 articles and 18,402 baskets."""
    with resources.as_file(resources.files("palate.datasets") / "embedded" / "online-retail") as folder:
        rows = _plain(folder / "purchases.tsv.gz", "user", "item")
        items = _plain(folder / "items.tsv.gz", "item", "stock_code")
    data = Interactions.from_table(
        rows.frame, value="quantity", time="timestamp", source="purchases.tsv.gz", first_line=rows.first_line
    )
    frame = items.frame.with_columns(
        pl.col("stock_code").cast(pl.String),
        pl.col("description").map_elements(readable, return_dtype=pl.String).alias("name"),
    ).select("item", "name", "stock_code", "description")
    return Dataset(
        "retail",
        data,
        Catalogue.from_table(frame, name="name", source="items.tsv.gz"),
        licence=LICENCE,
        source=str(Path("palate", "datasets", "embedded", "online-retail")),
        notes=("values are quantities", "cancellations and non-articles were left out by the shipped file"),
    )


def _plain(path: Path, *ids: str) -> FileTable:
    return read(path, format="dat", separator="\t", header=True, ids=ids)  # dat: a quote is a character


def readable(name: str) -> str:
    """Return a name with its words in capitals as people write them.

    >>> readable("SET/6 CHILDREN'S T-LIGHTS IN A BOX 12CM")
    "Set/6 Children's T-Lights in a Box 12cm"
    """

    def one(match: re.Match[str]) -> str:
        word = match[0]
        if word in _CAPITALS or not word[:2].isupper():
            return word
        after_digit = match.start() > 0 and name[match.start() - 1].isdigit()
        if (after_digit and len(word) > 1) or (word.lower() in _SMALL and match.start() > 0):
            return word.lower()
        return word.capitalize()

    return _WORD.sub(one, name)
