"""`palate text`: from long texts to a trained model, its ranking and its texts, on the model that is built in code."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")

Palate = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of short texts of the embedded books, in train, dev and test."""
    from palate.cli import main

    place = tmp_path_factory.mktemp("text")
    words = ["--words", "60-90", "--pieces", "2", "--constraints", "3-6", "--limit", "80"]
    assert main(["text", "build", "--out", str(place / "all.jsonl"), *words, "--quiet"]) == 0
    return place


def test_the_loss_of_a_text_is_told_token_by_token(palate: Palate, tmp_path: Path):
    page = tmp_path / "page.html"
    told = palate("text", "loss", "The capital", " is 天.", "--model", "tiny", "--page", page, "--json").json
    assert told["loss"] == pytest.approx(sum(one["nats"] for one in told["tokens"]) / len(told["tokens"]))
    assert told["perplexity"] == pytest.approx(math.exp(told["loss"]))
    assert [one["piece"] for one in told["tokens"]] == [*" is ", "天", "天", "天", "."]
    html = page.read_text("utf-8")
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert html.count('class="panel"') == len(told["tokens"]) + len(told["prompt"])
    assert all(f'href="#t{place}"' in html for place in (1, 2, 3, 4, 5, 8))


def test_what_is_shown_can_be_checked_with_a_calculator(palate: Palate):
    out = palate("text", "loss", "The capital", " is", "--model", "tiny").out
    line = next(line for line in out.splitlines() if line.startswith("loss"))
    shown = float(line.split()[1])
    assert f"exp({shown:.4f}) = {math.exp(shown):,.4f}" in line
    assert "No template; no token begins the text (BOS); prompt and text are made into tokens apart" in out


def test_the_classroom_needs_no_model(palate: Palate):
    told = palate("text", "loss", "--probabilities", "0.3,0.5,0.2", "--target", "0", "--json").json
    assert told["loss"] == pytest.approx(1.204, abs=5e-4)
    assert told["gradient"] == pytest.approx([-0.7, 0.5, 0.2])
    assert told["one_hot"] == [1, 0, 0]
    assert "1.2040 nats" in palate("text", "loss", "--probabilities", "0.3,0.5,0.2", "--target", "0").out


def test_the_next_token_is_a_distribution(palate: Palate):
    told = palate("text", "loss", "ab", "--next", "--model", "tiny", "--json").json
    assert len(told["next"]) == 10
    assert 0 < sum(one["p"] for one in told["next"]) <= 1
    assert told["conventions"].startswith("No template; ")
    assert "No template; " in palate("text", "loss", "ab", "--next", "--model", "tiny").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loss"], "give a text"),
        (["loss", "--target", "0"], "go together"),
        (["loss", "--probabilities", "a,b", "--target", "0"], "expected numbers"),
        (["loss", "a", "", "--model", "tiny"], "the text is empty"),
        (["loss", "a", "--chat", "--model", "tiny"], "give both"),
        (["loss", " ", "a", "--chat", "--model", "tiny"], "give both"),
        (["loss", "a", "b", "--next", "--model", "tiny"], "leave TEXT out"),
        (["loss", "a", "b", "--model", "/nowhere"], "no such folder"),
    ],
)
def test_what_loss_refuses(palate: Palate, words: list[str], message: str):
    answer = palate("text", *words)
    assert answer.code in (2, 3)
    assert message in answer.err


def test_a_text_in_a_file_may_be_long_and_must_be_utf_8(palate: Palate, tmp_path: Path):
    (tmp_path / "text.txt").write_text("word " * 30, "utf-8")
    out = palate("text", "loss", "Say.", "--file", tmp_path / "text.txt", "--chat", "--model", "tiny").out
    assert "the 12 costliest of 150 tokens" in out
    assert "chat template" in out
    (tmp_path / "torn.txt").write_bytes(b"caf\xe9")
    answer = palate("text", "loss", "--file", tmp_path / "torn.txt", "--model", "tiny")
    assert (answer.code, "byte 3 is no UTF-8" in answer.err) == (3, True)


