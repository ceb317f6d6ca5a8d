"""In a last-out split with validation, models that learnt from train are asked with the validation row in view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from tests.worlds import DAY

from palate import split
from palate.datasets import Dataset
from palate.evaluation import evaluate, evaluate_tables
from palate.experiment.bench import Bench, Task
from palate.experiment.plan import Plan
from palate.experiment.run import run
from palate.interactions import Interactions
from palate.models.contexts import Contexts
from palate.models.popularity import Popularity
from palate.models.registry import create
from palate.split import Split


def walks(users: int = 40, items: int = 30, length: int = 7, seed: int = 0) -> Interactions:
    """Everybody starts somewhere on a ring and takes the next item each day, or the one after it."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(
        np.c_[rng.integers(0, items, (users, 1)), rng.integers(1, 3, (users, length - 1))], axis=1
    )
    user, place = np.divmod(np.arange(users * length), length)
    order = rng.permutation(len(user))
    table = {"user": user, "item": steps.ravel() % items, "time": place * DAY + user}
    return Interactions.from_table({name: column[order] for name, column in table.items()})


@pytest.fixture(scope="module")
def parts() -> Split:
    return split.last_out(walks(), valid=True)


class Watched(Popularity):
    """Notes what it is shown of each user."""

    name: ClassVar[str] = "watched"
    shown: ClassVar[dict[Any, list[Any]]] = {}

    def _best(self, contexts: Contexts, *rest: Any) -> Any:
        for n, code in enumerate(contexts.users):
            events = contexts.events.item[contexts.events.indptr[n] : contexts.events.indptr[n + 1]]
            self.shown[self.users.ids[int(code)]] = self.items.decode(events).to_list()
        return super()._best(contexts, *rest)


class ByName(Watched):
    """A model that knows its users by name alone."""

    name: ClassVar[str] = "by-name"
    shown: ClassVar[dict[Any, list[Any]]] = {}

    @property
    def folds_in(self) -> bool:
        return False


def history(parts: Split, user: Any) -> list[Any]:
    return parts.source.table().filter(pl.col("user") == user).sort("time")["item"].to_list()[:-1]


def test_the_validation_row_is_the_end_of_the_history(parts: Split) -> None:
    model = Watched().fit(parts.train)
    found = evaluate(model, parts, bootstrap=0)
    for user in found.users:
        assert model.shown[user] == history(parts, user)
    assert any("learnt from train alone" in note for note in found.notes)


@pytest.mark.parametrize("name", ["sar", "ease"])
def test_figures_are_those_of_histories_of_train_and_validation(parts: Split, name: str) -> None:
    model = create(name).fit(parts.train)
    found = evaluate(model, parts, k=5, metrics=["ndcg", "auc"], bootstrap=0)
    lists = model.recommend(histories=parts.train_and_valid(), k=5)
    by_table = evaluate_tables(
        lists, parts.test.table().select("user", "item"), k=5, metrics="ndcg", bootstrap=0
    )
    assert found.estimates["ndcg@5"].mean == pytest.approx(by_table["ndcg@5"].mean)
    assert (
        found.estimates["auc"].mean
        > evaluate(model, parts, metrics="auc", show_valid=False, bootstrap=0).estimates["auc"].mean
    )


def test_what_stands_in_validation_is_seen(parts: Split) -> None:
    for kind in (Watched, ByName):
        model = kind().fit(parts.train)
        found = evaluate(model, parts, k=len(model.items), bootstrap=0)
        for user, listed in zip(found.users, found.top, strict=True):
            items = set(model.items.decode(listed[listed >= 0]).to_list())
            assert items == set(model.items.ids) - set(history(parts, user))


