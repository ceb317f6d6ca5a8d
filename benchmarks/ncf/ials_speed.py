"""iALS on MovieLens-1M: Palate against implicit 0.7.3, CPU seconds, one thread each, at the same loss.

    python benchmarks/ncf/ials_speed.py --data FOLDER --peers FOLDER

64 factors, 15 iterations, three conjugate gradients a row (implicit's default), and ours by Cholesky beside it. Every
run is a process of its own; peers and Palate take turns, three rounds; each process measures twice and the second
measure counts. Medians over the rounds.

Both libraries minimise one loss. With weight c of a choice and 1 of everything else, implicit's is

    sum over choices of c (1 - s)^2 + sum over the rest of s^2 + l (|X|^2 + |Y|^2)

and ours, with unobserved_weight = 1 / (c - 1), regularisation = l / c and frequency_scaling = 0, is the same but for a
constant and for scores that are larger by c / (c - 1). The loss that is reported is implicit's, in float64, of each
library's items with the best users for them.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

ROUNDS = 3
WEIGHT, PENALTY = 11.0, 1.0
SHARED = {"factors": 64, "iterations": 15}
THEIRS = SHARED | {"alpha": WEIGHT, "regularization": PENALTY}
OURS = SHARED | {
    "unobserved_weight": 1 / (WEIGHT - 1),
    "regularisation": PENALTY / WEIGHT,
    "frequency_scaling": 0.0,
}
SOLVERS = ("cg", "cholesky")


def measure(file: Path, solver: str, folder: Path) -> dict[str, object]:
    """Read, fit, recommend, twice, in this process."""
    from palate.interactions import Interactions
    from palate.models.ials import IALS

    with np.load(file) as arrays:
        train = Interactions.from_table({name: arrays[name] for name in ("user", "item")})
    runs = []
    for _ in range(2):
        model = IALS(**OURS, solver=solver)
        with common.Clock() as fit:
            model.fit(train)
        with common.Clock() as recommend:
            top = model.recommend(k=10)
        runs.append({"fit": fit.both(), "recommend": recommend.both()})
    scale = np.sqrt(WEIGHT / (WEIGHT - 1))
    np.save(folder / f"{solver}.npy", scale * model.fitted.state.items)
    return {"runs": runs, "rows": len(train), "lists": top["user"].n_unique()}


def loss(file: Path, items: np.ndarray) -> float:
    """Return implicit's loss of item factors, each user's being the best for them."""
    with np.load(file) as arrays:
        user = np.unique(arrays["user"], return_inverse=True)[1]
        item = np.unique(arrays["item"], return_inverse=True)[1]
    items = items.astype(np.float64)
    everywhere = items.T @ items + PENALTY * np.eye(items.shape[1])
    order = np.argsort(user, kind="stable")
    total = PENALTY * (items**2).sum()
    for chosen in np.split(item[order], np.cumsum(np.bincount(user))[:-1]):
        own = items[chosen]
        right = WEIGHT * own.sum(axis=0)
        best = np.linalg.solve(everywhere + (WEIGHT - 1) * own.T @ own, right)
        total += WEIGHT * len(chosen) - best @ right
    return float(total)


def seconds(runs: list[dict], step: str) -> float:
    """Median over the rounds of the second measure's CPU seconds."""
    return round(statistics.median(run["runs"][1][step]["cpu_s"] for run in runs), 4)


def main() -> None:
    options = common.arguments(__doc__).parse_args()
    common.warn_when_busy()
    runs: dict[str, list] = {name: [] for name in ("implicit", *SOLVERS)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = folder / "rows.npz"
        np.savez(rows, **common.movielens(options.data, "1m"))
        for turn in range(ROUNDS):
            common.say(f"round {turn + 1} of {ROUNDS}")
            theirs = common.peer(
                options.peers, "implicit", "implicit_als.py", rows, json.dumps(THEIRS), folder
            )
            runs["implicit"].append(theirs)
            for solver in SOLVERS:
                runs[solver].append(common.worker(__file__, rows, solver, folder))
        losses = {name: round(loss(rows, np.load(folder / f"{name}.npy"))) for name in runs}
    summary = {
        "fit_cpu_s": {name: seconds(every, "fit") for name, every in runs.items()},
        "recommend_cpu_s": {name: seconds(every, "recommend") for name, every in runs.items()},
        "loss": losses,
        "loss_over_implicit": {
            solver: round(losses[solver] / losses["implicit"] - 1, 6) for solver in SOLVERS
        },
        "times_faster_to_fit": {
            solver: round(seconds(runs["implicit"], "fit") / seconds(runs[solver], "fit"), 2)
            for solver in SOLVERS
        },
        "times_faster_to_recommend": round(
            seconds(runs["implicit"], "recommend") / seconds(runs["cg"], "recommend"), 2
        ),
    }
    common.write("ncf-ials-speed", {"summary": summary, "runs": runs}, options.out)
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    if "--worker" in sys.argv:
        source, solver_name, target = sys.argv[-3:]
        print(json.dumps(measure(Path(source), solver_name, Path(target))))
    else:
        main()
