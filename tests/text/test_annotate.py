"""People's labels: a page that neither loads nor sends anything, and labels that are checked against the texts."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.cli import text_annotate
from palate.errors import DataError, PalateWarning
from palate.text import annotate
from palate.text.annotate import Item, Label, export, majority, read_items, read_labels, write_labels

HOSTILE = (
    "</script><script>alert(1)</script> <img src=x onerror=alert(2)> {{ 7 * 7 }} \u2028 “quote” 😀 晴朗。"
)
ITEMS = [
    Item("one", "It rained. “Come in,” she said.", "Write a scene.", ("Let it rain.", "Let her speak.")),
    Item("zwei", HOSTILE, f"Goal {HOSTILE}", (f"Constraint {HOSTILE}",)),
]


class Page(html.parser.HTMLParser):
    """What a browser would find: tags with their attributes, and the text in scripts and styles."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, dict[str, str | None], str]] = []
        self.said = ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.said = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.inside.append((*self.tags[-1], self.said))

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.fixture
def page(tmp_path: Path) -> Page:
    export(ITEMS, tmp_path / "out" / "label.html", title=f"Title {HOSTILE}")
    return Page((tmp_path / "out" / "label.html").read_text("utf-8"))


def label(**changes: Any) -> dict[str, Any]:
    row = {
        "item": ITEMS[0].key,
        "id": "one",
        "constraint": 0,
        "label": "Yes",
        "annotator": "Ann",
        "quote": "It rained",
    }
    return row | {"start": 0, "end": 9, "comment": ""} | changes


def labels_of(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n", "utf-8"
    )
    return path


