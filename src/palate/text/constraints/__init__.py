"""What a text can be asked to do, so that it can be proven: kinds of constraints, each with its verifier."""

from palate.text.constraints.kind import NEGATION, Band, Category, Constraint, Kind, Scope, Slots, Type
from palate.text.constraints.registry import GROUP, holds, kind_of, kinds, refuted

__all__ = [
    "GROUP",
    "NEGATION",
    "Band",
    "Category",
    "Constraint",
    "Kind",
    "Scope",
    "Slots",
    "Type",
    "holds",
    "kind_of",
    "kinds",
    "refuted",
]
