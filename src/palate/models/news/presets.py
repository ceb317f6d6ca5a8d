"""Presets: sets of parameters by name; what is given beside one goes before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Preset = Literal["fast", "paper", "incumbent"]


def filled(given: Any, presets: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return parameters with those of the preset they name, where they do not give them themselves."""
    if not isinstance(given, Mapping):
        return given
    return {**presets.get(str(given.get("preset", "")), {}), **given}
