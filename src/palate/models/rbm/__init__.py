"""Restricted Boltzmann machines: densities of what people choose (`bernoulli`) and of how they rate (`softmax`)."""

from __future__ import annotations

from palate.models.rbm.model import RBM, RBMState

__all__ = ["RBM", "RBMState"]
