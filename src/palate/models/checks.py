"""What a model is given, looked at before it is used: train, catalogue, length of a list."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl

from palate.catalogue import Catalogue
from palate.errors import DataError, PalateWarning, PlanError
from palate.interactions import Interactions
from palate.models.algorithm import Algorithm
from palate.vocabulary import Vocabulary

_DOUBLED, _FEW = 0.05, 5
"""share of the rows, and number of them, from which on a model of order warns of rows that are there twice"""


def likes(model: Algorithm, train: Interactions) -> Interactions:
    """Return train without its negative events.

    Raises DataError where a model of ratings gets none, and where nothing is left; warns of ratings below 0.
    """
    if model.rated and not train.has_values:
        raise DataError(
            f"{model.name} learns from ratings, and train has no value column: name it, or take a model that "
            "learns from choices alone, such as sar or ease."
        )
    if model.reads_order and train.time is None:
        warnings.warn(
            f"{model.name} learns what follows what, and the data have no times: their order is taken for it. Name the "
            "column of times, or take a model that needs no order, such as ease or sar.",
            PalateWarning,
            stacklevel=3,
        )
    doubled = train.doubled() if model.reads_order else 0
    if doubled >= max(_DOUBLED * len(train), _FEW):
        warnings.warn(
            f"{model.name} learns what follows what, and {doubled:,} of {len(train):,} rows are another row again "
            "(same user, item and time): it takes them for steps from an item to itself. repeats = first (--repeats "
            "first) leaves one row of a pair.",
            PalateWarning,
            stacklevel=3,
        )
    positive = train.positive()
    if len(positive) == 0:
        raise DataError(f"all {len(train):,} rows of train are negative events: there is nothing to like.")
    below = int((train.value < 0).sum()) if model.rated else 0
    if below:
        warnings.warn(
            f"{model.name}: {below:,} of {len(train):,} ratings are below 0 and count as dislikes, which teach it "
            "nothing. If they are ratings like the others, add a number to all, so that the scale begins at 0.",
            PalateWarning,
            stacklevel=3,
        )
    if model.rated and len(positive) > 1 and positive.value.min() == positive.value.max():
        warnings.warn(
            f"{model.name}: all {len(positive):,} ratings of train are {positive.value[0]:g}: there is nothing to "
            "learn. Is it the right column?",
            PalateWarning,
            stacklevel=3,
        )
    return positive


def check_catalogue(catalogue: Catalogue, items: Vocabulary) -> None:
    """Raise DataError for ids of another kind; warn where the catalogue knows none of train's items."""
    keys = catalogue.table["item"]
    if (keys.dtype == pl.String) != items.is_text:
        raise DataError(
            f"the catalogue's items are {keys.dtype} ids and train's are {items.kind} ids: give the same kind in both."
        )
    if not (items.encode(keys) >= 0).any():
        warnings.warn(
            "the catalogue knows none of train's items: names and filters will find nothing.",
            PalateWarning,
            stacklevel=4,
        )


def check_k(k: int) -> None:
    """Raise PlanError for a list of no length."""
    if not isinstance(k, int | np.integer) or k < 1:
        raise PlanError(f"k = {k!r}: a list has at least 1 item, and a whole number of them.")
