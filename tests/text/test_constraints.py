# ruff: noqa: RUF001 (typographic quotation marks are what this file is about)
"""Kinds of constraints: each verifier by hand, what is extracted holds, what is corrupted does not, nothing raises."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import DataError, PlanError
from palate.text.constraints import (
    NEGATION,
    Constraint,
    Kind,
    Slots,
    holds,
    kind_of,
    kinds,
    refuted,
    registry,
)
from palate.text.constraints.kind import a
from palate.text.constraints.pairing import (
    Contrast,
    contrast,
    copied,
    drawn,
    facts,
    fair,
    proven,
    still_proven,
)
from palate.text.constraints.people import leading, people
from palate.text.corpus import documents
from palate.text.prose import Prose, word_set
from tests.text.test_prose import ANY_TEXT

HOLMES = (
    "“Come in,” said Mr. Holmes. He smiled.\n\n"
    "Watson sat down beside Mr. Holmes. “Who is it?” Watson asked.\n\n"
    "“It is Mary Morstan,” replied Mr. Holmes. Mary Morstan was in the hall, and Mary Morstan had a letter."
)
I_TOLD = "I went to my room. It was late, and I was tired. My lamp had gone out, and I left it so."
THEY_TOLD = "He went to his room. She was late, and he was tired. Her lamp had gone out, and they left it so."
NOW = "The clerk goes out and sees the river. He is cold; he has a boat. She looks and knows and takes it."
THEN = "The clerk went out and saw the river. He was cold; he had a boat. She looked and knew and took it."
SHE = "She took her hat, and she put her gloves on. Her maid helped her; she went."
HE = "He took his hat, and he put his gloves on. His man helped him; he went."
MERRY = "They laughed and smiled; joy was on all faces. Happy and merry, they were glad."
GRIM = "They wept in grief; terror and death were near. He died in pain, in dread and misery."
SHORT_FORMS = "It’s late. I’ll go, and they’ll stay. You’ve seen that he’s ill. We’re off. Don’t wait."
FULL_FORMS = (
    "It is late. I will go, and they will stay. You have seen that he is ill. We are off. Do not wait."
)
LETTER = "He read it out.\n\nDear Sir:—I am here.\n\nHe put it down."
VERSE = "He sang.\n\nThe river runs\nbelow the town,\nand all is well\n\nHe ended."

# kind, slots, a text that meets them, a text that fails them
CASES: list[tuple[str, Slots, str, str]] = [
    ("name", {"name": "Ann"}, "Poor Ann came.", "Annabel and Joanna went; ann too."),
    ("name", {"name": "Mr. Holmes"}, HOLMES, HOLMES.replace("Mr. Holmes", "Mrs. Holmes")),
    ("opening_name", {"name": "Mr. Holmes"}, HOLMES, "It began.\n\n" + HOLMES),
    ("closing_name", {"name": "Mary Morstan"}, HOLMES, HOLMES + "\n\nIt ended."),
    ("speaker", {"name": "Mr. Holmes"}, HOLMES, HOLMES.replace("said", "by").replace("replied", "to")),
    ("order", {"first": "Watson", "second": "Mary"}, HOLMES, "Mary saw Watson."),
    ("order", {"first": "Watson", "second": "Mary"}, "Watson saw Mary.", "Watson was alone."),
    ("more_often", {"first": "Ann", "second": "Bob"}, "Ann saw Bob. Ann left.", "Ann saw Bob. Bob left."),
    ("more_often", {"first": "Ann", "second": "Bob"}, "Ann saw Bob. Ann left.", "Ann saw Bob."),
    ("entrance", {"name": "Bob", "half": "opening"}, "Bob came, and all was well.", "All was well, then came Bob."),
    ("entrance", {"name": "Bob", "half": "closing"}, "All was well, then came Bob.", "Nobody came at all that day."),
    ("cast", {"low": 3, "high": 4}, HOLMES, "Nobody came."),
    ("keyword", {"word": "river", "count": 3}, "The river, the River, two rivers.", "The river and the river."),
    ("place", {"word": "church"}, "Two churches.", "A chapel."),
    ("hour", {"word": "twilight"}, "At dusk.", "At noon."),
    ("season", {"word": "June"}, "In June.", "In July."),
    ("animal", {"word": "mouse"}, "Three mice.", "A mousetrap."),
    ("occupation", {"word": "policeman"}, "Some policemen.", "The police."),
    ("kin", {"word": "wife"}, "Their wives.", "A housewife."),
    ("colour", {"word": "grey"}, "A gray sky.", "A green sky."),
    ("weather", {"word": "rain"}, "It rained.", "A train."),
    ("food", {"word": "eggs"}, "One egg.", "A beggar."),
    ("object", {"word": "knife"}, "Two knives.", "A penknife."),
    ("person", {"value": "first"}, I_TOLD, THEY_TOLD),
    ("person", {"value": "third"}, THEY_TOLD, I_TOLD),
    ("person", {"value": "third"}, f"“{I_TOLD}” {THEY_TOLD}", ""),
    ("tense", {"value": "present"}, NOW * 2, THEN * 2),
    ("tense", {"value": "past"}, THEN * 2, NOW * 2),
    ("figure", {"value": "woman"}, SHE * 2, HE * 2),
    ("figure", {"value": "man"}, HE * 2, SHE * 2),
    ("mood", {"value": "cheerful"}, MERRY, GRIM),
    ("mood", {"value": "sombre"}, GRIM, MERRY),
    ("contractions", {"value": "short"}, SHORT_FORMS, FULL_FORMS),
    ("contractions", {"value": "full"}, FULL_FORMS, SHORT_FORMS),
    ("spelling", {"value": "British"}, "Grey colours, honour and neighbours.", "Gray colors, honor and neighbors."),
    ("spelling", {"value": "American"}, "Gray colors, honor and neighbors.", "Grey colours, honour and neighbours."),
    ("numbers", {"value": "digits"}, "12 boats, 3 men and 4 dogs in 1895.", "Two boats, three men, ten dogs."),
    ("numbers", {"value": "words"}, "Two boats, three men, ten dogs, sixty oars.",
     "12 boats, 3 men, 10 dogs, 60 oars."),
    ("words", {"low": 3, "high": 5}, "Don’t go there.", "Don’t go there now then."),
    ("paragraphs", {"low": 2, "high": 2}, "One.\n\nTwo.", "One.\nTwo."),
    ("sentence_length", {"low": 3, "high": 3}, "Now he left. It was over.",
     "Now he left. It was all over by then, he said."),
    ("longest_paragraph", {"low": 3, "high": 4}, "One.\n\nTwo three four.", "One.\n\nTwo."),
    ("dialogue", {"low": 40, "high": 60}, "“One two,” he said.", "“One two three four,” he said."),
    ("questions", {"low": 2, "high": 2}, "What?! Who? Yes!", "What? Who? Why?"),
    ("exclamations", {"low": 2, "high": 2}, "No!! Yes!? Who?", "No!"),
    ("semicolons", {"low": 150, "high": 250}, "One two three; four five; six seven eight nine.", "One; two; three."),
    ("dashes", {"low": 250, "high": 250}, "One—two three four.", "One two—three."),
    ("first_sentence", {"low": 2, "high": 3}, "He came. Then he went away again.", "Then he went away again. He came."),
    ("opening", {"value": "dialogue"}, "“Go,” he said.", "He said “go”."),
    ("opening", {"value": "I"}, "He met me there.", "He met him there."),
    ("opening", {"value": "question"}, "Who can tell? He went.", "Nobody can tell. He went?"),
    ("opening", {"value": "telling"}, "He went.", "We went."),
    ("ending", {"value": "dialogue"}, "He said “go.”", "“Go,” he said."),
    ("ending", {"value": "dialogue"}, "He said:\n\n“I go. I went.", "“I go,” he said. I went."),
    ("ending", {"value": "question"}, "Who can tell?", "Who can tell? Nobody."),
    ("ending", {"value": "exclamation"}, "He was gone!", "He was gone."),
    ("ending", {"value": "telling"}, "He was gone.", "He was gone!"),
    ("inset", {"value": "letter"}, LETTER, VERSE),
    ("inset", {"value": "verse"}, VERSE, LETTER),
    ("inset", {"value": "letter"}, LETTER, "“My dear Jane,” he said, “come.”"),
    ("paragraph", {"number": 2, "with": "dialogue"}, "He came.\n\n“Go.”", "He came.\n\nHe went."),
    ("paragraph", {"number": 2, "with": "narration"}, "He came.\n\nHe went.", "He came."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "slots", "met", "failed"), CASES)
def test_each_verifier_tells_a_text_that_does_it_from_one_that_does_not(
    name: str, slots: Slots, met: str, failed: str
):
    assert kind_of(name).holds(slots, Prose(met))
    assert not kind_of(name).holds(slots, Prose(failed))


def test_every_kind_has_a_case_made_by_hand():
    assert {case[0] for case in CASES} == set(kinds())
    assert len(kinds()) >= 14


def test_kinds_are_a_mixture():
    known = kinds().values()
    assert {kind.scope for kind in known} == {"broad", "specific"}
    assert {kind.type for kind in known} == {"semantic", "stylistic", "mixed"}


def test_people_are_found_with_their_titles_and_who_speaks():
    found = {one.name: (one.count, one.speaks) for one in people(Prose(HOLMES))}
    assert found == {"Mr. Holmes": (3, True), "Mary Morstan": (3, False), "Watson": (2, True)}
    assert leading(Prose(HOLMES)) == ("Mary Morstan", "Mr. Holmes")
    assert people(Prose("In London the English said so. In London it was Monday. On Monday.")) == ()


# --- what goes with what ------------------------------------------------------------------------------------


def test_who_stands_at_the_centre_is_not_asked_beside_a_name():
    """The goal would tell: "Write a story about Mr. Brown" goes with a man at the centre."""
    named = f"Poor Mr. Brown came, said Mr. Brown. {HE * 2}"
    assert leading(Prose(named)) == ("Mr. Brown",)
    for text, known in ((HE * 2, 1), (named, 0)):
        (found,) = facts([Prose(text)], [kind_of("figure")], Random(0))
        assert len(found) == known


def appears(name: str, other: str, link: str = "") -> Contrast:
    right, wrong = (
        Constraint("name", "specific", "semantic", {"name": one}, f"{one} appears.") for one in (name, other)
    )
    return Contrast(right, wrong, link)


def test_a_contrast_is_proven_where_one_side_holds_and_the_other_clearly_does_not():
    prose = Prose("Ann came. Joanna went.")
    assert proven(appears("Ann", "Bob"), prose)
    assert not proven(appears("Bob", "Ann"), prose)
    assert not proven(appears("Joanna", "anna"), prose)  # inside a word: neither true nor clearly false
    assert not refuted(appears("anna", "Bob").chosen, prose)
    untyped = Contrast(*(Constraint("", "", "", {}, text) for text in ("Be short.", "Be long.")))
    assert proven(untyped, prose)


def test_a_beginning_keeps_what_is_proven_of_it_and_an_exchange_goes_as_a_whole():
    whole = ["Ann came. Bob went.", "Cid came. Dot went."]
    every = [
        (appears("Ann", "Cid", "x"), appears("Bob", "Dot", "y")),
        (appears("Cid", "Ann", "x"), appears("Dot", "Bob", "y")),
    ]
    assert still_proven(every, [None, None]) == every
    assert still_proven(every, whole) == every
    # Bob is gone, so "Bob appears" goes, and with it the half in which Bob is the corruption
    assert still_proven(every, ["Ann came.", None]) == [every[0][:1], every[1][:1]]


def test_of_an_exchange_both_halves_are_drawn_and_each_text_is_in_one():
    rng = Random(0)
    links = [(f"k{n}", rng.sample(range(20), 2)) for n in range(90)]
    every: list[list[Contrast]] = [[] for _ in range(20)]
    for link, (one, other) in links:
        every[one].append(appears("Ann", "Bob", link))
        every[other].append(appears("Bob", "Ann", link))
    every.append([appears("Eve", "Fay"), appears("Gus", "Gus")])
    for draws in (1, 3):
        found = drawn(every, Random(1), draws=draws)
        assert len(set(found)) == len(found)
        linked = [every[number][place].link for number, place in found]
        assert all(linked.count(link) == 2 for link in linked if link)
        count = [sum(number == mine for mine, _ in found) for number in range(20)]
        assert min(count) >= draws
        assert sum(count) <= 1.3 * draws * 20
        assert [place for number, place in found if number == 20] == [
            0
        ]  # the other is the same on both sides
    assert drawn(every, Random(1)) != drawn(every, Random(2))


# --- facts of real and of drawn texts -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedded() -> list[Prose]:
    return [Prose(one.text) for one in documents().documents[::5]]


def test_what_is_extracted_holds_and_its_own_corruption_is_fair_and_false(embedded: list[Prose]):
    rng = Random(0)
    for kind in kinds().values():
        facts = [(prose, slots) for prose in embedded if (slots := kind.extract(prose, rng))]
        assert facts, kind.name
        corrupted = 0
        for prose, slots in facts:
            assert kind.holds(slots, prose), (kind.name, slots)
            assert json.loads(json.dumps(slots)) == slots
            wrong = kind.corrupt(slots, prose, rng, [other for _, other in facts])
            if wrong is None or not kind.refuted(wrong, prose):
                continue
            corrupted += 1
            assert not kind.holds(wrong, prose), (kind.name, slots, wrong)
            one = contrast(kind, slots, wrong, rng.getrandbits(32))
            assert kind.says(slots, one.chosen.text)
            assert kind.says(wrong, one.rejected.text)
            assert not kind.says(wrong, one.chosen.text)
            if fair(one):
                assert not NEGATION.search(one.chosen.text + one.rejected.text)
        assert corrupted >= 0.5 * len(facts), kind.name


def test_the_wording_names_all_that_is_asked(embedded: list[Prose]):
    for kind in kinds().values():
        slots = next(slots for prose in embedded if (slots := kind.extract(prose, Random(1))))
        said = {kind.say(slots, Random(seed)) for seed in range(50)}
        assert len(said) >= 3, kind.name
        for text in said:
            assert text[0] == text[0].upper()
            assert text.endswith(".")
            assert "{" not in text
            assert all(word in text.lower() for word in copied(kind, slots))


WORDS = sorted(
    word_set("old river clerk letter went came saw the a to of and his her table looked quietly boat winter")
)
NAMES = ["Anna", "Mr. Brown", "Holmes", "Lydia", "Ivan Petrovitch"]


@st.composite
def stories(draw: st.DrawFn) -> str:
    """Prose with names, speech, questions and paragraphs, of any size."""
    sentence = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(
        lambda some: " ".join(some).capitalize()
    )
    spoken = st.builds(
        lambda words, name, end: f"“{words}{end}” said {name}.",
        sentence,
        st.sampled_from(NAMES),
        st.sampled_from(",?!"),
    )
    told = st.builds(
        lambda name, words, end: f"Poor {name} had {words.lower()}{end}",
        st.sampled_from(NAMES), sentence, st.sampled_from([".", "!", "?", "…", "; he was so."]),
    )  # fmt: skip
    paragraph = st.lists(st.one_of(spoken, told), min_size=1, max_size=5).map(" ".join)
    return "\n\n".join(draw(st.lists(paragraph, max_size=8)))


@given(stories(), st.integers(0, 99))
def test_facts_of_drawn_prose_hold_and_corrupted_ones_do_not(text: str, seed: int):
    prose, rng = Prose(text), Random(seed)
    for kind in kinds().values():
        slots = kind.extract(prose, rng)
        if slots is None:
            continue
        assert kind.holds(slots, prose)
        wrong = kind.corrupt(slots, prose, rng)
        if wrong is not None and kind.refuted(wrong, prose):
            assert wrong != slots
            assert not kind.holds(wrong, prose)


def _slots() -> Iterator[tuple[Kind, Slots]]:
    for name, slots, *_ in CASES:
        yield kind_of(name), slots


@given(ANY_TEXT, st.integers(0, 99))
def test_nothing_raises_on_any_text(text: str, seed: int):
    prose, rng = Prose(text), Random(seed)
    for kind, slots in _slots():
        assert kind.holds(slots, prose) in (True, False)
        assert kind.refuted(slots, prose) in (True, False)
    for kind in kinds().values():
        slots_ = kind.extract(prose, rng)
        if slots_ is not None:
            assert kind.holds(slots_, prose)
            kind.corrupt(slots_, prose, rng)
            assert kind.say(slots_, rng)


# --- as IFEval defines it ----------------------------------------------------------------------------------


def ifeval_keyword(text: str, keyword: str, count: int) -> bool:
    """IFEval's keyword frequency with "at least", from its definition."""
    return len(re.findall(keyword, text, flags=re.IGNORECASE)) >= count


