"""What a user chooses between when a network learns, in words: models name these types without loading torch."""

from __future__ import annotations

from typing import Literal

Device = Literal["auto", "cpu", "cuda", "mps"]
"""where to learn; auto: a CUDA card where there is one"""
Precision = Literal["float32", "bfloat16"]
"""of the network's products"""
Loss = Literal["ce", "sampled_ce", "gbce", "bce"]
"""of the next item among others: all of them, or drawn ones"""
Schedule = Literal["constant", "cosine", "plateau"]
"""of the learning rate"""
