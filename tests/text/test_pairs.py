"""Instruction sets to pairs: which constraints are shown, and what is proven of a text that was cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from palate.errors import DataError
from palate.text import language_model
from palate.text.align import Pair, Training
from palate.text.align.data import pairs_of, read_pairs
from palate.text.align.pairs import token_pairs
from palate.text.constraints import holds
from palate.text.constraints.pairing import Contrast
from palate.text.corpus import documents
from palate.text.prose import Prose
from palate.text.suri import Example, build, write
from tests.text.test_rank import SET, name


@pytest.fixture(scope="module")
def model() -> language_model.LanguageModel:
    return language_model.tiny()


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return build(documents(words=(60, 90), limit=60).documents, seed=0, constraints=(3, 6))


@pytest.fixture(scope="module")
def linked() -> list[Example]:
    """Two texts that exchanged four names."""
    return [
        replace(
            one,
            contrasts=tuple(replace(pair, link=f"name-{place}") for place, pair in enumerate(one.contrasts)),
        )
        for one in SET
    ]


def test_a_drawn_constraint_is_trained_with_the_other_half_of_its_exchange(examples: list[Example]):
    """Who learned that "Name Holmes" wins here learns that it loses there."""
    pairs = pairs_of(examples, shown="one")
    told = [one.contrasts[0] for one in pairs]
    links = Counter(one.link for one in told if one.link)
    assert set(links.values()) == {2}
    assert all(len(one.contrasts) == 1 for one in pairs)
    assert {one.answer for one in pairs} == {one.answer for one in examples}
    assert len(pairs) < 1.25 * len(examples)
    exchanged = [one for one in told if one.link and one.chosen.kind not in ("entrance", "paragraph")]
    right, wrong = (Counter(getattr(one, side).text for one in exchanged) for side in ("chosen", "rejected"))
    assert right == wrong
    assert pairs_of(examples, shown="one", seed=1) != pairs


def test_each_and_all_show_every_constraint(examples: list[Example]):
    every = sum(len(one.contrasts) for one in examples)
    assert len(pairs_of(examples, shown="each")) == every
    whole = pairs_of(examples, shown="all")
    assert [(one.prompt, one.rejected_prompt) for one in whole] == [
        (one.chosen, one.rejected) for one in examples
    ]


@pytest.mark.parametrize("shown", ["one", "each", "all"])
@pytest.mark.parametrize("method", ["iorpo", "sft"])
def test_what_is_learned_of_a_cut_text_is_true_of_what_is_read(
    model: language_model.LanguageModel, shown: str, method: str
):
    longer = build(documents(words=(150, 220), limit=60).documents, seed=0, constraints=(3, 6))
    longer = [one for one in longer if len(Prose(one.answer).sentences[0]) < 300]
    pairs = pairs_of(longer, shown=shown)  # type: ignore[arg-type]
    how = Training(method=method, max_tokens=800, too_long="cut")  # type: ignore[arg-type]
    rows, notes = token_pairs(model, pairs, how, "pair")
    assert 0 < len(rows) <= len(pairs)
    assert "were cut at a sentence to 800 tokens" in notes[0]
    assert "are not proven of what is read" in notes[1]
    known = {
        side.text: side for one in longer for pair in one.contrasts for side in (pair.chosen, pair.rejected)
    }
    for w, l, _ in rows:  # noqa: E741
        assert w.answer == l.answer
        prose = Prose(model.words(w.answer))
        asked, corrupted = (
            [known[line[2:]] for line in model.words(side.prompt).splitlines() if line.startswith("- ")]
            for side in (w, l)
        )
        assert asked
        assert all(holds(one, prose) for one in asked)
        assert method == "sft" or not any(holds(one, prose) for one in corrupted)


def test_where_one_half_is_lost_by_a_cut_the_other_is_not_learned_either(
    model: language_model.LanguageModel, linked: list[Example]
):
    """Else a value would be true in all pairs that are left, and corrupted in none."""
    first, rest = "Then Eve came. Then Fay came. ", linked[1].answer
    short, long = linked[0], replace(linked[1], answer=first + "It rained all day. " * 30 + rest)
    pairs = pairs_of([short, long], shown="each")
    how = Training(max_tokens=400, too_long="cut")
    rows, notes = token_pairs(model, pairs, how, "pair")
    read = model.words(rows[-1].w.answer)
    left = [one for one in ("Eve", "Fay", "Gus", "Hal") if one in read]
    assert 0 < len(left) < 4
    assert len(rows) == 2 * len(left)
    assert f"{8 - 2 * len(left)} of 8 constraints are not proven" in notes[1]


def test_where_one_half_is_too_long_the_other_is_not_learned_either(
    model: language_model.LanguageModel, linked: list[Example]
):
    short, long = linked[0], replace(linked[1], answer=linked[1].answer + " It rained all day." * 30)
    alone = replace(short, contrasts=tuple(replace(one, link="") for one in short.contrasts[:1]))
    pairs = pairs_of([short, long, alone], shown="each")
    rows, notes = token_pairs(model, pairs, Training(max_tokens=400, too_long="drop"), "pair")
    assert len(rows) == 1
    assert notes == [
        "4 of 9 pairs are longer than 400 tokens and were left out, and 4 that were the other half of an exchange."
    ]


def test_a_text_that_is_read_whole_keeps_all_its_constraints(
    model: language_model.LanguageModel, examples: list[Example]
):
    rows, notes = token_pairs(model, pairs_of(examples, shown="all"), Training(), "pair")
    assert len(rows) == len(examples)
    assert notes == []


def test_one_unchanged_constraint_does_not_stop_a_training(model: language_model.LanguageModel):
    same = Contrast(name("Ann"), name("Ann"))
    some = [replace(SET[0], contrasts=(same, *SET[0].contrasts)), SET[1]]
    rows, notes = token_pairs(model, pairs_of(some, shown="each"), Training(), "pair")
    assert len(rows) == 8
    assert notes == ["1 of 9 pairs have a constraint that is the same on both sides: left out."]
    assert all(not pair.same for pair in pairs_of(some, shown="one"))
    rows, notes = token_pairs(model, pairs_of(some, shown="all"), Training(), "pair")
    assert (len(rows), notes) == (2, [])  # in a whole instruction it does no harm
    with pytest.raises(DataError, match="pair 1: both sides are the same"):
        token_pairs(model, [Pair("a", "b", "a", "b")], Training(), "pair")


def test_parquet_gives_the_pairs_of_json_lines(examples: list[Example], tmp_path: Path):
    write(examples, tmp_path / "a.jsonl")
    columns = [
        "id",
        "type",
        "main_ins",
        "cons_chosen",
        "cons_rejected",
        "prompt_chosen",
        "prompt_rejected",
        "answer",
    ]
    pl.DataFrame([one.row() for one in examples], strict=False).select(columns).write_parquet(
        tmp_path / "a.parquet"
    )
    found = read_pairs(tmp_path / "a.parquet", shown="all")
    assert [(one.prompt, one.answer, one.rejected_prompt) for one in found] == [
        (one.chosen, one.answer, one.rejected) for one in examples
    ]
    rows = [{"prompt": "Write.", "chosen": "a", "rejected": "b"}]
    pl.DataFrame(rows).write_parquet(tmp_path / "b.parquet")
    assert read_pairs(tmp_path / "b.parquet") == [
        Pair("Write.", "a", "Write.", "b", where="b.parquet, row 1")
    ]