def test_from_texts_to_a_model_that_is_ranked_and_writes(palate: Palate, folder: Path, tmp_path: Path):
    data = folder / "all.jsonl"
    assert palate("text", "validate", data, "--json").json["problems"] == []
    sets = ["--set", "epochs=1", "--set", "rank=2", "--set", "max_tokens=900", "--set", "too_long=cut"]
    done = palate(
        "text", "train", "iorpo", data, "--model", "tiny", *sets, "--out", tmp_path / "model", "--json"
    ).json
    assert {"loss", "margin", "log_p", "log_p_rejected"} <= set(done["trace"][0])
    assert done["weights_trained"] > 0
    assert "Round by round" in (tmp_path / "model" / "report.html").read_text("utf-8")
    assert json.loads((tmp_path / "model" / "training.json").read_text("utf-8"))["method"] == "iorpo"

    page = tmp_path / "ranking.html"
    words = ["--limit", "8", "--controls", "--page", page, "--out", tmp_path / "trials.jsonl", "--json"]
    ranked = palate("text", "rank", data, "--model", tmp_path / "model", *words).json
    assert set(ranked["specificity"]) == {"M,M", "M,M/2", "M,1", "M/2,M/2", "1,1"}
    assert ranked["specificity"]["M,M"]["n"] == 8
    assert len((tmp_path / "trials.jsonl").read_text("utf-8").splitlines()) >= 40
    assert page.read_text("utf-8").count('class="strip"') == 6
    assert "By the instructions alone" in page.read_text("utf-8")
    assert ranked["blind"]["1,1"]["n"] == ranked["specificity"]["1,1"]["n"] >= 3 * 8  # all of each text
    against = ["--limit", "8", "--controls", "--against", tmp_path / "trials.jsonl"]
    told = palate("text", "rank", data, "--model", "tiny", *against, "--json").json["against"]
    (differences,) = told.values()
    mean = {(one["by"], one["name"]): one["accuracy"]["mean"] for one in differences}
    own = palate("text", "rank", data, "--model", "tiny", *against[:3], "--json").json["specificity"]
    assert mean["specificity", "M,M"] == pytest.approx(
        own["M,M"]["accuracy"] - ranked["specificity"]["M,M"]["accuracy"]
    )
    assert "on the same trials" in palate("text", "rank", data, "--model", "tiny", *against).out
    (tmp_path / "few.jsonl").write_text(
        "\n".join((tmp_path / "trials.jsonl").read_text("utf-8").splitlines()[:9])
    )
    answer = palate("text", "rank", data, "--model", "tiny", *against, "--against", tmp_path / "few.jsonl")
    assert (answer.code, "rank both models on the same set" in answer.err) == (3, True)
    assert "M,M" in answer.out  # what took long is told all the same
    assert "on the same trials" in answer.out  # and so is what compares
    answer = palate(
        "text", "rank", data, "--model", "no-such-model", "--out", tmp_path / "no" / "trials.jsonl"
    )
    assert (answer.code, "Cannot write" in answer.err) == (3, True)  # before the model is looked for

    out = tmp_path / "texts.jsonl"
    words = ["--limit", "2", "--max-tokens", "20", "--out", out]
    assert "2 texts" in palate("text", "generate", data, "--model", tmp_path / "model", *words).out
    measured = palate("text", "evaluate", out, "--data", data, "--json").json[str(out)]
    assert measured["texts"] == 2
    assert measured["met"][0]["kind"] == "all"
    exported = palate("text", "annotate", "export", out, "--out", tmp_path / "label.html", "--json").json
    assert exported["texts"] == 2


