"""What other files must answer for in a plan: labels, paths, parameters of splits and models, metrics."""

from __future__ import annotations

import inspect
import typing
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from palate.errors import PlanError, did_you_mean, expected

if TYPE_CHECKING:
    from palate.models.base import Recommender


def give_labels(content: dict[str, Any], source: str) -> None:
    """Label each model by its name where it has no label; two of one label are refused."""
    models = content.get("models", [])
    rows = [row for row in models if isinstance(row, dict)] if isinstance(models, list) else []
    for row in rows:
        if "name" in row:
            row.setdefault("label", row["name"])
    for label, times in Counter(str(row.get("label")) for row in rows if "label" in row).items():
        if times > 1:
            raise PlanError(
                f"{source}: {times} models are labelled '{label}'. "
                f'Give one of them another label, such as label = "{label}-2".'
            )


def give_folder(content: dict[str, Any], folder: Path | None) -> None:
    """Make relative paths absolute: in the plan's folder where the file is there, else in the current one."""

    def found(path: object) -> object:
        for base in (folder, Path.cwd()):
            if isinstance(path, str) and base is not None and (base / path).exists():
                return str((base / path).resolve())
        return path

    places = [("data", "path"), ("data", "items")]
    if isinstance(content.get("split"), dict) and content["split"].get("method") == "given":
        places += [("split", "test"), ("split", "valid")]
    for section, key in places:
        if isinstance(content.get(section), dict) and key in content[section]:
            content[section][key] = found(content[section][key])
    candidates = content["evaluate"].get("candidates") if isinstance(content.get("evaluate"), dict) else None
    if isinstance(candidates, dict) and "file" in candidates:
        candidates["file"] = found(candidates["file"])


def split_params(method: str, params: dict[str, Any], source: str = "plan") -> dict[str, Any]:
    """Return every parameter of a split method, defaults filled in. Raises PlanError."""
    from palate import split

    if method not in split.METHODS:
        raise PlanError(
            f"{source}: [split] has no method '{method}'.{did_you_mean(method, split.METHODS)} "
            f"Methods: {', '.join(split.METHODS)}."
        )
    known = _signature(method)
    for key in params:
        if key not in known and key != "seed":  # a seed may be given to methods that draw nothing
            raise PlanError(
                f"{source}: [split] method '{method}' has no parameter '{key}'."
                f"{did_you_mean(key, ['method', *known])} It has: {', '.join(known)}."
            )
    full: dict[str, Any] = {}
    for key, (hint, default) in known.items():
        if key not in params and default is inspect.Parameter.empty:
            raise PlanError(f"{source}: [split] method '{method}' needs the parameter '{key}'.")
        try:
            checked = TypeAdapter(hint, config=ConfigDict(strict=True)).validate_python(
                params.get(key, default)
            )
        except ValidationError as error:
            fault = error.errors()[-1]
            raise PlanError(
                f"{source}: [split] {key} = {params[key]!r} is not what was expected: {expected(fault)}"
            ) from None
        if checked is not None:
            full[key] = checked
    return full


def _signature(method: str) -> dict[str, tuple[Any, Any]]:
    """Return name -> (type, default) of a split's parameters; in a plan `given` takes files."""
    if method == "given":
        return {"test": (str | None, None), "valid": (str | None, None)}
    from palate import split

    function = split.METHODS[method]
    hints = typing.get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return {
        parameter.name: (hints.get(parameter.name, object), parameter.default) for parameter in parameters
    }


def create_model(name: str, params: dict[str, Any], label: str, source: str = "plan") -> Recommender:
    """Make the unfitted model of a `[[models]]` section. Raises PlanError naming it."""
    from palate.models import registry

    try:
        return registry.create(name, **params)
    except PlanError as error:
        place = "" if label == name else f" {label}:"
        raise PlanError(f"{source}: [[models]]{place} {error}") from None


def check_metrics(metrics: list[str], k: list[int], source: str = "plan") -> tuple[str, ...]:
    """Return the metric keys of a plan, the one that ranks the board first.

    Raises PlanError for a metric that evaluation does not know, and for a first one that can rank nothing.
    """
    from palate.evaluation.keys import wanted
    from palate.evaluation.result import NO_RANKING

    try:
        keys = wanted(metrics, k).keys
    except PlanError as error:
        raise PlanError(f"{source}: [evaluate] {error}") from None
    first = keys[0].partition("@")[0]
    if first in NO_RANKING:
        raise PlanError(
            f"{source}: [evaluate] the first metric ranks the models, and {first} does not say which is better. "
            f'Put ndcg, say, first: metrics = ["ndcg", "{first}"].'
        )
    return keys
