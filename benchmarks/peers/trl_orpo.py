"""One gradient of TRL's ORPO trainer, the text the same on both sides, in its own environment.

    trl_orpo.py SETTINGS

SETTINGS is JSON: folder of the model, prompt, rejected_prompt and answer as token ids, weight, recompute (activation
checkpointing). TRL has one prompt a row, so `tokenize_row` alone is overridden, as the Suri authors did. Prints one
line.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib.metadata import version

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer
from watch import now, peak_mb


class SameText(ORPOTrainer):
    """The same answer under two prompts."""

    told: dict

    def tokenize_row(self, feature, model=None) -> dict:
        answer, row = self.told["answer"], {}
        for side, prompt in (("chosen", self.told["prompt"]), ("rejected", self.told["rejected_prompt"])):
            ids = prompt + answer
            row |= {
                f"{side}_input_ids": ids,
                f"{side}_attention_mask": [1] * len(ids),
                f"{side}_labels": [-100] * len(prompt) + answer,
            }
        row["prompt_input_ids"] = self.told["prompt"]
        row["prompt_attention_mask"] = [1] * len(self.told["prompt"])
        return row


def main() -> None:
    told = json.loads(sys.argv[1])
    SameText.told = told
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(told["folder"], dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(told["folder"])
    with tempfile.TemporaryDirectory() as folder:
        arguments = ORPOConfig(
            output_dir=folder, per_device_train_batch_size=1, max_length=100_000, beta=told["weight"], bf16=False,
            use_cpu=True, report_to=[], remove_unused_columns=False, disable_dropout=False,
            gradient_checkpointing=told["recompute"],
        )  # fmt: skip
        rows = Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}])
        trainer = SameText(model=model, args=arguments, train_dataset=rows, processing_class=tokenizer)
        batch = next(iter(trainer.get_train_dataloader()))
    model.train()
    if told["recompute"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    start = peak_mb()
    before = now()
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    cpu, wall = (now() - before).round(2).tolist()
    norm = torch.sqrt(
        sum((one.grad.double() ** 2).sum() for one in model.parameters() if one.grad is not None)
    )
    found = {
        "peer": f"trl {version('trl')}",
        "torch": torch.__version__,
        "loss": float(loss),
        "norm": float(norm),
    }
    print(json.dumps(found | {"cpu_s": cpu, "wall_s": wall, "start_mb": start, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
