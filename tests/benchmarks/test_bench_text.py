"""The benchmarks of texts: they start, and what they ask is what they say."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from palate.text.corpus import documents, texts

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "text"))


@pytest.mark.parametrize("script", ["bridge.py", "ifeval.py", "learning.py", "recipe.py"])
def test_a_script_says_what_it_does(script: str):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "text" / script, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--out" in done.stdout


def test_ifeval_is_asked_of_each_claim_and_about_half_are_true():
    import ifeval

    made = list(ifeval.cases(20))
    assert len(made) == 100
    for claim in ("keyword", "words", "paragraphs", "name", "no name"):
        ours = [answer for name, answer, _, _ in made if name == claim]
        assert len(ours) == 20
        assert 2 <= sum(ours) <= 18, claim


def test_learning_trains_asks_and_writes_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    import learning

    rows: dict[str, list[dict[str, str]]] = {}
    for one in texts():
        rows.setdefault(one.source, []).append({"text": one.text, "source": one.source, "title": one.title})
    (tmp_path / "longform").mkdir()
    with gzip.open(tmp_path / "longform" / "standard_ebooks.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for some in rows.values() for row in some[:8])
    small = [
        "--base", "tiny", "--words", "60-80", "--train-words", "60-80",
        "--pairs", "30", "--share", "0.2", "--written", "2", "--max-tokens", "16",
    ]  # fmt: skip
    call = [
        "learning.py", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch"),
        "--set", "rounds=1", "--set", "rank=2", *small,
    ]  # fmt: skip
    for models in ("raw,sft-1", "raw,sft-1,iorpo-1"):
        monkeypatch.setattr(sys, "argv", [*call, "--models", models])
        learning.main()
    kept = tmp_path / "out" / "text-learning"
    assert sorted(one.name.rpartition("-")[0] for one in kept.iterdir()) == [
        "iorpo-1",
        "raw",
        "sft-1",
    ]  # each once
    assert str(tmp_path) not in "".join(one.read_text("utf-8") for one in kept.glob("*/*"))
    found = json.loads((tmp_path / "out" / "text-learning.json").read_text())
    assert set(found["models"]) == {"raw", "sft-1", "iorpo-1"}
    raw = found["models"]["raw"]
    assert {"seen", "turned", "all", "far", "own", "greedy texts", "drawn texts"} < set(raw)
    assert found["written_tokens"] == 16
    assert set(found["paired"]) == {"iorpo-1 minus raw", "iorpo-1 minus sft-1", "sft-1 minus raw"}
    assert {"seen", "turned", "all"} < set(found["paired"]["iorpo-1 minus raw"])
    shutil.rmtree(tmp_path / "scratch")  # and no model is needed to collect, or where all was asked
    learning.main()
    assert json.loads((tmp_path / "out" / "text-learning.json").read_text())["paired"] == found["paired"]
    assert not (tmp_path / "scratch").exists()
    kinds = found["models"]["iorpo-1"]["training"]["kinds"]
    assert not kinds.keys() & {*found["near"], *found["far"]}


def test_what_is_asked_is_whole_exchanges_of_many_kinds_each_text_in_one():
    import learning

    from palate.text.suri import build

    corpus = documents(words=(120, 180), limit=300).documents
    found = learning.exchanges(build(corpus, seed=0, constraints=(4, 10)), 40, seed=0)
    assert len(found) == 40
    assert len({one.id for one in found}) == 40
    links = [one.contrasts[0].link for one in found]
    assert links[::2] == links[1::2]
    kinds = [one.contrasts[0].chosen.kind for one in found]
    assert max(map(kinds.count, kinds)) <= 4
    for mine, theirs in zip(found[::2], found[1::2], strict=True):
        if (
            mine.contrasts[0].chosen.kind != "paragraph"
        ):  # which exchanges how paragraphs begin, each of its own
            assert mine.contrasts[0].chosen.text == theirs.contrasts[0].rejected.text


def test_one_gradient_is_the_same_joint_and_in_two_passes(tmp_path: Path):
    pytest.importorskip("transformers")
    import orpo

    (tmp_path / "longform").mkdir()
    with gzip.open(tmp_path / "longform" / "standard_ebooks.jsonl.gz", "wt", encoding="utf-8") as file:
        for one in texts():
            file.write(json.dumps({"text": one.text, "n_words": 3_000}) + "\n")
    told = orpo.rows(tmp_path, 300, "tiny")
    assert len(told["prompt"]) == len(told["rejected_prompt"]) == orpo.PROMPT
    assert told["prompt"] != told["rejected_prompt"]
    joint, two = (orpo.gradient(told | {"how": how}) for how in orpo.WAYS.values())
    assert two["loss"] == pytest.approx(joint["loss"], rel=1e-5)
    assert two["norm"] == pytest.approx(joint["norm"], rel=1e-5)
