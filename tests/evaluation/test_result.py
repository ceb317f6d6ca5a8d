"""The typed result: what is written is what is read, and a question to it has one answer."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from palate.errors import DataError
from palate.evaluation.result import (
    DataFacts,
    Difference,
    Environment,
    Measured,
    ModelFacts,
    Result,
    Seconds,
    SplitFacts,
)


def model(label: str, mean: float, key: str = "ndcg@10") -> ModelFacts:
    cost = Seconds(fit=1, recommend=2, evaluate=3)
    metrics = {key: Measured(mean=mean, ci95=(mean - 0.1, mean + 0.1), n=9)}
    return ModelFacts(name=label, label=label, params={}, metrics=metrics, seconds=cost, cpu_seconds=cost)


def result(*models: ModelFacts, comparisons: tuple[Difference, ...] = (), primary: str = "ndcg@10") -> Result:
    return Result(
        palate="0.1.0",
        name="small",
        plan={},
        primary=primary,
        data=DataFacts(name="d", fingerprint="f", users=1, items=2, interactions=3, licence="CC0"),
        split=SplitFacts(method="random", train=2, valid=0, test=1, cold_rows=0, seen_rows=0),
        models=list(models),
        comparisons=list(comparisons),
        environment=Environment(date="", python="", platform="", cpu_count=1, threads=1, versions={}),
    )


def difference(a: str, b: str, p: float) -> Difference:
    return Difference(
        a=a, b=b, metric="ndcg@10", difference=0.2, ci95=(0.1, 0.4), p=p, p_holm=p, method="randomisation"
    )


def test_a_result_that_is_written_and_read_is_the_same(tmp_path: Path) -> None:
    before = result(model("a", 0.5), model("b", math.nan))
    (tmp_path / "result.json").write_text(before.to_json())
    assert Result.read(tmp_path) == before


def test_what_is_not_finite_is_null_in_the_file() -> None:
    written = json.loads(result(model("a", math.nan)).to_json())
    assert written["models"][0]["metrics"]["ndcg@10"]["mean"] is None


def test_a_field_of_a_later_version_is_left_out(tmp_path: Path) -> None:
    content = json.loads(result(model("a", 0.5)).to_json()) | {"later": 1}
    (tmp_path / "result.json").write_text(json.dumps(content))
    assert Result.read(tmp_path) == result(model("a", 0.5))


def test_the_best_comes_first_the_lowest_error_too_and_what_is_unknown_last() -> None:
    models = model("a", 0.1), model("b", math.nan), model("c", 0.3)
    assert [one.label for one in result(*models).ranking()] == ["c", "a", "b"]
    errors = [model(one.label, one.metrics["ndcg@10"].value, "rmse") for one in models]
    assert [one.label for one in result(*errors, primary="rmse").ranking()] == ["a", "c", "b"]


def test_equal_figures_stand_in_the_order_of_their_labels() -> None:
    assert [one.label for one in result(model("b", 0.1), model("a", 0.1)).ranking()] == ["a", "b"]


def test_a_comparison_can_be_asked_from_either_side() -> None:
    found = result(model("a", 0.5), model("b", 0.3), comparisons=(difference("a", "b", 0.01),))
    turned = found.comparison("b", "a")
    assert turned is not None
    assert (turned.a, turned.difference, turned.ci95) == ("b", -0.2, (-0.4, -0.1))
    assert found.comparison("a", "c") is None


def test_as_good_as_the_best_are_those_whose_difference_may_be_luck() -> None:
    pairs = difference("a", "b", 0.3), difference("a", "c", 0.001)
    found = result(model("a", 0.5), model("b", 0.45), model("c", 0.1), comparisons=pairs)
    assert found.as_good_as_best() == {"b"}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe"])
def test_a_file_that_is_no_result_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(DataError, match="not a result of Palate"):
        Result.read(tmp_path)


def test_a_run_that_did_not_finish_has_no_result(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="finished `palate run`"):
        Result.read(tmp_path)
