"""What I-ORPO teaches beside SFT, and whether it is the constraint that was learned: sources, kinds and corrupters held
out.

    python benchmarks/text/learning.py --data FOLDER --scratch FOLDER [--models raw,sft-1,iorpo-1,...] [--collect]
                                       [--part dev] [--pairs 600] [--ways seen,turned] [--set NAME=VALUE ...]

SmolLM2-135M-Instruct, LoRA, whole texts of `longform` (short ones to learn from) that end within 512 tokens, the
token that ends them counted, so that every constraint is proven of what is read. Train is O. Henry and Chekhov,
settings are chosen on Poe (`--part dev`), and Austen, Wells and Doyle are the test. What is shown and asked are
exchanges: two texts, a fact of each, and the other's in its place; of each kind of constraint equally many as far as
there are so many, each text in one at most. A pair shows one constraint, both halves of an exchange stand in one
step, and SFT learns the preferred sides of the same pairs in the same steps. Each model is then asked, of texts of
the test,

    seen      one constraint of a kind that was trained
    turned    the same of other texts, and each constraint also of its partner's text, where the order must turn
    all       all constraints at once (M,M)
    near      one constraint of a kind that no pair of train had, but had one like it (other mentions, names)
    far       of a kind like none that was trained (tense, mood, punctuation, how a text begins and ends)
    own       one constraint, corrupted by its kind's own rule, which no pair of train was

and some write a text for some of the instructions, greedily and drawn. Differences (I-ORPO minus as it is, I-ORPO minus
SFT of the same seed) are paired on the same trials; intervals resample chapters, with all pieces, not seeds.

Every model is trained, asked and has written by itself, with checkpoints in the scratch folder: what was stopped goes
on, and several may run beside one another. What a model answered stays in the folder text-learning beside the result
file, so that its figures can be made again without it, and models of other days stand beside one another. `--collect`
writes what is there to text-learning.json.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

NEAR = ("closing_name", "place", "animal", "food")
FAR = (
    "entrance", "tense", "mood", "questions", "exclamations", "semicolons", "dashes", "opening", "ending",
)  # fmt: skip
"""kinds of constraints that are held out of training, beside those that others are like, and with all that are like"""
OWN = (
    "name", "opening_name", "speaker", "hour", "season", "occupation", "kin", "colour", "weather", "object", "cast",
    "paragraphs", "sentence_length", "longest_paragraph", "dialogue", "first_sentence",
)  # fmt: skip
"""trained kinds with more than two values: of two, the own rule gives the one that an exchange gives"""
AUTHORS = {
    "train": ("o-henry", "anton-chekhov"),
    "dev": ("edgar-allan-poe",),
    "test": ("jane-austen", "h-g-wells", "arthur-"),
}
TOKENS = 512
"""of a text at most"""
MODELS = "raw,sft-1,iorpo-1,sft-2,iorpo-2,sft-3,iorpo-3"
WRITERS = ("raw", "sft-1", "iorpo-1")
SETTINGS: dict[str, Any] = {
    "rank": 16, "alpha": 16, "dropout": 0.0, "epochs": 1, "rounds": 6, "batch": 4, "learning_rate": 1e-3,
    "warmup": 0.05, "weight": 10.0, "steepness": 20.0, "recompute": False, "patience": 100,
}  # fmt: skip
"""Chosen on dev: what stands in docs/decisions/iorpo-where-it-lets-go.md. No pair is cut."""
WAYS: dict[str, tuple[str, int, bool]] = {
    "seen": ("1,1", 110, False),
    "turned": ("1,1", 46, True),
    "all": ("M,M", 30, False),
    "near": ("1,1", 30, False),
    "far": ("1,1", 40, False),
    "own": ("1,1", 30, False),
}
"""how much of an instruction is shown, of how many texts, and whether partners' texts are read too"""
HOW = {"greedy": 0.0, "drawn": 1.0}
"""temperatures of what is written"""


# --- the sets -------------------------------------------------------------------------------------------------


