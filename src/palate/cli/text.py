"""`palate text ...`: the loss of a language model, instruction sets, alignment, and what they are measured by."""

from __future__ import annotations

from palate.cli import (
    text_annotate,
    text_build,
    text_evaluate,
    text_generate,
    text_judge,
    text_loss,
    text_rank,
    text_train,
    text_validate,
)

SUB_VERBS = {
    "loss": (text_loss.loss, text_loss.EXAMPLES),
    "build": (text_build.build, text_build.EXAMPLES),
    "validate": (text_validate.validate, text_validate.EXAMPLES),
    "train": (text_train.train, text_train.EXAMPLES),
    "settings": (text_train.settings, text_train.SETTINGS_EXAMPLES),
    "rank": (text_rank.rank, text_rank.EXAMPLES),
    "generate": (text_generate.generate, text_generate.EXAMPLES),
    "evaluate": (text_evaluate.evaluate, text_evaluate.EXAMPLES),
    "judge": (text_judge.judge, text_judge.EXAMPLES),
    "annotate": ("People's labels: a page to label on, and labels back in.", text_annotate.SUB_VERBS),
}
