"""The README and the guides do what they show: commands and code are run, and what they print is compared.

In a page, a `python` block is executed in one namespace, the `$ palate ...` lines of a `console` block run,
and a `toml` block whose first line is `# NAME.toml` becomes that file. A `text` block after code, and lines
below a command, are the expected output, in which `...` stands for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palate.cli import main

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/guide.md", "docs/tutorials/sar-movielens.md"]
BLOCK = re.compile(r"^```(python|console|toml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOO_LONG_HERE = ("palate run quickstart",)  # tests/experiment runs every recipe


@pytest.mark.parametrize("page", PAGES)
def test_the_page_does_what_it_shows(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PALATE_DATA", raising=False)
    names: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for kind, text in blocks(page):
        if kind == "toml":
            name = re.match(r"# ([\w-]+\.toml)\n", text)
            if name:
                Path(name[1]).write_text(text, encoding="utf-8")
        elif kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(text, page, "exec"), names)
            printed = out.getvalue()
        elif kind == "text":
            same(text, printed)
        else:
            for command, expected in commands(text):
                said = run(command)
                if expected:
                    same(expected, said)


@pytest.mark.parametrize(
    "page", [str(path.relative_to(ROOT)) for path in ROOT.rglob("docs/**/*.md")] + ["README.md"]
)
def test_links_within_the_repository_lead_somewhere(page: str):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


def blocks(page: str) -> Iterator[tuple[str, str]]:
    yield from BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each `$ palate ...` of a block, with the lines below it; `make` and its like are not for here."""
    for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        if command.startswith("palate") and not command.startswith(TOO_LONG_HERE):
            yield command, expected.strip("\n")


def run(command: str) -> str:
    """Run a command line, redirection included, and return what it printed; it must end well."""
    words = shlex.split(command.partition("  #")[0])
    target = words.index(">") if ">" in words else None
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words[1:target])
    assert code == 0, f"{command}\n{err.getvalue()}"
    if target is not None:
        Path(words[target + 1]).write_text(out.getvalue(), encoding="utf-8")
    return out.getvalue()


def same(expected: str, got: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if not doctest.OutputChecker().check_output(expected, got, flags):
        assert got == expected  # shows the difference
