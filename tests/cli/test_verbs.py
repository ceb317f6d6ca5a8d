"""Each verb on data that ships with Palate: what people see, and what programs parse."""

from __future__ import annotations

import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import palate as package
from palate.errors import UnknownId

Palate = Callable[..., Any]


def test_list_names_embedded_sets_and_their_licences(palate: Palate):
    answer = palate("data", "list")
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()[1:4]] == [
        "retail",
        "movietweetings",
        "movietweetings-10k",
    ]
    known = palate("data", "list", "--json").json
    assert {"name", "title", "licence", "size", "embedded", "present"} == set(known[0])
    assert all("amazon" in one["name"] for one in palate("data", "list", "amazon", "--json").json)


def test_get_says_where_a_set_is_from_and_its_licence(palate: Palate):
    answer = palate("data", "get", "movietweetings-10k")
    assert answer.code == 0
    assert "10,000 interactions" in answer.out
    assert "MIT" in answer.out
    assert palate("data", "get", "movietweetings-10k", "--json").json[0]["interactions"] == 10_000
    assert palate("data", "get", "movietweetings-10k", "--quiet").out == ""


def test_describe_shows_counts_and_what_will_mislead(palate: Palate):
    answer = palate("data", "describe", "movietweetings-10k")
    assert answer.code == 0
    assert "10,000 interactions of 3,794 users and 3,096 items" in answer.out
    assert "What will mislead" in answer.out
    found = palate("data", "describe", "movietweetings-10k", "--json").json
    assert (found["rows"], found["users"], found["items"]) == (10_000, 3_794, 3_096)


def test_convert_writes_a_file_that_reads_back_the_same(palate: Palate, tmp_path: Path):
    assert palate("data", "convert", "movietweetings-10k", tmp_path / "ratings.csv").code == 0
    back = palate(
        "data", "describe", tmp_path / "ratings.csv", "--items", tmp_path / "ratings.items.csv", "--json"
    )
    whole = palate("data", "describe", "movietweetings-10k", "--json")
    assert back.json["fingerprint"] == whole.json["fingerprint"]
    assert back.json["catalogue_columns"] == whole.json["catalogue_columns"]


def test_options_of_reading_reach_the_reader(palate: Palate, tmp_path: Path):
    (tmp_path / "log.txt").write_text("a;x;5;1000\nb;x;4;2000\nb;y;;3000\nb;y;2;4000\n", encoding="latin-1")
    words = (
        tmp_path / "log.txt",
        "--format",
        "csv",
        "--no-header",
        "--separator",
        ";",
        "--encoding",
        "latin-1",
    )
    columns = ("--time-unit", "ms", "--repeats", "last", "--drop-bad-rows", "--json")
    found = palate("data", "describe", *words, *columns).json
    assert (found["users"], found["items"], found["pairs"], found["dropped"]) == (2, 2, 3, 1)
    assert found["times"]["first"] == "1970-01-01"


def test_none_leaves_a_column_out_of_a_file_and_of_a_named_set(palate: Palate, tmp_path: Path):
    (tmp_path / "log.csv").write_text("user,item,value,time\na,x,1,1000\nb,x,1,2000\n")
    for data in (tmp_path / "log.csv", "movietweetings-10k"):
        whole = palate("data", "describe", data, "--json").json
        assert whole["values"] is not None
        assert whole["times"] is not None
        less = palate("data", "describe", data, "--value", "none", "--time", "none", "--json").json
        assert less["values"] is None
        assert less["times"] is None


def test_the_advice_on_a_column_that_says_nothing_can_be_followed(palate: Palate, tmp_path: Path):
    (tmp_path / "log.csv").write_text("user,item,value\na,x,1\nb,x,1\n")
    advice = palate("data", "describe", tmp_path / "log.csv").out
    assert "value = false in a plan" in " ".join(advice.split())
    assert "--value none" in " ".join(advice.split())


def test_negative_event_types_can_be_named(palate: Palate, tmp_path: Path):
    log, out = tmp_path / "log.csv", tmp_path / "model"
    log.write_text("user,item,event\na,x,view\na,y,dislike\nb,x,view\nb,y,hide\nb,z,view\n")
    words = ("fit", log, "--model", "popularity", "--out", out, "--quiet")
    assert palate(*words, "--negative", "dislike", "--negative", "hide").code == 0
    model = package.load_model(out)
    assert dict(zip(model.items.ids, model.popularity.tolist(), strict=True)) == {"x": 2, "y": 0, "z": 1}
    refused = palate(*words, "--event", "none", "--negative", "dislike")
    assert refused.code == 3
    assert "--event" in refused.err


def test_a_first_line_said_to_be_data_is_data(palate: Palate, tmp_path: Path):
    (tmp_path / "log.csv").write_text("user,item\na,x\nb,x\n")
    words = ("data", "describe", tmp_path / "log.csv", "--json")
    assert palate(*words).json["rows"] == 2
    assert palate(*words, "--no-header").json["rows"] == 3