def sets(base: Any, told: Namespace) -> dict[str, list[Any]]:
    """Return examples: those of train with all their constraints, and those that models are asked, of a part."""
    from palate.text.constraints.registry import kinds
    from palate.text.corpus import documents
    from palate.text.suri import build

    place = told.data / "longform" / "standard_ebooks.jsonl.gz"

    def of(part: str, words: str, pieces: int = 4) -> list[Any]:
        low, high = map(int, words.split("-"))
        every = documents(place, words=(low, high), pieces=pieces).documents
        mine = [one for one in every if one.source.startswith(AUTHORS[part])]
        found = [one for one in mine if len(base.response(one.text)) <= TOKENS]
        common.say(
            f"{part}: {len(mine) - len(found):,} of {len(mine):,} texts are over {TOKENS} tokens: left out"
        )
        return found

    asked = of(told.part, told.words)
    only = [name for name in kinds() if name not in (*NEAR, *FAR)]
    train = build(of("train", told.train_words, pieces=8), seed=0, constraints=(2, 10), only=only)
    seen = build(asked, seed=1, constraints=(4, 10), only=only)
    held = {name: build(asked, seed=2, constraints=(1, 4), only=only) for name, only in _HELD.items()}
    own = build(asked, seed=3, constraints=(1, 8), only=OWN, corrupter="own")
    n = {way: 2 * max(1, round(texts * told.share / 2)) for way, (_, texts, _) in WAYS.items()}
    pool = exchanges(seen, n["seen"] + n["turned"], seed=1)
    return {
        "train": train,
        "turned": pool[: n["turned"]],
        "seen": pool[n["turned"] :],
        "all": _some(seen, n["all"]),
        **{name: exchanges(some, n[name], seed=2) for name, some in held.items()},
        "own": singles(own, n["own"], seed=3),
    }


_HELD = {"near": NEAR, "far": FAR}


def exchanges(examples: Sequence[Any], n: int, seed: int) -> list[Any]:
    """Return n examples of one constraint each, both halves of an exchange side by side."""
    halves: dict[str, list[tuple[int, int]]] = {}
    for number, example in enumerate(examples):
        for place, one in enumerate(example.contrasts):
            halves.setdefault(one.link, []).append((number, place))
    halves.pop("", None)
    return _in_turn(examples, [one for one in halves.values() if len(one) == 2], n, seed)


def singles(examples: Sequence[Any], n: int, seed: int) -> list[Any]:
    """Return n examples of one constraint each."""
    every = [
        [(number, place)]
        for number, example in enumerate(examples)
        for place in range(len(example.contrasts))
    ]
    return _in_turn(examples, every, n, seed)


def _in_turn(
    examples: Sequence[Any], groups: Iterable[list[tuple[int, int]]], n: int, seed: int
) -> list[Any]:
    """Return n examples from groups of constraints: kinds in turn, and of each the sources in turn; a text once."""
    rng = Random(seed)
    waiting: dict[str, list[list[tuple[int, int]]]] = {}
    for group in rng.sample(shuffled := sorted(groups), len(shuffled)):
        number, place = group[0]
        waiting.setdefault(examples[number].contrasts[place].chosen.kind, []).append(group)
    used: set[int] = set()
    of_source: Counter[str] = Counter()
    found: list[Any] = []
    while waiting and len(found) < n:
        for kind in sorted(waiting):
            free = [group for group in waiting[kind] if used.isdisjoint(number for number, _ in group)]
            if not free:
                del waiting[kind]
            elif len(found) < n:
                group = min(free, key=lambda group: of_source[examples[group[0][0]].source])
                waiting[kind] = [one for one in free if one is not group]
                used.update(number for number, _ in group)
                of_source.update(examples[number].source for number, _ in group)
                found += [
                    replace(examples[number], contrasts=(examples[number].contrasts[place],))
                    for number, place in group
                ]
    return found


def _some(examples: list[Any], texts: int) -> list[Any]:
    """Return so many examples, of the sources in turn."""
    drawn = Random(4).sample(examples, len(examples))
    place: Counter[str] = Counter()
    turns = []
    for one in drawn:
        turns.append((place[one.source], one))
        place[one.source] += 1
    return [one for _, one in sorted(turns, key=lambda turn: turn[0])[:texts]]


