"""Content on a shop's purchases: things that nobody has bought yet are recommended by what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import palate
from palate.errors import DataError
from palate.experiment.run import run


@pytest.fixture(scope="module")
def shop() -> palate.Dataset:
    """Two tastes, told by the names of things."""
    rng = np.random.default_rng(0)
    names = [f"{'red' if item % 2 else 'blue'} thing{item}" for item in range(40)]
    user = np.repeat(np.arange(60), 8)
    item = 2 * rng.integers(0, 20, len(user)) + user % 2
    data = palate.Interactions.from_table({"user": user, "item": item, "time": np.arange(len(user))})
    return palate.Dataset("shop", data, palate.Catalogue.from_table({"item": np.arange(40), "name": names}))


def test_new_things_are_recommended_by_their_names(shop: palate.Dataset) -> None:
    parts = palate.split.new_items(shop.interactions, items=0.3, seed=1)
    model = palate.models.create("content").fit(parts.train, catalogue=shop.catalogue)
    assert set(model.items.ids.to_list()) == set(range(40))
    found = palate.evaluate(model, parts, k=10, metrics=["recall", "precision"], bootstrap=0)
    blind = palate.models.create("ease").fit(parts.train, catalogue=shop.catalogue)
    none = palate.evaluate(blind, parts, k=10, metrics=["recall"], bootstrap=0)
    assert none.estimate("recall@10").mean == 0
    assert found.estimate("recall@10").mean > 0.5
    told = model.recommend(users=[3], k=5)["item"].to_numpy()
    assert (told % 2 == 1).all()
    reasons = model.explain(user=3, item=int(told[0]))
    assert reasons.contributions["contribution"].sum() == pytest.approx(reasons.score)


def test_it_saves_loads_and_refuses_what_has_no_names(shop: palate.Dataset, tmp_path: Path) -> None:
    model = palate.models.create("content").fit(shop)
    again = palate.load_model(model.save(tmp_path / "m"))
    assert np.array_equal(again.score(), model.score())
    with pytest.raises(DataError, match="give catalogue"):
        palate.models.create("content").fit(shop.interactions)
    with pytest.raises(DataError, match="learns from impressions"):
        palate.models.create("ctr").fit(shop)


def test_a_board_holds_models_that_know_other_items(shop: palate.Dataset, tmp_path: Path) -> None:
    """Figures by popularity and examples are in each model's own items, whichever comes first."""
    plan: dict[str, Any] = {
        "data": {"name": "shop"},
        "split": {"method": "random", "ratio": 0.7},
        "evaluate": {"k": 5, "metrics": ["recall"], "bootstrap": 0, "by_time": False},
    }
    first, last = (
        run(plan | {"models": [{"name": name} for name in order]}, data=shop, out=tmp_path / order[0])
        for order in (("content", "popularity"), ("popularity", "content"))
    )
    assert first.slices == [
        part.model_copy(
            update={"metrics": {label: part.metrics[label] for label in ("content", "popularity")}}
        )
        for part in last.slices
    ]
    assert {curve.label: curve.points for curve in first.long_tail} == {
        curve.label: curve.points for curve in last.long_tail
    }
    assert first.examples == last.examples


def test_the_recipe_of_a_cold_start_shows_who_can_and_who_cannot(tmp_path: Path) -> None:
    result = run("cold-start-retail", out=tmp_path, settings=["evaluate.bootstrap=0"])
    recall = {model.label: model.metrics["recall@10"].value for model in result.models}
    assert recall.pop("content") > 0.08
    assert set(recall.values()) == {0.0}
    assert result.examples[0].label == "content"
