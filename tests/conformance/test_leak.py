"""The leak test catches models that leak, in the two ways that were seen in the wild."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from palate import split
from palate.evaluation import evaluate
from palate.interactions import Interactions
from palate.models import registry
from palate.models.algorithm import Pairs
from palate.models.contexts import Contexts
from palate.models.popularity import Popularity, PopularityState
from tests.conformance.conformance import Conformance
from tests.worlds import world


class Peeking(Popularity):
    """Counts the held-out rows too."""

    name: ClassVar[str] = "peeking"

    def _fit(self, train: Interactions, pairs: Pairs) -> PopularityState:
        state = super()._fit(train, pairs)
        if self._valid is not None:
            known = train.items.encode(self._valid.items.ids)[self._valid.item]
            state.score += np.bincount(known[known >= 0], minlength=train.n_items)
        return state


class Widened(Popularity):
    """Takes its list of items from somewhere else than train."""

    name: ClassVar[str] = "widened"
    whole: ClassVar[Interactions | None] = None

    def _fit(self, train: Interactions, pairs: Pairs) -> PopularityState:
        state = super()._fit(train, pairs)
        assert Widened.whole is not None
        state.score += Widened.whole.items.encode(train.items.ids) >= 0
        state.score[0] += len(Widened.whole)
        Widened.whole = train
        return state


@pytest.mark.parametrize("leaky", [Peeking, Widened])
def test_a_model_that_looks_at_the_test_part_is_caught(leaky: type[Popularity], monkeypatch: Any) -> None:
    class Suspect(Conformance):
        model = leaky

    Suspect.__test__ = False  # type: ignore[attr-defined]
    Widened.whole = world()
    with pytest.raises(AssertionError):
        Suspect().test_changing_or_removing_the_test_part_changes_nothing()


def test_evaluation_shows_no_model_a_row_of_the_test_part() -> None:
    """The best-known RBM was given the test ratings as its input, and so recommended what it had been told."""
    shown: list[tuple[int, int]] = []

    class Watching(registry.get("ease")):  # type: ignore[misc]
        def _best(self, contexts: Contexts, k: int, exclude_seen: bool, columns: Any) -> Any:
            user = np.repeat(self.users.ids.gather(contexts.users), contexts.events.lengths)
            shown.extend(zip(user, self.items.decode(contexts.events.item), strict=True))
            return super()._best(contexts, k, exclude_seen, columns)

    parts = split.random(Interactions.from_table(world().table().unique(["user", "item"])), seed=1)
    evaluate(Watching().fit(parts.train), parts)
    test = set(parts.test.table().select("user", "item").iter_rows())
    assert shown
    assert not test & set(shown)
