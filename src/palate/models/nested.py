"""A model made of models: their states in one, so that it is saved as any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from palate.errors import PlanError
from palate.models import registry
from palate.models.base import Recommender
from palate.models.saved import grouped


@dataclass
class Nested:
    """The states of several models."""

    names: list[str]
    """(models)"""
    numbers: list[dict[str, Any]]
    """(models) what is no array in a model's state"""
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    """the arrays of all states, named `PLACE.NAME`, or `PLACE.NAME/KEY` where a state has arrays by name"""

    @classmethod
    def of(cls, names: Sequence[str], states: Sequence[Any], **more: Any) -> Self:
        """Take the states of models, with `more` fields of a subclass."""
        parts = [_parts(state) for state in states]
        return cls(
            names=list(names),
            numbers=[
                {key: part for key, part in one.items() if not isinstance(part, np.ndarray)} for one in parts
            ],
            arrays={
                f"{place}.{key}": part
                for place, one in enumerate(parts)
                for key, part in one.items()
                if isinstance(part, np.ndarray)
            },
            **more,
        )

    def states(self) -> list[Any]:
        """Return the state of each model."""
        return [
            registry.get(name).state_type(**numbers, **self._arrays(f"{place}."))
            for place, (name, numbers) in enumerate(zip(self.names, self.numbers, strict=True))
        ]

    def _arrays(self, prefix: str) -> dict[str, Any]:
        return grouped(
            {key.removeprefix(prefix): array for key, array in self.arrays.items() if key.startswith(prefix)}
        )

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return all(state.fits(n_items) for state in self.states())


def check(models: list[dict[str, Any]], blend: str) -> list[dict[str, Any]]:
    """Return the models of a blend. Raises PlanError for one without a name, one that cannot be made, and a blend."""
    for model in models:
        if "name" not in model:
            raise PlanError(f"{blend}: each of its models needs a name, as in a plan; given {model}.")
        if model["name"] == blend:
            raise PlanError(f"{blend}: a blend of blends is the blend of their models: list those.")
        create(model)
    return models


def create(model: dict[str, Any]) -> Recommender:
    """Make one of its models, unfitted."""
    return registry.create(**model)


def _parts(state: Any) -> dict[str, Any]:
    """Return what is in a state, its arrays by name as `field/key`."""
    found: dict[str, Any] = {}
    for one in dataclasses.fields(state):
        part = getattr(state, one.name)
        if isinstance(part, dict):
            found |= {f"{one.name}/{key}": array for key, array in part.items()}
        elif part is not None:
            found[one.name] = part
    return found
