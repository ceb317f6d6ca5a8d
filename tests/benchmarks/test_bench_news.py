"""The benchmarks of news: scripts start, and figures of the shared control have intervals by reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NEWS = Path(__file__).resolve().parents[2] / "benchmarks" / "news"


@pytest.mark.parametrize("script", ["planted.py", "sample.py"])
def test_a_script_tells_its_options(script: str) -> None:
    told = subprocess.run(
        [sys.executable, NEWS / script, "--help"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "--seeds" in told.stdout


def test_the_shared_id_is_scored_by_and_readers_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(NEWS))
    import planted

    monkeypatch.setitem(planted.WORLDS, "two", {"users": 60, "articles": 200, "shown": 10})
    found = planted.fit("two", 0, "npa-shared", 1)
    assert found["ci95"][0] < found["auc"] < found["ci95"][1]
