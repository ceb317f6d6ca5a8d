"""Ranking: what is asked, what is counted, and that a model which looks for a word is told from one that does not."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from palate.errors import DataError, PlanError  # noqa: E402
from palate.text import language_model, rank  # noqa: E402
from palate.text.constraints import kind_of  # noqa: E402
from palate.text.constraints.kind import Constraint, Slots  # noqa: E402
from palate.text.constraints.pairing import Contrast, contrast  # noqa: E402
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
            asked, _, text = self.model.words([*prompt, *response]).partition("assistant\n")
            n = len(self.model.response(text))
            assert self.model.response(text) == response[-n:]
            known = set(self.words(asked))
            found = torch.full((len(response),), -1.0)
            found[-n:] += sum(word in known for word in self.words(text)) / n
            told.append(found)
        return told

    @staticmethod
    def words(text: str) -> list[str]:
        return text.replace(".", " ").replace(",", " ").split()


def test_the_margin_is_the_difference_of_two_log_probabilities(model: language_model.LanguageModel):
    found = rank.rank(model, SET[:1], specificities=("M,M",)).trials[0]
    with torch.no_grad():
        w, l = (  # noqa: E741
            score(model.network, [model.prompt(text)], [model.response(SET[0].answer)])[0].double().sum()
            for text in (SET[0].chosen, SET[0].rejected)
        )
    assert found.margin == pytest.approx(float(w - l), abs=1e-4)
    assert found.tokens == len(model.response(SET[0].answer))


def test_beside_it_stands_what_the_instructions_alone_tell(model: language_model.LanguageModel):
    found = rank.rank(model, SET[:1], specificities=("M,M",)).trials[0]
    with torch.no_grad():
        w, l = (  # noqa: E741
            score(model.network, [asked[:1]], [asked[1:]])[0].double().sum()
            for asked in (model.prompt(SET[0].chosen), model.prompt(SET[0].rejected))
        )
    assert found.blind == pytest.approx(float(w - l), abs=1e-4)
    assert found.blind != pytest.approx(found.margin, abs=0.01)


def test_every_specificity_is_asked_of_every_text(model: language_model.LanguageModel):
    found = rank.rank(model, SET, draws=1)
    assert [one.specificity for one in found.trials] == [*SPECIFICITIES, *SPECIFICITIES]
    assert all(one.kinds == ("name",) for one in found.trials)


def test_all_single_constraints_are_asked_unless_fewer_are_wanted(model: language_model.LanguageModel):
    for draws, asked in ((None, 8), (1, 2), (3, 6)):
        found = rank.rank(model, SET, specificities=("1,1",), draws=draws)
        assert len(found.trials) == asked


def test_a_reader_of_names_is_right_always_and_turns_on_controls(
    model: language_model.LanguageModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("palate.text.logprob.score", Reader(model))
    found = rank.rank(model, SET, specificities=("1,1", "M,M"), controls=True)
    controls = [one for one in found.trials if one.control]
    assert len(controls) == 8  # each single constraint has a text of which it is true
    assert all(one.right for one in found.trials)
    assert all(one.overlap for one in found.trials if not one.control)
    assert not any(one.overlap for one in controls)
    assert all((one.text, one.source) == (one.example, one.source) for one in found.trials if not one.control)
    assert {(one.example, one.text, one.source) for one in controls} == {
        ("s0/1", "s1/1", "s1"),
        ("s1/1", "s0/1", "s0"),
    }


def test_the_other_text_of_a_control_is_drawn(model: language_model.LanguageModel):
    """Not the first that fits: else a few early texts would serve for nearly all."""
    asked = example(0, ["Ann"], ["Eve"])
    others = [example(place, ["Eve"], ["Ann"]) for place in range(1, 13)]
    found = {
        one.text
        for seed in range(8)
        for one in rank.rank(model, [asked, *others], specificities=("1,1",), controls=True, seed=seed).trials
        if one.control and one.example == asked.id
    }
    assert len(found) >= 4


def test_an_exchange_is_asked_whole_and_its_other_text_is_the_control(model: language_model.LanguageModel):
    linked = [
        replace(one, contrasts=tuple(replace(pair, link=f"{n}") for n, pair in enumerate(one.contrasts)))
        for one in SET
    ]
    others = [
        example(place, ["Eve"], ["Ann"]) for place in range(2, 9)
    ]  # of which the corruption is true as well
    for seed in range(4):
        found = rank.rank(
            model, [*linked, *others], specificities=("1,1",), draws=1, controls=True, seed=seed
        ).trials
        plain = [one.example for one in found if not one.control]
        assert sorted(plain) == [f"s{place}/1" for place in range(9)]  # one of each, not two of any
        controls = {one.example: one.text for one in found if one.control}
        assert (controls["s0/1"], controls["s1/1"]) == ("s1/1", "s0/1")


def styled(kind: str, right: Slots, wrong: Slots) -> Contrast:
    return contrast(kind_of(kind), right, wrong, 3)


def test_only_a_word_that_was_taken_from_the_text_can_be_looked_for(model: language_model.LanguageModel):
    """Not "of", "the" or a number in what says how to write."""
    text = "Of the line of dialogue, 12 to 14 percent was past. Ann saw the narrator."
    contrasts = (
        styled("opening", {"value": "dialogue"}, {"value": "telling"}),
        styled("tense", {"value": "past"}, {"value": "present"}),
        styled("dialogue", {"low": 12, "high": 14}, {"low": 50, "high": 90}),
        styled("order", {"first": "Ann", "second": "Eve"}, {"first": "Eve", "second": "Ann"}),
        Contrast(name("Ann"), name("Eve")),
        Contrast(*(Constraint("", "", "", {}, told) for told in ("Use the past.", "Use the present."))),
        Contrast(*(Constraint("", "", "", {}, told) for told in ("It is of the sea.", "It is the sea."))),
    )
    one = Example("s/1", "prose", "s", "Write.", contrasts, text)
    found = rank.rank(model, [one], specificities=("1,1",))
    by_kind = {trial.kinds: trial.overlap for trial in found.trials if trial.kinds}
    assert by_kind == {
        ("opening",): False, ("tense",): False, ("dialogue",): False, ("order",): False, ("name",): True,
    }  # fmt: skip
    assert sorted(trial.overlap for trial in found.trials if not trial.kinds) == [False, True]


def test_each_draw_is_another_constraint(model: language_model.LanguageModel):
    found = rank.rank(model, SET[:1], specificities=("1,1",), draws=9)  # it has four
    assert len({one.margin for one in found.trials}) == len(found.trials) == 4


def test_a_seed_draws_the_same(model: language_model.LanguageModel):
    one, same, *others = (
        rank.rank(model, SET, specificities=("1,1",), draws=1, seed=seed).trials for seed in (1, *range(1, 7))
    )
    assert one == same
    assert any(one != other for other in others)


def test_a_text_is_cut_at_a_sentence_when_asked_and_that_is_told(model: language_model.LanguageModel):
    found = rank.rank(model, SET, specificities=("M,M",), tokens=60)
    assert found.notes[0].startswith(
        "2 of 2 texts were cut at a sentence, to 60 tokens or what the model's context"
    )
    assert all(0 < one.tokens <= 60 for one in found.trials)


def test_of_a_cut_text_only_what_is_proven_of_the_rest_is_asked(model: language_model.LanguageModel):
    found = rank.rank(model, SET, specificities=("M,M", "1,1"), tokens=40, controls=True)
    assert model.words(model.beginning(SET[0].answer, 40)) == "Then Ann came, and Ann went."
    assert found.notes[1].startswith("6 of 8 constraints are not proven of what is read")
    plain = [one for one in found.trials if not one.control]
    assert len(plain) == 4  # of each text both specificities, of one constraint
    strips = rank.rank(model, SET, specificities=("M,M",), tokens=40, strips=1).strips
    assert strips[0].chosen == "Write a story.\n- Ann appears."
    assert len(found.trials) - len(plain) == 2  # and "Eve appears" is true of the other beginning


def test_a_cut_text_whose_context_leaves_less_than_asked_is_read_as_one_text():
    """What is asked with longer instructions and with shorter ones is asked of the same words."""
    small = language_model.tiny(context=180)
    found = rank.rank(small, SET, specificities=("M,M", "1,1"), tokens=170)
    assert "2 of 2 texts were cut" in found.notes[0]
    of_one = [one for one in found.trials if one.example == "s0/1"]
    assert {one.specificity for one in of_one} == {"M,M", "1,1"}
    assert len({one.tokens for one in of_one}) == 1


def test_a_constraint_that_is_the_same_on_both_sides_is_not_asked(model: language_model.LanguageModel):
    same = replace(SET[0], contrasts=(*SET[0].contrasts, Contrast(name("Ann"), name("Ann"))))
    found = rank.rank(model, [same], specificities=("1,1", "M,M"))
    assert found.notes == ("1 constraints are the same in both instructions: there is nothing to ask.",)
    assert len(found.trials) == 5
    assert found.trials[-1].margin == rank.rank(model, SET[:1], specificities=("M,M",)).trials[0].margin


def test_trials_are_read_as_they_were_written(model: language_model.LanguageModel, tmp_path: Path):
    found = rank.rank(model, SET, controls=True).trials
    path = tmp_path / "trials.jsonl"
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in found))
    assert tuple(rank.read_trials(path)) == found
    row = asdict(found[0])
    for wrong in ({**row, "margin": "much"}, {**row, "kinds": "name"}, {"example": "a"}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(DataError, match=r"trials\.jsonl, line 1: \w+ is no"):
            rank.read_trials(path)


def test_the_same_question_has_the_same_digest_whoever_is_asked(model: language_model.LanguageModel):
    other = language_model.tiny(seed=1)
    one, same = (rank.rank(some, SET, controls=True, seed=1).trials for some in (model, other))
    assert [trial.question for trial in one] == [trial.question for trial in same]
    assert [trial.margin for trial in one] != [trial.margin for trial in same]
    cut = rank.rank(model, SET, tokens=90, seed=1).trials
    assert not {trial.question for trial in one} & {trial.question for trial in cut}


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
    with pytest.raises(PlanError, match="draws = 0"):
        rank.rank(small, SET, draws=0)
    with pytest.raises(DataError, match="nothing to rank"):
        rank.rank(small, [])


def test_a_model_whose_weights_are_no_numbers_ranks_nothing():
    broken = language_model.tiny()
    with torch.no_grad():
        broken.network.model.norm.weight[:] = torch.nan
    with pytest.raises(DataError, match="weights of it are no finite numbers"):
        rank.rank(broken, SET, specificities=("M,M",))
