"""Run every benchmark, one after the other, each in a process of its own.

    python benchmarks/run.py [--data FOLDER] [--peers FOLDER] [--out FOLDER] [NAME ...]

What needs data or peers that are not there is left out and named.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import common


@dataclass(frozen=True)
class Benchmark:
    """A script below this folder, and what it cannot do without."""

    script: str
    data: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()

    def missing(self, data: Path, peers: Path) -> list[str]:
        wanted = [(data, name) for name in self.data] + [(peers, name) for name in self.peers]
        return [name for folder, name in wanted if not (folder / name).is_dir()]


BENCHMARKS = {
    "compare-regret": Benchmark("compare/regret.py"),
    "compare-time": Benchmark("compare/time.py"),
    "startup": Benchmark("demo/startup.py"),
    "interactions-20m": Benchmark("interactions_20m.py"),
    "kernel-limits": Benchmark("kernels/limits.py"),
    "metrics-parity": Benchmark("metrics/parity.py", peers=("rectools", "ranx", "reco")),
    "metrics-speed": Benchmark("metrics/speed.py", peers=("rectools", "ranx", "reco")),
    "ncf-accuracy": Benchmark("ncf/accuracy.py", data=("ml-100k", "ml-1m")),
    "ncf-speed": Benchmark("ncf/speed.py", data=("ml-100k",), peers=("recotf",)),
    "ncf-ials-speed": Benchmark("ncf/ials_speed.py", data=("ml-1m",), peers=("implicit",)),
    "ratings-board": Benchmark("ratings/board.py", data=("ml-100k", "ml-1m")),
    "rbm-lists": Benchmark("rbm/lists.py", data=("ml-100k",)),
    "rbm-ratings": Benchmark("rbm/ratings.py", data=("ml-100k", "ml-1m")),
    "rbm-speed": Benchmark("rbm/speed.py", data=("ml-100k",)),
    "rlrmc-geometry": Benchmark("rlrmc/geometry.py", data=("ml-1m",)),
    "sar-parity": Benchmark("sar/parity.py", data=("ml-100k",), peers=("reco",)),
    "sar-speed-1m": Benchmark("sar/speed_1m.py", data=("ml-1m",), peers=("reco", "implicit")),
    "sar-scale-20m": Benchmark("sar/scale_20m.py"),
    "sasrec-speed": Benchmark("sasrec/speed.py", data=("ml-1m", "amazon"), peers=("rectools", "replay")),
    "sasrec-simple": Benchmark("sasrec/simple.py", data=("ml-1m", "amazon")),
    "sasrec-budget": Benchmark("sasrec/budget.py", data=("ml-1m", "amazon"), peers=("rectools", "replay")),
    "news-planted": Benchmark("news/planted.py"),
    "news-sample": Benchmark("news/sample.py", data=("mind-sample",)),
    "news-speed": Benchmark("news/speed.py", data=("mind-sample",), peers=("recotf",)),
    "text-recipe": Benchmark("text/recipe.py", data=("longform",)),
    "text-orpo": Benchmark("text/orpo.py", data=("longform",), peers=("trl",)),
    "text-ifeval": Benchmark("text/ifeval.py", peers=("ifeval",)),
}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(BENCHMARKS)}")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    common.warn_when_busy()
    folders = {"data": options.data, "peers": options.peers, "out": options.out}
    failed = []
    for name in options.names or BENCHMARKS:
        benchmark = BENCHMARKS[name]
        if missing := benchmark.missing(options.data, options.peers):
            common.say(f"{name}: left out, {', '.join(missing)} not found; see benchmarks/README.md")
            continue
        common.say(f"== {name}")
        given = [part for option, folder in folders.items() for part in (f"--{option}", str(folder))]
        done = subprocess.run([sys.executable, common.HERE / benchmark.script, *given], check=False)
        failed += [name] * bool(done.returncode)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
