"""Every error Palate raises on purpose.

```
PalateError
├── DataError            a file, table, row or column is not what it should be
│   └── FetchError       a data set could not be had (no network, wrong checksum)
├── SplitError           a split that cannot be made, or leaves nothing
├── PlanError            a plan, a parameter or a command-line value is wrong
├── UnknownId            a user or an item that the model has never seen
├── NotFitted            a verb that needs `fit` first
├── NotSupported         a verb that this model cannot do; the message names one that can
├── OutOfMemory          the memory did not suffice; the message says which setting to lower (a MemoryError too)
├── SavedModelError      a model folder that is torn, altered or of another version
└── MissingExtra         an optional package is not installed; the message has the install line
```

A message says what was given, what was expected and what to do next, in one or two lines.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MEANT = {"gpu": "cuda", "nvidia": "cuda", "metal": "mps"}
"""what people say for a name that looks otherwise"""
_EXPECTED = {
    "int": "a whole number, such as 20",
    "float": "a number, such as 0.5",
    "string": "a text",
    "bool": "true or false",
    "list": "a list",
    "dict": "a section",
    "model": "a section",
    "tuple": "a list",
}
"""of the kinds of pydantic's faults, by their first word"""


class PalateError(Exception):
    """Base of every error that Palate raises on purpose. `exit_code` is what the command line returns."""

    exit_code: ClassVar[int] = 1


class PalateWarning(UserWarning):
    """Something the user should know that does not stop the work."""


class DataError(PalateError):
    """A file, table, row or column is not what it should be."""

    exit_code = 3


class FetchError(DataError):
    """A data set could not be had: no network and no local file, or a wrong checksum."""


class SplitError(PalateError):
    """A split that cannot be made, or that leaves one part empty."""

    exit_code = 3


class PlanError(PalateError):
    """A plan, a parameter or a command-line value is wrong."""

    exit_code = 2


class UnknownId(PalateError):
    """A user or an item that the model has never seen."""

    exit_code = 4


class NotFitted(PalateError):
    """A verb was called that needs a fitted model."""

    exit_code = 4


class NotSupported(PalateError):
    """A verb that this model cannot do; the message names a model that can."""

    exit_code = 4


class OutOfMemory(PalateError, MemoryError):
    """The memory did not suffice; the message says which setting to lower."""


class SavedModelError(PalateError):
    """A model folder that is torn, altered, or written by a version this one cannot read."""

    exit_code = 5


class MissingExtra(PalateError):
    """An optional package is not installed; the message has the install line."""

    exit_code = 6


CPU_TORCH = "pip install torch --index-url https://download.pytorch.org/whl/cpu"
"""PyPI's torch for Linux is built for CUDA and takes several GB."""


def need(package: str, *, extra: str, what: str) -> None:
    """Raise MissingExtra, with the install line, where a package that `what` needs is not installed.

    >>> need("not-here", extra="neural", what="sasrec")
    Traceback (most recent call last):
    palate.errors.MissingExtra: sasrec needs not-here, which is not installed. Install it: pip install 'palate[neural]'
    """
    if importlib.util.find_spec(package) is None:
        without_gpu = f" (without a GPU, first: {CPU_TORCH})" if package == "torch" else ""
        raise MissingExtra(
            f"{what} needs {package}, which is not installed. Install it: pip install 'palate[{extra}]'{without_gpu}"
        )


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the known name nearest to `given`, or an empty string.

    >>> did_you_mean("simlarity", ["similarity", "threshold"])
    " Did you mean 'similarity'?"
    >>> did_you_mean("gpu", ["cpu", "cuda"])
    " Did you mean 'cuda'?"
    """
    names = [str(name) for name in known]
    if (meant := _MEANT.get(given.lower())) in names:
        return f" Did you mean '{meant}'?"
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(given.lower(), lowered, n=1, cutoff=0.6)
    return f" Did you mean '{lowered[near[0]]}'?" if near else ""


def listing(values: Iterable[object], *, limit: int = 5) -> str:
    """Return the first `limit` values, joined by commas, and how many more there are.

    >>> listing([17, 204, 9981], limit=2)
    '17, 204 and 1 more'
    """
    shown = [str(value) if len(str(value)) <= 60 else str(value)[:57] + "..." for value in values]
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")


def expected(fault: ErrorDetails) -> str:
    """Say what pydantic wanted, in words, with the nearest choice where there are some."""
    kind, given = fault["type"], fault["input"]
    if kind == "literal_error":
        words = str(fault.get("ctx", {}).get("expected", ""))
        names = [word.strip("'") for word in words.replace(" or ", ", ").split(", ")]
        return f"one of {', '.join(names)}." + (did_you_mean(given, names) if isinstance(given, str) else "")
    if kind == "string_pattern_mismatch":
        return "letters, digits, '.', '_', '+' or '-', at most 64, the first a letter or digit."
    if kind == "too_short":
        least = fault.get("ctx", {}).get("min_length", 1)
        return f"at least {'one' if least == 1 else least}."
    words = (
        _EXPECTED.get(kind.split("_")[0], "") if kind.endswith(("_type", "_parsing", "_from_float")) else ""
    )
    return (words or str(fault["msg"]).removeprefix("Input should be ")) + "."
