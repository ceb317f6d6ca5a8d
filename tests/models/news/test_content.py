"""Content on a shop's purchases: what nobody has bought yet is found by what it is called, or by pretrained vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import palate
from palate.errors import DataError, PalateWarning
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


# --- what is like ---------------------------------------------------------------------------------------------


def test_only_what_has_a_word_in_common_is_similar_whatever_the_block(
    shop: palate.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = palate.models.create("content").fit(shop)
    found = model.similar(range(40), k=40)
    assert (
        found.group_by("item").len()["len"].to_list() == [19] * 40
    )  # the others of its colour, and nothing of 0
    assert ((found["item"] % 2) == (found["similar"] % 2)).all()
    assert found["score"].min() > 0
    monkeypatch.setattr("palate.models.dense._CELLS", 100)
    monkeypatch.setattr("palate.models.dense._FEWEST", 1)  # two items at a time
    assert model.similar(range(40), k=40).equals(found)


def test_similar_things_never_take_a_matrix_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 things asked of 4,000 are 128 MB of scores; blocks of a million hold 8."""
    import tracemalloc

    names = [f"thing{n} kind{n % 50}" for n in range(4_000)]
    data = palate.Interactions.from_table({"user": np.zeros(4_000, int), "item": np.arange(4_000)})
    catalogue = palate.Catalogue.from_table({"item": np.arange(4_000), "name": names}, name="name")
    model = palate.models.create("content").fit(palate.Dataset("many", data, catalogue))
    model.similar([0], k=3)
    monkeypatch.setattr("palate.models.dense._CELLS", 2**20)
    tracemalloc.start()
    assert len(model.similar(range(4_000), k=3)) == 12_000
    assert tracemalloc.get_traced_memory()[1] < 60e6
    tracemalloc.stop()


# --- by vectors -----------------------------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Vectors of things 0 to 38, in a file; thing 39 has none."""
    table = np.random.default_rng(5).normal(size=(39, 6)).astype(np.float32)
    pl.DataFrame({"id": np.arange(39), "vector": table.tolist()}).write_parquet(tmp_path / "things.parquet")
    return tmp_path / "things.parquet", table


def test_by_vectors_a_score_is_the_cosine_of_the_mean_of_what_was_read(
    told: tuple[Path, np.ndarray], shop: palate.Dataset, tmp_path: Path
) -> None:
    path, table = told
    with pytest.warns(PalateWarning, match="no vector of 1 of 40 items"):
        model = palate.models.create("content", vectors=path, history=3).fit(shop)
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    mean = unit[[7, 7, 20]].mean(axis=0)
    cosine = unit @ mean / np.linalg.norm(mean)
    scores = model.score(histories=[[3, 7, 7, 20]], items=range(40))[0]
    assert scores[:39] == pytest.approx(cosine, abs=1e-6)
    assert scores[39] == 0
    reasons = model.explain(history=[3, 7, 7, 20], item=5)
    assert reasons.score == pytest.approx(cosine[5], abs=1e-6)
    near = model.similar([4], k=40)
    order = np.argsort(-(unit @ unit[4]))[1:]
    assert near["similar"].to_list() == order.tolist()  # not itself, and not what has no vector
    again = palate.load_model(model.save(tmp_path / "m"))
    path.unlink()  # kept with the model
    assert (again.score(histories=[[3, 7]]) == model.score(histories=[[3, 7]])).all()


