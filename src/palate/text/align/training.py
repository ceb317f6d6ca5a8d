"""How a language model is trained: the settings, written once, and two sets of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Method = Literal["sft", "iorpo", "orpo", "dpo", "simpo"]


class Training(BaseModel):
    """How to train; `PRESETS` has two sets of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    method: Method = "iorpo"
    """sft, iorpo, orpo, dpo or simpo"""
    weight: float = Field(0.4, ge=0, allow_inf_nan=False)
    """lambda: of the odds ratio beside -log P (iorpo, orpo)"""
    beta: float = Field(0.1, gt=0, allow_inf_nan=False)
    """of dpo and simpo: how steep"""
    gamma: float = Field(0.0, ge=0, allow_inf_nan=False)
    """of simpo: the margin asked for, times beta"""
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
    """both sides of a pair at once, or one after the other, of which half as much is kept"""
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
    """of the network's products; the weights that are trained stay float32"""
    recompute: bool = True
    """make what a layer made again for the gradient: a third more work in a fraction of the memory"""
    seed: int = Field(42, ge=0)
    """of order, dropout and LoRA's first weights"""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """where to train; auto: a CUDA card if there is one"""


PRESETS: dict[str, dict[str, Any]] = {
    # Pham, Sun and Iyyer, 2024: Mistral-7B on four cards of 80 GB
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
        "clip": 0.0,
    },
    # SmolLM2 on two cores
    "small": {"epochs": 2, "batch": 8, "learning_rate": 2e-4, "dropout": 0.0, "recompute": False},
}
