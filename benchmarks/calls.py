"""Call overhead: Python -> wasm for several signatures, and wasm -> a Python lambda; nanoseconds a call."""
import timeit
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import rounds
from rounds import Measure, Samples

WAT = Path(__file__).resolve().parent / "calls.wat"
EXPORTS = ("none", "add", "half", "mixed", "swap", "once", "repeat")
REPEATS = 20_000
SECONDS_A_SAMPLE = 0.05


@dataclass(frozen=True)
class Case:
    title: str
    function: str
    arguments: str
    expected: object
    calls: int = 1


CASES = (
    Case("no arguments, no result", "none", "", None),
    Case("`add(1, 2)`, i32", "add", "1, 2", 3),
    Case("one f64", "half", "3.0", 1.5),
    Case("six mixed arguments", "mixed", "1, 2, 3.0, 4.0, 5, 6", 5.0),
    Case("two results", "swap", "1, 2", (2, 1)),
    Case("export -> Python lambda -> back", "once", "7", 8),
    Case(f"import called {REPEATS:,} times in a wasm loop, each", "repeat", str(REPEATS), REPEATS, calls=REPEATS),
)


@dataclass(frozen=True)
class Callee:
    """A function and how a call of it is written: with what names, and what comes before the arguments."""
    names: dict[str, object]
    leading: str = ""


def host(x: int) -> int:
    return x + 1


def our_callees(mode: str) -> dict[str, Callee]:
    import pyjit_wasm

    engine = pyjit_wasm.Engine(mode=mode, cache=False)
    module = pyjit_wasm.Module(WAT, engine=engine)
    instance = pyjit_wasm.Instance(module, imports={"env": {"host": lambda x: x + 1}})
    return {name: Callee({"f": instance.exports[name]}) for name in EXPORTS}


def wasmtime_callees() -> dict[str, Callee]:
    import wasmtime

    store = wasmtime.Store()
    i32 = wasmtime.ValType.i32()
    imported = wasmtime.Func(store, wasmtime.FuncType([i32], [i32]), lambda x: x + 1)
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, WAT.read_text()), [imported])
    return {name: Callee({"f": instance.exports(store)[name], "s": store}, "s, ") for name in EXPORTS}


def pywasm3_callees() -> dict[str, Callee]:
    import wasm3
    import wasmtime

    environment = wasm3.Environment()
    runtime = environment.new_runtime(1 << 16)
    module = environment.parse_module(bytes(wasmtime.wat2wasm(WAT.read_text())))
    runtime.load(module)
    module.link_function("env", "host", "i(i)", lambda x: x + 1)
    return {name: Callee({"f": runtime.find_function(name), "owner": runtime}) for name in EXPORTS}


def python_callees() -> dict[str, Callee]:
    """What the same costs between Python functions: the yardstick."""
    def repeat(times: int) -> int:
        value = 0
        for _ in range(times):
            value = host(value)
        return value

    functions = {
        "none": lambda: None, "add": lambda x, y: x + y, "half": lambda x: x * 0.5, "swap": lambda x, y: (y, x),
        "mixed": lambda a, b, c, d, e, f: d + a, "once": lambda x: host(x), "repeat": repeat,
    }
    return {name: Callee({"f": function}) for name, function in functions.items()}


CALLERS: dict[str, Callable[[], dict[str, Callee]]] = {
    "jit": lambda: our_callees("jit"),
    "interp": lambda: our_callees("interp"),
    "wasmtime": wasmtime_callees,
    "pywasm3": pywasm3_callees,
    "Python function": python_callees,
}


def statement(case: Case, callee: Callee) -> str:
    return f"f({callee.leading}{case.arguments})".replace(", )", ")")


def check(case: Case, callee: Callee) -> None:
    result = eval(statement(case, callee), dict(callee.names))
    if (tuple(result) if isinstance(result, (list, tuple)) else result) != case.expected:
        raise AssertionError(f"{case.function} returned {result!r}")


def sized(timer: timeit.Timer) -> int:
    """How many loops fill a sample."""
    number = 1
    while (seconds := timer.timeit(number)) < SECONDS_A_SAMPLE / 10:
        number *= 4
    return max(1, round(number * SECONDS_A_SAMPLE / seconds))


def nanoseconds(timer: timeit.Timer, number: int) -> float:
    return timer.timeit(number) / number * 1e9


def call_measure(case: Case, callee: Callee) -> Measure:
    """One sample: nanoseconds a call, less those of an empty loop measured right after."""
    check(case, callee)
    timer, empty = timeit.Timer(statement(case, callee), globals=dict(callee.names)), timeit.Timer("pass")
    number = sized(timer)
    return lambda: (nanoseconds(timer, number) - nanoseconds(empty, number)) / case.calls


def measure_case(case: Case, names: list[str], count: int) -> dict[str, Samples]:
    makers = {name: lambda name=name: call_measure(case, CALLERS[name]()[case.function]) for name in names}
    return rounds.interleave(makers, count)


def measure(modes: list[str], count: int) -> list[tuple[str, dict[str, Samples]]]:
    names = [name for name in CALLERS if name in modes or name == "Python function"]
    table = []
    for case in CASES:
        rounds.progress(f"calls: {case.title}")
        table.append((case.title, measure_case(case, names, count)))
    return table
