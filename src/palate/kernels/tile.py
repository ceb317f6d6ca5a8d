"""One vector loop, written in LLVM's own terms: a tile of X'X, its sums held in registers.

Everything cubic in a least squares problem is of this form: the Gram matrix of rows, and the products of a Cholesky
factor with itself. Numba's compiler would write each sum back to memory after every row; here the sums of a
tile of 4 x 16 float32 stay in eight vector registers while all rows are added up, so a multiply-add costs what the
arithmetic does.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

TALL, WIDE = 4, 16
_LANES = 8  # float32 in a vector register of 32 bytes


@intrinsic
def add_tile(
    typingctx: Any, rows: Any, start: Any, stop: Any, top: Any, left: Any, sign: Any, out: Any
) -> Any:
    """Add sign x the sum over r of rows[r, top + i] x rows[r, left + j] to out[top + i, left + j].

    r is of start .. stop - 1, i below TALL, j below WIDE. Types: rows (n, size) and out (size, size) float32, C order,
    which may be the same; start, stop, top, left int64; sign float32. Nothing is checked: this is the bottom.
    """
    signature = types.void(rows, types.int64, types.int64, types.int64, types.int64, types.float32, out)
    return signature, _tile


def _tile(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    numbers, target = (
        context.make_array(signature.args[n])(context, builder, args[n]) for n in (0, len(args) - 1)
    )
    _, start, stop, top, left, sign, _ = args
    width = cgutils.unpack_tuple(builder, numbers.shape, 2)[1]
    index, lane = ir.IntType(64), ir.IntType(32)
    vector = ir.VectorType(ir.FloatType(), _LANES)
    parts = WIDE // _LANES
    muladd = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{_LANES}f32"
    )
    undefined, zero = ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0.0] * _LANES)

    def in_all_lanes(number: Any) -> Any:
        one = builder.insert_element(undefined, number, lane(0))
        return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(lane, _LANES), [0] * _LANES))

    def at(base: Any, row: Any, column: Any, n: int) -> Any:
        place = builder.add(builder.mul(row, width), builder.add(column, index(n)))
        return builder.gep(base, [place])

    def vector_at(base: Any, row: Any, column: Any, n: int) -> Any:
        return builder.bitcast(at(base, row, column, n * _LANES), vector.as_pointer())

    before, head = builder.block, builder.append_basic_block("head")
    body, after = builder.append_basic_block("body"), builder.append_basic_block("after")
    builder.branch(head)
    builder.position_at_end(head)  # for r from start to stop, with all sums in registers
    r = builder.phi(index)
    r.add_incoming(start, before)
    held = [[builder.phi(vector) for _ in range(parts)] for _ in range(TALL)]
    for line in held:
        for part in line:
            part.add_incoming(zero, before)
    builder.cbranch(builder.icmp_signed("<", r, stop), body, after)

    builder.position_at_end(body)
    across = [builder.load(vector_at(numbers.data, r, left, n), align=4) for n in range(parts)]
    for i, line in enumerate(held):
        factor = in_all_lanes(builder.load(at(numbers.data, r, top, i)))
        for number, part in zip(across, line, strict=True):
            part.add_incoming(builder.call(muladd, [factor, number, part]), body)
    r.add_incoming(builder.add(r, index(1)), body)
    builder.branch(head)

    builder.position_at_end(after)
    signs = in_all_lanes(sign)
    for i, line in enumerate(held):
        for n, part in enumerate(line):
            place = vector_at(target.data, builder.add(top, index(i)), left, n)
            whole = builder.call(muladd, [signs, part, builder.load(place, align=4)])
            builder.store(whole, place, align=4)
    return context.get_dummy_value()
