"""The benchmarks of news: scripts start, and figures of the shared control have intervals by reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import palate

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


def test_attention_is_found_on_the_words_that_count_and_not_where_none_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a world of strong likes NPA's attention is on the planted words; by a network that knows nothing, anywhere."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(NEWS))
    import planted

    from palate.datasets.simulate import news_world

    sizes = {
        "users": 200,
        "articles": 300,
        "impressions": 20,
        "shown": 10,
        "topic_words": 8,
        "common_words": 60,
    }
    world = news_world(**sizes, sharpness=10.0, seed=1)
    valid = world.dataset.valid
    small = {"word_size": 32, "filters": 32, "seed": 1}
    learned = palate.NPA(**small, epochs=10).fit(world.dataset)
    found = planted.attention(learned, world, valid, shuffles=200)
    assert found["attention"] > found["attention_by_chance"]
    assert found["p"] < 0.05
    blank = palate.NPA(**small, epochs=1, learning_rate=1e-12).fit(world.dataset)
    assert planted.attention(blank, world, valid, shuffles=200)["p"] > 0.05
