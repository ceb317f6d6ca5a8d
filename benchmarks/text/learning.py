"""What I-ORPO teaches beside SFT, and whether it is the constraint that was learned: sources, kinds and corrupters held
out.

    python benchmarks/text/learning.py --data FOLDER --scratch FOLDER [--models raw,sft-1,iorpo-1,...] [--collect]
                                       [--part dev] [--pairs 192] [--set NAME=VALUE ...]

SmolLM2-135M-Instruct, LoRA, whole texts of `longform` that end within 512 tokens, the token that ends them counted, so
that every constraint is proven of what is read. Train is O. Henry and Chekhov, settings are chosen on Poe (`--part
dev`), and Austen, Wells and Doyle are the test. A pair shows one constraint, and of an exchange both halves are shown;
SFT learns the preferred sides of the same pairs in the same steps. Each model is then asked, of texts of the test,

    seen      one constraint of a kind that was trained, corrupted by what is true of another text; the control: a drawn
              text of which the corruption is true, where the order must turn; blind: the instructions alone
    all       all constraints at once (M,M)
    unseen    one constraint of a kind that no pair of train had
    own       one constraint, corrupted by its kind's own rule, which no pair of train was

and writes a text for some of the instructions, greedily and drawn, of up to 640 tokens. Differences (I-ORPO minus as it
is, I-ORPO minus SFT of the same seed) are paired on the same trials; intervals resample chapters, with all pieces.

Every model is trained, asked and has written by itself, in the scratch folder, with its checkpoints: what was stopped
goes on, and several may run beside one another. `--collect` writes what is there to text-learning.json.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

UNSEEN = (
    "place", "animal", "food", "entrance", "closing_name", "tense", "mood", "questions", "semicolons", "ending",
)  # fmt: skip
"""kinds of constraints that are held out of training: of each sort some"""
AUTHORS = {
    "train": ("o-henry", "anton-chekhov"),
    "dev": ("edgar-allan-poe",),
    "test": ("jane-austen", "h-g-wells", "arthur-"),
}
TOKENS = 512
"""of a text at most"""
MODELS = "raw,sft-1,iorpo-1,sft-2,iorpo-2,sft-3,iorpo-3"
SETTINGS: dict[str, Any] = {
    "rank": 16, "alpha": 16, "dropout": 0.0, "epochs": 1, "rounds": 6, "batch": 4, "learning_rate": 5e-4,
    "warmup": 0.05, "weight": 5.0, "recompute": False, "patience": 100,
}  # fmt: skip
"""to be chosen on dev; no pair is cut"""
WAYS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "seen": ("seen", ("1,1",), {"draws": 2, "controls": True}),
    "all": ("seen", ("M,M",), {}),
    "unseen": ("unseen", ("1,1",), {"draws": 1}),
    "own": ("own", ("1,1",), {"draws": 1}),
}
"""which set is asked, how much of an instruction is shown, and how often"""
HOW = {"greedy": 0.0, "drawn": 1.0}
"""temperatures of what is written"""


# --- the sets -------------------------------------------------------------------------------------------------


def sets(base: Any, told: Namespace) -> dict[str, list[Any]]:
    """Return examples: those of train, and those that models are asked, of a part."""
    from palate.text.constraints.registry import kinds
    from palate.text.corpus import documents
    from palate.text.suri import build

    low, high = map(int, told.words.split("-"))
    place = told.data / "longform" / "standard_ebooks.jsonl.gz"
    every = documents(place, words=(low, high), pieces=4).documents
    corpus = [one for one in every if len(base.response(one.text)) <= TOKENS]
    common.say(f"{len(every) - len(corpus):,} of {len(every):,} texts are over {TOKENS} tokens: left out")
    parts = {name: [one for one in corpus if one.source.startswith(mine)] for name, mine in AUTHORS.items()}
    train = Random(0).sample(parts["train"], min(told.pairs, len(parts["train"])))
    asked = parts[told.part]
    many = {"constraints": (4, 10), "only": [name for name in kinds() if name not in UNSEEN]}
    made = {
        "train": build(train, seed=0, **many),
        "seen": build(asked, seed=1, **many),
        "unseen": build(asked, seed=2, constraints=(1, 4), only=UNSEEN),
        "own": build(asked, seed=3, corrupter="own", **many),
    }
    return {name: some if name == "train" else _some(some, told.texts) for name, some in made.items()}


def _some(examples: list[Any], texts: int) -> list[Any]:
    """Return so many examples, by a draw that does not depend on the set: the same texts in each as far as they go."""
    return sorted(examples, key=lambda one: hashlib.sha256(one.id.encode()).digest())[:texts]


def _key(examples: dict[str, list[Any]], settings: dict[str, Any], base: str) -> str:
    """Return what a run is of; where it is computed is no part of that."""
    rows = {name: [one.row() for one in some] for name, some in examples.items()}
    how = {name: value for name, value in settings.items() if name != "device"}
    return hashlib.sha256(json.dumps([how, base, rows]).encode()).hexdigest()[:8]


# --- one model ------------------------------------------------------------------------------------------------


def one_model(
    name: str, base: Callable[[], Any], examples: dict[str, list[Any]], told: Namespace, place: Path
) -> None:
    """Train a model, ask it in every way and have it write, as far as that is not done."""
    from palate.text.generate import Sampling, generate
    from palate.text.rank import rank

    place.mkdir(parents=True, exist_ok=True)
    model = trained(name, base, examples["train"], told.settings, place)
    for way, (asked, specificities, more) in WAYS.items():
        file = place / f"{way}.jsonl"
        if not file.exists():
            found = rank(model, examples[asked], specificities=specificities, **more)
            lines = "".join(json.dumps(asdict(one)) + "\n" for one in found.trials)
            _whole(file, lines)
            common.say(f"{name}, {way}: {len(found.trials)} trials")
    requests = [(one.id, one.chosen) for one in examples["seen"][: told.written]]
    for way, temperature in HOW.items():
        how = Sampling(temperature=temperature, max_tokens=told.max_tokens)
        generate(model, requests, how, out=place / f"{way}-texts.jsonl")
        common.say(f"{name}, {way}: {len(requests)} texts")


def trained(
    name: str, base: Callable[[], Any], examples: list[Any], settings: dict[str, Any], place: Path
) -> Any:
    """Return the model of that name; what its training cost is written beside it."""
    from palate.text import language_model
    from palate.text.align import Training, align
    from palate.text.align.data import pairs_of

    if name == "raw":
        return base()
    cost = place / "training.json"
    if cost.exists():
        return language_model.load(place / "model", device=base().network.device.type)
    method, seed = name.split("-")
    pairs = pairs_of(examples, shown="one", seed=int(seed))
    how = Training(method=method, seed=int(seed), **settings)

    def note(**row: float) -> None:
        common.say(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in row.items()))

    started = time.perf_counter()
    with common.Clock() as clock:
        done = align(base(), pairs, how, checkpoint=place / "state", note=note)
    language_model.save(done.model, place / "model")
    facts = {"pairs": len(pairs), "cpu_s": clock.cpu, "wall_s": round(time.perf_counter() - started, 1)}
    _whole(cost, json.dumps(facts | {"trace": done.trace}))
    return done.model


def _whole(file: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)


# --- the board ------------------------------------------------------------------------------------------------


def board(place: Path, examples: dict[str, list[Any]]) -> dict[str, Any]:
    """Return what is there of every model, and the paired differences."""
    seen = examples["seen"]
    done = {one.name: _of_model(one, seen) for one in sorted(place.iterdir()) if _asked(one)}
    pairs = [(name, other) for name in done for other in _beside(name) if other in done]
    found = {f"{one} minus {other}": _paired([(place / one, place / other)], seen) for one, other in pairs}
    for against in ("raw", "sft"):  # over all seeds: a chapter stands with all of them
        of_seeds = [
            (place / one, place / other)
            for one, other in pairs
            if one.startswith("iorpo") and other.startswith(against)
        ]
        if len(of_seeds) > 1:
            found[f"iorpo minus {against}, {len(of_seeds)} seeds"] = _paired(of_seeds, seen)
    return {"models": done, "paired": found}


def _beside(name: str) -> list[str]:
    """Return what a model is compared with."""
    method, _, seed = name.partition("-")
    return {"iorpo": ["raw", f"sft-{seed}"], "sft": ["raw"]}.get(method, [])


def _asked(place: Path) -> bool:
    return place.is_dir() and all((place / f"{way}.jsonl").exists() for way in WAYS)


def _of_model(place: Path, examples: list[Any]) -> dict[str, Any]:
    from palate.evaluation.following import ranking_accuracy
    from palate.evaluation.written import measure
    from palate.text.generate import read
    from palate.text.rank import read_trials

    told: dict[str, Any] = {}
    for way in WAYS:
        trials = read_trials(place / f"{way}.jsonl")
        plain = [one for one in trials if not one.control]
        told[way] = {
            f"{group.by} {group.name}": asdict(group.accuracy) | {"margin": group.margin}
            for group in ranking_accuracy(trials).groups
        } | {"nll": -sum(one.log_p for one in plain) / sum(one.tokens for one in plain)}
    for how, temperature in HOW.items():
        texts = read(place / f"{how}-texts.jsonl") if (place / f"{how}-texts.jsonl").exists() else []
        if texts:
            rows = measure(texts, examples).rows()
            told[f"{how} texts"] = {"temperature": temperature, "texts": len(texts)} | {
                name: asdict(one) for name, one in rows.items()
            }
    cost = place / "training.json"
    return told | ({"training": json.loads(cost.read_text())} if cost.exists() else {})


def _paired(places: Sequence[tuple[Path, Path]], examples: list[Any]) -> dict[str, Any]:
    """Return how much more often one is right than the other on the same trials, those of all seeds together."""
    from palate.text.rank import read_trials

    told = {}
    for way in WAYS:
        groups: dict[str, list[tuple[float, str]]] = {}
        for one, other in places:
            theirs = {_question(trial): trial for trial in read_trials(other / f"{way}.jsonl")}
            for trial in read_trials(one / f"{way}.jsonl"):
                more = float(trial.right) - float(theirs[_question(trial)].right)
                group = "control" if trial.control else "right"
                groups.setdefault(group, []).append((more, trial.chapter))
        told[way] = {name: _mean(some) for name, some in groups.items()}
    for how in HOW:
        if found := [row for pair in places for row in _more_met(pair, f"{how}-texts.jsonl", examples)]:
            told[f"{how} texts"] = {"constraints met": _mean(found)}
    return told


def _mean(rows: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Return the mean of values, each with its chapter, with an interval."""
    import numpy as np

    from palate.evaluation.following import clustered

    return asdict(clustered(np.array([value for value, _ in rows]), [chapter for _, chapter in rows]))


