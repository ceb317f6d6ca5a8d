"""One gradient of I-ORPO beside TRL 1.16's ORPO trainer: the same numbers, in what memory, at what cost.

    python benchmarks/text/orpo.py --data FOLDER --peers FOLDER [--tokens 2048] [--rounds 1]

SmolLM2-135M-Instruct, all weights, float32, activation checkpointing; prompts of 256 tokens, a text of `--tokens` of a
chapter of `longform`, weight 0.4, -log P over prompt and text as TRL has it. One thread, one process each, in turns.
Peak memory is that of the whole process. Writes text-orpo.json.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

PROMPT, WEIGHT = 256, 0.4
WAYS = {
    "joint": {"mode": "joint", "recompute": True},
    "two-pass": {"mode": "two-pass", "recompute": True},
}


def rows(data: Path, tokens: int, name: str = "smollm2") -> dict[str, Any]:
    """Return a text with two prompts of equal length, as ids of a model."""
    from palate.text import language_model

    model = language_model.load(name, device="cpu")
    with gzip.open(data / "longform" / "standard_ebooks.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [row["text"] for row in map(json.loads, lines) if row["n_words"] > 2_500][:2]
    ids = [model.text(text) for text in texts]
    ask = model.prompt("Write a chapter.\n")
    w, l = (ask[:-4] + one[: PROMPT - len(ask)] + ask[-4:] for one in (ids[1], ids[1][PROMPT:]))  # noqa: E741
    return {"model": name, "prompt": w, "rejected_prompt": l, "answer": [*ids[0][: tokens - 1], model.end]}


def gradient(told: dict[str, Any]) -> dict[str, Any]:
    """Make the gradient in this process."""
    import numpy as np
    import torch

    from palate.neural.devices import return_memory
    from palate.text import language_model
    from palate.text.align import Training
    from palate.text.align.network import trainable
    from palate.text.align.pairs import Row, Side
    from palate.text.align.task import Alignment, Weights

    torch.set_num_threads(1)
    return_memory()
    how = Training(rank=0, nll_on="all", weight=WEIGHT, batch=1, **told["how"])
    network = trainable(language_model.load(told["model"], device="cpu"), how)
    pair = Row(Side(told["prompt"], told["answer"]), Side(told["rejected_prompt"], told["answer"]))
    task = Alignment(Weights(network), [pair], [], how)
    network.train()
    one = np.array([0])
    task.batches(np.random.default_rng(0))
    start, loss = common.process_peak(), 0.0
    with common.Clock() as clock:
        for part, _ in task.parts(one, one, np.random.default_rng(0)):
            part.backward()
            loss += float(part.detach())
    peak = common.process_peak()  # before the norm, whose squares are no part of a step
    norm = torch.sqrt(sum((weight.grad.double() ** 2).sum() for weight in network.parameters()))
    return {"loss": loss, "norm": float(norm), **clock.both(), "start_mb": start, "peak_mb": peak}


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(gradient(json.loads(Path(sys.argv[2]).read_text()))))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    common.warn_when_busy()
    import tempfile

    from palate.text.stored import converted, packaged

    told = rows(options.data, options.tokens)
    runs: dict[str, list[dict[str, Any]]] = {"trl": [], **{name: [] for name in WAYS}}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            asked = told | {"weight": WEIGHT, "recompute": True, "folder": str(converted(packaged()))}
            runs["trl"].append(common.peer(options.peers, "trl", "trl_orpo.py", json.dumps(asked)))
            common.say(str(runs["trl"][-1]))
            for name, how in WAYS.items():
                file = Path(folder) / "told.json"
                file.write_text(json.dumps(told | {"how": how}))
                runs[name].append(common.worker(__file__, file, THP_MEM_ALLOC_ENABLE="1"))
                common.say(f"{name}: {runs[name][-1]}")
    best = {name: min(some, key=lambda one: one["cpu_s"]) for name, some in runs.items()}
    peer = best["trl"]
    board = {
        name: {
            "loss": round(one["loss"] - peer["loss"], 7),
            "norm": round(one["norm"] - peer["norm"], 6),
            "cpu_ratio": round(one["cpu_s"] / peer["cpu_s"], 3),
            "peak_ratio": round(one["peak_mb"] / peer["peak_mb"], 3),
        }
        for name, one in best.items()
        if name != "trl"
    }
    common.write(
        "text-orpo",
        {"tokens": options.tokens, "prompt": PROMPT, "against_trl": board, "runs": runs},
        options.out,
    )
    print(json.dumps(board, indent=1))


if __name__ == "__main__":
    main()
