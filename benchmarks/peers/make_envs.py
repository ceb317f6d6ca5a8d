"""Make the peers' environments, each library at the version that the figures name, in a folder of your own.

    python benchmarks/peers/make_envs.py FOLDER            all of them (about 10 GB, half an hour)
    python benchmarks/peers/make_envs.py FOLDER implicit   one

An environment that is complete is left alone. Python 3.11, since not every peer installs on a newer one
(`--python python3.11` names it). torch comes first, by version, where a peer asks for it: set up pip so that
this gives the CPU build, else it is a CUDA build of several GB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS: dict[str, list[list[str]]] = {  # name: what one pip call after the other installs
    "reco": [["torch==2.13.0"], ["recommenders==1.2.1"]],
    "implicit": [["implicit==0.7.3", "threadpoolctl", "pandas"]],
    "rectools": [["torch==2.13.0"], ["rectools[torch]==0.19.0"]],
    "replay": [["torch==2.13.0"], ["replay-rec[torch]==0.22.0"]],
    "ranx": [["ranx==0.3.21"]],
    "trl": [["torch==2.13.0"], ["trl==1.16.0", "transformers==5.24.0"]],
    # Of lm-eval the checkers of IFEval alone are used, which need these and neither torch nor a model.
    "ifeval": [["langdetect==1.0.9", "immutabledict", "nltk", "packaging"], ["--no-deps", "lm-eval==0.4.13"]],
    # Its neural models are TensorFlow's, which no extra of it installs in a working state; 3.8 GB, Python 3.11 at most.
    "recotf": [["torch==2.13.0"], ["recommenders==1.2.1", "tensorflow<2.16", "tf-slim"]],
}


def make(folder: Path, name: str, python: str) -> None:
    """Make one environment, unless its mark says that it is complete."""
    place = folder / name
    done = place / ".complete"
    if done.exists():
        print(f"{name}: there already")
        return
    print(f"{name}: installing {', '.join(' '.join(call) for call in ENVIRONMENTS[name])} ...", flush=True)
    subprocess.run([python, "-m", "venv", "--clear", str(place)], check=True)
    for packages in ENVIRONMENTS[name]:
        subprocess.run([str(place / "bin" / "python"), "-m", "pip", "install", "-qq", *packages], check=True)
    done.touch()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the peers' environments.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(ENVIRONMENTS)}")
    parser.add_argument("--python", default=sys.executable, help="Python of the environments (default: this)")
    given = parser.parse_args()
    unknown = set(given.names) - set(ENVIRONMENTS)
    if unknown:
        parser.error(f"no environment {', '.join(sorted(unknown))}; there are {', '.join(ENVIRONMENTS)}")
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in given.names or ENVIRONMENTS:
        make(given.folder.resolve(), name, given.python)


if __name__ == "__main__":
    main()
