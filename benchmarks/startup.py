"""Process start to the result of fib(10) with warm caches, as whole processes; seconds."""
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import rounds
from kernels import DIRECTORY
from rounds import Measure, Samples

REPOSITORY = Path(__file__).resolve().parent.parent
OURS = """
import pyjit_wasm
module = pyjit_wasm.Module({path!r}, engine=pyjit_wasm.Engine(mode={mode!r}))
assert pyjit_wasm.Instance(module).exports.run(10) == 55
"""
WASMTIME = """
import wasmtime
config = wasmtime.Config()
config.cache = True
store = wasmtime.Store(wasmtime.Engine(config))
instance = wasmtime.Instance(store, wasmtime.Module.from_file(store.engine, {path!r}), [])
assert instance.exports(store)["run"](store, 10) == 55
"""
PYWASM3 = """
import wasm3
environment = wasm3.Environment()
runtime = environment.new_runtime(65536)
runtime.load(environment.parse_module(open({path!r}, "rb").read()))
assert runtime.find_function("run")(10) == 55
"""
SCRIPTS = {"interp": OURS, "jit": OURS, "tiered": OURS, "wasmtime": WASMTIME, "pywasm3": PYWASM3, "empty Python": ""}


def run_process(script: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1])


def process_measure(name: str) -> Measure:
    """The first, unmeasured run fills the caches."""
    script = SCRIPTS[name].format(path=str(DIRECTORY / "fib.wasm"), mode=name)
    run_process(script)

    def measure() -> float:
        start = perf_counter()
        run_process(script)
        return perf_counter() - start

    return measure


def measure(modes: list[str], count: int) -> dict[str, Samples]:
    rounds.progress("process start to fib(10)")
    names = [name for name in SCRIPTS if name in modes or name == "empty Python"]
    return rounds.interleave({name: lambda name=name: process_measure(name) for name in names}, count)
