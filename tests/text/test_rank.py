"""Ranking: what is asked, what is counted, and that a model which looks for a word is told from one that does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from palate.errors import DataError, PlanError  # noqa: E402
from palate.text import language_model, rank  # noqa: E402
from palate.text.constraints.kind import Constraint  # noqa: E402
from palate.text.constraints.pairing import Contrast  # noqa: E402
from palate.text.logprob import score  # noqa: E402
from palate.text.suri import SPECIFICITIES, Example  # noqa: E402


def name(of: str) -> Constraint:
    return Constraint("name", "specific", "semantic", {"name": of}, f"{of} appears.")


def example(place: int, mine: list[str], others: list[str]) -> Example:
    contrasts = tuple(Contrast(name(one), name(other)) for one, other in zip(mine, others, strict=True))
    text = " ".join(f"Then {one} came, and {one} went." for one in mine)
    return Example(f"s{place}/1", "prose", f"s{place}", "Write a story.", contrasts, text)


SET = [
    example(0, ["Ann", "Ben", "Cid", "Dot"], ["Eve", "Fay", "Gus", "Hal"]),
    example(1, ["Eve", "Fay", "Gus", "Hal"], ["Ann", "Ben", "Cid", "Dot"]),
]


@pytest.fixture(scope="module")
def model() -> language_model.LanguageModel:
    return language_model.tiny()


class Reader:
    """What scores like a model that makes a word likelier where the prompt has it."""

    def __init__(self, model: language_model.LanguageModel) -> None:
        self.model = model

    def __call__(self, _: Any, prompts: list[list[int]], responses: list[list[int]]) -> list[torch.Tensor]:
        told = []
        for prompt, response in zip(prompts, responses, strict=True):
            asked = set(self.model.words(prompt).replace(".", " ").replace(",", " ").split())
            words = self.model.words(response).replace(".", " ").replace(",", " ").split()
            told.append(
                torch.full((len(response),), -1.0) + sum(word in asked for word in words) / len(response)
            )
        return told


def test_the_margin_is_the_difference_of_two_log_probabilities(model: language_model.LanguageModel):
    found = rank.rank(model, SET[:1], specificities=("M,M",)).trials[0]
    with torch.no_grad():
        w, l = (  # noqa: E741
            score(model.network, [model.prompt(text)], [model.response(SET[0].answer)])[0].double().sum()
            for text in (SET[0].chosen, SET[0].rejected)
        )
    assert found.margin == pytest.approx(float(w - l), abs=1e-9)
    assert found.tokens == len(model.response(SET[0].answer))


def test_every_specificity_is_asked_of_every_text(model: language_model.LanguageModel):
    found = rank.rank(model, SET)
    assert [one.specificity for one in found.trials] == [*SPECIFICITIES, *SPECIFICITIES]
    assert all(one.kinds == ("name",) for one in found.trials)


def test_a_reader_of_names_is_right_always_and_turns_on_controls(
    model: language_model.LanguageModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("palate.text.logprob.score", Reader(model))
    found = rank.rank(model, SET, specificities=("1,1", "M,M"), draws=4, controls=True)
    controls = [one for one in found.trials if one.control]
    assert len(controls) == 8  # each single constraint has a text of which it is true
    assert all(one.right for one in found.trials)
    assert all(one.overlap for one in found.trials if not one.control)
    assert not any(one.overlap for one in controls)


def test_each_draw_is_another_constraint(model: language_model.LanguageModel):
    found = rank.rank(model, SET[:1], specificities=("1,1",), draws=9)
    assert len({one.margin for one in found.trials}) == len(found.trials) == 4


def test_a_seed_draws_the_same(model: language_model.LanguageModel):
    one, same, other = (rank.rank(model, SET, specificities=("1,1",), seed=seed).trials for seed in (1, 1, 5))
    assert one == same
    assert one != other


def test_a_text_is_cut_at_a_sentence_when_asked_and_that_is_told(model: language_model.LanguageModel):
    found = rank.rank(model, SET, specificities=("M,M",), tokens=60)
    assert found.notes == ("2 of 2 texts were cut at a sentence to 60 tokens.",)
    assert all(0 < one.tokens <= 60 for one in found.trials)


def test_strips_add_up_to_the_margin(model: language_model.LanguageModel):
    found = rank.rank(model, SET, specificities=("1,1",), strips=1)
    assert len(found.strips) == 1
    assert found.strips[0].gain.sum() == pytest.approx(found.trials[0].margin)
    assert "".join(found.strips[0].pieces).startswith("Then Ann came")
    assert len(found.strips[0].pieces) == len(found.strips[0].gain)
    assert np.isfinite(found.strips[0].gain).all()


def test_what_cannot_be_ranked_is_refused():
    small = language_model.tiny(context=160)
    with pytest.raises(DataError, match=r"s0/1: instruction and text are \d+ tokens, and tiny reads 160"):
        rank.rank(small, SET, specificities=("M,M",))
    with pytest.raises(PlanError, match="M,2"):
        rank.rank(small, SET, specificities=("M,2",))
    with pytest.raises(DataError, match="nothing to rank"):
        rank.rank(small, [])
