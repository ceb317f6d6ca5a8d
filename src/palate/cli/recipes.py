"""`palate recipes`: the plans that ship with Palate."""

from __future__ import annotations

from typing import Annotated

import typer

from palate.cli.options import Json
from palate.cli.show import print_json, print_table

EXAMPLES = """
palate recipes
palate recipes quickstart
palate recipes quickstart > my-plan.toml
"""


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The recipe to print.")] = None,
    as_json: Json = False,
) -> None:
    """List the plans that ship with Palate, or print one as TOML, ready to be changed and run."""
    from palate.experiment import recipes as shipped

    if name is not None:
        text = shipped.text(name)
        print_json({"name": name, "toml": text}) if as_json else print(text.rstrip())
        return
    known = [(one, shipped.summary(one)) for one in shipped.names()]
    if as_json:
        print_json([{"name": one, "summary": summary} for one, summary in known])
    else:
        print_table(("recipe", "what it shows"), known)
