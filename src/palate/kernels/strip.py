"""One vector loop, written in LLVM's own terms: a weighted sum of short rows, held in registers.

It is the inner loop of every item-item model. Numba's compiler would write each partial sum back to memory after
every row; here the sums of one strip (128 bytes: 32 float32 or 16 float64 columns) stay in four vector registers,
or eight for two weights, until the last row is added, so a multiply-add costs little more than reading its number
from the cache. Strips are narrow so that all rows of a few thousand items fit the second cache.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

STRIP_BYTES = 128
_VECTOR_BYTES = 32
_LINE_BYTES = 64
_HELD = STRIP_BYTES // _VECTOR_BYTES  # vectors that hold the sums under one weight


def in_lines(shape: tuple[int, ...], dtype: type[np.floating]) -> NDArray[Any]:
    """Return an empty array that begins at a cache line: else each row of a strip lies in one line too many."""
    size = np.dtype(dtype).itemsize
    n = int(np.prod(shape))
    raw = np.empty(n + _LINE_BYTES // size, dtype)
    start = -raw.ctypes.data % _LINE_BYTES // size
    return raw[start : start + n].reshape(shape)


def _sums(n_weights: int) -> Any:
    """Make the intrinsic that adds up the same rows under one weight, or under two at once."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, end = args[0], args[1]
        pointers = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, args, strict=True)
        ]
        rows, numbers = pointers[2], pointers[3]
        weights, totals = pointers[4 : 4 + n_weights], pointers[4 + n_weights :]
        size = signature.args[3].dtype.bitwidth // 8
        lanes = _VECTOR_BYTES // size
        index, lane = ir.IntType(64), ir.IntType(32)
        vector = ir.VectorType(ir.FloatType() if size == 4 else ir.DoubleType(), lanes)
        muladd = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{lanes}f{8 * size}"
        )
        undefined = ir.Constant(vector, ir.Undefined)
        before, head = builder.block, builder.append_basic_block("head")
        body, after = builder.append_basic_block("body"), builder.append_basic_block("after")

        def at(start: Any, n: int) -> Any:
            return builder.bitcast(builder.gep(start, [index(n * lanes)]), vector.as_pointer())

        def in_all_lanes(number: Any) -> Any:
            one = builder.insert_element(undefined, number, lane(0))
            return builder.shuffle_vector(
                one, undefined, ir.Constant(ir.VectorType(lane, lanes), [0] * lanes)
            )

        builder.branch(head)
        builder.position_at_end(head)  # for e from first to end, with all sums in registers
        e = builder.phi(index)
        e.add_incoming(first, before)
        held = [[builder.phi(vector) for _ in range(_HELD)] for _ in weights]
        for part in itertools.chain(*held):
            part.add_incoming(ir.Constant(vector, [0.0] * lanes), before)
        builder.cbranch(builder.icmp_signed("<", e, end), body, after)

        builder.position_at_end(body)
        place = builder.mul(
            builder.sext(builder.load(builder.gep(rows, [e])), index), index(STRIP_BYTES // size)
        )
        start = builder.gep(numbers, [place])
        factors = [in_all_lanes(builder.load(builder.gep(weight, [e]))) for weight in weights]
        for n in range(_HELD):
            number = builder.load(at(start, n), align=size)
            for factor, parts in zip(factors, held, strict=True):
                parts[n].add_incoming(builder.call(muladd, [factor, number, parts[n]]), body)
        e.add_incoming(builder.add(e, index(1)), body)
        builder.branch(head)

        builder.position_at_end(after)
        for total, parts in zip(totals, held, strict=True):
            for n, part in enumerate(parts):
                builder.store(part, at(total, n), align=size)
        return context.get_dummy_value()

    return build


@intrinsic
def weighted_rows(
    typingctx: Any, start: Any, stop: Any, row: Any, strip: Any, weight: Any, total: Any
) -> Any:
    """Write the sum of weight[e] x strip[row[e]] over e in start .. stop - 1 to `total`.

    Types: row int32; weight, total, and strip (rows, STRIP_BYTES / size of a number), C order, of one float
    type. Nothing is checked: this is the bottom.
    """
    return types.void(types.int64, types.int64, row, strip, weight, total), _sums(1)


@intrinsic
def twice_weighted_rows(
    typingctx: Any, start: Any, stop: Any, row: Any, strip: Any,
    weight: Any, second: Any, total: Any, second_total: Any,
) -> Any:  # fmt: skip
    """Write the sums under two weights: each row is read once."""
    signature = (types.int64, types.int64, row, strip, weight, second, total, second_total)
    return types.void(*signature), _sums(2)
