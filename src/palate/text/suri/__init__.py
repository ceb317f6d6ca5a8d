"""Instruction sets over long texts, in the schema that Suri publishes (Pham et al., Findings of EMNLP 2024)."""

from palate.text.suri.building import build, main_goal
from palate.text.suri.example import (
    PARTS,
    SPECIFICITIES,
    Example,
    Prompts,
    digest,
    prompt,
    read,
    specificity,
    split,
    subset,
    write,
)
from palate.text.suri.validation import Report, validate

__all__ = [
    "PARTS",
    "SPECIFICITIES",
    "Example",
    "Prompts",
    "Report",
    "build",
    "digest",
    "main_goal",
    "prompt",
    "read",
    "specificity",
    "split",
    "subset",
    "validate",
    "write",
]
