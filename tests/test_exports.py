"""The public face: what `palate` exports, that all of it is documented, and that the examples in it run."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import palate

SOURCE = Path(palate.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# Another name here is a promise to keep: add it with its documentation and a line in the changelog.
NAMES = {
    "Bias", "Blend", "CTR", "Catalogue", "Content", "Dataset", "EASE", "Histories", "IALS", "Impressions",
    "Interactions", "LM", "MF", "Markov", "Mean", "NCF", "NPA", "NRMS", "NewsBlend", "NewsDataset", "PalateError",
    "Popularity", "RBM", "RLRMC", "Random", "Recommender", "SAR", "SASRec", "SVD", "SessionKNN", "Split",
    "__version__", "compare", "compare_models", "datasets", "describe", "errors", "evaluate",
    "evaluate_impressions", "evaluate_tables", "evaluation", "experiment", "load", "load_model", "load_news",
    "models", "report", "run", "split", "text", "tune",
}  # fmt: skip


def test_the_exported_names_are_these() -> None:
    assert set(palate.__all__) == NAMES
    assert len(palate.__all__) == len(NAMES)
    assert set(dir(palate)) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_exported_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(palate, name)
    if name != "__version__":
        assert value.__doc__


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Foo'"):
        palate.Foo  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen | {"__version__"} == NAMES


def test_importing_palate_loads_nothing_heavy() -> None:
    code = (
        "import sys, palate\n"
        "heavy = {'numpy', 'scipy', 'numba', 'polars', 'pydantic', 'pandas', 'rich', 'jinja2', 'typer'}\n"
        "print(*sorted(heavy & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


# Classes whose fields a user reads.
READ = {
    "Catalogue", "Comparison", "Dataset", "Estimate", "Evaluation", "Explanation", "Histories", "Interactions",
    "Labels", "Protocol", "Split",
}  # fmt: skip

# --- documentation ------------------------------------------------------------------------------------------


def undocumented(path: Path) -> Iterator[str]:
    """Yield the public classes, functions, methods and fields to read that say nothing about themselves."""
    tree = ast.parse(path.read_text("utf-8"))
    if ast.get_docstring(tree) is None and path.stat().st_size:
        yield "the file"
    yield from _undocumented(tree.body, "", None)


def _undocumented(body: list[ast.stmt], prefix: str, described: str | None) -> Iterator[str]:
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if node.name.startswith("_") or any(
                "overload" in ast.unparse(one) for one in node.decorator_list
            ):
                continue
            docstring = ast.get_docstring(node)
            if docstring is None:
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                words = docstring if node.name in READ else None
                yield from _undocumented(node.body, f"{prefix}{node.name}.", words)
        elif described is not None and isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            string_below = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            # A class may also describe its fields in its own words, each in backticks.
            if not name.startswith("_") and not string_below and f"`{name}`" not in described:
                yield prefix + name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_public_name_says_what_it_is(path: Path) -> None:
    assert list(undocumented(path)) == []


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if ">>> " in path.read_text("utf-8")],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_examples_in_docstrings_run(path: Path) -> None:
    name = ".".join(["palate", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
    tests = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in tests:
        assert runner.run(test).failed == 0, test.name
    assert runner.summarize(verbose=False).attempted > 0
