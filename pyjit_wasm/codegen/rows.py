"""The one way to use a row of the opcode table: `emit(text, op, operands, trap)` writes guards and body.

Row text uses neutral names; here they become fresh ones. A body cannot be reached without its guards.
"""
import functools
import re

from pyjit_wasm.opcodes import TRAP_CODE

_NAME = re.compile(r"%([a-z]+)")
_TYPE = r"<[^>]*>|\w+"
_CALL = re.compile(rf"call ({_TYPE}) @([\w.]+)\((.*)\)")
_ARGUMENT = re.compile(rf"({_TYPE}) (?:splat \([^)]*\)|[^ ,]+)")


def _substitute(text, names, f, suffix=""):
    """Write row text with `names` for its operands, to which the names it defines are added."""
    def name(match):
        known = names.get(match[1])
        if known is None:
            known = names[match[1]] = f.fresh()
        return known

    for line in text.split("\n"):
        f.do(_NAME.sub(name, line) + suffix)


def emit(f, op, operands, trap, location="", lane=None):
    """Write a numeric row for IR values `operands`; the result's name. `trap(condition, code)` writes
    the check of a guard: control goes on behind it only if the i1 `condition` is false. `location` is
    appended to every instruction of the body. `lane`: a lane number, if the row has one."""
    names = dict(zip("abc", operands), lane=str(lane))
    for guard in op.traps:
        local = dict(names)
        _substitute(guard.ir, local, f)
        trap(local["c"], TRAP_CODE[guard.trap])
    names["r"] = f.fresh()
    _substitute(op.ir, names, f, location)
    return names["r"]


def emit_access(f, op, pointer, values, volatile, location="", lane=None):
    """Write a memory row for an address that has been checked, and the operands behind it; the result's name.
    LLVM leaves atomic accesses where they are, volatile or not."""
    names = {"p": pointer, "r": f.fresh(), "lane": str(lane), **dict(zip("bc", values))}
    text = op.ir
    if volatile and not op.atomic:
        text = text.replace("load ", "load volatile ").replace("store ", "store volatile ")
    _substitute(text, names, f, location)
    return names["r"]


@functools.cache
def declarations():
    """Declarations of the intrinsics that rows call."""
    from pyjit_wasm.opcodes import ROWS

    found = {}
    for op in ROWS:
        for result, name, arguments in _CALL.findall(op.ir or ""):
            found[name] = f"declare {result} @{name}({', '.join(_ARGUMENT.findall(arguments))})\n"
    return "".join(found.values())
