"""Plans of news: their defaults, what they refuse, and a whole run on MIND's files and on the user's own."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import palate
from palate.datasets.simulate import news_world
from palate.errors import DataError, PalateError, PlanError, SplitError
from palate.evaluation.result import Result
from palate.experiment.plan import Plan
from palate.experiment.run import run
from palate.report.html import render

SIMPLE: list[dict[str, Any]] = [
    {"name": "content"},
    {"name": "ctr"},
    {"name": "popularity"},
    {"name": "random"},
]
NRMS = {
    "name": "nrms",
    "epochs": 2,
    "word_size": 16,
    "heads": 2,
    "head_size": 8,
    "query_size": 8,
    "device": "cpu",
}


def plan(**sections: Any) -> Plan:
    told: dict[str, Any] = {"data": {"name": "news-world"}, "models": SIMPLE}
    return Plan.of(told | sections)


@pytest.fixture(scope="module")
def small() -> palate.NewsDataset:
    return news_world(users=150, articles=300, impressions=4, shown=8, seed=3).dataset


@pytest.fixture(scope="module")
def result(small: palate.NewsDataset, tmp_path_factory: pytest.TempPathFactory) -> Result:
    pytest.importorskip("torch")
    content = plan(models=[NRMS, *SIMPLE[1:]], evaluate={"bootstrap": 50})
    return run(content, data=small, out=tmp_path_factory.mktemp("news"))


# --- the plan -------------------------------------------------------------------------------------------------


def test_news_by_name_brings_its_metrics_and_its_own_split() -> None:
    resolved = plan().resolved()
    assert resolved["evaluate"] == {
        "k": [5, 10],
        "metrics": ["impression_auc", "impression_mrr", "impression_ndcg"],
        "bootstrap": 1000,
        "seed": 42,
    }
    assert resolved["split"] == {"method": "given"}
    assert Plan.of(resolved).resolved() == resolved
    assert Plan.parse(plan().to_toml()).resolved()["split"] == resolved["split"]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"evaluate": {"metrics": ["impression_auc", "ndcg"]}}, "no metric of impressions 'ndcg'"),
        ({"evaluate": {"metrics": ["impression_auk"]}}, "mean 'impression_auc'"),
        ({"evaluate": {"candidates": {"sampled": 5}}}, "candidates is about lists of interactions"),
        ({"evaluate": {"refit": True}}, "refit is about lists of interactions"),
        ({"split": {"method": "last-out"}}, "'given'.*or 'time'"),
        ({"split": {"method": "time", "at": 1.5}}, "at = 1.5: expected the share"),
        ({"split": {"method": "given", "at": 0.5}}, "no parameter 'at'. It has none"),
        ({"models": [{"name": "nmrs"}]}, "mean 'nrms'"),
        ({"data": {"name": "news-world", "min_user": 5}}, "min_user is about lists"),
        ({"data": {"name": "retail", "clicked": "hit"}}, "clicked is a column of impressions"),
    ],
)
def test_what_impressions_do_not_have_is_refused_with_its_key(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        plan(**sections)


def test_a_plan_of_lists_stays_one() -> None:
    of_lists = Plan.of({"data": {"name": "movietweetings"}, "models": [{"name": "popularity"}]})
    assert not of_lists.of_impressions
    assert of_lists.evaluate.metrics[0] == "ndcg"


def test_data_of_the_other_kind_is_refused(small: palate.NewsDataset, tmp_path: Path) -> None:
    of_lists = Plan.of({"data": {"name": "movietweetings"}, "models": [{"name": "popularity"}]})
    with pytest.raises(PlanError, match="holds impressions"):
        run(of_lists, data=small, out=tmp_path / "a")
    with pytest.raises(PlanError, match="holds interactions"):
        run(plan(), data=palate.load("movietweetings"), out=tmp_path / "b")


# --- the run --------------------------------------------------------------------------------------------------


def test_the_board_has_what_evaluating_by_hand_gives(result: Result, small: palate.NewsDataset) -> None:
    assert small.valid is not None
    by_hand = palate.evaluate_impressions(palate.models.create("ctr").fit(small), small.valid, bootstrap=0)
    for key, measured in result.model("ctr").metrics.items():
        assert measured.mean == pytest.approx(by_hand.estimate(key).mean, abs=1e-12)
        assert measured.n == len(by_hand.rows)
    assert result.primary == "impression_auc"
    assert result.data.impressions == len(small.train) + len(small.valid)
    assert {(pair.a, pair.b) for pair in result.comparisons} >= {("nrms", "ctr"), ("ctr", "random")}


def test_models_of_interactions_learn_what_was_read_and_stand_beside(
    result: Result, small: palate.NewsDataset
) -> None:
    assert small.valid is not None
    model = palate.models.create("popularity").fit(small.train.interactions())
    scores = model.score_impressions(small.valid)
    assert np.isfinite(scores).any()
    by_hand = palate.evaluate_impressions(model, small.valid, bootstrap=0).estimate("impression_auc").mean
    assert result.model("popularity").metrics["impression_auc"].mean == pytest.approx(by_hand)


def test_examples_are_impressions_of_the_test_and_looks_are_attention(
    result: Result, small: palate.NewsDataset
) -> None:
    assert small.valid is not None
    assert len(result.examples) == 5
    readers = set(small.valid.users.ids.to_list())
    for example in result.examples:
        assert example.user in readers
        assert example.held_out == 1
        scores = [item.score for item in example.recommended]
        assert scores == sorted(scores, key=lambda one: -(one or 0))
        assert example.recommended[0].reasons
    assert result.looks
    for look in result.looks:
        assert look.clicked
        assert sum(part.attention for part in look.words) == pytest.approx(1, abs=1e-5)
        assert [part.name for part in look.words] == look.article.split()


def test_a_model_of_interactions_gives_its_reasons_too(small: palate.NewsDataset, tmp_path: Path) -> None:
    told = plan(models=[{"name": "ease"}, {"name": "ctr"}], evaluate={"bootstrap": 0})
    found = run(told, data=small, out=tmp_path)
    assert {example.label for example in found.examples} == {"ease"}
    assert any(item.reasons for example in found.examples for item in example.recommended)
    assert found.looks == []


def test_the_report_tells_of_impressions_and_survives_the_file(result: Result) -> None:
    again = Result.model_validate_json(result.to_json())
    assert again == result
    page = render(again)
    for said in ("What nrms looks at", "impressions with", "By the reader's history", "AUC of 0.5 is chance"):
        assert said.replace("'", "&#39;") in page or said in page
    assert "test users" not in page
    assert page.count('class="looked"') == 2 * len(result.looks)


def test_a_process_of_its_own_gives_the_same_figures(small: palate.NewsDataset, tmp_path: Path) -> None:
    told = plan(models=[{"name": "content"}], evaluate={"bootstrap": 0})
    here = run(told, data=small, out=tmp_path / "here")
    apart = run(told, data=small, out=tmp_path / "apart", isolate=True)
    assert apart.models[0].metrics == here.models[0].metrics
    assert apart.models[0].peak_rss_mb is not None


# --- data of one's own ----------------------------------------------------------------------------------------


def own(folder: Path, small: palate.NewsDataset, ending: str) -> dict[str, Any]:
    """Write the set as two tables, as anybody may have them, and return the `[data]` that reads them."""
    shown = small.train
    lists = shown.histories.select(shown.history_of)
    frame = pl.DataFrame(
        {
            "reader": shown.users.decode(shown.user),
            "when": shown.time,
            "read": _lists(shown.articles.decode(lists.item), lists.indptr),
            "candidates": _lists(shown.articles.decode(shown.candidate), shown.indptr),
            "hit": _lists(pl.Series(shown.labels), shown.indptr),
        }
    )
    articles = small.articles.table.select(pl.col("item").alias("article_id"), "title")
    if ending == "parquet":
        frame.write_parquet(folder / "shown.parquet")
    else:
        frame.write_ndjson(folder / "shown.jsonl")
    articles.write_csv(folder / "articles.csv")
    return {
        "path": str(folder / f"shown.{ending}"),
        "items": str(folder / "articles.csv"),
        "user": "reader",
        "time": "when",
        "history": "read",
        "clicked": "hit",
    }


def _lists(members: pl.Series, indptr: Any) -> pl.Series:
    return pl.Series([members[int(a) : int(b)].to_list() for a, b in pairwise(indptr)])


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_two_tables_of_one_s_own_are_split_by_time(
    ending: str, small: palate.NewsDataset, tmp_path: Path
) -> None:
    told = {
        "data": own(tmp_path, small, ending),
        "models": [{"name": "content"}, {"name": "ctr"}],
        "evaluate": {"metrics": ["impression_auc"], "bootstrap": 0},
    }
    found = run(told, out=tmp_path / "out")
    train, test = small.train.before(0.8)
    assert (found.split.method, found.split.train, found.split.test) == ("time", len(train), len(test))
    model = palate.models.create("content").fit(train, catalogue=small.articles)
    by_hand = palate.evaluate_impressions(model, test, bootstrap=0).estimate("impression_auc").mean
    assert found.model("content").metrics["impression_auc"].mean == pytest.approx(by_hand)


def test_articles_that_no_table_has_are_counted_and_end_no_run(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    world = news_world(users=150, articles=400, impressions=4, shown=8, like_mind=True, seed=3).dataset
    data = own(tmp_path, world, "parquet")
    early, late = (part.articles.ids for part in world.train.before(0.8))
    gone = late.filter(~late.is_in(early.implode()))
    assert len(gone) > 5
    articles = pl.read_csv(tmp_path / "articles.csv")
    articles.filter(~pl.col("article_id").is_in(gone.implode())).write_csv(tmp_path / "articles.csv")
    told = {
        "data": data,
        "models": [NRMS],
        "evaluate": {"metrics": ["impression_auc"], "bootstrap": 0},
        "report": {"examples": 60},
    }
    found = run(told, out=tmp_path / "out")
    assert found.examples
    assert found.looks
    shown = [one for example in found.examples for one in example.recommended]
    assert any(one.item in gone.to_list() for one in shown)
    assert all(not one.reasons for one in shown if one.item in gone.to_list())
    assert any(f"{len(gone):,} of " in note and "they have no text" in note for note in found.data.notes)


def test_a_recipe_takes_the_publisher_s_files_where_they_are(
    small: palate.NewsDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    palate.datasets.to_mind(replace(small, name="MINDdemo"), tmp_path / "data")
    monkeypatch.setenv("PALATE_DATA", str(tmp_path / "data"))
    content = Plan.load("nrms-mind").resolved()
    for model in content["models"]:
        if model["name"] == "nrms":
            model |= {"batch": 512, "device": "cpu"}
    content["evaluate"]["bootstrap"] = 0
    found = run(content, out=tmp_path / "out")
    assert found.data.name == "mind-demo"
    assert not any("not on this machine" in said for said in found.notes)
    assert found.split.method == "given"
    assert small.valid is not None
    assert found.split.test == len(small.valid)
    assert len(found.model("nrms").training) == 5
    page = render(found)
    assert page.count("<caption>nrms</caption>") == 1
    assert "clicks-so-far" in page


def test_a_file_without_its_articles_and_a_set_without_a_test_say_what_to_give(
    small: palate.NewsDataset, tmp_path: Path
) -> None:
    data = own(tmp_path, small, "parquet")
    how = {"metrics": ["impression_auc"]}
    without = {name: value for name, value in data.items() if name != "items"}
    with pytest.raises(DataError, match="where are the articles"):
        run({"data": without, "models": [{"name": "ctr"}], "evaluate": how}, out=tmp_path / "a")
    given = {"data": data, "split": {"method": "given"}, "models": [{"name": "ctr"}], "evaluate": how}
    with pytest.raises(SplitError, match='method = "time"'):
        run(given, out=tmp_path / "b")
    with pytest.raises(DataError, match="'body'"):
        run(
            {"data": data | {"text": "body"}, "models": [{"name": "ctr"}], "evaluate": how},
            out=tmp_path / "c",
        )
    assert json.loads((tmp_path / "c" / "log.jsonl").read_text().splitlines()[-1])["event"] == "failed"


@pytest.mark.parametrize("name", ["nrms-mind", "npa-mind"])
def test_a_recipe_of_news_runs_without_mind_and_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("PALATE_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content = Plan.load(name).resolved()
    for model in content["models"]:
        if model["name"] in ("nrms", "npa"):
            model |= {"epochs": 1, "batch": 512, "device": "cpu"}
    content["evaluate"]["bootstrap"] = 0
    found = run(content, out=tmp_path / "out")
    assert found.data.name == "news-world"
    assert any("mind-demo is not on this machine" in said for said in found.notes)
    auc = {model.label: model.metrics["impression_auc"].value for model in found.models}
    assert auc["content"] > auc["ctr"] > 0.45
    assert all(value == value for value in auc.values())


def test_unlabelled_impressions_are_refused_before_anything_is_fitted(
    small: palate.NewsDataset, tmp_path: Path
) -> None:
    assert small.valid is not None
    blind = replace(small, valid=replace(small.valid, clicked=None))
    with pytest.raises(PalateError, match="have no labels"):
        run(plan(), data=blind, out=tmp_path)


# --- tuned and compared ---------------------------------------------------------------------------------------


def test_models_of_news_are_tuned_on_the_end_of_train_and_compared_on_the_test(
    small: palate.NewsDataset, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    contest = palate.compare_models(
        small, models=["content", "ctr"], trials=2, splits=2, jobs=1, out=tmp_path, seed=1
    )
    assert small.valid is not None
    assert contest.metric == "impression_auc"
    assert "last 20% of the impressions validate" in contest.study.words
    assert {model.label for model in contest.ranking()} == {"content", "ctr"}
    train, valid = small.train.before(0.8)
    first = contest.study.of("content")[0]
    by_hand = palate.evaluate_impressions(
        palate.models.create("content").fit(train, catalogue=small.articles), valid, bootstrap=0
    )
    assert first.value == pytest.approx(by_hand.estimate("impression_auc").mean)
    assert "impression" in (tmp_path / "compare.html").read_text()
    with pytest.raises(PlanError, match="content"):
        palate.compare_models(small, models=["contnet"], trials=1, splits=1)
