"""NRMS and NPA beside recommenders 1.2.1: CPU seconds of a training step and of scoring, and memory, one thread each.

    python benchmarks/news/speed.py --data FOLDER --peers FOLDER [--rounds 3] [--only nrms,npa]

On the impressions of `mind-sample`; articles without text there get twelve random words of the others, the same for
both. Sizes are those of the incumbent's tutorial (preset `incumbent`), steps of 32 clicks with 4 others each.

* step: Palate fits once for 4 steps and once for 16, each whole, and the difference counts. The peer's own `train` is
  called, after two calls that are not counted.
* scoring: Palate scores all impressions of the sample (its articles are encoded on the way). The peer's slow way, the
  only one that it has for NPA, encodes history and title for each candidate: timed over some batches, times candidates.

Both sides take turns, each run in a process of its own. Writes news-speed.json.
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

BATCH, FEW, MANY = 32, 4, 16


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


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Steps and scores in this process; what is compiled is loaded before."""
    import torch

    torch.set_num_threads(1)
    import palate

    news = palate.load_news(folder)
    clicks = np.cumsum(np.minimum(news.train.clicks_of, BATCH))
    last = {steps: int(np.searchsorted(clicks, steps * BATCH)) for steps in (1, FEW, MANY)}

    def fitted(steps: int) -> tuple[Any, float, float]:
        part = news.train.select(np.arange(last[steps]))
        model = palate.models.create(name, preset="incumbent", epochs=1, holdout=0.0)
        with common.Clock() as clock:
            model.fit(part, catalogue=news.articles)
        return model, clock.cpu, -(-part.n_clicks // BATCH)

    fitted(1)
    (_, few, steps), (model, many, more) = fitted(FEW), fitted(MANY)
    model.score_impressions(news.train.select(np.arange(8)))
    with tempfile.TemporaryDirectory() as place:  # read again, it has encoded no article yet
        again = palate.load_model(model.save(Path(place) / "model"))
    with common.Clock() as scoring:
        again.score_impressions(news.train)
    return {
        "cpu_step": round((many - few) / (more - steps), 3),
        "cpu_scores": round(scoring.cpu, 2),
        "candidates": news.train.n_candidates,
        "impressions": len(news.train),
        "peak_mb": common.process_peak(),
    }


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
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
                ours.append(common.worker(__file__, name, place))
                theirs.append(
                    common.peer(options.peers, "recotf", "recommenders_news.py", name, place, 10, 20)
                )
                common.say(f"{name}: {ours[-1]} {theirs[-1]}")

            def middle(rows: list[dict[str, Any]], key: str) -> float:
                return statistics.median(row[key] for row in rows)

            whole = middle(theirs, "cpu_candidate") * ours[0]["candidates"]
            found[name] = {
                "palate": {key: middle(ours, key) for key in ("cpu_step", "cpu_scores", "peak_mb")},
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
