"""Ctrl-C in the middle of real work: exit code 130, one line, nothing half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import palate


def started(folder: Path, *words: object) -> subprocess.Popen[str]:
    """Start a real process and wait until it is past its first imports, in the middle of things."""
    process = subprocess.Popen(
        [sys.executable, "-m", "palate", *map(str, words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    maps = Path(f"/proc/{process.pid}/maps")
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if not maps.exists():  # no /proc on this system: wait as long as the imports take
            time.sleep(1.0)
            break
        if "polars" in maps.read_text():
            break
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("delay", [0.0, 0.4, 0.9])
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_leaves_no_torn_model(tmp_path: Path, delay: float):
    process = started(tmp_path, "fit", "retail", "--model", "sar", "--out", "models/sar")
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    left = [path.relative_to(tmp_path) for path in tmp_path.rglob("*")]
    if process.returncode == 0:  # it was done before it was stopped
        assert palate.load_model(tmp_path / "models" / "sar").params()["similarity"] == "jaccard"
        return
    assert process.returncode == 130, err
    assert err.endswith("palate: stopped; nothing was left half written\n")
    assert "Traceback" not in err
    assert set(map(str, left)) <= {"models"}
