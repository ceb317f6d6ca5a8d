"""What is printed: aligned, readable, parseable, whole."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from palate.cli import show
from palate.cli.style import bold
from palate.errors import PlanError


def test_numbers_stand_right_and_words_left(capsys: pytest.CaptureFixture[str]):
    show.print_table(("rank", "id"), [(1, "007"), (10, "42")])
    assert capsys.readouterr().out == "rank  id\n   1  007\n  10  42\n"


def test_a_column_of_floats_shares_its_decimals(capsys: pytest.CaptureFixture[str]):
    show.print_table(("score", "small"), [(12.5, 0.25), (2.0, 0.0), (None, 0.125)])
    assert capsys.readouterr().out.split() == [
        "score",
        "small",
        "12.50",
        "0.2500",
        "2.00",
        "0.0000",
        "0.1250",
    ]


def test_a_table_without_rows_is_its_headers(capsys: pytest.CaptureFixture[str]):
    show.print_table(("rank", "name"), [])
    assert capsys.readouterr().out == "rank  name\n"


def test_wide_and_combining_signs_do_not_break_the_columns(capsys: pytest.CaptureFixture[str]):
    show.print_table(("name", "x"), [("千と千尋", "left"), ("Ame\u0301lie", "left")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].index("left") == 4 + 2  # four signs that fill eight columns
    assert lines[2].index("left") == 7 + 2 + 2  # seven signs that fill six of the eight columns


def test_a_table_is_cut_to_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(show, "is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", "30")
    show.print_table(("rank", "name"), [(1, "a title that goes on and on and on")])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 30


def test_json_has_no_nan_and_keeps_numpy_numbers(capsys: pytest.CaptureFixture[str]):
    import numpy as np

    show.print_json({"a": float("nan"), "b": np.float32(0.5), "c": [np.int64(3)], "d": (1.0, float("inf"))})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": 0.5, "c": [3], "d": [1.0, None]}


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        ("csv", pl.read_csv),
        ("tsv", lambda path: pl.read_csv(path, separator="\t")),
        ("parquet", pl.read_parquet),
        ("jsonl", pl.read_ndjson),
        ("json", pl.read_json),
    ],
)
def test_a_table_comes_back_from_every_format(tmp_path: Path, ending: str, read):
    frame = pl.DataFrame({"user": [1, 2], "item": ["a", "b"]})
    show.write_table(frame, tmp_path / "new" / f"table.{ending}")
    assert read(tmp_path / "new" / f"table.{ending}").equals(frame)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"table.{ending}"]


def test_an_unknown_ending_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(PlanError, match=r"\.csv"):
        show.write_table(pl.DataFrame({"a": [1]}), tmp_path / "table.xls")
    assert not list(tmp_path.iterdir())


def test_bold_only_for_a_terminal_that_may_have_it(monkeypatch: pytest.MonkeyPatch):
    class Screen:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert bold("a", Screen()) == "\033[1ma\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert bold("a", Screen()) == "a"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert bold("a", Screen()) == "a"
