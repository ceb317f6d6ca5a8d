"""From words to a verb's function: the typer application, and its complaints in Palate's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from palate.cli.endings import MISUSED, say
from palate.cli.verbs import VERBS, module, version, with_headings
from palate.errors import did_you_mean

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class _Command(TyperCommand):
    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples as they stand; typer would fill them into a paragraph."""
        formatter.write(f"\nExamples:\n{self.epilog}\n")

    def get_help(self, ctx: Any) -> str:
        return with_headings(super().get_help(ctx))


class _Group(TyperGroup):
    def get_help(self, ctx: Any) -> str:
        return with_headings(super().get_help(ctx))


def application(verbs: Sequence[str] = tuple(VERBS)) -> typer.Typer:
    """Return the typer application with the verbs asked for (default: all)."""
    app = _typer()

    @app.callback()
    def palate(
        show_version: bool = typer.Option(False, "--version", help="The version."),
        debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    ) -> None:
        if show_version:
            print(version())

    for verb in verbs:
        file = module(verb)
        if hasattr(file, "SUB_VERBS"):
            _add_group(app, verb, VERBS[verb], file.SUB_VERBS)
        else:
            _add(app, verb, getattr(file, verb), file.EXAMPLES)
    return app


def parse_and_run(arguments: Sequence[str]) -> int:
    """Run the verb that the arguments name; return the exit code."""
    verb = arguments[0]
    if verb in ("--install-completion", "--show-completion"):
        return complete(arguments)
    if not verb.startswith("-") and verb not in VERBS:
        say(f"there is no verb '{verb}'.{did_you_mean(verb, VERBS)} `palate --help` lists them.")
        return MISUSED
    command = typer.main.get_command(application((verb,) if verb in VERBS else ()))
    try:
        with command.make_context("palate", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as leaving:
        return int(leaving.exit_code)
    except Exception as error:
        if not hasattr(
            error, "format_message"
        ):  # typer's own complaints have it, wherever it keeps their class
            raise
        say(_complaint(error))
        return int(getattr(error, "exit_code", MISUSED))
    return 0


def complete(arguments: Sequence[str] = ()) -> int:
    """Let typer answer a shell that asks for completions, or install them; it exits by itself."""
    typer.main.get_command(application())(list(arguments), prog_name="palate")
    return 0


def _typer() -> typer.Typer:
    return typer.Typer(
        cls=_Group,
        no_args_is_help=True,
        context_settings=_CONTEXT,
        rich_markup_mode=None,  # plain help costs a third of the boxed one, and pipes well
        pretty_exceptions_enable=False,
    )


def _add_group(app: typer.Typer, verb: str, summary: str, sub_verbs: dict[str, Any]) -> None:
    """Add a verb that has verbs of its own: (function, examples), or (summary, theirs)."""
    group = _typer()
    group.callback()(lambda: None)
    for name, (one, more) in sub_verbs.items():
        if isinstance(more, dict):
            _add_group(group, name, one, more)
        else:
            _add(group, name, one, more)
    app.add_typer(group, name=verb, help=summary, cls=_Group, context_settings=_CONTEXT)


def _add(app: typer.Typer, name: str, function: Any, examples: str) -> None:
    epilog = "\n".join(f"  {line}" for line in examples.strip().splitlines())
    app.command(name, epilog=epilog, cls=_Command, context_settings=_CONTEXT)(function)


def _complaint(error: Any) -> str:
    """Say what typer refuses, in two lines: what is wrong, and where the help is."""
    context = getattr(error, "ctx", None)
    if context is None:
        return _lower(error.format_message())
    path = context.command_path
    if hasattr(error, "option_name") and hasattr(error, "possibilities"):
        given = error.option_name
        message = f"{path.removeprefix('palate ')} has no option {given}.{_near(given, context)}"
    else:
        message = _lower(error.format_message())
    return f"{message}\n`{path} --help` shows the options and examples."


def _near(given: str, context: Any) -> str:
    names = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    longer = [name for name in names if name.startswith(given)]
    return did_you_mean(longer[0] if len(longer) == 1 else given, names)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
