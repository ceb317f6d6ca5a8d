"""`palate models`: what models there are, and what their parameters mean."""

from __future__ import annotations

import importlib
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from palate.cli.options import Json
from palate.cli.show import print_json, print_table
from palate.cli.style import bold

EXAMPLES = """
palate models
palate models sasrec
"""


def models(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The model to describe.")] = None,
    as_json: Json = False,
) -> None:
    """List the models, or the parameters of one: default, values and meaning. `palate fit --set` sets them."""
    from palate.models import registry

    if name is None:
        listed = [
            {"name": one, "summary": _about(registry.get(one, needed=False))[0]}
            for one in [*registry.names(), *registry.news_names()]
        ]
        print_json(listed) if as_json else print_table(
            ("model", "what it is"), [list(one.values()) for one in listed]
        )
        return
    model = registry.get(name, needed=False)
    rows = [
        {
            "parameter": key,
            "default": one.default,
            "values": _values(one.annotation),
            "meaning": one.description,
        }
        for key, one in model.model_fields.items()
    ]
    if as_json:
        print_json({"name": name, "about": "\n".join(_about(model)), "parameters": rows})
        return
    first, *more = _about(model)
    print("\n".join([bold(first), *more]) + "\n")
    if rows:
        cells = [[row["parameter"], _written(row["default"]), row["values"], row["meaning"]] for row in rows]
        print_table(("parameter", "default", "values", "meaning"), cells)


def _written(value: object) -> str:
    """Return a default as one would write it; nothing where the parameter may be absent."""
    return "" if value is None else str(value)


def _about(model: type) -> list[str]:
    """Return what the file of a model says of it, its first line alone."""
    text = importlib.import_module(model.__module__).__doc__ or ""
    return text.strip().splitlines()


def _values(kind: Any) -> list[Any]:
    """Return the words that a parameter takes, where it takes no others."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) in (Union, UnionType, Annotated):
        return [word for part in get_args(kind) if part is not NoneType for word in _values(part)]
    return []
