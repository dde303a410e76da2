"""Validation of instruction sequences: function bodies (spec 3.5.1) and constant expressions (3.4.11)."""
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.valid.body import Body, check_limit
from pyjit_wasm.valid.facts import Facts
from pyjit_wasm.valid.rules import SIGNATURES

CONSTANT = frozenset([BY_NAME[mnemonic] for mnemonic in (
    "i32.const", "i64.const", "f32.const", "f64.const", "v128.const", "ref.null", "ref.func", "global.get",
    "i32.add", "i32.sub", "i32.mul", "i64.add", "i64.sub", "i64.mul", "ref.i31", "struct.new",
    "struct.new_default", "array.new", "array.new_default", "array.new_fixed", "any.convert_extern",
    "extern.convert_any")])
GLOBAL_GET = BY_NAME["global.get"]


def check(body, sequence):
    """Validate a sequence of instructions; offsets are added to the errors here."""
    stack = body.stack
    offset = None
    try:
        for op, imm, offset in sequence:
            arity, params, results, rule = SIGNATURES[op]
            if rule is not None:
                rule(body, imm)
            elif not arity:
                stack += results
            elif stack[-arity:] == params and len(stack) - arity >= body.height:
                stack[-arity:] = results
            else:
                body.apply(tuple(params), results)
    except ValidationError as error:
        raise ValidationError(error.message, offset) from None


def check_function(module, deftype, code):
    """Validate a function body; its Facts."""
    comp = deftype.comp
    check_limit("locals", len(comp.params) + sum(count for count, _ in code.locals), code.start)
    body = Body(module, comp.results, comp.params, code.locals)
    sequence = instructions(module, code.start, code.end)
    check(body, sequence)
    return Facts(len(sequence), frozenset(body.calls), **{name: getattr(body, name) for name in Facts.__slots__[2:]})


def check_constant(module, globals_, sequence, expected):
    """Validate a constant expression that may refer to the first `globals_` globals. Most are one constant: large modules have ten thousands."""
    if len(sequence) == 1:
        op = sequence[0][0]
        if op in CONSTANT and op.params == () and op.results == (expected,):
            return
    for op, imm, offset in sequence:
        if op not in CONSTANT or op is GLOBAL_GET and imm < globals_ and module.globals[imm].mutable:
            raise ValidationError("constant expression required", offset)
    body = Body(module, (expected,), globals_=globals_)
    check(body, sequence)
    try:
        body.leave()
    except ValidationError as error:
        raise ValidationError(error.message, sequence[-1][2] if sequence else None) from None
