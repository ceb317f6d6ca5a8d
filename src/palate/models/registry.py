"""Names of models to classes. Adding a model is one file, one line here, and one subclass of the conformance tests."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.errors import MissingExtra, PlanError, did_you_mean
from palate.errors import need as need_package

if TYPE_CHECKING:
    from palate.models.base import Recommender

_HOMES = {
    "random": "palate.models.random:Random",
    "popularity": "palate.models.popularity:Popularity",
    "mean": "palate.models.mean:Mean",
    "bias": "palate.models.bias:Bias",
    "ease": "palate.models.ease:EASE",
    "markov": "palate.models.markov:Markov",
    "session_knn": "palate.models.session_knn:SessionKNN",
    "sasrec": "palate.models.sasrec:SASRec",
    "ials": "palate.models.ials:IALS",
    "mf": "palate.models.mf:MF",
    "ncf": "palate.models.ncf:NCF",
    "sar": "palate.models.sar:SAR",
    "rbm": "palate.models.rbm:RBM",
    "svd": "palate.models.svd:SVD",
    "rlrmc": "palate.models.rlrmc:RLRMC",
    "blend": "palate.models.blend:Blend",
}
_NEWS = {
    "ctr": "palate.models.news:CTR",
    "content": "palate.models.news:Content",
    "nrms": "palate.models.news:NRMS",
    "npa": "palate.models.news:NPA",
    "news_blend": "palate.models.news:NewsBlend",
    "lm": "palate.models.news:LM",
}
"""these learn from impressions"""
_NEEDS_TORCH = {"ncf", "npa", "nrms", "sasrec"}
_NEEDS_TEXT = {"lm"}


def names() -> list[str]:
    """Return the names of all models that learn from interactions, simple ones first."""
    return list(_HOMES)


def news_names() -> list[str]:
    """Return the names of all models that learn from impressions, simple ones first."""
    return list(_NEWS)


def need(name: str) -> None:
    """Raise MissingExtra, with the install line, where what a model needs is not installed."""
    if name in _NEEDS_TORCH:
        need_package("torch", extra="neural", what=name)
    if name in _NEEDS_TEXT:
        for package in ("torch", "transformers", "peft"):
            need_package(package, extra="text", what=name)


def lacks(name: str) -> str:
    """Say what is not installed that a model needs, and how to have it; nothing where all is there."""
    try:
        need(name)
    except MissingExtra as error:
        return str(error).removeprefix(f"{name} ")
    return ""


def get(name: str, *, needed: bool = True) -> type[Recommender]:
    """Return the class of a model; `needed`: what it needs must be installed.

    Raises PlanError for a name that is not known, with the nearest one, and MissingExtra where what it needs is not
    installed.
    """
    homes = _HOMES | _NEWS
    if name not in homes:
        raise PlanError(
            f"no model is called {name!r}.{did_you_mean(name, homes)} The models are: {', '.join(homes)}."
        )
    if needed:
        need(name)
    module, _, attribute = homes[name].partition(":")
    model: type[Recommender] = getattr(importlib.import_module(module), attribute)
    return model


def create(name: str, **params: Any) -> Recommender:
    """Return an unfitted model with its parameters, checked."""
    return get(name)(**params)


def load_model(folder: str | Path) -> Recommender:
    """Return a saved model, of whichever class it is. Raises SavedModelError for a torn or altered folder."""
    from palate.models import saved

    return get(saved.read_manifest(Path(folder)).get("class", "")).load(folder)
