"""Random splits: over all rows, or inside each user's or item's rows."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np

from palate.interactions import Interactions
from palate.split.protocol import (
    Cold,
    Protocol,
    Split,
    assemble,
    generator,
    one_of,
    percent,
    share,
    validating,
)
from palate.split.rows import Rows, Taken, counted, divide, drawn

_FUTURE = (
    "Rows are drawn whatever their time, so training sees other users' future, and often the tested user's "
    "own: figures come out higher than on the day of use. Compare with a split by time."
)


def random(
    data: Interactions, *, ratio: float = 0.75, valid: float = 0.0, seed: int = 42, cold: Cold = "keep"
) -> Split:
    """Train on a random `ratio` of all rows, `ratio * rows` rounded (a half to even); test on the rest.

    `valid` is the share of train's rows that validate instead. Linear time, 1 byte a row beside the parts.
    Raises SplitError for a share outside (0, 1) and where a part would be empty.
    """
    trains, validates, rng = share("ratio", ratio), share("valid", valid, zero=True), generator(seed)
    one_of("cold", cold, ("keep", "drop"))

    def choose(rows: Rows, part: Fraction) -> Taken:
        n = len(data.user[rows])
        taken = np.zeros(n, np.bool_)
        taken[: int(counted(np.array([n]), part)[0])] = True
        rng.shuffle(taken)
        return taken

    part = divide(len(data), choose, trains, validates)
    protocol = Protocol(
        method="random",
        params={"ratio": ratio, "valid": valid, "seed": seed, "cold": cold},
        words=f"Random: {percent(trains)} of all rows train{validating(validates)}, "
        f"the rest test (seed {seed}).",
        weakness=_FUTURE + " Users with few rows may have none in train, or none in test.",
    )
    return assemble(data, part, protocol, cold=cold, advice="Give more rows, or another ratio.")


def stratified(
    data: Interactions,
    *,
    ratio: float = 0.75,
    valid: float = 0.0,
    by: Literal["user", "item"] = "user",
    seed: int = 42,
    cold: Cold = "keep",
) -> Split:
    """Train on a random `ratio` of each user's (or item's) rows; test on the rest.

    Of n rows exactly `ratio * n` train, rounded (a half to even), and at least one; so a user of few rows may
    have none in test. `valid` is the share of train's rows that validate instead, by the same rule. Linear
    time, some 10 bytes a user and 2 bytes a row beside the parts. Raises SplitError as `random` does.
    """
    trains, validates, rng = share("ratio", ratio), share("valid", valid, zero=True), generator(seed)
    one_of("cold", cold, ("keep", "drop"))
    one_of("by", by, ("user", "item"))
    codes, n = (data.user, data.n_users) if by == "user" else (data.item, data.n_items)

    def choose(rows: Rows, part: Fraction) -> Taken:
        return drawn(codes[rows], counted(np.bincount(codes[rows], minlength=n), part), rng)

    part = divide(len(data), choose, trains, validates)
    protocol = Protocol(
        method="stratified",
        params={"ratio": ratio, "valid": valid, "by": by, "seed": seed, "cold": cold},
        words=f"Random per {by}: {percent(trains)} of each {by}'s rows (at least one) train"
        f"{validating(validates)}, the rest test (seed {seed}).",
        weakness=_FUTURE,
    )
    advice = f"Every {by} keeps at least one row in train: give a lower ratio, or use method 'random'."
    return assemble(data, part, protocol, cold=cold, advice=advice)
