"""A language model as a recommender: its score is log P, it learns from clicks, and it comes back as it was saved."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import palate  # noqa: E402
from palate.errors import DataError, PalateWarning, PlanError, SavedModelError  # noqa: E402
from palate.text import language_model  # noqa: E402
from palate.text.logprob import score, score_after  # noqa: E402

TITLES = {"a": "rain over the hills", "b": "storm at sea", "c": "a goal at last", "d": "the cup final"}
CATALOGUE = palate.Catalogue.from_table(
    {"item": list(TITLES), "title": list(TITLES.values())}, name="title", text=["title"]
)


def shown(rows: list[tuple[str, list[str], list[str], list[bool]]]) -> palate.Impressions:
    user, history, candidates, clicked = (list(column) for column in zip(*rows, strict=True))
    return palate.Impressions.from_table(
        {"user": user, "history": history, "candidates": candidates, "clicked": clicked}
    )


ROWS = [
    ("ann", ["a"], ["b", "c"], [True, False]),
    ("bob", ["c"], ["a", "d", "b"], [False, True, False]),
    ("cid", [], ["d", "a"], [True, False]),
]
SHOWN = shown(ROWS)


def log_p(prompt: list[int], answer: list[int]) -> float:
    """Return log P as one would first write it, over all logits."""
    model = language_model.tiny()
    with torch.no_grad():
        logits = model.network(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1].double()
    return float(logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None]).sum())


def test_the_score_is_the_log_probability_of_the_title_after_the_titles_read():
    fitted = palate.LM(model="tiny").fit(SHOWN, catalogue=CATALOGUE)
    model, found, at = language_model.tiny(), fitted.score_impressions(SHOWN), 0
    for _, history, candidates, _ in ROWS:
        request = fitted._request([TITLES[item] for item in history])
        assert all(f"- {TITLES[item]}" in request for item in history)
        for item in candidates:
            expected = log_p(model.prompt(request), model.response(TITLES[item]))
            assert found[at] == pytest.approx(expected, abs=1e-3)
            at += 1


def test_a_prompt_that_is_read_once_gives_the_same():
    model = language_model.tiny()
    prompt, answers = model.prompt("Write."), [model.response("one"), model.response("a longer one"), [5]]
    with torch.no_grad():
        together = score_after(model.network, prompt, answers)
        alone = score(model.network, [prompt] * 3, answers)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_mean_and_gain_are_what_they_say():
    by = {
        how: palate.LM(model="tiny", measure=how).fit(SHOWN, catalogue=CATALOGUE).score_impressions(SHOWN)
        for how in ("sum", "mean", "gain")
    }
    model = language_model.tiny()
    length = len(model.response(TITLES["b"]))
    assert by["mean"][0] == pytest.approx(by["sum"][0] / length)
    # cid has read nothing, so there is nothing to gain on
    np.testing.assert_allclose(by["gain"][5:], by["sum"][5:])
    assert not np.allclose(by["gain"][:5], by["sum"][:5])


def test_gain_of_a_request_of_ones_own_is_above_an_empty_one():
    """Not above "Somebody opens the news", which has nothing to do with it."""
    told = {"request": "{text}", "template": "plain", "model": "tiny"}
    gain = palate.LM(measure="gain", **told).fit(SHOWN, catalogue=CATALOGUE).score_impressions(SHOWN)
    summed = palate.LM(**told).fit(SHOWN, catalogue=CATALOGUE).score_impressions(SHOWN)
    model = language_model.tiny()
    blank = log_p(model.text("\n\n"), model.response(TITLES["b"]))
    assert gain[0] == pytest.approx(summed[0] - blank, abs=1e-3)


def test_a_title_is_cut_where_it_is_learned_as_where_it_is_asked():
    long = {item: f"{title} {title} {title}" for item, title in TITLES.items()} | {"b": "天地玄黄宇宙洪荒"}
    catalogue = palate.Catalogue.from_table(
        {"item": list(long), "title": list(long.values())}, name="title", text=["title"]
    )
    fitted = palate.LM(model="tiny", longest=8).fit(SHOWN, catalogue=catalogue)
    model = language_model.tiny()
    (first, *_) = fitted._pairs(SHOWN, model)
    assert (first.answer, first.rejected_answer) == (
        "天地",
        "a goal a",
    )  # 8 bytes, and no half of a character
    expected = log_p(model.prompt(first.prompt), model.response(first.answer))
    assert fitted.score_impressions(SHOWN)[0] == pytest.approx(expected, abs=1e-3)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> language_model.LanguageModel:
    """A model that reads 220 tokens."""
    model = language_model.tiny(context=220)
    monkeypatch.setattr("palate.text.language_model.load", lambda *_, **__: model)
    return model


def test_the_oldest_titles_give_way_where_the_context_is_short(narrow: language_model.LanguageModel):
    rows = shown([("ann", ["a", "d", "b", "c", "a", "d"], ["b", "c"], [True, False])])
    fitted = palate.LM(model="tiny").fit(rows, catalogue=CATALOGUE)
    room = narrow.context - max(len(narrow.response(TITLES[item])) for item in "bc")
    read = ["a", "d", "b", "c", "a", "d"]
    whole = [fitted._request([TITLES[item] for item in read[start:]]) for start in range(6)]
    fits = next(one for one in whole if len(narrow.prompt(one)) <= room)
    assert fits != whole[0]
    with pytest.warns(PalateWarning, match="220 tokens, and that was too few for 1 requests"):
        found = fitted.score_impressions(rows)
    with torch.no_grad():
        expected = score(narrow.network, [narrow.prompt(fits)], [narrow.response(TITLES["b"])])[0].sum()
    assert found[0] == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.parametrize("reads", ["history", "candidate"])
@pytest.mark.usefixtures("narrow")
def test_what_cannot_be_read_at_all_is_refused_and_not_scored_as_equal(reads: str):
    long = TITLES | {"a": "x" * 400}
    catalogue = palate.Catalogue.from_table(
        {"item": list(long), "title": list(long.values())}, name="title", text=["title"]
    )
    fitted = palate.LM(model="tiny", reads=reads).fit(SHOWN, catalogue=catalogue)
    with pytest.raises(DataError, match=r"over the \d+ tokens that there are|no sentence of the text"):
        fitted.score_impressions(SHOWN)


@pytest.mark.usefixtures("narrow")
def test_a_text_that_is_cut_is_told():
    long = TITLES | {"a": "It rained. " * 30}
    catalogue = palate.Catalogue.from_table(
        {"item": list(long), "title": list(long.values())}, name="title", text=["title"]
    )
    fitted = palate.LM(model="tiny", reads="candidate").fit(SHOWN, catalogue=catalogue)
    with pytest.warns(PalateWarning, match="too few for 1 texts, which were cut at a sentence"):
        fitted.score_impressions(shown(ROWS[:1]))


def test_what_training_cuts_is_told():
    long = TITLES | {"a": "It rained. " * 30}
    catalogue = palate.Catalogue.from_table(
        {"item": list(long), "title": list(long.values())}, name="title", text=["title"]
    )
    lm = palate.LM(model="tiny", reads="candidate", align="iorpo", max_tokens=120)
    with pytest.warns(PalateWarning, match="1 of 1 pairs were cut at a sentence to 120 tokens"):
        lm.fit(shown(ROWS[:1]), catalogue=catalogue)


@pytest.mark.parametrize("align", ["sft", "orpo", "dpo", "simpo"])
def test_what_was_clicked_becomes_likelier_than_what_was_not(align: str):
    many = shown(ROWS * 6)
    lm = palate.LM(model="tiny", align=align, epochs=6, batch=6, learning_rate=1e-2, beta=1.0)
    raw = palate.LM(model="tiny").fit(many, catalogue=CATALOGUE)
    taught = lm.fit(many, catalogue=CATALOGUE)
    assert len(taught.fitted.trace) == 6
    margin = {}
    for name, one in (("raw", raw), ("taught", taught)):
        scores = one.score_impressions(SHOWN)
        margin[name] = float(scores[[0, 3, 5]].sum() - scores[[1, 2, 6]].sum())
    assert margin["taught"] > margin["raw"] + 1


def test_a_fitted_one_comes_back_as_it_was_saved(tmp_path: Path):
    fitted = palate.LM(model="tiny", align="dpo", learning_rate=1e-2).fit(SHOWN, catalogue=CATALOGUE)
    fitted.save(tmp_path / "lm")
    back = palate.load_model(tmp_path / "lm")
    np.testing.assert_array_equal(back.score_impressions(SHOWN), fitted.score_impressions(SHOWN))
    assert (
        tmp_path / "lm" / "arrays.safetensors"
    ).stat().st_size < 200_000  # what was learned, not the model


def test_what_was_learned_beside_one_model_is_not_put_on_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fitted = palate.LM(model="tiny", align="dpo", learning_rate=1e-2).fit(SHOWN, catalogue=CATALOGUE)
    fitted.save(tmp_path / "lm")
    other = language_model.tiny(seed=1)
    monkeypatch.setattr("palate.text.language_model.load", lambda *_, **__: other)
    with pytest.raises(
        SavedModelError, match="has other weights than the model that LoRA was learned beside"
    ):
        palate.load_model(tmp_path / "lm").score_impressions(SHOWN)


def test_weights_of_another_name_are_not_left_out_without_a_word(tmp_path: Path):
    fitted = palate.LM(model="tiny", align="dpo", learning_rate=1e-2).fit(SHOWN, catalogue=CATALOGUE)
    weights = fitted.fitted.state.weights
    first = next(iter(weights))
    weights[f"{first}.renamed"] = weights.pop(first)
    fitted.save(tmp_path / "lm")
    with pytest.raises(
        SavedModelError, match="of LoRA's weights 1 are not there, and 1 are called as none is"
    ):
        palate.load_model(tmp_path / "lm").score_impressions(SHOWN)


def test_candidates_may_be_instructions_that_one_text_answers():
    """Then the score is log P of the text read last, with the candidate for a request."""
    fitted = palate.LM(model="tiny", reads="candidate").fit(SHOWN, catalogue=CATALOGUE)
    found, model = fitted.score_impressions(SHOWN), language_model.tiny()
    expected = log_p(model.prompt(TITLES["b"]), model.response(TITLES["a"]))
    assert found[0] == pytest.approx(expected, abs=1e-3)
    assert found[5] == found[6] == 0  # cid has read nothing: all candidates are alike
    taught = palate.LM(
        model="tiny", reads="candidate", align="iorpo", learning_rate=1e-2, weight=2.0, epochs=8
    )
    taught.fit(SHOWN, catalogue=CATALOGUE)
    after = taught.score_impressions(SHOWN)
    assert after[0] - after[1] > found[0] - found[1]


def test_it_needs_no_clicks_to_recommend_what_has_a_name():
    sold = palate.Interactions.from_table({"user": ["ann", "bob"], "item": ["a", "c"]})
    fitted = palate.LM(model="tiny").fit(sold, catalogue=CATALOGUE)
    found = fitted.recommend(users=["ann"], k=3)
    assert set(found["item"]) == {"b", "c", "d"}  # also what nobody has bought
    with pytest.raises(DataError, match="fit it to impressions"):
        palate.LM(model="tiny", align="dpo").fit(sold, catalogue=CATALOGUE)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"request": "Recommend."}, "has no {titles} and no {text}"),
        ({"align": "iorpo"}, 'reads = "candidate"'),
        ({"measure": "gain", "reads": "candidate"}, "without a history"),
        ({"align": "ppo"}, "align"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(params: dict[str, str], words: str):
    with pytest.raises(PlanError, match=words):
        palate.LM(model="tiny", **params)


def test_an_article_without_a_title_has_a_score():
    bare = palate.Catalogue.from_table(
        {"item": list(TITLES), "title": ["", *TITLES.values()][:4]}, text=["title"]
    )
    found = palate.LM(model="tiny").fit(SHOWN, catalogue=bare).score_impressions(SHOWN)
    assert all(math.isfinite(one) for one in found)


def test_each_context_reads_its_own_candidates_some_at_a_time(monkeypatch: pytest.MonkeyPatch):
    from palate.text import logprob

    model = palate.models.create("lm", model="tiny").fit(SHOWN, catalogue=CATALOGUE)
    read, after = [], logprob._after

    def counted(*given: object) -> object:
        read.append(len(given[-1]))  # type: ignore[arg-type]
        return after(*given)  # type: ignore[arg-type]

    whole = model.score(users=["ann", "bob"])
    monkeypatch.setattr(logprob, "_after", counted)
    ranked = model.rank(["ann", "bob"], [["d", "a", "b"], ["c"]])
    assert read == [3, 1]
    for user, row in zip(("ann", "bob"), whole, strict=True):
        mine = ranked.filter(pl.col("user") == user)
        assert mine["score"].to_list() == pytest.approx(row[model.items.encode(mine["item"])].tolist())
    monkeypatch.setattr(logprob, "CELLS", 1)  # one at a time
    read.clear()
    assert model.score(users=["ann"])[0] == pytest.approx(whole[0], abs=1e-4)
    assert read == [1, 1, 1, 1]
