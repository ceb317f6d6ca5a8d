"""How fast RBM learns at the sizes of the `recommenders` tutorial, and what 100 million ratings cost.

    python benchmarks/rbm/speed.py --data DATA [--millions 1,10,100]

The tutorial: MovieLens-100K, 75/25, one weight for all ratings of an item, 600 hidden units, 30 epochs of batches of
60, keep 0.9, CD-1. Its own code took 8.5 CPU seconds there. Then one epoch of a softmax machine over synthetic ratings
of growing number (batches of 2,000 users, 20,000 items, 32 hidden units): seconds per million, and peak memory from
the table on. Each in a process of its own with one thread. Writes rbm-speed.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

TUTORIAL = {"hidden": 600, "epochs": 30, "batch": 60, "keep_prob": 0.9}
INCUMBENT_CPU_S = 8.5
ITEMS, LENGTH = 20_000, 100


def tutorial(data: Path) -> dict[str, Any]:
    """Time the tutorial's fit, and the same sizes for the machine that makes lists."""
    import palate

    rows = palate.Interactions.from_table(common.movielens(data, "100k"))
    train = palate.split.stratified(rows, ratio=0.75, seed=42).train
    found = {}
    for visible in ("multinomial", "bernoulli"):
        model = palate.models.create("rbm", visible=visible, **TUTORIAL)
        palate.models.create("rbm", visible=visible, **TUTORIAL | {"epochs": 1}).fit(train)
        seconds = []
        for _ in range(3):
            with common.Clock() as clock:
                model.fit(train)
            seconds.append(clock.cpu)
        found[visible] = {"fit_cpu_s": min(seconds), "runs": seconds}
    return found


def scale(millions: int) -> dict[str, Any]:
    """Fit one epoch on so many synthetic ratings, drawn into codes: the table is made without ids to read."""
    import palate
    from palate.interactions import Interactions
    from palate.vocabulary import Vocabulary

    tiny = {"user": [1, 1, 2, 2], "item": [1, 2, 2, 3], "value": [1.0, 2.0, 3.0, 4.0]}
    how = {"visible": "softmax", "hidden": 32, "epochs": 1, "batch": 2_000}
    palate.models.create("rbm", **how).fit(tiny)
    rng = np.random.default_rng(0)
    users = millions * 1_000_000 // LENGTH
    n = users * LENGTH
    item = np.empty(n, np.int32)
    step = ITEMS // LENGTH  # one item of each run of items: pairs are distinct
    for start in range(0, n, 10_000_000):
        some = slice(start, min(start + 10_000_000, n))
        place = np.arange(some.start, some.stop, dtype=np.int64) % LENGTH
        item[some] = place * step + rng.integers(0, step, len(place))
    train = Interactions(
        users=Vocabulary.factorise(np.arange(users))[0],
        items=Vocabulary.factorise(np.arange(ITEMS))[0],
        user=np.repeat(np.arange(users, dtype=np.int32), LENGTH),
        item=item,
        value=rng.integers(1, 6, n, dtype=np.int8).astype(np.float32),
    )
    del item
    with common.Peak() as peak, common.Clock() as clock:
        palate.models.create("rbm", **how).fit(train)
    return {
        "ratings": n,
        "fit_cpu_s": clock.cpu,
        "cpu_s_per_million": round(clock.cpu / (n / 1e6), 3),
        "peak_mb": peak.mb,
    }


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--millions", default="1,10,100", help="of synthetic ratings, separated by commas")
    options = parser.parse_args()
    common.warn_when_busy()
    fits = common.worker(__file__, "tutorial", options.data)
    fits["times_faster_than_recommenders"] = round(INCUMBENT_CPU_S / fits["multinomial"]["fit_cpu_s"], 1)
    common.say(json.dumps(fits))
    growing = []
    for millions in options.millions.split(","):
        growing.append(common.worker(__file__, "scale", millions))
        common.say(json.dumps(growing[-1]))
    common.write("rbm-speed", {"tutorial": fits, "synthetic": growing}, options.out)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        what, told = sys.argv[-2:]
        print(json.dumps(tutorial(Path(told)) if what == "tutorial" else scale(int(told))))
    else:
        main()
