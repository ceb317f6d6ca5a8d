"""NRMS and NPA beside recommenders 1.2.1: CPU seconds of a training step and of scoring, and memory, one thread each.

    python benchmarks/news/speed.py --data FOLDER --peers FOLDER [--rounds 3] [--only nrms,npa]

On the impressions of `mind-sample`; articles without text there get twelve random words of the others, the same for
both. Sizes are those of the incumbent's tutorial (preset `incumbent`), steps of 32 clicks with 4 others each.

* step: Palate fits once for 4 steps and once for 40, each whole and in a process of its own, and the difference counts.
  The peer's own `train` is called, after two calls that are not counted.
* scoring: Palate scores all impressions of the sample (its articles are encoded on the way). The peer's slow way, the
  only one that it has for NPA, encodes history and title for each candidate: timed over some batches, times candidates.
* memory: the peak of the process that fits for 40 steps, and of the one that scores; `peak_mb` is the larger. What the
  libraries and the data take before the fit stands beside it.

Both sides take turns. Writes news-speed.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

BATCH, FEW, MANY = 32, 4, 40
OURS = ("cpu_step", "cpu_scores", "mb_imported", "mb_read", "mb_fitted", "mb_scored", "peak_mb")


def prepare(data: Path, folder: Path) -> None:
    """Write the sample in MIND's form, with words for the articles whose text is not there."""
    from palate import words

    lines = (data / "mind-sample" / "behaviors.tsv").read_text(encoding="utf-8").splitlines()
    told = (
        line.split("\t")
        for line in (data / "mind-sample" / "news.tsv").read_text(encoding="utf-8").splitlines()
    )
    titles = {parts[0]: parts[3] for parts in told}
    ids = sorted(
        titles.keys()
        | {one.split("-")[0] for line in lines for one in " ".join(line.split("\t")[3:]).split()}
    )
    import polars as pl

    known = words.encode(pl.Series(list(titles.values()))).words.ids.to_list()
    rng = np.random.default_rng(42)
    rows = [
        f"{one}\tnews\tlocal\t{titles.get(one) or ' '.join(rng.choice(known, 12))}\t\t\t[]\t[]" for one in ids
    ]
    (folder / "news.tsv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    (folder / "behaviors.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def fit(name: str, folder: Path, steps: int, place: Path) -> dict[str, Any]:
    """One fit of so many steps in this process, and the model saved at `place`."""
    palate, imported = _ready()
    news = palate.load_news(folder)
    clicks = np.cumsum(np.minimum(news.train.clicks_of, BATCH))
    part = news.train.select(np.arange(int(np.searchsorted(clicks, steps * BATCH))))
    model = palate.models.create(name, preset="incumbent", epochs=1)
    read = common.process_peak()
    with common.Clock() as clock:
        model.fit(part, catalogue=news.articles)
    peak = common.process_peak()
    model.save(place)
    return {
        "cpu": clock.cpu,
        "steps": -(-part.n_clicks // BATCH),
        "mb_imported": imported,
        "mb_read": read,
        "mb_fitted": peak,
    }


def score(folder: Path, place: Path) -> dict[str, Any]:
    """All impressions scored in this process, by a model that has encoded no article yet."""
    palate, imported = _ready()
    news, model = palate.load_news(folder), palate.load_model(place)
    model.score_impressions(news.train.select(np.arange(8)))  # what is compiled is loaded
    model = palate.load_model(place)
    with common.Clock() as clock:
        model.score_impressions(news.train)
    return {
        "cpu": clock.cpu,
        "candidates": news.train.n_candidates,
        "impressions": len(news.train),
        "mb_imported": imported,
        "mb_scored": common.process_peak(),
    }


def _ready() -> tuple[Any, int]:
    """Return the library, and the peak of memory once it and torch are imported, in MB."""
    import torch

    torch.set_num_threads(1)
    import palate

    _ = palate.NPA, palate.NRMS
    return palate, common.process_peak()


def measure(name: str, folder: str) -> dict[str, Any]:
    """Steps and scores, each in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        few, many = (
            common.worker(__file__, "fit", name, folder, steps, Path(place) / f"model-{steps}")
            for steps in (FEW, MANY)
        )
        scored = common.worker(__file__, "score", folder, Path(place) / f"model-{MANY}")
    return {
        "cpu_step": round((many["cpu"] - few["cpu"]) / (many["steps"] - few["steps"]), 3),
        "cpu_scores": round(scored["cpu"], 2),
        "candidates": scored["candidates"],
        "impressions": scored["impressions"],
        "mb_imported": many["mb_imported"],
        "mb_read": many["mb_read"],
        "mb_fitted": many["mb_fitted"],
        "mb_scored": scored["mb_scored"],
        "peak_mb": max(many["mb_fitted"], scored["mb_scored"]),
    }


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        what, *told = sys.argv[2:]
        if what == "fit":
            name, folder, steps, place = told
            print(json.dumps(fit(name, Path(folder), int(steps), Path(place))))
        else:
            print(json.dumps(score(*map(Path, told))))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="nrms,npa")
    options = parser.parse_args()
    common.warn_when_busy()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        prepare(options.data, Path(place))
        for name in options.only.split(","):
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(measure(name, place))
                theirs.append(
                    common.peer(options.peers, "recotf", "recommenders_news.py", name, place, 10, 20)
                )
                common.say(f"{name}: {ours[-1]} {theirs[-1]}")

            def middle(rows: list[dict[str, Any]], key: str) -> float:
                return statistics.median(row[key] for row in rows)

            whole = middle(theirs, "cpu_candidate") * ours[0]["candidates"]
            found[name] = {
                "palate": {key: middle(ours, key) for key in OURS},
                "recommenders": {
                    "cpu_step": middle(theirs, "cpu_step"),
                    "cpu_scores": round(whole, 1),
                    "peak_mb": middle(theirs, "peak_mb"),
                },
                "times faster, step": round(middle(theirs, "cpu_step") / middle(ours, "cpu_step"), 2),
                "times faster, scores": round(whole / middle(ours, "cpu_scores"), 1),
                "share of memory": round(middle(ours, "peak_mb") / middle(theirs, "peak_mb"), 2),
                "impressions": ours[0]["impressions"],
                "candidates": ours[0]["candidates"],
            }
            common.write(
                "news-speed", {"models": found, "versions": common.versions("torch", "numba")}, options.out
            )


if __name__ == "__main__":
    main()
