"""SASRec: what comes next, by self-attention over what came before. `model.py` has the class and the paper."""

from __future__ import annotations

from palate.models.sasrec.model import SASRec

__all__ = ["SASRec"]
