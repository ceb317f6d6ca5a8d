"""Texts to words: English, Chinese, mixed scripts, and words that a vocabulary lacks."""

from __future__ import annotations

import polars as pl
import pytest

from palate import words
from palate.words import Tokenizer


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        ("words", "Dogs, cats & 3 birds!", ["dogs", ",", "cats", "3", "birds", "!"]),
        ("words", "", []),
        ("words", None, []),
        ("words", "Cafe\u0301 CAFÉ", ["café", "café"]),  # an accent apart is the same letter
        ("words", "🎉🎉", []),
        ("words", "Ünïcode_ok don't", ["ünïcode_ok", "don", "t"]),
        ("characters", "皇室 iPhone7 品牌", ["皇", "室", "iphone7", "品", "牌"]),
        ("bigrams", "皇室品牌", ["皇室", "室品", "品牌"]),
        ("bigrams", "皇室,品 iPhone7牌牌", ["皇室", "品", "iphone7", "牌牌"]),
        ("bigrams", "好", ["好"]),
        ("bigrams", "!!", []),
        ("spaces", "購買 筆記本 , ok", ["購買", "筆記本", ",", "ok"]),
    ],
)
def test_a_text_is_cut(tokenizer: Tokenizer, text: str | None, expected: list[str]):
    lists = words.cut(pl.Series([text, "x"], dtype=pl.String), tokenizer)
    assert lists.to_list() == [expected, ["x"]]


def test_codes_leave_out_what_is_not_known():
    coded = words.encode(pl.Series(["b a b", "", "c"]))
    assert coded.words.ids.to_list() == ["a", "b", "c"]
    assert (coded.word.tolist(), coded.indptr.tolist()) == ([1, 0, 1, 2], [0, 3, 3, 4])
    again = words.encode(pl.Series(["a new b"]), words=coded.words)
    assert (again.word.tolist(), again.lengths.tolist()) == ([0, 1], [2])


def test_rare_words_are_those_of_few_texts():
    coded = words.encode(pl.Series(["a a", "b", "b"]), min_count=2)
    assert coded.words.ids.to_list() == ["b"]
    assert coded.lengths.tolist() == [0, 1, 1]
