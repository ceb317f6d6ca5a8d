"""A small world with two tastes, as a file and as a plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palate.evaluation.result import Result
from palate.experiment.run import run

PLAN = """
[data]
path = "ratings.csv"
items = "items.csv"
value = "rating"

[split]
method = "chronological"
ratio = 0.7

[[models]]
name = "random"

[[models]]
name = "popularity"

[[models]]
name = "sar"
label = "sar-30d"
half_life_days = 30

[[models]]
name = "ease"
l2 = 5.0

[evaluate]
k = [3, 5]
metrics = ["ndcg", "recall", "coverage"]
bootstrap = 100

[report]
examples = 3
"""


def make_world(folder: Path) -> Path:
    """Write data and a plan, return the plan; users of even number like even items, the others odd ones."""
    random = np.random.default_rng(7)
    lines = ["user,item,rating,time"]
    for user in range(40):
        liked = random.permutation(np.arange(user % 2, 24, 2))[:9]
        for place, item in enumerate(liked):
            lines.append(f"u{user},i{item},{3 + place % 3},{1_600_000_000 + 86_400 * (place * 3 + user % 5)}")
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n")
    names = [f"i{item},<b>Item & number</b> {item}" for item in range(24)]
    (folder / "items.csv").write_text("item,name\n" + "\n".join(names) + "\n")
    (folder / "plan.toml").write_text(PLAN)
    return folder / "plan.toml"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Return a plan file beside its data."""
    return make_world(tmp_path)


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """Return the result of a run of that plan, and its folder."""
    folder = tmp_path_factory.mktemp("world")
    return run(make_world(folder), out=folder / "out"), folder / "out"
