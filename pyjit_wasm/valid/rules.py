"""The rule of every instruction: what it demands from the context and does to a `Body`.

SIGNATURES maps a row to (arity, parameters, results, rule). Most rows have fixed parameters and
results and no rule; a rule is a function of the body and the immediates.
"""
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.opcodes import BY_CODE, gc
from pyjit_wasm.valid import control, memory, references, variables

RULES = control.RULES | variables.RULES | memory.RULES | references.RULES
# ref.cast has two opcodes: the target is nullable in the second
RULES_BY_CODE = {0xFB0016: references.ref_cast(False), 0xFB0017: references.ref_cast(True)}

LANES = {"i8x16": 16, "i16x8": 8, "i32x4": 4, "i64x2": 2, "f32x4": 4, "f64x2": 2}


def lane(op):
    """The rule of an instruction with the index of one lane."""
    params, results, lanes = op.params, op.results, LANES[op.mnemonic.split(".")[0]]

    def rule(body, imm):
        if imm >= lanes:
            raise ValidationError(f"invalid lane index {imm}")
        body.apply(params, results)
    return rule


def shuffle(op):
    """The rule of a shuffle: lanes of two vectors."""
    params, results = op.params, op.results

    def rule(body, imm):
        if max(imm) >= 32:
            raise ValidationError(f"invalid lane index {max(imm)}")
        body.apply(params, results)
    return rule


# rules made for each row, by the kinds of its immediates
BY_KINDS = {("memarg",): memory.access, ("memarg", "laneidx"): memory.lane_access, ("laneidx",): lane,
            ("lanes",): shuffle}


def heap(op, rule_):
    """The rule of an instruction on the collected heap: the same, and noted."""
    params, results, mnemonic = op.params, op.results, op.mnemonic

    def rule(body, imm):
        body.heap = mnemonic
        if rule_ is not None:
            rule_(body, imm)
        else:
            body.apply(params, results)
    return rule


def rule(op):
    """The rule of a row, None if its parameters and results say it all."""
    found = _rule(op)
    return heap(op, found) if op in gc.ROWS else found


def _rule(op):
    if op.imm in BY_KINDS:
        return BY_KINDS[op.imm](op)
    return RULES_BY_CODE.get(op.code) or RULES.get(op.mnemonic)


def signature(op):
    params, results = op.params or (), op.results or ()
    return len(params), list(params), list(results), rule(op)


SIGNATURES = {op: signature(op) for op in BY_CODE.values()}
