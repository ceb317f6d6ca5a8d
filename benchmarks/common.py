"""What the benchmarks share: a clock, peak memory, the machine in words, child processes, result files.

Every measured run is a process of its own, with one thread unless it says otherwise. Results hold no path.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import numpy as np

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
LIBRARIES = ("NUMBA_NUM", "OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "POLARS_MAX")
QUIET = 1.3


class Clock:
    """`with Clock() as clock: ...`, then `clock.wall` and `clock.cpu` (all threads) in seconds."""

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.wall = round(time.perf_counter() - self._wall, 4)
        self.cpu = round(time.process_time() - self._cpu, 4)

    def both(self) -> dict[str, float]:
        return {"cpu_s": self.cpu, "wall_s": self.wall}


class Peak:
    """Highest resident memory inside a `with` block, in MB. Where Linux cannot reset it: the process's."""

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        return self

    def __exit__(self, *error: object) -> None:
        self.mb = _high_water()


def _high_water() -> int:
    try:
        status = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return process_peak()
    return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


def process_peak() -> int:
    """Peak resident memory of this process since its start, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 1024)


def one_thread(threads: int = 1) -> dict[str, str]:
    """The environment of a measured process."""
    return (
        os.environ
        | {f"{library}_THREADS": str(threads) for library in LIBRARIES}
        | {"OMP_WAIT_POLICY": "passive"}
    )


def child(command: Sequence[str | Path], *, threads: int = 1, **environment: str) -> dict[str, Any]:
    """Run a measured process; its last line of output is its JSON."""
    whole = one_thread(threads) | environment
    done = subprocess.run(
        [str(part) for part in command], env=whole, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{Path(command[1]).name} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def worker(script: str, *arguments: object, threads: int = 1, **environment: str) -> dict[str, Any]:
    """Run `script` again as a measured process of its own, in this environment."""
    return child([sys.executable, script, "--worker", *map(str, arguments)], threads=threads, **environment)


def peer(folder: Path, name: str, script: str, *arguments: object, threads: int = 1) -> dict[str, Any]:
    """Run `peers/SCRIPT` with the Python of the peer's own environment (made by peers/make_envs.py)."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"No environment '{name}'. Make it: benchmarks/peers/make_envs.py {folder} {name}")
    return child([python, HERE / "peers" / script, *map(str, arguments)], threads=threads)


def machine() -> dict[str, object]:
    """What the figures depend on: processor, cores, memory, load and versions. No name, no path."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "versions": versions("palate", "numpy", "scipy", "numba", "polars"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def versions(*names: str) -> dict[str, str]:
    """The installed version of each package."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def warn_when_busy() -> None:
    """Timings of a busy machine are not worth keeping; say so before they are taken."""
    load = os.getloadavg()[0]
    if load > QUIET:
        say(f"This machine is busy (load {load:.1f}): look at the figures, do not commit them.")


def write(name: str, result: dict[str, Any], out: Path = RESULTS) -> Path:
    """Write `NAME.json` with the date and the machine."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{name}.json"
    head = {"benchmark": name, "date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": machine()}
    file.write_text(json.dumps(head | result, indent=1) + "\n")
    say(f"wrote {file.name}")
    return file


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options every benchmark has."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    data, peers = (Path(os.environ.get(f"PALATE_{name.upper()}", name)) for name in ("data", "peers"))
    parser.add_argument("--data", type=Path, default=data, help="folder of MovieLens folders")
    parser.add_argument("--peers", type=Path, default=peers, help="folder of the peers' environments")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser


def movielens(data: Path, size: str) -> dict[str, np.ndarray]:
    """MovieLens `100k` or `1m` in file order, as arrays user, item, value, time.

    For 1m it also takes `ratings_ordered.tsv.gz` (user, movie, rating, ..., rank in time inside the user):
    the rank then stands for the time, which makes a decay of days negligible for every library alike.
    """
    if size == "100k":
        table = np.loadtxt(data / "ml-100k" / "u.data", dtype=np.int64)
    elif (data / "ml-1m" / "ratings.dat").exists():
        text = (data / "ml-1m" / "ratings.dat").read_text().replace("::", " ")
        table = np.array(text.split(), dtype=np.int64).reshape(-1, 4)
    else:
        with gzip.open(data / "ml-1m" / "ratings_ordered.tsv.gz", "rt") as lines:
            next(lines)
            fields = (line.split("\t") for line in lines)
            table = np.array([[row[0], row[1], row[2], row[-1]] for row in fields], dtype=np.int64)
    user, item, value, time_of = table.T
    return {"user": user, "item": item, "value": value.astype(np.float64), "time": time_of}
