"""`palate tune` and `palate compare` as they are called: words, JSON, Ctrl-C and a real kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import palate

Palate = Callable[..., Any]
SMALL = ["--models", "popularity,ease", "--trials", "2", "--jobs", "1"]
DATA = ["movietweetings-10k", "--min-user", "3", "--min-item", "3"]


def test_tune_says_what_is_best_and_what_to_do_next(palate: Palate, tmp_path: Path):
    answer = palate("tune", "movietweetings-10k", *SMALL, "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert "nDCG@10 on validation" in answer.out
    assert "half_life_days = " in answer.out
    assert f"run {tmp_path / 'out' / 'best.toml'}" in answer.out


def test_tune_gives_json_to_programs(palate: Palate, tmp_path: Path):
    study = palate("tune", "movietweetings-10k", *SMALL, "--out", tmp_path, "--json").json
    assert study["metric"] == "ndcg@10"
    assert len(study["trials"]) == 4
    assert json.loads((tmp_path / "study.json").read_text()) == study


def test_tune_reads_a_file_as_compare_does(palate: Palate, tmp_path: Path):
    table = tmp_path / "ratings.csv"
    rows = [f"u{user},i{item},{user % 5}" for user in range(12) for item in range(12) if (user + item) % 3]
    table.write_text("who,what,stars\n" + "\n".join(rows) + "\n")
    columns = ["--user", "who", "--item", "what", "--value", "stars"]
    words = ["tune", table, *columns, "--k", "3", *SMALL, "--out", tmp_path / "out", "--json"]
    study = palate(*words).json
    assert study["metric"] == "ndcg@3"
    assert study["plan"]["data"]["user"] == "who"


def test_compare_gives_a_board_a_sentence_and_json(palate: Palate, tmp_path: Path):
    words = ["compare", *DATA, *SMALL, "--splits", "2", "--out", tmp_path]
    answer = palate(*words)
    assert answer.code == 0, answer.err
    first = answer.out.splitlines()[0]
    assert first.endswith(".")
    assert "popularity" in first
    assert "±" in answer.out
    assert "◆" in answer.out
    assert "75 % of each user's rows (at least one) train" in answer.out
    assert "Every model ranks the whole catalogue of train" in answer.out
    contest = palate(*words, "--json").json
    assert contest["advice"][0] == first
    assert {one["label"] for one in contest["spread"]} == {"popularity", "ease"}
    assert all(len(one["values"]) == 2 for one in contest["spread"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tune", "quickstrat"], "Did you mean 'quickstart'"),
        (["tune", "quickstart", "--models", "sra"], "Did you mean 'sar'"),
        (["compare", "quickstart", "--user", "u"], "--user says how a file is read"),
        (["tune", "quickstart", "--user", "u"], "--user says how a file is read"),
        (["compare", "retail", "--metric", "rmse", "--value", "none"], "no model fits"),
        (["compare", "retail", "--models", "ease", "--metric", "rmse"], "ease predicts no ratings"),
        (["tune", "quickstart", "--set", "evaluate.kk=3"], "no key 'kk'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(palate: Palate, tmp_path: Path, words: list[str], said: str):
    answer = palate(*words, "--out", tmp_path / "out")
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) <= 2


def test_offline_asks_no_network(palate: Palate, tmp_path: Path):
    answer = palate("compare", "movielens-20m", "--offline", "--out", tmp_path / "out")
    assert answer.code == 3
    assert "offline was asked for" in answer.err


# --- stopped ------------------------------------------------------------------------------------------------


def start(folder: Path, jobs: int, trials: int = 8) -> subprocess.Popen[str]:
    words = [
        "tune",
        "movietweetings-10k",
        "--models",
        "sar,popularity",
        "--trials",
        str(trials),
        "--jobs",
        str(jobs),
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "palate", *words, "--out", "out"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def lines(folder: Path) -> int:
    journal = folder / "out" / "trials.jsonl"
    return journal.read_text().count("\n") if journal.exists() else 0


def wait_for(reached: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and not reached() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert reached(), process.communicate(timeout=60)[1]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_study_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path):
    process = start(tmp_path, jobs=2)
    wait_for(lambda: lines(tmp_path) >= 4, process)
    process.kill()  # SIGKILL: no handler, no last words
    process.communicate(timeout=60)
    kept = lines(tmp_path)
    assert 4 <= kept < 14  # 8 trials of sar, 5 of popularity
    assert_group_ends(process.pid, seconds=30)  # its workers ended themselves
    asked = {"models": ["sar", "popularity"], "trials": 8, "jobs": 1}
    ended = palate.tune("movietweetings-10k", **asked, out=tmp_path / "out")
    assert lines(tmp_path) == 1 + len({(trial.model, str(trial.params)) for trial in ended.trials})
    whole = palate.tune("movietweetings-10k", **asked)
    assert [(trial.model, trial.params, trial.value) for trial in ended.trials] == [
        (trial.model, trial.params, trial.value) for trial in whole.trials
    ]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_at_once_and_says_how_to_go_on(tmp_path: Path):
    process = start(tmp_path, jobs=2, trials=200)  # more than a fast machine does before the signal comes
    wait_for(lambda: lines(tmp_path) >= 2, process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    assert_group_ends(process.pid, seconds=10)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["trials.jsonl"]


def assert_group_ends(group: int, seconds: float) -> None:
    """What Python starts to watch over workers ends after its parent, a moment later."""
    deadline = time.monotonic() + seconds
    while group_lives(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not group_lives(group)


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return any(state(pid) not in "ZX" for pid in members(group))


def members(group: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            found.append(int(stat.parent.name))
    return found


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
