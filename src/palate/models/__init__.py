"""Recommenders: one file for each algorithm, one base for all that they share."""

from __future__ import annotations

from palate.models.registry import create, get, load_model, names

__all__ = ["create", "get", "load_model", "names"]
