"""Models of news: what they learn of a planted world, what they know of new people and articles, what they refuse."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import palate
from palate import words
from palate.datasets.simulate import NewsWorld, news_world
from palate.errors import DataError, NotFitted, PlanError, SavedModelError
from palate.kernels import impressions
from palate.models import registry
from palate.models.base import Recommender
from palate.models.news.learned import LearnedNews
from palate.models.news.looking import NewsExplanation
from palate.news import Impressions
from palate.vocabulary import Vocabulary

SMALL: dict[str, dict[str, Any]] = {
    "ctr": {},
    "content": {},
    "nrms": {"word_size": 16, "heads": 2, "head_size": 8, "query_size": 16, "epochs": 4},
    "npa": {
        "word_size": 16,
        "filters": 16,
        "user_size": 8,
        "query_size": 8,
        "epochs": 12,
        "learning_rate": 0.01,
        "batch": 32,
    },
}


@pytest.fixture(scope="module")
def world() -> NewsWorld:
    return news_world(users=400, articles=800, seed=2)


@pytest.fixture(scope="module")
def fitted(world: NewsWorld) -> dict[str, Recommender]:
    return {name: registry.create(name, **params).fit(world.dataset) for name, params in SMALL.items()}


def valid(world: NewsWorld) -> Impressions:
    assert world.dataset.valid is not None
    return world.dataset.valid


def auc(shown: Impressions, scores: Any) -> float:
    told = np.asarray(scores, np.float64)
    return float(np.nanmean(impressions.measure(shown.indptr, shown.labels, told, np.array([5]))[0]))


def test_text_is_learned_and_clicks_so_far_tell_little(world: NewsWorld, fitted: dict[str, Recommender]):
    shown = valid(world)
    found = {name: auc(shown, model.score_impressions(shown)) for name, model in fitted.items()}
    assert found["ctr"] < 0.6 < found["content"]
    assert found["content"] < found["nrms"] < auc(shown, world.scores(shown))
    assert found["npa"] > 0.7


@pytest.mark.parametrize("name", list(SMALL))
def test_a_saved_model_scores_the_same(
    name: str, world: NewsWorld, fitted: dict[str, Recommender], tmp_path: Path
):
    fitted[name].save(tmp_path / name)
    again = palate.load_model(tmp_path / name)
    shown = valid(world)
    assert (again.score_impressions(shown) == fitted[name].score_impressions(shown)).all()
    raw = bytearray((tmp_path / name / "arrays.safetensors").read_bytes())
    raw[-1] ^= 1
    (tmp_path / name / "arrays.safetensors").write_bytes(raw)
    with pytest.raises(SavedModelError):
        palate.load_model(tmp_path / name)


@pytest.mark.parametrize("name", list(SMALL))
def test_a_seed_is_a_model(name: str, world: NewsWorld, fitted: dict[str, Recommender]):
    again = registry.create(name, **SMALL[name]).fit(world.dataset)
    shown = valid(world)
    assert (again.score_impressions(shown) == fitted[name].score_impressions(shown)).all()


@pytest.mark.parametrize("name", ["content", "nrms", "npa"])
def test_scores_of_a_part_are_those_of_the_whole(name: str, world: NewsWorld, fitted: dict[str, Recommender]):
    shown, model = valid(world), fitted[name]
    whole = np.split(model.score_impressions(shown), shown.indptr[1:-1])
    some = np.array([7, 3, 200])
    part = shown.select(some)
    for row, scores in zip(some, np.split(model.score_impressions(part), part.indptr[1:-1]), strict=True):
        assert scores == pytest.approx(whole[row], abs=2e-6)


@pytest.mark.parametrize("name", list(SMALL))
def test_the_verbs_of_a_recommender_agree_with_impressions(
    name: str, world: NewsWorld, fitted: dict[str, Recommender]
):
    model, shown = fitted[name], valid(world)
    if name == "ctr":  # scores what comes next, not what had come before a moment of the test
        shown = replace(shown, time=None)
    row = 11
    user = shown.users.decode(shown.user[[row]]).to_list()
    if name == "npa":  # a history alone is that of an unknown person
        shown = replace(shown, users=Vocabulary.of([f"X{one}" for one in shown.users.ids]))
    past = shown.articles.decode(shown.histories.select(shown.history_of[[row]]).item).to_list()
    some = shown.articles.decode(shown.candidate[shown.indptr[row] : shown.indptr[row + 1]]).to_list()
    scores = model.score_impressions(shown)[shown.indptr[row] : shown.indptr[row + 1]]
    assert model.score(histories=[past], items=some)[0] == pytest.approx(scores, abs=2e-6)
    ranked = model.rank([past], [some])
    assert ranked["item"].to_list() == [some[place] for place in np.lexsort((some, -scores))]
    lists = model.recommend(users=user, k=5)
    known = model.fitted.histories
    seen = model.items.decode(
        known.item[known.indptr[model.users.code(user[0])] : known.indptr[model.users.code(user[0]) + 1]]
    )
    assert len(lists) == 5
    assert not set(lists["item"]) & set(seen)
    assert lists["score"].is_sorted(descending=True)
    fresh = world.dataset.articles.table["item"].tail(20).to_list()
    assert set(model.recommend(users=user, k=3, candidates=fresh)["item"]) <= set(fresh)
    assert set(model.recommend(users=user, k=3, where="category = 'money'")["item"]) <= set(
        world.dataset.articles.table.filter(pl.col("category") == "money")["item"]
    )


@pytest.mark.parametrize("name", ["content", "nrms", "npa"])
def test_articles_are_known_as_they_come(name: str, world: NewsWorld, fitted: dict[str, Recommender]):
    table, shown = world.dataset.articles.table, valid(world)
    late = set(table["item"].tail(100))
    train = world.dataset.train
    clean = np.array(
        [
            not late & set(train.articles.decode(train.candidate[a:b]))
            for a, b in zip(train.indptr, train.indptr[1:], strict=False)
        ]
    )
    past = train.histories.select(train.history_of)
    clean &= np.array(
        [
            not late & set(train.articles.decode(past.item[a:b]))
            for a, b in zip(past.indptr, past.indptr[1:], strict=False)
        ]
    )
    early = palate.Catalogue.from_table(table.head(700), name="title", text=("title",))
    before = registry.create(name, **SMALL[name]).fit(train.select(clean), catalogue=early)
    whole = registry.create(name, **SMALL[name]).fit(train.select(clean), catalogue=world.dataset.articles)
    after = before.with_articles(palate.Catalogue.from_table(table.tail(100), name="title", text=("title",)))
    assert len(before.items) < len(after.items) == 800
    # What train never shows teaches nothing, so it is the same whether it came before or after.
    assert after.score_impressions(shown) == pytest.approx(whole.score_impressions(shown), abs=2e-6)


def test_a_reader_without_a_history_and_an_article_without_words_have_scores(world: NewsWorld):
    table = {
        "user": ["new", "U000"],
        "history": [[], ["N000", "N001"]],
        "candidates": [["N002", "nowhere"], ["N003", "blank"]],
    }
    shown = Impressions.from_table(table)
    articles = pl.concat(
        [
            world.dataset.articles.table,
            pl.DataFrame({"item": ["blank"], "category": [""], "title": ["?! ..."]}),
        ]
    )
    catalogue = palate.Catalogue.from_table(articles, name="title", text=("title",))
    for name in ("content", "nrms", "npa"):
        model = registry.create(name, **SMALL[name]).fit(world.dataset.train, catalogue=catalogue)
        scores = np.asarray(model.score_impressions(shown), float)
        assert not np.isnan(scores).any()
        if name != "content":
            assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", ["content", "nrms", "npa"])
def test_an_explanation_adds_up_and_says_what_leaving_out_costs(
    name: str, world: NewsWorld, fitted: dict[str, Recommender]
):
    model, user = fitted[name], "U007"
    item = model.recommend(users=[user], k=1)["item"][0]
    told = model.explain(user=user, item=item)
    assert told.score == pytest.approx(model.score(users=[user], items=[item])[0, 0], abs=1e-5)
    assert told.baseline + told.contributions["contribution"].sum() == pytest.approx(told.score, abs=1e-9)
    if name == "content":
        return
    assert isinstance(told, NewsExplanation)
    assert told.contributions["attention"].sum() == pytest.approx(1, abs=1e-6)
    assert told.words["attention"].sum() == pytest.approx(1, abs=1e-6)
    titles = dict(world.dataset.articles.table.select("item", "title").rows())
    assert told.words["word"].to_list() == titles[item].split()
    # Without a word the article is another one: as the catalogue would have it, had it been written so.
    less = titles[item].split()[1:]
    other = pl.DataFrame({"item": ["other"], "category": [""], "title": [" ".join(less)]})
    grown = model.with_articles(palate.Catalogue.from_table(other, name="title", text=("title",)))
    loss = told.score - grown.score(users=[user], items=["other"])[0, 0]
    assert told.words["contribution"][0] == pytest.approx(loss, abs=1e-5)
    # So it is with an article that was read.
    first = told.contributions.row(0, named=True)
    known = model.fitted.histories
    code = model.users.code(user)
    past = model.items.decode(known.item[known.indptr[code] : known.indptr[code + 1]]).to_list()
    if name == "nrms":
        loss = (
            told.score
            - model.score(histories=[[one for one in past if one != first["item"]]], items=[item])[0, 0]
        )
        assert first["contribution"] == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("name", ["nrms", "npa"])
def test_it_says_where_attention_and_effects_part(
    name: str, world: NewsWorld, fitted: dict[str, Recommender]
):
    """Of many readers some have remarks; each has the numbers of the tables, and those without one none to have."""
    model, remarks = fitted[name], 0
    for user in model.users.ids.head(10):
        told = model.explain(user=user, item=model.recommend(users=[user], k=1)["item"][0])
        assert isinstance(told, NewsExplanation)
        for what, table, named in (
            ("words", told.words, "word"),
            ("articles", told.contributions, None),
        ):
            said = [one for one in told.remarks if one.startswith(what)]
            most = table.sort("attention", descending=True).row(0, named=True)
            if said:
                remarks += 1
                assert (
                    f"({most['attention']:.0%}), whose leaving out costs {most['contribution']:+.3f}"
                    in said[0]
                )
                if named:
                    assert f"looks most at {most[named]!r}" in said[0]
            else:
                assert most["contribution"] == table["contribution"].max()
    assert remarks


@pytest.mark.parametrize("name", ["nrms", "npa"])
def test_what_is_left_out_is_not_replaced_by_what_is_too_old_to_be_read(name: str, world: NewsWorld):
    model = registry.create(name, **SMALL[name] | {"history": 3, "epochs": 1}).fit(world.dataset)
    item = world.dataset.articles.table["item"][700]
    past = world.dataset.articles.table["item"].gather([4, 90, 33, 201, 15, 77]).to_list()
    told = model.explain(history=past, item=item)
    assert set(told.contributions["item"]) == set(past[3:])
    for out, loss in told.contributions.select("item", "contribution").iter_rows():
        without = [one for one in past[3:] if one != out]
        assert loss == pytest.approx(
            told.score - model.score(histories=[without], items=[item])[0, 0], abs=1e-5
        )


@pytest.mark.parametrize("name", ["nrms", "npa"])
def test_a_reader_without_a_history_is_answered_by_all_verbs_alike(name: str, world: NewsWorld):
    train, some = world.dataset.train, world.dataset.articles.table["item"].head(30).to_list()
    past = train.histories  # a fifth of the readers have none, and are learned from
    past = past.select(np.where(np.arange(len(past)) % 5 == 0, -1, np.arange(len(past))))
    model = registry.create(name, **SMALL[name] | {"epochs": 2})
    model.fit(replace(train, histories=past), catalogue=world.dataset.articles)
    shown = Impressions.from_table({"user": ["nobody"], "candidates": [some]})
    scores = np.asarray(model.score_impressions(shown))
    assert len(set(scores.tolist())) > 20
    assert model.score(histories=[[]], items=some)[0] == pytest.approx(scores, abs=2e-6)
    order = [some[place] for place in np.lexsort((some, -scores))]
    assert model.rank([[]], [some])["item"].to_list() == order
    assert model.recommend(histories=[[]], candidates=some, k=5)["item"].to_list() == order[:5]
    told = model.explain(history=[], item=some[3])
    assert isinstance(told, NewsExplanation)
    assert told.score == pytest.approx(scores[3], abs=2e-6)
    assert told.contributions.is_empty()
    assert told.words.is_empty()
    assert "the reader is a stranger" in told.remarks[0]


@pytest.mark.parametrize("name", ["content", "nrms", "npa"])
def test_of_a_history_of_five_thousand_the_last_are_read(
    name: str, world: NewsWorld, fitted: dict[str, Recommender]
):
    articles = world.dataset.articles.table["item"].to_list()
    rng = np.random.default_rng(0)
    long = [articles[place] for place in rng.integers(0, len(articles), 5_000)]
    both = Impressions.from_table(
        {"user": ["U001", "U001"], "history": [long, long[-50:]], "candidates": [articles[:40]] * 2}
    )
    one, other = np.split(np.asarray(fitted[name].score_impressions(both)), 2)
    assert one == pytest.approx(other, abs=2e-6)
    assert len(set(one.tolist())) > 5


@pytest.mark.parametrize("name", list(SMALL))
def test_an_article_that_is_shown_twice_has_its_score_twice(
    name: str, world: NewsWorld, fitted: dict[str, Recommender]
):
    shown = valid(world)
    once = shown.articles.decode(shown.candidate[: shown.indptr[1]]).to_list()
    past = shown.articles.decode(shown.histories.select(shown.history_of[[0]]).item).to_list()
    table = {"user": ["U000"], "history": [past], "candidates": [once + once[:7]]}
    scores = np.asarray(fitted[name].score_impressions(Impressions.from_table(table)))
    assert scores[: len(once)][:7] == pytest.approx(scores[len(once) :], abs=1e-6)


# --- what the reader's id is worth ----------------------------------------------------------------------------


def as_one(shown: Impressions) -> Impressions:
    """The same impressions, all of one reader."""
    return replace(shown, users=Vocabulary.of(["everybody"]), user=np.zeros(len(shown), np.int32))


PERSONAL: dict[str, Any] = {
    "word_size": 16,
    "filters": 16,
    "user_size": 8,
    "query_size": 8,
    "batch": 16,
    "epochs": 5,
}


def test_an_id_is_worth_what_readers_differ_in():
    """NPA beside itself with one id for all: far ahead where one facet counts for a reader, not where both do alike."""
    ahead = []
    for weight in (0.9, 0.5):
        small = news_world(
            users=300,
            articles=400,
            shown=15,
            impressions=7,
            topic_words=6,
            common_words=50,
            weight=weight,
            seed=3,
        )
        train, judged = small.dataset.train, valid(small)
        found = []
        for shown, asked in ((train, judged), (as_one(train), as_one(judged))):
            model = registry.create("npa", **PERSONAL).fit(shown, catalogue=small.dataset.articles)
            found.append(auc(judged, model.score_impressions(asked)))
        assert found[1] > 0.65
        ahead.append(found[0] - found[1])
    assert ahead[0] > 0.06
    assert abs(ahead[1]) < 0.03


def test_whose_clicks_were_not_learned_is_the_unknown_person(world: NewsWorld):
    """The last tenth in time is held back, so readers of whom nothing else is known have learned nothing."""
    train = world.dataset.train
    assert train.time is not None
    few = train.user % 8 == 0
    held = train.time >= np.sort(train.time)[int(0.9 * len(train))]
    some = train.select(~few | held)  # an eighth of the readers stand in the held tenth alone
    model = registry.create("npa", **SMALL["npa"] | {"epochs": 2}).fit(some, catalogue=world.dataset.articles)
    people = model.fitted.state.weights["users.weight"]
    learned, judged = some.before(0.9)
    alone = np.setdiff1d(judged.users.ids.to_numpy(), learned.users.ids.to_numpy())
    assert len(alone) > 5
    codes = model.users.encode(pl.Series(alone))
    assert (people[1 + codes] == people[0]).all()
    others = np.setdiff1d(np.arange(len(model.users)), codes)
    assert (people[1 + others] != people[0]).any(axis=1).all()


def test_no_click_of_the_future_is_seen(world: NewsWorld, fitted: dict[str, Recommender]):
    """Labels that are turned round from a moment on change no score until then, of any model."""
    shown = valid(world)
    assert shown.time is not None
    moment = int(np.median(shown.time))
    later = (shown.time >= moment)[shown.row_of]
    leaked = replace(shown, clicked=np.where(later, ~shown.labels, shown.labels))
    for name, model in fitted.items():
        before, after = model.score_impressions(shown), model.score_impressions(leaked)
        until = (shown.time <= moment)[shown.row_of]
        assert (before[until] == after[until]).all(), name
        assert (name == "ctr") == bool((before != after).any())


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(SMALL))
def test_what_is_no_impression_is_refused(name: str, world: NewsWorld):
    model = registry.create(name, **SMALL[name])
    with pytest.raises(NotFitted):
        model.score_impressions(valid(world))
    said = "give catalogue" if name == "content" else r"learns from impressions .*palate.load_news"
    with pytest.raises(DataError, match=said):
        model.fit(world.dataset.train.interactions())
    train = world.dataset.train
    for clicked, said in (
        (np.zeros_like(train.labels), "nothing was clicked"),
        (np.ones_like(train.labels), "everything"),
    ):
        with pytest.raises(DataError, match=said):
            model.fit(replace(train, clicked=clicked), catalogue=world.dataset.articles)
    with pytest.raises(DataError, match="no labels"):
        model.fit(replace(train, clicked=None), catalogue=world.dataset.articles)
    if name != "ctr":
        with pytest.raises(DataError, match="give catalogue"):
            model.fit(train)


@pytest.mark.parametrize("name", ["nrms", "npa"])
def test_what_leaves_nothing_to_learn_or_to_judge_by_is_said_or_done_without(name: str, world: NewsWorld):
    train = world.dataset.train
    model = registry.create(name, **SMALL[name] | {"epochs": 1})
    one_second = replace(train, time=np.zeros(len(train), np.int64))
    with pytest.raises(DataError, match=r"of 0 impressions to learn from .*holdout = 0"):
        model.fit(one_second, catalogue=world.dataset.articles)
    nothing = replace(valid(world), clicked=np.zeros(valid(world).n_candidates, bool))
    model.fit(train, valid=nothing, catalogue=world.dataset.articles)
    assert set(model.fitted.trace[0]) >= {"epoch", "loss"}
    assert "valid_impression_auc" not in model.fitted.trace[0]


def test_asking_a_network_draws_no_random_number(
    fitted: dict[str, Recommender], world: NewsWorld, tmp_path: Path
):
    fitted["npa"].save(tmp_path / "npa")
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    palate.load_model(tmp_path / "npa").score_impressions(valid(world))
    assert torch.rand(1) == expected


def test_sizes_that_contradict_each_other_are_refused():
    with pytest.raises(PlanError, match="word_size = 40"):
        palate.NRMS(word_size=30, heads=4, head_size=10)
    assert palate.NRMS(preset="incumbent").heads == 20
    assert palate.NRMS(preset="incumbent", heads=10).heads == 10
    again = palate.NPA(**palate.NPA(preset="paper", filters=20).params())
    assert (again.filters, again.word_size) == (20, 300)


@pytest.mark.parametrize("preset", ["paper", "incumbent"])
def test_presets_of_others_learn_from_all_of_train_as_these_do(preset: Any):
    assert palate.NRMS(preset=preset).holdout == palate.NPA(preset=preset).holdout == 0
    assert palate.NRMS(preset=preset, holdout=0.2).holdout == 0.2
    assert palate.NRMS().holdout > 0


def test_the_first_vectors_need_no_newer_scipy(monkeypatch: pytest.MonkeyPatch):
    """`svds` takes no generator before 1.15."""
    from scipy.sparse import linalg

    from palate.models.news.start import first_vectors

    plain = linalg.svds

    def older(a: Any, k: int = 6, *, v0: Any = None) -> Any:
        return plain(a, k=k, v0=v0)

    monkeypatch.setattr(linalg, "svds", older)
    known = words.encode(pl.Series(["one two", "two three four", "four one", "five six"]))
    tables = [first_vectors(known, 3, start="lsa", vectors=None, seed=seed).numpy() for seed in (1, 1, 2)]
    assert (tables[0] == tables[1]).all()
    one, other = (
        np.abs(table) / np.abs(table).max() for table in tables[1:]
    )  # a sign is the solver's choice
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_model_brings_in_nothing_of_the_others():
    code = "import sys; from palate.models.news import NPA; NPA(); print(*sorted(sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "palate.models.news.npa" in loaded
    homes = {f"palate.models.news.{one}" for one in ("blend", "content", "ctr", "lm", "nrms")}
    assert not homes & set(loaded)
    assert not {"numba", "scipy"} & set(loaded)


def test_any_recommender_of_interactions_stands_beside_them(world: NewsWorld):
    shown = valid(world)
    model = registry.create("ials", factors=8, iterations=5).fit(world.dataset)
    scores = model.score_impressions(shown)
    row = 5
    past = shown.articles.decode(shown.histories.select(shown.history_of[[row]]).item).to_list()
    some = shown.articles.decode(shown.candidate[shown.indptr[row] : shown.indptr[row + 1]]).to_list()
    ranked = {one["item"]: one["score"] for one in model.rank([past], [some]).to_dicts()}
    for item, score in zip(some, scores[shown.indptr[row] : shown.indptr[row + 1]], strict=True):
        assert score == -np.inf if ranked[item] is None else score == pytest.approx(ranked[item], abs=1e-6)


@pytest.mark.parametrize("name", ["nrms", "npa"])
def test_onnxruntime_gives_the_same_scores(
    name: str, world: NewsWorld, fitted: dict[str, Recommender], tmp_path: Path
):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = fitted[name]
    assert isinstance(model, LearnedNews)
    network, codes = model.export(tmp_path / f"{name}.onnx")
    session = onnxruntime.InferenceSession(str(network))
    assert session.get_modelmeta().custom_metadata_map == {
        "history": str(model.history),
        "title": str(model.title),
    }
    tables = {table.columns[1]: table for table in map(pl.read_csv, codes)}
    assert tables["word"]["word"].to_list() == model.vocabulary().ids.to_list()
    assert tables["word"]["code"].to_list() == list(range(len(model.vocabulary())))
    readers = dict(tables["user"].select("user", "code").rows()) if name == "npa" else {}
    assert len(readers) == (len(model.users) if name == "npa" else 0)
    titles, shown = model.titles(), world.dataset.valid
    assert shown is not None
    code = shown.codes_in(model.items)
    wanted = model.score_impressions(shown)

    def told(articles: np.ndarray, longest: int) -> np.ndarray:
        found = np.full((1, len(articles), longest), -1, np.int64)
        for place, article in enumerate(articles.tolist()):
            words = titles.member[titles.indptr[article] : titles.indptr[article + 1]]
            found[0, place, : len(words)] = words
        return found

    for row in range(12):
        history = int(shown.history_of[row])
        past = code[
            shown.histories.item[shown.histories.indptr[history] : shown.histories.indptr[history + 1]]
        ]
        here = slice(int(shown.indptr[row]), int(shown.indptr[row + 1]))
        given = {
            "past": told(past[-(1 + row) :], 8 + row % 3),
            "candidates": told(code[shown.candidate[here]], 9),
        }
        if name == "npa":
            reader = shown.users.ids[int(shown.user[row])]
            given["user"] = np.array([readers.get(reader, 0)], np.int64)
        (scores,) = session.run(None, given)
        if 1 + row >= len(past):  # the whole history
            np.testing.assert_allclose(scores[0], wanted[here], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["nrms", "npa"])
def test_of_new_articles_only_these_are_read(
    name: str, world: NewsWorld, fitted: dict[str, Recommender], monkeypatch: pytest.MonkeyPatch
):
    from palate.models.news import scoring

    model, shown, read = fitted[name], valid(world), []
    assert isinstance(model, LearnedNews)
    compose = scoring.compose

    def counted(*given: Any) -> Any:
        read.extend(given[-1].tolist())
        return compose(*given)

    monkeypatch.setattr(scoring, "compose", counted)
    model.score_impressions(shown)
    read.clear()
    title = world.dataset.articles.table["title"][3]
    new = pl.DataFrame({"item": ["A0", "N001x", "Z9"], "category": [""] * 3, "title": [title, "?", title]})
    wider = model.with_articles(palate.Catalogue.from_table(new, name="title", text=("title",)))
    wider = wider.with_articles(
        palate.Catalogue.from_table(
            new.with_columns(item=pl.lit("B7")).head(1), name="title", text=("title",)
        )
    )
    assert wider.score_impressions(shown) == pytest.approx(model.score_impressions(shown), abs=1e-6)
    scores = wider.score(users=["U007"], items=["N003", "A0", "Z9", "B7", "N001x", "N799"])[0]
    assert scores[1:4] == pytest.approx([scores[0]] * 3, abs=1e-6)
    assert (
        len(read) == {"nrms": 3 + 2, "npa": 2 + 1}[name]
    )  # npa reads none without words, nrms asks of it again
    again = type(model)(**wider.params())
    again._fitted = wider.fitted  # the same, with nothing made yet
    assert scores == pytest.approx(
        again.score(users=["U007"], items=["N003", "A0", "Z9", "B7", "N001x", "N799"])[0], abs=1e-6
    )


@pytest.mark.parametrize("name", ["nrms", "npa"])
def test_words_begin_with_the_vectors_of_a_file(name: str, world: NewsWorld, tmp_path: Path):
    known = words.encode(world.dataset.articles.table["title"]).words.ids
    rng = np.random.default_rng(0)
    some = {word: rng.normal(size=16).round(3) for word in known.head(300)}
    file = tmp_path / "glove.txt"
    file.write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in some.items()))
    # Steps too small to move anything: what is learned is what it began with.
    params = SMALL[name] | {"vectors": str(file), "epochs": 1, "learning_rate": 1e-12, "dropout": 0.0}
    model = registry.create(name, **params).fit(world.dataset)
    assert isinstance(model, LearnedNews)
    table, vocabulary = model.fitted.state.weights["words.weight"], model.vocabulary()
    told = vocabulary.encode(pl.Series(list(some)))
    assert (told >= 0).sum() > 100
    assert table[told[told >= 0]] == pytest.approx(np.array(list(some.values()))[told >= 0], abs=1e-5)
    # The others are as long as these on average, so that neither drowns the other.
    others = np.delete(table[: len(vocabulary)], told[told >= 0], axis=0)
    assert others.std() == pytest.approx(np.array(list(some.values())).std(), rel=0.1)
    with pytest.raises(DataError, match=r"word_size = 16 \(of nrms also residual = false"):
        registry.create(name, vectors=str(file)).fit(world.dataset)


def test_new_articles_may_lack_what_is_not_read(world: NewsWorld, fitted: dict[str, Recommender]):
    title = world.dataset.articles.table["title"][3]
    bare = palate.Catalogue.from_table({"item": ["new"], "title": [title]}, text=["title"])
    wider = fitted["content"].with_articles(bare)
    assert wider.score(users=["U007"], items=["new"]) == wider.score(users=["U007"], items=["N003"])
    assert wider.catalogue is not None
    assert wider.catalogue.table.filter(pl.col("item") == "new")["category"].to_list() == [None]
    with pytest.raises(
        DataError, match="lack the column 'title', which content reads; they have item, headline"
    ):
        fitted["content"].with_articles(palate.Catalogue.from_table({"item": ["new"], "headline": ["x"]}))


def test_chance_treats_new_articles_as_old_ones(world: NewsWorld):
    early, late = world.dataset.train.before(0.5)
    model = palate.models.create("random").fit(early)
    table = {"user": ["a", "b"], "candidates": [["new1", "N003", "new2"], ["new1", "N003", "new2"]]}
    scores = model.score_impressions(Impressions.from_table(table)).reshape(2, 3)
    assert ((scores >= 0) & (scores < 1)).all()
    assert len(np.unique(scores)) == 6
    alone = Impressions.from_table({"user": ["b"], "candidates": [["N003", "new2"]]})
    assert model.score_impressions(alone).tolist() == scores[1, 1:].tolist()  # whoever else is asked
    told = model.score_impressions(late)
    assert abs(told[late.labels].mean() - 0.5) < 4 / np.sqrt(12 * late.n_clicks)


def test_what_a_model_learned_from_is_told(world: NewsWorld, fitted: dict[str, Recommender]):
    again = palate.evaluate_impressions(fitted["ctr"], world.dataset.train, bootstrap=0)
    assert any("the very impressions that the model was fitted to" in note for note in again.notes)
    other = palate.evaluate_impressions(fitted["ctr"], valid(world), bootstrap=0)
    assert not any("fitted to" in note for note in other.notes)
