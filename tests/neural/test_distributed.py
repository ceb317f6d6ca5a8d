"""Two processes that share every batch learn what one learns from the whole of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import palate  # noqa: E402
from palate.cli import main  # noqa: E402
from tests.neural.several import learned  # noqa: E402

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)


def torchrun(*words: object, processes: int = 2) -> None:
    """Run a module under torchrun on this machine, each process with one thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    command += ["--master-addr=127.0.0.1", f"--master-port={port}", *map(str, words)]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_processes_equal_one_at_the_same_global_batch(tmp_path: Path) -> None:
    torchrun("-m", "tests.neural.several", tmp_path / "two.npz")
    alone = learned()
    with np.load(tmp_path / "two.npz") as two:
        assert set(two) == set(alone)
        assert {name.partition(".")[0] for name in two} == {"toy", "sampled_ce", "ce", "bce", "gbce", "ncf"}
        for name, one in alone.items():
            np.testing.assert_allclose(two[name], one, rtol=0, atol=1e-4, err_msg=name)


def test_a_model_that_several_processes_fit_is_saved_once_and_is_the_one_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_PROGRESS", "0")  # which --quiet sets, for the rest of a process
    rows = [f"{user},{(user + step) % 9},{step}" for user in range(24) for step in range(6)]
    (tmp_path / "rows.csv").write_text("\n".join(["user,item,time", *rows]))
    words = ["-m", "palate", "fit", tmp_path / "rows.csv", "--model", "sasrec", "--quiet"]
    words += [f"--set={one}" for one in ("epochs=2", "embedding_size=8", "dropout=0", "seed=3", "device=cpu")]
    torchrun(*words, "--out", tmp_path / "two")
    assert main([str(one) for one in (*words[2:], "--out", tmp_path / "one")]) == 0
    two, one = (palate.load_model(tmp_path / name) for name in ("two", "one"))
    np.testing.assert_allclose(two.score(), one.score(), rtol=0, atol=1e-4)
