"""Validation of instruction sequences: function bodies (spec 3.5.1) and constant expressions (3.4.11)."""
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.valid.body import Body
from pyjit_wasm.valid.rules import SIGNATURES

CONSTANT = frozenset([BY_NAME[mnemonic] for mnemonic in (
    "i32.const", "i64.const", "f32.const", "f64.const", "v128.const", "ref.null", "ref.func", "global.get",
    "i32.add", "i32.sub", "i32.mul", "i64.add", "i64.sub", "i64.mul", "ref.i31", "struct.new",
    "struct.new_default", "array.new", "array.new_default", "array.new_fixed", "any.convert_extern",
    "extern.convert_any")])
GLOBAL_GET = BY_NAME["global.get"]


class Facts:
    """What the tiers want to know of a function: `instructions`, how many it has; `has_loop`; `calls`, the
    function indices it calls directly; `tail_calls`, whether it has tail calls; `exceptions`, whether it
    throws or catches, `legacy_exceptions`, in the older way; `indirect`, whether it calls through tables or
    references; `bulk`, whether it has bulk or grow instructions on memories or tables; `heap`, an instruction
    on the collected heap that it has, or None."""

    __slots__ = ("instructions", "has_loop", "calls", "tail_calls", "exceptions", "legacy_exceptions", "indirect",
                 "bulk", "heap")

    def __init__(self, count, body):
        self.instructions, self.has_loop, self.calls = count, body.has_loop, frozenset(body.calls)
        self.tail_calls, self.exceptions = body.tail_calls, body.exceptions
        self.legacy_exceptions = body.legacy_exceptions
        self.indirect, self.bulk, self.heap = body.indirect, body.bulk, body.heap


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
    body = Body(module, module.globals, comp.results, comp.params, code.locals)
    sequence = instructions(module, code.start, code.end)
    check(body, sequence)
    return Facts(len(sequence), body)


def check_constant(module, globals_, sequence, expected):
    """Validate a constant expression that may refer to `globals_`."""
    for op, imm, offset in sequence:
        if op not in CONSTANT or op is GLOBAL_GET and imm < len(globals_) and globals_[imm].mutable:
            raise ValidationError("constant expression required", offset)
    body = Body(module, globals_, (expected,))
    check(body, sequence)
    try:
        body.leave()
    except ValidationError as error:
        raise ValidationError(error.message, sequence[-1][2] if sequence else None) from None