def ifeval_words(text: str, count: int, relation: str) -> bool:
    """IFEval's number of words, from its definition: runs of word characters."""
    found = len(re.findall(r"\w+", text))
    return found >= count if relation == "at least" else found < count


def test_keywords_names_and_words_are_counted_as_ifeval_defines_it_in_200_cases_each(embedded: list[Prose]):
    rng = Random(3)
    every = sorted({word for prose in embedded for word in prose.counts if word.isalpha() and word.isascii()})
    known = sorted({one.name for prose in embedded for one in people(prose)})
    for _ in range(200):
        prose = rng.choice(embedded)
        word, count = rng.choice(every), rng.randint(1, 9)
        assert kind_of("keyword").holds({"word": word, "count": count}, prose) == ifeval_keyword(
            prose.text, word, count
        )
        low = rng.randint(100, 5000)
        high = low + rng.randint(0, 3000)
        both = ifeval_words(prose.text, low, "at least") and ifeval_words(prose.text, high + 1, "less than")
        assert kind_of("words").holds({"low": low, "high": high}, prose) == both
        name = rng.choice(known)
        exists = ifeval_keyword(prose.text, re.escape(name), 1)
        if kind_of("name").holds({"name": name}, prose):
            assert exists
        if kind_of("name").refuted({"name": name}, prose):
            assert not exists


