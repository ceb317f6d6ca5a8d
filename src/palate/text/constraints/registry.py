"""All kinds of constraints: those that ship with Palate, and those of installed packages."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from palate.errors import DataError, PlanError, did_you_mean
from palate.text.constraints import mentions, names, shape, voice
from palate.text.constraints.kind import Constraint, Kind, Slots
from palate.text.prose import Prose

GROUP = "palate.constraints"
"""entry points of this group name a Kind, or a function that makes one"""


@cache
def kinds() -> dict[str, Kind]:
    """Return all kinds by name: first Palate's own, then those of entry points, which may not take a name of ours.

    Raises PlanError for an entry point that cannot be loaded or is no kind.
    """
    own = {kind.name: kind for module in (names, mentions, voice, shape) for kind in module.KINDS}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            loaded = point.load()
            kind = loaded if isinstance(loaded, Kind) else loaded()
        except Exception as error:
            raise PlanError(
                f"the kind of constraint {point.name!r} ({point.value}) cannot be loaded: {error}. Mend or "
                "uninstall it."
            ) from error
        if not isinstance(kind, Kind) or kind.name in own:
            why = (
                "is no Kind"
                if not isinstance(kind, Kind)
                else f"takes the name {kind.name!r}, which is there"
            )
            raise PlanError(
                f"the kind of constraint {point.name!r} ({point.value}) {why}. Mend or uninstall it."
            )
        own[kind.name] = kind
    return own


def kind_of(name: str) -> Kind:
    """Return the kind of that name; raises PlanError, with the nearest one, where there is none."""
    known = kinds()
    if name not in known:
        raise PlanError(
            f"no kind of constraint is called {name!r}.{did_you_mean(name, known)} The kinds are: {', '.join(known)}."
        )
    return known[name]


def holds(constraint: Constraint, prose: Prose) -> bool:
    """Return whether a text does what a constraint says.

    Raises PlanError for an unknown kind, and DataError where the slots are not what the kind needs.

    >>> holds(Constraint("name", "specific", "semantic", {"name": "Ann"}, "…"), Prose("Ann came. Annabel went."))
    True
    """
    return _asked(constraint, prose, lambda kind: kind.holds)


def refuted(constraint: Constraint, prose: Prose) -> bool:
    """Return whether a text clearly fails what a constraint says: a narrower claim than `not holds`. Raises as `holds`.

    >>> refuted(Constraint("name", "specific", "semantic", {"name": "Ann"}, "…"), Prose("Joanna came."))
    False
    """
    return _asked(constraint, prose, lambda kind: kind.refuted)


def _asked(
    constraint: Constraint, prose: Prose, of: Callable[[Kind], Callable[[Slots, Prose], bool]]
) -> bool:
    try:
        return of(kind_of(constraint.kind))(constraint.slots, prose)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"the slots {constraint.slots} are not those of a constraint of the kind {constraint.kind!r} "
            f"({type(error).__name__}: {error})."
        ) from error
