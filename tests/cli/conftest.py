"""The command line called in this process, on data that ships with Palate."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from palate.cli import main


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def palate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Call `palate WORDS...` and get its exit code, stdout and stderr."""
    monkeypatch.delenv("PALATE_DATA", raising=False)

    def call(*words: object) -> Answer:
        capsys.readouterr()
        with patch.dict(os.environ):  # --quiet holds for the rest of a process
            code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def sar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved SAR of the small MovieTweetings, which has titles and text ids."""
    folder = tmp_path_factory.mktemp("models") / "sar"
    with patch.dict(os.environ):
        assert main(["fit", "movietweetings-10k", "--model", "sar", "--out", str(folder), "--quiet"]) == 0
    return folder
