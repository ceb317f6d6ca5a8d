"""New items: some items are kept from training whole, as if they came after it."""

from __future__ import annotations

import numpy as np

from palate.errors import SplitError
from palate.interactions import Interactions
from palate.split.protocol import Protocol, Split, assemble, generator, percent, share
from palate.split.rows import TEST, TRAIN, VALID, counted


def new_items(data: Interactions, *, items: float = 0.1, valid: float = 0.0, seed: int = 42) -> Split:
    """Hold a random share of the items out whole: all their rows test, and none of them trains.

    Args:
        data: interactions.
        items: share of the items that are held out (rounded, a half to even; at least one).
        valid: share of the remaining items that validate, in the same way.
        seed: of the draw.

    Linear. Raises SplitError for a share outside (0, 1) and where a part would be empty.

    """
    held, validates, rng = share("items", items), share("valid", valid, zero=True), generator(seed)
    order = rng.permutation(data.n_items)
    n_test = max(1, int(counted(np.array([data.n_items]), held)[0]))
    left = data.n_items - n_test
    n_valid = max(1, int(counted(np.array([left]), validates)[0])) if validates else 0
    if left - n_valid < 1:
        raise SplitError(
            f"new-items: of {data.n_items:,} items {n_test:,} test and {n_valid:,} validate, so none trains: give "
            "lower shares, or more items."
        )
    falls = np.full(data.n_items, TRAIN, np.uint8)
    falls[order[:n_test]] = TEST
    falls[order[n_test : n_test + n_valid]] = VALID
    also = f", those of {percent(validates)} of the others validate" if validates else ""
    protocol = Protocol(
        method="new-items",
        params={"items": items, "valid": valid, "seed": seed},
        words=f"New items: all rows of {percent(held)} of the items test{also} (seed {seed}); no model has seen "
        "anybody choose one of them.",
        weakness="Only a model that reads what items are can recommend one that nobody has chosen yet; all others "
        "stand at zero here. The held-out items are drawn from all times, while really new ones are new in their ways.",
    )
    return assemble(
        data, falls[data.item], protocol, cold="keep", advice="Give more items, or another share of them."
    )