def test_settings_are_listed_and_others_are_refused(palate: Palate, folder: Path, tmp_path: Path):
    listed = {one["name"]: one["value"] for one in palate("text", "settings", "paper", "--json").json}
    assert (listed["learning_rate"], listed["rank"], listed["max_tokens"]) == (5e-5, 16, 15_024)
    of_dpo = palate("text", "settings", "--method", "dpo", "--json").json
    assert {"nll_weight": 0.0, "beta": 0.1}.items() <= {one["name"]: one["value"] for one in of_dpo}.items()
    words = ["text", "train", "sft", folder / "all.jsonl", "--model", "tiny", "--out", tmp_path / "m"]
    answer = palate(*words, "--set", "epoch=1")
    assert (answer.code, "Did you mean 'epochs'?" in answer.err) == (2, True)
    answer = palate(*words, "--set", "epochs=x")
    assert (answer.code, "epochs=x is not what was expected: a whole number, such as 20" in answer.err) == (
        2,
        True,
    )
    answer = palate(*words, "--checkpoint", tmp_path / "m" / "state")
    assert (answer.code, "give a folder beside it" in answer.err) == (2, True)
    assert not (tmp_path / "m").exists()


def test_a_torn_row_is_named_by_its_line(palate: Palate, folder: Path, tmp_path: Path):
    lines = (folder / "all.jsonl").read_text("utf-8").splitlines()
    (tmp_path / "torn.jsonl").write_text("\n".join([lines[0], lines[1][:50]]) + "\n", "utf-8")
    answer = palate("text", "rank", tmp_path / "torn.jsonl", "--model", "tiny")
    assert (answer.code, "torn.jsonl, line 2" in answer.err) == (3, True)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "chosen": "b"}\n', "utf-8")
    answer = palate(
        "text", "train", "dpo", tmp_path / "rows.jsonl", "--model", "tiny", "--out", tmp_path / "m"
    )
    assert (answer.code, "line 1: rejected is missing" in answer.err) == (3, True)
    told = ["--set", "epochs=1", "--set", "rank=2", "--out", tmp_path / "m", "--json"]
    sft = palate("text", "train", "sft", tmp_path / "rows.jsonl", "--model", "tiny", *told).json
    assert sft["pairs"] == 1  # which reads the other side of none
    for other in ("null", '""'):
        (tmp_path / "rows.jsonl").write_text(
            f'{{"prompt": "a", "chosen": "b", "rejected": {other}}}\n', "utf-8"
        )
        again = palate("text", "train", "sft", tmp_path / "rows.jsonl", "--model", "tiny", *told).json
        assert again["trace"][0]["loss"] == sft["trace"][0]["loss"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--by", "endpoint"], "needs --endpoint URL and --model NAME"),
        (["--endpoint", "http://127.0.0.1:1/v1"], "--by endpoint needs"),
        (["--dry-run"], "--dry-run: for asking an endpoint"),
        (["--by", "local", "--model", "tiny"], "26,880 parameters, and below 3,000,000,000"),
    ],
)
def test_who_builds_must_be_named_and_large_enough(
    palate: Palate, tmp_path: Path, words: list[str], message: str
):
    small = ["--words", "60-90", "--limit", "3"]
    answer = palate("text", "build", "--out", tmp_path / "set.jsonl", *small, *words)
    assert answer.code in (2, 4)
    assert message in answer.err
    assert not (tmp_path / "set.jsonl").exists()


def test_an_endpoint_is_priced_without_a_socket_and_writes_a_set_that_is_read(palate: Palate, tmp_path: Path):
    from tests.text.test_backtranslate import good
    from tests.text.test_endpoint import Mock, serving

    words = ["--words", "60-90", "--limit", "3", "--constraints", "4-6", "--kept", tmp_path / "kept"]
    closed = ["--by", "endpoint", "--endpoint", "http://127.0.0.1:1/v1", "--model", "m"]
    priced = palate(
        "text", "build", "--out", tmp_path / "set.jsonl", *words, *closed, "--dry-run", "--json"
    ).json
    assert priced["requests"] == 6
    with serving(Mock(lambda asked: good(asked["messages"]))) as mock:
        asked = [
            "--by",
            "endpoint",
            "--endpoint",
            mock.url,
            "--model",
            "m",
            "--prompt-price",
            "1",
            "--answer-price",
            "2",
        ]
        out = palate("text", "build", "--out", tmp_path / "set.jsonl", *words, *asked).out
    assert "3 examples of" in out
    assert "4 answers, " in out or "6 answers, " in out
    assert palate("text", "validate", tmp_path / "set.jsonl", "--json").json["examples"] == 3
