"""Faults of files, tables, models and plans are told in one or two lines, with the right exit code."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Palate = Callable[..., Any]

GOOD = "user,item,value,time\n" + "".join(
    f"{u},{i},{1 + (u * i) % 5},{1000 * u + i}\n" for u in range(9) for i in range(u + 1)
)


def refused(answer: Any, code: int, *words: str) -> None:
    """The answer is a refusal: nothing on stdout, one or two lines, these words, no traceback."""
    assert answer.code == code, answer.err
    assert answer.out == ""
    assert answer.err.startswith("palate: ")
    assert 1 <= len(answer.err.rstrip("\n").splitlines()) <= 2
    assert len(answer.err) < 600
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err


@pytest.fixture
def describe(palate: Palate, tmp_path: Path) -> Callable[..., Any]:
    """Describe a file with this content."""

    def call(content: str | bytes, *words: object, name: str = "ratings.csv") -> Any:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return palate("data", "describe", path, *words)

    return call


def test_the_good_file_is_good(describe: Callable[..., Any]):
    assert describe(GOOD, "--json").json["rows"] == 45


def test_a_missing_file(palate: Palate, tmp_path: Path):
    refused(palate("data", "describe", tmp_path / "rating.csv"), 3, "rating.csv")


def test_a_misspelt_name_gets_the_right_one(palate: Palate):
    refused(palate("data", "describe", "movietweeting"), 3, "Did you mean 'movietweetings'?")


def test_an_unreadable_file(describe: Callable[..., Any], palate: Palate, tmp_path: Path):
    refused(describe(b"\x00\x01\x02\xff\xfe" * 50), 3, "ratings.csv")
    refused(palate("data", "describe", tmp_path), 3, "folder")


def test_a_wrong_column_gets_the_right_one(describe: Callable[..., Any]):
    refused(describe(GOOD, "--user", "usr"), 3, "'usr'", "Did you mean 'user'?")


@pytest.mark.parametrize("content", ["", "user,item,value,time\n"], ids=["empty", "header only"])
def test_an_empty_file(describe: Callable[..., Any], content: str):
    refused(describe(content), 3, "ratings.csv")


def test_one_row_can_be_described_and_not_split(palate: Palate, describe: Callable[..., Any], tmp_path: Path):
    assert describe("user,item\na,x\n").code == 0
    plan = tmp_path / "plan.toml"
    plan.write_text('[data]\npath = "ratings.csv"\n[split]\nmethod = "random"\n[[models]]\nname = "sar"\n')
    refused(palate("run", plan, "--out", tmp_path / "out"), 3)
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize(
    "bad", ["1,2,nan,5", "1,2,inf,5", "1,2,,5", ",2,3,5", "1,2,3,99999999999999", "1,2,three,5"]
)
def test_a_bad_row_is_named_by_its_line_and_may_be_left_out(describe: Callable[..., Any], bad: str):
    refused(describe(GOOD + bad + "\n"), 3, "ratings.csv")
    left_out = describe(GOOD + bad + "\n", "--drop-bad-rows", "--json")
    assert left_out.code == 0, left_out.err
    assert left_out.json["rows"] == 45


def test_negative_values_are_counted(describe: Callable[..., Any]):
    assert describe(GOOD + "1,2,-1,5\n", "--json").json["negative"] == 1


def test_duplicate_pairs_stay_unless_told_otherwise(describe: Callable[..., Any]):
    assert describe(GOOD + "1,1,5,9\n", "--json").json["rows"] == 46
    assert describe(GOOD + "1,1,5,9\n", "--repeats", "last", "--json").json["rows"] == 45


def test_an_id_may_be_long_and_not_absurd(palate: Palate, describe: Callable[..., Any], sar: Path):
    assert describe(f"user,item\n{'x' * 1_000},1\nb,1\n", "--json").json["users"] == 2
    refused(describe(f"user,item\n{'x' * 10_240},1\nb,1\n"), 3, "(line 2)", "column 'user'")
    refused(palate("recommend", sar, "--users", "y" * 10_240), 4)
    refused(palate("similar", sar, "--items", "y" * 10_240), 4)


def test_mixed_types_are_text(describe: Callable[..., Any]):
    assert describe("user,item\n1,a\n2,7\nx,a\n", "--json").json["users"] == 3


def test_a_torn_gz(describe: Callable[..., Any]):
    whole = gzip.compress(GOOD.encode() * 50)
    refused(describe(whole[: len(whole) // 2], name="ratings.csv.gz"), 3, "ratings.csv.gz")


def test_no_network_names_the_file_and_the_place(
    palate: Palate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    answer = palate("data", "describe", "movielens-20m", "--offline")
    assert answer.code == 3
    assert "movielens-20m" in answer.err.lower() or "ml-20m" in answer.err


def test_a_split_that_leaves_nothing(palate: Palate, tmp_path: Path):
    (tmp_path / "ratings.csv").write_text(GOOD)
    plan = tmp_path / "plan.toml"
    plan.write_text(
        "[data]\npath = 'ratings.csv'\n[split]\nmethod = 'time'\nat = '2031-01-01'\n[[models]]\nname = 'sar'"
    )
    refused(palate("run", plan, "--out", tmp_path / "out"), 3)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("[split]\nmethd = 'random'", "method"),
        ("[evaluat]\nk = [10]", "evaluate"),
        ("[evaluate]\nmetrics = ['ndgc']", "ndcg"),
        ("[[models]]\nname = 'sra'", "'sar'"),
        ("[[models]]\nname = 'sar'\nsimlarity = 'lift'", "similarity"),
        ("[[models]]\nname = 'sar'\nsimilarity = 'lfit'", "lift"),
    ],
)
def test_a_misspelt_key_of_a_plan_gets_the_right_one(palate: Palate, tmp_path: Path, line: str, hint: str):
    models = "" if "models" in line else "[[models]]\nname = 'sar'\n"
    (tmp_path / "plan.toml").write_text(f"[data]\nname = 'movietweetings-10k'\n{models}{line}\n")
    refused(palate("run", tmp_path / "plan.toml", "--out", tmp_path / "out"), 2, f"{hint}")


def test_a_plan_that_is_not_there_and_one_that_is_no_toml(palate: Palate, tmp_path: Path):
    refused(palate("run", "quickstrat"), 2, "Did you mean 'quickstart'?")
    (tmp_path / "plan.toml").write_text("[data\n")
    refused(palate("run", tmp_path / "plan.toml"), 2, "plan.toml")
    refused(palate("run", "quickstart", "--set", "k=3"), 2)
    refused(palate("run", "quickstart", "--set", "evaluate.k"), 2, "--set")


def test_parameters_of_a_model_are_checked(palate: Palate, tmp_path: Path):
    fit = ("fit", "movietweetings-10k", "--out", tmp_path / "m")
    refused(palate(*fit, "--model", "sarr"), 2, "Did you mean 'sar'?")
    refused(palate(*fit, "--set", "simlarity=lift"), 2, "Did you mean 'similarity'?")
    refused(palate(*fit, "--set", "similarity=lfit"), 2, "lift")
    refused(palate(*fit, "--set", "half_life_days=-1"), 2, "half_life_days")
    refused(palate(*fit, "--set", "lift"), 2, "KEY=VALUE")
    assert not (tmp_path / "m").exists()


def test_where_a_model_goes_is_looked_at_before_the_data(palate: Palate, tmp_path: Path):
    (tmp_path / "plain").write_text("a file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years")
    absent = tmp_path / "absent.csv"
    refused(
        palate("fit", absent, "--out", tmp_path / "plain" / "m"), 5, "cannot be written", "another folder"
    )
    refused(palate("fit", absent, "--out", tmp_path / "full"), 5, "is no saved model")
    refused(palate("fit", absent, "--out", tmp_path / "new" / "m"), 3, "absent.csv")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["full", "plain"]


def test_for_whom_is_asked_exactly_once(palate: Palate, sar: Path):
    refused(palate("recommend", sar), 2, "--users", "--history", "--all")
    refused(palate("recommend", sar, "--all", "--users", "1"), 2, "--users")
    refused(palate("explain", sar, "--item", "Argo (2012)"), 2, "--user", "--history")
    refused(palate("evaluate", "--run", "run.csv"), 2, "--truth")
    refused(palate("evaluate", "--truth", "truth.csv"), 3, "truth.csv")


def test_unknown_users_and_items(palate: Palate, sar: Path):
    refused(palate("recommend", sar, "--users", "alice"), 4, "'alice'", "whole numbers")
    refused(palate("recommend", sar, "--users", "999999"), 4, "999999")
    refused(palate("recommend", sar, "--history", "Skyfal (2012)"), 4, "Did you mean 'Skyfall (2012)'?")
    refused(palate("similar", sar, "--items", "Skyfal (2012)"), 4, "Did you mean 'Skyfall (2012)'?")
    refused(
        palate("explain", sar, "--user", "1", "--item", "Skyfal (2012)"), 4, "Did you mean 'Skyfall (2012)'?"
    )


def test_an_empty_history(palate: Palate, sar: Path):
    refused(palate("recommend", sar, "--history", ""), 2, "--history is empty")


def test_a_filter_that_does_not_read(palate: Palate, sar: Path):
    refused(
        palate("recommend", sar, "--users", "1", "--where", "gnres has Comedy"), 2, "Did you mean 'genres'?"
    )
    refused(palate("recommend", sar, "--users", "1", "--where", "genres has"), 2)


def test_a_verb_that_a_model_lacks_names_one_that_has_it(palate: Palate, tmp_path: Path):
    assert (
        palate("fit", "movietweetings-10k", "--model", "random", "--out", tmp_path / "r", "--quiet").code == 0
    )
    refused(palate("similar", tmp_path / "r", "--items", "Argo (2012)"), 4, "sar")


def test_a_folder_that_is_no_model(palate: Palate, tmp_path: Path):
    refused(palate("recommend", tmp_path / "none", "--all"), 5, "palate fit")
    refused(palate("recommend", tmp_path, "--all"), 5)


@pytest.mark.parametrize("part", ["model.json", "arrays.safetensors", "users.parquet", "items.parquet"])
def test_a_saved_model_with_a_byte_changed(palate: Palate, sar: Path, tmp_path: Path, part: str):
    shutil.copytree(sar, tmp_path / "sar")
    file = tmp_path / "sar" / part
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused(palate("recommend", tmp_path / "sar", "--all"), 5)


def test_a_file_that_cannot_be_written(palate: Palate, sar: Path, tmp_path: Path):
    (tmp_path / "wall").write_text("")
    refused(palate("recommend", sar, "--users", "1", "--out", tmp_path / "wall" / "all.csv"), 3)
    refused(palate("recommend", sar, "--users", "1", "--out", tmp_path / "all.xlsx"), 2, ".csv")


def test_a_full_disk_leaves_the_old_file(
    palate: Palate, sar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import errno

    import polars as pl

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "all.csv")

    out = tmp_path / "all.csv"
    out.write_text("old")
    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    answer = palate("recommend", sar, "--users", "1", "--out", out)
    assert answer.code in (1, 3)
    assert "space" in answer.err or "full" in answer.err
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["all.csv"]


def test_a_traceback_only_with_debug(palate: Palate, tmp_path: Path):
    words = ("data", "describe", str(tmp_path / "none.csv"))
    assert "Traceback" not in palate(*words).err
    for asked in (("--debug", *words), (*words, "--debug")):
        answer = palate(*asked)
        assert answer.code == 3
        assert "Traceback" in answer.err
        assert answer.err.splitlines()[-1].startswith("palate: ")
