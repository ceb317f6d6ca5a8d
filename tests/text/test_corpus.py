"""Long texts from files: what is read, cleaned, cut, left out, and refused with the line."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from importlib import resources
from pathlib import Path

import polars as pl
import pytest

from palate.errors import DataError, PlanError
from palate.text import corpus
from palate.text.corpus import Document, chapters, clean, documents, json_rows, sources, texts
from palate.text.prose import length

SENTENCE = "The old clerk went down to the river and looked at the boats. "


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_the_embedded_texts_lie_in_the_band_and_are_of_six_sources():
    found = documents()
    assert len(found.documents) == 146
    assert (found.cut, found.left_out) == (0, {})
    assert all(2048 <= length(one.text) <= 5024 for one in found.documents)
    assert list(sources(found.documents).values()) == [40, 12, 23, 8, 23, 40]
    assert not any("\xa0" in one.text or "\u200a" in one.text for one in found.documents)
    first = next(one for one in found.documents if one.source.startswith("jane"))
    assert first.title == "Pride and Prejudice, chapter X"
    assert first.id == f"{first.source}/{hashlib.sha256(first.text.encode()).hexdigest()[:12]}"


def test_the_notice_has_the_checksum_and_the_counts():
    place = Path(str(resources.files("palate.datasets") / "embedded" / "longform"))
    notice = (place / "NOTICE.md").read_text(encoding="utf-8")
    file = place / "chapters.jsonl.gz"
    assert file.stat().st_size < 3_000_000
    assert hashlib.sha256(file.read_bytes()).hexdigest() in notice
    told = {
        name: int(count) for name, count in re.findall(r"^\| `([\w-]+)` \| (\d+) \|", notice, re.MULTILINE)
    }
    assert told == sources(texts())
    assert "CC0 1.0 Universal" in notice
    assert "public domain in the United States" in notice


def test_json_lines_need_a_text_and_may_name_source_title_and_type(tmp_path: Path):
    path = lines(
        tmp_path / "mine.jsonl",
        {"text": SENTENCE * 2, "other": 1},
        {"text": SENTENCE * 3, "source": "a", "title": "T", "type": "letter"},
    )
    found = documents(path, words=(10, 100)).documents
    assert [(one.source, one.title, one.type) for one in found] == [
        ("mine", "", "prose"),
        ("a", "T", "letter"),
    ]
    packed = tmp_path / "mine.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert documents(packed, words=(10, 100)).documents == found


def test_longer_texts_are_cut_at_a_sentence_and_pieces_take_more_of_them(tmp_path: Path):
    text = " ".join(f"Number {n} went down to the river and looked." for n in range(10))  # 9 words each
    path = lines(tmp_path / "a.jsonl", {"text": text})
    once = documents(path, words=(15, 30))
    assert [length(one.text) for one in once.documents] == [27]
    assert (once.cut, once.left_out) == (1, {})
    more = documents(path, words=(15, 30), pieces=9)
    assert [length(one.text) for one in more.documents] == [27, 27, 27]
    assert "".join(text.split()).startswith("".join("".join(one.text.split()) for one in more.documents))
    assert [length(one.text) for one in documents(path, words=(15, 30), pieces=9, limit=2).documents] == [
        27,
        27,
    ]


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path):
    path = lines(
        tmp_path / "a.jsonl",
        {"text": SENTENCE * 4},
        {"text": SENTENCE * 4},
        {"text": SENTENCE},
        {"text": "word " * 90},
        {"text": "See also Brown, ibid. " * 12},
        {"text": ""},
    )
    found = documents(path, words=(20, 80))
    assert len(found.documents) == 1
    assert found.left_out == {
        "bibliography": 1,
        "empty": 1,
        "no sentence ends at 20 to 80 words": 1,
        "the same text twice": 1,
        "under 20 words": 1,
    }


def test_parquet_and_json_lines_give_the_same_texts(tmp_path: Path):
    rows = [{"text": SENTENCE * 3, "source": "a", "title": "One"}, {"text": "It went. " * 20, "source": "b"}]
    lines(tmp_path / "a.jsonl", *rows)
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    found = documents(tmp_path / "a.parquet", words=(10, 100)).documents
    assert found == documents(tmp_path / "a.jsonl", words=(10, 100)).documents
    assert [one.chapter for one in found] == ["a/One", found[1].id]


def test_pieces_of_one_chapter_know_it(tmp_path: Path):
    text = SENTENCE * 3 + "He had no boat of his own. " + SENTENCE * 3 + "So he went home. " + SENTENCE * 2
    path = lines(tmp_path / "a.jsonl", {"text": text, "source": "a", "title": "One"})
    found = documents(path, words=(10, 40), pieces=3).documents
    assert len({one.id for one in found}) == len(found) > 1
    assert {one.chapter for one in found} == {"a/One"}


def test_pieces_of_a_text_without_a_title_know_it_too(tmp_path: Path):
    file = tmp_path / "a.jsonl"
    texts = [
        " ".join(f"{word} walked home number {place}." for place in range(40))
        for word in ("Ann", "Bob", "Cid")
    ]
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    found = documents(file, words=(20, 50), pieces=4).documents
    assert len(found) == 12
    assert len({one.chapter for one in found}) == 3
    assert len({one.chapter for one in documents(file, words=(20, 50)).documents}) == 3


def test_a_place_without_a_fitting_text_says_why(tmp_path: Path):
    path = lines(tmp_path / "a.jsonl", {"text": SENTENCE})
    with pytest.raises(DataError, match=r"no text of 2,048 to 5,024 words \(1 under 2,048 words\)"):
        documents(path)


@pytest.mark.parametrize("given", [(0, 5), (9, 5), (-1, 5)])
def test_a_band_is_two_numbers_the_smaller_first(given: tuple[int, int]):
    with pytest.raises(PlanError, match="the smaller first"):
        documents(words=given)


@pytest.mark.parametrize(
    ("text", "title", "expected"),
    [
        ("The Title\n\nIt began.", "The Title", "It began."),
        ("the title!\n\nIt began.", "The Title", "It began."),
        ("IV\n\nIt began.", "", "It began."),
        ("The Title\n\nII.\n\nIt began.", "The Title", "It began."),
        ("Mr.\xa0Brown\u200a… came.\x00", "", "Mr. Brown… came."),
        ("It began. It went on\n\nand half a", "", "It began."),
        ("It began. And then " + "he went " * 20, "", None),
        ("“It ended.”", "", "“It ended.”"),
        ("It ended.\r\n\r\nTHE END", "", "It ended."),
        ("nothing but half", "", ""),
        ("", "", ""),
    ],
)
def test_texts_are_cleaned(text: str, title: str, expected: str | None):
    assert clean(text, title=title) == (text.strip() if expected is None else expected)


def test_a_folder_of_texts_has_a_source_for_each_file(tmp_path: Path):
    (tmp_path / "b.txt").write_text(SENTENCE * 3, encoding="utf-8")
    (tmp_path / "a.txt").write_text("\ufeff" + SENTENCE * 2, encoding="utf-8")
    (tmp_path / "c.md").write_text(SENTENCE, encoding="utf-8")
    found = documents(tmp_path, words=(10, 100)).documents
    assert [(one.source, one.type) for one in found] == [("a", "book"), ("b", "book")]
    assert documents(tmp_path / "a.txt", words=(10, 100)).documents == found[:1]


def book(*, numbers: tuple[str, ...] = ("I", "II", "III")) -> str:
    contents = "\n".join(f"Chapter {number}" for number in numbers)
    body = "\n\n".join(
        f"CHAPTER {number}. The {number}\n\n{SENTENCE * 12}\n\nEnd of {number}." for number in numbers
    )
    return (
        f"A licence.\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\nA preface.\n\n{contents}\n\n{body}\n"
        "*** END OF THE PROJECT GUTENBERG EBOOK X ***\nMore licence."
    )


@pytest.mark.parametrize("numbers", [("I", "II", "III"), ("1", "2", "3"), ("One", "Two", "Three")])
def test_a_book_is_cut_at_its_chapters_and_not_at_its_contents(tmp_path: Path, numbers: tuple[str, ...]):
    (tmp_path / "book.txt").write_text(book(numbers=numbers), encoding="utf-8")
    found = list(texts(tmp_path))
    assert [one.title for one in found] == [f"CHAPTER {number}. The {number}" for number in numbers]
    assert all(one.text.startswith("The old clerk") for one in found)
    assert found[-1].text.endswith(f"End of {numbers[-1]}.")
    assert {one.source for one in found} == {"book"}


def test_a_second_chapter_in_roman_numbers_is_no_first_one():
    assert list(chapters("Chapter II\n\n" + SENTENCE * 20)) == []
    assert list(chapters("Chapter mix\n\nx\n\nChapter I think\n\n")) == []


def test_broken_lines_are_joined_and_verse_stays(tmp_path: Path):
    wrapped = (SENTENCE * 4).strip().replace(" looked", "\nlooked")
    (tmp_path / "a.txt").write_text(f"{wrapped}\n\nA short line\nand another\n", encoding="utf-8")
    (found,) = texts(tmp_path)
    assert found.text == f"{(SENTENCE * 4).strip()}\n\nA short line\nand another"


def test_a_long_book_without_chapters_loses_its_front_matter(tmp_path: Path):
    front = "Copyright.\n\nTo my aunt.\n\n" * 60
    (tmp_path / "a.txt").write_text(front + "\n\n".join([SENTENCE * 3] * 700), encoding="utf-8")
    (found,) = texts(tmp_path)
    assert found.text.startswith("The old clerk")
    assert "Copyright" not in found.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\n{"text": ', "line 2: no JSON"),
        (b'{"text": "a"}\n[1]', "line 2: a JSON object was expected, this is list"),
        (b'{"title": "a"}', "line 1: no column 'text' among title"),
        (b"{}", "line 1: no column 'text' among none"),
        (b'\n{"text": 5}', "line 2: text is int; a text was expected"),
        (b'{"text": "a", "source": ["x"]}', "line 1: source is list"),
        (b'{"text": "a", "x": NaN}', "line 1: no JSON .NaN is no JSON number"),
        (b'{"text": "\xff"}', "line 1: not UTF-8"),
        (b'{"text": "\\ud800"}', "line 1: not UTF-8"),
        (b"[" * 100_000, "line 1: no JSON"),
        (b'{"text": ' + b"9" * 5000 + b"}", "line 1: no JSON"),
        (gzip.compress(b'{"text": "a"}\n' * 99)[:-20], "the gzip file is torn"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_torn_or_hostile_line_is_named(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        documents(path, words=(1, 9))


def test_a_line_has_a_longest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(corpus, "LONGEST_LINE", 1000)
    path = lines(tmp_path / "a.jsonl", {"text": "short"}, {"text": "x" * 2000})
    with pytest.raises(DataError, match="line 2: over"):
        list(json_rows(path))


def test_places_that_cannot_be_read_say_so(tmp_path: Path):
    with pytest.raises(DataError, match="no such file"):
        documents(tmp_path / "no.jsonl")
    with pytest.raises(DataError, match=r"has no \.txt file"):
        documents(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"is not UTF-8 \(byte 3\)"):
        documents(tmp_path)


def test_the_id_is_of_the_text_and_its_source():
    one, same = Document("s", "t", "x"), Document("s", "another title", "x")
    assert one.id == same.id
    assert one.id != Document("s", "t", "y").id
    assert one.id != Document("z", "t", "x").id
