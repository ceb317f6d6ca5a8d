"""Which weights of a network are trained: all of them, or LoRA's beside them (Hu et al., ICLR 2022)."""

from __future__ import annotations

from typing import Any

from palate.errors import NotSupported, need
from palate.neural import devices
from palate.pretrained import quiet
from palate.text.align import layers
from palate.text.align.training import Training
from palate.text.language_model import LanguageModel
from palate.text.stored import of_adapter

_LORA = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def trainable(model: LanguageModel, training: Training) -> Any:
    """Return the network with what is to be trained marked so."""
    network = model.network
    if not training.rank:
        if model.base:
            raise NotSupported(
                f"{model.name} is an adapter: only LoRA can go on with it. Give rank, or the model below it, "
                f"{model.base}."
            )
        network.float().requires_grad_(True)
    elif model.base:
        for name, one in network.named_parameters():
            one.requires_grad_(of_adapter(name))
    else:
        need("peft", extra="text", what="LoRA")
        from peft import LoraConfig, get_peft_model

        there = {name.rpartition(".")[2] for name, _ in network.named_modules()}
        targets = [name for name in _LORA if name in there]
        if not targets:
            raise NotSupported(
                f"{model.name} has none of the layers that LoRA is put on here ({', '.join(_LORA)}): set rank = 0."
            )
        with devices.own_random(training.seed), quiet():
            network = get_peft_model(
                network,
                LoraConfig(
                    r=training.rank,
                    lora_alpha=training.alpha,
                    lora_dropout=training.dropout,
                    target_modules=targets,
                    task_type="CAUSAL_LM",
                ),
            )
    recompute(network, training.recompute, deep=training.mode == "two-pass")
    return network


def as_the_adapter(model: LanguageModel, training: Training) -> tuple[Training, list[str]]:
    """Return the settings with LoRA's as an adapter that goes on has them, and what is to be told of that."""
    if not (model.base and training.rank):
        return training, []
    (adapter,) = model.network.peft_config.values()
    own = {"rank": adapter.r, "alpha": adapter.lora_alpha, "dropout": adapter.lora_dropout}
    other = {name: value for name, value in own.items() if getattr(training, name) != value}
    if not other:
        return training, []
    kept = ", ".join(
        f"{name} = {value:g} ({getattr(training, name):g} was asked for)" for name, value in other.items()
    )
    return training.model_copy(update=other), [f"{model.name} is an adapter and goes on as it is: {kept}."]


def recompute(network: Any, wanted: bool, *, deep: bool = False) -> None:
    """Have what a layer made be made again for the gradient, or kept.

    `deep`: for the least memory, where the network's layers are known well enough: a group of layers at a time, so that
    not even the input of every layer is kept.
    """
    layers.keep(network)
    deep = wanted and deep and layers.remake(network)
    new = hasattr(network, "activation_checkpointing_enable")  # transformers' name since 5
    kind = "activation" if new else "gradient"
    if wanted and not deep:
        getattr(network, f"{kind}_checkpointing_enable")({"use_reentrant": False})
    else:
        getattr(network, f"{kind}_checkpointing_disable")()
