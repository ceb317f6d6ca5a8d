"""Texts written by a language model: requests in, texts out, a line each, so that a stopped run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from palate.atomic import lock
from palate.errors import DataError, PlanError
from palate.progress import progress
from palate.text.corpus import json_rows
from palate.text.language_model import LanguageModel


@dataclass(frozen=True)
class Sampling:
    """How the next token is taken."""

    temperature: float = 0.0
    """0: the likeliest (greedy); 1: as the model believes"""
    top_p: float = 1.0
    """of the likeliest tokens, as few as hold so much probability"""
    max_tokens: int = 512
    """of a text; what is longer is cut there, and says so"""
    seed: int = 42
    """of each text by itself, with its id: texts do not depend on one another"""

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.max_tokens < 1:
            raise PlanError("temperature is 0 or more, top_p above 0 up to 1, and max_tokens at least 1.")


@dataclass(frozen=True)
class Generation:
    """A text that a model wrote."""

    id: str
    request: str
    text: str
    tokens: int
    ended: bool
    """the model ended it; else it was cut at `max_tokens`"""


def generate(
    model: LanguageModel,
    requests: Sequence[tuple[str, str]],
    sampling: Sampling,
    *,
    out: Path | None = None,
    beside: Mapping[str, dict[str, Any]] | None = None,
) -> list[Generation]:
    """Return a text for each (id, request).

    Args:
        model: any.
        requests: ids are different.
        sampling: how tokens are taken.
        out: file of JSON lines that each text is added to when it is done; what stands there is not written again.
        beside: more columns of a row of that file, by id: what a judge and people are asked about.

    Raises:
        PlanError: ids that stand twice.
        DataError: a file of other requests or settings, or a request that is empty or longer than the model's context.

    """
    ids = [name for name, _ in requests]
    if len(set(ids)) < len(ids):
        raise PlanError(f"{len(ids) - len(set(ids)):,} ids stand twice: each request needs an id of its own.")
    _check(model, requests)
    how: dict[str, Any] = {"model": model.name, "template": model.template, **asdict(sampling)}
    if out is not None:  # what a model is: a name may be another one's by now
        how["weights"] = model.digest()
    with _opened(out) as file:
        done = _done(out, dict(requests), how) if out is not None else {}
        todo = [one for one in requests if one[0] not in done]
        with progress("Writing", total=len(todo), unit="texts") as advance:
            for name, request in todo:
                done[name] = _one(model, name, request, sampling)
                if file is not None:
                    _add(file, {**asdict(done[name]), **(beside or {}).get(name, {}), "how": how})
                advance(1, f"{done[name].tokens:,} tokens")
    return [done[name] for name in ids]


def read(path: Path) -> list[Generation]:
    """Return the texts of a file that `generate` wrote.

    Raises DataError, with the line, for a row that is none.
    """
    found = []
    for line, row in json_rows(path):
        found.append(_generation(row, f"{path.name}, line {line}"))
    return found


def _generation(row: dict[str, Any], where: str) -> Generation:
    wanted = {"id": str, "request": str, "text": str, "tokens": int, "ended": bool}
    for name, kind in wanted.items():
        if not isinstance(row.get(name), kind):
            raise DataError(
                f"{where}: {name} is no {kind.__name__}. Expected a row that `palate text generate` wrote."
            )
    return Generation(**{name: row[name] for name in wanted})


def _check(model: LanguageModel, requests: Sequence[tuple[str, str]]) -> None:
    """Raise DataError for requests that cannot be written for: of all of them, before the first is."""
    for name, request in requests:
        if not request.strip():
            raise DataError(f"request {name} is empty: say what is to be written, or leave the row out.")
        if (length := len(model.prompt(request))) >= model.context:
            raise DataError(
                f"request {name} is {length:,} tokens, and {model.name} reads {model.context:,}: shorten it."
            )


def answer(model: LanguageModel, request: str, sampling: Sampling) -> str:
    """Return the text that a model writes for one request."""
    _check(model, [("", request)])
    return _one(model, "", request, sampling).text


def _one(model: LanguageModel, name: str, request: str, sampling: Sampling) -> Generation:
    import hashlib

    import torch

    from palate.neural.devices import own_random

    prompt = model.prompt(request)
    room = model.context - len(prompt)
    device = next(model.network.parameters()).device
    seed = int.from_bytes(hashlib.sha256(f"{sampling.seed}/{name}".encode()).digest()[:7], "big")
    ids = torch.tensor([prompt], device=device)
    with torch.inference_mode(), own_random(seed, device), _drawn_as(model, sampling, room):
        told = model.network.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            logits_processor=[partial(_finite, model.name)],
        )
    written = told[0, len(prompt) :].tolist()
    ended = bool(written) and written[-1] == model.end
    return Generation(name, request, model.words(written), len(written) - ended, ended)


def _finite(name: str, _: Any, logits: Any) -> Any:
    """Return the logits of the next token as they are. Raises DataError where there is none that is a number."""
    import math

    if not math.isfinite(logits.max()):
        raise DataError(
            f"{name} holds the next token {float(logits.max())} likely (logit): weights of it are no finite numbers. "
            "Train it again with a lower learning_rate, or take another model."
        )
    return logits


@contextmanager
def _drawn_as(model: LanguageModel, sampling: Sampling, room: int) -> Iterator[None]:
    """Have tokens taken as asked and in no other way, meanwhile.

    Many models are shipped with settings of their own (penalties for repetition, cut-offs), which transformers takes
    for whatever a call leaves open, even for what a whole `GenerationConfig` leaves open.
    """
    from transformers import GenerationConfig

    how: dict[str, Any] = {"do_sample": False}
    if sampling.temperature:
        how = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
    limits = {"max_new_tokens": min(sampling.max_tokens, room), "eos_token_id": model.end}
    config = GenerationConfig(**how, **limits, pad_token_id=model.end)  # type: ignore[no-untyped-call]
    below = getattr(model.network, "get_base_model", lambda: model.network)()  # of an adapter
    shipped = [(one, one.generation_config) for one in (model.network, below)]
    try:
        for one, _ in shipped:
            one.generation_config = config
        yield
    finally:
        for one, own in shipped:
            one.generation_config = own


def _done(out: Path, requests: dict[str, str], how: dict[str, Any]) -> dict[str, Generation]:
    """Return what stands in the file already; a torn last line is dropped, once the file is known to be ours."""
    if not out.exists():
        return {}
    whole = out.read_bytes()
    kept = whole.rfind(b"\n") + 1
    found = {}
    for line, content in enumerate(whole[:kept].splitlines(), start=1):
        where = f"{out}, line {line}"
        try:
            row = json.loads(content)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise DataError(f"{where}: no row that `palate text generate` wrote. Give another file.")
        if not _alike(row.get("how"), how) or requests.get(str(row.get("id"))) != row.get("request"):
            raise DataError(
                f"{where}: it holds texts of other requests, of another model or with other settings. Give another "
                "file, or remove this one."
            )
        found[str(row["id"])] = _generation(row, where)
    if kept < len(whole):
        if not whole[kept:].startswith(b'{"id": ') and not b'{"id": '.startswith(whole[kept:]):
            raise DataError(
                f"{out}: its last line is none that `palate text generate` wrote. Give another file."
            )
        os.truncate(out, kept)
    return found


def _alike(one: object, other: dict[str, Any]) -> bool:
    """Return whether two texts were written in the same way; the same model may have been called otherwise."""
    return isinstance(one, dict) and one | {"model": ""} == other | {"model": ""}


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[str] | None]:
    """Yield the file that texts are added to, which no other process may have; None without one."""
    if out is None:
        yield None
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", encoding="utf-8") as file:
        lock(file, out)
        yield file


def _add(file: IO[str], row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")
    file.flush()
    os.fsync(file.fileno())
