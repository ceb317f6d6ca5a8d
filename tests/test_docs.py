"""The documentation is run: every ```python block of README.md and docs/, each page in one namespace.

A block with `>>>` is a doctest, its output is compared; any other block must run without an error.
"""

from __future__ import annotations

import doctest
import io
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<indent> *)```python\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def pages() -> list[Path]:
    """README.md and every page of docs/ that has Python in it."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if FENCE.search(page.read_text(encoding="utf-8"))]


def blocks(text: str) -> list[tuple[int, str]]:
    """Each block's first line in the page, and its code."""
    return [
        (text.count("\n", 0, found.start("code")) + 1, _dedented(found)) for found in FENCE.finditer(text)
    ]


def _dedented(found: re.Match[str]) -> str:
    indent = len(found["indent"])
    return "".join(
        line[indent:] if line.strip() else line for line in found["code"].splitlines(keepends=True)
    )


def run(page: str, text: str) -> list[str]:
    """Run the blocks of a page; return what went wrong, each with its line."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    report = io.StringIO()
    for line, code in blocks(text):
        if ">>>" in code:
            test = doctest.DocTestParser().get_doctest(code, namespace, page, page, line - 1)
            runner.run(test, out=report.write, clear_globs=False)
            namespace = test.globs
        else:
            # Blank lines put the block where it stands, so a traceback names the page's own line.
            exec(compile("\n" * (line - 1) + code, page, "exec"), namespace)
    return [report.getvalue()] if report.getvalue() else []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_of_the_documentation_runs_and_says_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faults = run(str(page.relative_to(ROOT)), page.read_text(encoding="utf-8"))
    assert not faults, "\n".join(faults)


def test_a_wrong_output_is_found_with_its_line():
    page = "# A\n\n```python\n>>> one = 1\n>>> one + 1\n3\n\n```\n"
    assert "line 5, in a.md" in run("a.md", page)[0]


def test_blocks_of_one_page_share_names_and_other_languages_are_left_alone():
    page = (
        "```python\none = 1\n```\n```bash\nrm one\n```\n- in a list\n  ```python\n  >>> one\n  1\n\n  ```\n"
    )
    assert run("a.md", page) == []
    assert [line for line, _ in blocks(page)] == [2, 9]
