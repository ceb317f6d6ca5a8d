"""What I-ORPO teaches beside SFT, and whether it is the constraint that was learned: sources, kinds and corrupters held
out.

    python benchmarks/text/learning.py --data FOLDER --scratch FOLDER [--models raw,sft-1,iorpo-1,...] [--collect]
                                       [--part dev] [--pairs 192] [--set NAME=VALUE ...]

SmolLM2-135M-Instruct, LoRA, texts of up to 512 tokens of `longform`. Train is O. Henry and Chekhov, settings are chosen
on
Poe (`--part dev`), and Austen, Wells and Doyle are the test. A pair shows one constraint; SFT learns the preferred
sides of
the same pairs in the same steps. Each model is then asked, of texts of the test,

    seen      one constraint of a kind that was trained, corrupted by what is true of another text; the control: that
              other text, where the order must turn
    all       all constraints at once (M,M)
    unseen    one constraint of a kind that no pair of train had
    own       one constraint, corrupted by its kind's own rule, which no pair of train was

Intervals resample chapters. Every model is trained, judged and written by itself, in the scratch folder, with its
checkpoints: what was stopped goes on, and several may run beside one another. `--collect` writes what is there to
text-learning.json.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

UNSEEN = (
    "place",
    "animal",
    "food",
    "entrance",
    "closing_name",
    "tense",
    "mood",
    "questions",
    "semicolons",
    "ending",
)
"""kinds of constraints that are held out of training: of each sort some"""
AUTHORS = {
    "train": ("o-henry", "anton-chekhov"),
    "dev": ("edgar-allan-poe",),
    "test": ("jane-austen", "h-g-wells", "arthur-"),
}
TOKENS, PIECES, WORDS = 512, 4, (280, 380)
MODELS = "raw,sft-1,iorpo-1,sft-2,iorpo-2,sft-3,iorpo-3"
# Chosen on dev.
SETTINGS: dict[str, Any] = {
    "rank": 16, "alpha": 16, "dropout": 0.0, "epochs": 1, "rounds": 6, "batch": 4, "learning_rate": 5e-4,
    "warmup": 0.05, "weight": 5.0, "max_tokens": 700, "too_long": "cut", "recompute": False, "patience": 100,
}  # fmt: skip


def sets(data: Path, part: str, pairs: int, texts: int) -> dict[str, list[Any]]:
    """Return examples: those of train, and those that models are asked, of `part`."""
    from palate.text.constraints.registry import kinds
    from palate.text.corpus import documents
    from palate.text.suri import build

    corpus = documents(data / "longform" / "standard_ebooks.jsonl.gz", words=WORDS, pieces=PIECES).documents
    parts = {name: [one for one in corpus if one.source.startswith(mine)] for name, mine in AUTHORS.items()}
    train = Random(0).sample(parts["train"], pairs)
    # chapters are what intervals resample
    asked = [dataclasses.replace(one, source=f"{one.source}/{one.title}") for one in parts[part]]
    seen = [name for name in kinds() if name not in UNSEEN]
    many = {"constraints": (4, 10), "only": seen}
    made = {
        "train": build(train, seed=0, **many),
        "seen": build(asked, seed=1, **many),
        "unseen": build(asked, seed=2, constraints=(1, 4), only=UNSEEN),
        "own": build(asked, seed=3, corrupter="own", **many),
    }
    return {name: some if name == "train" else _some(some, texts) for name, some in made.items()}


def _some(examples: list[Any], texts: int) -> list[Any]:
    """Return so many examples, by a draw that does not depend on the set: the same texts in each as far as they go."""
    return sorted(examples, key=lambda one: hashlib.sha256(one.id.encode()).digest())[:texts]


def trained(
    name: str, examples: list[Any], settings: dict[str, Any], folder: Path
) -> tuple[Any, dict[str, Any]]:
    """Return the model of that name, and what its training cost."""
    from palate.text import language_model
    from palate.text.align import Training, align
    from palate.text.align.data import pairs_of

    base = language_model.load(device="cpu")
    if name == "raw":
        return base, {}
    method, seed = name.split("-")
    told = folder / "training.json"
    if told.exists():
        return language_model.load(folder / "model", device="cpu"), json.loads(told.read_text())
    how = Training(method=method, seed=int(seed), **settings)
    started, clock = time.perf_counter(), common.Clock()
    with clock:
        done = align(
            base, pairs_of(examples, shown="one", seed=int(seed)), how, checkpoint=folder / "state",
            note=lambda **row: common.say(f"{name}: " + ", ".join(f"{k} {v:.4g}" for k, v in row.items())),
        )  # fmt: skip
    language_model.save(done.model, folder / "model")
    cost = {"cpu_s": clock.cpu, "wall_s": round(time.perf_counter() - started, 1), "trace": done.trace}
    told.write_text(json.dumps(cost))
    return done.model, cost


def judged(model: Any, asked: dict[str, list[Any]]) -> dict[str, Any]:
    """Return accuracy in each of the ways it is asked, and -log P a token of the texts."""
    from palate.evaluation.following import ranking_accuracy
    from palate.text.rank import rank

    ways = {
        "seen": ("seen", ("1,1",), {"draws": 2, "controls": True}),
        "all": ("seen", ("M,M",), {}),
        "unseen": ("unseen", ("1,1",), {}),
        "own": ("own", ("1,1",), {}),
    }
    found: dict[str, Any] = {}
    for way, (name, specificities, more) in ways.items():
        ranking = rank(model, asked[name], specificities=specificities, tokens=TOKENS, **more)
        accuracy = ranking_accuracy(ranking.trials)
        found[way] = {
            f"{group.by} {group.name}": {
                "accuracy": group.accuracy.mean, "ci95": group.accuracy.ci95, "trials": group.accuracy.n,
                "margin": group.margin,
            }
            for group in accuracy.groups
        } | {"resampled": accuracy.clusters}  # fmt: skip
        found[way]["nll"] = ranking.nll
        found[way]["trials"] = [
            [one.example, one.source, *one.kinds, one.overlap, one.control, round(one.margin, 4)]
            for one in ranking.trials
        ]
        common.say(json.dumps({way: {k: v for k, v in found[way].items() if k != "trials"}}))
    return found


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--scratch", type=Path, required=True, help="folder of models and checkpoints")
    parser.add_argument("--models", default=MODELS, help="raw, or a method and a seed, separated by commas")
    parser.add_argument("--part", choices=("dev", "test"), default="test", help="whose texts are asked")
    parser.add_argument("--pairs", type=int, default=192, help="texts of train")
    parser.add_argument("--texts", type=int, default=60, help="texts that are asked")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="another setting, to choose"
    )
    parser.add_argument("--collect", action="store_true", help="only write the result file of what is there")
    options = parser.parse_args()
    settings = SETTINGS | {
        name: json.loads(value) for name, _, value in (one.partition("=") for one in options.set)
    }
    key = hashlib.sha256(
        json.dumps([options.part, options.pairs, options.texts, settings]).encode()
    ).hexdigest()[:8]
    place = options.scratch / key
    if not options.collect:
        asked = sets(options.data, options.part, options.pairs, options.texts)
        common.say(str({name: len(some) for name, some in asked.items()}))
        for name in options.models.split(","):
            file = place / name / "judged.json"
            if file.exists():
                continue
            (place / name).mkdir(parents=True, exist_ok=True)
            model, cost = trained(name, asked["train"], settings, place / name)
            found = judged(model, asked)
            file.write_text(json.dumps({"model": name} | cost | found))
    done = {file.parent.name: json.loads(file.read_text()) for file in sorted(place.glob("*/judged.json"))}
    told = {
        "part": options.part,
        "pairs": options.pairs,
        "texts": options.texts,
        "settings": settings,
        "unseen": UNSEEN,
    }
    common.write("text-learning", told | {"models": done}, options.out)
    for name, one in done.items():
        print(
            name,
            {
                way: {k: v["accuracy"] for k, v in one[way].items() if isinstance(v, dict)}
                for way in ("seen", "all", "unseen", "own")
            },
        )


if __name__ == "__main__":
    main()
