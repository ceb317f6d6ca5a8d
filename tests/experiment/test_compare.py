"""Comparing: the tuned models are tested as a run tests them, and again on other splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import palate
from palate.errors import DataError, PlanError
from palate.evaluation.contest import Contest
from palate.evaluation.result import Result
from palate.evaluation.study import Study
from palate.experiment import compare as comparing
from palate.experiment.bench import Bench, Task, judged_by_valid, parted, seeded, shifted, with_valid
from palate.experiment.compare import compare_models
from palate.experiment.plan import Plan
from palate.experiment.question import question, which_fit
from palate.experiment.reading import divide

MODELS = [{"name": "random"}, {"name": "popularity"}, {"name": "ease"}]


def plan(folder: Path, **more: Any) -> dict[str, Any]:
    data = {"path": str(folder / "ratings.csv"), "value": "rating"}
    evaluate = {"k": [3], "metrics": ["ndcg", "coverage"], "bootstrap": 50}
    return {"data": data, "split": {"method": "stratified"}, "models": MODELS, "evaluate": evaluate} | more


@pytest.fixture(scope="module")
def compared(done: tuple[Result, Path]) -> tuple[Contest, Path]:
    """A comparison on the two tastes of conftest, and the folder of the data."""
    folder = done[1].parent
    return compare_models(plan(folder), trials=3, splits=3, jobs=1, out=folder / "compared"), folder


def test_the_folder_holds_the_comparison_the_study_and_the_run(compared: tuple[Contest, Path]):
    contest, folder = compared
    assert Contest.read(folder / "compared") == contest
    assert Study.read(folder / "compared") == contest.study
    names = {path.name for path in (folder / "compared").iterdir()}
    assert {"compare.html", "tune.html", "report.html", "result.json", "best.toml", "models"} <= names
    assert str(contest).startswith(contest.advice[0])
    assert "Pareto" in (folder / "compared" / "compare.html").read_text()


def test_the_test_is_that_of_running_the_plan_that_was_found(compared: tuple[Contest, Path], tmp_path: Path):
    contest, _ = compared
    result = palate.run(contest.study.plan, out=tmp_path)
    for model in result.models:
        assert model.metrics["ndcg@3"] == contest.result.model(model.label).metrics["ndcg@3"]
    assert result.comparisons == contest.result.comparisons


def test_the_spread_is_the_test_on_splits_of_other_seeds(compared: tuple[Contest, Path], tmp_path: Path):
    contest, _ = compared
    for shift in (0, 1, 2):
        settings = [f"split.seed={42 + shift}", f"models.random.seed={42 + shift}"]
        result = palate.run(contest.study.plan, settings=settings, out=tmp_path / str(shift))
        for model in result.models:
            value = contest.values(model.label).values[shift]
            assert value == pytest.approx(model.metrics["ndcg@3"].mean, abs=1e-12)


def test_knowing_the_user_wins_where_there_are_two_tastes(compared: tuple[Contest, Path]):
    contest, _ = compared
    assert contest.ranking()[0].label == contest.chosen == "ease"
    assert contest.regret() is None
    assert contest.equal() == set()
    assert contest.ahead("ease", "popularity") == (3, 3)
    assert "ease" in contest.front()


def test_one_split_is_told_as_what_it_is(compared: tuple[Contest, Path]):
    def said(method: str) -> str:
        return comparing._varied(Plan.of(plan(compared[1], split={"method": method})), 1)

    assert (
        said("stratified") == "There is one split alone, drawn at random: no other was asked for (--splits)."
    )
    assert "last-out draws nothing" in said("last-out")


@pytest.mark.parametrize(
    ("split", "models", "said"),
    [
        (
            "stratified",
            ["markov"],
            "markov learns what comes next, and this split draws rows from the middle",
        ),
        ("random", ["ease", "markov", "session_knn"], "markov and session_knn learn what comes next"),
        ("last-out", ["markov"], ""),
        ("stratified", ["ease"], ""),
    ],
)
def test_models_that_read_order_are_warned_of_a_split_from_the_middle(
    compared: tuple[Contest, Path], split: str, models: list[str], said: str
):
    data, settings = compared[1] / "ratings.csv", [f"split.method={split}"]
    reading = {"value": "rating"}
    of_data = question(data, models=models, settings=settings, reading=reading)
    of_plan = question(plan(compared[1], split={"method": split}, models=[{"name": name} for name in models]))
    for asked in (of_data, of_plan):
        notes = [note for note in asked.notes if "what comes next" in note]
        assert len(notes) == bool(said)
        assert not notes or (notes[0].startswith(said) and "--set split.method=last-out" in notes[0])
    timeless = question(
        data, models=models, settings=["split.method=random"], reading=reading | {"time": "none"}
    )
    assert not [note for note in timeless.notes if "what comes next" in note]


def test_a_stopped_comparison_goes_on_from_its_trials(
    compared: tuple[Contest, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    contest, folder = compared

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(comparing, "run", stop)
        with pytest.raises(KeyboardInterrupt):
            compare_models(plan(folder), trials=3, splits=3, jobs=1, out=tmp_path)
    measured: list[Task] = []
    measure = Bench.measure
    monkeypatch.setattr(Bench, "measure", lambda self, task: measured.append(task) or measure(self, task))
    again = compare_models(plan(folder), trials=3, splits=3, jobs=1, out=tmp_path)
    assert {task.on for task in measured} == {"test"}  # nothing was tuned again
    assert again.spread == contest.spread


def test_a_comparison_that_starts_drops_the_former_one(
    compared: tuple[Contest, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, folder = compared

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name in ("comparison.json", "compare.html"):
        (tmp_path / name).write_text("of yesterday")
    monkeypatch.setattr(comparing, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        compare_models(plan(folder), trials=1, splits=1, jobs=1, out=tmp_path)
    assert not [*tmp_path.glob("compar*")]


def test_a_split_that_draws_nothing_varies_the_models_seeds_alone(compared: tuple[Contest, Path]):
    _, folder = compared
    test = folder / "test.csv"
    rows = palate.load(folder / "ratings.csv", value="rating").interactions.table()
    rows.rename({"value": "rating"}).sample(60, seed=1).write_csv(test)
    given = {"method": "given", "test": str(test)}
    for split in ({"method": "chronological", "ratio": 0.7}, given):
        asked = plan(folder, split=split)
        asked["evaluate"]["exclude_seen"] = False
        contest = compare_models(asked, trials=1, splits=2, jobs=1)
        assert len(set(contest.values("random").values)) == 2
        one, other = contest.values("ease").values
        assert one == pytest.approx(other, abs=1e-12)
        assert "draws nothing" in contest.varied


def test_a_model_that_never_fits_is_left_out_and_named(compared: tuple[Contest, Path]):
    _, folder = compared
    data = {"path": str(folder / "ratings.csv"), "value": "rating", "time": False}
    models = [*MODELS, {"name": "sar", "label": "fading", "half_life_days": 3.0}]
    contest = compare_models(plan(folder, data=data, models=models), trials=1, splits=1, jobs=1)
    assert [model.label for model in contest.result.models] == ["random", "popularity", "ease"]
    assert any(note.startswith("fading was left out") for note in contest.notes)


def test_two_processes_compare_as_one_does(compared: tuple[Contest, Path]):
    contest, folder = compared
    again = compare_models(plan(folder), trials=3, splits=3, jobs=2)
    assert again.spread == contest.spread
    assert [trial.value for trial in again.study.trials] == [trial.value for trial in contest.study.trials]


def test_data_decides_which_models_fit():
    data = palate.load("movietweetings-10k").interactions
    rated = [row["name"] for row in which_fit("rmse", data)[0]]
    assert "sar" in rated
    assert not {"ease", "popularity", "random"} & set(rated)
    rows = {row["name"]: row for row in which_fit("rmse", data)[0]}
    assert rows["rbm"] == {"name": "rbm", "visible": "softmax", "orientation": "item"}
    assert all(palate.models.registry.create(**row).can("rate") for row in rows.values())
    assert {"name": "rbm"} in which_fit("ndcg", data)[0]  # for lists as it comes
    bare = palate.load("movietweetings-10k", value=None).interactions
    names = [row["name"] for row in which_fit("ndcg", bare)[0]]
    assert {"random", "popularity", "ease", "sar"} <= set(names)
    assert not [name for name in names if palate.models.registry.get(name).needs_values]
    with pytest.raises(PlanError, match="ease predicts no ratings"):
        which_fit("rmse", data, ["ease"])
    with pytest.raises(PlanError, match="no model fits"):
        which_fit("rmse", bare)


def test_the_machine_of_ratings_rates_and_is_tuned():
    data = palate.load("movietweetings-10k", min_user=3, min_item=3)
    settings = ["models.rbm.epochs=2", "models.rbm.hidden=4"]
    study = palate.tune(data, metric="rmse", models=["rbm"], trials=2, jobs=1, settings=settings)
    assert [trial.state for trial in study.trials] == ["done", "done"]
    assert study.plan["models"][0]["visible"] == "softmax"


def test_validation_is_taken_from_train_and_the_test_part_stays(tmp_path: Path):
    data = palate.load("movietweetings-10k")
    for split in (
        {"method": "random"},
        {"method": "time", "at": 0.8},
        {"method": "last-out"},
        {"method": "new-users"},
        {"method": "chronological", "valid": 0.3},
    ):
        bare = Plan.of({"data": {"name": data.name}, "split": split, "models": MODELS})
        whole, parts = parted(with_valid(bare), data), divide(bare, data)
        assert whole.test.fingerprint == parts.test.fingerprint
        assert len(whole.valid) > 0
        assert judged_by_valid(whole).test is whole.valid
    test = tmp_path / "test.csv"
    data.interactions.table().head(500).write_csv(test)
    given = Plan.of(
        {"data": {"name": data.name}, "split": {"method": "given", "test": str(test)}, "models": MODELS}
    )
    whole = parted(with_valid(given), data)
    assert len(whole.train) + len(whole.valid) == len(data.interactions)


def test_a_shift_changes_the_seeds_and_nothing_else():
    plan = Plan.of({"data": {"name": "retail"}, "split": {"method": "random", "seed": 3}, "models": MODELS})
    assert shifted(plan, 2).split.params == {"seed": 5}
    assert shifted(plan, 0) is plan
    assert seeded(plan.models[0], 2).params == {"seed": 44}
    assert seeded(plan.models[2], 2) is plan.models[2]


def test_what_cannot_be_compared_is_said(tmp_path: Path):
    with pytest.raises(PlanError, match="splits = 0"):
        compare_models("quickstart", splits=0)
    with pytest.raises(DataError, match="Give the folder of a finished `palate compare`"):
        Contest.read(tmp_path)