# --- the registry -------------------------------------------------------------------------------------------


class Shouts(Kind):
    """A kind of a user's own: a word in capitals."""

    name, scope, type = "shouts", "specific", "stylistic"

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        return {"word": "STOP"} if "STOP" in prose.text else None

    def holds(self, slots: Slots, prose: Prose) -> bool:
        return slots["word"] in prose.text

    def say(self, slots: Slots, rng: Random) -> str:
        return f"Shout {slots['word']}."


shouts = Shouts()
no_kind = object


def _installed(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    point = EntryPoint(name, value, registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    registry.kinds.cache_clear()


@pytest.fixture
def _fresh() -> Iterator[None]:
    yield
    registry.kinds.cache_clear()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("value", ["Shouts", "shouts"])
def test_an_installed_package_may_add_a_kind(monkeypatch: pytest.MonkeyPatch, value: str):
    _installed(monkeypatch, "mine", f"{__name__}:{value}")
    kind = kind_of("shouts")
    assert kind.holds({"word": "STOP"}, Prose("STOP it"))
    others = [{"word": "GO"}]
    assert kind.corrupt({"word": "STOP"}, Prose("STOP it"), Random(0), others) == {"word": "GO"}


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize(
    ("value", "message"),
    [(":no_kind", "is no Kind"), (":missing", "cannot be loaded"), (":taken", "takes the name 'name'")],
)
def test_a_broken_kind_is_named(monkeypatch: pytest.MonkeyPatch, value: str, message: str):
    _installed(monkeypatch, "mine", __name__ + value)
    with pytest.raises(PlanError, match=message):
        kinds()


def taken() -> Kind:
    """A kind that calls itself what another is called."""
    kind = Shouts()
    kind.name = "name"
    return kind


def test_unknown_kinds_and_foreign_slots_are_refused():
    with pytest.raises(PlanError, match="Did you mean 'keyword'"):
        kind_of("keywords")
    for slots in ({}, {"low": "a", "high": 3}, {"low": None, "high": 3}):
        with pytest.raises(DataError, match="are not those of a constraint of the kind 'words'"):
            holds(Constraint("words", "broad", "stylistic", slots, "…"), Prose("One two."))


@pytest.mark.parametrize("name", sorted(kinds()))
def test_slots_of_any_json_give_an_answer_or_a_data_error(name: str):
    values: list[Any] = [None, "", "x", -1, 1e308, [], {}, True]
    for value in values:
        slots = dict.fromkeys(
            ("name", "word", "count", "low", "high", "value", "number", "with", "first", "second"), value
        )
        with contextlib.suppress(DataError):
            assert holds(Constraint(name, "broad", "mixed", slots, ""), Prose(HOLMES)) in (True, False)


@pytest.mark.parametrize(
    ("word", "said"),
    [("uncle", "an uncle"), ("horse", "a horse"), ("umbrella", "an umbrella"), ("inn", "an inn")],
)
def test_articles(word: str, said: str):
    assert a(word) == said
