"""`palate text train`: a language model taught from an instruction set."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from palate.cli.options import Json, Quiet, Sets
from palate.cli.processes import together
from palate.cli.show import print_json, print_table
from palate.cli.style import faint, program
from palate.cli.text_options import Named, Template
from palate.errors import PlanError, did_you_mean, expected

if TYPE_CHECKING:
    from palate.text.align import Preset, Training

EXAMPLES = """
palate text train iorpo suri/train.jsonl --valid suri/dev.jsonl --out models/iorpo
palate text train sft suri/train.jsonl --constraints all --set epochs=1 --out models/sft
palate text train iorpo suri/train.jsonl --set mode=two-pass --set max_tokens=4096 --set too_long=cut --out models/iorpo
palate text train dpo answers.jsonl --model models/sft --out models/dpo
"""


def train(
    method: Annotated[
        Literal["sft", "iorpo", "orpo", "dpo", "simpo"],
        typer.Argument(metavar="METHOD", help="sft, iorpo, orpo, dpo or simpo."),
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="What `text build` wrote, or JSON lines of prompt, chosen, rejected."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the model is saved.")],
    valid: Annotated[
        Path | None,
        typer.Option("--valid", metavar="FILE", help="Pairs of other sources, that say when to stop."),
    ] = None,
    model: Named = "smollm2",
    template: Template = None,
    preset: Annotated[
        Literal["small", "paper"], typer.Option("--preset", help="Settings to start from.")
    ] = "small",
    constraints: Annotated[
        Literal["one", "each", "all"] | None,
        typer.Option(
            "--constraints",
            help="Of an instruction in a pair: one drawn, each in a pair of its own, or all  [default: each; paper: "
            "one, and all for sft]",
        ),
    ] = None,
    sets: Sets = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FOLDER", help="Keeps the state: the same call then goes on."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Teach a language model: SFT, or what prefers a text under its instruction to the same under a corrupted one.

    LoRA beside frozen weights unless --set rank=0. `palate text settings` lists what --set can set. The folder gets the
    adapter or the model, training.json, and report.html with the curves.
    """
    from palate.cli.reading import quieten
    from palate.text import language_model
    from palate.text.align import align
    from palate.text.align.data import read_pairs

    how = _training(method, preset, sets or [])
    shown = constraints or _shown(preset, method)
    with together(how.device) as first:
        quieten(quiet or not first)
        language_model.may_replace(out)  # before hours of training, not after
        if checkpoint is not None and checkpoint.resolve().is_relative_to(out.resolve()):
            raise PlanError(
                f"--checkpoint {checkpoint} is in --out {out}, which holds a model and nothing else: give a folder "
                "beside it."
            )
        read = partial(read_pairs, shown=shown, seed=how.seed, both_sides=method != "sft")
        pairs = read(data)
        held = read(valid) if valid is not None else []
        named = language_model.load(
            model,
            template=template,
            device=how.device,
            precision=how.precision if how.rank else "float32",
        )
        started = time.perf_counter()

        def note(**row: float) -> None:
            if first and not (quiet or as_json):
                print(_line(row), flush=True)

        done = align(named, pairs, how, valid=held, checkpoint=checkpoint, note=note)
        if not first:
            return
        facts = {
            "method": method,
            "model": model,
            "conventions": named.conventions(),
            "training": done.training.model_dump(),
            "constraints": shown,
            "pairs": len(pairs),
            "valid_pairs": len(held),
            "weights_trained": done.trained,
            "seconds": time.perf_counter() - started,
            "notes": list(done.notes),
            "trace": done.trace,
        }
        language_model.save(done.model, out)
        _write(facts, out)
    if as_json:
        print_json(facts | {"folder": str(out)})
    elif not quiet:
        for one in done.notes:
            print(faint(one))
        print(
            f"{method}: {len(pairs):,} pairs in {facts['seconds']:,.0f} s; {done.trained:,} weights trained, saved in "
            f"{out}"
        )
        print(f"Next: {program()} text rank TEST.jsonl --model {out}")


def _write(facts: dict[str, Any], folder: Path) -> None:
    """Write what was done beside the model."""
    from palate.atomic import whole
    from palate.report.alignment import write_report

    with whole(folder / "training.json") as path:
        path.write_text(json.dumps(facts, indent=1), "utf-8")
    write_report(facts, folder / "report.html")


def settings(
    preset: Annotated[
        Literal["small", "paper"],
        typer.Argument(metavar="PRESET", help="Whose values: small or paper."),
    ] = "small",
    method: Annotated[
        Literal["sft", "iorpo", "orpo", "dpo", "simpo"],
        typer.Option("--method", help="Of which method: sft, iorpo, orpo, dpo or simpo."),
    ] = "iorpo",
    as_json: Json = False,
) -> None:
    """List what `palate text train --set` can set."""
    from palate.text.align.training import Training
    from palate.text.align.training import preset as values

    how = Training(**values(preset, method))
    rows = [
        (name, getattr(how, name), (field.description or "").replace("\n", " "))
        for name, field in Training.model_fields.items()
    ]
    if as_json:
        print_json([dict(zip(("name", "value", "what"), row, strict=True)) for row in rows])
    else:
        print_table(("name", "value", "what"), [(name, str(value), what) for name, value, what in rows])


def _shown(preset: str, method: str) -> Literal["one", "each", "all"]:
    """Return how much of an instruction a pair shows: in the paper SFT saw all of it, and I-ORPO one constraint."""
    if preset == "small":
        return "each"
    return "all" if method == "sft" else "one"


def _training(method: str, name: Preset, sets: list[str]) -> Training:
    from pydantic import ValidationError

    from palate.cli.reading import parameters
    from palate.text.align.training import Training, preset

    told = parameters(sets)
    if "method" in told:
        raise PlanError(
            "--set method: the method is the verb's first argument, as in `palate text train sft`."
        )
    for key in told:
        if key not in Training.model_fields:
            raise PlanError(
                f"--set {key}: no such setting.{did_you_mean(key, Training.model_fields)} `palate text settings` has "
                "all."
            )
    given = preset(name, method) | {key: None if one == "none" else one for key, one in told.items()}
    try:
        return Training(**given)
    except ValidationError as error:
        first = error.errors()[0]
        setting = f"--set {first['loc'][0]}={first['input']}"
        if first["type"] == "value_error":
            raise PlanError(f"{setting}: {first['ctx']['error']}.") from None
        raise PlanError(f"{setting} is not what was expected: {expected(first)}") from None


def _line(row: dict[str, float]) -> str:
    shown = {
        "epoch": "g", "loss": ".4f", "log_p": ".4f", "log_p_rejected": ".4f", "margin": "+.4f", "valid_nll": ".4f",
        "valid_margin": "+.4f", "valid_accuracy": ".1%", "tokens_per_second": ",.0f", "memory_mb": ",.0f",
        "seconds": ",.0f",
    }  # fmt: skip
    return "  ".join(
        f"{name.replace('_', ' ')} {row[name]:{how}}" for name, how in shown.items() if name in row
    )


SETTINGS_EXAMPLES = """
palate text settings
palate text settings paper --method sft --json
"""
