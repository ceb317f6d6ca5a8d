"""Help: at once, complete, with examples that are really commands."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from palate.cli.parse import application
from palate.cli.verbs import VERBS, module

Palate = Callable[..., Any]
HEAVY = ("numpy", "polars", "numba", "scipy", "torch", "transformers", "pydantic", "rich", "typer")


def below(path: tuple[str, ...], verbs: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every verb under a verb, with the verbs before it."""
    return [
        one
        for name, (_, more) in verbs.items()
        for one in (below((*path, name), more) if isinstance(more, dict) else [(*path, name)])
    ]


GROUPS = [verb for verb in VERBS if hasattr(module(verb), "SUB_VERBS")]
SUB_VERBS = [path for verb in GROUPS for path in below((verb,), module(verb).SUB_VERBS)]
ALL = [(verb,) for verb in VERBS if verb not in GROUPS] + SUB_VERBS


def seconds(*words: str) -> float:
    """The best of five: what the machine can do, not what its neighbours let it."""

    def once() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        return time.perf_counter() - start

    return min(once() for _ in range(5))


def test_the_front_page_costs_little_more_than_python_itself():
    assert seconds("-m", "palate", "--help") - seconds("-c", "pass") < 0.25


def imported(words: tuple[str, ...]) -> set[str]:
    """Which of the heavy packages a fresh `palate WORDS` imports."""
    code = f"import sys; from palate.cli import main; main({[*words]}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(HEAVY) & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [(), ("--help",), ("--version",)])
def test_the_front_page_imports_nothing_heavy(words: tuple[str, ...]):
    assert imported(words) == set()


@pytest.mark.parametrize("verb", ALL, ids=" ".join)
def test_the_help_of_a_verb_imports_typer_and_what_it_needs(verb: tuple[str, ...]):
    assert imported((*verb, "--help")) <= {"typer", "pydantic"}


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["help"]])
def test_every_way_to_ask_for_the_front_page(palate: Palate, words: list[str]):
    answer = palate(*words)
    assert answer.code == 0
    assert all(f"\n  {verb} " in answer.out for verb in VERBS)


def test_the_table_of_verbs_is_the_application():
    import typer

    command = typer.main.get_command(application())
    assert set(command.commands) == set(VERBS)


@pytest.mark.parametrize("verb", ALL, ids=" ".join)
def test_the_help_of_a_verb_has_a_summary_options_and_examples_of_itself(
    palate: Palate, verb: tuple[str, ...]
):
    answer = palate(*verb, "--help")
    assert answer.code == 0
    assert f"Usage: palate {' '.join(verb)}" in answer.out
    examples = answer.out.partition("Examples:\n")[2].strip().splitlines()
    assert examples
    assert all(line.strip().startswith(f"palate {' '.join(verb)}") for line in examples)


def test_help_before_a_verb_is_help_after_it(palate: Palate):
    assert palate("help", "fit").out == palate("fit", "--help").out


def test_version(palate: Palate):
    import palate as package

    assert palate("--version").out.startswith(f"palate {package.__version__} ")


def test_a_group_without_a_verb_shows_its_verbs(palate: Palate):
    answer = palate("data")
    assert "describe" in answer.out + answer.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--verison"], "Did you mean '--version'?"),
        (["fti"], "Did you mean 'fit'?"),
        (["recomend", "models/sar"], "Did you mean 'recommend'?"),
        (["data", "lst"], "Did you mean 'list'?"),
        (["recommend", "m", "--user", "1"], "Did you mean '--users'?"),
        (["fit", "retail", "--modle", "sar"], "Did you mean '--model'?"),
        (["data", "describe", "retail", "--sep", ";"], "Did you mean '--separator'?"),
    ],
)
def test_a_misspelt_word_gets_the_right_one(palate: Palate, words: list[str], hint: str):
    answer = palate(*words)
    assert answer.code == 2
    assert answer.err.startswith("palate: ")
    assert hint in answer.err
    assert len(answer.err.splitlines()) <= 2
    assert answer.out == ""


@pytest.mark.parametrize(
    "words",
    [["fit", "retail"], ["recommend"], ["recommend", "m", "--k", "0"], ["recommend", "m", "--k", "ten"]],
)
def test_what_is_missing_or_wrong_is_said_in_two_lines(palate: Palate, words: list[str]):
    answer = palate(*words)
    assert answer.code == 2
    assert answer.err.startswith("palate: ")
    assert len(answer.err.splitlines()) <= 2
    assert "--help" in answer.err


def test_the_shell_completes_verbs_and_options():
    def completed(line: str) -> list[str]:
        asked = {"_PALATE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        words = [sys.executable, "-m", "palate"]
        done = subprocess.run(words, env={**os.environ, **asked}, capture_output=True, text=True, check=False)
        return done.stdout.split()

    assert completed("palate re") == ["recipes", "recommend"]
    assert "--history" in completed("palate recommend --h")
