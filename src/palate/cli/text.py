"""`palate text ...`: the loss of a language model, instruction sets, alignment, and what they are measured by."""

from __future__ import annotations

from palate.cli import text_loss

SUB_VERBS = {
    "loss": (text_loss.loss, text_loss.EXAMPLES),
}
