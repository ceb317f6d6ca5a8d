"""A plan as TOML text, so that the report holds what is needed to run it again (`tomllib` only reads)."""

from __future__ import annotations

import json
from typing import Any


def write(content: dict[str, Any]) -> str:
    """Write TOML: top-level values, then a table per dict, then an array of tables per list of dicts.

    >>> print(write({"name": "a", "split": {"ratio": 0.75}, "models": [{"name": "sar"}]}))
    name = "a"
    <BLANKLINE>
    [split]
    ratio = 0.75
    <BLANKLINE>
    [[models]]
    name = "sar"
    <BLANKLINE>
    """
    blocks = [_pairs({key: part for key, part in content.items() if not _is_table(part)})]
    for key, part in content.items():
        if isinstance(part, dict):
            blocks.append(f"[{key}]\n{_pairs(part)}")
        elif _is_table(part):
            blocks += [f"[[{key}]]\n{_pairs(row)}" for row in part]
    return "\n\n".join(block.strip() for block in blocks if block.strip()) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
    )


def _pairs(content: dict[str, Any]) -> str:
    return "\n".join(f"{_key(key)} = {_text(part)}" for key, part in content.items() if part is not None)


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _text(key)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_text(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(part) for part in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return repr(value)  # inf and nan are words of TOML too
    return json.dumps(value)
