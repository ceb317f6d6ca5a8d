"""A model that is shared out among processes learns what it learns in one, and each process holds its part."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from palate.errors import PlanError  # noqa: E402
from palate.text import language_model  # noqa: E402
from palate.text.align import align  # noqa: E402
from tests.neural.test_distributed import ROOT, torchrun  # noqa: E402
from tests.text.sharded import learned, settings  # noqa: E402
from tests.text.test_align import pairs  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)


def test_two_processes_that_share_a_model_equal_one_also_when_stopped_in_between(tmp_path: Path):
    torchrun("-m", "tests.text.sharded", tmp_path)
    alone = learned(None, shard=False)
    with np.load(tmp_path / "two.npz") as two:
        assert set(two) == {*alone, "held", "refused"}
        for name, one in alone.items():
            np.testing.assert_allclose(two[name], one, rtol=0, atol=1e-5, err_msg=name)
        here, whole = two["held"]
        assert 0.45 * whole < here < 0.55 * whole
        assert "batch = 3 is no multiple of 2 processes" in str(two["refused"])


def test_accelerate_launches_it_with_the_file_that_comes_with_the_docs(tmp_path: Path):
    """Two processes on the processor in place of four cards; that file says who takes part and nothing else."""
    rows = [{"prompt": one.prompt, "chosen": one.answer, "rejected": "no such text"} for one in pairs()]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    launch = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    launch += ["--config_file", str(ROOT / "docs" / "launch" / "cards.yaml"), "--num_processes", "2"]
    told = ["palate", "text", "train", "orpo", str(tmp_path / "rows.jsonl"), "--model", "tiny"]
    told += ["--out", str(tmp_path / "model")]
    for one in ("rank=4", "batch=4", "device=cpu", "shard=true", "epochs=1"):
        told += ["--set", one]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        launch += ["--main_process_port", str(free.getsockname()[1])]
    quiet = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*launch, "-m", *told], cwd=ROOT, env=os.environ | quiet, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    facts = json.loads((tmp_path / "model" / "training.json").read_text())
    assert facts["training"]["shard"] is True
    assert language_model.load(tmp_path / "model", device="cpu").base == "tiny"


def test_one_process_has_nobody_to_share_with():
    with pytest.raises(PlanError, match="there is one: start several with `torchrun"):
        align(language_model.tiny(), pairs(8), settings(shard=True))
