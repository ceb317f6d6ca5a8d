"""A data set: the interactions, the items they are about, and what one may do with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from palate.catalogue import Catalogue
from palate.interactions import Interactions

Repeats = Literal["keep", "first", "last", "sum"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions with their origin; what `palate.datasets.load` returns."""

    name: str
    """As `load` knows it, or that of its file"""
    interactions: Interactions
    """Who chose what"""
    catalogue: Catalogue | None = None
    """What is known of the items"""
    licence: str = "unknown: ask whoever gave you the file"
    """What the publisher allows, in one sentence"""
    source: str = ""
    """Where the rows came from: a file, a folder, an address"""
    notes: tuple[str, ...] = ()
    """What was guessed, changed or left out while reading"""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the interactions' content."""
        return self.interactions.fingerprint

    def __repr__(self) -> str:
        items = "" if self.catalogue is None else f", {self.catalogue!r}"
        return f"Dataset({self.name}: {self.interactions!r}{items})"

    def prepared(self, *, repeats: Repeats = "keep", min_user: int = 0, min_item: int = 0) -> Dataset:
        """Return the set after the repeats policy and the iterative k-core (self where neither is asked).

        Raises DataError when nothing is left.
        """
        data = self.interactions.repeated(repeats)
        if min_user > 1 or min_item > 1:
            data = data.k_core(min_user, min_item)
        return self if data is self.interactions else replace(self, interactions=data)


@dataclass(frozen=True)
class DatasetInfo:
    """One row of `palate.datasets.names()`."""

    name: str
    title: str
    licence: str
    size: str
    """What a download would cost, or what is embedded"""
    embedded: bool
    """Ships with Palate: works without a network"""
    present: bool
    """On this machine already"""


@dataclass(frozen=True)
class Entry:
    """A data set that has a name: how to see whether it is here, and how to load it."""

    name: str
    title: str
    licence: str
    size: str
    present: Callable[[], bool]
    load: Callable[[bool, bool | None], Dataset]
    """(offline, progress) -> the data set; raises FetchError when it cannot be had"""
    embedded: bool = False

    @property
    def info(self) -> DatasetInfo:
        """The entry as a row of the list."""
        return DatasetInfo(self.name, self.title, self.licence, self.size, self.embedded, self.present())
