"""How a language model is trained: the settings, written once, and two sets of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from palate.errors import PlanError

Method = Literal["sft", "iorpo", "orpo", "dpo", "simpo"]
Preset = Literal["small", "paper"]

_OF_METHOD: dict[str, dict[str, Any]] = {
    "orpo": {"weight": 0.1},
    "dpo": {"nll_weight": 0.0},
    "simpo": {"nll_weight": 0.0, "beta": 2.0},
}
"""what the papers of these have, where nothing else is given"""


class Training(BaseModel):
    """How to train; `PRESETS` has two sets of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    method: Method = "iorpo"
    """sft, iorpo, orpo, dpo or simpo"""
    nll_weight: float = Field(1.0, ge=0, allow_inf_nan=False)
    """of -log P of the preferred answer, a token; by default 0 for dpo and simpo, whose losses have none"""
    weight: float = Field(0.4, ge=0, allow_inf_nan=False)
    """lambda: of the odds ratio beside -log P (iorpo, orpo); by default 0.1 for orpo. In the papers' code: beta"""
    steepness: float = Field(1.0, gt=0, allow_inf_nan=False)
    """of the odds ratio's sigmoid (iorpo, orpo), as in the papers at 1. The mean log p of a token moves by hundredths,
    where that sigmoid is a straight line: a larger weight then buys ever more margin with the text's own log P. At 20
    the first pull is the same, and a quarter of it is left at a difference of a tenth, a fiftieth at 0.23"""
    beta: float = Field(0.1, gt=0, allow_inf_nan=False)
    """of dpo and simpo: how steep; by default 2 for simpo"""
    gamma: float | None = Field(None, ge=0, allow_inf_nan=False)
    """of simpo: the margin asked for, times beta; None: half of beta, that is half a nat a token"""
    nll_on: Literal["response", "all"] = "response"
    """which tokens' -log P is learned: the answer's, or the prompt's too"""
    rank: int = Field(16, ge=0)
    """of LoRA, on every layer's seven products; 0: all weights are trained"""
    alpha: int = Field(16, ge=1)
    """of LoRA: its share is alpha / rank"""
    dropout: float = Field(0.05, ge=0, lt=1)
    """of LoRA"""
    epochs: int = Field(2, ge=1)
    """through the pairs"""
    rounds: int = Field(1, ge=1)
    """validations and checkpoints an epoch"""
    batch: int = Field(8, ge=1)
    """pairs of a step, over all processes"""
    micro: int = Field(1, ge=1)
    """pairs in memory at a time"""
    mode: Literal["joint", "two-pass"] = "joint"
    """both sides of a pair at once, or one after the other, for the least memory"""
    learning_rate: float = Field(5e-5, gt=0, allow_inf_nan=False)
    """of AdamW; falls by a cosine"""
    warmup: float = Field(0.0, ge=0, lt=1)
    """share of the steps in which the learning rate rises from 0"""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """decoupled"""
    clip: float = Field(1.0, ge=0, allow_inf_nan=False)
    """the longest gradient; 0: any"""
    patience: int = Field(3, ge=1)
    """rounds without a better validation before it stops"""
    max_tokens: int | None = Field(None, ge=2)
    """of prompt and answer together; None: the model's context"""
    too_long: Literal["refuse", "cut", "drop"] = "refuse"
    """a longer pair: an error, its answer cut at a sentence (then no token ends it), or the pair left out"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """of the network's products, and with LoRA of its frozen weights; what is trained stays float32"""
    recompute: bool = True
    """make what a layer made again for the gradient: a third more work in a fraction of the memory"""
    shard: bool = False
    """under torchrun: share the layers out among the processes (FSDP2), so that each holds a part of their weights,
    gradients and moments; else each has all"""
    seed: int = Field(42, ge=0)
    """of order, dropout and LoRA's first weights"""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """where to train; auto: a CUDA card if there is one"""

    @model_validator(mode="before")
    @classmethod
    def _of_method(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return _OF_METHOD.get(given.get("method", "iorpo"), {}) | given

    @model_validator(mode="after")
    def _learns(self) -> Training:
        if self.method == "sft" and not self.nll_weight:
            raise PlanError("sft learns -log P and nothing else: leave nll_weight above 0.")
        return self

    @property
    def margin(self) -> float:
        """Of simpo: gamma."""
        return self.beta / 2 if self.gamma is None else self.gamma

    @property
    def learns_prompts(self) -> bool:
        """Whether the prompts' tokens are learned beside the answers'."""
        return self.nll_on == "all" and self.nll_weight > 0


PRESETS: dict[Preset, dict[str, Any]] = {
    # Pham, Sun and Iyyer, 2024: Mistral-7B on four cards of 80 GB, a pair on each. What they do not tell (clip, say) is
    # as here.
    "paper": {
        "rank": 16,
        "alpha": 16,
        "dropout": 0.05,
        "epochs": 2,
        "batch": 4,
        "learning_rate": 5e-5,
        "max_tokens": 15_024,
        "precision": "bfloat16",
        "nll_on": "all",
    },
    # SmolLM2 on two cores
    "small": {"epochs": 2, "batch": 8, "learning_rate": 2e-4, "dropout": 0.0},
}


def preset(name: Preset, method: str) -> dict[str, Any]:
    """Return the settings of a preset for a method."""
    warm = {"warmup": 0.1} if (name, method) == ("paper", "sft") else {}  # I-ORPO went without
    return PRESETS[name] | {"method": method} | warm
