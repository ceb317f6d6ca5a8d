"""Splits: what a model may learn from, and what it is judged by. Each states its protocol and its weakness.

Every method is exact in its counts, repeatable under its seed, leaves the caller's table alone, and settles
the test part first, so a validation part changes only train. See `docs/protocols.md` for when to use which.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from palate.errors import PlanError, did_you_mean
from palate.interactions import Interactions
from palate.split.by_chance import random, stratified
from palate.split.by_item import new_items
from palate.split.by_time import by_time, chronological, last_out
from palate.split.by_user import new_users
from palate.split.given import given
from palate.split.protocol import Protocol, Split

METHODS: dict[str, Callable[..., Split]] = {
    "random": random,
    "stratified": stratified,
    "chronological": chronological,
    "last-out": last_out,
    "time": by_time,
    "new-users": new_users,
    "new-items": new_items,
    "given": given,
}
"""Every method by its name in a plan."""


def make(data: Interactions, method: str, **params: Any) -> Split:
    """Split `data` by a method's name in a plan. `seed` may be given to every method; some draw nothing.

    Raises PlanError for an unknown method or parameter, and whatever the method itself raises.

    >>> from palate import Interactions
    >>> data = Interactions.from_table({"user": [1, 1, 1, 1, 2, 2, 2, 2], "item": [5, 6, 7, 8, 5, 6, 7, 9]})
    >>> split = make(data, "stratified", ratio=0.75)
    >>> len(split.train), len(split.test)
    (6, 2)
    """
    if method not in METHODS:
        raise PlanError(
            f"split method {method!r} is unknown: use one of {', '.join(METHODS)}."
            f"{did_you_mean(method, METHODS)}"
        )
    function = METHODS[method]
    accepted = inspect.signature(function).parameters
    known = [name for name in accepted if name not in ("data", "train")]
    for name in params.keys() - accepted.keys() - {"seed"}:
        raise PlanError(
            f"split method {method!r} has no {name!r}: it takes {', '.join(known)}."
            f"{did_you_mean(name, known)}"
        )
    for name in known:
        if accepted[name].default is inspect.Parameter.empty and name not in params:
            raise PlanError(f"split method {method!r} needs {name!r}, and it was not given.")
    return function(data, **{name: value for name, value in params.items() if name in accepted})


__all__ = [
    "METHODS",
    "Protocol",
    "Split",
    "by_time",
    "chronological",
    "given",
    "last_out",
    "make",
    "new_items",
    "new_users",
    "random",
    "stratified",
]
