"""Models of news: they learn from what readers were shown and clicked, and read the text. `base.py` says how."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Found on first use: none brings in what another one needs.
_HOMES = {
    "CTR": "ctr",
    "LM": "lm",
    "NPA": "npa",
    "NRMS": "nrms",
    "Content": "content",
    "NewsBlend": "blend",
}

__all__ = ["CTR", "LM", "NPA", "NRMS", "Content", "NewsBlend"]

if TYPE_CHECKING:
    from palate.models.news.blend import NewsBlend
    from palate.models.news.content import Content
    from palate.models.news.ctr import CTR
    from palate.models.news.lm import LM
    from palate.models.news.npa import NPA
    from palate.models.news.nrms import NRMS


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
