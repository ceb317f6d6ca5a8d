"""A saved network is made without drawing what it would have begun with: the saved numbers stand in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from palate.models import create  # noqa: E402
from palate.neural.blank import without_numbers  # noqa: E402
from tests.conformance.news import impressed  # noqa: E402
from tests.worlds import world  # noqa: E402

ROOT = Path(__file__).parents[2]
FIRST = """
import sys, palate
model = palate.load_model(sys.argv[1])
assert len(model.recommend(users=model.users.ids[:2], k=3))
print("torch" in sys.modules, "torch._dynamo" in sys.modules)
"""
SMALL: dict[str, dict[str, Any]] = {
    "sasrec": {"embedding_size": 8, "window": 5, "epochs": 1},
    "ncf": {"factors": 4, "layers": (8, 4), "epochs": 1},
    "nrms": {"word_size": 8, "heads": 2, "head_size": 4, "query_size": 4, "epochs": 1},
    "npa": {"word_size": 8, "filters": 8, "user_size": 4, "query_size": 4, "epochs": 1},
}


@pytest.mark.parametrize("name", SMALL)
def test_the_first_list_of_a_saved_model_does_not_wait_for_the_compiler_of_torch(
    name: str, tmp_path: Path
) -> None:
    model, train = create(name, **SMALL[name], device="cpu"), world()
    if name in ("nrms", "npa"):
        shown, articles = impressed(train)
        model.fit(shown, catalogue=articles)
    else:
        model.fit(train)
    model.save(tmp_path / "model")
    command = [sys.executable, "-c", FIRST, str(tmp_path / "model")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    # NCF's scores are made without torch.
    assert done.stdout.split() == [str(name != "ncf"), "False"], done.stderr


def test_a_blank_module_has_the_shapes_and_leaves_the_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    with without_numbers():
        made = nn.Sequential(nn.Embedding(5, 4, padding_idx=4), nn.Linear(4, 3), nn.LayerNorm(3))
        nn.init.xavier_uniform_(made[1].weight)
        frozen = torch.empty(2).requires_grad_()
    assert torch.equal(before, torch.get_rng_state())
    assert [tuple(one.shape) for one in made.parameters()] == [(5, 4), (3, 4), (3,), (3,), (3,)]
    assert all(one.is_meta and one.requires_grad for one in [*made.parameters(), frozen])
