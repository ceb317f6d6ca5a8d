"""NCF: GMF, an MLP and NeuMF."""

from __future__ import annotations

from palate.models.ncf.model import NCF

__all__ = ["NCF"]
