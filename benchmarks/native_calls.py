"""Calls with no Python in between, in loops: wasm to C and to numba's compiled functions, and back; nanoseconds a call."""
import ctypes
import timeit
from pathlib import Path
from typing import Callable

import rounds
from calls import nanoseconds, sized
from rounds import Measure, Samples

REPEATS = 1_000_000
IMPORT = '(import "env" "host" (func $host (param i32) (result i32)))'
INLINED = "(func $host (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"
MODES = ("jit", "interp")
Loop = tuple[Callable[[], object], object]


def repeat(mode: str, host: object, expected: int = REPEATS, declaration: str = IMPORT) -> Loop:
    """The loop of calls.wat around an import, and what it gives."""
    import pyjit_wasm

    source = Path(__file__).with_name("calls.wat").read_text().replace(IMPORT, declaration)
    engine = pyjit_wasm.Engine(mode=mode, cache=False)
    instance = pyjit_wasm.Instance(pyjit_wasm.Module(source, engine=engine), {"env": {"host": host}})
    return lambda: instance.exports.repeat(REPEATS), expected


def of_library(mode: str) -> Loop:
    function = ctypes.CDLL(None)["abs"]
    function.argtypes, function.restype = [ctypes.c_int32], ctypes.c_int32
    return repeat(mode, function, 0)


def of_cfunc(mode: str) -> Loop:
    import numba

    return repeat(mode, numba.cfunc("int32(int32)")(lambda x: x + 1))


def of_njit(mode: str) -> Loop:
    import numba

    return repeat(mode, numba.njit(lambda x: x + 1))


def successor(mode: str) -> object:
    import pyjit_wasm

    source = f'(module {INLINED} (export "host" (func $host)))'
    return pyjit_wasm.load(source, mode=mode).exports.host


def of_pointer(mode: str) -> Loop:
    return repeat(mode, successor(mode).c_function())


def in_njit(mode: str) -> Loop:
    import numba

    function = successor(mode)

    @numba.njit
    def loop():
        value = numba.int32(0)
        for _ in range(REPEATS):
            value = function(value)
        return value

    return loop, REPEATS


CASES: tuple[tuple[str, Callable[[str], Loop]], ...] = (
    ("the same in wasm, inlined", lambda mode: repeat(mode, None, declaration=INLINED)),
    ("import of a C function, `abs`", of_library),
    ("import of a numba `@cfunc`", of_cfunc),
    ("import of a numba `@njit` function", of_njit),
    ("import of another instance's C function pointer", of_pointer),
    ("export called in a numba `@njit` loop", in_njit),
)


def loop_measure(make: Callable[[str], Loop], mode: str) -> Measure:
    loop, expected = make(mode)
    if (result := loop()) != expected:
        raise AssertionError(f"the loop returned {result!r}")
    timer = timeit.Timer(loop)
    number = sized(timer)
    return lambda: nanoseconds(timer, number) / REPEATS


def measure(modes: list[str], count: int) -> list[tuple[str, dict[str, Samples]]]:
    table = []
    for title, make in CASES:
        rounds.progress(f"native calls: {title}")
        makers = {mode: lambda mode=mode: loop_measure(make, mode) for mode in MODES if mode in modes}
        table.append((title, rounds.interleave(makers, count)))
    return table
