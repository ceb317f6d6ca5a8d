"""Ctrl-C in the middle of real work: exit code 130, one line, nothing half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import palate

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


class Running:
    """A real `palate WORDS` in a folder and a process group of its own, as a terminal starts it."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "palate", *map(str, words)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while self.process.poll() is None and not reached() and time.monotonic() < deadline:
            time.sleep(0.01)

    def is_past_its_first_imports(self) -> bool:
        maps = Path(f"/proc/{self.process.pid}/maps")
        if not maps.exists():  # no /proc on this system: give the imports a second
            time.sleep(1)
            return True
        return "polars" in maps.read_text()

    def ctrl_c(self) -> tuple[int, str]:
        """Send what a terminal sends, to the whole group; return the exit code and stderr."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def stopped_cleanly(code: int, err: str) -> None:
    assert code == 130, err
    assert err.endswith("palate: stopped; nothing was left half written\n")
    assert "Traceback" not in err


@pytest.mark.parametrize("delay", [0.0, 0.4, 0.9])
def test_a_fit_that_is_stopped_leaves_no_torn_model(tmp_path: Path, delay: float):
    running = Running(tmp_path, "fit", "retail", "--model", "sar", "--out", "models/sar")
    running.wait_until(running.is_past_its_first_imports)
    time.sleep(delay)
    code, err = running.ctrl_c()
    if code == 0:  # it was done before it was stopped
        assert palate.load_model(tmp_path / "models" / "sar").params()["similarity"] == "jaccard"
        return
    stopped_cleanly(code, err)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} <= {"models"}


@pytest.mark.parametrize("words", [[], ["--isolate"]], ids=["one process", "a process each"])
def test_a_run_that_is_stopped_has_whole_models_and_no_result(tmp_path: Path, words: list[str]):
    models = tmp_path / "out" / "models"
    running = Running(tmp_path, "run", "quickstart", "--out", "out", *words)
    running.wait_until(lambda: any(models.glob("[!.]*/model.json")))  # one that has its name
    code, err = running.ctrl_c()
    stopped_cleanly(code, err)
    assert not (tmp_path / "out" / "result.json").exists()
    assert not (tmp_path / "out" / "report.html").exists()
    assert all(palate.load_model(folder) for folder in models.iterdir())
    assert any(models.iterdir())