def test_later_things_ask_the_file_again(told: tuple[Path, np.ndarray], shop: palate.Dataset) -> None:
    path, table = told
    assert shop.catalogue is not None
    early = palate.Catalogue.from_table(shop.catalogue.table.head(30), name="name")
    some = palate.Interactions.from_table({"user": [0, 0, 1], "item": [1, 3, 2]})
    model = palate.models.create("content", vectors=path).fit(some, catalogue=early)
    with pytest.warns(PalateWarning, match="no vector of 1 of 10 items"):
        wider = model.with_articles(palate.Catalogue.from_table(shop.catalogue.table.tail(10), name="name"))
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    assert wider.score(histories=[[1]], items=range(39))[0] == pytest.approx(unit @ unit[1], abs=1e-6)
    pl.DataFrame({"id": [35], "vector": [[1.0, 2.0]]}).write_parquet(path)
    with pytest.raises(DataError, match="vectors of 2 numbers now, and this model those of 6"):
        model.with_articles(palate.Catalogue.from_table(shop.catalogue.table.tail(5), name="name"))


def test_vectors_from_a_file_need_no_text_and_must_be_of_these_things(
    told: tuple[Path, np.ndarray], shop: palate.Dataset
) -> None:
    path, _ = told
    some = palate.Interactions.from_table({"user": [0, 0, 1], "item": [1, 3, 2]})
    assert len(palate.models.create("content", vectors=path).fit(some).items) == 3
    others = palate.Interactions.from_table({"user": [0, 1], "item": ["x", "y"]})
    with pytest.raises(DataError, match=r"no vector of any of 2 items \(x, y\)"):
        palate.models.create("content", vectors=path).fit(others)


def test_an_encoder_reads_what_the_catalogue_says(
    shop: palate.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder goes to the encoder with the texts; here it tells how long they are."""

    def encode(folder: Path, texts: pl.Series) -> np.ndarray:
        assert folder == tmp_path
        return np.stack([texts.str.len_chars().to_numpy(), np.ones(len(texts))], axis=1).astype(np.float32)

    monkeypatch.setattr("palate.vectors.encoder.encode", encode)
    model = palate.models.create("content", vectors=tmp_path).fit(shop)
    assert model.similar([3], k=1)["score"][0] == pytest.approx(1)
    with pytest.raises(DataError, match="give catalogue"):
        palate.models.create("content", vectors=tmp_path).fit(shop.interactions)


def test_in_a_blend_vectors_come_with_later_articles_too(tmp_path: Path) -> None:
    from palate.datasets.simulate import news_world

    news = news_world(users=60, articles=120, impressions=4, shown=8, seed=1).dataset
    ids = news.articles.table["item"].to_list()
    table = np.random.default_rng(0).normal(size=(len(ids) + 1, 4)).tolist()
    pl.DataFrame({"id": [*ids, "today"], "vector": table}).write_parquet(tmp_path / "v.parquet")
    content = {"name": "content", "vectors": str(tmp_path / "v.parquet")}
    blend = palate.models.create("news_blend", models=[{"name": "ctr"}, content]).fit(news)
    assert news.valid is not None
    scores = blend.score_impressions(news.valid)
    fresh = palate.Catalogue.from_table(
        {"item": ["today"], "category": [""], "title": [""]}, name="title", text=["title"]
    )
    wider = blend.with_articles(fresh)
    assert "today" in wider.items.ids
    assert wider.score_impressions(news.valid) == pytest.approx(scores)


# --- saved, refused, on a board -------------------------------------------------------------------------------


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


def test_what_had_no_vector_is_asked_for_again(told: tuple[Path, np.ndarray]) -> None:
    path, table = told
    pl.DataFrame({"id": [1, 2], "vector": table[1:3].tolist()}).write_parquet(path)
    some = palate.Interactions.from_table({"user": [0, 0, 1], "item": [1, 3, 2]})
    with pytest.warns(PalateWarning, match="no vector of 1 of 3 items"):
        model = palate.models.create("content", vectors=path).fit(some)
    pl.DataFrame({"id": [3, 4], "vector": table[3:5].tolist()}).write_parquet(path)
    wider = model.with_articles(palate.Catalogue.from_table({"item": [4], "name": ["x"]}, name="name"))
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    assert wider.score(histories=[[1]], items=range(1, 5))[0] == pytest.approx(
        (unit @ unit[1])[1:5], abs=1e-6
    )
