"""Bytes between Python and a memory, nanoseconds a copy; functions over arrays of a million elements, nanoseconds each."""
import ctypes
import subprocess
import timeit
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import build_kernels
import rounds
from calls import nanoseconds, sized
from rounds import Measure, Samples

HERE = Path(__file__).resolve().parent
WAT, C = HERE / "arrays.wat", HERE / "arrays.c"
OFFSET = 4096
SIZES = {"16 B": 16, "64 KiB": 64 << 10, "64 MiB": 64 << 20}
ELEMENTS = 1_000_000
WEIGHT = 1.25
Table = list[tuple[str, dict[str, Samples]]]


@dataclass(frozen=True)
class Copier:
    """Names, and the statements that read and write with them; `i`, `j`, `size`, `data` and `buffer` are there."""
    names: Callable[[], dict[str, object]]
    read: str
    write: str = ""
    mode: str = "jit"


def our_memory() -> dict[str, object]:
    import pyjit_wasm

    return {"m": pyjit_wasm.load(WAT, mode="jit").exports.memory}


def wasmtime_memory() -> dict[str, object]:
    import wasmtime

    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, WAT.read_text()), [])
    return {"m": instance.exports(store)["memory"], "s": store}


def pywasm3_memory() -> dict[str, object]:
    import wasm3
    import wasmtime

    environment = wasm3.Environment()
    runtime = environment.new_runtime(1 << 16)
    runtime.load(environment.parse_module(bytes(wasmtime.wat2wasm(WAT.read_text()))))
    return {"m": runtime.get_memory(0), "owner": runtime}


def c_memory() -> dict[str, object]:
    memory, buffer = bytearray(OFFSET + max(SIZES.values())), bytearray(max(SIZES.values()))
    names = {name: ctypes.addressof(ctypes.c_char.from_buffer(thing)) for name, thing in (("a", memory), ("b", buffer))}
    return {**names, "move": ctypes.memmove, "keep": (memory, buffer)}


COPIERS = {
    "slice": Copier(our_memory, "m[i:j]", "m[i:j] = data"),
    "read_bytes, write_bytes": Copier(our_memory, "m.read_bytes(i, size)", "m.write_bytes(i, data)"),
    "read_into": Copier(our_memory, "m.read_into(i, buffer)"),
    "wasmtime": Copier(wasmtime_memory, "m.read(s, i, j)", "m.write(s, data, i)", "wasmtime"),
    "pywasm3": Copier(pywasm3_memory, "bytes(m[i:j])", "m[i:j] = data", "pywasm3"),
    "ctypes.memmove": Copier(c_memory, "move(b, a + i, size)", "move(a + i, b, size)"),
}


def statement_measure(statement: str, names: dict[str, object]) -> Measure:
    """One sample: nanoseconds, less those of an empty loop measured right after."""
    timer, empty = timeit.Timer(statement, globals=names), timeit.Timer("pass")
    timer.timeit(1)  # touches the pages, imports what it needs
    number = sized(timer)
    return lambda: nanoseconds(timer, number) - nanoseconds(empty, number)


