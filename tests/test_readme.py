"""The commands that the README and the guides show are run, page by page, each page in an empty folder.

The `$ palate ...` lines of a `console` block are run; lines below a command are its expected output, in
which `...` stands for anything. A `toml` block whose first line is `# NAME.toml` becomes that file. Python
blocks are run by test_docs.py.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

import pytest

from palate.cli import main

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    "README.md",
    "docs/guide.md",
    "docs/tuning.md",
    "docs/tutorials/sar-movielens.md",
    "docs/tutorials/news.md",
]
ELSEWHERE = ("palate run sar-movielens",)  # runs long on the film data; the README runs quickstart
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_run_and_say_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PALATE_DATA", raising=False)
    for kind, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        name = re.match(r"# ([\w-]+\.toml)\n", text)
        if kind == "toml" and name:
            Path(name[1]).write_text(text, encoding="utf-8")
        if kind == "console":
            for command, expected in commands(text):
                said = run(command)
                if expected and not doctest.OutputChecker().check_output(expected + "\n", said, SAME):
                    pytest.fail(f"{page}: {command}\n--- the page says\n{expected}\n--- it says\n{said}")


def results(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text("utf-8"))


def test_the_figures_of_the_readme_are_those_of_the_result_files():
    """Each row is made anew of what the benchmarks wrote."""
    text = (ROOT / "README.md").read_text("utf-8")
    table = text[text.index("## Measured") : text.index("## More")]
    sequences = [
        one["seen left out"]
        for one in results("sasrec-accuracy")["runs"]
        if one["set"] == "movielens-1m-sasrec"
    ]
    hit, ndcg = (fmean(one[key] for one in sequences) for key in ("hit@10", "ndcg@10"))
    epoch = results("sasrec-speed")["summary"]["ml-1m ce"]
    costs = {
        name: f"{one['epoch_cpu_s']:.3g} s, {one['peak_mb'] / 1000:.2f} GB" for name, one in epoch.items()
    }
    ncf = results("ncf-accuracy")["runs"]
    neumf, ials = (
        " / ".join(f"{fmean(one[key] for one in ncf[label]):.4f}" for key in ("hit@10", "ndcg@10"))
        for label in ("1m:neumf", "1m:ials")
    )
    built, sar = results("ncf-speed")["summary"], results("sar-speed-1m")["summary"]
    news = results("news-speed")["models"]
    ours, theirs = (
        [news[name][side]["cpu_step"] for name in ("nrms", "npa")] for side in ("palate", "recommenders")
    )
    text_runs = results("text-orpo")["runs"]
    alignment = {
        name: f"{one['cpu_s']:.0f} s, {one['peak_mb'] / 1000:.2f} GB" for name, (one, *_) in text_runs.items()
    }
    rows = [
        f"| {hit:.4f} / {ndcg:.4f} |",
        f"| {costs['palate']} | RecTools {costs['rectools']}; RePlay {costs['replay']} |",
        f"| {neumf} | iALS, here, {ials};",
        f"| {built['defaults']['build_cpu_s']:.2f} s | recommenders {built['recommenders']['build_cpu_s']:.1f} s |",
        f"| {sum(sar['palate_cpu_s'][part] for part in ('fit', 'recommend')):.2f} s | "
        f"recommenders {sum(sar['recommenders_cpu_s'].values()):.1f} s |",
        f"| {ours[0]:.2f} s, {ours[1]:.2f} s | recommenders {theirs[0]:.2f} s, {theirs[1]:.2f} s |",
        f"| {alignment['joint']} | TRL {alignment['trl']} |",
    ]
    for row in rows:
        assert row in table


@pytest.mark.parametrize("page", [ROOT / "README.md", *ROOT.glob("docs/**/*.md")], ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page}: {target}"


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each `$ palate ...` with the lines below it; `make` and its like are not for here."""
    for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        if command.startswith("palate ") and not command.startswith(ELSEWHERE):
            yield command, expected.strip("\n")


def run(command: str) -> str:
    """Run a command line, `> FILE` included, and return what it printed; it must end well."""
    words = shlex.split(command, comments=True)
    end = words.index(">") if ">" in words else len(words)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), patch.dict(os.environ):
        code = main(words[1:end])
    assert code == 0, f"{command}\n{err.getvalue()}"
    if end < len(words):
        Path(words[end + 1]).write_text(out.getvalue(), encoding="utf-8")
    return out.getvalue()


def test_the_table_of_models_says_what_each_model_can_do():
    from palate.models import registry

    rows = re.findall(
        r"^\| `(\w+)` \|[^|]*\|(.*)\|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name for name, _ in rows} == {*registry.names(), *registry.news_names()}
    columns = ["similar", "explain", "rate", "update"]
    for name, cells in rows:
        said = [bool(cell.strip()) for cell in cells.split("|")][1:]
        assert said == [verb in registry.get(name).verbs for verb in columns], name