def test_the_page_may_do_nothing_but_run_its_own_script(page: Page):
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    scripts = [(attrs, text) for tag, attrs, text in page.inside if tag == "script"]
    assert [attrs.get("type") for attrs, _ in scripts] == ["application/json", None]
    (style,) = [text for tag, _, text in page.inside if tag == "style"]
    for kind, content in (("script-src", scripts[1][1]), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_the_page_loads_nothing_and_sends_nothing(page: Page):
    for tag, attrs in page.tags:
        assert not {"src", "action", "srcset", "style"} & set(attrs)
        assert not any(name.startswith("on") for name in attrs)
        assert tag not in ("img", "iframe", "form", "object", "base")
        assert attrs.get("href", "data:,") == "data:,"
    script = [text for tag, _, text in page.inside if tag == "script"][1]
    for word in (
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "sendBeacon",
        "import(",
        "eval(",
        "innerHTML",
        "http:",
        "https:",
    ):
        assert word not in script


def test_texts_reach_the_page_as_data_whatever_they_hold(page: Page):
    data = json.loads(
        next(text for tag, attrs, text in page.inside if attrs.get("type") == "application/json")
    )
    assert [(one["id"], one["text"], one["main"], tuple(one["constraints"])) for one in data["items"]] == [
        (one.id, one.text, one.main, one.constraints) for one in ITEMS
    ]
    assert [one["key"] for one in data["items"]] == [one.key for one in ITEMS]
    assert [tag for tag, _ in page.tags].count("script") == 2


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_leaves_its_place_in_the_page(text: str):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        export([Item(text, f"x{text}", text, (text,))], Path(folder) / "p.html", title=text)
        found = Page((Path(folder) / "p.html").read_bytes().decode())
    data = json.loads(next(inside for _, attrs, inside in found.inside if attrs.get("type")))
    assert data["items"][0]["text"] == f"x{text}"
    assert [tag for tag, _ in found.tags].count("script") == 2


def test_every_control_of_the_page_is_named_and_every_key_is_explained(page: Page):
    script = [text for tag, _, text in page.inside if tag == "script"][1]
    keys = set(
        re.findall(
            r"^    \"?(\S)\"?: ", script.partition("const keys = {")[2].partition("};")[0], re.MULTILINE
        )
    )
    keys |= set(re.findall(r", \"?(\S)\"?: \(\) =>", script))
    html = (Path(annotate.__file__).parent / "templates" / "annotate.html").read_text("utf-8")
    assert keys == set(re.findall(r"<kbd>(.)</kbd>", html))
    named = set(re.findall(r'at\("(\w+)"\)', script))
    assert named <= {attrs.get("id") for _, attrs in page.tags}


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine on this machine")
def test_the_script_of_the_page_is_javascript():
    script = Path(annotate.__file__).parent / "templates" / "annotate.js"
    done = subprocess.run(["node", "--check", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_same_texts_give_the_same_page(tmp_path: Path):
    for name in ("a.html", "b.html"):
        export(ITEMS, tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_rows_of_suri_and_generations_are_items(tmp_path: Path):
    path = labels_of(
        tmp_path / "rows.jsonl",
        {"id": 7, "text": "A text.", "main_ins": "Write.", "constraints": ["a", " b "]},
        "",
        {
            "id": "x/1", "answer": [{"role": "assistant", "content": "Another."}], "main_ins": "Write.",
            "cons_chosen": "- a\n- b", "cons_rejected": "- c\n- d", "constraints": [{"kind": "words"}],
        },
    )  # fmt: skip
    first, second = read_items(path)
    assert first == Item("7", "A text.", "Write.", ("a", "b"))
    assert second == Item("x/1", "Another.", "Write.", ("a", "b"), ("c", "d"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"id": "a"', "line 2"),
        ("[1, 2]", "line 2"),
        ({"id": "b", "text": "t", "main_ins": "m"}, "line 2: expected id, text"),
        ({"id": "b", "text": ["t"], "main_ins": "m", "constraints": ["c"]}, "line 2: expected id, text"),
        ({"id": "b", "text": "t", "main_ins": "m", "constraints": [1]}, "line 2: expected id, text"),
        (
            {"id": "a", "text": "t", "main_ins": "m", "constraints": ["c"]},
            "line 2: the id 'a' stands on an earlier line",
        ),
    ],
)
def test_a_bad_row_of_texts_is_told_with_its_line(tmp_path: Path, row: dict[str, Any] | str, said: str):
    good = {"id": "a", "text": "t", "main_ins": "m", "constraints": ["c"]}
    with pytest.raises(DataError, match=re.escape(said)):
        read_items(labels_of(tmp_path / "rows.jsonl", good, row))


def test_a_file_without_rows_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="no rows"):
        read_items(labels_of(tmp_path / "rows.jsonl"))
    with pytest.raises(DataError, match="no texts"):
        export([], tmp_path / "page.html")


def test_labels_come_back_as_they_went_and_the_same_twice_is_one(tmp_path: Path):
    ann = labels_of(
        tmp_path / "ann.jsonl", label(), label(constraint=1, label="No", quote="", start=None, end=None)
    )
    found = read_labels([ann, ann], ITEMS)
    assert found[0] == Label("one", 0, "Yes", "Ann", "It rained", 0, 9, "", ITEMS[0].key)
    assert [one.label for one in found] == ["Yes", "No"]
    write_labels(found, tmp_path / "all.jsonl")
    assert read_labels([tmp_path / "all.jsonl"], ITEMS) == found


def test_a_quote_is_counted_in_characters_beyond_the_first_plane_too(tmp_path: Path):
    start = HOSTILE.index("晴朗")
    row = label(item=ITEMS[1].key, id="zwei", quote="晴朗", start=start, end=start + 2)
    assert read_labels([labels_of(tmp_path / "l.jsonl", row)], ITEMS)[0].quote == "晴朗"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "zwo"}, "there is no text 'zwo'"),
        ({"id": "onee"}, "Did you mean 'one'?"),
        ({"item": "0" * 16}, "has changed since it was labelled"),
        ({"constraint": 2}, "constraints 0 to 1"),
        ({"constraint": -1}, "constraints 0 to 1"),
        ({"constraint": True}, "constraints 0 to 1"),
        ({"constraint": "0"}, "constraints 0 to 1"),
        ({"label": "Maybe"}, "expected one of Yes, Partially, No"),
        ({"label": ["Yes"]}, "expected one of Yes, Partially, No"),
        ({"annotator": " "}, "nobody is named"),
        ({"quote": "It snowed"}, "does not stand at 0 to 9"),
        ({"start": None}, "does not stand at None to 9"),
        ({"start": -31}, "does not stand"),
        ({"comment": 5}, "must be texts"),
        ({"extra": 5}, "no label of"),
    ],
)
def test_a_bad_label_is_told_with_its_line(tmp_path: Path, changes: dict[str, Any], said: str):
    path = labels_of(tmp_path / "ann.jsonl", label(constraint=1), "", label(**changes))
    with pytest.raises(DataError, match=rf"ann\.jsonl, line 3: .*{re.escape(said)}"):
        read_labels([path], ITEMS)


