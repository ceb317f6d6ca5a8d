"""The table of verbs and the front page of the help, written without typer so that it answers at once."""

from __future__ import annotations

import platform
from importlib import import_module
from typing import Any

from palate.cli.style import bold

VERBS: dict[str, str] = {
    "run": "Run a plan: split, fit, evaluate, compare, report.",
    "tune": "Find good parameters for a plan's models, on validation.",
    "compare": "Tune models alike, test them, and say which to take.",
    "recipes": "List the plans that ship with Palate, or print one.",
    "models": "List the models, or the parameters of one.",
    "data": "List, get, describe and convert data sets.",
    "fit": "Fit one model and save it.",
    "recommend": "Recommend items from a saved model.",
    "similar": "Items similar to an item.",
    "explain": "Why an item is recommended to a user.",
    "export": "Write a fitted network as ONNX, for runtimes without Python.",
    "evaluate": "Score recommendations against the truth, or news against clicks.",
    "submit": "Write the ranks of news that MIND's leaderboard takes.",
    "text": "Language models: their loss made visible, instruction sets, alignment.",
    "doctor": "Check the installation, and say what to do.",
}

_FRONT = """\
Palate learns what people prefer: recommenders that are compared, explained and reported honestly.

Usage: palate VERB [OPTIONS]

Verbs:
{verbs}

Options:
  -h, --help   This page; `palate VERB --help` has the options and examples of a verb.
  --version    The version.
  --debug      Show the traceback of an error. May stand anywhere.

Start here:
  palate run quickstart                      a leaderboard on data that ships with Palate
  palate data describe ratings.csv           your own file
  palate compare ratings.csv                 which model suits it, and at what cost
  palate fit movietweetings --model sar --out models/sar
  palate recommend models/sar --users 1,2\
"""

HEADINGS = ("Usage", "Verbs", "Commands", "Arguments", "Options", "Examples", "Start here")


def help_page() -> str:
    """Return the front page: what `palate --help` prints."""
    width = max(map(len, VERBS)) + 2
    verbs = "\n".join(f"  {verb:<{width}} {summary}" for verb, summary in VERBS.items())
    return with_headings(_FRONT.format(verbs=verbs))


def with_headings(page: str) -> str:
    """Return a help page with its headings in bold, where the terminal shows bold."""
    for heading in HEADINGS:
        page = page.replace(f"\n{heading}:", f"\n{bold(heading + ':')}")
        if page.startswith(f"{heading}:"):
            page = bold(heading + ":") + page[len(heading) + 1 :]
    return page


def version() -> str:
    """Return what `palate --version` prints."""
    from palate import __version__

    return f"palate {__version__} (Python {platform.python_version()})"


def module(verb: str) -> Any:
    """Import the file of a verb, which holds its function, or an `app` with sub-verbs, and `EXAMPLES`."""
    return import_module(f"palate.cli.{verb}")
