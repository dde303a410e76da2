"""Running an instance's main function, or one by name, with arguments as text."""
from __future__ import annotations

import struct

from pyjit_wasm.types import I32, FuncType
from pyjit_wasm.wamr import literals
from pyjit_wasm.wamr.calls import get_exec_env_singleton, lookup_function
from pyjit_wasm.wamr.memory import module_dup_data, module_free, view
from pyjit_wasm.wamr.state import attempt, clear_exception, get_exception, of, set_exception

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyjit_wasm.instance import Instance

_MAINS = ("main", "__main_argc_argv", "_main")
_MAIN_TYPES = {FuncType(params, results) for params in ((), (I32, I32)) for results in ((), (I32,))}


def application_execute_func(module_inst: Instance, name: str, argv: Sequence[str]) -> bool:
    """Call an exported function with arguments as text and print its results, such as `0x37:i32,0.5:f64`; whether it
    succeeded. If not, the exception is printed.

    Integers are in base 0 and taken modulo their width, floats as C's `strtod` takes them, or `nan:0x...`, a v128 is two
    integers, low and high, with one character between them, a reference is a number or null."""
    if _execute(module_inst, name, argv):
        return True
    print(get_exception(module_inst))
    return False


def _execute(module_inst, name, argv):
    function = lookup_function(module_inst, name)
    if function is None:
        return _fail(module_inst, f"lookup function {name} failed")
    params, results = function.type.params, function.type.results
    if len(argv) != len(params):
        return _fail(module_inst, "invalid input argument count")
    arguments = []
    for number, (text, valtype) in enumerate(zip(argv, params)):
        if not text:
            return _fail(module_inst, f"invalid input argument {number}")
        try:
            arguments.append(literals.parse(text, valtype, module_inst))
        except ValueError:
            return _fail(module_inst, f"invalid input argument {number}: {text}")
    clear_exception(module_inst)
    call, found = get_exec_env_singleton(module_inst).function(function).call_bits, []
    if not attempt(module_inst, lambda: found.extend(call(arguments))):
        return False
    print(",".join(map(literals.write, found, results)))
    return True


def _fail(module_inst, exception):
    set_exception(module_inst, exception)
    return False


def application_execute_main(module_inst: Instance, argv: list[str]) -> bool:
    """Run a program: WASI's `_start`, else `main` with `argv`, whose strings go to the heap; whether it succeeded. What `main`
    returns takes the place of `argv[0]`."""
    start = lookup_function(module_inst, "_start")
    if of(module_inst).wasi is not None and start is not None and start.type == FuncType((), ()):
        return attempt(module_inst, start)
    main = next(filter(None, (lookup_function(module_inst, name) for name in _MAINS)), None)
    if main is None:
        return _fail(module_inst, "lookup the entry point symbol (like _start, main, _main, __main_argc_argv) failed")
    if main.instance is not module_inst._inst:
        return _fail(module_inst, "lookup main function failed")
    if main.type not in _MAIN_TYPES:
        return _fail(module_inst, "invalid function type of main function")
    return _run_main(module_inst, main, argv)


def _run_main(module_inst, main, argv):
    arguments, block = (), 0
    if main.type.params:
        block, table = _copy(module_inst, argv)
        if not block:
            return _fail(module_inst, "allocate memory failed")
        arguments = len(argv), table
    result = []
    succeeded = attempt(module_inst, lambda: result.append(main(*arguments)))
    if succeeded and main.type.results and argv:
        argv[0] = result[0]
    if block:
        module_free(module_inst, block)
    return succeeded


def _copy(module_inst, argv):
    """The offset of a block with the strings and behind them the array of their addresses, and where that is; 0 and 0
    without room."""
    strings = [text.encode(errors="surrogateescape") + b"\0" for text in argv]
    data = b"".join(strings)
    data += bytes(-len(data) % 4)
    block = module_dup_data(module_inst, data + bytes(4 * len(strings)))
    if not block:
        return 0, 0
    offsets = [block + sum(map(len, strings[:i])) for i in range(len(strings))]
    table = block + len(data)
    view(module_inst)[table:table + 4 * len(offsets)] = struct.pack(f"<{len(offsets)}I", *offsets)
    return block, table
