"""Plans of texts: two instructions to choose from, what comes next, and the recipes that ship, on the model built in
code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")

from palate.errors import DataError, PlanError
from palate.experiment.plan import Plan
from palate.experiment.run import run
from palate.news import Impressions
from palate.text import shown, suri
from palate.text.corpus import documents

RECIPES = ("suri-longform", "cross-entropy")
SMALL = {"words": (40, 70), "limit": 12}


def read(part: Impressions, row: int) -> str:
    """The id of the text that is the history of an impression."""
    events, which = part.histories, int(part.history_of[row])
    (code,) = events.item[events.indptr[which] : events.indptr[which + 1]]
    return str(part.articles.ids[int(code)])


def test_an_instruction_is_shown_beside_the_same_one_corrupted():
    data = shown.instructions(**SMALL, constraints=(2, 6), draws=2)
    assert data.valid is not None
    text = dict(zip(data.articles.table["item"], data.articles.table["text"], strict=True))
    for part in (data.train, data.valid):
        assert (part.sizes == 2).all()
        assert (part.clicks_of == 1).all()
        assert len(np.unique(part.user)) == 12
        ids = part.articles.ids
        for row in range(len(part)):
            both = [text[ids[int(code)]] for code in part.candidate[part.indptr[row] : part.indptr[row + 1]]]
            assert both[0] != both[1]
            assert both[0].splitlines()[0] == both[1].splitlines()[0]  # the main goal
            assert [one.count("\n") for one in both] == [1, 1]  # and one constraint


def test_the_place_of_the_right_one_is_drawn_and_train_and_test_share_no_source():
    data = shown.instructions(words=(40, 70), limit=60, constraints=(2, 6))
    assert data.valid is not None
    first = data.train.labels[::2]
    assert 0.2 < first.mean() < 0.8
    sources = [
        {str(user).partition("/")[0] for user in part.users.ids.to_list()}
        for part in (data.train, data.valid)
    ]
    assert not sources[0] & sources[1]
    assert all(any(one in note for note in data.notes) for part in sources for one in part)


def test_what_wins_beside_one_text_loses_beside_another():
    """Both halves of an exchange are shown, so that no value is learned as one that wins."""
    data = shown.instructions(words=(40, 70), limit=40, constraints=(2, 6))
    assert data.valid is not None
    text = dict(zip(data.articles.table["item"], data.articles.table["text"], strict=True))
    for part in (data.train, data.valid):
        told: dict[bool, list[str]] = {True: [], False: []}
        for place, code in enumerate(part.candidate):
            constraint = text[part.articles.ids[int(code)]].splitlines()[1]
            told[bool(part.labels[place])].append(constraint)
        both = sum(one in told[False] for one in told[True])
        assert both >= 0.6 * len(
            told[True]
        )  # the rest is turned round in its own text, or keeps a name of its own


@pytest.mark.parametrize("limit", [7, 8, 24])
def test_a_limit_tears_no_exchange(limit: int):
    examples = suri.build(documents(words=(40, 70), limit=60).documents, seed=0, constraints=(2, 6))
    asked = shown._drawn(examples, 2, limit, 0)
    links = Counter(examples[number].contrasts[place].link for number, place in asked)
    links.pop("", None)
    assert set(links.values()) == {2}
    assert limit - 1 <= len({number for number, _ in asked}) <= limit


def test_pieces_of_a_chapter_are_one_reader():
    data = shown.instructions(words=(40, 70), pieces=4, limit=40, constraints=(2, 6))
    assert data.valid is not None
    assert len(np.unique(data.train.user)) < 40 <= len(data.train)
    chapters = shown.continuations(words=(200, 300), draws=3, limit=60).train
    assert len(np.unique(chapters.user)) < len(chapters) == 60


def test_a_seed_is_a_set_and_another_is_another():
    one, same, other = (shown.instructions(**SMALL, constraints=(2, 6), seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != other.fingerprint


def test_what_comes_next_is_shown_among_others_of_the_same_text():
    data = shown.continuations(words=(200, 300), limit=10, alternatives=4)
    part = data.valid
    assert part is not None
    assert (part.sizes == 4).all()
    assert (part.clicks_of == 1).all()
    from palate.text.corpus import documents

    whole = {one.id: one.text for one in documents(words=(200, 300)).documents}
    text = dict(zip(data.articles.table["item"], data.articles.table["text"], strict=True))
    for row in range(len(part)):
        reader = read(part, row)
        ids = [
            part.articles.ids[int(code)] for code in part.candidate[part.indptr[row] : part.indptr[row + 1]]
        ]
        told = [text[one] for one in ids]
        assert len(set(told)) == 4
        right = told[int(part.labels[part.indptr[row] : part.indptr[row + 1]].argmax())]
        assert f"{text[reader]}\n\n{right}" in whole[reader.partition("#")[0]]


def test_too_little_text_says_so():
    with pytest.raises(DataError, match="no text is left to"):
        shown.continuations(words=(40, 41), alternatives=50)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_of_texts_opens_no_socket_and_compares_paired(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    content = Plan.load(name).resolved()
    for model in content["models"]:
        if model["name"] == "lm":
            model |= {"model": "tiny", "max_tokens": 1500}
    content["data"]["limit"] = 6
    content["evaluate"]["bootstrap"] = 50
    result = run(Plan.of(content), out=tmp_path / "out")
    assert result.primary == "impression_auc"
    assert result.data.name == Plan.load(name).data.name
    labels = {model.label for model in result.models}
    assert {"content", "random"} < labels
    assert len(result.comparisons) % (len(labels) * (len(labels) - 1) // 2) == 0
    assert "public domain" in result.data.licence
    assert (tmp_path / "out" / "report.html").exists()
    again = run(Plan.of(result.plan), out=tmp_path / "again")  # what it resolved to repeats it
    assert [model.metrics for model in again.models] == [model.metrics for model in result.models]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "longform", "words": [90, 60]}, r"words = \[90, 60\]"),
        ({"name": "longform", "alternatives": 3}, "alternatives is of name = 'continuations'"),
        ({"name": "retail", "pieces": 2}, "pieces is about texts"),
        ({"name": "longform", "user": "who"}, "user is about"),
    ],
)
def test_keys_that_do_not_belong_are_refused(data: dict[str, object], words: str):
    with pytest.raises(PlanError, match=words):
        Plan.of({"data": data, "models": [{"name": "random"}]})


def test_ranking_accuracy_is_the_auc_of_two():
    """The board's figure is that of `palate text rank` on the same pairs."""
    import palate
    from palate.text import language_model
    from palate.text.logprob import score

    data = shown.instructions(**SMALL, constraints=(2, 6))
    assert data.valid is not None
    fitted = palate.LM(model="tiny", reads="candidate").fit(data)
    found = palate.evaluate_impressions(fitted, data.valid, metrics="impression_auc", bootstrap=0)
    model, right = language_model.tiny(), 0
    text = dict(zip(data.articles.table["item"], data.articles.table["text"], strict=True))
    for row in range(len(data.valid)):
        places = range(data.valid.indptr[row], data.valid.indptr[row + 1])
        answer = model.response(text[read(data.valid, row)])
        log_p = {
            bool(data.valid.labels[place]): float(
                score(
                    model.network,
                    [model.prompt(text[data.valid.articles.ids[int(data.valid.candidate[place])]])],
                    [answer],
                )[0]
                .double()
                .sum()
                .detach()
            )
            for place in places
        }
        right += log_p[True] > log_p[False]
    assert found.estimate("impression_auc").mean == pytest.approx(right / len(data.valid))
