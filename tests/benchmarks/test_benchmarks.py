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
    "ncf/ials_speed.py",
    "ratings/board.py",
    "rlrmc/geometry.py",
    "rbm/lists.py",
    "rbm/ratings.py",
    "rbm/speed.py",
    "sasrec/speed.py",
    "sasrec/budget.py",
    "sasrec/simple.py",
    "sasrec/accuracy.py",
]


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for folder in ("sar", "sasrec", "peers"):
        monkeypatch.syspath_prepend(str(BENCHMARKS / folder))


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


def test_sequences_keep_the_last_item_for_the_test(tmp_path):
    import sequences

    (tmp_path / "amazon" / "sequences").mkdir(parents=True)
    (tmp_path / "amazon" / "sequences" / "Beauty.txt").write_text("2 7 8 9 5\n1 4 6 8\n3 4 6\n")
    assert sequences.write(tmp_path, "beauty", tmp_path / "rows.npz") == {"users": 2, "train": 3}
    with np.load(tmp_path / "rows.npz") as rows:
        assert list(zip(rows["user"], rows["item"], strict=True)) == [(1, 4), (2, 7), (2, 8)]
        assert list(zip(rows["valid_user"], rows["valid_item"], strict=True)) == [(1, 6), (2, 9)]


def test_peers_lists_are_judged_over_all_validation_users():
    import watch

    rows = watch.Sequences(np.array([1, 2]), np.array([4, 7]), np.array([1, 2, 3]), np.array([6, 9, 8]))
    user, item, rank = np.array([[1, 6, 1], [2, 5, 1], [2, 9, 3], [3, 8, 11]]).T
    assert rows.ndcg(user, item, rank) == pytest.approx((1 + 1 / 2) / 3)


def test_a_watch_stops_at_the_last_mark_and_keeping_a_state_is_no_training(tmp_path, monkeypatch):
    import watch

    clock = iter(np.array([wall, wall], float) for wall in [0, 1, 2, 2, 9, 10, 11, 11, 99])
    monkeypatch.setattr(watch, "now", lambda: next(clock))
    one = watch.Watch(marks=[1.5, 3.5], folder=tmp_path, steps_per_epoch=5)
    one.begin()
    assert [one.after_step(lambda file: None) for _ in range(4)] == [False, False, False, True]
    assert [kept["wall_s"] for kept in one.kept] == [2, 4]
    assert one.figures()["epoch_wall_s"] == 5


def test_of_a_budget_the_best_until_then_counts():
    import budget

    curves = [
        [{"wall_s": 30, "ndcg": 0.2}, {"wall_s": 61, "ndcg": 0.5}],
        [{"mark_s": 60, "wall_s": 62, "ndcg": 0.3}],
    ]
    assert [budget.best_by(curves, minutes) for minutes in (0.1, 0.5, 1, 2)] == [0, 0.2, 0.3, 0.5]
    assert budget.marks([1.0, 2.0]) == [12, 24, 36, 48, 60, 72, 84, 96, 108, 120]


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_says_what_it_does(script):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--out" in done.stdout
