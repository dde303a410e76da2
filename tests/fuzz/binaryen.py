"""What modules that binaryen's `wasm-opt -ttf` makes of random bytes do in this engine, in every mode, and in wasmtime.

`wasm-opt` is taken from $WASM_OPT or the path. Debian's package `binaryen` has it; so has that of npm, where it is a script
for node: WASM_OPT="node .../package/bin/wasm-opt". Without it there are no cases.
"""
import functools
import os
import random
import shlex
import shutil
import struct
import subprocess
import tempfile
from collections import Counter, namedtuple
from pathlib import Path

import pyjit_wasm as wasm
from modes import BOUNDS, MODES, engine
from pyjit_wasm.text import disassemble

from .children import in_child
from .modules import OUR_TRAPS, WASMTIME_TRAPS

NAME, SUFFIX, SIZE = "binaryen", ".wat", 4
BYTES = 2500        # random ones, of which a module is made
FEATURES = ("multimemory", "memory64", "tail-call", "bulk-memory", "multivalue", "reference-types", "sign-ext",
            "nontrapping-float-to-int", "mutable-globals", "extended-const")
ARGUMENTS = {"i32": (0, 1, -1, 65535, -1 << 31), "i64": (1, 0, -1, 1 << 32, -1 << 63), "f32": (1.0, 0.0, -0.5, 2.0 ** 40),
             "f64": (1.0, 0.0, -0.5, 2.0 ** 70)}

# `made`: the bytes, as a list
Finding = namedtuple("Finding", "kind engine what made")


class Stop(Exception):
    """What the import `throw` raises."""


@functools.cache
def tool():
    """The command, or None."""
    return shlex.split(os.environ.get("WASM_OPT", "")) or ([shutil.which("wasm-opt")] if shutil.which("wasm-opt") else None)


def module(made):
    """The binary module made of bytes."""
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "in"), Path(directory, "out.wasm")
        source.write_bytes(bytes(made))
        subprocess.run([*tool(), source, "-ttf", "--denan", *(f"--enable-{name}" for name in FEATURES), "-o", target],
                       check=True, capture_output=True, timeout=120)
        return target.read_bytes()


def zeros(types):
    """What host functions return and imported globals hold."""
    return [0 if str(t) in ARGUMENTS else None for t in types]


def comparable(value):
    """A number as raw bits, all NaNs the same; of a reference nothing."""
    if isinstance(value, float):
        return "nan" if value != value else struct.pack("<d", value).hex()
    return value if isinstance(value, int) else "a reference"


def calls(types):
    """(export, arguments), always the same."""
    rng = random.Random(2)
    for name, parameters in types:
        if all(t in ARGUMENTS for t in parameters):
            yield name, [rng.choice(ARGUMENTS[t]) for t in parameters]


def observe(machine):
    """Outcomes and what was logged, call by call; the start function's if it fails, and nothing else."""
    seen = []
    for name, arguments in calls(machine.types):
        machine.log.clear()
        outcome = machine.call(name, arguments)
        seen.append((name, tuple(arguments), outcome, tuple(machine.log)))
    return seen


def _results(found, types):
    """References are not looked at: the two APIs show them differently."""
    found = [] if not types else [found] if len(types) == 1 else found
    return [comparable(value) if str(t) in ARGUMENTS else "a reference" for value, t in zip(found, types)]


class Host:
    """What both kinds of machine import."""

    def __init__(self):
        self.log = []

    def function(self, name, results):
        def logged(*arguments):
            self.log.append((name, *map(comparable, arguments)))
            if name == "throw":
                raise Stop
            return None if not results else results[0] if len(results) == 1 else tuple(results)
        return logged


