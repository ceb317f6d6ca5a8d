"""Two processes that share every step of an alignment learn what one learns, at the same global batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from tests.neural.test_distributed import torchrun  # noqa: E402
from tests.text.several import WAYS, learned  # noqa: E402


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)
def test_two_processes_equal_one_at_the_same_global_batch(tmp_path: Path):
    torchrun("-m", "tests.text.several", tmp_path / "two.npz")
    alone = learned()
    with np.load(tmp_path / "two.npz") as two:
        assert set(two) == set(alone)
        assert set(WAYS) < set(two)
        for name, one in alone.items():
            np.testing.assert_allclose(two[name], one, rtol=0, atol=1e-4, err_msg=name)
