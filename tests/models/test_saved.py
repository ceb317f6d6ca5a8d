"""The folder of a saved model: safe, whole, checked. (What every model must do with it: the conformance suite.)"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import palate
from palate import SAR
from palate.errors import PlanError, SavedModelError
from palate.models import registry
from palate.models.saved import _digest
from tests.worlds import world

# A process that may write no file beyond so many bytes: a disk that fills up in the middle of one.
FULL = """
import resource, sys, palate
model = palate.load_model(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    model.save(sys.argv[2])
except palate.errors.SavedModelError as error:
    print(error)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return SAR(half_life_days=3).fit(world()).save(tmp_path / "model")


def rewrite(folder: Path, change: dict[str, object]) -> None:
    """Change model.json and give it a right digest: what a careful forger, or another version, would write."""
    manifest = json.loads((folder / "model.json").read_text()) | change
    manifest["digest"] = _digest(manifest)
    (folder / "model.json").write_text(json.dumps(manifest))


def test_the_folder_holds_what_the_architecture_says(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "arrays.safetensors", "items.parquet", "model.json", "users.parquet",
    ]  # fmt: skip
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["class"] == "sar"
    assert manifest["palate"] == palate.__version__
    assert manifest["params"] == SAR(half_life_days=3).params()
    assert manifest["train"] == {"fingerprint": world().fingerprint, "interactions": 345}
    assert manifest["vocabulary"]["users"] == world().users.digest
    assert set(manifest["files"]) == {"arrays.safetensors", "items.parquet", "users.parquet"}


@pytest.mark.parametrize(("mask", "folders", "files"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600)])
def test_who_may_read_it_is_what_the_umask_says(tmp_path: Path, mask: int, folders: int, files: int) -> None:
    before = os.umask(mask)
    try:
        folder = SAR().fit(world()).save(tmp_path / "model")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == folders
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {files}


def test_nothing_in_it_is_a_pickle_or_code(folder: Path) -> None:
    for path in folder.iterdir():
        start = path.read_bytes()[:16]
        assert path.suffix in (".json", ".safetensors", ".parquet")
        assert not start.startswith((b"\x80\x04", b"\x80\x05", b"PK", b"#!"))


def test_saving_the_same_model_twice_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = SAR(half_life_days=3).fit(world()).save(tmp_path / "again")
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("limit", [100, 3_000])
def test_a_disk_that_fills_up_leaves_the_earlier_model(folder: Path, tmp_path: Path, limit: int) -> None:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert max(sizes.values()) > 3_000
    earlier = SAR().fit(world(7)).save(tmp_path / "other")
    told = subprocess.check_output(
        [sys.executable, "-c", FULL, str(folder), str(earlier), str(limit)], text=True
    )
    assert "could not be written" in told
    assert "nothing was left behind" in told
    assert told.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "other"]
    assert np.array_equal(palate.load_model(earlier).score(), SAR().fit(world(7)).score())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(folder: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(SavedModelError, match="could not be written"):
        palate.load_model(folder).save(closed / "model")


def test_a_parent_that_is_a_file_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SavedModelError, match="could not be written"):
        palate.load_model(folder).save(tmp_path / "file" / "model")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_link_to_a_model_is_no_way_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    assert np.array_equal(palate.load_model(tmp_path / "current").score(), palate.load_model(folder).score())


def test_an_empty_folder_is_taken(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert palate.load_model(palate.load_model(folder).save(tmp_path / "empty")).name == "sar"


def test_a_folder_with_more_than_a_model_is_not_replaced(folder: Path) -> None:
    model = palate.load_model(folder)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(SavedModelError, match=r"holds more than a saved model \(notes.txt\)"):
        model.save(folder)
    assert (folder / "notes.txt").read_text() == "mine"
    palate.load_model(folder)


def test_another_format_is_refused_with_what_to_do(folder: Path) -> None:
    rewrite(folder, {"format": 99})
    with pytest.raises(
        SavedModelError, match="has format 99; this Palate reads format 1: fit and save again"
    ):
        palate.load_model(folder)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"format": 1}', "\x00", '{"digest": 1, "files": 3}']
)
def test_what_is_no_manifest_is_refused(folder: Path, content: str) -> None:
    (folder / "model.json").write_text(content)
    with pytest.raises(SavedModelError, match="torn or altered"):
        palate.load_model(folder)


def test_names_that_lead_out_of_the_folder_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    files = json.loads((folder / "model.json").read_text())["files"]
    for name in ("../secret", str(tmp_path / "secret")):
        rewrite(folder, {"files": files | {name: "0"}})
        with pytest.raises(SavedModelError, match="missing, torn or altered"):
            palate.load_model(folder)


def test_vocabularies_of_another_model_are_refused(folder: Path) -> None:
    rewrite(folder, {"vocabulary": {"users": "0", "items": "0"}})
    with pytest.raises(SavedModelError, match="vocabularies are not those of the model"):
        palate.load_model(folder)


def test_an_unknown_class_is_refused(folder: Path) -> None:
    rewrite(folder, {"class": "sarr"})
    with pytest.raises(PlanError, match="Did you mean 'sar'"):
        palate.load_model(folder)


def test_the_registry_suggests_the_right_name() -> None:
    assert registry.names()[:2] == ["random", "popularity"]  # simple ones first
    assert len(set(registry.names())) == len(registry.names())
    with pytest.raises(PlanError, match=r"no model is called 'poplarity'. Did you mean 'popularity'\?"):
        registry.create("poplarity")
    assert [registry.get(name).name for name in registry.names()] == registry.names()


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("history.item", 3, 2**30),
        ("history.item", 0, -1),
        ("history.indptr", 2, 10**9),
        ("history.indptr", -1, 3),
    ],
)
def test_arrays_that_point_outside_are_refused_even_with_right_digests(
    folder: Path, name: str, at: int, value: int
) -> None:
    file = folder / "arrays.safetensors"
    arrays = load_file(file)
    arrays[name][at] = value
    save_file(arrays, file)
    manifest = json.loads((folder / "model.json").read_text())
    files = manifest["files"] | {file.name: hashlib.sha256(file.read_bytes()).hexdigest()}
    rewrite(folder, {"files": files})
    with pytest.raises(SavedModelError, match="do not fit each other"):
        palate.load_model(folder)