def test_fit_saves_a_model_that_loads_and_says_what_comes_next(palate: Palate, tmp_path: Path):
    answer = palate(
        "fit", "movietweetings-10k", "--set", "similarity=lift", "--out", tmp_path / "new" / "sar"
    )
    assert answer.code == 0
    assert "10,000 events of 3,794 users and 3,096 items" in answer.out
    assert f"palate recommend {tmp_path / 'new' / 'sar'} --users" in answer.out
    assert package.load_model(tmp_path / "new" / "sar").params()["similarity"] == "lift"


@pytest.mark.parametrize("name", ["random", "popularity", "ease", "sar"])
def test_every_model_can_be_fitted_and_asked(palate: Palate, tmp_path: Path, name: str):
    words = (
        "movietweetings-10k",
        "--min-user",
        2,
        "--min-item",
        5,
        "--model",
        name,
        "--out",
        tmp_path / name,
    )
    fitted = palate("fit", *words, "--json").json
    assert fitted["name"] == name
    assert {"model", "params", "users", "items", "interactions", "seconds"} <= set(fitted)
    rows = palate("recommend", tmp_path / name, "--all", "--k", 3, "--json").json
    assert len(rows) == 3 * fitted["users"]


def test_recommend_prints_titles_for_people_and_rows_for_programs(palate: Palate, sar: Path):
    answer = palate("recommend", sar, "--users", "1, 2", "--k", 3)
    assert answer.code == 0
    assert answer.out.startswith("user 1\nrank  item")
    assert "\n\nuser 2\n" in answer.out
    assert "title" in answer.out
    rows = palate("recommend", sar, "--users", "1,2", "--k", 3, "--json").json
    assert [(row["user"], row["rank"]) for row in rows] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert set(rows[0]) == {"user", "item", "score", "rank"}
    expected = package.load_model(sar).recommend(users=[1, 2], k=3)
    assert [row["item"] for row in rows] == expected["item"].to_list()


def test_a_history_may_be_given_by_id_or_by_title(palate: Palate, sar: Path):
    by_title = palate("recommend", sar, "--history", "argo (2012), Life of Pi (2012)", "--json").json
    by_id = palate("recommend", sar, "--history", "1024648,0454876", "--json").json
    assert by_title == by_id
    assert {row["user"] for row in by_id} == {0}
    assert not {"1024648", "0454876"} & {row["item"] for row in by_id}
    seen = palate("recommend", sar, "--history", "1024648,0454876", "--include-seen", "--json").json
    assert {"1024648", "0454876"} & {row["item"] for row in seen}


def test_where_and_candidates_filter(palate: Palate, sar: Path):
    asked = ("recommend", sar, "--history", "Argo (2012)", "--k", 20, "--json")
    catalogue = package.load_model(sar).catalogue
    assert catalogue is not None
    comedies = set(catalogue.table.filter(pl.col("genres").list.contains("Comedy"))["item"])
    found = {row["item"] for row in palate(*asked, "--where", "genres has Comedy").json}
    assert found
    assert found <= comedies
    few = palate(*asked, "--candidates", "Life of Pi (2012), Skyfall (2012)").json
    assert {row["item"] for row in few} == {"0454876", "1074638"}


def test_all_goes_to_a_file_and_people_see_the_first(palate: Palate, sar: Path, tmp_path: Path):
    answer = palate("recommend", sar, "--all", "--k", 2, "--out", tmp_path / "all.parquet")
    assert answer.code == 0
    assert pl.read_parquet(tmp_path / "all.parquet")["user"].n_unique() == 3_794
    assert palate("recommend", sar, "--all", "--k", 2).out.endswith(
        "and 3,774 users more: --out FILE or --json has all.\n"
    )


def test_unknown_users_are_refused_skipped_or_given_what_is_popular(
    palate: Palate, sar: Path, tmp_path: Path
):
    refused = palate("recommend", sar, "--users", "1,999999")
    assert refused.code == 4
    assert "999999" in refused.err
    assert {
        row["user"]
        for row in palate("recommend", sar, "--users", "1,999999", "--unknown", "skip", "--json").json
    } == {1}
    (tmp_path / "users.txt").write_text("1\n999999\n")
    asked = (
        "recommend",
        sar,
        "--users",
        f"@{tmp_path / 'users.txt'}",
        "--unknown",
        "popular",
        "--k",
        4,
        "--json",
    )
    assert [row["user"] for row in palate(*asked).json] == [1] * 4 + [999_999] * 4


def test_k_beyond_the_catalogue_gives_what_there_is(palate: Palate, sar: Path):
    rows = palate("recommend", sar, "--users", "1", "--k", 100_000, "--json").json
    assert 0 < len(rows) < 3_096
    assert len({row["item"] for row in rows}) == len(rows)


def test_similar_items_are_not_the_item_itself(palate: Palate, sar: Path):
    answer = palate("similar", sar, "--items", "Skyfall (2012)", "--k", 5)
    assert answer.code == 0
    assert answer.out.startswith("like Skyfall (2012) (1074638)\n")
    rows = palate("similar", sar, "--items", "1074638,0454876", "--k", 5, "--json").json
    assert set(rows[0]) == {"item", "similar", "score", "rank"}
    assert len(rows) == 10
    assert all(row["item"] != row["similar"] for row in rows)


