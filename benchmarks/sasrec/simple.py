"""What a model of sequences must beat: the next item by simple models, leave-one-out, on the papers' files.

    python benchmarks/sasrec/simple.py --data FOLDER

HR@10 and nDCG@10 over the whole catalogue, with the user's past items left out and kept, and among 100 sampled items
(SASRec's protocol); CPU seconds to fit and to list for every user. Fitted on train with default settings, which were
chosen on validation rows of three of these sets; the test is asked with the validation row as the end of the history.
Each fit is a process of its own, one thread, compiled code loaded.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

SETS = (
    "movielens-1m-sasrec",
    "amazon-beauty",
    "amazon-sports-and-outdoors",
    "amazon-video-games",
    "amazon-video-games-sasrec",
)
MODELS = ("popularity", "sar", "ease", "markov", "session_knn")
LARGE = 13_000
"""items from which EASE, cubic in them, is left out"""
PROTOCOLS = {
    "seen left out": {"exclude_seen": True},
    "seen kept": {"exclude_seen": False},
    "100 sampled": {"exclude_seen": True, "candidates": {"sampled": 100, "seed": 1}},
}


def measure(name: str, kind: str) -> dict[str, object]:
    """Fit one model and evaluate it under every protocol, in this process."""
    import palate
    from palate import datasets
    from palate.datasets.simulate import markov_world
    from palate.models import registry

    tiny = palate.split.last_out(markov_world(users=50).interactions, valid=True)
    palate.evaluate(registry.create(kind).fit(tiny.train), tiny, metrics="hit")  # loads the compiled code
    data = datasets.load(name, offline=True)
    parts = palate.split.last_out(data.interactions, valid=True)
    with common.Clock() as fit:
        model = registry.create(kind).fit(parts.train)
    found: dict[str, object] = {
        "fingerprint": data.fingerprint[:12],
        "users": data.interactions.n_users,
        "items": data.interactions.n_items,
        "rows": len(data.interactions),
        "cpu_fit": fit.cpu,
    }
    for label, how in PROTOCOLS.items():
        one = palate.evaluate(model, parts, metrics=["hit", "ndcg"], bootstrap=0, **how)
        found[label] = {key: round(one.estimate(key).mean, 4) for key in ("hit@10", "ndcg@10")}
        found.setdefault("cpu_lists", round(one.cpu_seconds["recommend"], 2))
    return found


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(measure(*sys.argv[2:4])))
        return
    options = common.arguments(__doc__).parse_args()
    common.warn_when_busy()
    os.environ["PALATE_DATA"] = str(options.data.resolve())
    board = {}
    for name in SETS:
        rows = {kind: common.worker(__file__, name, kind) for kind in MODELS if kind != "ease"}
        if rows["sar"]["items"] < LARGE:
            rows["ease"] = common.worker(__file__, name, "ease")
        facts = {key: rows["sar"].pop(key) for key in ("fingerprint", "users", "items", "rows")}
        for row in rows.values():
            for key in facts:
                row.pop(key, None)
        board[name] = facts | {"models": rows}
        for kind, row in rows.items():
            common.say(f"{name} {kind}: {row}")
    common.write("sasrec-simple", {"sets": board}, options.out)


if __name__ == "__main__":
    main()
