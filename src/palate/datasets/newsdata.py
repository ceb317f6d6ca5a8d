"""A news data set: the articles, and what readers were shown in each part."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from palate.catalogue import Catalogue
from palate.errors import SplitError
from palate.news import Impressions


@dataclass(frozen=True, eq=False)
class NewsDataset:
    """Articles and impressions with their origin; what `palate.load_news` returns."""

    name: str
    """As `load_news` knows it, or that of its folder"""
    articles: Catalogue
    """One row an article; what is known of it"""
    train: Impressions
    """The part to learn from"""
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
        parts = [f"{name} {part!r}" for name in ("train", "valid", "test") if (part := getattr(self, name))]
        return f"NewsDataset({self.name}: {self.articles!r}; {', '.join(parts)})"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content of train."""
        return self.train.fingerprint

    def facts(self) -> dict[str, float]:
        """Return how much there is, and how it is spread, in figures by name; those of histories are of train."""
        shown = self.train
        lengths = shown.histories.lengths[shown.history_of]
        counts = {f"impressions to {what}": len(part) for what, part in self._parts() if part is not None}
        return counts | {
            "readers of train": len(shown.users),
            "articles": len(self.articles),
            "articles shown in train": len(np.unique(shown.candidate)),
            "impressions a reader, median": float(np.median(np.bincount(shown.user))),
            "candidates an impression, median": float(np.median(shown.sizes)),
            "candidates an impression, at most": int(shown.sizes.max()),
            "clicks in train": shown.n_clicks,
            "share of candidates clicked": shown.n_clicks / shown.n_candidates,
            "articles read before, median": float(np.median(lengths)),
            "articles read before, at most": int(lengths.max()),
            "share of impressions without a history": float((lengths == 0).mean()),
        }

    def _parts(self) -> tuple[tuple[str, Impressions | None], ...]:
        return (("learn from", self.train), ("measure on", self.valid), ("submit", self.test))

    def split_by_time(self, share: float = 0.8) -> NewsDataset:
        """Return the set with the first `share` of train as train, and the rest of it as valid.

        Raises SplitError where it has a valid part already; DataError without times.
        """
        if self.valid is not None:
            raise SplitError(f"{self.name} was published with a part to measure on: use it.")
        train, valid = self.train.before(share)
        return replace(self, train=train, valid=valid)
