"""A run from a file to result.json, report.html, log.jsonl and saved models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from palate.errors import DataError, PalateError, PlanError, SplitError
from palate.evaluation.result import Result
from palate.experiment import fit as fitting
from palate.experiment import run as running
from palate.experiment.plan import Plan
from palate.experiment.run import run
from palate.models.registry import load_model

DESIGN = {
    "": {"palate", "plan", "data", "split", "models", "comparisons", "environment"},
    "data": {"name", "fingerprint", "users", "items", "interactions", "licence"},
    "split": {"method", "train", "valid", "test", "cold_rows", "seen_rows"},
    "models": {"name", "label", "params", "metrics", "seconds", "cpu_seconds", "peak_rss_mb"},
    "comparisons": {"a", "b", "metric", "difference", "ci95", "p", "p_holm", "method"},
}
LABELS = ["random", "popularity", "sar-30d", "ease"]


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_run_writes_all_it_promises_and_the_result_reads_back_the_same(done: tuple[Result, Path]) -> None:
    result, folder = done
    assert Result.read(folder) == result
    assert Result.read(folder / "result.json").to_json() == result.to_json()
    assert "<svg" in (folder / "report.html").read_text()
    assert [event["event"] for event in events(folder)][-1] == "end"
    assert [path.name for path in folder.rglob("*.part")] == []
    for label in LABELS:
        assert load_model(folder / "models" / label).items.ids.len() > 0


def test_the_result_has_every_field_of_the_design(done: tuple[Result, Path]) -> None:
    written = json.loads((done[1] / "result.json").read_text())
    assert written.keys() >= DESIGN[""]
    for section in ("data", "split"):
        assert written[section].keys() >= DESIGN[section]
    for section in ("models", "comparisons"):
        assert all(row.keys() >= DESIGN[section] for row in written[section])
    model = written["models"][0]
    assert list(model["metrics"]) == ["ndcg@3", "ndcg@5", "recall@3", "recall@5", "coverage@3", "coverage@5"]
    assert model["metrics"]["ndcg@3"].keys() == {"mean", "ci95", "n"}
    assert model["seconds"].keys() == model["cpu_seconds"].keys() == {"fit", "recommend", "evaluate"}
    assert model["peak_rss_mb"] is None
    assert written["environment"].keys() >= {"date", "python", "platform", "cpu_count", "threads", "versions"}


def test_models_that_learn_taste_beat_those_that_do_not_where_taste_is_all(done: tuple[Result, Path]) -> None:
    result, _ = done
    places = [model.label for model in result.ranking()]
    assert set(places[:2]) == {"sar-30d", "ease"}
    pair = result.comparison("popularity", "ease")
    assert pair is not None
    assert pair.difference is not None
    assert pair.difference < 0


def test_every_pair_of_models_is_compared_on_every_metric_with_a_value_per_user(
    done: tuple[Result, Path],
) -> None:
    pairs = {(pair.a, pair.b, pair.metric) for pair in done[0].comparisons}
    assert len(pairs) == 6 * 4


def test_the_plan_inside_a_result_repeats_the_figures(done: tuple[Result, Path], tmp_path: Path) -> None:
    result, _ = done
    again = run(Plan.of(result.plan), out=tmp_path / "again")
    assert [model.metrics for model in again.models] == [model.metrics for model in result.models]
    assert again.data.fingerprint == result.data.fingerprint


def test_a_split_that_lets_the_future_in_has_a_figure_by_time_beside_it(done: tuple[Result, Path]) -> None:
    by_time = done[0].by_time
    assert by_time is not None
    assert list(by_time.models) == LABELS
    assert by_time.metric == "ndcg@3"


def test_a_model_of_a_plan_keeps_a_checkpoint_of_its_one_training(world: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from palate.models.sasrec import SASRec

    folder = tmp_path / "training"
    plan = Plan.load(world).resolved() | {
        "models": [{"name": "sasrec", "embedding_size": 8, "epochs": 2, "checkpoint": str(folder)}]
    }
    first = run(Plan.of(plan), out=tmp_path / "first")
    assert first.by_time is not None  # fitted on another split, and the checkpoint is not that one's
    assert [path.name for path in folder.iterdir()] == ["training.safetensors"]
    fits = SASRec.fit
    with pytest.MonkeyPatch.context() as patch:
        trained: list[int] = []

        def fit(self: Any, *parts: Any, **options: Any) -> Any:
            model = fits(self, *parts, **options)
            trained.append(len(model.fitted.trace))
            return model

        patch.setattr(SASRec, "fit", fit)
        again = run(Plan.of(plan), out=tmp_path / "again")
    assert again.models[0].metrics == first.models[0].metrics
    assert trained[:2] == [1, 2]  # a pass to warm up, and the course that was kept


def test_the_figure_by_time_can_be_switched_off(world: Path, tmp_path: Path) -> None:
    assert run(world, out=tmp_path / "out", settings=["evaluate.by_time=false"]).by_time is None


def test_places_in_a_history_are_no_dates_to_split_by(world: Path, tmp_path: Path) -> None:
    lines = [" ".join(f"i{(user + 2 * place) % 12}" for place in range(6)) for user in range(20)]
    (world.parent / "baskets.txt").write_text("\n".join(lines) + "\n")
    content = Plan.load(world).resolved()
    content["data"] = {"path": str(world.parent / "baskets.txt"), "format": "sequences"}
    content["models"] = [{"name": "popularity"}]
    result = run(Plan.of(content), out=tmp_path / "out")
    assert result.by_time is None
    assert "By time: not measurable, because the times end before 1980" in result.notes[0]


@pytest.mark.parametrize("error", [SplitError("no relevant row is left."), PlanError("k is too large.")])
def test_a_side_check_by_time_that_fails_leaves_the_run_its_figures(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: PalateError
) -> None:
    def by_its_split(plan: Any, job: Any, **options: Any) -> Any:
        if job.split.protocol.method == "time":
            raise error
        return fitting.fit(plan, job, **options)

    monkeypatch.setattr(running, "fit", by_its_split)
    result = run(world, out=tmp_path / "out")
    assert result.by_time is None
    assert f"By time: not measurable, because {error}" in result.notes
    assert Result.read(tmp_path / "out") == result


def test_examples_have_reasons_in_names_and_shares_of_at_most_all(done: tuple[Result, Path]) -> None:
    examples = done[0].examples
    assert len(examples) == 3
    assert {example.label for example in examples} <= {"sar-30d", "ease"}
    for example in examples:
        for item in example.recommended:
            assert item.name.startswith("<b>Item")
            assert 0 < sum(reason.share for reason in item.reasons) <= 1 + 1e-9


def test_refit_trains_on_validation_too(world: Path, tmp_path: Path) -> None:
    settings = ["split.valid=0.2", "evaluate.by_time=false"]
    held = run(world, out=tmp_path / "held", settings=settings)
    refit = run(world, out=tmp_path / "refit", settings=[*settings, "evaluate.refit=true"])
    assert held.split == refit.split.model_copy(update={"notes": held.split.notes})
    sizes = [
        json.loads((tmp_path / name / "models" / "ease" / "model.json").read_text())["train"]["interactions"]
        for name in ("held", "refit")
    ]
    assert sizes == [held.split.train, held.split.train + held.split.valid]


def test_isolated_models_give_the_same_figures_and_their_peak_memory(world: Path, tmp_path: Path) -> None:
    plan = Plan.load(world, settings=["evaluate.by_time=false"])
    plan = plan.model_copy(update={"models": plan.models[1:3]})
    alone = run(plan, out=tmp_path / "alone", isolate=True)
    together = run(plan, out=tmp_path / "together")
    assert [model.metrics for model in alone.models] == [model.metrics for model in together.models]
    assert all(model.peak_rss_mb is not None and 20 < model.peak_rss_mb < 2000 for model in alone.models)


@pytest.mark.parametrize("method", ["random", "stratified", "last-out", "new-users", "time"])
def test_every_protocol_runs_to_a_report(world: Path, tmp_path: Path, method: str) -> None:
    settings = [f"split.method={method}", "report.examples=2"]
    if method == "time":
        settings.append("split.at=0.7")
    if method == "new-users":
        settings.append("split.users=0.3")
    result = run(world, out=tmp_path / method, settings=settings)
    assert result.split.method == method
    assert result.split.words in (tmp_path / method / "report.html").read_text().replace("&#39;", "'")
    assert (result.by_time is not None) == (method in ("random", "stratified", "last-out"))


@pytest.mark.parametrize("metrics", [["rmse"], ["ndcg", "rmse"]])
def test_a_plan_with_a_rating_metric_runs_to_a_report(
    world: Path, tmp_path: Path, metrics: list[str]
) -> None:
    content = Plan.load(world).resolved()
    content["models"] = [{"name": "sar"}, {"name": "sar", "label": "sar-30d", "half_life_days": 30}]
    content["evaluate"] |= {"metrics": metrics}
    result = run(Plan.of(content), out=tmp_path / "out")
    errors = [model.metrics["rmse"].value for model in result.ranking()]
    assert all(0 < error < 5 for error in errors)
    if metrics == ["rmse"]:  # and nothing is said of lists that nobody asked for
        assert errors == sorted(errors)
        assert not [*result.slices, *result.long_tail, *result.examples]
    facts = result.ratings
    assert facts is not None
    assert facts.list_metric == "ndcg@3"
    assert {one.label for one in facts.lists} == {"sar", "sar-30d"}
    assert [one.rmse for one in facts.lists] == pytest.approx(
        [m.metrics["rmse"].value for m in result.models]
    )
    assert facts.popularity is not None
    assert sum(part.rows for part in facts.slices if part.kind == "user") == facts.rows
    assert len(result.comparisons) == len(metrics) + (metrics == ["ndcg", "rmse"])
    assert {pair.metric for pair in result.comparisons} >= {"rmse"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'id="ratings"' in page
    assert "has the lowest error" in page


def test_rating_models_run_from_a_plan_and_are_ranked_by_error(world: Path, tmp_path: Path) -> None:
    content = Plan.load(world).resolved()
    content["models"] = [
        {"name": "mean"},
        {"name": "bias"},
        {"name": "svd", "factors": 2},
        {"name": "blend", "fusion": "weights", "models": [{"name": "bias"}, {"name": "svd", "factors": 2}]},
    ]
    content["evaluate"] |= {"metrics": ["rmse", "mae"]}
    result = run(Plan.parse(Plan.of(content).to_toml()), out=tmp_path / "out")
    assert {model.label for model in result.models} == {"mean", "bias", "svd", "blend"}
    again = load_model(tmp_path / "out" / "models" / "blend")
    assert [model["name"] for model in again.params()["models"]] == ["bias", "svd"]


def test_a_given_split_reads_its_test_file_in_the_same_way(world: Path, tmp_path: Path) -> None:
    lines = (world.parent / "ratings.csv").read_text().splitlines()
    (world.parent / "train.csv").write_text("\n".join(lines[:-60]) + "\n")
    (world.parent / "test.csv").write_text("\n".join([lines[0], *lines[-60:]]) + "\n")
    settings = ["data.path=train.csv", "split.method=given", "split.test=test.csv"]
    result = run(world, out=tmp_path / "given", settings=settings)
    assert (result.split.train, result.split.test) == (len(lines) - 61, 60)


def test_a_data_set_that_is_not_here_gives_way_to_the_one_named_beside_it(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content = Plan.load(world).resolved() | {
        "data": {"name": "movielens-100k", "otherwise": "movietweetings-10k"}
    }
    content["models"] = [{"name": "popularity"}]
    result = run(Plan.of(content), out=tmp_path / "out", settings=())
    assert result.data.name == "movietweetings-10k"
    assert "palate data get movielens-100k" in result.notes[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DataError("torn")])
def test_a_run_that_is_cut_off_leaves_no_result_and_says_so_in_its_log(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    folder = tmp_path / "out"
    run(world, out=folder, settings=["evaluate.by_time=false"])

    def cut(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(running, "assemble", cut)
    with pytest.raises(type(error)):
        run(world, out=folder, settings=["evaluate.by_time=false"])
    assert not (folder / "result.json").exists()
    assert not (folder / "report.html").exists()
    assert events(folder)[-1]["event"] == (
        "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    )


def test_a_disk_that_fills_up_while_the_result_is_written_leaves_none(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(PalateError, match="No space left"):
        run(world, out=tmp_path / "out", settings=["evaluate.by_time=false"])
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == ["log.jsonl"]


def test_a_run_into_an_earlier_folder_leaves_no_model_of_the_former_plan(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run(world, out=folder, settings=["evaluate.by_time=false"])
    (folder / "models" / "mine").mkdir()
    (folder / "models" / "mine" / "notes.txt").write_text("kept")
    content = Plan.load(world).resolved() | {"models": [{"name": "popularity", "label": "other"}]}
    run(Plan.of(content), out=folder, settings=["evaluate.by_time=false"])
    assert {path.name for path in (folder / "models").iterdir()} == {"other", "mine"}
    assert (folder / "models" / "mine" / "notes.txt").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_refused(world: Path) -> None:
    with pytest.raises(DataError, match="--out"):
        run(world, out=world / "below-a-file")


def test_progress_hears_each_step_in_words(world: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    run(world, out=tmp_path / "out", progress=heard.append, settings=["evaluate.by_time=false"])
    assert heard[0] == "reading the data"
    assert [words for words in heard if "ease" in words]
