"""One tree of errors, and the words in them."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate import errors
from palate.errors import PalateError, did_you_mean, listing

CLASSES = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, PalateError) and kind.__module__ == errors.__name__
]  # fmt: skip


def test_the_drawing_of_the_tree_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    branch = ["PalateError"]
    for line in errors.__doc__.splitlines():
        if found := re.match(r"([│ ]*)[├└]── (\w+)", line):
            depth = 1 + len(found[1]) // 4
            branch = [*branch[:depth], found[2]]
            drawn[found[2]] = branch[depth - 1]
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES if kind is not PalateError}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_can_be_caught_as_one_and_ends_a_command_with_a_code(kind: type[PalateError]) -> None:
    with pytest.raises(PalateError, match="what happened"):
        raise kind("what happened")
    assert 1 <= kind.exit_code <= 63  # above 64 stand the codes of sysexits and of signals


def test_a_slip_of_the_finger_is_recognised_and_a_stranger_is_not() -> None:
    known = ["similarity", "threshold", "half_life_days"]
    for slip in ("simlarity", "SIMILARITY", "similarity_", "halflife_days", "treshold"):
        assert re.fullmatch(
            r" Did you mean '(similarity|threshold|half_life_days)'\?", did_you_mean(slip, known)
        )
    assert did_you_mean("colour", known) == ""
    assert did_you_mean("x", []) == ""
    assert did_you_mean("12", [12, 13]) == " Did you mean '12'?"  # type: ignore[list-item]


@given(st.lists(st.integers()), st.integers(1, 6))
def test_a_listing_shows_some_and_counts_the_rest(values: list[int], limit: int) -> None:
    shown, _, rest = listing(values, limit=limit).partition(" and ")
    assert shown == ", ".join(map(str, values[:limit]))
    assert rest == (f"{len(values) - limit} more" if len(values) > limit else "")


def test_long_values_are_cut_in_a_listing() -> None:
    assert listing(["x" * 10_000]) == "x" * 57 + "..."
    assert listing(["x" * 60]) == "x" * 60
