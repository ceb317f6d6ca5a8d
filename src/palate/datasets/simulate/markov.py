"""People who walk around a ring of items.

From item i they go on to i + jump, and each jump has a known probability; the items' places on the ring are shuffled,
so that ids tell nothing, and nobody walks so far as to meet an item twice. Every item is chosen equally often:
popularity knows nothing, and the order knows all that can be known.

    world = markov_world(seed=1)
    split = palate.split.last_out(world.interactions, valid=True)
    world.hit(3)  # what the best possible model reaches on average; world.best(history, 3) is its list
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palate.datasets.dataset import Dataset
from palate.errors import DataError
from palate.interactions import Interactions

DAY = 86_400
_START = 1_577_836_800  # 2020-01-01


@dataclass(frozen=True, eq=False)
class MarkovWorld:
    """People who walk around a ring of items, and what the best possible model knows of them."""

    interactions: Interactions
    """one row a day of each user, for `length` days; ids are 1 to `items`"""
    ring: NDArray[np.int64]
    """(items) the item at each place"""
    jumps: NDArray[np.int64]
    """(jumps) how far a step may go"""
    probabilities: NDArray[np.float64]
    """(jumps) of each jump; of order 2: of the jump that many places after the last one in the list"""
    order: int

    @property
    def dataset(self) -> Dataset:
        """The world as a data set."""
        return Dataset(
            "markov-world",
            self.interactions,
            licence="made up: no rights in it",
            source="palate.datasets.simulate",
        )

    def best(self, history: Sequence[int], k: int) -> list[int]:
        """Return the k most likely next items after a history of item ids, oldest first, the likeliest first.

        Of order 2 the history needs two items. Raises DataError for a history that the world does not know.
        """
        place = np.argsort(self.ring)[np.asarray(history, np.int64) - 1]
        if len(place) < self.order:
            raise DataError(f"a history of {len(place)} items: this world needs the last {self.order}.")
        turn = 0
        if self.order == 2:
            last = np.flatnonzero(self.jumps == (place[-1] - place[-2]) % len(self.ring))
            if len(last) == 0:
                raise DataError(f"nobody goes from item {history[-2]} to item {history[-1]}.")
            turn = int(last[0])
        likely = np.argsort(-np.roll(self.probabilities, turn), kind="stable")[:k]
        return [int(item) for item in self.ring[(place[-1] + self.jumps[likely]) % len(self.ring)]]

    def hit(self, k: int, *, order: int | None = None) -> float:
        """Return the expected hit rate at k of the best model that sees the last `order` items (None: all that count).

        It is the sum of the k largest probabilities. Of order 2, who sees the last item alone finds all jumps alike.
        """
        return float(self._sorted(order)[:k].sum())

    def ndcg(self, k: int, *, order: int | None = None) -> float:
        """Return the expected nDCG at k of that model: of one relevant item, 1 / log2(1 + its rank)."""
        chance = self._sorted(order)[:k]
        return float((chance / np.log2(np.arange(2, len(chance) + 2))).sum())

    def _sorted(self, order: int | None) -> NDArray[np.float64]:
        if order is not None and order < 1:
            raise DataError(f"order = {order}: expected 1 or more of the last items to be seen.")
        if order is not None and order < self.order:
            return np.full(len(self.jumps), 1 / len(self.jumps))
        return np.sort(self.probabilities)[::-1]


def markov_world(
    *,
    users: int = 1_000,
    items: int = 200,
    length: int = 20,
    jumps: Sequence[int] = (1, 2, 3, 5, 7, 9),
    probabilities: Sequence[float] = (0.4, 0.25, 0.15, 0.1, 0.06, 0.04),
    order: Literal[1, 2] = 1,
    seed: int = 0,
) -> MarkovWorld:
    """Make a planted Markov world.

    Args:
        users: how many walk; each starts anywhere on the ring, on some day of the first year.
        items: places on the ring. length: rows of each user.
        jumps: distances that a step may go, distinct, from 1. probabilities: of each, together 1.
        order: 1, the next item hangs on the last one; 2, on the last two: after jump j of the list the probabilities
            stand j places further on. Over all steps every jump is then equally likely, and the last item alone tells
            nothing.
        seed: another seed, another world.

    Raises:
        DataError: probabilities that are none, or a walk that could meet an item twice.

    >>> world = markov_world(users=50)
    >>> round(world.hit(2), 2), round(world.hit(10), 2)
    (0.65, 1.0)

    """
    far, chance = np.asarray(jumps, np.int64), np.asarray(probabilities, np.float64)
    if len(far) != len(chance) or (chance < 0).any() or abs(chance.sum() - 1) > 1e-9:
        raise DataError(
            f"probabilities = {list(probabilities)}: expected {len(far)} numbers from 0, one a jump, together 1."
        )
    if len(np.unique(far)) < len(far) or far.min() < 1 or (length - 1) * far.max() >= items:
        raise DataError(
            f"jumps = {list(jumps)}, length = {length}, items = {items}: expected distinct jumps from 1, and so many "
            f"items that nobody comes round: more than {(length - 1) * int(far.max()):,}."
        )
    rng = np.random.default_rng(seed)
    ring = rng.permutation(items) + 1
    drawn = rng.choice(len(far), (users, length - 1), p=chance)
    if order == 2:  # what is drawn is how many places after the last jump the next one stands in the list
        drawn = np.cumsum(np.c_[rng.integers(0, len(far), users), drawn], axis=1)[:, 1:] % len(far)
    place = np.cumsum(np.c_[rng.integers(0, items, users), far[drawn]], axis=1) % items
    time = _START + DAY * (rng.integers(0, 365, users)[:, None] + np.arange(length))
    table = {
        "user": np.repeat(np.arange(1, users + 1), length),
        "item": ring[place].ravel(),
        "time": time.ravel(),
    }
    return MarkovWorld(Interactions.from_table(table, source="markov_world"), ring, far, chance, order)
