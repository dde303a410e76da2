"""Checks the functions of a large module: by the kernels, and those that they do not know one by one."""
import ctypes
from array import array

from pyjit_wasm.binary.body import instructions
from pyjit_wasm.binary.bulk_kernels import NUMBERS
from pyjit_wasm.errors import DecodeError
from pyjit_wasm.valid.bulk import bodies, control, rows, state
from pyjit_wasm.valid.bulk.facts import BulkFacts
from pyjit_wasm.valid.bulk.tables import Tables
from pyjit_wasm.valid.function import check_function

MAIN = bodies.check_bodies
OTHERS = (*NUMBERS, *[function for part in (state, control, rows, bodies) for function in vars(part).values()
                      if getattr(function, "__module__", None) == part.__name__ and function is not MAIN])


def check(module, kernel):
    """The BulkFacts of a decoded module whose bodies nobody has looked at; `kernel` is MAIN, compiled. Raises DecodeError
    or ValidationError."""
    found = _run(module, kernel)
    others = {index: _check_one(module, index) for index in range(len(module.codes)) if not found[0][4 * index]}
    for index, facts in others.items():
        found[0][4 * index + 1], found[0][4 * index + 2] = facts.instructions, 0
    return BulkFacts(*found, others)


def _check_one(module, index):
    code = module.codes[index]
    sequence = instructions(module, code.start, code.end)
    if module.data_count is None and any("dataidx" in op.imm for op, _, _ in sequence):
        raise DecodeError("data count section required", code.start)
    return check_function(module, module.funcs[module.imported_funcs + index], code)


def _run(module, kernel):
    """Run the kernel: its `out` and `calls`."""
    tables = Tables(module)
    out = array("i", bytes(16 * tables.count))
    largest = (sum(tables.bodies[1::3]) - sum(tables.bodies[::3])) // 2 + 1
    calls = (ctypes.c_int32 * largest)()
    work = {"at": array("q", bytes(8 * state.AT)), "locals": array("i", bytes(4 * state.LOCALS)),
            "stack": array("i", bytes(4 * state.STACK)), "blocks": array("i", bytes(16 * state.DEPTH)),
            "stamps": array("i", bytes(4 * max(tables.func_count, 1))), "out": out,
            "calls": calls, "data": module.data}
    if module.data_count is None:
        tables.data_count = 0   # what refers to data is not for the kernels
    arguments = []
    for name in MAIN.__code__.co_varnames[:MAIN.__code__.co_argcount]:
        arguments.append(work[name] if name in work else getattr(tables, name))
    kernel(*arguments)
    return out, calls[:work["at"][state.CALLS]]
