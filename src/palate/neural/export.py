"""ONNX: a network as a file that other runtimes can run, with no Python in it."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from palate.atomic import whole
from palate.errors import MissingExtra


def to_onnx(
    module: nn.Module,
    path: Path,
    example: tuple[Tensor, ...],
    *,
    inputs: Sequence[str],
    output: str,
    varying: dict[str, dict[int, str]],
    facts: dict[str, str] | None = None,
) -> Path:
    """Write `module` as an ONNX file, whole or not at all; returns the path.

    Args:
        module: in evaluation mode.
        path: of the file.
        example: arguments of its forward pass, at least 2 long where a size varies.
        inputs, output: their names.
        varying: of each input, the axes whose size may differ, with a name for it.
        facts: what a reader of the file must know, kept in its `metadata_props`.

    Raises:
        MissingExtra: onnx or onnxscript is not installed.

    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"export needs {error.name}: pip install 'palate[neural]'.") from None
    sizes: dict[str, torch.export.Dim] = {}
    axes = tuple(
        {axis: sizes.setdefault(name, torch.export.Dim(name)) for axis, name in varying.get(one, {}).items()}
        for one in inputs
    )
    module.eval()
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        # The exporter tells its progress on standard output.
        with (
            whole(path) as file,
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                example,
                input_names=list(inputs),
                output_names=[output],
                dynamic_shapes=axes,
                dynamo=True,
                optimize=True,
            )
            assert program is not None
            program.model.metadata_props.update(facts or {})
            program.save(file, external_data=False)
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    return path
