"""The exponentials of a cross-entropy over a large catalogue, and their sums, in one pass.

A column is a position and a row an item, so that all arithmetic is between neighbours in memory and fills whole vector
registers. The exponential is a polynomial of degree six: its error is 2e-7 of the value, its cost half a library's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_f = np.float32
_LOG2_E = _f(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = _f(0.693145751953125), _f(1.42860677e-6)
_LEAST = _f(-87.0)  # e to this is the least number with all its digits
_C2, _C3, _C4 = _f(0.49999994), _f(0.16666664), _f(0.041666415)
_C5, _C6 = _f(0.0083653), _f(0.0013930436)

_BLOCK = np.uint64(128)  # rows summed in float32

_FAST = {"contract", "nsz", "reassoc"}  # NaN stays NaN


@intrinsic
def _with_bits(typing_context: Any, bits: Any) -> Any:
    """Read the bits of an int32 as a float32."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), build


@njit(cache=True, nogil=True, fastmath=_FAST)
def exponentials(logits: Floats, shift: Floats, total: Floats) -> None:
    """Replace logits (rows, columns) by exp(logits - shift of the column), in place, and add up each column.

    Args:
        logits: nothing may exceed the shift by more than 88; less than exp(-87) counts as exp(-87). NaN stays NaN.
        shift: (columns) each column's largest logit, or anything near it.
        total: (columns) written; summed in float64.
    """
    rows, columns = np.uint64(logits.shape[0]), np.uint64(logits.shape[1])
    # Arrays made here are known to overlap with nothing: only then does the compiler fill vector registers.
    top, part, sums = shift.copy(), np.zeros(shift.shape, np.float32), np.zeros(shift.shape, np.float64)
    for start in range(np.uint64(0), rows, _BLOCK):
        part[:] = 0
        for i in range(start, min(rows, start + _BLOCK)):
            for j in range(columns):
                x = logits[i, j] - top[j]
                x = _LEAST if x < _LEAST else x
                power = np.floor(x * _LOG2_E + _f(0.5))
                rest = x - power * _LN2_HIGH - power * _LN2_LOW
                tail = (((_C6 * rest + _C5) * rest + _C4) * rest + _C3) * rest + _C2
                value = tail * rest * rest + rest + _f(1)
                value *= _with_bits((np.int32(power) + np.int32(127)) << np.int32(23))
                logits[i, j] = value
                part[j] += value
        for j in range(columns):
            sums[j] += part[j]
    total[:] = sums
