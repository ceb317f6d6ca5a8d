"""Instruction sets: proven both ways, the same bytes for the same seed, no side told by its form; files and splits."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import polars as pl
import pytest

from palate.cli.text_build import build as build_verb
from palate.cli.text_validate import validate as validate_verb
from palate.errors import DataError, PlanError, SplitError
from palate.text.constraints import NEGATION, Constraint, holds, kind_of
from palate.text.constraints.pairing import Contrast, copied
from palate.text.constraints.people import leading
from palate.text.corpus import Document, documents, sources
from palate.text.prose import Prose
from palate.text.suri import (
    SPECIFICITIES,
    Example,
    build,
    digest,
    main_goal,
    read,
    specificity,
    split,
    subset,
    validate,
    write,
)


@pytest.fixture(scope="module")
def embedded() -> tuple[Document, ...]:
    return documents().documents


@pytest.fixture(scope="module")
def examples(embedded: tuple[Document, ...]) -> list[Example]:
    return build(embedded, seed=0)


@pytest.fixture(scope="module")
def few(embedded: tuple[Document, ...]) -> list[Example]:
    return build(embedded[::9], seed=3, constraints=(3, 6))


# --- what is built ------------------------------------------------------------------------------------------


def test_the_embedded_set_is_proven_both_ways(embedded: tuple[Document, ...], examples: list[Example]):
    report = validate(examples)
    assert report.problems == ()
    assert report.sound
    assert report.proven == report.constraints == sum(report.kinds.values())
    assert report.examples >= 0.95 * len(embedded)
    assert report.per_example[0] >= 8
    assert report.per_example[1] >= 12
    assert report.per_example[2] <= 14
    assert len(report.kinds) >= 35
    assert min(report.types.values()) > 0.05 * report.constraints
    assert min(report.scopes.values()) > 0.3 * report.constraints
    assert report.words[0] >= 2048
    assert report.words[2] <= 5024
    assert len(report.sources) == 6


def test_each_constraint_is_true_and_its_corruption_false_by_the_verifiers(examples: list[Example]):
    for example in examples[::10]:
        prose = Prose(example.answer)
        for one in example.contrasts:
            assert holds(one.chosen, prose)
            assert not holds(one.rejected, prose)
            assert (one.chosen.kind, one.chosen.scope, one.chosen.type) == (
                one.rejected.kind,
                one.rejected.scope,
                one.rejected.type,
            )


def test_both_instructions_share_the_goal_and_the_number_of_constraints(examples: list[Example]):
    for example in examples:
        chosen, rejected = example.chosen.split("\n"), example.rejected.split("\n")
        assert chosen[0] == rejected[0] == example.goal
        assert len(chosen) == len(rejected) == 1 + len(example.contrasts)
        assert all(line.startswith("- ") for line in chosen[1:] + rejected[1:])
        assert all(one != other for one, other in zip(chosen[1:], rejected[1:], strict=True))


def test_no_side_is_told_by_its_form(examples: list[Example]):
    every = [one for example in examples for one in example.contrasts]
    for one in every:
        right, wrong = one.chosen.text.split(), one.rejected.text.split()
        assert abs(len(right) - len(wrong)) <= max(2, 0.15 * max(len(right), len(wrong)))
        assert not NEGATION.search(f"{one.chosen.text} {one.rejected.text}")
    more = [len(one.chosen.text) - len(one.rejected.text) for one in every]
    assert sum(one > 0 for one in more) == sum(one < 0 for one in more)
    assert sum(more) == 0


def test_a_value_is_as_often_true_as_it_is_corrupted(examples: list[Example]):
    """A reader who has the constraints alone, each by itself, is at chance: the two sides are the same multiset."""
    every = [one for example in examples for one in example.contrasts]
    assert validate(examples).balance == 1
    sentences = [
        one for one in every if one.chosen.kind not in ("order", "more_often", "entrance", "paragraph")
    ]
    right, wrong = (Counter(getattr(one, side).text for one in sentences) for side in ("chosen", "rejected"))
    assert right == wrong
    for kind, slot in (("entrance", "half"), ("paragraph", "with")):
        mine = [one for one in every if one.chosen.kind == kind]
        sides = [Counter(getattr(one, side).slots[slot] for one in mine) for side in ("chosen", "rejected")]
        assert sides[0] == sides[1]


def test_both_halves_of_an_exchange_have_one_link_and_stand_in_two_texts(examples: list[Example]):
    halves: dict[str, list[tuple[str, Contrast]]] = {}
    for example in examples:
        for one in example.contrasts:
            if one.chosen.kind in ("order", "more_often"):  # turned round in their own text
                assert not one.link
            else:
                halves.setdefault(one.link, []).append((example.id, one))
    assert "" not in halves
    for (mine, one), (theirs, other) in halves.values():
        assert mine != theirs
        if one.chosen.kind not in ("entrance", "paragraph"):  # these keep their own name or number
            assert (one.chosen, one.rejected) == (other.rejected, other.chosen)


def test_the_kinds_that_a_goal_gives_away_are_not_asked_beside_it(examples: list[Example]):
    asked = [one for example in examples for one in example.contrasts if one.chosen.kind == "figure"]
    named = [
        example
        for example in examples
        if any(one.chosen.kind == "figure" for one in example.contrasts) and leading(Prose(example.answer))
    ]
    assert asked
    assert not named


def test_what_a_text_alone_has_is_asked_once_and_not_told_by_the_goal(examples: list[Example]):
    for example in examples:
        seen: set[str] = set()
        goal = {word.strip(".,“”").removesuffix("s") for word in example.goal.lower().split()}
        for one in example.contrasts:
            right, wrong = (copied(kind_of(side.kind), side.slots) for side in (one.chosen, one.rejected))
            assert not (right | wrong) & seen
            assert right == wrong or not (right | wrong) & goal
            seen |= right | wrong


def test_partners_are_of_the_same_source_where_that_is_possible(examples: list[Example]):
    homes: dict[tuple[str, str], set[str]] = {}
    for example in examples:
        for one in example.contrasts:
            homes.setdefault((one.chosen.kind, one.chosen.text), set()).add(example.source)
    same = total = 0
    for example in examples:
        for one in example.contrasts:
            if found := homes.get((one.rejected.kind, one.rejected.text)):
                total += 1
                same += example.source in found
    assert same > 0.6 * total


def test_the_main_goal_is_read_off_the_text():
    goal = main_goal(
        Prose("Poor Ann saw the river. “The river!” said Ann. Poor Bob had the river, said Bob."), Random(0)
    )
    assert "Ann and Bob" in goal
    assert "“river”" in goal
    assert main_goal(Prose(""), Random(0)) == "Write a text."
    assert main_goal(Prose("“Hm,” he said."), Random(0)) == "Write a story."


# --- determinism --------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_whatever_the_hashes(tmp_path: Path):
    code = (
        "import sys; from palate.text.corpus import documents; from palate.text.suri import build, write\n"
        "write(build(documents(limit=24).documents, seed=5, constraints=(4, 9)), sys.argv[1])"
    )
    for name, seed in (("a.jsonl.gz", "1"), ("b.jsonl.gz", "2")):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True, env=environment)
    assert digest(tmp_path / "a.jsonl.gz") == digest(tmp_path / "b.jsonl.gz")


def test_another_seed_gives_another_set(embedded: tuple[Document, ...], few: list[Example]):
    again = build(embedded[::9], seed=3, constraints=(3, 6))
    other = build(embedded[::9], seed=4, constraints=(3, 6))
    assert again == few
    assert [one.goal for one in other] != [one.goal for one in few]
    assert sum(one.chosen == two.chosen for one, two in zip(few, other, strict=False)) == 0


# --- options of building ------------------------------------------------------------------------------------


def test_each_text_may_be_corrupted_by_itself(embedded: tuple[Document, ...]):
    alone = build(embedded[:1], seed=0, corrupter="own")
    assert len(alone) == 1
    assert 8 <= len(alone[0].contrasts) <= 14
    assert validate(alone).problems == ()
    more = validate(build(embedded[::12], seed=0, corrupter="own"))
    assert more.problems == ()
    assert more.balance < 1


def test_kinds_can_be_chosen_and_short_texts_are_enough(embedded: tuple[Document, ...]):
    short = [replace(one, text=one.text[:2000].rsplit(". ", 1)[0] + ".") for one in embedded]
    only = ("person", "opening", "paragraph", "mood")
    made = build(short, seed=0, constraints=(2, 4), only=only)
    report = validate(made)
    assert report.sound
    assert set(report.kinds) <= set(only)
    assert report.examples >= 50


def test_too_few_texts_and_wrong_parameters_say_what_to_do(embedded: tuple[Document, ...]):
    with pytest.raises(DataError, match="let each text be corrupted by itself"):
        build(embedded[:1], seed=0)
    with pytest.raises(DataError, match="none of 0 texts"):
        build([], seed=0)
    with pytest.raises(PlanError, match="the smaller first"):
        build(embedded[:2], constraints=(5, 4))
    with pytest.raises(PlanError, match="corrupter 'bad'"):
        build(embedded[:2], corrupter="bad")  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="Did you mean 'person'"):
        build(embedded[:2], only=("persn",))


# --- files --------------------------------------------------------------------------------------------------


def test_a_set_is_read_as_it_was_written_in_the_published_columns(few: list[Example], tmp_path: Path):
    for name in ("a.jsonl", "a.jsonl.gz"):
        assert read(write(few, tmp_path / name)) == few
    row = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert list(row) == [
        "id", "type", "main_ins", "cons_chosen", "cons_rejected", "prompt_chosen", "prompt_rejected", "answer",
        "messages", "constraints", "source", "title",
    ]  # fmt: skip
    assert row["prompt_chosen"] == [{"role": "user", "content": f"{row['main_ins']}\n{row['cons_chosen']}"}]
    assert row["prompt_rejected"] == [
        {"role": "user", "content": f"{row['main_ins']}\n{row['cons_rejected']}"}
    ]
    assert row["messages"] == [*row["prompt_chosen"], *row["answer"]]
    assert set(row["constraints"][0]) == {
        "kind", "scope", "type", "slots", "text", "slots_rejected", "text_rejected", "link",
    }  # fmt: skip


def published(**changed: object) -> dict[str, Any]:
    row = {
        "id": "7", "type": "web", "main_ins": "Write a story.", "cons_chosen": "- One.\n\n* Two.",
        "cons_rejected": "- Uno.\n2. Dos.",
        "prompt_chosen": [{"role": "user", "content": "Write a story.\n- One.\n* Two."}],
        "prompt_rejected": [{"role": "user", "content": "Write a story.\n- Uno.\n2. Dos."}],
        "answer": [{"role": "assistant", "content": "It was."}], "messages": [],
    }  # fmt: skip
    return row | changed


def test_the_published_columns_alone_are_read_and_nothing_in_them_is_proven(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(published()), encoding="utf-8")
    (example,) = read(path)
    assert [(one.chosen.text, one.rejected.text) for one in example.contrasts] == [
        ("One.", "Uno."),
        ("Two.", "Dos."),
    ]
    assert (example.id, example.source, example.goal, example.answer) == (
        "7",
        "7",
        "Write a story.",
        "It was.",
    )
    report = validate([example])
    assert (report.proven, report.unproven, report.problems) == (0, 2, ())
    assert read(write([example], tmp_path / "b.jsonl")) == [example]


def test_parquet_is_read_as_json_lines_are(few: list[Example], tmp_path: Path):
    rows = [published(), published(id="8")]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    assert read(tmp_path / "a.parquet") == read(tmp_path / "a.jsonl")
    pl.DataFrame([published(), published(main_ins=None)]).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet, row 2: main_ins is NoneType"):
        read(tmp_path / "b.parquet")
    (tmp_path / "torn.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"torn\.parquet cannot be read as Parquet"):
        read(tmp_path / "torn.parquet")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read(tmp_path / "none.parquet")


def test_a_row_whose_text_was_not_published_is_refused(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    for answer in ("books3/a/b.epub.txt", None):
        row = published(type="b3", answer=[{"role": "assistant", "content": answer}])
        path.write_text(f"{json.dumps(published())}\n{json.dumps(row)}\n", encoding="utf-8")
        with pytest.raises(DataError, match=r"line 2: the answer has \d words and the type is b3"):
            read(path)
    whole = [{"role": "assistant", "content": "It was. " * 200}]
    path.write_text(json.dumps(published(type="b3", answer=whole)), encoding="utf-8")
    assert read(path)[0].type == "b3"


def without(row: dict[str, Any], *columns: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in columns}


TYPED = {
    "kind": "k",
    "scope": "s",
    "type": "t",
    "slots": {},
    "text": "a",
    "slots_rejected": {},
    "text_rejected": "b",
}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (without(published(), "answer"), "line 2: no column answer"),
        (published(main_ins=5), "line 2: main_ins is int; a text was expected"),
        (published(source=["x"]), "line 2: source is list"),
        (published(answer=[]), "line 2: answer is no list of one message"),
        (published(answer=[{"role": "assistant", "content": 5}]), "line 2: answer is no list of one message"),
        (published(answer="  "), "line 2: the answer is empty"),
        (
            published(prompt_rejected=published()["prompt_chosen"]),
            "line 2: prompt_chosen and prompt_rejected are the same",
        ),
        (published(cons_rejected="- One"), "line 2: 2 constraints in cons_chosen and 1 in cons_rejected"),
        (published(constraints=[]), "line 2: constraints is no list with something in it"),
        (published(constraints="x"), "line 2: constraints is no list"),
        (
            published(constraints=[without(TYPED, "slots")]),
            "line 2, constraint 1: expected an object with kind",
        ),
        (published(constraints=[TYPED, 5]), "line 2, constraint 2: expected an object"),
        (published(constraints=[TYPED | {"slots": 5}]), "line 2, constraint 1: slots is int, not dict"),
        (published(constraints=[TYPED]), "line 2: the prompts are not those of main_ins and constraints"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_row_is_named_by_its_line(tmp_path: Path, row: dict[str, Any], message: str):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(published())}\n{json.dumps(row)}\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read(path)


def test_torn_files_are_named_by_their_line(few: list[Example], tmp_path: Path):
    path = write(few, tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=f"a.jsonl, line {len(few)}: no JSON"):
        read(path)
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(write(few, tmp_path / "b.jsonl").read_bytes())[:-50])
    with pytest.raises(DataError, match="the gzip file is torn"):
        read(packed)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="has no row"):
        read(path)


# --- validation ---------------------------------------------------------------------------------------------


def changed(example: Example, **how: Any) -> Example:
    """The example with its first constraint changed on both sides, or on one."""
    first, *rest = example.contrasts
    sides = {side: replace(getattr(first, side), **how.get(side, {})) for side in ("chosen", "rejected")}
    return replace(example, contrasts=(Contrast(**sides), *rest))


def test_validation_finds_what_is_wrong(few: list[Example]):
    example = few[0]
    first = example.contrasts[0]
    swapped = replace(example, contrasts=(Contrast(first.rejected, first.chosen), *example.contrasts[1:]))
    assert any("the text fails it" in one for one in validate([swapped]).problems)
    assert any("meets its corruption too" in one for one in validate([swapped]).problems)
    same = replace(example, contrasts=(Contrast(first.chosen, first.chosen),))
    assert any("both instructions are the same" in one for one in validate([same]).problems)
    assert any("constraint 1 is the same in both" in one for one in validate([same]).problems)
    said = changed(example, chosen={"text": "Do something else."})
    assert any("its words are not those of its slots" in one for one in validate([said]).problems)
    denied = changed(example, rejected={"text": f"Never: {first.rejected.text}"})
    assert any("a word of negation" in one for one in validate([denied]).problems)
    long = changed(example, rejected={"text": f"{first.rejected.text} " + "and on " * 9})
    assert any("differ in length" in one for one in validate([long]).problems)
    unknown = changed(example, chosen={"kind": "other"})
    assert any("no kind of constraint is called 'other'" in one for one in validate([unknown]).problems)
    foreign = changed(example, chosen={"kind": "words", "slots": {}})
    assert any("are not those of a constraint" in one for one in validate([foreign]).problems)
    assert any("2 examples have this id" in one for one in validate([example, example]).problems)
    assert any("no constraint" in one for one in validate([replace(example, contrasts=())]).problems)
    assert any("no main goal" in one for one in validate([replace(example, goal=" ")]).problems)
    assert validate([]).examples == 0


# --- parts of an example, splits ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPECIFICITIES)
def test_subsets_show_and_corrupt_as_many_as_asked(few: list[Example], name: str):
    for example in few:
        total = len(example.contrasts)
        shown, corrupted = specificity(name, total)
        found = subset(example, shown, corrupted, seed=1)
        right, wrong = found.chosen.split("\n"), found.rejected.split("\n")
        assert right[0] == wrong[0] == example.goal
        assert len(right) == len(wrong) == 1 + shown
        assert sum(one != other for one, other in zip(right, wrong, strict=True)) == corrupted
        assert set(found.corrupted) <= set(found.shown)
        assert right[1:] == [f"- {example.contrasts[number].chosen.text}" for number in found.shown]
        assert subset(example, shown, corrupted, seed=1) == found
    assert specificity("M/2,M/2", 1) == (1, 1)


def test_subsets_are_drawn_by_the_seed_and_refuse_what_cannot_be(few: list[Example]):
    example = few[0]
    assert len({subset(example, 1, 1, seed=seed).chosen for seed in range(40)}) == len(example.contrasts)
    for shown, corrupted in ((1, 2), (99, 1), (1, 0), (0, 0)):
        with pytest.raises(PlanError, match="at least one"):
            subset(example, shown, corrupted)
    with pytest.raises(PlanError, match="give one of M,M"):
        specificity("M,2", 9)
    whole = subset(example, len(example.contrasts), len(example.contrasts))
    assert (whole.chosen, whole.rejected) == (example.chosen, example.rejected)


def test_splits_share_no_source_and_come_near_to_the_shares(embedded: tuple[Document, ...]):
    parts = split(embedded)
    assert sorted(parts) == ["dev", "test", "train"]
    assert sorted(one.id for part in parts.values() for one in part) == sorted(one.id for one in embedded)
    homes: Sequence[set[str]] = [set(sources(part)) for part in parts.values()]
    assert all(homes)
    assert len(set.union(*homes)) == sum(map(len, homes)) == 6
    assert len(parts["train"]) > 0.6 * len(embedded)
    assert split(embedded) == parts
    alike = [Document(name, "", name) for name in "abcdef"]  # sources of the same size are drawn
    assert len({split(alike, seed=seed)["test"] for seed in range(9)}) > 1
    with pytest.raises(SplitError, match="Give more sources, or fewer parts"):
        split([one for one in embedded if one.source.startswith("h-g")])
    with pytest.raises(SplitError, match="a share above 0"):
        split(embedded, parts={"a": 1, "b": 0})


def test_a_part_that_is_built_by_itself_keeps_its_balance(embedded: tuple[Document, ...]):
    parts = split(embedded, parts={"train": 0.5, "test": 0.5})
    report = validate(build(parts["test"], seed=0))
    assert report.sound
    assert report.balance == 1
    assert set(report.sources) == set(sources(parts["test"]))


# --- the verbs ----------------------------------------------------------------------------------------------


def test_the_verbs_build_and_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "texts.jsonl"
    rows = [{"source": one.source, "text": one.text} for one in documents().documents[::9]]
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    options = {"constraints": "3-6", "seed": 3}
    build_verb(str(source), out=tmp_path / "a.jsonl", **options)
    told = capsys.readouterr().out
    assert f"{len(rows)} texts, 0 of them cut" in told
    assert "proven both ways" in told
    assert digest(tmp_path / "a.jsonl") in told
    build_verb(str(source), out=tmp_path / "set", splits=True, corrupter="own", as_json=True, **options)
    facts = json.loads(capsys.readouterr().out)
    assert [Path(one["file"]).name for one in facts["files"]] == ["train.jsonl", "dev.jsonl", "test.jsonl"]
    assert all(one["proven"] == one["constraints"] for one in facts["files"])
    validate_verb(tmp_path / "a.jsonl")
    assert "constraints proven both ways" in capsys.readouterr().out
    validate_verb(tmp_path / "set" / "train.jsonl", as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["sound"]
    assert median([len(one.contrasts) for one in read(tmp_path / "a.jsonl")]) >= 3


def test_kinds_are_held_out_by_name(tmp_path: Path):
    source = tmp_path / "texts.jsonl"
    rows = [{"source": one.source, "text": one.text} for one in documents().documents[::9]]
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    held = "tense, mood,ending"
    found = {}
    for option, constraints in (("kinds", "1-3"), ("without_kinds", "3-6")):
        out = tmp_path / f"{option}.jsonl"
        build_verb(str(source), out=out, constraints=constraints, quiet=True, **{option: held})
        found[option] = set(validate(read(out)).kinds)
    assert found["kinds"] <= {"tense", "mood", "ending"}
    assert len(found["without_kinds"]) > 10
    assert not found["without_kinds"] & {"tense", "mood", "ending"}
    with pytest.raises(PlanError, match="Did you mean 'tense'"):
        build_verb(str(source), out=tmp_path / "a.jsonl", kinds="tens")
    with pytest.raises(PlanError, match=r"no kind of constraint is called ''\..*The kinds are"):
        build_verb(str(source), out=tmp_path / "a.jsonl", kinds=",")
    with pytest.raises(PlanError, match="give one of the two"):
        build_verb(str(source), out=tmp_path / "a.jsonl", kinds="tense", without_kinds="mood")
    with pytest.raises(PlanError, match="they go with --by rules"):
        build_verb(str(source), out=tmp_path / "a.jsonl", kinds="tense", by="local", model="tiny")


def test_the_verbs_refuse_what_they_cannot_do(
    few: list[Example], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(PlanError, match="--words 9-2: two numbers above 0"):
        build_verb(out=tmp_path / "a.jsonl", words="9-2")
    with pytest.raises(PlanError, match="--corrupter other: give exchange or own"):
        build_verb(out=tmp_path / "a.jsonl", corrupter="other")
    three = tmp_path / "three.jsonl"
    rows = [{"source": one.source, "text": one.answer} for one in few[::6]]
    three.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError, match=r"part \w+: none of 1 texts"):
        build_verb(str(three), out=tmp_path / "set", splits=True, quiet=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be a folder"):
        build_verb(out=tmp_path / "file", splits=True)
    first, *rest = few[0].contrasts
    wrong = replace(few[0], contrasts=(Contrast(first.rejected, first.chosen), *rest))
    path = write([wrong, *few[1:]], tmp_path / "wrong.jsonl")
    with pytest.raises(DataError, match="2 problems, the first 2 above"):
        validate_verb(path)
    assert "the text fails it" in capsys.readouterr().out


def test_a_constraint_without_a_kind_is_an_example_too(embedded: tuple[Document, ...]):
    plain = Contrast(Constraint("", "", "", {}, "Be short."), Constraint("", "", "", {}, "Be long."))
    example = Example.of(embedded[0], goal="Write.", contrasts=[plain])
    assert example.chosen == "Write.\n- Be short."
    assert validate([example]).unproven == 1