def _digest(*told: Any) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


# --- one model ------------------------------------------------------------------------------------------------


def title_of(name: str, base: str, examples: dict[str, list[Any]], told: Namespace) -> str:
    """Return what a model is kept as, by all that its figures are of; where it is computed is no part of that."""
    asked = {way: [one.row() for one in examples[way]] for way in WAYS}
    if name == "raw":
        return f"raw-{_digest(base, asked, WAYS)}"
    gone = {"device", *(("weight", "steepness") if name.startswith("sft") else ())}
    how = {key: value for key, value in told.settings.items() if key not in gone}
    learned = [one.row() for one in examples["train"]], told.pairs, how
    return f"{name}-{_digest(base, asked, WAYS, learned)}"


def one_model(
    name: str, base: Callable[[], Any], examples: dict[str, list[Any]], told: Namespace, place: Path
) -> None:
    """Train a model, ask it in every way and have it write, as far as that is not done."""
    from palate.text.generate import Sampling, generate
    from palate.text.rank import rank

    place.mkdir(parents=True, exist_ok=True)
    left = [way for way in told.ways.split(",") if not (place / f"{way}.jsonl").exists()]
    requests = [(one.id, one.chosen) for one in examples["all"][: told.written if name in WRITERS else 0]]
    unwritten = [way for way in HOW if not {one for one, _ in requests} <= _texts_of(place, way).keys()]
    if not left and not unwritten:
        return
    model = trained(name, base, examples["train"], told, place)
    for way in left:
        specificity, _, turned = WAYS[way]
        found = rank(model, examples[way], specificities=(specificity,), controls=turned)
        lines = "".join(json.dumps(asdict(one)) + "\n" for one in found.trials)
        _whole(place / f"{way}.jsonl", lines)
        common.say(f"{name}, {way}: {len(found.trials)} trials")
    for way in unwritten:
        how = Sampling(temperature=HOW[way], max_tokens=told.max_tokens)
        generate(model, requests, how, out=place / f"{way}-texts.jsonl")
        common.say(f"{name}, {way}: {len(requests)} texts")


def trained(name: str, base: Callable[[], Any], examples: list[Any], told: Namespace, place: Path) -> Any:
    """Return the model of that name, its adapter added to its weights; what training cost is written to `place`."""
    from palate.text import language_model
    from palate.text.align import Training, align
    from palate.text.align.data import pairs_of

    if name == "raw":
        return base()
    cost, kept = place / "training.json", told.scratch / place.name
    if not (cost.exists() and (kept / "model").is_dir()):
        method, seed = name.split("-")
        pairs = pairs_of(exchanges(examples, told.pairs, seed=int(seed)), shown="each")
        how = Training(method=method, seed=int(seed), **told.settings)

        def note(**row: float) -> None:
            common.say(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in row.items()))

        started = time.perf_counter()
        with common.Clock() as clock:
            done = align(base(), pairs, how, checkpoint=kept / "state", note=note)
        language_model.save(done.model, kept / "model")
        kinds = Counter(pair.contrasts[0].chosen.kind for pair in pairs)
        facts = {"pairs": len(pairs), "kinds": kinds, "cpu_s": clock.cpu}
        _whole(
            cost, json.dumps(facts | {"wall_s": round(time.perf_counter() - started, 1), "trace": done.trace})
        )
    model = language_model.load(kept / "model", device=told.device)
    return replace(model, network=model.network.merge_and_unload(), name=name)  # results hold no path


def _texts_of(place: Path, way: str) -> dict[str, Any]:
    """Return what stands of a model's texts, by id."""
    from palate.text.generate import read

    file = place / f"{way}-texts.jsonl"
    return {one.id: one for one in read(file)} if file.exists() else {}


def _whole(file: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)


# --- the board ------------------------------------------------------------------------------------------------


