"""A training that is killed goes on from its last whole epoch, and ends where it would have ended, to the bit."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from palate.errors import SavedModelError  # noqa: E402
from palate.neural.loop import train  # noqa: E402
from tests.neural.toy import Toy, course, weights  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def one_thread():
    """Bits depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(checkpoint: Path | None = None, epochs: int = 6) -> tuple[dict[str, np.ndarray], list[dict]]:
    """Train in this process; return the weights, and what was noted."""
    task, notes = Toy(), []
    train(task, course(checkpoint, epochs), lambda **numbers: notes.append(numbers))
    return weights(task), notes


@pytest.fixture(scope="module")
def unbroken() -> dict[str, np.ndarray]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    found = trained()[0]
    torch.set_num_threads(before)
    return found


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_a_seed_gives_one_training_and_a_checkpoint_changes_nothing(unbroken, tmp_path: Path) -> None:
    assert same(unbroken, trained()[0])
    assert same(unbroken, trained(tmp_path)[0])


@pytest.mark.parametrize("end", ["step=11", "write=3"])
def test_a_killed_training_goes_on_to_the_same_bits(end: str, unbroken, tmp_path: Path) -> None:
    """Three steps make an epoch: the eleventh is in the fourth; the third file is half written."""
    command = [sys.executable, "-m", "tests.neural.toy", tmp_path / "kept", end]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    found, notes = trained(tmp_path / "kept")
    # What was noted before the end is told again; every epoch has one row.
    assert [row["epoch"] for row in notes] == [1, 2, 3, 4, 5, 6]
    assert [row["seconds"] for row in notes] == sorted(row["seconds"] for row in notes)
    assert same(unbroken, found)


def test_a_finished_training_goes_on_with_more_epochs_only(tmp_path: Path) -> None:
    first, before = trained(tmp_path)
    again, notes = trained(tmp_path)
    assert notes == before
    assert same(first, again)


def test_a_torn_checkpoint_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, epochs=1)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(SavedModelError, match="is torn or altered: remove it"):
        trained(tmp_path)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    trained(tmp_path, epochs=1)
    with pytest.raises(SavedModelError, match="belongs to another training"):
        train(Toy(), replace(course(tmp_path), identity="another"), lambda **_: None)


def test_a_sasrec_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    from palate import Interactions
    from palate.models import create

    item = np.random.default_rng(2).integers(0, 20, 150)
    rows = Interactions.from_table({"user": np.arange(150) // 8, "item": item, "time": np.arange(150)})

    def fitted(**given) -> dict[str, np.ndarray]:
        settings = {
            "embedding_size": 8,
            "window": 6,
            "loss": "bce",
            "negatives": 5,
            "batch": 40,
            "holdout": 0.0,
            "device": "cpu",
        }
        return create("sasrec", **settings, **given).fit(rows).fitted.state.weights

    fitted(epochs=2, checkpoint=tmp_path)
    assert same(fitted(epochs=4, checkpoint=tmp_path), fitted(epochs=4))
    assert not same(fitted(epochs=2), fitted(epochs=4))
