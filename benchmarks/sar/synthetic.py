"""A world of the size and shape of MovieLens-20M from a seed: 138,493 users, 26,744 items, 20,000,263 rows.

How long a user's history is follows 20 plus a log-normal, taken at its quantiles, so that the row count is
exact and the sum of squared lengths (what co-occurrence costs) is 6.0e9 at full size. How popular an item
is follows a Zipf-Mandelbrot law. Pairs are distinct. Nothing else is true of it: it serves speed and
memory, not accuracy.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri

USERS, ITEMS, ROWS = 138_493, 26_744, 20_000_263
_SHORTEST, _SPREAD = 20, 149.9  # every history has at least 20 rows; standard deviation that gives 6.0e9
_TABLE = 1 << 21


def history_lengths(users: int, rows: int, items: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `users` history lengths that sum to `rows`, none above half of `items`, in random order."""
    mean = rows / users - _SHORTEST
    sigma = np.sqrt(np.log1p((_SPREAD / mean) ** 2))
    quantiles = ndtri((np.arange(users) + 0.5) / users)
    lengths = _SHORTEST + np.exp(np.log(mean) - sigma**2 / 2 + sigma * quantiles)
    lengths = np.minimum(lengths, items // 2)
    rounded = np.floor(lengths * rows / lengths.sum()).astype(np.int64)
    rounded[: rows - rounded.sum()] += 1  # what flooring left over, one each to the shortest
    return rng.permutation(rounded)


def popularity_table(items: int) -> NDArray[np.int32]:
    """Return a table in which each item stands about as often as it is popular, at least once."""
    weight = (np.arange(items) + 300.0) ** -1.7
    share = np.maximum(np.round(weight / weight.sum() * (_TABLE - items)), 0).astype(np.int64) + 1
    return np.repeat(np.arange(items, dtype=np.int32), share)


@njit(cache=True)
def _draw(lengths, table, names, rng):  # type: ignore[no-untyped-def]
    item = np.empty(lengths.sum(), np.int32)
    last_user = np.full(len(names), -1, np.int64)
    n = 0
    for user in range(len(lengths)):
        stop = n + lengths[user]
        while n < stop:
            drawn = table[rng.integers(0, len(table))]
            if last_user[drawn] != user:
                last_user[drawn] = user
                item[n] = names[drawn]
                n += 1
    return item


def make(users: int = USERS, items: int = ITEMS, rows: int = ROWS, *, seed: int = 42) -> dict[str, NDArray]:
    """Return arrays user, item, value (1 to 5), time (20 years, seconds), grouped by user.

    >>> world = make(200, 500, 8_000)
    >>> len(world["user"]), len(np.unique(world["user"] * 500 + world["item"]))
    (8000, 8000)
    """
    rng = np.random.default_rng(seed)
    lengths = history_lengths(users, rows, items, rng)
    names = rng.permutation(items).astype(np.int32)  # an item's id says nothing of its popularity
    return {
        "user": np.repeat(np.arange(1, users + 1, dtype=np.int32), lengths),
        "item": _draw(lengths, popularity_table(items), names, rng) + np.int32(1),
        "value": rng.integers(1, 6, rows).astype(np.float32),
        "time": rng.integers(800_000_000, 1_430_000_000, rows),
    }
