"""An epoch of SASRec: CPU seconds with one thread, and peak memory, of RecTools, RePlay and Palate in one run.

    python benchmarks/sasrec/speed.py --data FOLDER --peers FOLDER [--sets ml-1m,beauty] [--losses ce,bce]
                                      [--seconds 45] [--rounds 1] [--users N]

Hidden size 64, 2 blocks, 1 head; window 200 on MovieLens-1M, 50 on Amazon Beauty; cross-entropy over the whole
catalogue, or binary with negatives as each library draws them (the peers: one for each position). Each run is a process
of its own; the libraries take turns. Palate's own batch is of 4,096 events, the peers' of 128 histories, which are more
or fewer steps: `palate, as many steps` has batches of 128 histories on average. A peer trains for so many CPU seconds,
and its epoch is the mean step after the first times the steps of an epoch, what happens between steps (its batches
being put together) included. Palate's epoch is a whole `fit` of one epoch, all that comes before and after it included.
Memory is the peak of the process; `start_mb` is the peak before training, which is mostly libraries. Writes
sasrec-speed.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import sequences

import common

HISTORIES = 128
"""a batch of the peers"""
AS_MANY = "palate, as many steps"
LOSSES: dict[str, dict[str, str]] = {
    "ce": {"palate": "ce", AS_MANY: "ce", "rectools": "softmax", "replay": "CE"},
    "bce": {"palate": "bce", AS_MANY: "bce", "rectools": "BCE", "replay": "BCESampled"},
}
PEERS = {"rectools": "rectools_sasrec.py", "replay": "replay_sasrec.py"}


def measure(file: Path, told: dict[str, Any]) -> dict[str, Any]:
    """One epoch in this process, from the table on; what is compiled is loaded before."""
    import torch

    import palate

    torch.set_num_threads(1)
    train, _ = sequences.read(file)
    tiny = palate.Interactions.from_table({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3]})
    palate.models.create("sasrec", **told, epochs=1).fit(tiny)
    start_mb = common.process_peak()
    with common.Clock() as clock:
        model = palate.models.create("sasrec", **told, epochs=1).fit(train)
    return {
        "epoch_cpu_s": clock.cpu,
        "epoch_wall_s": clock.wall,
        "start_mb": start_mb,
        "peak_mb": common.process_peak(),
        "mean_loss": round(model.fitted.trace[-1]["loss"], 4),
    }


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--sets", default="ml-1m,beauty", help="data sets, separated by commas")
    parser.add_argument("--losses", default="ce,bce")
    parser.add_argument("--seconds", type=float, default=45, help="CPU seconds that a peer trains")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--users", type=int, help="only so many users, to try the script out")
    options = parser.parse_args()
    common.warn_when_busy()
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.sets.split(","):
            file = Path(scratch) / f"{name}.npz"
            counts = sequences.write(options.data, name, file, options.users)
            common.say(f"{name}: {counts}")
            for loss in options.losses.split(","):
                for turn in range(options.rounds):
                    for library, named in LOSSES[loss].items():
                        told: dict[str, Any] = {"loss": named}
                        if library == AS_MANY:
                            told["batch"] = round(HISTORIES * counts["train"] / counts["users"])
                        found = run(options, library, file, sequences.SHAPES[name], told)
                        runs.append({"set": name, "loss": loss, "library": library, "round": turn} | found)
                        common.say(json.dumps(runs[-1]))
    summary = summarise(runs)
    common.write("sasrec-speed", {"summary": summary, "runs": runs}, options.out)
    print(json.dumps(summary, indent=1))


def run(
    options: Any, library: str, file: Path, shape: dict[str, Any], told: dict[str, Any]
) -> dict[str, Any]:
    """One measure of one library, in a process of its own with one thread."""
    if library in ("palate", AS_MANY):
        ours = {"embedding_size": shape["size"], "window": shape["window"], "dropout": shape["dropout"]}
        return common.worker(__file__, file, json.dumps(ours | told))
    theirs = shape | {"negatives": 1, "batch": HISTORIES, "threads": 1, "seconds": options.seconds} | told
    return common.peer(options.peers, library, PEERS[library], file, json.dumps(theirs))


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The best of the rounds, and how many times Palate's seconds and memory the peers need."""
    found: dict[str, Any] = {}
    for run in runs:
        place = found.setdefault(f"{run['set']} {run['loss']}", {}).setdefault(run["library"], {})
        for key in ("epoch_cpu_s", "peak_mb"):
            place[key] = min(place.get(key, run[key]), run[key])
    for libraries in found.values():
        ours = libraries["palate"]
        for name in set(libraries) - {"palate", AS_MANY}:
            libraries[name]["times_at_as_many_steps"] = round(
                libraries[name]["epoch_cpu_s"] / libraries[AS_MANY]["epoch_cpu_s"], 1
            )
            libraries[name]["times_palates_seconds"] = round(
                libraries[name]["epoch_cpu_s"] / ours["epoch_cpu_s"], 1
            )
            libraries[name]["times_palates_memory"] = round(libraries[name]["peak_mb"] / ours["peak_mb"], 1)
    return found


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, given = sys.argv[-2:]
        print(json.dumps(measure(Path(source), json.loads(given))))
    else:
        main()
