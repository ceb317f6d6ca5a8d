"""NRMS and NPA in planted news worlds, beside what could be known there, and what the reader's id is worth to NPA.

    python benchmarks/news/planted.py [--worlds 0 1] [--seeds 1 2 3] [--only two,two-alike,three,four]

A world is 2,000 readers x 6 impressions of 25, the last one tests; 5,000 articles; topics of some facets, of which one
counts most for each reader (0.9), and histories that do not tell which. Kinds of world:

    two         two facets of six topics
    two-alike   the same, but nobody weighs: NPA's ids can be worth nothing
    three       three facets of six topics, 10 clicks of history
    four        four facets of ten topics
    two-ten, four-six   what of that it is: two facets of ten topics, four of six (by hand: --only)

`npa-shared` is NPA fitted to the same impressions with all readers given one id: what it lacks is what the id is worth.
`oracle` scores by the law itself, `impersonal` by the law with equal weights. `attention` is the share of a title's
attention that NPA gives to words of the facet that counts for the reader, less that of the other liked ones, over
impressions of the test, and how likely so much is where readers are shuffled (permutation test, 1,000 shuffles).

Each fit is a process with one thread and the models' default settings. Figures in news-planted.json already stay.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

NAME = "news-planted"
WORLDS: dict[str, dict[str, Any]] = {
    "two": {},
    "two-alike": {"weight": 0.5},
    "three": {"facets": 3, "history": 10},
    "four": {"facets": 4, "topics": 10},
    "two-ten": {"topics": 10},
    "four-six": {"facets": 4},
}
USUAL = "two,two-alike,three,four"
LEARNED = ("nrms", "npa", "npa-shared")
PLAIN = ("oracle", "impersonal", "ctr", "content")


def fit(kind: str, world_seed: int, label: str, seed: int) -> dict[str, Any]:
    """Fit one model to one world and judge it, in this process."""
    import palate
    from palate.datasets.simulate import news_world
    from palate.evaluation.clock import Clock
    from palate.evaluation.impressions import measured

    world = news_world(**WORLDS[kind], seed=world_seed)
    train, valid = world.dataset.train, world.dataset.valid
    assert valid is not None
    clock, found = Clock(), {}
    if label in ("oracle", "impersonal"):
        scores = world.scores(valid, personal=label == "oracle")
    else:
        name = label.partition("-")[0]
        asked = valid
        if label == "npa-shared":
            train, asked = as_one(train), as_one(valid)
        params = {"seed": seed} if name in ("nrms", "npa") else {}
        model = palate.models.create(name, **params).fit(train, catalogue=world.dataset.articles)
        found = {"cpu_fit": round(clock.read()[1]["evaluate"], 1), "epochs": len(model.fitted.trace)}
        scores = model.score_impressions(
            asked
        )  # measured by reader all the same: intervals are of who was asked
        if label == "npa" and kind != "two-alike":
            found |= attention(model, world, valid)
    told = measured(valid, scores, ["impression_auc"], clock, seed=1, bootstrap=500, label=label).estimate(
        "impression_auc"
    )
    assert told.ci95 is not None
    return found | {"auc": round(told.mean, 4), "ci95": [round(end, 4) for end in told.ci95]}


def settings(label: str) -> dict[str, Any]:
    """Return a model's parameters but its seed: figures of other ones are made anew."""
    import palate

    if label in ("oracle", "impersonal"):
        return {}
    params = palate.models.create(label.partition("-")[0]).params()
    return json.loads(json.dumps({name: value for name, value in params.items() if name != "seed"}))


def as_one(shown: Any) -> Any:
    """The same impressions, all of one reader."""
    from palate.vocabulary import Vocabulary

    return replace(shown, users=Vocabulary.of(["everybody"]), user=np.zeros(len(shown), np.int32))


