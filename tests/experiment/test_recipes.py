"""The recipes of neural models run where their data set is absent, and say what they took and how they judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from palate.experiment.leaderboard import notes
from palate.experiment.plan import Plan
from palate.experiment.run import run

NEURAL = [
    "ncf-movielens",
    "ncf-movielens-sampled",
    "sasrec-amazon",
    "sasrec-amazon-sampled",
    "sasrec-movielens",
]


def brief(name: str) -> Plan:
    """Return a recipe with one pass over the data for each network, so that the test is short."""
    content = Plan.load(name).resolved()
    for model in content["models"]:
        if model["name"] in ("sasrec", "ncf"):
            model["epochs"] = 1
        if model["name"] == "sasrec":
            model |= {"embedding_size": 8, "blocks": 1, "window": 5, "device": "cpu"}
    content["evaluate"] |= {"bootstrap": 0, "by_time": False}
    return Plan.of(content)


@pytest.mark.parametrize("name", NEURAL)
def test_without_its_data_set_a_recipe_runs_on_embedded_data_and_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("PALATE_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plan = brief(name)
    result = run(plan, out=tmp_path / "out", settings=())
    assert result.data.name == plan.data.otherwise
    assert any(f"palate data get {plan.data.name}" in said for said in result.notes)
    assert [model.label for model in result.models] == [model.label for model in plan.models]
    assert all(model.metrics["ndcg@10"].value > 0 for model in result.models)
    warned = any("Krichene" in said for said in notes(result))
    assert warned == name.endswith("-sampled")


def test_the_corrected_recipe_of_amazon_is_the_tutorial_s_but_for_the_candidates() -> None:
    ours, tutorial = (Plan.load(name).resolved() for name in ("sasrec-amazon", "sasrec-amazon-sampled"))
    assert ours["evaluate"].pop("candidates") == "all"
    assert tutorial["evaluate"].pop("candidates") == {"sampled": 100, "seed": 42}
    for key in ("data", "split", "models", "evaluate"):
        assert ours[key] == tutorial[key]


@pytest.mark.parametrize("name", NEURAL)
def test_simple_models_stand_on_the_board_of_every_neural_recipe(name: str) -> None:
    models = {model.name for model in Plan.load(name).models}
    simple = {"popularity", "ease", "sar"} | (
        {"markov", "session_knn"} if "sasrec" in name else {"mf", "ials"}
    )
    assert simple <= models
