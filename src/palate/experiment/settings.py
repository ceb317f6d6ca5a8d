"""TOML content as plain values, and one value changed by its dotted key."""

from __future__ import annotations

import datetime
import tomllib
from typing import Any

from palate.errors import PlanError, did_you_mean, listing


def plain(value: Any) -> Any:
    """Copy TOML content to dicts, lists, texts, numbers and booleans; dates become ISO texts."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value


def set_value(content: dict[str, Any], setting: str) -> None:
    """Change `content` by a `section.key=value`; `[[models]]` are named by label, name or place.

    The value is TOML (`30`, `[5, 10]`, `true`, `"text"`); what is not TOML is taken as a text.
    Raises PlanError for a setting of another form, and for a model that the plan lacks.

    >>> plan = {"models": [{"name": "sar"}]}
    >>> set_value(plan, "models.sar.half_life_days=30")
    >>> set_value(plan, "evaluate.k=[5, 10]")
    >>> plan
    {'models': [{'name': 'sar', 'half_life_days': 30}], 'evaluate': {'k': [5, 10]}}
    """
    dotted, equals, text = setting.partition("=")
    keys = [key.strip() for key in dotted.split(".")]
    if not equals or not all(keys) or (keys[0] == "models" and len(keys) < 3):
        raise PlanError(
            f"--set '{setting}': expected section.key=value, such as evaluate.k=20 or models.sar.threshold=2."
        )
    place = content
    if keys[0] == "models":
        # a label may hold dots: the parameter is what follows the last one
        label, _, key = dotted.partition(".")[2].rpartition(".")
        place = _model(content.get("models", []), label.strip(), setting)
        keys = [key.strip()]
    for key in keys[:-1]:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            raise PlanError(f"--set '{setting}': '{key}' is no section of the plan.")
    _drop_rival(content, keys)
    place[keys[-1]] = _value(text.strip())


def _drop_rival(content: dict[str, Any], keys: list[str]) -> None:
    """Forget what a new value replaces: a data set's name and a file's path, a former method's parameters."""
    if keys in (["data", "name"], ["data", "path"]):
        for key in ("name", "path", "otherwise"):
            content["data"].pop(key, None)
    if keys == ["split", "method"]:
        content["split"].clear()


def _model(models: Any, label: str, setting: str) -> dict[str, Any]:
    rows = [row for row in models if isinstance(row, dict)] if isinstance(models, list) else []
    labels = [str(row.get("label", row.get("name", ""))) for row in rows]
    named = [row for row in rows if row.get("name") == label]
    if label in labels:
        return rows[labels.index(label)]
    if len(named) == 1:
        return named[0]
    if label.isdecimal() and int(label) < len(rows):
        return rows[int(label)]
    raise PlanError(
        f"--set '{setting}': the plan has no model '{label}'.{did_you_mean(label, labels)} "
        f"Models: {listing(labels)}."
    )


def _value(text: str) -> Any:
    try:
        return plain(tomllib.loads(f"value = {text}")["value"])
    except tomllib.TOMLDecodeError:
        return text
