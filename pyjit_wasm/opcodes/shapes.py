"""Shapes of vectors (spec 2.4.2), and texts about their lanes as meanings of rows.

A v128 is a `<2 x i64>`. In a text about lanes `%x %y %z` are the operands as vectors of a shape, `%q` is
the result; `lanewise` adds the casts. `%lane` is the number of a lane, an i32. In braces, about the
shape of the operands:

    {t} the vector   {e} its lane   {n} how many   {i} intrinsic suffix   {m} shift mask
    {s} lane on the stack; {put} {count} casts from the stack, of a lane and of an i32
    {w} as many lanes of twice the width, {d} each   {h} half as many lanes   {r} the vector that results
    {low} {high} {even} {odd} shuffle masks, half as many lanes
    {pack_s} {pack_u} the intrinsics that saturate to half the width
"""
from pyjit_wasm.opcodes.op import F32, F64, I32, I64, LLVM_TYPE
from pyjit_wasm.types import V128

# type of a lane on the stack
LANE = {"i8x16": I32, "i16x8": I32, "i32x4": I32, "i64x2": I64, "f32x4": F32, "f64x2": F64}
# of i16x8 and i32x4; LLVM does not find these instructions by itself
_PACK = {16: ("sse2.packsswb.128", "sse2.packuswb.128"), 32: ("sse2.packssdw.128", "sse41.packusdw")}


def _mask(numbers):
    numbers = [f"i32 {n}" for n in numbers]
    return f"<{len(numbers)} x i32> <{', '.join(numbers)}>"


def _fields(shape):
    """What stands for the braces, but {r}."""
    kind, (width, n) = shape[0], map(int, shape[1:].split("x"))
    s = LLVM_TYPE[LANE[shape]]
    e = f"i{width}" if kind == "i" else s
    pack_s, pack_u = _PACK.get(width, ("", ""))
    return {"t": f"<{n} x {e}>", "e": e, "n": n, "i": f"v{n}{kind}{width}", "m": width - 1, "s": s,
            "put": f"{'bitcast' if e == s else 'trunc'} {s}",
            "count": "trunc" if width < 32 else "bitcast" if width == 32 else "zext",
            "w": f"<{n} x i{2 * width}>", "d": f"i{2 * width}", "h": f"<{n // 2} x {e}>",
            "low": _mask(range(n // 2)), "high": _mask(range(n // 2, n)),
            "even": _mask(range(0, n, 2)), "odd": _mask(range(1, n, 2)), "pack_s": pack_s, "pack_u": pack_u}


_SHAPES = {shape: _fields(shape) for shape in LANE}
_SHAPES["v128"] = _SHAPES["i64x2"]


def filled(text, shape, result):
    """A text about operands of `shape`; its `%q`, of shape `result`, becomes a v128."""
    r = _SHAPES[result]["t"]
    text = text.format(r=r, **_SHAPES[shape])
    return f"{text}\n%r = bitcast {r} %q to <2 x i64>" if "%q" in text else text


def lanewise(text, signature, shape, result):
    """`filled`, with the vectors among the parameters of a signature as `%x %y %z`."""
    t = _SHAPES[shape]["t"]
    casts = [f"%{lanes} = bitcast <2 x i64> %{operand} to {t}\n"
             for operand, lanes, param in zip("abc", "xyz", signature[0]) if param == V128]
    return "".join(casts) + filled(text, shape, result)