def test_nothing_is_shown_after_a_refit_on_request_or_under_other_splits(parts: Split) -> None:
    whole = replace(parts, train=parts.train_and_valid(), valid=None)
    by_chance = split.random(walks(), valid=0.2)
    for asked, options in ((whole, {}), (parts, {"show_valid": False}), (by_chance, {})):
        model = Watched().fit(asked.train)
        model.shown.clear()
        found = evaluate(model, asked, bootstrap=0, **options)
        assert not any("validation" in note for note in found.notes)
        for user, items in model.shown.items():
            told = asked.train.table().filter(pl.col("user") == user).sort("time")["item"]
            assert items == told.to_list()
    model = Watched().fit(by_chance.train)
    evaluate(model, by_chance, show_valid=True, bootstrap=0)
    assert any(
        set(by_chance.valid.table().filter(user=user)["item"]) & set(items)
        for user, items in model.shown.items()
    )


def test_a_model_that_learnt_from_both_is_not_told_twice(parts: Split) -> None:
    model = Watched().fit(parts.train_and_valid())
    model.shown.clear()
    found = evaluate(model, parts, bootstrap=0)
    assert model.shown == {user: history(parts, user) for user in found.users}
    assert not any("validation" in note for note in found.notes)


def test_a_validation_item_that_train_lacks_is_left_out() -> None:
    data = Interactions.from_table(
        {"user": [1, 1, 1, 2, 2, 2], "item": [7, 99, 8, 8, 7, 9], "time": [1, 2, 3, 1, 2, 3]}
    )
    parts = split.last_out(data, valid=True)
    model = Watched().fit(parts.train)
    model.shown.clear()
    evaluate(model, parts, bootstrap=0)
    assert model.shown == {1: [7], 2: [8, 7]}


@pytest.mark.parametrize("shown", [True, False])
def test_sampled_candidates_hold_nothing_that_the_user_is_known_to_have_met(
    parts: Split, shown: bool
) -> None:
    model = create("popularity").fit(parts.train)
    n = len(model.items)
    found = evaluate(model, parts, k=n, candidates={"sampled": n}, show_valid=shown, bootstrap=0)
    for user, listed in zip(found.users, found.top, strict=True):
        past = set(history(parts, user))
        items = set(model.items.decode(listed[listed >= 0]).to_list())
        assert not items & past
        assert len(items) == n - len(past)


def test_a_run_says_that_validation_was_shown_and_its_examples_have_it(tmp_path: Path) -> None:
    walks().table().write_parquet(tmp_path / "walks.parquet")
    plan = {
        "data": {"path": str(tmp_path / "walks.parquet")},
        "split": {"method": "last-out", "valid": True},
        "models": [{"name": "sar"}],
        "evaluate": {"bootstrap": 0, "by_time": False},
    }
    result = run(plan, out=tmp_path / "out")
    assert result.plan["evaluate"]["show_valid"] is True
    assert any("learnt from train alone" in note for note in result.split.notes)
    assert {example.history_length for example in result.examples} == {6}
    for example in result.examples:
        assert example.recommended[0].reasons
    refitted = Plan.of(plan | {"evaluate": {"refit": True}}).resolved()
    assert refitted["evaluate"]["show_valid"] is False


def test_lists_of_the_test_are_not_those_of_validation(tmp_path: Path) -> None:
    data = walks()
    parts = split.last_out(data, valid=True)
    parts.test.table().select("user", "item").write_csv(
        tmp_path / "lists.csv"
    )  # the test item alone: always hit
    plan = Plan.of(
        {
            "data": {"path": "walks.csv"},
            "split": {"method": "last-out", "valid": True},
            "models": [{"name": "popularity"}],
            "evaluate": {"metrics": ["hit"], "candidates": {"file": str(tmp_path / "lists.csv")}},
        }
    )
    bench = Bench(plan, Dataset("walks", data))
    on_valid, on_test = (bench.measure(Task(plan.models[0], on=on)).value for on in ("valid", "test"))
    popular = evaluate(
        create("popularity").fit(parts.train), (parts.train, parts.valid), metrics="hit", bootstrap=0
    )
    assert on_valid == popular.estimate("hit@10").mean
    assert on_test == 1.0