def board(places: dict[str, Path], examples: dict[str, list[Any]]) -> dict[str, Any]:
    """Return what is there of every model, and the paired differences."""
    there = {name: place for name, place in places.items() if place.is_dir() and list(place.glob("*.jsonl"))}
    done = {name: _of_model(place, examples["all"]) for name, place in there.items()}
    pairs = [(name, other) for name in done for other in _beside(name) if other in done]
    found = {
        f"{one} minus {other}": _paired([(there[one], there[other])], examples["all"]) for one, other in pairs
    }
    for against in ("raw", "sft"):  # over all seeds: a chapter stands with all of them
        of_seeds = [
            (there[one], there[other])
            for one, other in pairs
            if one.startswith("iorpo") and other.startswith(against)
        ]
        if len(of_seeds) > 1:
            found[f"iorpo minus {against}, {len(of_seeds)} seeds"] = _paired(of_seeds, examples["all"])
    return {"models": done, "paired": found}


def _beside(name: str) -> list[str]:
    """Return what a model is compared with."""
    method, _, seed = name.partition("-")
    return {"iorpo": ["raw", f"sft-{seed}"], "sft": ["raw"]}.get(method, [])


def trials_of(place: Path) -> dict[str, list[Any]]:
    """Return a model's trials by what they are of: the ways, and of what was trained all, and its parts."""
    from palate.text.rank import read_trials

    every = {way: read_trials(place / f"{way}.jsonl") for way in WAYS if (place / f"{way}.jsonl").exists()}
    plain = {way: [one for one in some if not one.control] for way, some in every.items()}
    trained_kinds = [*plain.get("seen", []), *plain.get("turned", [])]
    told = {
        "seen": trained_kinds,
        "seen, a word that stands in the text": [one for one in trained_kinds if one.overlap],
        "seen, no such word": [one for one in trained_kinds if not one.overlap],
        "turned": [one for one in every.get("turned", []) if one.control],
        **{way: plain[way] for way in ("all", "near", "far", "own") if way in plain},
        "near and far, no such word": [one for way in _HELD for one in plain.get(way, []) if not one.overlap],
    }
    told |= {f"seen, {source}": [one for one in trained_kinds if one.source == source]
             for source in sorted({one.source for one in trained_kinds})}  # fmt: skip
    return {name: some for name, some in told.items() if some}


def _of_model(place: Path, examples: list[Any]) -> dict[str, Any]:
    from palate.evaluation.written import measure

    told: dict[str, Any] = {}
    for name, some in trials_of(place).items():
        told[name] = _mean([(float(one.right), one.chapter) for one in some]) | {
            "blind": _mean([(float((one.blind < 0) == one.control), one.chapter) for one in some])["mean"],
            "margin": sum(one.margin for one in some) / len(some),
            "nll": -sum(one.log_p for one in some) / sum(one.tokens for one in some),
            "tokens": sum(one.tokens for one in some) / len(some),
        }
    told["kinds"] = {
        kind: {"right": sum(one.right for one in mine) / len(mine), "n": len(mine)}
        for kind, mine in sorted(_by_kind(place).items())
    }
    for how, temperature in HOW.items():
        if texts := list(_texts_of(place, how).values()):
            rows = measure(texts, examples).rows()
            told[f"{how} texts"] = {"temperature": temperature, "texts": len(texts)} | {
                name: asdict(one) for name, one in rows.items()
            }
    cost = place / "training.json"
    return told | ({"training": json.loads(cost.read_text())} if cost.exists() else {})


