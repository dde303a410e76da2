"""Conversions from floats to integers without branches.

For machines without saturating conversions C compilers guard each conversion, since it would trap:

    block block ... local.tee $x f32.abs f32.const 0x1p31 f32.lt i32.eqz br_if 0
      local.get $x i32.trunc_f32_s local.set $y br 1
    end i32.const -0x80000000 local.set $y end

and for unsigned integers with `$x < 0x1p32 & $x >= 0` and 0. The branches would keep LLVM from vectorising the loop
around. The conversion does not trap where it is reached, so this is a `select` between the conversion without its guards
and the constant; it is rewritten so. Where the guards would trap, LLVM's conversion has no value, and is not selected.
"""
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.opcodes.op import BITS, Op

_BITS_OF_POWER = {("f32", 31): 0x4F000000, ("f32", 32): 0x4F800000, ("f32", 63): 0x5F000000, ("f32", 64): 0x5F800000,
                  ("f64", 31): 0x41E0 << 48, ("f64", 32): 0x41F0 << 48, ("f64", 63): 0x43E0 << 48,
                  ("f64", 64): 0x43F0 << 48}
# what may stand between the openers of the blocks and the conversion, besides rows with a body: how many operands it adds
_ADDED = {"local.get": 1, "local.set": -1, "local.tee": 0, "global.get": 1, "global.set": -1, "drop": -1, "select": -2, "nop": 0,
          "br_if": -1, "i32.const": 1, "i64.const": 1, "f32.const": 1, "f64.const": 1, "v128.const": 1, "memory.size": 1}
_X, _Y = object(), object()


def _shape(integer, number, sign):
    """(condition, rest, constant) of an idiom: (mnemonic, immediate) pairs where _X and _Y stand for locals."""
    bits = BITS[integer]
    if sign == "s":
        limit, constant = _BITS_OF_POWER[number, bits - 1], -1 << bits - 1
        condition = ((f"{number}.abs", None), (f"{number}.const", limit), (f"{number}.lt", None))
    else:
        limit, constant = _BITS_OF_POWER[number, bits], 0
        condition = ((f"{number}.const", limit), (f"{number}.lt", None), ("local.get", _X), (f"{number}.const", 0),
                     (f"{number}.ge", None), ("i32.and", None))
    rest = (("i32.eqz", None), ("br_if", 0), ("local.get", _X), (f"{integer}.trunc_{number}_{sign}", None),
            ("local.set", _Y), ("br", 1), ("end", None), (f"{integer}.const", constant), ("local.set", _Y), ("end", None))
    return condition, rest


# mnemonic of the conversion: the idiom around it
_SHAPES = {f"{i}.trunc_{n}_{s}": _shape(i, n, s) for i in ("i32", "i64") for n in ("f32", "f64") for s in "su"}
_CONVERSION, _END = 3, 10  # places in `rest`


def _without_guards(op):
    return Op(op.code, op.mnemonic, op.params, op.results, op.ir)


_SELECTED = {name: _without_guards(BY_NAME[name]) for name in _SHAPES}


def branchless(body):
    """`body`, a list of (Op, immediate, offset), with every such idiom rewritten."""
    written = []
    position = 0
    while position < len(body):
        shape = _SHAPES.get(body[position][0].mnemonic)
        found = shape and _match(body, position, shape)
        if found and (openers := _openers(written, position)) is not None:
            _rewrite(body, position, found, openers, written)
            position += _END - _CONVERSION
        else:
            written.append(body[position])
            position += 1
    return written


def _match(body, position, shape):
    """(condition, $x, $y) if the conversion at `position` stands in its idiom."""
    condition, rest = shape
    start = position - _CONVERSION - len(condition) - 1
    span = body[max(start, 0):position - _CONVERSION + _END]
    expected = ((None, _X), *condition, *rest)
    if len(span) != len(expected) or span[0][0].mnemonic not in ("local.get", "local.tee"):
        return None
    names = {}
    for (op, imm, _), (mnemonic, wanted) in zip(span, expected):
        if mnemonic not in (None, op.mnemonic):
            return None
        if wanted is _X or wanted is _Y:
            wanted = names.setdefault(wanted, imm)
        if imm != wanted:
            return None
    return condition, names[_X], names[_Y]


def _openers(written, position):
    """Where in `written` the two blocks of the idiom are opened, if nothing has a label behind them, and no operand is left
    there; `written` ends before the conversion."""
    openers, operands = [], 0
    for index in range(len(written) - 1, -1, -1):
        op, imm, _ = written[index]
        if op.mnemonic == "block" and imm is None:
            openers.append(index)
            if len(openers) == 2:
                return openers if operands == 1 else None   # the number; a branch would drop what else there is
        elif op.mnemonic == "br_if" and index != len(written) - 2:
            return None
        elif op.mnemonic in _ADDED:
            operands += _ADDED[op.mnemonic]
        elif op.ir is not None and op.params is not None and op.results is not None:
            operands += len(op.results) - len(op.params)
        else:
            return None
    return None


def _rewrite(body, position, found, openers, written):
    condition, x, y = found
    offset = body[position][2]
    conversion = _SELECTED[body[position][0].mnemonic]
    constant = body[position + 4]
    del written[-3 - len(condition):]  # local.get $x stays
    for opener in openers:
        del written[opener]
    written.append((conversion, None, offset))
    written.append(constant)
    for mnemonic, imm in (("local.get", x), *condition, ("select", None), ("local.set", y)):
        written.append((BY_NAME[mnemonic], x if imm is _X else imm, offset))
