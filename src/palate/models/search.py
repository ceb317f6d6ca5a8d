"""What is worth trying for a parameter: written where the parameter is, read by tuning.

    l2: Annotated[float, Span(50, 5_000, log=True)] = Field(500.0, gt=0)

A parameter without a span is not tuned. A span is advice to a search and never a check: `Field` has the limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palate.models.algorithm import Algorithm


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`; whole ones where both are whole."""

    low: float
    high: float
    log: bool = False
    """whether to search evenly in the logarithm"""


@dataclass(frozen=True)
class Options:
    """One of a few values."""

    values: tuple[Any, ...]


def space(model: type[Algorithm]) -> dict[str, Span | Options]:
    """Return what is worth trying for each parameter of a model that says so."""
    return {
        name: advice
        for name, field in model.model_fields.items()
        for advice in field.metadata
        if isinstance(advice, Span | Options)
    }
