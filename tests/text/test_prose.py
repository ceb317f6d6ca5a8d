# ruff: noqa: RUF001 (typographic quotation marks are what this file is about)
"""A text as constraints ask about it: sentences, quotations, counts, and where a text is cut."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.text.prose import Prose, cut, length, sentences

ANY_TEXT = st.text(
    alphabet=st.one_of(
        st.sampled_from(list("“”‘’\"'«»「」.!?…;—- \n\n\tAIaMr19你好。é🎉\x00\u200a\xa0")),
        st.characters(),
        st.characters(categories=["Cs"]),  # halves of surrogates
    ),
    max_size=300,
)


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("", []),
        ("   ", []),
        ("No end", ["No end"]),
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Mr. and Mrs. Brown met Dr. Watson in St. James’s.", None),
        ("He wrote to J. P. Smith. They met.", ["He wrote to J. P. Smith.", "They met."]),
        ("It was I. He left.", ["It was I.", "He left."]),
        ("Wait… what? Yes… He went.", ["Wait… what?", "Yes…", "He went."]),
        ("He stopped. … Then he went on.", ["He stopped. …", "Then he went on."]),
        ("“Who is it?” asked Ann. “Nobody.”", ["“Who is it?” asked Ann.", "“Nobody.”"]),
        ("“Stop!” I said. “Stop!” Ann cried.", ["“Stop!” I said.", "“Stop!” Ann cried."]),
        ("“Go.” She went.", ["“Go.”", "She went."]),
        ("Tea, sugar, etc. She paid.", ["Tea, sugar, etc.", "She paid."]),
        ("At 3.15 it was 1.5 miles to www.example.com from here.", None),
        ("天气真好。晴朗！“好吗？”", ["天气真好。", "晴朗！", "“好吗？”"]),
        ("?!", ["?!"]),
        ("... ...", ["...", "..."]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(paragraph: str, expected: list[str] | None):
    assert sentences(paragraph) == ([paragraph] if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "quoted", "narration"),
    [
        ("“Hello,” she said.", ["Hello,"], "“ ” she said."),
        ('"Hello," she said.', ["Hello,"], '" " she said.'),
        ("«Oui», dit-il.", ["Oui"], "« », dit-il."),
        ("「はい」と言った。", ["はい"], "「 」と言った。"),
        ("“It is open\n\nHe went.", ["It is open"], "“ He went."),
        ("“He said ‘no’ to me.” He left.", ["He said ‘no’ to me."], "“ ” He left."),
        ("‘Don’t,’ said the boys’ aunt.", ["Don’t,"], "‘ ’ said the boys’ aunt."),
        ("The boys’ aunt’s cat.", [], "The boys’ aunt’s cat."),
        ('A 6" nail.', [" nail."], 'A 6"'),
        ("”“”", [""], "”“ ”"),
        ("", [], ""),
    ],
)
def test_what_is_quoted_and_what_is_told(text: str, quoted: list[str], narration: str):
    prose = Prose(text)
    assert list(prose.quoted) == quoted
    assert " ".join(prose.narration.split()) == narration


def test_words_and_paragraphs_are_counted_as_ifeval_counts_them():
    text = "Don’t go, snake_case; 3.5 miles.\n\nA second one.\n \n\nA third\nwith two lines."
    prose = Prose(text)
    assert list(prose.words) == re.findall(r"\w+", text)
    assert len(prose.words) == 7 + 3 + 5
    assert [len(part.split("\n")) for part in prose.paragraphs] == [1, 1, 2]
    assert prose.counts["a"] == 2


def test_the_share_of_dialogue_is_of_words():
    assert Prose("“One two three,” he said.").dialogue == 3 / 5
    assert Prose("").dialogue == 0
    assert Prose("“all”").dialogue == 1


def test_a_fact_is_computed_once():
    calls = []

    def fact(prose: Prose) -> int:
        calls.append(prose.text)
        return len(calls)

    prose = Prose("x")
    assert (prose.once(fact), prose.once(fact), len(calls)) == (1, 1, 1)
    assert Prose("x").once(fact) == 2


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("One two. Three four. Five.", 4, "One two. Three four."),
        ("One two. Three four. Five.", 3, "One two."),
        ("One two. Three four. Five.", 5, "One two. Three four. Five."),
        ("One two. Three four. Five.", 1, ""),
        ("One two. Three four. Five.", 0, ""),
        ("One two.\n\nA heading\n\nThree four.", 4, "One two.\n\nA heading"),
        ("Mr. Brown went. He came.", 2, ""),
        ("Mr. Brown went. He came.", 3, "Mr. Brown went."),
        ("whole  ", 9, "whole"),
        ("", 5, ""),
    ],
)
def test_a_text_is_cut_at_the_last_sentence_that_fits(text: str, words: int, expected: str):
    assert cut(text, words) == expected


@given(ANY_TEXT, st.integers(0, 60))
def test_a_cut_is_a_beginning_of_whole_sentences(text: str, words: int):
    part, more = cut(text, words), cut(text, words + 1)
    assert text.startswith(part)
    assert length(part) <= words
    assert more.startswith(part)
    assert cut(part, words) == part
    if words >= length(text):
        assert part == text.rstrip()


@given(ANY_TEXT)
def test_any_text_is_read(text: str):
    prose = Prose(text)
    assert sum(map(len, prose.sentences)) <= len(text)
    assert sum(map(len, prose.quoted)) <= len(text)
    assert 0 <= prose.dialogue <= 1
    assert prose.counts.total() == len(prose.words)
    assert prose.narration_counts.total() <= len(prose.words) + len(prose.quoted)


@pytest.mark.parametrize(
    "text",
    [
        "." * 100_000 + "a",
        "… " * 50_000 + "a",
        "?\"'" * 50_000,
        "“" * 100_000,
        "\n \n" * 50_000,
        "I. " * 20_000,
    ],
    ids=["dots", "ellipses", "marks", "quotes", "blanks", "initials"],
)
def test_hostile_texts_take_linear_time(text: str):
    start = time.process_time()
    prose = Prose(text)
    assert prose.sentences is not None
    assert prose.narration is not None
    assert cut(text, 1_000) is not None
    assert time.process_time() - start < 3
