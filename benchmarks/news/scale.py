"""News at the size of MIND small and large: files written in MIND's form, read, learned from, scored. Resumable.

    python benchmarks/news/scale.py --data FOLDER --scratch FOLDER [--only small,large] [--models nrms,npa]

`news_world(like_mind=True)` makes as many readers, articles and impressions as MIND has (small: 50,000, 51,000 and
157,000 in train; large: 1 million, 160,000 and a million to score, which is what the memory allows here), and writes
the publisher's files. Each model is a process with one thread: it reads the files, learns one epoch with its default
settings (preset fast, width 64), and scores the part to measure on. Figures: seconds to read, CPU minutes of the epoch,
CPU seconds a million impressions scored, and the peak of memory. Large learns from its first 157,000 impressions. The
sizes of the papers (`nrms-paper`, `npa-paper`) learn and score a few thousand impressions, and say what all would take.

All figures of accuracy here are of a made-up world: this is about size. Writes news-scale.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

NAME = "news-scale"
SIZES: dict[str, dict[str, Any]] = {
    "small": {"users": 50_000, "articles": 51_000, "impressions": 4},
    "large": {"users": 1_000_000, "articles": 160_000, "impressions": 2},
}
LEARNED = 157_000
FEW = 4_000
"""impressions for the sizes of the papers"""


def write(size: str, folder: Path) -> dict[str, Any]:
    """Make the world and write its files, in a process of its own."""
    from palate.datasets import to_mind
    from palate.datasets.simulate import news_world

    with common.Clock() as clock:
        world = news_world(
            **SIZES[size], like_mind=True, title_words=5, topic_words=400, common_words=20_000, seed=1
        )
        places = to_mind(world.dataset, folder)
    return {
        "cpu": clock.cpu,
        "peak_mb": common.process_peak(),
        "mb": round(sum(file.stat().st_size for place in places for file in place.iterdir()) / 2**20),
        "train": len(world.dataset.train),
        "test": len(world.dataset.valid or ()),
    }


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Read, learn one epoch, score, in this process."""
    import torch

    torch.set_num_threads(1)
    import palate

    with common.Clock() as reading:
        news = palate.load_news(folder)
    assert news.valid is not None
    name, _, preset = name.partition("-")
    train = _first(news.train, FEW if preset else LEARNED)
    judged = _first(news.valid, FEW) if preset else news.valid
    read_mb = common.process_peak()
    told = {"epochs": 1, "holdout": 0.0} if name in ("nrms", "npa") else {}
    model = palate.models.create(name, **told, **({"preset": preset} if preset else {}))
    with common.Clock() as learning:
        model.fit(train, catalogue=news.articles)
    learn_mb = common.process_peak()
    found = palate.evaluate_impressions(model, judged, bootstrap=0)
    cpu = found.cpu_seconds["recommend"] + found.cpu_seconds["evaluate"]
    trace = model.fitted.trace
    whole = {}
    if preset:
        share = len(train) / len(news.train)
        whole = {"epoch of all, CPU min": round(trace[0]["cpu_seconds"] / share / 60)}
    return whole | {
        "readers": len(news.train.users),
        "articles": len(news.articles),
        "impressions learned": len(train),
        "clicks learned": train.n_clicks,
        "impressions scored": len(judged),
        "candidates scored": judged.n_candidates,
        "read, CPU s": reading.cpu,
        "fit of one epoch, CPU min": round(learning.cpu / 60, 2),
        "clicks/s": round(trace[0]["clicks_per_second"]) if trace else None,
        "scored and measured, CPU s": round(cpu, 1),
        "CPU s a million impressions": round(1e6 * cpu / len(judged), 1),
        "peak MB, read": read_mb,
        "peak MB, learned": learn_mb,
        "peak MB": common.process_peak(),
        "auc": round(found.estimate("impression_auc").mean, 4),
    }


def _first(shown: Any, most: int) -> Any:
    return shown if len(shown) <= most else shown.select(np.arange(most))


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        what, told, folder = sys.argv[2:]
        print(json.dumps(write(told, Path(folder)) if what == "write" else measure(told, Path(folder))))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--scratch", type=Path, required=True, help="where the files are written, some GB")
    parser.add_argument("--only", default=",".join(SIZES))
    parser.add_argument("--models", default="nrms,npa,ctr,content,nrms-paper,npa-paper")
    options = parser.parse_args()
    for size in options.only.split(","):
        folder = (options.scratch / f"{NAME}-{size}").resolve()
        for name in ("files", *options.models.split(",")):
            file = options.out / f"{NAME}.json"
            found = json.loads(file.read_text())["sizes"] if file.exists() else {}
            done = found.setdefault(size, {})
            if name in done:
                continue
            if name == "files" or not folder.exists():
                done["files"] = common.worker(__file__, "write", size, folder)
            if name != "files":
                done[name] = common.worker(__file__, "measure", name, folder)
            common.say(f"{size}, {name}: {done[name]}")
            common.write(NAME, {"sizes": found}, options.out)


if __name__ == "__main__":
    main()
