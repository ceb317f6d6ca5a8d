"""The benchmarks' own parts: the synthetic world is what it says, scripts start, charts are well formed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = [
    "run.py",
    "compare/regret.py",
    "compare/time.py",
    "demo/startup.py",
    "interactions_20m.py",
    "sar/parity.py",
    "sar/speed_1m.py",
    "sar/scale_20m.py",
    "kernels/limits.py",
    "ratings/board.py",
    "rlrmc/geometry.py",
    "rbm/lists.py",
    "rbm/ratings.py",
    "rbm/speed.py",
]


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "sar"))


def test_synthetic_world_has_the_counts_of_movielens_20m():
    import synthetic

    rng = np.random.default_rng(42)
    lengths = synthetic.history_lengths(synthetic.USERS, synthetic.ROWS, synthetic.ITEMS, rng)
    assert len(lengths) == 138_493
    assert lengths.sum() == 20_000_263
    assert lengths.min() >= 20
    assert (lengths.astype(float) ** 2).sum() == pytest.approx(6e9, rel=0.01)


def test_synthetic_world_has_distinct_pairs_and_repeats_under_its_seed():
    import synthetic

    world, again = (synthetic.make(300, 700, 12_000) for _ in range(2))
    pairs = world["user"].astype(np.int64) * 1_000 + world["item"]
    assert len(np.unique(pairs)) == len(pairs) == 12_000
    assert all((world[name] == again[name]).all() for name in world)


def test_rows_grouped_by_first_appearance_are_the_join_of_old_pandas():
    import parity

    rows = {"user": np.array([1, 2, 3, 4]), "item": np.array([9, 5, 9, 5])}
    assert parity.by_first_appearance(rows)["user"].tolist() == [1, 3, 2, 4]


def test_chart_is_well_formed_and_starts_at_zero():
    import chart

    drawing = chart.page([chart.lines({"a & b": [(1, 2), (2, 7)]}, title="t", x="x")])
    texts = [node.text for node in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]
    assert "a & b" in texts
    assert texts.count("0") == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_says_what_it_does(script):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--out" in done.stdout
