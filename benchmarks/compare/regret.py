"""What choosing on validation costs on the test: `palate compare` on MovieTweetings (5-core), split anew 20 times.

    python benchmarks/compare/regret.py [--splits 20] [--models sar,ease,...] [--trials 12]

In each split every model is tuned with the same budget on the validation part, the best of each is tested, and the
regret is the test's best model minus the one that validation chose. It is within the noise where they are the same, or
where the paired test over users, corrected for all pairs (Holm), does not tell them apart at 5 %. Writes
compare-regret.json after each split.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

MODELS = "popularity,mean,bias,sar,ease,rlrmc,blend"


def split(seed: int, models: list[str], trials: int, jobs: int) -> dict[str, Any]:
    import palate

    with common.Clock() as clock:
        contest = palate.compare_models(
            "movietweetings",
            models=models,
            trials=trials,
            splits=1,
            jobs=jobs,
            reading={"min_user": 5, "min_item": 5},
            settings=[f"split.seed={seed}", "evaluate.by_time=false", "report.examples=0"],
        )
    best, regret = contest.ranking()[0].label, contest.regret()
    return {
        "seed": seed,
        "best": best,
        "chosen": contest.chosen,
        "regret": 0.0 if regret is None else regret.difference,
        "p_holm": 1.0 if regret is None else regret.p_holm,
        "within_noise": best == contest.chosen or (regret is not None and not regret.significant()),
        "test": {model.label: round(model.metrics[contest.metric].value, 5) for model in contest.ranking()},
        "validation": {trial.model: round(trial.value or 0.0, 5) for trial in contest.study.ranking()},
        **clock.both(),
    }


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for seed in range(1, options.splits + 1):
        found.append(split(seed, options.models.split(","), options.trials, options.jobs))
        last = found[-1]
        common.say(f"split {seed}: chosen {last['chosen']}, best {last['best']}, regret {last['regret']:.4f}")
        within = sum(one["within_noise"] for one in found)
        facts = {"models": options.models.split(","), "trials": options.trials, "metric": "ndcg@10"}
        common.write(
            "compare-regret",
            facts | {"splits": len(found), "within_noise": within, "runs": found},
            options.out,
        )


if __name__ == "__main__":
    main()
