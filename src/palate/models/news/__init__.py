"""Models of news: they learn from what readers were shown and clicked, and read the text. `base.py` says how."""

from __future__ import annotations

from palate.models.news.blend import NewsBlend
from palate.models.news.content import Content
from palate.models.news.ctr import CTR
from palate.models.news.lm import LM
from palate.models.news.npa import NPA
from palate.models.news.nrms import NRMS

__all__ = ["CTR", "LM", "NPA", "NRMS", "Content", "NewsBlend"]
