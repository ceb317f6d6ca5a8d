"""One vector loop, written in LLVM's own terms: a weighted sum of short rows, held in registers.

It is the inner loop of every item-item model. Numba's compiler would write each partial sum back to memory after every
row; here the sums of one strip (256 bytes: 64 float32 or 32 float64 columns) stay in eight vector registers
until the last row is added, so a multiply-add costs little more than reading its number from the cache.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

STRIP_BYTES = 256
_VECTOR_BYTES = 32


@intrinsic
def weighted_rows(
    typingctx: Any, start: Any, stop: Any, row: Any, weight: Any, strip: Any, total: Any
) -> Any:
    """Write the sum of weight[e] x strip[row[e]] over e in start .. stop - 1 to `total`.

    Types: row int32, weight, strip (rows, STRIP_BYTES / size of a number), C order, and total of one float type.
    Nothing is checked: this is the bottom.
    """

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, end = args[0], args[1]
        rows, weights, numbers, sums = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[2:], args[2:], strict=True)
        )
        size = strip.dtype.bitwidth // 8
        lanes = _VECTOR_BYTES // size
        index, lane = ir.IntType(64), ir.IntType(32)
        vector = ir.VectorType(ir.FloatType() if size == 4 else ir.DoubleType(), lanes)
        muladd = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{lanes}f{8 * size}"
        )
        undefined = ir.Constant(vector, ir.Undefined)
        before, head = builder.block, builder.append_basic_block("head")
        body, after = builder.append_basic_block("body"), builder.append_basic_block("after")
        builder.branch(head)

        builder.position_at_end(head)  # for e from first to end, with all sums in registers
        e = builder.phi(index)
        e.add_incoming(first, before)
        held = [builder.phi(vector) for _ in range(STRIP_BYTES // _VECTOR_BYTES)]
        for part in held:
            part.add_incoming(ir.Constant(vector, [0.0] * lanes), before)
        builder.cbranch(builder.icmp_signed("<", e, end), body, after)

        builder.position_at_end(body)
        place = builder.sext(builder.load(builder.gep(rows, [e])), index)
        one = builder.insert_element(undefined, builder.load(builder.gep(weights, [e])), lane(0))
        every = builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(lane, lanes), [0] * lanes))
        at = builder.gep(numbers, [builder.mul(place, index(STRIP_BYTES // size))])
        for n, part in enumerate(held):
            pointer = builder.bitcast(builder.gep(at, [index(n * lanes)]), vector.as_pointer())
            part.add_incoming(builder.call(muladd, [every, builder.load(pointer, align=size), part]), body)
        e.add_incoming(builder.add(e, index(1)), body)
        builder.branch(head)

        builder.position_at_end(after)
        for n, part in enumerate(held):
            pointer = builder.bitcast(builder.gep(sums, [index(n * lanes)]), vector.as_pointer())
            builder.store(part, pointer, align=size)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, row, weight, strip, total), build
