"""The plans that ship with Palate: `NAME.toml` beside this file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from palate.errors import PlanError, did_you_mean

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Return the names of the recipes, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def text(name: str) -> str:
    """Return a recipe as TOML text. Raises `PlanError` for a name that is none."""
    if name not in names():
        raise PlanError(
            f"there is no recipe '{name}'.{did_you_mean(name, names())} Recipes: {', '.join(names())}."
        )
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def summary(name: str) -> str:
    """Return what a recipe shows, in one line. Raises `PlanError` for a name that is none."""
    return str(tomllib.loads(text(name)).get("about", "")).strip().partition("\n")[0]
