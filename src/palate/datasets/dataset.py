"""A data set: the interactions, the items they are about, and what one may do with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palate.catalogue import Catalogue
from palate.errors import SplitError
from palate.interactions import Interactions
from palate.split import Split, given

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
    tests: NDArray[np.bool_] | None = None
    """(rows) the test part of the split that the set was published with, where there is one; the rest trains"""
    candidates: Interactions | None = None
    """What is to be ranked for each test user, where the set was published with lists"""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the interactions' content."""
        return self.interactions.fingerprint

    def __repr__(self) -> str:
        items = "" if self.catalogue is None else f", {self.catalogue!r}"
        return f"Dataset({self.name}: {self.interactions!r}{items})"

    def published_split(self) -> Split:
        """Return the split that the set was published with. Raises SplitError where it has none."""
        if self.tests is None:
            raise SplitError(
                f"{self.name} was published without a split: give test = FILE (and valid = FILE), or another method."
            )
        train, test = (self.interactions.select(rows) for rows in (~self.tests, self.tests))
        return given(train, test, candidates=self.candidates)

    def prepared(self, *, repeats: Repeats = "keep", min_user: int = 0, min_item: int = 0) -> Dataset:
        """Return the set after the repeats policy and the iterative k-core (self where neither is asked).

        Raises DataError when nothing is left.
        """
        data = self.interactions.repeated(repeats)
        if min_user > 1 or min_item > 1:
            data = data.k_core(min_user, min_item)
        if data is self.interactions:
            return self
        return replace(self, interactions=data, tests=None, candidates=None)  # other rows than were published


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
