"""Models of news on `mind-sample` with Chinese titles: does the path from files to figures work? Resumable.

    python benchmarks/news/sample.py --data FOLDER [--seeds 1 2 3]

4,000 impressions train (2,164 clicks with something beside them that has text or history), the last 1,000 in time test;
of most articles the sample has no text at all. So this shows that the path works, and not that NRMS is good: what was
clicked so far (`ctr`) tells more here than any reading. `blend` weighs the click rate and the words, `blend of three`
NRMS too; both find their weights on the last quarter of train. `late` judges the models that draw nothing on that
quarter, on which `SETTINGS` were chosen.

Ties are broken against the order in the file, as everywhere, so that a list with its clicks first gains nothing. Each
model is a process with one thread. Writes news-sample.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

NAME = "news-sample"
CONTENT = {"name": "content", "tokenizer": "bigrams", "text": ["title", "abstract"]}
NRMS = {"name": "nrms", "tokenizer": "bigrams"}
SETTINGS: dict[str, dict[str, Any]] = {
    "ctr": {"name": "ctr"},
    "content": CONTENT,
    "nrms": NRMS,
    "npa": {"name": "npa", "tokenizer": "bigrams"},
    "blend": {"name": "news_blend", "models": [{"name": "ctr"}, CONTENT]},
    "blend of three": {"name": "news_blend", "models": [{"name": "ctr"}, CONTENT, NRMS]},
}
DRAWN = ("nrms", "npa", "blend of three")


def measure(label: str, seed: int, data: Path, part: str) -> dict[str, Any]:
    """Fit one model and judge it, in this process; `part` late: on the last quarter of train, to choose settings."""
    import polars as pl

    import palate

    news = palate.load_news(data / "mind-sample")
    table = pl.read_csv(
        data / "mind-sample" / "xmind_small_dev_news.cmn.tsv.gz", separator="\t", quote_char=None
    ).rename({"nid": "item"})
    articles = palate.Catalogue.from_table(table, name="title", text=["title", "abstract"])
    train, test = news.train.before(0.8)
    if part == "late":
        train, test = train.before(0.75)
    told = dict(SETTINGS[label])
    if label in DRAWN:
        if "models" in told:
            told["models"] = [
                one | ({"seed": seed} if one["name"] == "nrms" else {}) for one in told["models"]
            ]
        else:
            told["seed"] = seed
    with common.Clock() as clock:
        model = palate.models.create(**told).fit(train, catalogue=articles)
    found = palate.evaluate_impressions(model, test, bootstrap=1_000)
    weights = getattr(model.fitted.state, "weights", None)
    return {
        "cpu_fit": clock.cpu,
        "impressions": len(found.rows),
        **{
            key.removeprefix("impression_"): {
                "mean": round(one.mean, 4),
                "ci95": [round(end, 4) for end in one.ci95 or ()],
            }
            for key, one in found.estimates.items()
        },
        **({"weights": np.round(weights, 3).tolist()} if isinstance(weights, np.ndarray) else {}),
    }


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        label, seed, data, part = sys.argv[2:]
        print(json.dumps(measure(label, int(seed), Path(data), part)))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    for label, told in SETTINGS.items():
        asked = [("test", seed) for seed in (options.seeds if label in DRAWN else [0])]
        for part, seed in asked + ([("late", 0)] if label not in DRAWN else []):
            key = {"model": label, "seed": seed, "part": part, "settings": told}
            runs = kept(options.out)
            if any(key.items() <= run.items() for run in runs):
                continue
            found = common.worker(__file__, label, seed, options.data.resolve(), part)
            common.say(f"{label}, seed {seed}, {part}: {found}")
            runs.append(key | found)
            common.write(NAME, {"summary": summary(runs), "runs": runs}, options.out)


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean AUC over seeds, by model and part."""
    board: dict[str, Any] = {}
    for run in runs:
        board.setdefault(run["model"], {}).setdefault(run["part"], []).append(run["auc"]["mean"])
    return {
        label: {
            part: {"auc": round(float(np.mean(one)), 4), "seeds": len(one)} for part, one in parts.items()
        }
        for label, parts in board.items()
    }


def kept(folder: Path) -> list[dict[str, Any]]:
    """Runs of the result file that are of the settings above."""
    file = folder / f"{NAME}.json"
    runs = json.loads(file.read_text())["runs"] if file.exists() else []
    return [run for run in runs if run["settings"] == SETTINGS.get(run["model"])]


if __name__ == "__main__":
    main()
