"""Threads: two instances side by side, and a Python thread that ticks while wasm runs."""
import threading
import time

import rounds
from kernels import KERNELS
from rounds import Measure, Samples

KERNEL = next(kernel for kernel in KERNELS if kernel.name == "collatz")
TICK = 0.010
SECONDS = 5.0
FOREVER = '(module (func (export "run") (loop $l (br $l))))'


def runs(mode: str, count: int) -> list[object]:
    """`run` of so many warm instances of one module."""
    import pyjit_wasm

    module = pyjit_wasm.Module(KERNEL.wasm, engine=pyjit_wasm.Engine(mode=mode))
    functions = [pyjit_wasm.Instance(module).exports.run for _ in range(count)]
    for function in functions:
        function(KERNEL.tiny.n)
    return functions


def side_by_side(mode: str, count: int) -> Measure:
    """Seconds until `count` threads have each run the kernel on an instance of their own."""
    functions = runs(mode, count)
    size = KERNEL.small if mode == "interp" else KERNEL.large

    def measure() -> float:
        results: list[object] = []
        threads = [threading.Thread(target=lambda f=f: results.append(f(size.n))) for f in functions]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - start
        if results != [size.checksum] * count:
            raise AssertionError(f"{KERNEL.name} returned {results}")
        return seconds

    return measure


def parallel(modes: list[str], count: int) -> dict[str, dict[str, Samples]]:
    """{mode: {"one thread": ..., "two threads": ...}}, in seconds."""
    titles = {1: "one thread", 2: "two threads"}
    table = {}
    for mode in modes:
        rounds.progress(f"threads: {mode}")
        table[mode] = rounds.interleave(
            {title: lambda n=n, mode=mode: side_by_side(mode, n) for n, title in titles.items()}, count)
    return table


def ticks(mode: str) -> tuple[int, float]:
    """How often a thread that wants to tick every 10 ms did, and the longest pause in seconds, while the main thread runs
    wasm for five seconds."""
    import pyjit_wasm

    instance = pyjit_wasm.Instance(pyjit_wasm.Module(FOREVER, engine=pyjit_wasm.Engine(mode=mode)))
    times: list[float] = []
    end = time.perf_counter() + SECONDS

    def tick() -> None:
        while time.perf_counter() < end:
            time.sleep(TICK)
            times.append(time.perf_counter())
        instance.interrupt()

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        instance.exports.run()
    except pyjit_wasm.Interrupted:
        pass
    thread.join()
    return len(times), max(later - earlier for earlier, later in zip(times, times[1:]))
