"""Tuning: on validation alone, the same for any number of processes, and never lost."""

from __future__ import annotations

import json
import shutil
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import model_validator

import palate
from palate.errors import DataError, MissingExtra, PalateError, PlanError
from palate.evaluation.study import Study
from palate.experiment.bench import Bench, Outcome, Task
from palate.experiment.journal import Journal
from palate.experiment.plan import Plan
from palate.experiment.tune import tune
from palate.experiment.workers import Workers
from palate.models import registry
from palate.models.algorithm import Pairs
from palate.models.popularity import Popularity, PopularityState
from palate.models.search import Span

MODELS = [{"name": "popularity"}, {"name": "ease"}]


def plan(world: Path, **more: Any) -> dict[str, Any]:
    """A plan on the two tastes of conftest, its split drawn."""
    data = {"path": str(world.parent / "ratings.csv"), "value": "rating"}
    evaluate = {"k": [3], "metrics": ["ndcg", "recall"], "bootstrap": 0}
    return {"data": data, "split": {"method": "stratified"}, "models": MODELS, "evaluate": evaluate} | more


def run(what: Any, **more: Any) -> Study:
    return tune(what, **({"trials": 6, "jobs": 1} | more))


def found(study: Study) -> list[Any]:
    """What a study found, without its clocks."""
    return [(trial.model, trial.number, trial.params, trial.state, trial.value) for trial in study.trials]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tasks that were really measured."""
    tasks: list[Any] = []
    measure = Bench.measure
    monkeypatch.setattr(Bench, "measure", lambda self, task: tasks.append(task) or measure(self, task))
    return tasks


def test_the_best_is_at_least_as_good_as_the_model_as_given(world: Path):
    study = run(plan(world))
    for label in study.models:
        assert study.of(label)[0].params == {
            name: registry.create(label).params()[name] for name in study.of(label)[0].params
        }
        assert study.gain(label) >= 0


def test_a_value_of_validation_is_that_of_an_evaluation_by_hand(world: Path):
    study = run(plan(world))
    data = palate.load(world.parent / "ratings.csv", value="rating").interactions
    split = palate.split.stratified(data, valid=0.2)
    best = study.best("ease")
    model = palate.EASE(**best.params).fit(split.train)
    byhand = palate.evaluate(model, (split.train, split.valid), k=3, metrics="ndcg", bootstrap=0)
    assert best.value == pytest.approx(byhand.estimate("ndcg@3").mean, abs=1e-12)


def test_the_test_part_changes_nothing(world: Path, tmp_path: Path):
    def tuned(seed: int) -> Any:
        data = palate.load(world.parent / "ratings.csv", value="rating").interactions
        split = palate.split.stratified(data)
        test = split.test.table()
        rows = np.random.default_rng(seed).permutation(len(test))
        for name, table in (
            ("train", split.train.table()),
            ("test", test.with_columns(test["item"].gather(rows))),
        ):
            table.write_csv(tmp_path / f"{name}.csv")
        return run(
            plan(
                world,
                data={"path": str(tmp_path / "train.csv")},
                split={"method": "given", "test": str(tmp_path / "test.csv")},
            )
        )

    assert found(tuned(1)) == found(tuned(2))


def test_the_plan_that_is_found_runs_and_has_the_best_parameters(world: Path, tmp_path: Path):
    study = run(plan(world))
    result = palate.run(study.plan, out=tmp_path / "run")
    assert result.model("ease").params["l2"] == study.best("ease").params["l2"]
    assert result.split.valid > 0  # fitted as it was tuned


def test_what_the_plan_gives_is_not_tuned(world: Path):
    study = run(plan(world, models=[{"name": "ease", "l2": 3.0}, {"name": "ease", "label": "open"}]))
    assert [trial.params for trial in study.of("ease")] == [{}]
    assert len(study.of("open")) == 6
    assert Plan.of(study.plan).models[0].params == {"l2": 3.0}


def test_bare_data_gets_every_model_that_fits_it(world: Path):
    data = palate.load(world.parent / "ratings.csv", value=None)
    study = tune(data, models=["popularity", "ease"], trials=1, jobs=1, k=3)
    assert study.models == ["popularity", "ease"]
    assert study.metric == "ndcg@3"
    everything = tune(data.interactions, trials=1, jobs=1, k=3)
    assert {"popularity", "sar", "ease"} <= set(everything.models)
    assert not [label for label in everything.models if registry.get(label).needs_values]


# --- kept, and gone on with ---------------------------------------------------------------------------------


def test_a_study_goes_on_where_it_was_stopped_and_ends_the_same(
    world: Path, tmp_path: Path, counted: list[Any]
):
    whole = run(plan(world), out=tmp_path / "out")
    journal = tmp_path / "out" / "trials.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    tasks = len(counted)
    assert len(lines) == 1 + tasks
    for kept in (1, 3, len(lines)):
        counted.clear()
        journal.write_bytes(b"".join(lines[:kept]) + b'{"key": "torn')
        assert found(run(plan(world), out=tmp_path / "out")) == found(whole)
        assert len(counted) == tasks - (kept - 1)


def test_more_trials_go_on_from_those_that_are_there(world: Path, tmp_path: Path, counted: list[Any]):
    run(plan(world), out=tmp_path, trials=5)
    counted.clear()
    more = run(plan(world), out=tmp_path, trials=9)
    assert len(counted) == 4  # of ease; popularity has five in all
    assert found(more) == found(run(plan(world), trials=9))


def test_another_question_in_the_same_folder_is_refused(world: Path, tmp_path: Path):
    run(plan(world), out=tmp_path, trials=1)
    with pytest.raises(PlanError, match=r"another question \(metric: ndcg@3, here recall@3\).*--fresh"):
        run(plan(world), out=tmp_path, trials=1, metric="recall")
    assert run(plan(world), out=tmp_path, trials=1, metric="recall", fresh=True).metric == "recall@3"


def test_what_failed_for_want_of_memory_is_run_again(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: list[Any]
):
    value, asked = Bench._value, plan(world, models=[{"name": "popularity"}])

    def full(*_: object) -> float:
        raise MemoryError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(Bench, "_value", lambda self, model, *more: (full if model.half_life_days else value)(
            self, model, *more
        ))  # fmt: skip
        failed = run(asked, out=tmp_path)
    assert [trial.state for trial in failed.trials] == ["done", *["failed"] * 4]
    assert all(trial.transient == (trial.state == "failed") for trial in failed.trials)
    counted.clear()
    assert found(run(asked, out=tmp_path)) == found(run(asked))
    assert len(counted) == 4 + 5
    counted.clear()
    run(asked, out=tmp_path)
    assert not counted


def test_a_model_that_refuses_is_not_asked_again(world: Path, tmp_path: Path, counted: list[Any]):
    data = {"path": str(world.parent / "ratings.csv"), "value": "rating", "time": False}
    bad = {"name": "popularity", "label": "bad", "half_life_days": 3.0}
    asked = plan(world, data=data, models=[{"name": "popularity"}, bad])
    run(asked, out=tmp_path)
    counted.clear()
    run(asked, out=tmp_path)
    assert not counted


def test_trials_of_another_version_are_not_taken_for_ones_of_this(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run(plan(world), out=tmp_path, trials=1)
    monkeypatch.setattr("palate.experiment.tune.__version__", "0.0.1")
    with pytest.raises(PlanError, match=r"another question \(palate: .*here 0\.0\.1\).*--fresh"):
        run(plan(world), out=tmp_path, trials=1)


def test_fresh_leaves_nothing_of_the_former_study(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    run(plan(world), out=tmp_path, trials=1)
    monkeypatch.setattr(Bench, "measure", stop)
    with pytest.raises(KeyboardInterrupt):
        run(plan(world), out=tmp_path, trials=1, fresh=True)
    assert [path.name for path in tmp_path.iterdir() if path != world and path.suffix != ".csv"] == [
        "trials.jsonl"
    ]
    assert not (tmp_path / "trials.csv").exists()


def test_two_studies_do_not_write_into_one_folder(tmp_path: Path):
    first = Journal(tmp_path, {})
    with pytest.raises(DataError, match="another process writes there now"):
        Journal(tmp_path, {})
    first.close()
    Journal(tmp_path, {}).close()


def test_a_worker_that_died_is_said_with_what_to_do():
    dead: Future[Any] = Future()
    dead.set_exception(BrokenProcessPool())
    with pytest.raises(PalateError, match="--jobs 1"):
        Workers.result(dead)


def test_a_line_that_is_no_trial_is_named(world: Path, tmp_path: Path):
    run(plan(world), out=tmp_path, trials=1)
    with (tmp_path / "trials.jsonl").open("a") as journal:
        journal.write("[]\n")
    with pytest.raises(DataError, match=r"trials\.jsonl: line 4 "):
        run(plan(world), out=tmp_path, trials=1)


def test_the_folder_holds_the_study_its_table_its_plan_and_its_page(world: Path, tmp_path: Path):
    study = run(plan(world), out=tmp_path)
    assert Study.read(tmp_path) == study
    assert Plan.load(tmp_path / "best.toml").resolved() == Plan.of(study.plan).resolved()
    assert (tmp_path / "trials.csv").read_text().count("\n") == 1 + len(study.trials)
    page = (tmp_path / "tune.html").read_text()
    assert "best.toml" in page
    assert not any(word in page for word in ("<script", "http://", "https://", "src="))
    shutil.rmtree(tmp_path)
    with pytest.raises(DataError, match="palate tune"):
        Study.read(tmp_path)


# --- stopped early, failed, missing -------------------------------------------------------------------------


class Slow(Popularity):
    """Tells on its way how it does: as well as `level`, from the first step to the fifth."""

    name = "slow"
    level: float = 0.5
    steps: int = 5

    @model_validator(mode="after")
    def _goes_together(self) -> Slow:
        if self.steps == 13 and self.level > 0.5:
            raise ValueError("thirteen steps bear no level above 0.5")
        return self

    def _fit(self, train: Any, pairs: Pairs) -> PopularityState:
        for _ in range(self.steps):
            self._trace(**{"valid_ndcg@10": self.level})  # as sasrec and ncf do
        return super()._fit(train, pairs)


Slow.model_fields["level"].metadata.append(Span(0.0, 1.0))
Slow.model_fields["half_life_days"].metadata.clear()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._HOMES, "slow", f"{__name__}:Slow")


@pytest.mark.usefixtures("slow")
def test_a_trial_that_falls_behind_the_median_is_stopped(world: Path):
    study = run(plan(world, models=[{"name": "slow"}]), trials=20)
    done = [trial for trial in study.trials if trial.state == "done"]
    pruned = [trial for trial in study.trials if trial.state == "pruned"]
    assert len(done) + len(pruned) == 20
    assert pruned
    assert all(len(trial.trace) == 1 for trial in pruned)  # at once, at its first step
    assert max(trial.params["level"] for trial in pruned) < max(trial.params["level"] for trial in done)
    assert all("median" in trial.note for trial in pruned)


@pytest.mark.usefixtures("slow")
def test_what_the_seconds_stopped_is_run_again(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: list[Any]
):
    asked, measure = plan(world, models=[{"name": "slow"}]), Bench.measure

    def hurried(bench: Bench, task: Task) -> Outcome:
        return measure(bench, replace(task, seconds=1e-9 if task.model.params else None))

    with monkeypatch.context() as patched:
        patched.setattr(Bench, "measure", hurried)
        late = run(asked, trials=5, out=tmp_path)
    assert [trial.state for trial in late.trials] == ["done", *["pruned"] * 4]
    assert all("seconds ran out" in trial.note for trial in late.trials[1:])
    counted.clear()
    assert found(run(asked, trials=5, out=tmp_path)) == found(run(asked, trials=5))
    assert len(counted) == 4 + 5


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_trials_of_a_round_share_the_seconds_that_are_left(
    world: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
):
    shares: list[float | None] = []

    def submit(_: Workers, task: Any) -> Future[Outcome]:
        """Spend all that is allowed."""
        shares.append(task.seconds)
        spent = 1.0 if task.seconds is None else task.seconds
        done: Future[Outcome] = Future()
        done.set_result(Outcome("done", task.model.params.get("l2", 0.0), spent, spent, []))
        return done

    monkeypatch.setattr(Workers, "submit", submit)
    study = run(plan(world, models=[{"name": "ease"}]), trials=20, seconds=9.0, jobs=jobs)
    assert shares[0] is None
    assert shares[1:] == pytest.approx([2.0] * 4)
    assert sum(trial.cpu_seconds for trial in study.trials) == pytest.approx(9.0)


def test_a_model_that_fails_is_noted_and_the_others_are_tuned(world: Path):
    data = {"path": str(world.parent / "ratings.csv"), "value": "rating", "time": False}
    bad = {"name": "popularity", "label": "bad", "half_life_days": 3.0}
    study = run(plan(world, data=data, models=[{"name": "popularity"}, bad]))
    assert study.best("bad") is None
    assert [best.model for best in study.ranking()] == ["popularity"]
    assert "half_life_days needs a time" in study.notes[-1]


@pytest.mark.usefixtures("slow")
def test_parameters_that_do_not_go_together_are_a_failed_trial(world: Path):
    study = run(plan(world, models=[{"name": "slow", "steps": 13}]), trials=9)
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert failed
    assert all(trial.params["level"] > 0.5 for trial in failed)
    assert "thirteen steps" in failed[0].note
    assert study.best("slow") is not None


def test_a_study_without_any_trial_that_ended_says_why(world: Path):
    data = {"path": str(world.parent / "ratings.csv"), "value": "rating", "time": False}
    with pytest.raises(PlanError, match="half_life_days needs a time"):
        run(plan(world, data=data, models=[{"name": "popularity", "half_life_days": 3.0}]))


def test_without_optuna_the_install_line_is_said(world: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"pip install 'palate\[tune\]'"):
        run(plan(world))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials = 0"),
        ({"seconds": -1}, "seconds = -1"),
        ({"jobs": 0}, "jobs = 0"),
        ({"models": ["eese"]}, "Did you mean 'ease'"),
        ({"metric": "ndgc"}, "Did you mean 'ndcg'"),
        ({"metric": "coverage@0"}, "cut-off"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(world: Path, given: dict[str, Any], message: str):
    with pytest.raises(PlanError, match=message):
        run(plan(world), **given)


def test_a_name_that_is_nothing_is_said():
    with pytest.raises(PlanError, match=r"file 'quickstrat'\. Did you mean 'quickstart'"):
        tune("quickstrat")


def test_the_journal_is_json_lines_that_anything_reads(world: Path, tmp_path: Path):
    run(plan(world), out=tmp_path, trials=2)
    rows = [json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
    assert rows[0]["metric"] == "ndcg@3"
    assert {row["model"] for row in rows[1:]} == {"popularity", "ease"}