def attention(model: Any, world: Any, valid: Any, shuffles: int = 1_000) -> dict[str, Any]:
    """Whether a reader's attention lands on words of the facet that counts for the reader."""
    import torch

    from palate.models.news.reading import compose
    from palate.words import unpacked

    module, titles = model.network(), model.titles()
    names = unpacked(model.fitted.state.words).ids.to_list()
    stems = np.array([name.rstrip("0123456789") for name in names])
    ids = valid.users.decode(valid.user)
    users, people = ids.str.slice(1).cast(int).to_list(), 1 + model.users.encode(ids)
    code, facets = model.items.encode(valid.articles.ids), world.likes.shape[1]
    share = np.zeros((len(users), facets))
    for row, user in enumerate(users):
        articles = np.unique(code[valid.candidate[valid.indptr[row] : valid.indptr[row + 1]]])
        nobody = type(titles)(np.zeros(2, np.int64), np.empty(0, np.int32))
        batch = compose(
            titles, nobody, people[[row]].astype(np.int64), np.zeros(len(articles), np.int64), articles
        )
        with torch.inference_mode():
            tokens = module.tokens(module.tapped(batch.words), batch)
        words = np.concatenate(
            [titles.member[titles.indptr[one] : titles.indptr[one + 1]] for one in articles]
        )
        weights = tokens.weights.numpy()
        for facet in range(facets):
            liked = stems[words] == world.liked(user)[facet]
            share[row, facet] = weights[liked].mean() if liked.any() else np.nan
    main = world.weights[users].argmax(axis=1)
    rng = np.random.default_rng(0)

    def lead(counts: np.ndarray) -> float:
        mine = share[np.arange(len(users)), counts]
        others = (np.nansum(share, axis=1) - np.nan_to_num(mine)) / np.maximum(
            (~np.isnan(share)).sum(axis=1) - ~np.isnan(mine), 1
        )
        return float(np.nanmean(mine - others))

    seen = lead(main)
    chance = [lead(rng.permutation(main)) for _ in range(shuffles)]
    p = (1 + sum(one >= seen for one in chance)) / (1 + shuffles)
    return {
        "attention": round(seen, 4),
        "attention_by_chance": round(float(np.mean(chance)), 4),
        "p": round(p, 4),
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over training seeds, by kind of world, world and model."""
    board: dict[str, Any] = {}
    for run in runs:
        board.setdefault(f"{run['kind']} {run['world']}", {}).setdefault(run["model"], []).append(run)
    return {
        world: {
            label: {
                key: round(float(np.mean([one[key] for one in mine])), 4)
                for key in ("auc", "cpu_fit", "attention", "p")
                if key in mine[0]
            }
            | {"seeds": len(mine)}
            for label, mine in models.items()
        }
        for world, models in board.items()
    }


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        kind, world, label, seed = sys.argv[2:]
        print(json.dumps(fit(kind, int(world), label, int(seed))))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--worlds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--only", default=USUAL, help="kinds of world, separated by commas")
    options = parser.parse_args()
    common.warn_when_busy()
    for kind in options.only.split(","):
        for world in options.worlds:
            for label in (*PLAIN, *LEARNED):
                for seed in options.seeds if label in LEARNED else [0]:
                    asked = {"kind": kind, "world": world, "model": label, "seed": seed}
                    asked["settings"] = settings(label)
                    runs = kept(options.out)
                    if any(asked.items() <= run.items() for run in runs):
                        continue
                    same = asked.keys() - {"settings"}
                    runs = [run for run in runs if any(run[name] != asked[name] for name in same)]
                    found = asked | common.worker(__file__, kind, str(world), label, str(seed))
                    common.say(str(found))
                    runs.append(found)
                    common.write(NAME, {"summary": summary(runs), "runs": runs}, options.out)


def kept(folder: Path) -> list[dict[str, Any]]:
    """Runs of the result file."""
    file = folder / f"{NAME}.json"
    return json.loads(file.read_text())["runs"] if file.exists() else []


if __name__ == "__main__":
    main()
