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


def test_a_model_that_looks_at_the_test_part_is_caught() -> None:
    class Suspect(Conformance):
        __test__ = False
        model = Peeking

    with pytest.raises(AssertionError):
        Suspect().test_changing_or_removing_the_test_part_changes_nothing()


NEEDS: dict[str, dict[str, Any]] = {"blend": {"models": [{"name": "ease"}, {"name": "svd", "factors": 2}]}}
MODELS = [(name, NEEDS.get(name, {})) for name in registry.names()]
MODELS += [("rbm", {"visible": "joint"}), ("rlrmc", {"geometry": "als"})]


@pytest.mark.parametrize(
    ("name", "params"), MODELS, ids=[f"{name}-{n}" for n, (name, _) in enumerate(MODELS)]
)
def test_evaluation_shows_no_model_a_row_of_the_test_part(name: str, params: dict[str, Any]) -> None:
    """The best-known RBM was given the test ratings as its input, and so recommended what it had been told."""
    shown: set[tuple[int, int]] = set()
    kind = registry.get(name)

    def watching(verb: str) -> Any:
        def listen(self: Any, contexts: Contexts, *rest: Any) -> Any:
            user = np.repeat(self.users.ids.gather(contexts.users), contexts.events.lengths)
            shown.update(zip(user, self.items.decode(contexts.events.item), strict=True))
            return getattr(kind, verb)(self, contexts, *rest)

        return listen

    verbs = {verb: watching(verb) for verb in ("_best", "_scores", "_rate")}
    model = type(kind.__name__, (kind,), verbs | {"__module__": __name__})(**params)
    parts = split.random(Interactions.from_table(world().table().unique(["user", "item"])), seed=1, valid=0.2)
    model.fit(parts.train, valid=parts.valid)
    assert model.users == parts.train.users
    assert model.items == parts.train.items
    evaluate(model, parts, metrics=["ndcg", "rmse"] if model.can("rate") else ["ndcg"], bootstrap=0)
    kept_back = set(parts.test.table().select("user", "item").iter_rows())
    kept_back |= set(parts.valid.table().select("user", "item").iter_rows())
    assert shown
    assert not kept_back & shown
