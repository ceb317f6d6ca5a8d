"""Two processes that share every step of an alignment learn what one learns, at the same global batch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from palate.text import language_model  # noqa: E402
from tests.neural.test_distributed import ROOT, torchrun  # noqa: E402
from tests.text.several import WAYS, learned  # noqa: E402
from tests.text.test_align import pairs  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)


def test_two_processes_equal_one_at_the_same_global_batch(tmp_path: Path):
    torchrun("-m", "tests.text.several", tmp_path / "two.npz")
    alone = learned()
    with np.load(tmp_path / "two.npz") as two:
        assert set(two) == set(alone)
        assert set(WAYS) < set(two)
        for name, one in alone.items():
            if name.endswith(".gradient"):
                assert np.abs(one).max() > 1e-4
            # a weight whose slope is next to 0 moves by the sign of it
            np.testing.assert_allclose(
                two[name], one, rtol=0, atol=1e-5 if "." in name else 1e-4, err_msg=name
            )


def test_the_verb_trains_in_two_processes_and_saves_once(tmp_path: Path):
    rows = [
        {"prompt": one.prompt, "chosen": one.answer, "rejected": "no such text, and a long one"}
        for one in pairs()
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def words(out: str) -> list[str]:
        sets = ["rank=4", "batch=3", "device=cpu", "dropout=0.0", "epochs=2"]
        told = ["palate", "text", "train", "orpo", str(tmp_path / "rows.jsonl"), "--model", "tiny"]
        told += ["--out", str(tmp_path / out), "--checkpoint", str(tmp_path / f"{out}-state")]
        return ["-m", *told, *(word for one in sets for word in ("--set", one))]

    torchrun(*words("two"))
    subprocess.run([sys.executable, *words("one")], cwd=ROOT, check=True, capture_output=True)
    one, two = (json.loads((tmp_path / name / "training.json").read_text()) for name in ("one", "two"))
    assert [row["loss"] for row in two["trace"]] == pytest.approx(
        [row["loss"] for row in one["trace"]], abs=1e-5
    )
    assert (tmp_path / "two" / "report.html").exists()
    assert language_model.load(tmp_path / "two", device="cpu").base == "tiny"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one",
        "one-state",
        "rows.jsonl",
        "two",
        "two-state",
    ]