def _by_kind(place: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    trials = trials_of(place)
    for way in ("seen", "near", "far"):
        for one in trials.get(way, []):
            found.setdefault(one.kinds[0], []).append(one)
    return found


def _paired(places: Sequence[tuple[Path, Path]], examples: list[Any]) -> dict[str, Any]:
    """Return how much more often one is right than the other on the same trials, and how much less it loses a token.

    Those of all seeds together. The other may have been asked more; raises KeyError where it was asked less.
    """
    rows: dict[str, list[tuple[float, float, str]]] = {}
    for one, other in places:
        mine, theirs = trials_of(one), trials_of(other)
        for name in mine.keys() & theirs.keys():
            beside = {_question(trial): trial for trial in theirs[name]}
            assert len(beside) == len(theirs[name]), name
            for trial in mine[name]:
                their = beside[_question(trial)]
                more = float(trial.right) - float(their.right)
                rows.setdefault(name, []).append(
                    (more, (their.log_p - trial.log_p) / trial.tokens, trial.chapter)
                )
    told: dict[str, Any] = {}
    for name, some in sorted(rows.items()):
        told[name] = _mean([(more, chapter) for more, _, chapter in some])
        told[name]["nll"] = _mean([(nll, chapter) for _, nll, chapter in some])
    for how in HOW:
        if found := [row for pair in places for row in _more_met(pair, how, examples)]:
            told[f"{how} texts"] = {"constraints met": _mean(found)}
    return told


def _mean(rows: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Return the mean of values, each with its chapter, with an interval."""
    import numpy as np

    from palate.evaluation.following import clustered

    return asdict(clustered(np.array([value for value, _ in rows]), [chapter for _, chapter in rows]))


def _more_met(pair: tuple[Path, Path], way: str, examples: list[Any]) -> list[tuple[float, str]]:
    """Return how much larger a share of its constraints each text meets than the other model's of the same request.

    Less what it meets of the corrupted ones, which is met by chance.
    """
    from palate.text.constraints import holds
    from palate.text.prose import Prose

    written = [_texts_of(one, way) for one in pair]
    if not all(written):
        return []
    of_id = {one.id: one for one in examples}

    def met(text: Any) -> float:
        prose, asked = Prose(text.text), of_id[text.id].contrasts
        return sum(holds(one.chosen, prose) - holds(one.rejected, prose) for one in asked) / len(asked)

    one, other = ({name: met(text) for name, text in texts.items()} for texts in written)
    assert one.keys() == other.keys(), way
    return [(one[name] - other[name], of_id[name].chapter) for name in one]


def _question(trial: Any) -> tuple[bool, str]:
    return trial.control, trial.question


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--scratch", type=Path, required=True, help="folder of adapters and checkpoints")
    parser.add_argument("--models", default=MODELS, help="raw, or a method and a seed, separated by commas")
    parser.add_argument("--ways", default=",".join(WAYS), help="how they are asked, separated by commas")
    parser.add_argument("--base", default="smollm2", help="the language model they start from")
    parser.add_argument("--device", default="cpu", help="where they are trained and asked")
    parser.add_argument("--part", choices=("dev", "test"), default="test", help="whose texts are asked")
    parser.add_argument("--words", default="200-360", help="of a text; those over the tokens are left out")
    parser.add_argument("--train-words", default="60-120", help="of a text of train")
    parser.add_argument("--pairs", type=int, default=600, help="of train, at most")
    parser.add_argument("--share", type=float, default=1.0, help="of the texts that are asked, for a pilot")
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
    digest, names = raw.digest(), told.models.split(",")
    answers = told.out / "text-learning"
    places = {name: answers / title_of(name, digest, examples, told) for name in names}
    for name in [] if told.collect else names:
        one_model(name, base, examples, told, places[name])
    found = board(places, examples)
    facts = {
        "part": told.part, "words": told.words, "train_words": told.train_words, "tokens": TOKENS,
        "pairs": told.pairs, "share": told.share,
        "written_tokens": told.max_tokens, "settings": told.settings, "near": NEAR, "far": FAR,
        "asked": {way: _counts(some) for way, some in examples.items() if way != "train"},
    }  # fmt: skip
    common.write("text-learning", facts | found, told.out)
    print(json.dumps({name: _short(told) for name, told in found["models"].items()}, indent=1))
    print(json.dumps({name: _short(told) for name, told in found["paired"].items()}, indent=1))


def _short(told: dict[str, Any]) -> dict[str, Any]:
    """Return the means alone, to be looked at."""
    return {
        name: round(one["mean"], 3) for name, one in told.items() if isinstance(one, dict) and "mean" in one
    }


def _counts(examples: Sequence[Any]) -> dict[str, Any]:
    """Return how many texts, and of which sources, and how many constraints of each kind."""
    return {
        "texts": len(examples),
        "sources": Counter(one.source for one in examples),
        "kinds": Counter(pair.chosen.kind for one in examples for pair in one.contrasts),
    }


if __name__ == "__main__":
    main()
