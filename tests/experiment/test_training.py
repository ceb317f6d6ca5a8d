"""What models saw while they learned reaches log, result and report; so do a plan's own sentences."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.worlds import rows

from palate import Interactions, split
from palate.evaluation.result import ModelFacts, Result, Seconds
from palate.experiment.bench import Task, _Watch
from palate.experiment.plan import ModelPlan
from palate.experiment.run import run
from palate.models.rbm import RBM
from palate.report.html import render
from palate.report.training import training_charts

PLAN = {
    "data": {"path": "ratings.csv"},
    "split": {"method": "random", "valid": 0.2},
    "models": [{"name": "rlrmc"}, {"name": "mean"}],
    "evaluate": {"metrics": ["rmse"], "bootstrap": 0, "by_time": False},
    "report": {"notes": ["Somebody <b>published</b> 0.9."]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    data = out / "ratings.csv"
    rows(count=600).unique(["user", "item"], maintain_order=True).write_csv(data)
    run(PLAN | {"data": {"path": str(data)}}, out=out / "run")
    return out / "run"


def test_each_iteration_stands_in_the_log_and_in_the_result(folder: Path) -> None:
    model, mean = Result.read(folder / "result.json").models
    assert [row["iteration"] for row in model.training] == list(range(1, len(model.training) + 1))
    assert {"objective", "train_rmse", "valid_rmse", "gradient_norm", "seconds"} <= set(model.training[0])
    assert mean.training == []
    logged = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    told = [row for row in logged if row["event"] == "training"]
    assert [row["iteration"] for row in told] == [row["iteration"] for row in model.training]
    assert {row["label"] for row in told} == {"rlrmc"}


def test_the_report_draws_it_and_says_the_plans_sentences(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "How the models learned" in page
    assert "rlrmc valid" in page
    assert "Somebody &lt;b&gt;published&lt;/b&gt; 0.9." in page


def test_a_report_of_models_that_tell_nothing_has_no_such_section(folder: Path) -> None:
    result = Result.read(folder / "result.json")
    silent = result.model_copy(
        update={"models": [model.model_copy(update={"training": []}) for model in result.models]}
    )
    assert "How the models learned" not in render(silent)


def test_a_curve_ends_where_its_figures_do() -> None:
    spent = Seconds(fit=0, recommend=0, evaluate=0)
    training = [{"epoch": n, "train_rmse": 1 / n, "valid_rmse": None if n == 3 else 2 / n} for n in (1, 2, 3)]
    facts = ModelFacts(
        name="rbm", label="rbm", params={}, metrics={}, seconds=spent, cpu_seconds=spent, training=training
    )
    (chart,) = training_charts([facts], {"rbm": 0})
    assert "rbm train" in chart
    assert "rbm valid" in chart
    lines = [
        part.partition("/>")[0] for part in chart.split("<") if part.startswith("path") and "line s0" in part
    ]
    corners = [len(re.findall(r"-?[0-9.]+[ ,]-?[0-9.]+", line)) for line in lines]
    assert sorted(corners) == [2, 3]


def test_each_machine_of_a_joint_rbm_has_its_curves() -> None:
    parts = split.random(Interactions.from_table(rows(count=600)), ratio=0.9, valid=0.2)
    how = {"visible": "joint", "hidden": 4, "epochs": 5}
    training = RBM(**how).fit(parts.train, valid=parts.valid).fitted.trace
    spent = Seconds(fit=0, recommend=0, evaluate=0)
    facts = ModelFacts(
        name="rbm", label="rbm", params=how, metrics={}, seconds=spent, cpu_seconds=spent, training=training
    )
    charts = training_charts([facts], {"rbm": 0})
    for title in ("Seen free energy", "Rated free energy", "Negative log-likelihood", "RMSE"):
        (chart,) = [one for one in charts if f"{title} while learning".lower() in one.lower()]
        for d in re.findall(r'<path class="line[^"]*" d="([^"]*)"', chart):
            x = [float(number) for number in re.findall(r"[ML](-?[0-9.]+)", d)]
            assert len(x) == (40 if title in ("Rated free energy", "RMSE") else 5)
            assert x == sorted(x)  # no line runs back


@pytest.mark.parametrize(("metric", "epochs"), [("rmse", 40), ("nll", 5)])
def test_tuning_hears_the_validation_rows_of_either_machine_of_a_joint_rbm(metric: str, epochs: int) -> None:
    parts = split.random(Interactions.from_table(rows(count=600)), ratio=0.9, valid=0.2)
    watch = _Watch(Task(ModelPlan(name="rbm", label="rbm")), metric)
    model = watch.over(RBM(visible="joint", hidden=4, epochs=5)).fit(parts.train, valid=parts.valid)
    heard = [row[f"valid_{metric}"] for row in model.fitted.trace if f"valid_{metric}" in row]
    assert [value for _, value in watch.trace] == heard
    assert len(heard) == epochs