def test_two_labels_of_one_person_that_contradict_each_other_are_both_named(tmp_path: Path):
    one = labels_of(tmp_path / "one.jsonl", label())
    two = labels_of(tmp_path / "two.jsonl", label(label="No"))
    with pytest.raises(DataError, match=r"two\.jsonl, line 1: Ann says No .* and Yes in one\.jsonl, line 1"):
        read_labels([one, two], ITEMS)


def test_the_majority_is_what_most_say_and_nothing_where_they_are_even():
    said = [("Ann", "Yes"), ("Ben", "Yes"), ("Cy", "No")]
    labels = [Label("a", 0, one, name) for name, one in said] + [
        Label("a", 1, one, name) for name, one in said[1:]
    ]
    assert majority(labels) == {("a", 0): "Yes", ("a", 1): None}


def test_the_verbs_write_the_page_and_read_the_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    texts = labels_of(
        tmp_path / "texts.jsonl",
        *(
            {"id": one.id, "text": one.text, "main_ins": one.main, "constraints": list(one.constraints)}
            for one in ITEMS
        ),
    )
    text_annotate.export(texts, out=tmp_path / "label.html", limit=1)
    assert "1 texts with 2 constraints" in capsys.readouterr().out
    text_annotate.export(texts, out=tmp_path / "label.html", as_json=True)
    assert json.loads(capsys.readouterr().out)["constraints"] == 3
    files = [
        labels_of(tmp_path / "ann.jsonl", label(), label(constraint=1, label="No", quote="")),
        labels_of(
            tmp_path / "ben.jsonl", label(annotator="Ben"), label(annotator="Ben", constraint=1, quote="")
        ),
    ]
    text_annotate.import_(files, texts=texts, out=tmp_path / "all.jsonl")
    out = capsys.readouterr().out
    assert "4 labels of 2 annotators, 1 constraints without a majority; kappa among them 0.00" in out
    text_annotate.import_(files, texts=texts, out=tmp_path / "all.jsonl", as_json=True)
    assert json.loads(capsys.readouterr().out)["labels"] == {"Yes": 3, "Partially": 0, "No": 1}
    assert len(read_labels([tmp_path / "all.jsonl"], ITEMS)) == 4
    with pytest.raises(DataError, match="no label in these files"):
        text_annotate.import_([labels_of(tmp_path / "none.jsonl")], texts=texts, out=tmp_path / "all.jsonl")


def test_an_empty_text_is_left_out_and_counted(tmp_path: Path):
    row = {"main_ins": "Write.", "constraints": ["a"]}
    path = labels_of(
        tmp_path / "rows.jsonl", {"id": "a", "text": "T.", **row}, {"id": "b", "text": " ", **row}
    )
    with pytest.warns(PalateWarning, match=r"1 texts are empty and left out.*\(b\)"):
        assert [one.id for one in read_items(path)] == ["a"]
    alone = labels_of(tmp_path / "alone.jsonl", {"id": "b", "text": "", **row})
    with pytest.warns(PalateWarning), pytest.raises(DataError, match="no rows with a text"):
        read_items(alone)