def test_reasons_sum_to_the_score(palate: Palate, sar: Path):
    words = ("explain", sar, "--history", "Argo (2012), Life of Pi (2012)", "--item", "Skyfall (2012)")
    answer = palate(*words)
    assert answer.code == 0
    assert answer.out.startswith("Skyfall (2012) (1074638): score ")
    assert "Argo (2012)" in answer.out
    found = palate(*words, "--json").json
    total = found["baseline"] + sum(one["contribution"] for one in found["contributions"])
    assert total == pytest.approx(found["score"], rel=1e-6)
    known = palate("explain", sar, "--user", 1, "--item", "Skyfall (2012)", "--json").json
    assert known["item"] == "1074638"


def test_a_network_is_exported_with_what_its_codes_mean(palate: Palate, tmp_path: Path):
    pytest.importorskip("onnxscript")
    few = {"embedding_size": 8, "blocks": 1, "epochs": 1, "window": 8}
    sets = [word for name, value in few.items() for word in ("--set", f"{name}={value}")]
    model, network = tmp_path / "sasrec", tmp_path / "sasrec.onnx"
    assert palate("fit", "movietweetings-10k", "--model", "sasrec", *sets, "--out", model).code == 0
    answer = palate("export", model, "--out", network, "--json")
    assert answer.json == {"network": str(network), "codes": [str(tmp_path / "sasrec.items.csv")]}
    assert network.exists()