def copy_measure(copier: Copier, direction: str, size: int) -> Measure:
    names = {**copier.names(), "i": OFFSET, "j": OFFSET + size, "size": size, "data": bytes(range(256)) * (size // 256)
             or bytes(range(size)), "buffer": bytearray(size)}
    return statement_measure(getattr(copier, direction), names)


def copies(modes: list[str], count: int) -> Table:
    table = []
    for direction in ("read", "write"):
        for title, size in SIZES.items():
            rounds.progress(f"arrays: {direction} {title}")
            makers = {name: lambda copier=copier: copy_measure(copier, direction, size)
                      for name, copier in COPIERS.items() if copier.mode in modes and getattr(copier, direction)}
            table.append((f"{direction} {title}", rounds.interleave(makers, count)))
    makers = {"slice": lambda: statement_measure("m.view('f8')", our_memory())} if "jit" in modes else {}
    return [*table, ("`view('f8')`", rounds.interleave(makers, count))]


def library() -> ctypes.CDLL:
    (HERE / "build").mkdir(exist_ok=True)
    target = HERE / "build" / "arrays.so"
    flags = [*build_kernels.NATIVE_FLAGS, *build_kernels.cpu_flag("this-cpu")]
    subprocess.run([*build_kernels.native_compiler(), *flags, str(C), "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


@dataclass(frozen=True)
class Case:
    """A function of arrays.wat over an array `x`, the same as an expression of NumPy and of Python for one number, and
    further arguments."""
    function: str
    dtype: str
    expression: str
    scalar: str
    further: tuple = ()


CASES = {
    "polynomial, f64": Case(
        "polynomial", "f8", "0.25 + x * (-1.5 + x * (0.75 + x * (-0.125 + x * 2)))",
        "0.25 + x * (-1.5 + x * (0.75 + x * (-0.125 + x * 2)))"),
    "hash, i32": Case(
        "hash", "u4", "mix((x ^ x >> 16) * c)", "pymix((x ^ x >> 16) * 0x7feb352d & 0xFFFFFFFF)"),
    "root, f64, one argument repeated": Case(
        "weighted", "f8", f"np.sqrt(x * {WEIGHT} + 1)", f"sqrt(x * {WEIGHT} + 1)", (WEIGHT,)),
}


def array_names(case: Case) -> dict[str, object]:
    """What the statements of a case use."""
    import math

    import numpy as np

    x = np.arange(ELEMENTS, dtype=case.dtype) if case.dtype == "u4" else np.random.default_rng(1).normal(size=ELEMENTS) ** 2
    d = np.uint32(0x846CA68B)

    def mix(h):
        h = (h ^ h >> 15) * d
        return h ^ h >> 16

    def pymix(h):
        h = (h ^ h >> 15) * 0x846CA68B & 0xFFFFFFFF
        return h ^ h >> 16

    return {"x": x, "out": np.zeros_like(x), "np": np, "c": np.uint32(0x7FEB352D), "mix": mix, "pymix": pymix,
            "sqrt": math.sqrt, "further": case.further}


def mapped(case: Case, mode: str) -> tuple[str, dict[str, object]]:
    import pyjit_wasm

    return "f(x, *further, out=out)", {"f": pyjit_wasm.load(WAT, mode=mode).exports[case.function].map}


def python_loop(case: Case) -> tuple[str, dict[str, object]]:
    names = array_names(case)
    run = eval(f"lambda values: [{case.scalar} for x in values]", names)
    return "out[:] = run(values)", {"run": run, "values": names["x"].tolist()}


def numpy_expression(case: Case) -> tuple[str, dict[str, object]]:
    return f"out[:] = {case.expression}", {}


def c_loop(case: Case) -> tuple[str, dict[str, object]]:
    function = library()[case.function]
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    function.argtypes, function.restype = [pointer, *[ctypes.c_double] * len(case.further), pointer, size], None
    return "f(x.ctypes.data, *further, out.ctypes.data, len(x))", {"f": function}


RUNNERS = {
    "jit": lambda case: mapped(case, "jit"),
    "interp": lambda case: mapped(case, "interp"),
    "Python loop": python_loop,
    "NumPy": numpy_expression,
    "C loop": c_loop,
}


def map_measure(case: Case, runner: str) -> Measure:
    """One sample: nanoseconds an element. Results are those of the NumPy expression."""
    statement, own = RUNNERS[runner](case)
    names = {**array_names(case), **own}
    exec(statement, names)
    if not names["np"].array_equal(names["out"], eval(case.expression, names)):
        raise AssertionError(f"{case.function} by {runner} has other results")
    timer = timeit.Timer(statement, globals=names)
    number = sized(timer)
    return lambda: nanoseconds(timer, number) / ELEMENTS


def maps(modes: list[str], count: int) -> Table:
    chosen = [name for name in RUNNERS if name in modes or name in ("Python loop", "NumPy")
              or name == "C loop" and "native" in modes]
    table = []
    for title, case in CASES.items():
        rounds.progress(f"arrays: {title}")
        makers = {name: lambda name=name: map_measure(case, name) for name in chosen}
        table.append((title, rounds.interleave(makers, count)))
    return table
