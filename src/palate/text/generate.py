"""Texts written by a language model: requests in, texts out, a line each, so that a stopped run goes on.

A token costs one reading of all weights, for one text as for several, so requests that stand together are written
together. Each text has its own seed, and does not depend on those beside it but for rounding; who they are depends on
the requests alone, so that a run that goes on writes what one that was never stopped writes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.atomic import Lines
from palate.errors import DataError, PlanError
from palate.progress import progress
from palate.text.corpus import json_rows
from palate.text.language_model import LanguageModel

if TYPE_CHECKING:
    from torch import Tensor

CELLS = 2**13
"""Tokens of requests and texts that are written together: 380 MB of what SmolLM2 keeps of them"""


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
    opened: AbstractContextManager[Lines | None] = nullcontext() if out is None else closing(Lines(out))
    with opened as lines:
        done = {} if lines is None else _done(lines, f"{out}", dict(requests), how)
        todo = [name for name in ids if name not in done]
        with progress("Writing", total=len(todo), unit="texts") as advance:
            for group in _groups(model, requests, sampling.max_tokens):
                if all(name in done for name, _ in group):
                    continue
                for one in _written(model, group, sampling):
                    if one.id in done:
                        continue
                    done[one.id] = one
                    if lines is not None:
                        row = {**asdict(one), **(beside or {}).get(one.id, {}), "how": how}
                        lines.add(json.dumps(row, ensure_ascii=False).encode())
                    advance(1, f"{one.tokens:,} tokens")
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
        which = f"request {name}" if name else "the request"
        if not request.strip():
            raise DataError(f"{which} is empty: say what is to be written, or leave it out.")
        try:
            length = len(model.prompt(request))
        except DataError as error:  # which knows no names
            raise DataError(f"request {name}: {error}" if name else str(error)) from None
        if length >= model.context:
            raise DataError(
                f"{which} is {length:,} tokens, and {model.name} reads {model.context:,}: shorten it."
            )


def answer(model: LanguageModel, request: str, sampling: Sampling) -> str:
    """Return the text that a model writes for one request. Raises DataError for one that it cannot be asked."""
    _check(model, [("", request)])
    return _written(model, [("", request)], sampling)[0].text


def _groups(
    model: LanguageModel, requests: Sequence[tuple[str, str]], max_tokens: int
) -> Iterator[list[tuple[str, str]]]:
    """Yield requests that are written together: in their order, as many as `CELLS` tokens hold.

    One that would reach the end of the model's context stands alone: how far it may go is its own affair.
    """
    group: list[tuple[str, str]] = []
    longest = 0
    for one in requests:
        length = len(model.prompt(one[1])) + max_tokens
        alone = length > model.context
        if group and (alone or max(longest, length) * (len(group) + 1) > CELLS):
            yield group
            group, longest = [], 0
        group.append(one)
        longest = max(longest, length)
        if alone:
            yield group
            group, longest = [], 0
    if group:
        yield group


def _written(
    model: LanguageModel, requests: Sequence[tuple[str, str]], sampling: Sampling
) -> list[Generation]:
    """Return the texts of a group."""
    import torch

    prompts = [model.prompt(request) for _, request in requests]
    longest = max(map(len, prompts))
    device = next(model.network.parameters()).device
    # Padded on the left: what comes next stands at the end.
    ids = torch.full((len(prompts), longest), model.end)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    chosen = _Chosen(model.name, sampling, [name for name, _ in requests])
    with torch.inference_mode(), _as_chosen(model, min(sampling.max_tokens, model.context - longest)):
        told = model.network.generate(
            input_ids=ids.to(device), attention_mask=mask.to(device), logits_processor=[chosen]
        )
    found = []
    for (name, request), row in zip(requests, told[:, longest:].tolist(), strict=True):
        last = next((place for place, token in enumerate(row) if token in model.stops), len(row))
        text = model.words(row[:last])
        found.append(Generation(name, request, text, last, last < len(row)))
    return found


class _Chosen:
    """Takes the next token of each row by the row's own generator, and leaves it as the only one that can be."""

    def __init__(self, model: str, sampling: Sampling, ids: Sequence[str]) -> None:
        import torch

        self.model, self.sampling, self.generators = model, sampling, []
        for name in ids:
            seed = hashlib.sha256(f"{sampling.seed}/{name}".encode()).digest()[:7]
            self.generators.append(torch.Generator().manual_seed(int.from_bytes(seed, "big")))

    def __call__(self, _: Any, logits: Tensor) -> Tensor:
        """Return (rows, vocabulary) logits. Raises DataError where none is a number."""
        if not (top := logits.amax(1)).isfinite().all():
            worst = float(top[~top.isfinite()][0])
            raise DataError(
                f"{self.model} holds the next token {worst} likely (logit): weights of it are no finite numbers. "
                "Train it again with a lower learning_rate, or take another model."
            )
        if not self.sampling.temperature:
            return logits
        p = (logits.double().cpu() / self.sampling.temperature).softmax(1)
        if self.sampling.top_p < 1:
            ordered, place = p.sort(1, descending=True)
            ordered[ordered.cumsum(1) - ordered >= self.sampling.top_p] = 0
            p.scatter_(1, place, ordered)
        rows = [one.multinomial(1, generator=own) for one, own in zip(p, self.generators, strict=True)]
        drawn = rows[0].new_tensor([int(one) for one in rows]).to(logits.device)
        return logits.fill_(-math.inf).scatter_(1, drawn[:, None], 0.0)


@contextmanager
def _as_chosen(model: LanguageModel, tokens: int) -> Iterator[None]:
    """Have at most so many tokens written, each the likeliest, and in no other way, meanwhile.

    Many models are shipped with settings of their own (penalties for repetition, cut-offs), which transformers takes
    for whatever a call leaves open, even for what a whole `GenerationConfig` leaves open.
    """
    from transformers import GenerationConfig

    config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False, max_new_tokens=tokens, eos_token_id=model.stops, pad_token_id=model.end
    )
    below = getattr(model.network, "get_base_model", lambda: model.network)()  # of an adapter
    shipped = [(one, one.generation_config) for one in (model.network, below)]
    try:
        for one, _ in shipped:
            one.generation_config = config
        yield
    finally:
        for one, own in shipped:
            one.generation_config = own


def _done(lines: Lines, out: str, requests: dict[str, str], how: dict[str, Any]) -> dict[str, Generation]:
    """Return what stands in the file already; a torn last line is dropped, once the file is known to be ours."""
    found = {}
    for line, content in enumerate(lines.found, start=1):
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
    lines.found.clear()
    lines.drop_torn(b'{"id": ')
    return found


def _alike(one: object, other: dict[str, Any]) -> bool:
    """Return whether two texts were written in the same way; the same model may have been called otherwise."""
    return isinstance(one, dict) and one | {"model": ""} == other | {"model": ""}