def test_a_model_without_a_network_says_which_have_one(palate: Palate, sar: Path, tmp_path: Path):
    answer = palate("export", sar, "--out", tmp_path / "sar.onnx")
    assert answer.code == 4
    assert "sar has no export" in answer.err
    assert "sasrec" in answer.err


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A run, a truth and a training table, small enough for figures by hand."""
    run, truth, train = tmp_path / "run.csv", tmp_path / "truth.csv", tmp_path / "train.csv"
    run.write_text("user,item,score\na,x,0.9\na,y,0.8\na,z,0.7\nb,x,0.5\n")
    truth.write_text("user,item\na,y\na,w\nb,x\nc,x\n")
    train.write_text("user,item\na,v\nb,y\nb,z\nc,x\nc,w\nc,y\n")
    return run, truth, train


def test_evaluate_prints_the_figures_of_the_contract(palate: Palate, tables: tuple[Path, Path, Path]):
    run, truth, _ = tables
    answer = palate("evaluate", "--run", run, "--truth", truth, "--k", 2, "--k", 3, "--json")
    metrics = answer.json["metrics"]
    assert metrics["recall@2"] == {
        "mean": pytest.approx((1 / 2 + 1 + 0) / 3),
        "ci95": metrics["recall@2"]["ci95"],
        "n": 3,
    }
    assert metrics["precision@3"]["mean"] == pytest.approx((1 / 3 + 1 / 3 + 0) / 3)
    assert metrics["mrr@3"]["mean"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert {key.partition("@")[0] for key in metrics} == {
        "ndcg", "map", "map_all", "precision", "recall", "mrr", "hit", "r_precision",
    }  # fmt: skip


def test_evaluate_with_train_adds_what_lies_beyond_accuracy(palate: Palate, tables: tuple[Path, Path, Path]):
    run, truth, train = tables
    words = ("evaluate", "--run", run, "--truth", truth, "--train", train, "--k", 1)
    metrics = palate(*words, "--json").json["metrics"]
    assert {"coverage@1", "novelty@1", "gini@1"} <= set(metrics)
    assert metrics["coverage@1"]["mean"] == pytest.approx(1 / 5)  # x, of v w x y z
    shown = palate(*words, "--metrics", "ndcg, coverage").out
    assert [line.split()[0] for line in shown.splitlines()[:3]] == ["metric", "ndcg@1", "coverage@1"]


def test_evaluate_takes_ids_as_text_where_one_file_has_text(palate: Palate, tmp_path: Path):
    (tmp_path / "run.csv").write_text("user,item,score\n1,10,1\n2,20,1\n")
    (tmp_path / "truth.csv").write_text("user,item\n1,10\nbob,20\n")
    words = ("evaluate", "--run", tmp_path / "run.csv", "--truth", tmp_path / "truth.csv", "--json")
    assert palate(*words).json["metrics"]["hit@10"]["mean"] == 0.5


def test_evaluate_a_saved_model(palate: Palate, sar: Path, tmp_path: Path):
    (tmp_path / "truth.csv").write_text("user,item\n1,1024648\n2,0454876\n")
    answer = palate(
        "evaluate", sar, "--truth", tmp_path / "truth.csv", "--k", 10, "--metrics", "ndcg", "--json"
    )
    assert answer.json["metrics"]["ndcg@10"]["n"] == 2


@pytest.mark.parametrize("name", ["sar", "popularity"])
@pytest.mark.parametrize("stranger", ["9", "x"])
def test_evaluate_a_saved_model_agrees_with_the_library(
    palate: Palate, tmp_path: Path, name: str, stranger: str
):
    # With the user x all ids of the truth are text, and those of the model are whole numbers.
    train = "user,item\n1,10\n1,9\n2,9\n2,11\n3,10\n3,11\n3,12\n"
    (tmp_path / "train.csv").write_text(train)
    (tmp_path / "truth.csv").write_text(f"user,item\n1,11\n1,10\n2,10\n2,77\n{stranger},9\n")
    folder = tmp_path / name
    assert palate("fit", tmp_path / "train.csv", "--model", name, "--out", folder, "--quiet").code == 0
    words = ("evaluate", folder, "--truth", tmp_path / "truth.csv", "--k", 2, "--metrics", "ndcg,recall")
    answer = palate(*words, "--json").json
    model = package.load_model(folder)
    fitted_on = package.Interactions.from_table(pl.read_csv(tmp_path / "train.csv"))
    test = package.Interactions.from_table({"user": [1, 1, 2, 2, 9], "item": [11, 10, 10, 77, 9]})
    expected = package.evaluate(model, (fitted_on, test), k=2, metrics=["ndcg", "recall"])
    for key, one in expected.estimates.items():
        assert answer["metrics"][key]["mean"] == pytest.approx(one.mean), key
    assert answer["metrics"]["recall@2"]["mean"] > 0
    assert "1 pair of the truth stands in the user's history: it left the truth." in answer["notes"]


def test_evaluate_says_why_a_user_of_the_truth_is_not_counted(palate: Palate, tmp_path: Path):
    (tmp_path / "train.csv").write_text("user,item\n1,10\n1,9\n2,9\n3,10\n3,11\n4,12\n")
    palate("fit", tmp_path / "train.csv", "--model", "popularity", "--out", tmp_path / "m", "--quiet")
    truth = tmp_path / "truth.csv"

    def notes(rows: str) -> list[str]:
        truth.write_text("user,item\n" + rows)
        answer = palate("evaluate", tmp_path / "m", "--truth", truth, "--metrics", "recall", "--json").json
        assert answer["metrics"]["recall@10"]["n"] == 1
        return answer["notes"]

    assert notes("1,11\n2,9\n") == [
        "1 pair of the truth stands in the user's history: it left the truth.",
        "1 user, whose only pair was one they already had, is not counted.",
    ]
    assert notes("1,11\n2,9\n3,10\n")[1:] == [
        "2 users, whose only pair was one they already had, are not counted."
    ]
    assert notes("1,11\n3,10\n3,11\n") == [
        "2 pairs of the truth stand in the user's history: they left the truth.",
        "1 user, whose every pair was one they already had, is not counted.",
    ]


def test_evaluate_a_model_on_its_own_data_says_that_nothing_is_left(palate: Palate, tmp_path: Path):
    (tmp_path / "train.csv").write_text("user,item\n1,10\n2,10\n2,20\n")
    palate("fit", tmp_path / "train.csv", "--model", "popularity", "--out", tmp_path / "m", "--quiet")
    answer = palate("evaluate", tmp_path / "m", "--truth", tmp_path / "train.csv")
    assert answer.code == 3
    assert "nothing is left to find" in answer.err


def test_a_history_that_nothing_is_known_of_is_called_a_history(palate: Palate, tmp_path: Path):
    (tmp_path / "train.csv").write_text("user,item\n1,10\n2,10\n2,20\n")
    palate("fit", tmp_path / "train.csv", "--model", "ease", "--out", tmp_path / "m", "--quiet")
    model = package.load_model(tmp_path / "m")
    with pytest.raises(UnknownId, match=r"of 1 of 1 asked for \(history 0\)"):
        model.recommend(histories=[[]])
    with pytest.raises(UnknownId, match=r"of 1 of 1 asked for \(history 0\)"):
        model.rank([[]], [[10]])


def test_models_are_listed(palate: Palate):
    from palate.models import registry

    listed = palate("models", "--json").json
    assert [one["name"] for one in listed] == [*registry.names(), *registry.news_names()]
    assert all(one["summary"].endswith(".") for one in listed)
    assert all(f"\n{name} " in palate("models").out for name in [*registry.names(), *registry.news_names()])


@pytest.mark.parametrize("name", ["sasrec", "popularity", "rbm", "ncf", "blend", "random"])
def test_every_parameter_of_a_model_has_a_meaning(palate: Palate, name: str):
    told = palate("models", name, "--json").json["parameters"]
    assert all(len(one["meaning"]) > 2 for one in told)
    page = palate("models", name).out
    assert all(f"\n{one['parameter']} " in page for one in told)
    if name == "sasrec":
        values = {one["parameter"]: one["values"] for one in told}
        assert values["loss"] == ["ce", "sampled_ce", "gbce", "bce"]
        assert values["dropout"] == []


def test_a_model_that_is_not_there_is_refused_with_the_nearest(palate: Palate):
    answer = palate("models", "sasrc")
    assert answer.code != 0
    assert "sasrec" in answer.err


def test_recipes_are_listed_and_printed_as_plans(palate: Palate):
    import tomllib

    assert "quickstart" in palate("recipes").out
    assert {"quickstart", "sar-movielens"} <= {one["name"] for one in palate("recipes", "--json").json}
    assert {"data", "split", "models", "evaluate"} <= set(tomllib.loads(palate("recipes", "quickstart").out))


PLAN = """
[data]
name = "movietweetings-10k"
[split]
method = "random"
seed = 7
[[models]]
name = "popularity"
[[models]]
name = "sar"
[evaluate]
k = [5]
metrics = ["ndcg", "recall"]
bootstrap = 50
"""


def test_run_writes_its_folder_and_prints_the_board(palate: Palate, tmp_path: Path):
    (tmp_path / "plan.toml").write_text(PLAN)
    answer = palate("run", tmp_path / "plan.toml", "--set", "evaluate.k=3", "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert "sar" in answer.out
    assert "ndcg@3" in answer.out.lower()
    assert {"result.json", "report.html", "log.jsonl", "models"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [model["label"] for model in result["models"]] == ["popularity", "sar"]
    assert palate("recommend", tmp_path / "out" / "models" / "sar", "--users", 1).code == 0


def test_run_as_json_prints_the_result(palate: Palate, tmp_path: Path):
    (tmp_path / "plan.toml").write_text(PLAN)
    answer = palate("run", tmp_path / "plan.toml", "--out", tmp_path / "out", "--json")
    assert answer.json == json.loads((tmp_path / "out" / "result.json").read_text())


def test_doctor_finds_this_installation_well(palate: Palate, monkeypatch: pytest.MonkeyPatch):
    answer = palate("doctor")
    assert answer.code == 0
    assert answer.out.endswith("All is well.\n")
    found = {one["what"]: one for one in palate("doctor", "--json").json["findings"]}
    assert {"python", "numpy", "polars", "numba", "threads", "kernel cache", "data", "disk"} <= set(found)
    monkeypatch.setenv("PALATE_DATA", "/nowhere")
    answer = palate("doctor")
    assert answer.code == 1
    assert "PALATE_DATA=/nowhere is not a folder" in answer.out


def test_doctor_has_the_install_line_of_a_missing_extra(palate: Palate, monkeypatch: pytest.MonkeyPatch):
    from palate.cli import doctor

    asked = [
        "numpy>=1.26",
        'surely-not-here>=2; extra == "text"',
        'optuna-not-here; extra == "tune"',
        'ruff; extra == "dev"',
        'fastapi; extra == "serve"',
        'pyspark; extra == "spark"',
    ]
    monkeypatch.setattr(doctor, "requires", lambda _: asked)
    monkeypatch.setattr(doctor, "_BESIDE", {"text": ["not-here-either"]})
    found = {one["what"]: one for one in palate("doctor", "--json").json["findings"]}
    assert found["[tune]"]["state"] == "absent"
    assert found["[tune]"]["remedy"] == "pip install 'palate[tune]'"
    assert found["[text]"]["remedy"] == "pip install 'palate[text]' && pip install --no-deps not-here-either"
    assert not {"[dev]", "[serve]", "[spark]"} & set(found)
    assert found["numpy"]["state"] == "ok"


def test_doctor_says_where_torch_would_compute(palate: Palate, monkeypatch: pytest.MonkeyPatch):
    torch = pytest.importorskip("torch")
    found = {one["what"]: one for one in palate("doctor", "--json").json["findings"]}
    assert found["torch"]["state"] == "ok"
    assert found["torch"]["detail"].startswith(f"{torch.__version__}, ")
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = palate("doctor")
    assert answer.code == 1
    assert f"{torch.__version__.partition('+')[0]}" in answer.out
    assert "pip install --force-reinstall torch" in answer.out


def test_doctor_ends_with_1_where_a_needed_package_is_missing(
    palate: Palate, monkeypatch: pytest.MonkeyPatch
):
    from palate.cli import doctor

    monkeypatch.setattr(doctor, "requires", lambda _: ["surely-not-here>=2"])
    answer = palate("doctor")
    assert answer.code == 1
    assert "pip install surely-not-here" in answer.out


# --- news -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as MIND's publisher lays it out: train, dev, and a test without labels."""
    folder = tmp_path_factory.mktemp("MIND")
    news = [f"N{n}\tnews\tlocal\tword{n % 7} word{n % 3} title\t\thttps://a\t[]\t[]" for n in range(30)]
    for part in ("train", "dev", "test"):
        place = folder / f"MINDdemo_{part}"
        place.mkdir()
        (place / "news.tsv").write_text("".join(f"{line}\n" for line in news), encoding="utf-8")
        rows = []
        for n in range(40):
            shown = [(7 * n + step) % 30 for step in range(4)]
            marks = [f"N{one}" + ("" if part == "test" else f"-{int(one % 7 == n % 7)}") for one in shown]
            rows.append(
                f"{n + 1}\tU{n % 9}\t11/{12 + n // 10}/2019 2:14:4{n % 10} PM\tN{n % 7} N{n % 7 + 7}\t{' '.join(marks)}"
            )
        (place / "behaviors.tsv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return folder


def test_news_is_described_fitted_evaluated_and_submitted(palate: Palate, mind: Path, tmp_path: Path):
    facts = palate("data", "describe", mind, "--json").json
    assert (facts["impressions to learn from"], facts["impressions to submit"]) == (40, 40)
    assert "impressions to measure on" in palate("data", "describe", mind).out
    fitted = palate("fit", mind, "--model", "content", "--out", tmp_path / "m")
    assert (fitted.code, "clicks of 9 users" in fitted.out) == (0, True)
    found = palate("evaluate", tmp_path / "m", "--impressions", mind, "--json").json
    assert found["metrics"]["impression_auc"]["mean"] > 0.8
    told = palate("submit", tmp_path / "m", mind, "--out", tmp_path / "prediction.zip")
    assert told.out.startswith("40 impressions ranked")
    with zipfile.ZipFile(tmp_path / "prediction.zip") as archive:
        lines = archive.read("prediction.txt").decode().splitlines()
    assert [line.split()[0] for line in lines] == [str(n + 1) for n in range(40)]
    assert sorted(json.loads(lines[0].split(" ", 1)[1])) == [1, 2, 3, 4]


def test_of_news_only_the_part_that_is_asked_for_is_read(palate: Palate, mind: Path, tmp_path: Path):
    """A folder or zip of one part does; of a whole set, the others may even be torn."""
    assert palate("fit", mind, "--model", "content", "--out", tmp_path / "m").code == 0
    whole = palate("evaluate", tmp_path / "m", "--impressions", mind, "--json").json
    zipped = tmp_path / "MINDdemo_dev.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for name in ("news.tsv", "behaviors.tsv"):
            archive.write(mind / "MINDdemo_dev" / name, f"MINDdemo_dev/{name}")
    for place in (zipped, mind / "MINDdemo_dev"):
        assert palate("evaluate", tmp_path / "m", "--impressions", place, "--json").json == whole
    assert palate("data", "describe", zipped, "--json").json["impressions to measure on"] == 40
    assert palate("submit", tmp_path / "m", mind / "MINDdemo_test", "--out", tmp_path / "a.zip").code == 0
    torn = tmp_path / "torn"
    for part in ("dev", "test"):
        shutil.copytree(mind / f"MINDdemo_{part}", torn / f"MINDdemo_{part}")
    (torn / "MINDdemo_train").mkdir()
    for name in ("news.tsv", "behaviors.tsv"):
        (torn / "MINDdemo_train" / name).write_text("torn")
    assert palate("evaluate", tmp_path / "m", "--impressions", torn, "--json").json == whole
    assert palate("submit", tmp_path / "m", torn, "--out", tmp_path / "b.zip").code == 0
    lines = [zipfile.ZipFile(tmp_path / name).read("prediction.txt") for name in ("a.zip", "b.zip")]
    assert lines[0] == lines[1]
    refused = palate("fit", zipped, "--model", "content", "--out", tmp_path / "x")
    assert (refused.code, "has no part to learn from, only valid" in refused.err) == (3, True)


def test_a_blend_reads_articles_that_came_after_it(palate: Palate, mind: Path, tmp_path: Path):
    """Renamed, each article is one that the model has not met: words alone tell, as they did before."""
    later = tmp_path / "MINDlater"
    for part in ("train", "dev"):
        (later / f"MINDlater_{part}").mkdir(parents=True)
        for name in ("news.tsv", "behaviors.tsv"):
            text = (mind / f"MINDdemo_{part}" / name).read_text(encoding="utf-8")
            (later / f"MINDlater_{part}" / name).write_text(
                re.sub(r"\bN(\d+)", r"X\1", text), encoding="utf-8"
            )
    assert palate("fit", mind, "--model", "news_blend", "--out", tmp_path / "b").code == 0
    asked = ("evaluate", tmp_path / "b", "--metrics", "impression_auc", "--json", "--impressions")
    assert palate(*asked, later).json["metrics"]["impression_auc"]["mean"] > 0.8


def test_what_does_not_go_together_with_news_is_said(palate: Palate, mind: Path, sar: Path, tmp_path: Path):
    told = palate("submit", sar, mind, "--out", tmp_path / "x.zip")
    assert (told.code, "knows no article of" in told.err) == (3, True)
    assert not (tmp_path / "x.zip").exists()
    assert "goes with a saved MODEL" in palate("evaluate", "--impressions", mind).err
    assert (
        "have no value" in palate("fit", mind, "--model", "ctr", "--value", "x", "--out", tmp_path / "m").err
    )
    assert "mind-demo" in palate("data", "list").out


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    """A file of 40 people who go around in a ring of 8 items."""
    path = tmp_path / "walks.csv"
    rows = [f"{user},{(user + step) % 8},{step}" for user in range(40) for step in range(6)]
    path.write_text("user,item,time\n" + "\n".join(rows) + "\n")
    return path


SMALL = ["--model", "sasrec", "--set", "embedding_size=8", "--set", "window=6", "--set", "device=cpu"]


def test_fit_says_which_epoch_was_kept_and_what_ended_training(palate: Palate, walks: Path, tmp_path: Path):
    pytest.importorskip("torch")
    out = tmp_path / "model"
    one = palate("fit", walks, *SMALL, "--set", "epochs=1", "--out", out)
    assert "\nbest: epoch 1 of 1, validation nDCG@10 0." in one.out
    assert "; still rising: raise epochs\n" in one.out
    words = ["--set", "epochs=90", "--set", "patience=2", "--set", "learning_rate=0.01"]
    many = palate("fit", walks, *SMALL, *words, "--json", "--out", out).json
    values = [row["valid_ndcg@10"] for row in many["trace"]]
    assert len(values) < 90
    assert values.index(max(values)) == len(values) - 3
    assert "best:" not in palate("fit", walks, *SMALL, "--set", "epochs=1", "--out", out, "--quiet").out
    assert "best:" not in palate("fit", walks, "--model", "ease", "--out", out).out


def test_fit_says_which_model_it_replaces(palate: Palate, walks: Path, tmp_path: Path):
    out = tmp_path / "model"
    first = palate("fit", walks, "--model", "ease", "--out", out)
    assert "in place of" not in first.out
    second = palate("fit", walks, "--model", "sar", "--out", out)
    assert "It stands in place of the ease that was saved there on 2" in second.out
    assert (
        palate("fit", walks, "--model", "sar", "--out", out, "--json").json["replaced"].startswith("the sar ")
    )


def test_fit_says_that_it_goes_on_from_a_checkpoint_and_what_another_one_is_of(
    palate: Palate, walks: Path, tmp_path: Path
):
    pytest.importorskip("torch")
    kept, out = tmp_path / "kept", tmp_path / "model"
    words = ["fit", walks, *SMALL, "--set", f"checkpoint={kept}", "--out", out]
    assert "going on" not in palate(*words, "--set", "epochs=2").err
    assert f"going on from {kept} after epoch 2\n" in palate(*words, "--set", "epochs=3").err
    assert palate(*words, "--set", "epochs=4", "--quiet").err == ""
    other = palate(*words, "--set", "dropout=0.5")
    assert other.code == 5
    assert "it is of sasrec with dropout = 0.2; this is dropout = 0.5" in other.err
    ncf = palate("fit", walks, "--model", "ncf", "--set", f"checkpoint={kept}", "--out", out)
    assert ncf.code == 5
    assert "it is of sasrec; this is ncf" in ncf.err
    walks.write_text(walks.read_text() + "99,1,1\n99,2,2\n99,3,3\n")
    assert "of the same parameters: other data" in palate(*words).err


def test_a_stopped_fit_says_where_its_state_is(
    palate: Palate, walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("torch")
    from palate.models.sasrec.task import NextItem

    calls, validate = [], NextItem.validate

    def stopped(self: NextItem) -> dict[str, float]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return validate(self)

    monkeypatch.setattr(NextItem, "validate", stopped)
    kept = tmp_path / "kept"
    words = ["fit", walks, *SMALL, "--set", f"checkpoint={kept}", "--out", tmp_path / "model"]
    answer = palate(*words)
    assert answer.code == 130
    assert answer.err == (
        "palate: stopped; nothing was left half written\n"
        f"The state after epoch 2 is in {kept}: the same command goes on from there.\n"
    )


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_file_of_impressions_is_fitted_and_described_by_its_own_columns(
    ending: str, palate: Palate, tmp_path: Path
):
    frame = pl.DataFrame(
        {
            "reader": ["ann", "bob", "ann"],
            "ts": [1, 2, 3],
            "read": [["n1"], [], ["n1", "n2"]],
            "shown": [["n2", "n3"], ["n1", "n3"], ["n3", "n4"]],
            "hits": [["n2"], ["n3"], ["n4"]],
        }
    )
    path = tmp_path / f"log.{ending}"
    if ending == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_ndjson(path)
    (tmp_path / "stories.csv").write_text("story,headline\nn1,rain\nn2,rain again\nn3,a goal\nn4,rain\n")
    how = ["--items", tmp_path / "stories.csv", "--item", "story", "--user", "reader", "--time", "ts"]
    how += ["--history-column", "read", "--candidates-column", "shown", "--clicked-column", "hits"]
    told = palate("data", "describe", path, *how, "--text-column", "headline", "--json").json
    assert (told["impressions to learn from"], told["clicks in train"]) == (3, 3)
    fit = palate(
        "fit", path, *how, "--text-column", "headline", "--model", "content", "--out", tmp_path / "m"
    )
    assert fit.code == 0, fit.err
    listed = palate("recommend", tmp_path / "m", "--history", "n1", "--k", "1")
    assert "rain" in listed.out  # the headline is the display name, too
    columns = [*how[2:], "--text-column", "headline"]
    judged = palate(
        "evaluate", tmp_path / "m", "--impressions", path, "--articles", how[1], *columns, "--json"
    )
    assert judged.json["metrics"]["impression_auc"]["n"] == 3, judged.err
    astray = palate("evaluate", tmp_path / "m", "--truth", path, "--time", "ts")
    assert "--time says how --impressions DATA is read" in astray.err
    missing = palate(
        "evaluate", tmp_path / "m", "--impressions", "nope.jsonl", "--articles", how[1], *columns
    )
    assert "no file and no folder 'nope.jsonl'" in missing.err
    typo = palate("data", "describe", path, *how[:6], "--candidates-column", "shwon")
    assert "no column 'shwon' for candidates. Did you mean 'shown'?" in typo.err
    other = palate("fit", path, *how, "--model", "sar", "--out", tmp_path / "s")
    assert "of impressions, which nrms, npa, ctr, content and lm learn from" in other.err
    dead = palate("submit", tmp_path / "m", path, "--out", tmp_path / "p.zip")
    assert "MIND's leaderboard takes ranks of MIND" in dead.err
    without = palate("fit", path, *how, "--model", "content", "--out", tmp_path / "n")
    assert "--text-column headline" in without.err
    odd = palate("data", "describe", "movietweetings-10k", "--text-column", "x")
    assert "--text-column is of impressions" in odd.err


def test_articles_may_be_named_by_id(palate: Palate, tmp_path: Path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"user": "ann", "history": ["n1"], "candidates": ["n2", "n3"], "clicked": ["n2"]}\n')
    (tmp_path / "articles.csv").write_text("id,title\nn1,rain\nn2,rain again\nn3,a goal\n")
    told = palate("data", "describe", path, "--items", tmp_path / "articles.csv", "--json")
    assert told.json["articles"] == 3, told.err


def test_a_line_of_impressions_without_a_list_is_told_and_can_be_left_out(palate: Palate, tmp_path: Path):
    path = tmp_path / "log.jsonl"
    good = '{"user": "ann", "history": ["n1"], "candidates": ["n2", "n3"], "clicked": ["n2"]}\n'
    path.write_text(good + good.replace('["n2", "n3"]', '"n2"') + good)
    (tmp_path / "articles.csv").write_text("item,title\nn1,rain\nn2,rain again\nn3,a goal\n")
    call = ("data", "describe", path, "--items", tmp_path / "articles.csv")
    assert "1 row has no list in column 'candidates' (such as 'n2') (line 2)" in palate(*call).err
    left = palate(*call, "--drop-bad-rows", "--json").json
    assert left["impressions to learn from"] == 2


def test_a_conversion_onto_what_is_read_is_refused(palate: Palate, tmp_path: Path):
    path = tmp_path / "mine.csv"
    path.write_text("user,item,when\na,x,1\nb,y,2\n")
    before = path.read_bytes()
    assert "is what is read" in palate("data", "convert", path, path).err
    assert path.read_bytes() == before


def test_purchases_are_evaluated_by_their_own_columns(palate: Palate, tmp_path: Path):
    (tmp_path / "run.csv").write_text("user,item,score\na,x,2\na,y,1\n")
    (tmp_path / "truth.csv").write_text("customer,product\na,y\n")
    call = ("evaluate", "--run", tmp_path / "run.csv", "--truth", tmp_path / "truth.csv", "--metrics", "mrr")
    found = palate(*call, "--user", "customer", "--item", "product", "--json").json
    assert found["metrics"]["mrr@10"]["mean"] == 0.5
    assert "Name it: --user COLUMN" in palate(*call).err


def test_strangers_get_what_is_popular_or_are_named(palate: Palate, tmp_path: Path):
    pytest.importorskip("torch")
    small = ["--set", "epochs=1", "--set", "word_size=8", "--set", "heads=2", "--set", "head_size=4"]
    assert palate("fit", "news-world", "--model", "nrms", *small, "--out", tmp_path / "m").code == 0
    read = package.load_news("news-world").train.interactions()
    readers = pl.DataFrame({"user": read.user, "item": read.item}).unique()
    most = readers["item"].value_counts()["count"].max()
    call = ("recommend", tmp_path / "m", "--users", "nobody,U0001", "--k", "1")
    first = palate(*call, "--unknown", "popular", "--json").json[0]
    assert (first["user"], first["score"]) == ("nobody", most)
    assert "does not know them: nobody" in palate(*call, "--unknown", "skip").err


def test_an_explanation_of_news_has_the_words(palate: Palate, tmp_path: Path):
    pytest.importorskip("torch")
    small = ["--set", "epochs=1", "--set", "word_size=8", "--set", "heads=2", "--set", "head_size=4"]
    made = palate("fit", "news-world", "--model", "nrms", *small, "--out", tmp_path / "m", "--json").json
    assert made["name"] == "nrms"
    item = palate("recommend", tmp_path / "m", "--users", "U0001", "--k", "1", "--json").json
    first = item[0]["item"] if isinstance(item, list) else item["lists"][0]["items"][0]["item"]
    told = palate("explain", tmp_path / "m", "--user", "U0001", "--item", first, "--json").json
    assert sum(word["attention"] for word in told["words"]) == pytest.approx(1, abs=1e-5)
    said = palate("explain", tmp_path / "m", "--user", "U0001", "--item", first).out
    assert "costs to leave out" in said
