"""A saved model: a folder of safe files, written whole or not at all, and checked before it is read.

`model.json` (class, version, parameters, digests of vocabularies, training fingerprint, SHA-256 of every other
file, and of itself), `arrays.safetensors`, `users.parquet`, `items.parquet`, and `catalogue.parquet` where the
model has a catalogue. Nothing in it can run code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from palate.atomic import put_in_place, umask
from palate.catalogue import Catalogue
from palate.errors import SavedModelError, listing
from palate.interactions import Histories
from palate.models.algorithm import Algorithm, Fitted
from palate.vocabulary import Vocabulary

FORMAT = 1
_FILES = {"model.json", "arrays.safetensors", "users.parquet", "items.parquet", "catalogue.parquet"}
Model = TypeVar("Model", bound=Algorithm)
Arrays = Mapping[str, NDArray[Any]]


def write(
    folder: Path, manifest: dict[str, Any], arrays: Arrays, writers: Mapping[str, Callable[[Path], None]]
) -> None:
    """Write a model folder under a temporary name beside `folder`, then rename it.

    Args:
        folder: where the model is to stand; an earlier model there is replaced, anything else is refused.
        manifest: what `model.json` says.
        arrays: learned state.
        writers: more files by name, each with the function that writes it.

    Raises:
        SavedModelError: the folder holds something else, or the disk refuses; nothing is left half written.

    """
    from safetensors.numpy import save_file

    _refuse_what_is_not_ours(folder)
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            temporary / "arrays.safetensors",
        )
        for name, write_file in writers.items():
            write_file(temporary / name)
        files = {path.name: _sha256(path) for path in sorted(temporary.iterdir())}
        manifest = {"format": FORMAT, **manifest, "files": files}
        manifest["digest"] = _digest(manifest)
        (temporary / "model.json").write_text(
            json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8"
        )
        temporary.chmod(
            0o777 & ~umask()
        )  # made private by mkdtemp and safetensors; who may read is the user's say
        (temporary / "arrays.safetensors").chmod(0o666 & ~umask())
        put_in_place(temporary, folder)
    except Exception as error:
        # safetensors and Polars wrap a full disk in errors of their own.
        raise SavedModelError(f"{folder} could not be written ({error}); nothing was left behind.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def check_place(folder: Path) -> None:
    """Raise SavedModelError unless a model can be saved there: asked before a long fit, not after. Leaves no trace."""
    _refuse_what_is_not_ours(folder)
    there = next(one for one in folder.absolute().parents if one.exists())
    try:
        Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=there)).rmdir()
    except OSError as error:
        raise SavedModelError(
            f"{folder} cannot be written ({there}: {error.strerror}): give another folder."
        ) from None


def earlier(folder: Path) -> str:
    """Say which model stands in a folder, and since when; nothing where none does."""
    path = folder / "model.json"
    try:
        name = json.loads(path.read_text("utf-8"))["class"]
        when = datetime.fromtimestamp(path.stat().st_mtime)
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"the {name} that was saved there on {when:%Y-%m-%d at %H:%M}"


def _refuse_what_is_not_ours(folder: Path) -> None:
    """Raise unless `folder` is free, empty, or holds an earlier model and nothing else: the rest would be deleted."""
    if not folder.exists():
        return
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    if there and "model.json" not in there:
        raise SavedModelError(f"{folder} exists and is no saved model: give a new folder.")
    if foreign := sorted(there - _FILES):
        raise SavedModelError(
            f"{folder} holds more than a saved model ({listing(foreign)}): give a new folder, or move them away."
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what `model.json` says, after checking every file of the folder against its digest.

    Raises:
        SavedModelError: no model there, a file is missing, altered, or of a newer format.

    """
    path = folder / "model.json"
    if not path.is_file():
        raise SavedModelError(
            f"{folder} is no saved model (it has no model.json). Give the folder that `save` or `palate fit` wrote."
        )
    try:
        manifest = json.loads(path.read_text("utf-8"))
        digest, files = manifest["digest"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SavedModelError(f"{path} is torn or altered: fit and save the model again.") from error
    if manifest.get("format") != FORMAT:
        raise SavedModelError(
            f"{folder} has format {manifest.get('format')}; this Palate reads format {FORMAT}: fit and save again."
        )
    if digest != _digest(manifest):
        raise SavedModelError(f"{path} was altered after saving: fit and save the model again.")
    for name, expected in files.items():
        file = folder / name
        if Path(name).name != name or not file.is_file() or _sha256(file) != expected:
            raise SavedModelError(f"{file} is missing, torn or altered: fit and save the model again.")
    return dict(manifest)


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a folder that `read_manifest` has checked."""
    from safetensors.numpy import load_file

    return dict(load_file(folder / "arrays.safetensors"))


def save_model(model: Algorithm, folder: Path) -> Path:
    """Write a fitted model; returns the folder."""
    from palate import __version__

    fitted = model.fitted
    arrays = {f"history.{name}": array for name, array in _parts(fitted.histories).items()}
    arrays["popularity"] = fitted.popularity
    numbers = {}
    for name, value in _parts(fitted.state).items():
        if isinstance(value, np.ndarray):
            arrays[f"state.{name}"] = value
        elif isinstance(value, dict):  # arrays by name
            arrays |= {f"state.{name}/{key}": array for key, array in value.items()}
        else:
            numbers[name] = value
    writers = {"users.parquet": fitted.users.save, "items.parquet": fitted.items.save}
    if fitted.catalogue is not None:
        writers["catalogue.parquet"] = fitted.catalogue.save
    manifest = {
        "palate": __version__,
        "class": model.name,
        "params": model.params(),
        "state": numbers,
        "train": {"fingerprint": fitted.fingerprint, "interactions": len(fitted.histories.item)},
        "negative_events": list(fitted.negative_events),
        "vocabulary": {"users": fitted.users.digest, "items": fitted.items.digest},
    }
    write(folder, manifest, arrays, writers)
    return folder


def load_model(model: type[Model], folder: Path) -> Model:
    """Read a model of a known class, after checking the folder."""
    manifest = read_manifest(folder)
    if manifest["class"] != model.name:
        raise SavedModelError(
            f"{folder} holds a {manifest['class']}, not a {model.name}: use palate.load_model(folder)."
        )
    fitted = model(**manifest["params"])
    arrays = read_arrays(folder)
    state = grouped({name[6:]: array for name, array in arrays.items() if name.startswith("state.")})
    history = {name[8:]: array for name, array in arrays.items() if name.startswith("history.")}
    users, items = Vocabulary.load(folder / "users.parquet"), Vocabulary.load(folder / "items.parquet")
    if {"users": users.digest, "items": items.digest} != manifest["vocabulary"]:
        raise SavedModelError(
            f"{folder}: the vocabularies are not those of the model: fit and save it again."
        )
    has_catalogue = "catalogue.parquet" in manifest["files"]
    fitted._fitted = Fitted(
        users=users,
        items=items,
        histories=Histories(history["indptr"], history["item"], history["value"], history.get("time")),
        popularity=arrays["popularity"],
        catalogue=Catalogue.load(folder / "catalogue.parquet") if has_catalogue else None,
        fingerprint=manifest["train"]["fingerprint"],
        negative_events=tuple(manifest["negative_events"]),
        state=model.state_type(**state, **manifest["state"]),
    )
    if not _sound(fitted._fitted):
        raise SavedModelError(f"{folder}: the arrays do not fit each other: fit and save the model again.")
    return fitted


def _sound(fitted: Fitted) -> bool:
    """Return whether every index lies inside what it points into: kernels do not look again."""
    events, n_items, n = fitted.histories, len(fitted.items), len(fitted.histories.item)
    return bool(
        len(events.indptr) == len(fitted.users) + 1
        and events.indptr[0] == 0
        and events.indptr[-1] == n
        and (np.diff(events.indptr) >= 0).all()
        and len(events.value) == n
        and (events.time is None or len(events.time) == n)
        and (n == 0 or (events.item.min() >= 0 and events.item.max() < n_items))
        and fitted.popularity.shape == (n_items,)
        and fitted.state.fits(n_items)
    )


def _parts(state: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are not None."""
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    return {name: value for name, value in fields.items() if value is not None}


def grouped(arrays: Arrays) -> dict[str, Any]:
    """Return arrays by name, those named `field/key` as one dict a field."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        field, slash, key = name.partition("/")
        if slash:
            found.setdefault(field, {})[key] = array
        else:
            found[name] = array
    return found


def _digest(manifest: Mapping[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
