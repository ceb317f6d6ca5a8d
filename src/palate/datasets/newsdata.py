"""A news data set: the articles, and what readers were shown in each part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from palate.catalogue import Catalogue
from palate.errors import DataError, SplitError, listing
from palate.news import Impressions
from palate.vocabulary import Vocabulary

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")


def lacking_text(articles: Catalogue, parts: Mapping[Part, Impressions]) -> list[str]:
    """Return what models of words cannot read, in words: articles without a title, and those of no catalogue."""
    found = []
    title = articles.text[:1] or ((articles.name,) if articles.name else ())
    empty = sum(
        int((articles.table[column].cast(pl.String).fill_null("").str.strip_chars() == "").sum())
        for column in title
    )
    if empty:
        found.append(f"{empty:,} of {len(articles):,} articles have no {title[0]}.")
    known = Vocabulary.of(articles.table["item"])
    for part, shown in parts.items():
        count = int((shown.codes_in(known) < 0).sum())
        if count:
            found.append(
                f"{part}: {count:,} of {len(shown.articles):,} articles are not in the table of articles; they have no "
                "text."
            )
    return found


@dataclass(frozen=True, eq=False)
class NewsDataset:
    """Articles and impressions with their origin; what `palate.load_news` returns."""

    name: str
    """As `load_news` knows it, or that of its folder"""
    articles: Catalogue
    """One row an article; what is known of it"""
    learn_from: Impressions | None
    """The part to learn from, where there is one; `train` is the same, and says so where there is none"""
    valid: Impressions | None = None
    """The part that was published to measure on, where there is one (MIND calls it dev)"""
    test: Impressions | None = None
    """The part without labels, where there is one"""
    licence: str = "unknown: ask whoever gave you the files"
    """What the publisher allows, in one sentence"""
    source: str = ""
    """Where the rows came from"""
    notes: tuple[str, ...] = ()
    """What was odd in the files, and what was made of it"""

    def __repr__(self) -> str:
        parts = [f"{name} {part!r}" for name, part in self.parts().items()]
        return f"NewsDataset({self.name}: {self.articles!r}; {', '.join(parts)})"

    @property
    def train(self) -> Impressions:
        """The part to learn from. Raises DataError where there is none, as in MIND's dev or test alone."""
        if self.learn_from is None:
            raise DataError(
                f"{self.name} has no part to learn from, only {listing(self.parts())}: it can be scored, not learned "
                "from. Give the whole set, or its train part."
            )
        return self.learn_from

    def parts(self) -> dict[Part, Impressions]:
        """Return the parts that are there, by name."""
        told: dict[Part, Impressions | None] = {
            "train": self.learn_from, "valid": self.valid, "test": self.test
        }  # fmt: skip
        return {name: part for name, part in told.items() if part is not None}

    def first(self, *names: Part) -> Impressions:
        """Return the first of these parts that is there. Raises DataError where none is."""
        parts = self.parts()
        for name in names:
            if name in parts:
                return parts[name]
        raise DataError(f"{self.name} has no {' and no '.join(names)} part, only {listing(parts)}.")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content of train; where there is none, of the part to measure on, or to submit."""
        return self.first(*PARTS).fingerprint

    def facts(self) -> dict[str, float]:
        """Return how much there is, and how it is spread, in figures by name.

        Those of readers, candidates, clicks and histories are of train, or else of the first part that is there.
        """
        what = {"train": "learn from", "valid": "measure on", "test": "submit"}
        parts = self.parts()
        of, shown = next(iter(parts.items()))
        lengths = shown.histories.lengths[shown.history_of]
        counts = {f"impressions to {what[name]}": len(part) for name, part in parts.items()}
        clicks = {} if shown.clicked is None else {
            f"clicks in {of}": shown.n_clicks,
            "share of candidates clicked": shown.n_clicks / shown.n_candidates,
        }  # fmt: skip
        return counts | {
            f"readers of {of}": len(shown.users),
            "articles": len(self.articles),
            f"articles shown in {of}": len(np.unique(shown.candidate)),
            "impressions a reader, median": float(np.median(np.bincount(shown.user))),
            "candidates an impression, median": float(np.median(shown.sizes)),
            "candidates an impression, at most": int(shown.sizes.max()),
            **clicks,
            "articles read before, median": float(np.median(lengths)),
            "articles read before, at most": int(lengths.max()),
            "share of impressions without a history": float((lengths == 0).mean()),
        }

    def split_by_time(self, share: float = 0.8) -> NewsDataset:
        """Return the set with the first `share` of train as train, and the rest of it as valid.

        Raises SplitError where it has a valid part already; DataError without times.
        """
        if self.valid is not None:
            raise SplitError(f"{self.name} was published with a part to measure on: use it.")
        train, valid = self.train.before(share)
        return replace(self, learn_from=train, valid=valid)
