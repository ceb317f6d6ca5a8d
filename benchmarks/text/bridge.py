"""A language model as a recommender of news: zero-shot, aligned on clicks, and beside NRMS, in a planted world of
English.

    python benchmarks/text/bridge.py [--users 300] [--impressions 4] [--measured 150] [--only lm dpo orpo] [--seeds 1]

The world is `simulate.news_world` with its made-up words exchanged for English ones of the same topic, so that titles
are words that a language model knows. SmolLM2-135M-Instruct orders ten candidates by log P(title | titles read);
aligned, LoRA learns from each click of train beside one article that was shown and not clicked, by the loss of DPO's
paper or by ORPO's. AUC with intervals by reader, CPU seconds an impression, one thread. Writes text-bridge.json.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np

import common

WORDS = {
    "sport": "match goal coach league striker stadium referee champion tournament athlete",
    "money": "bank shares profit stocks budget investor loan currency dividend savings",
    "health": "doctor vaccine hospital surgery nurse patient therapy clinic diet virus",
    "travel": "flight hotel passport luggage beach cruise tourist airport resort museum",
    "music": "album concert guitar singer orchestra melody drummer choir piano festival",
    "science": "physics telescope molecule laboratory experiment genome particle comet fossil neuron",
    "north": "Norway glacier Arctic Oslo reindeer Finland fjord blizzard Iceland sled",
    "south": "Brazil samba Amazon Rio jaguar Peru carnival llama Chile tango",
    "east": "Japan Tokyo samurai sushi temple Kyoto bamboo Osaka kimono pagoda",
    "west": "Texas cowboy ranch Nevada canyon rodeo Arizona saloon prairie bison",
    "coast": "harbor lighthouse fisherman tide sailor reef dolphin surfer pier seagull",
    "hills": "shepherd meadow cottage vineyard trail pasture goat castle orchard valley",
}
COMMON = (
    "today says new year after report people first week plan why how group open call early late big small next old "
    "part time day talk return show look start end make keep find give turn move hold bring long"
)
SIZE = {"topic_words": 10, "common_words": 40, "title_words": 2, "shown": 10, "articles": 600, "history": 6}


def world(users: int, impressions: int) -> tuple[Any, Any]:
    """Return the planted world, and its data with English titles."""
    from dataclasses import replace

    import polars as pl

    import palate
    from palate.datasets.simulate import news_world

    made = news_world(users=users, impressions=impressions, seed=0, **SIZE)
    table, shared = made.dataset.articles.table, COMMON.split()

    def english(title: str) -> str:
        told = []
        for word in title.split():
            topic, number = re.fullmatch(r"(\D+)(\d+)", word).groups()
            told.append(
                WORDS[topic].split()[int(number)] if topic in WORDS else shared[int(number) % len(shared)]
            )
        return " ".join(told)

    column = made.dataset.articles.text[0]
    titles = [english(one) for one in table[column].to_list()]
    catalogue = palate.Catalogue.from_table(table.with_columns(pl.Series(column, titles)), text=[column])
    return made, replace(made.dataset, articles=catalogue)


def measure(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """Fit and judge one model in this process."""
    import palate

    made, data = world(told["users"], told["impressions"])
    rows = np.sort(
        np.random.default_rng(0).choice(
            len(data.valid), min(told["measured"], len(data.valid)), replace=False
        )
    )
    shown = data.valid.select(rows)
    if name == "oracle":
        scores = made.scores(shown)
        from palate.evaluation.clock import Clock
        from palate.evaluation.impressions import measured

        one = measured(shown, scores, ["impression_auc"], Clock(), seed=42, bootstrap=1000, label=name)
        auc = one.estimate("impression_auc")
        return {"auc": auc.mean, "ci95": auc.ci95}
    lm = {"device": "cpu", "seed": told["seed"]}
    model = {
        "lm": lambda: palate.LM(**lm),
        "lm-mean": lambda: palate.LM(measure="mean", **lm),
        "lm-gain": lambda: palate.LM(measure="gain", **lm),
        "dpo": lambda: palate.LM(align="dpo", beta=0.3, learning_rate=1e-3, **lm),
        "orpo": lambda: palate.LM(align="orpo", weight=1.0, learning_rate=1e-3, **lm),
        "nrms": lambda: palate.NRMS(seed=told["seed"]),
        "content": palate.Content,
    }[name]()
    with common.Clock() as fit:
        model.fit(data.train, catalogue=data.articles)
    with common.Clock() as asked:
        one = palate.evaluate_impressions(model, shown, metrics="impression_auc")
    auc = one.estimate("impression_auc")
    found = {
        "auc": auc.mean,
        "ci95": auc.ci95,
        "fit_cpu_s": fit.cpu,
        "cpu_s_an_impression": round(asked.cpu / len(shown), 5),
    }
    return found | {
        "peak_mb": common.process_peak(),
        "params": {k: v for k, v in model.params().items() if k != "request"},
    }


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(measure(sys.argv[2], json.loads(sys.argv[3]))))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--impressions", type=int, default=4, help="of each reader; the last one is measured")
    parser.add_argument("--measured", type=int, default=150)
    parser.add_argument(
        "--only", nargs="+", default=["oracle", "content", "nrms", "lm", "lm-mean", "lm-gain", "dpo"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    options = parser.parse_args()
    told = {"users": options.users, "impressions": options.impressions, "measured": options.measured}
    runs = []
    for seed in options.seeds:
        for name in options.only:
            found = common.worker(__file__, name, json.dumps(told | {"seed": seed}))
            runs.append({"model": name, "seed": seed} | found)
            common.say(str(runs[-1]))
            common.write("text-bridge", {"world": told | SIZE, "runs": runs}, options.out)


if __name__ == "__main__":
    main()
