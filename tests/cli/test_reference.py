"""`docs/cli.md` and the command line say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from palate.cli import endings, options
from palate.cli.parse import application
from palate.cli.verbs import module
from palate.errors import PalateError

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
READING = {f"--{name.replace('_', '-')}" for name in options.READING}


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


COMMANDS = dict(commands(typer.main.get_command(application())))


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_option_of_a_verb_is_documented(verb: str):
    section = SECTIONS[f"palate {verb}"]
    named = {
        name for parameter in COMMANDS[verb].params for name in parameter.opts + parameter.secondary_opts
    }
    if named >= READING:
        assert "(#reading-a-file)" in section
        section += SECTIONS["Reading a file"]
    missing = {name for name in named if name.startswith("--") and not re.search(rf"`[^`]*{name}\b", section)}
    assert missing <= {"--help"}


@pytest.mark.parametrize("verb", COMMANDS)
def test_no_option_is_documented_that_a_verb_lacks(verb: str):
    table = [line for line in SECTIONS[f"palate {verb}"].splitlines() if line.startswith("| `-")]
    named = {name for parameter in COMMANDS[verb].params for name in parameter.opts}
    assert {name for line in table for name in re.findall(r"`(--?[a-z-]+)", line.split(" | ")[0])} <= named


@pytest.mark.parametrize("verb", [verb for verb in COMMANDS if verb != "doctor"])
def test_the_examples_of_the_page_are_those_of_the_help(verb: str):
    shown = re.findall(r"^\$ (.*)$", SECTIONS[f"palate {verb}"], re.MULTILINE)
    group, *subs = verb.split()
    examples = module(group).SUB_VERBS if subs else module(verb).EXAMPLES
    for sub in subs:
        examples = examples[sub][1]
    assert shown == examples.strip().splitlines()


def test_every_verb_stands_in_the_table_at_the_top():
    verbs = {verb.split()[0] for verb in COMMANDS}
    assert verbs <= set(re.findall(r"^\| \[`palate (\w+)`\]", PAGE, re.MULTILINE))


def test_every_exit_code_is_documented_in_both_places():
    kinds = [PalateError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = {0, endings.FAILED, endings.MISUSED, endings.STOPPED, endings.READER_GONE} | {
        k.exit_code for k in kinds
    }
    assert codes == {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert codes == {int(code) for code in re.findall(r"^(\d+) ", endings.__doc__ or "", re.MULTILINE)}


def test_every_parameter_of_every_model_is_documented():
    from palate.models import registry

    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", SECTIONS["palate fit"], re.MULTILINE))
    for name in registry.names():
        assert set(registry.get(name).model_fields) <= set(re.findall(r"`(\w+)`", rows[name]))
