"""What is not installed is missed only by what needs it, and the install line is said."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import palate
from palate.errors import MissingExtra, NotSupported, PlanError
from palate.models import registry

NEURAL = sorted(set(registry.names()) & registry._NEEDS_TORCH)
OTHERS = [name for name in registry.names() if name not in NEURAL]
HIDE_TORCH = """
import sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "torch" else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""
INSTALL = (
    r"{} needs torch, which is not installed. Install it: pip install 'palate\[neural\]' "
    r"\(without a GPU, first: pip install torch --index-url .*whl/cpu\)"
)


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("name", NEURAL)
def test_a_neural_model_says_the_install_line(name: str) -> None:
    for ask in (registry.get, registry.create):
        with pytest.raises(MissingExtra, match=INSTALL.format(name)):
            ask(name)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("name", NEURAL)
def test_the_class_of_a_neural_model_says_it_too(name: str) -> None:
    module, _, attribute = registry._HOMES[name].partition(":")
    kind = getattr(importlib.import_module(module), attribute)
    with pytest.raises(MissingExtra, match=INSTALL.format(name)):
        kind()


def test_a_model_that_needs_what_is_not_there_is_left_out_of_a_comparison(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from palate.experiment.question import which_fit

    monkeypatch.setattr(registry, "_NEEDS_TORCH", {"ease"})
    monkeypatch.setitem(sys.modules, "torch", None)
    data = palate.Interactions.from_table({"user": [1, 1, 2], "item": [1, 2, 2]})
    rows, notes = which_fit("ndcg@10", data)
    assert "ease" not in {row["name"] for row in rows}
    assert any(note.startswith("ease was left out: it needs torch") for note in notes)
    with pytest.raises(MissingExtra, match=INSTALL.format("ease")):
        which_fit("ndcg@10", data, ["ease"])
    with pytest.raises(PlanError, match="no model is called 'eese'"):
        which_fit("ndcg@10", data, ["eese"])
    with pytest.raises(NotSupported, match="popularity has no similar") as error:
        palate.Popularity().fit(data).similar([1], k=1)
    assert "ease" not in str(error.value)


def test_without_torch_everything_else_works() -> None:
    code = f"""{HIDE_TORCH}
import palate
from palate import *
from palate.cli import main
from palate.models import registry

train = palate.Interactions.from_table(
    {{"user": [1, 1, 2, 2, 3, 3], "item": [1, 2, 2, 3, 1, 3], "value": [5, 4, 3, 5, 4, 2]}}
)
for name in {OTHERS}:
    params = {{"models": [{{"name": "sar"}}, {{"name": "ease"}}]}} if name == "blend" else {{}}
    registry.create(name, **params).fit(train).recommend(users=[1], k=1)
main(["--help"])
assert "torch" not in sys.modules
print("all of it")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("all of it\n"), done.stderr


def test_looking_a_model_up_and_making_one_leave_torch_alone() -> None:
    """So plans are checked, and errors name what another model can do, without the seconds that torch takes."""
    code = (
        "import sys; from palate.models import registry\n"
        f"for name in {registry.names()}: registry.get(name)\n"
        f"for name in {NEURAL}: registry.create(name)\n"
        "print('torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
