"""Which torch `make` installs, and that it leaves alone what is there; a scripted Python stands in for the real one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or not (ROOT / "Makefile").is_file(), reason="needs make and the Makefile"
)

PYTHON = """#!/bin/sh
case "$*" in
  *"import torch"*) {has_torch} ;;
  *"import pip"*) exit 0 ;;
  *) echo "$@" >> "{log}" ;;
esac
"""


def script(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


@pytest.fixture
def make(tmp_path: Path):
    """Return what `make VENV/.torch` asked pip for, in an environment with or without torch and a GPU."""

    def run(*settings: str, torch: bool = False, gpu: bool = False) -> list[str]:
        venv, log, tools = tmp_path / "own", tmp_path / "log", tmp_path / "tools"
        log.write_text("")
        script(venv / "bin" / "python", PYTHON.format(has_torch=f"exit {int(not torch)}", log=log))
        script(tools / "nvidia-smi", f"#!/bin/sh\nexit {int(not gpu)}\n")
        command = ["make", "-s", f"VENV={venv}", f"{venv}/.torch", *settings]
        path = f"{tools}:/usr/local/bin:/usr/bin:/bin:{Path(shutil.which('python3') or '').parent}"
        subprocess.run(command, cwd=ROOT, env={"PATH": path}, check=True, capture_output=True)
        return log.read_text().splitlines()

    return run


def test_a_torch_that_can_be_imported_is_kept(make) -> None:
    assert make(torch=True, gpu=True) == []


def test_without_a_gpu_torch_is_the_pinned_one_from_where_pip_looks(make) -> None:
    (call,) = make()
    assert call.startswith("-m pip install")
    assert call.endswith(" torch==2.13.0")
    assert "index" not in call


def test_an_index_of_the_users_own_is_handed_to_pip(make) -> None:
    (call,) = make("TORCH_INDEX=https://torch.example/cpu")
    assert call.endswith(" --extra-index-url https://torch.example/cpu torch==2.13.0")


def test_where_nvidia_smi_answers_torch_is_the_plain_one(make) -> None:
    (call,) = make("TORCH_INDEX=https://torch.example/cpu", gpu=True)
    assert call.endswith("disable-pip-version-check torch")


def test_an_environment_of_the_users_own_is_not_made_again(make, tmp_path: Path) -> None:
    make(torch=True)
    assert (tmp_path / "own" / "bin" / "python").read_text().startswith("#!/bin/sh")
    assert (tmp_path / "own" / ".python").exists()
