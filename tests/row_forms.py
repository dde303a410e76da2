"""The shapes in which instructions occur: operands from locals, temporaries and constants, results that are
stored, comparisons that feed branches. Each shape is text that leaves one value, and what it must be.

The functions have their operands in locals 0 and 1 and in globals, two free locals 2 and 3 of the operands'
types, local 4 for the result, and the i32 local 5.
"""
from collections import namedtuple

from oracle import INF, SIGN, number
from pyjit_wasm.opcodes import numeric
from pyjit_wasm.opcodes.op import Guard

Form = namedtuple("Form", "name text meaning")
Form.__doc__ = "`meaning(a, b)`: the operands the instruction gets for these arguments; or an int, the value itself."

ROWS = {op.mnemonic: op for op in numeric.ROWS if op.ir}
CONSTANTS = {
    "i32": (0, 1, 31, 0x12345678, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    "i64": (0, 1, 63, 0x123456789, 0x80000000, 1 << 63, (1 << 64) - 1),
    "f32": (0, 0x80000000, 0x3F800000, 0xC0490FDB, 0x7F800000, 0x7FA00001, 0xFFC00001),
    "f64": (0, 1 << 63, 0x3FF << 52, 0xC00921FB54442D18, 0x7FF << 52, 0x7FF4000000000001, 0xFFF8000000000001),
}


def traps(op):
    return any(isinstance(guard, Guard) for guard in op.traps)


def is_condition(op):
    return op.swapped is not None or op.mnemonic.endswith(".eqz")


def const(t, bits):
    """The text of a constant with these bits."""
    if t[0] == "i":
        return f"({t}.const {bits})"
    exponent, sign, magnitude = INF[t], bits & SIGN[t], bits & ~SIGN[t]
    if magnitude >= exponent:
        text = f"nan:{magnitude - exponent:#x}" if magnitude > exponent else "inf"
    else:
        text = number(t, magnitude).hex()
    return f"({t}.const {'-' if sign else ''}{text})"


def operand_forms(op):
    """The instruction with its operands from everywhere."""
    name, t = op.mnemonic, op.params[0]
    temp = f"(block (result {t}) (local.get {{}}))".format
    if len(op.params) == 1:
        yield Form("local", f"({name} (local.get 0))", lambda a, b: (a,))
        yield Form("temporary", f"({name} {temp(0)})", lambda a, b: (a,))
        yield Form("global", f"({name} (global.get ${t}a))", lambda a, b: (a,))
        for k in CONSTANTS[t]:
            yield Form(f"constant {k:#x}", f"({name} {const(t, k)})", lambda a, b, k=k: (k,))
        return
    yield Form("locals", f"({name} (local.get 0) (local.get 1))", lambda a, b: (a, b))
    yield Form("temporaries", f"({name} {temp(0)} {temp(1)})", lambda a, b: (a, b))
    yield Form("global, local", f"({name} (global.get ${t}a) (local.get 1))", lambda a, b: (a, b))
    yield Form("local, global", f"({name} (local.get 0) (global.get ${t}b))", lambda a, b: (a, b))
    yield Form("twice", f"({name} (local.get 0) (local.get 0))", lambda a, b: (a, a))
    for i, k in enumerate(CONSTANTS[t]):
        other = CONSTANTS[t][i - 2]
        yield Form(f"local, constant {k:#x}", f"({name} (local.get 0) {const(t, k)})", lambda a, b, k=k: (a, k))
        yield Form(f"constant {k:#x}, local", f"({name} {const(t, k)} (local.get 1))", lambda a, b, k=k: (k, b))
        yield Form(f"constants {k:#x}, {other:#x}", f"({name} {const(t, k)} {const(t, other)})",
                   lambda a, b, k=k, other=other: (k, other))
    yield Form("temporary, constant", f"({name} {temp(0)} {const(t, k)})", lambda a, b: (a, k))
    yield Form("constant, global", f"({name} {const(t, k)} (global.get ${t}b))", lambda a, b: (k, b))


def storing_forms(op):
    """The result goes to a local, or an operand's local changes while the result is on the stack."""
    name, binary = op.mnemonic, len(op.params) == 2
    args = (lambda a, b: (a, b)) if binary else (lambda a, b: (a,))
    right = " (local.get 1)" if binary else ""
    simple = f"({name} (local.get 0){right})"
    copied = f"(local.set 2 (local.get 0)) ({name} (local.get 2){right})"
    yield Form("set", f"(local.set 4 {simple}) (local.get 4)", args)
    yield Form("tee", f"(local.tee 4 {simple})", args)
    yield Form("teed", f"(local.tee 4 {simple}) drop (local.get 4)", args)
    yield Form("operand changes", f"{copied} (local.set 2 (local.get 3))", args)
    if binary:
        yield Form("right operand changes", f"(local.set 3 (local.get 1)) ({name} (local.get 0) (local.get 3)) "
                   "(local.set 3 (local.get 2))", args)
    if op.results == op.params[:1]:
        yield Form("into its operand", f"{copied} (local.set 2) (local.get 2)", args)
        if not traps(op):
            yield Form("below it", "(local.set 2 (local.get 0)) (local.get 2) "
                       f"(local.set 2 ({name} (local.get 2){right}))", lambda a, b: a)
        if binary:
            yield Form("into its right operand", "(local.set 3 (local.get 1)) (local.set 3 "
                       f"({name} (local.get 0) (local.get 3))) (local.get 3)", args)


def condition_forms(op):
    """For each way operands come, the uses of a condition; forms in which it means the opposite end in "not"."""
    for form in operand_forms(op):
        yield form.name, [Form(use, text.replace("COND", form.text), form.meaning) for use, text in USES]


ONE, ZERO = "(i32.const 1)", "(i32.const 0)"
USES = (
    ("value", "COND"),
    ("eqz not", "(i32.eqz COND)"),
    ("eqz eqz", "(i32.eqz (i32.eqz COND))"),
    ("stored", "(local.set 5 COND) (local.get 5)"),
    ("stored eqz not", "(local.set 5 (i32.eqz COND)) (local.get 5)"),
    ("br_if", f"(local.set 5 {ONE}) (block (br_if 0 COND) (local.set 5 {ZERO})) (local.get 5)"),
    ("br_if eqz not", f"(local.set 5 {ONE}) (block (br_if 0 (i32.eqz COND)) (local.set 5 {ZERO})) (local.get 5)"),
    ("br_if with value", f"(block (result i32) {ONE} (br_if 0 COND) drop {ZERO})"),
    ("br_if eqz with value not", f"(block (result i32) {ONE} (br_if 0 (i32.eqz COND)) drop {ZERO})"),
    ("br_if backwards", f"(local.set 5 {ZERO}) (block (loop (br_if 1 (local.get 5)) (local.set 5 {ONE}) (br_if 0 COND) "
     f"(local.set 5 {ZERO}))) (local.get 5)"),
    ("if else", f"(if (result i32) COND (then {ONE}) (else {ZERO}))"),
    ("if eqz else not", f"(if (result i32) (i32.eqz COND) (then {ONE}) (else {ZERO}))"),
    ("if", f"(local.set 5 {ZERO}) (if COND (then (local.set 5 {ONE}))) (local.get 5)"),
    ("if eqz not", f"(local.set 5 {ZERO}) (if (i32.eqz COND) (then (local.set 5 {ONE}))) (local.get 5)"),
    ("select", f"(select {ONE} {ZERO} COND)"),
    ("select eqz not", f"(select {ONE} {ZERO} (i32.eqz COND))"),
)


def function(op, export, forms):
    """The text of a function with the results of some forms of one instruction."""
    t = op.params[0]
    results = " ".join(["i32" if is_condition(op) else op.results[0]] * len(forms))
    return (f'(func (export "{export}") (param {t} {t}) (result {results}) (local {t} {t} {op.results[0]} i32) '
            f"(global.set ${t}a (local.get 0)) (global.set ${t}b (local.get 1)) {' '.join(f.text for f in forms)})")


def functions():
    """{export: (row, its forms)}: one function for each row, where nothing traps; else one for each form."""
    found = {}
    for name, op in ROWS.items():
        forms = [*operand_forms(op), *storing_forms(op)]
        if traps(op):
            found.update((f"{name} {form.name}", (op, [form])) for form in forms)
        else:
            found[f"{name} operands"] = op, forms
        if is_condition(op):
            found.update((f"{name} {operands}", (op, uses)) for operands, uses in condition_forms(op))
    return found


def module(table):
    """The text of a module with these functions, and one for each plain row under its own name."""
    globals = "".join(f"(global ${t}{n} (mut {t}) ({t}.const 0))" for t in CONSTANTS for n in "ab")
    plain = "".join(
        f'(func (export "{name}") (param {" ".join(op.params)}) (result {op.results[0]}) '
        f'({name} {" ".join(f"(local.get {i})" for i in range(len(op.params)))}))\n' for name, op in ROWS.items())
    shaped = "\n".join(function(op, name, forms) for name, (op, forms) in table.items())
    return f"(module {globals}\n{plain}{shaped})"
