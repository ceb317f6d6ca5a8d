"""Tokens as what people read.

A token of a byte-level tokenizer may be a part of a character: "天" can be three tokens. Each piece is shown as the
whole characters that its bytes belong to, with which bytes of them it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True)
class Piece:
    """A token in its text."""

    text: str
    """the whole characters that it belongs to"""
    note: str = ""
    """where it is a part of them only: which bytes"""

    @property
    def first(self) -> bool:
        """Whether it is whole, or begins its characters: those are then to be shown once."""
        return begins(self.note)


def begins(note: str) -> bool:
    """Return whether a piece with that note is whole, or the first part of its characters."""
    return not note or note.startswith(("byte 1 ", "bytes 1 "))


def pieces(tokenizer: Any, ids: Sequence[int]) -> list[Piece]:
    """Return what is shown of tokens that stand in a row."""
    as_bytes = token_bytes(tokenizer)
    parts = [as_bytes(one) for one in ids]
    whole = b"".join(parts)
    starts = _characters(whole)  # byte places at which a character begins, and the end
    shown, at = [], 0
    for part in parts:
        stop = at + len(part)
        first = starts[bisect_right(starts, at) - 1] if part else at
        last = starts[bisect_left(starts, stop)] if part else at
        text = whole[first:last].decode("utf-8", "backslashreplace")
        note = "" if (first, last) == (at, stop) else _note(at - first, stop - first, last - first)
        shown.append(Piece(text, note))
        at = stop
    return shown


def runner(tokenizer: Any, before: Sequence[int], token: int) -> Piece:
    """Return what is shown of a token that might have come after others: it may finish a character of theirs."""
    return pieces(tokenizer, [*before[-3:], token])[-1]


def token_bytes(tokenizer: Any) -> Callable[[int], bytes]:
    """Return a function from a token's id to its bytes in a text."""
    special = set(tokenizer.all_special_ids)
    byte_level = _is_byte_level(tokenizer)

    def of(token: int) -> bytes:
        written = tokenizer.convert_ids_to_tokens(int(token))
        if written is None:
            return b""
        if token in special:
            return str(written).encode()
        if found := _BYTE_TOKEN.fullmatch(written):
            return bytes([int(found[1], 16)])
        if byte_level and all(sign in _signs() for sign in written):
            return bytes(_signs()[sign] for sign in written)
        return str(written).replace("\u2581", " ").encode()  # sentencepiece's mark of a space

    return of


def _is_byte_level(tokenizer: Any) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return False
    # The state of these two is a line; the whole tokenizer's is megabytes, and this is asked for every runner-up.
    parts = (backend.decoder, backend.pre_tokenizer)
    return any(part is not None and b"ByteLevel" in part.__getstate__() for part in parts)


@cache
def _signs() -> dict[str, int]:
    """Return the printable sign by which GPT-2's vocabularies write each byte, and the byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + place): byte for place, byte in enumerate(others)
    }


def _characters(whole: bytes) -> list[int]:
    """Return where characters begin in UTF-8, and the end; a stray byte is a character of its own."""
    starts, at = [], 0
    while at < len(whole):
        starts.append(at)
        lead = whole[at]
        long = 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        following = whole[at + 1 : at + long]
        kept = next((place for place, byte in enumerate(following) if byte & 0xC0 != 0x80), len(following))
        at += 1 + kept
    return [*starts, len(whole)]


def _note(first: int, last: int, of: int) -> str:
    if first == last:
        return "no byte"
    return f"byte {first + 1} of {of}" if last == first + 1 else f"bytes {first + 1} to {last} of {of}"
