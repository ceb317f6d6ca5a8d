"""Options that several verbs share, written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no closing words.")]
Sets: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a parameter; may be given many times."),
]
PlanSets: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change the plan; may be given many times."),
]
Models: TypeAlias = Annotated[
    str | None, typer.Option("--models", metavar="NAMES", help="Only these, with commas between: sar,ease.")
]
Metric: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--metric", metavar="NAME", help="What ranks the models  [default: the plan's first, or ndcg]"
    ),
]
Jobs: TypeAlias = Annotated[
    int | None,
    typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes  [default: one a core, at most 4]"),
]
Fresh: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="Drop the study in the folder and start anew.")
]
Model: TypeAlias = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a saved model.")]
K: TypeAlias = Annotated[int, typer.Option("--k", "-k", metavar="N", min=1, help="How many.")]
Where: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--where", metavar="CONDITION", help='On the catalogue: "genre has Comedy and year >= 1990".'
    ),
]


def _text(name: str, help_text: str, metavar: str = "COLUMN") -> Any:
    return Annotated[str | None, typer.Option(f"--{name}", metavar=metavar, help=help_text)]


def _flag(name: str, help_text: str) -> Any:
    return Annotated[bool, typer.Option(f"--{name}", help=help_text)]


READING: dict[str, Any] = {
    "user": _text("user", "Column of the users  [default: user]"),
    "item": _text("item", "Column of the items  [default: item]"),
    "value": _text("value", "Column of the ratings or amounts; none for no such  [default: value, if there]"),
    "time": _text("time", "Column of the times; none for no such  [default: time, if there]"),
    "event": _text("event", "Column of the event types; none for no such  [default: event, if there]"),
    "basket": _text("basket", "Column of the baskets; none for no such  [default: basket, if there]"),
    "negative": Annotated[
        list[str] | None,
        typer.Option(
            "--negative", metavar="TYPE", help="Event type that says 'not this'; may be given many times."
        ),
    ],
    "time_unit": _text("time-unit", "Unit of numeric times: s, ms, us or ns  [default: s]", "UNIT"),
    "items": _text("items", "File of the items, with a column named like the items' one.", "FILE"),
    "format": _text(
        "format", "csv, tsv, dat, parquet, jsonl, sequences or pairs  [default: by ending]", "NAME"
    ),
    "header": Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header", help="Whether the first line holds column names.", show_default=False
        ),
    ],
    "separator": _text("separator", "What stands between two values, e.g. ';' or '::'.", "TEXT"),
    "encoding": _text("encoding", "utf-8 or latin-1.", "NAME"),
    "repeats": _text(
        "repeats", "Repeated user-item pairs: keep, first, last or sum  [default: keep]", "POLICY"
    ),
    "min_user": Annotated[
        int | None, typer.Option("--min-user", metavar="N", help="Leave out users with fewer items.", min=0)
    ],
    "min_item": Annotated[
        int | None, typer.Option("--min-item", metavar="N", help="Leave out items with fewer users.", min=0)
    ],
    "history_column": _text(
        "history-column", "Of impressions: column of what was read before  [default: history]"
    ),
    "candidates_column": _text(
        "candidates-column", "Of impressions: column of what was shown  [default: candidates]"
    ),
    "clicked_column": _text(
        "clicked-column", "Of impressions: column of what was clicked  [default: clicked]"
    ),
    "text_column": _text(
        "text-column", "Of impressions: column of --items that models read  [default: title or name]"
    ),
    "drop_bad_rows": _flag("drop-bad-rows", "Leave bad rows out, and count them."),
    "offline": _flag("offline", "Never use the network."),
}


def shares(name: str, options: Mapping[str, tuple[Any, Any]]) -> Callable[..., Any]:
    """Return what gives a verb options that several have: those given, and defaults, reach it as the mapping `name`.

    options: by parameter, what typer is to know of it, and the default; None, and flags left unset, are not passed on.
    """

    def shared(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            *(one.replace(kind=kind) for one in signature.parameters.values() if one.name != name),
            *(
                inspect.Parameter(option, kind, annotation=annotation, default=default)
                for option, (annotation, default) in options.items()
            ),
        ]

        def gathering(*own: Any, **given: Any) -> None:
            told = {option: given.pop(option, default) for option, (_, default) in options.items()}
            told = {
                option: one
                for option, one in told.items()
                if one is not None and (one is not False or options[option][1] is None)
            }
            command(*own, **given, **{name: told})

        gathering.__doc__ = command.__doc__
        gathering.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        gathering.__annotations__ = {one.name: one.annotation for one in parameters}
        return gathering

    return shared


reads_data = shares(
    "reading",
    {name: (told, False if name in ("drop_bad_rows", "offline") else None) for name, told in READING.items()},
)
"""gives a verb the options that say how a file is read"""

reads_impressions = shares(
    "reading",
    {
        name: (READING[name], False if name == "drop_bad_rows" else None)
        for name in (
            "user", "item", "time", "time_unit", "history_column", "candidates_column", "clicked_column", "text_column",
            "drop_bad_rows",
        )
    },
)  # fmt: skip
"""gives a verb those of them that a file of impressions has"""
