"""An instruction set of the whole corpus: how many pairs, how well proven, how fast, and whether it is the same again.

    python benchmarks/text/recipe.py --data FOLDER [--words 2048-5024] [--constraints 8-14]

`palate text build` makes a pair of each chapter of `longform`, twice from the same seed and once from another, and
`palate text validate` proves every constraint of the first again: true of its text, its corruption false. Each command
is a process with as many threads as it takes. Wall and CPU seconds of each, its peak memory, and the SHA-256 of what it
wrote. Writes text-recipe.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common


def timed(*command: str) -> dict[str, Any]:
    """Run `palate COMMAND --json`; return its answer, and what it cost."""
    started, before = time.perf_counter(), os.times()
    told = common.child(
        [sys.executable, __file__, "--worker", *command], threads=len(os.sched_getaffinity(0))
    )
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return told | {"wall_s": round(time.perf_counter() - started, 1), "cpu_s": round(spent, 1)}


def worker(command: list[str]) -> None:
    """Run one command of `palate` in this process; print what it answered and its peak of memory on one line."""
    import contextlib
    import io

    from palate.cli import main as palate

    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        palate([*command, "--json"])
    print(json.dumps({"answer": json.loads(answer.getvalue()), "peak_mb": common.process_peak()}))


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2:])
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--words", default="2048-5024", help="of a text; longer ones are cut at a sentence")
    parser.add_argument("--constraints", default="8-14", help="of an instruction")
    told = parser.parse_args()
    common.warn_when_busy()
    corpus = told.data / "longform" / "standard_ebooks.jsonl.gz"
    found: dict[str, Any] = {"words": told.words, "constraints": told.constraints}
    with tempfile.TemporaryDirectory() as folder:
        for name, seed in {"first": 0, "again": 0, "another seed": 1}.items():
            file = Path(folder) / f"{name.replace(' ', '-')}.jsonl"
            how = ["--words", told.words, "--constraints", told.constraints, "--seed", str(seed), "--quiet"]
            cost = timed("text", "build", str(corpus), "--out", str(file), *how)
            cost["answer"] |= {"files": [one | {"file": file.name} for one in cost["answer"]["files"]]}
            found[name] = cost | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            common.say(f"{name}: {found[name]['wall_s']} s, {found[name]['sha256']}")
        found["validated"] = timed("text", "validate", str(Path(folder) / "first.jsonl"), "--quiet")
    common.write("text-recipe", found, told.out)
    proven = found["validated"]["answer"]
    print({name: proven[name] for name in ("examples", "constraints", "proven", "per_example", "words")})


if __name__ == "__main__":
    main()