class Ours(Host):
    def __init__(self, binary, settings):
        super().__init__()
        loaded, imports = wasm.Module(binary, engine=engine(**settings)), {}
        for one in loaded.imports:
            imports.setdefault(one.module, {})[one.name] = (
                self.function(one.name, zeros(one.type.results)) if isinstance(one.type, wasm.FuncType) else
                wasm.Global(one.type.valtype, *zeros([one.type.valtype]), mutable=one.type.mutable))
        self.exports = wasm.Instance(loaded, imports).exports
        self.types = [(one.name, [str(t) for t in one.type.params]) for one in loaded.exports if one.kind == "func"]

    def call(self, name, arguments):
        try:
            return _results(self.exports[name](*arguments), self.exports[name].type.results)
        except wasm.WasmException:
            return "exception"
        except Stop:
            return "stop"
        except wasm.Trap as trap:
            return OUR_TRAPS.get(trap.code, trap.code)


class Wasmtime(Host):
    def __init__(self, binary):
        super().__init__()
        import wasmtime as api

        self.api, config = api, api.Config()
        for name in ("multi_memory", "memory64", "tail_call", "exceptions", "function_references", "gc"):
            setattr(config, f"wasm_{name}", True)
        self.store = api.Store(api.Engine(config))
        loaded, imports = api.Module(self.store.engine, binary), []
        for one in loaded.imports:
            if isinstance(one.type, api.FuncType):
                imports.append(api.Func(self.store, one.type, self.function(one.name, zeros(one.type.results))))
            else:
                imports.append(api.Global(self.store, one.type, *zeros([one.type.content])))
        self.exports = api.Instance(self.store, loaded, imports).exports(self.store)
        self.types = [(one.name, [str(t) for t in one.type.params]) for one in loaded.exports
                      if isinstance(one.type, api.FuncType)]

    def call(self, name, arguments):
        try:
            return _results(self.exports[name](self.store, *arguments), self.exports[name].type(self.store).results)
        except Stop:
            return "stop"
        except self.api.Trap as trap:
            code = trap.trap_code
            return "exception" if code is None else WASMTIME_TRAPS.get(code.name, code.name)
        except self.api.WasmtimeError as error:
            return "exception" if "exception" in str(error) else str(error)


def outcome(make, *arguments):
    """What is observed of a machine; if it cannot be made, that its start function or a segment failed."""
    try:
        return observe(make(*arguments))
    except Stop:
        return "stop"
    except Exception as error:
        ours = isinstance(error, (wasm.Trap, wasm.WasmException))
        return "not instantiated" if ours or type(error).__module__.startswith("wasmtime") else repr(error)


def trial(progress, made, engines):
    """[Finding, ...] of one module."""
    try:
        binary = module(made)
    except subprocess.CalledProcessError:
        return []
    progress.note("wasmtime")
    wanted, found = outcome(Wasmtime, binary), []
    for mode, bounds in engines:
        progress.note(f"{mode} {bounds}")
        seen = outcome(Ours, binary, {"mode": mode, "bounds": bounds})
        if seen != wanted:
            here, there = next(((a, b) for a, b in zip(seen, wanted) if a != b), (seen, wanted))
            if isinstance(seen, str) or isinstance(wanted, str):
                here, there = seen, wanted
            found.append(Finding("difference", f"{mode} {bounds}", f"{here}, wasmtime {there}"[:500], made))
    return found


def engines(options):
    return [(mode, bounds) for mode in options.modes if mode in MODES for bounds in options.bounds]


def explore(seed, options, count=SIZE):
    if tool() is None:
        return [], Counter()
    found = []
    for number in range(seed * SIZE, seed * SIZE + count):
        found += check(list(random.Random(number).randbytes(BYTES)), engines(options))
    return found, Counter({"binaryen modules": count})


def check(made, engines):
    ended = in_child(trial, made, engines)
    return [Finding(ended.death, None, ended.progress, made)] if ended.death else ended.value


def minimised(finding, shrunk, trials):
    """The finding of the fewest bytes."""
    best, pairs = finding, [(mode, bounds) for mode in MODES for bounds in BOUNDS]
    if finding.engine:
        pairs = [tuple(finding.engine.split())]

    def fails(sequences):
        nonlocal best
        found = [one for one in check(sequences[0], pairs) if one.kind == finding.kind]
        best = found[0] if found else best
        return bool(found)

    shrunk([finding.made], fails, trials // 2)
    return best


def text(finding):
    return f";; {finding.kind}, {finding.engine}: {finding.what}\n{disassemble(module(finding.made))}\n"