def _more_met(pair: tuple[Path, Path], file: str, examples: list[Any]) -> list[tuple[float, str]]:
    """Return how much larger a share of its constraints each text meets than the other model's of the same request."""
    from palate.text.constraints import holds
    from palate.text.generate import read
    from palate.text.prose import Prose

    if not all((one / file).exists() for one in pair):
        return []
    of_id = {one.id: one for one in examples}

    def met(text: Any) -> float:
        prose, asked = Prose(text.text), of_id[text.id].contrasts
        return sum(holds(one.chosen, prose) for one in asked) / len(asked)

    one, other = ({text.id: met(text) for text in read(folder / file)} for folder in pair)
    return [(one[name] - other[name], of_id[name].chapter) for name in one.keys() & other.keys()]


def _question(trial: Any) -> tuple[bool, str]:
    return trial.control, trial.question


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--scratch", type=Path, required=True, help="folder of models and checkpoints")
    parser.add_argument("--models", default=MODELS, help="raw, or a method and a seed, separated by commas")
    parser.add_argument("--base", default="smollm2", help="the language model they start from")
    parser.add_argument("--device", default="cpu", help="where they are trained and asked")
    parser.add_argument("--part", choices=("dev", "test"), default="test", help="whose texts are asked")
    parser.add_argument("--words", default="200-360", help="of a text; those over the tokens are left out")
    parser.add_argument("--pairs", type=int, default=192, help="texts of train")
    parser.add_argument("--texts", type=int, default=60, help="texts that are asked")
    parser.add_argument("--written", type=int, default=20, help="texts that are written, in each way")
    parser.add_argument("--max-tokens", type=int, default=640, help="of a text that is written")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="another setting, to choose"
    )
    parser.add_argument("--collect", action="store_true", help="only write the result file of what is there")
    told = parser.parse_args()
    from palate.text import language_model

    def base() -> Any:
        return language_model.load(told.base, device=told.device)

    chosen = {name: json.loads(value) for name, _, value in (one.partition("=") for one in told.set)}
    told.settings = SETTINGS | {"device": told.device} | chosen
    raw = base()
    examples = sets(raw, told)
    common.say(str({name: len(some) for name, some in examples.items()}))
    place = told.scratch / _key(examples, told.settings, raw.digest())
    place.mkdir(parents=True, exist_ok=True)
    for name in [] if told.collect else told.models.split(","):
        one_model(name, base, examples, told, place / name)
    found = board(place, examples)
    facts = {
        "part": told.part, "words": told.words, "tokens": TOKENS, "pairs": told.pairs, "texts": told.texts,
        "written_tokens": told.max_tokens,
        "settings": told.settings, "unseen": UNSEEN, "examples": {name: len(some) for name, some in examples.items()},
    }  # fmt: skip
    common.write("text-learning", facts | found, told.out)
    print(json.dumps(found["paired"], indent=1))


if __name__ == "__main__":
    main()
