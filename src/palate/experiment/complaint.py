"""A failed check of a plan, said in one line: the section, the key, what was given and what was expected."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from palate.errors import did_you_mean, expected, listing


def complaint(
    error: ValidationError,
    schema: type[BaseModel],
    content: dict[str, Any],
    *,
    place: str = "",
    what: str = "",
) -> str:
    """Say the first fault of `content` that `schema` found.

    A misspelt key comes first, since what a plan lacks is often what was misspelt.
    """
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    first = faults[0]
    place, keys = _section(first["loc"], content)
    what = "key" if place else "section"
    if first["type"] == "extra_forbidden":
        known = list(_schema_at(schema, first["loc"][:-1]).model_fields)
        key = str(first["loc"][-1])
        near = did_you_mean(key, known)
        return f"{place or 'the plan'} has no {what} '{key}'.{near} It has: {', '.join(known)}."
    if first["type"] == "missing":
        return f"{place or 'the plan'} needs the {what} '{keys[-1]}'."
    key = next((str(part) for part in keys if isinstance(part, str)), "")
    if first["type"] == "value_error":
        where = f"{place} {key}:" if place else f"[{key}]"  # one key, or a section as a whole
        return f"{where} {first['ctx']['error']}."
    return f"{place} {key} = {_shown(first['input'])} is not what was expected: {expected(first)}".strip()


def _section(loc: tuple[int | str, ...], content: dict[str, Any]) -> tuple[str, tuple[int | str, ...]]:
    """Split a place into the section's name as it stands in the file, and the keys inside it."""
    if len(loc) >= 2 and loc[0] == "models" and isinstance(loc[1], int):
        rows = content.get("models", [])
        row = rows[loc[1]] if isinstance(rows, list) and loc[1] < len(rows) else None
        label = row.get("label", "") if isinstance(row, dict) else ""
        return f"[[models]] {label or f'number {loc[1] + 1}'}", loc[2:] or ("models",)
    if len(loc) == 1:
        return "", loc
    return f"[{loc[0]}]", loc[1:]


def _schema_at(schema: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel]:
    for part in loc:
        if isinstance(part, int):
            continue
        field = schema.model_fields.get(part)
        found = _model_in(field.annotation) if field else None
        if found is None:
            return schema
        schema = found
    return schema


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := _model_in(part):
            return found
    return None


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return listing([text])
