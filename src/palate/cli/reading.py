"""What verbs read: a data set by name or file, a saved model, and parameters from `--set`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.errors import PlanError, SavedModelError, listing

if TYPE_CHECKING:
    from palate.columns import BadRows
    from palate.datasets import Dataset, NewsDataset
    from palate.datasets.newsdata import Part
    from palate.models.base import Recommender

_OPTIONAL = ("value", "time", "event", "basket")  # columns that `none` leaves out
_OF_IMPRESSIONS = ("history_column", "candidates_column", "clicked_column", "text_column")
_PROGRESS = "PALATE_PROGRESS"  # what `palate.progress` looks at


def load(data: str, reading: dict[str, Any]) -> Dataset:
    """Load a data set by name or file, read as the options given say."""
    from palate import datasets

    options = dict(reading)
    if odd := [name for name in _OF_IMPRESSIONS if name in options]:
        raise PlanError(
            f"{data} is read as interactions, and --{odd[0].replace('_', '-')} is of impressions, which nrms, npa, "
            "ctr, content and lm learn from: leave it out, or take one of those models."
        )
    if options.pop("drop_bad_rows", False):
        options["bad_rows"] = "drop"
    options |= {name: None for name in _OPTIONAL if options.get(name) == "none"}
    return datasets.load(data, **options, progress=False if os.environ.get(_PROGRESS) == "0" else None)


def of_impressions(data: str, reading: dict[str, Any]) -> bool:
    """Return whether this is read as impressions: news, or a file of which somebody names such a column."""
    from palate.datasets.news import holds_impressions

    named = Path(data).expanduser().is_file() and any(name in reading for name in _OF_IMPRESSIONS)
    return named or holds_impressions(data, candidates=reading.get("candidates_column", "candidates"))


def load_impressions(data: str, reading: dict[str, Any], *, only: Sequence[Part] = ()) -> NewsDataset:
    """Load news by name, folder or file; of the options for reading, those that impressions have.

    only: of MIND's files, read the first of these parts that is there, and no other.
    """
    from palate.datasets import load_news

    known = {"user": "user", "item": "item", "time": "time", "time_unit": "time_unit", "items": "articles"}
    known |= {name: name.removesuffix("_column") for name in _OF_IMPRESSIONS}
    options = {known[name]: value for name, value in reading.items() if name in known}
    options |= {name: None for name in ("time", "clicked") if options.get(name) == "none"}
    odd = [name for name in reading if name not in (*known, "drop_bad_rows", "offline")]
    if odd:
        raise PlanError(
            f"{data} is read as impressions, which have no {listing(odd)}: leave --{odd[0].replace('_', '-')} out."
        )
    bad_rows: BadRows = "drop" if reading.get("drop_bad_rows") else "raise"
    return load_news(data, only=only, bad_rows=bad_rows, **options)


def model_at(folder: Path) -> Recommender:
    """Load a saved model; say how one is made when there is none."""
    from palate.models import registry

    if not folder.exists():
        raise SavedModelError(
            f"{folder}: no saved model there. Make one: palate fit DATA --model NAME --out {folder}"
        )
    return registry.load_model(folder)


def parameters(sets: Sequence[str]) -> dict[str, Any]:
    """Return what `--set key=value ...` gives: values as TOML writes them, a bare word being text.

    >>> parameters(["l2=250", "similarity=lift", "normalise=true"])
    {'l2': 250, 'similarity': 'lift', 'normalise': True}
    >>> parameters(['models=[{name = "svd"}, {name = "rlrmc"}]'])
    {'models': [{'name': 'svd'}, {'name': 'rlrmc'}]}
    """
    from palate.experiment.settings import set_value

    given: dict[str, Any] = {"model": {}}
    for one in sets:
        key, equals, _ = one.partition("=")
        if not equals or not key.strip() or "." in key:
            raise PlanError(f"--set '{one}': expected KEY=VALUE, such as half_life_days=30.")
        set_value(given, f"model.{one}")
    parameters: dict[str, Any] = given["model"]
    return parameters


def quieten(quiet: bool) -> None:
    """Keep progress bars off for the rest of the process, when asked."""
    if quiet:
        os.environ[_PROGRESS] = "0"
