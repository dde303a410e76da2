"""What random modules do in this engine, in every mode, and in wasmtime.

    python tests/differential.py [--first SEED] [--count N] [--size N] [--keep DIRECTORY]

Modules run in forked children, so that a crash or a hang is a finding like any other. Each module that shows a
difference is shrunk, printed and kept as a .wat file.
"""
import argparse
import os
import pickle
import random
import signal
import sys
from pathlib import Path

import pyjit_wasm as wasm
from generator_values import Choices
from modes import engine
from pyjit_wasm.config import PLAIN, STEPPING
from pyjit_wasm.text import assemble
from wasm_generator import FUEL, Generator

ENGINES = {
    "interp": {"mode": "interp"}, "interp explicit": {"mode": "interp", "bounds": "explicit"},
    "jit": {"mode": "jit"}, "jit explicit": {"mode": "jit", "bounds": "explicit"},
    "tiered": {"mode": "tiered"}, "tiered in loops": {"mode": "tiered", "tier_up_threshold": 6},
    "single steps": {"mode": "jit", "variant": STEPPING},
}
CALLS, BATCH, TIMEOUT = 3, 10, 120
OUR_TRAPS = {    # of several the same in wasmtime
    "undefined element": "table", "out of bounds table access": "table", "null reference": "null",
    "null function reference": "null", "null exception reference": "null",
}
EXCEPTION = "exception"    # an outcome; wasmtime's Python API does not show which
WASMTIME_TRAPS = {
    "UNREACHABLE": "unreachable", "MEMORY_OUT_OF_BOUNDS": "out of bounds memory access",
    "TABLE_OUT_OF_BOUNDS": "table", "INDIRECT_CALL_TO_NULL": "uninitialized element",
    "BAD_SIGNATURE": "indirect call type mismatch", "INTEGER_OVERFLOW": "integer overflow",
    "INTEGER_DIVISION_BY_ZERO": "integer divide by zero", "STACK_OVERFLOW": "call stack exhausted",
    "BAD_CONVERSION_TO_INTEGER": "invalid conversion to integer", "NULL_REFERENCE": "null",
    "HEAP_MISALIGNED": "unaligned atomic", "ATOMIC_WAIT_NON_SHARED_MEMORY": "expected shared memory",
}
PROPOSALS = ("tail_call", "multi_memory", "memory64", "relaxed_simd", "relaxed_simd_deterministic", "threads",
             "function_references", "gc", "exceptions")    # what wasmtime does not do by itself


def generate(seed, size):
    """(text, the choices it was made of)"""
    choices = Choices(rng=random.Random(seed))
    return Generator(choices, size).module(), choices.made


def regrow(made, size):
    return Generator(Choices(made), size).module()


def calls(types):
    """(export, arguments) to call: signed 64-bit integers, always the same."""
    rng = random.Random(1)
    edges = (0, 1, -1, 2, 7, 100, 1 << 31, -1 << 63, 0x3FF << 52, 0x7FF << 52, 0x3F800000, 0x7FA00000)
    for _ in range(CALLS):
        for name, count in types.items():
            yield name, [rng.choice(edges) if rng.randrange(3) else rng.getrandbits(64) - (1 << 63)
                         for _ in range(count)]


def observe(machine):
    """All that is to be seen of a module: outcomes of calls, and what they leave behind."""
    seen = []
    for name, arguments in calls(machine.types):
        machine.refuel()
        seen.append((name, tuple(arguments), machine.call(name, arguments), machine.call("globals", [])))
        seen += machine.memories() if len(seen) % 3 == 0 else []
    return seen + machine.memories()


class Ours:
    """A module in this engine."""

    def __init__(self, binary, settings):
        variant = settings.get("variant", PLAIN)
        settings = {name: value for name, value in settings.items() if name != "variant"}
        instance = wasm.Instance(wasm.Module(binary, engine=engine(**settings)))
        if variant != PLAIN:
            instance._inst.code.in_variant(variant).adopt(instance._inst)
        self.exports = instance.exports
        self.types = {name: len(self.exports[name].type.params) for name in self.exports if name[0] == "x"}

    def refuel(self):
        self.exports.fuel.value = FUEL

    def call(self, name, arguments):
        try:
            return [bits - (1 << 64) if bits >> 63 else bits
                    for bits in self.exports[name].call_bits([a & (1 << 64) - 1 for a in arguments])]
        except wasm.WasmException:
            return EXCEPTION
        except wasm.Trap as trap:
            return OUR_TRAPS.get(trap.code, trap.code)

    def memories(self):
        return [bytes(self.exports[name][:]) for name in self.exports if name.startswith("memory")]


class Wasmtime:
    """A module in wasmtime."""

    def __init__(self, binary):
        import wasmtime

        config, self.trap = wasmtime.Config(), wasmtime.Trap
        for proposal in PROPOSALS:
            setattr(config, f"wasm_{proposal}", True)
        self.store = wasmtime.Store(wasmtime.Engine(config))
        module = wasmtime.Module(self.store.engine, binary)
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.types = {e.name: len(e.type.params) for e in module.exports if e.name[0] == "x"}
        self.names = [e.name for e in module.exports if e.name.startswith("memory")]

    def refuel(self):
        self.exports["fuel"].set_value(self.store, FUEL)

    def call(self, name, arguments):
        try:
            results = self.exports[name](self.store, *arguments)
        except self.trap as trap:
            if trap.trap_code is None:
                return EXCEPTION
            return WASMTIME_TRAPS.get(trap.trap_code.name, trap.trap_code.name)
        return [] if results is None else results if isinstance(results, list) else [results]

    def memories(self):
        return [bytes(self.exports[name].read(self.store)) for name in self.names]


def differences(text, engines=tuple(ENGINES)):
    """{engine: what it does other than wasmtime}"""
    binary = assemble(text)
    wanted, found = observe(Wasmtime(binary)), {}
    for name in engines:
        settings = ENGINES[name]
        try:
            seen = observe(Ours(binary, settings))
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
            continue
        if seen != wanted:
            here, there = next((a, b) for a, b in zip(seen, wanted) if a != b)
            found[name] = f"{_brief(here, there)}, wasmtime {_brief(there, here)}"
    return found


def _brief(seen, other):
    """An observation for a message; of memory, the first byte that differs."""
    if isinstance(seen, tuple):
        return f"{seen[0]}{seen[1]} = {seen[2]}, globals {seen[3]}"
    place = next((i for i, pair in enumerate(zip(seen, other)) if pair[0] != pair[1]), min(len(seen), len(other)))
    return f"memory of {len(seen)} bytes: at {place} {seen[place:place + 8].hex()}"


def in_child(function, *arguments):
    """The result of a function called in a forked child, or a str that says how the child died."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(TIMEOUT)
            with open(writer, "wb") as file:
                pickle.dump(function(*arguments), file)
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        content = file.read()
    status = os.waitpid(child, 0)[1]
    if content and not status:
        return pickle.loads(content)
    number = os.WTERMSIG(status)
    return "a hang" if number == signal.SIGALRM else f"died of signal {number}" if number else "no result"


def findings(seeds, size):
    """[(seed, differences)] of some modules."""
    found = []
    for seed in seeds:
        try:
            different = differences(generate(seed, size)[0])
        except Exception as error:
            different = {"the module itself": f"{type(error).__name__}: {error}"}
        if different:
            found.append((seed, different))
    return found


def explore(seeds, size):
    """As `findings`, in children: batches of modules, those of a batch that dies one by one."""
    for start in range(0, len(seeds), BATCH):
        batch = seeds[start:start + BATCH]
        found = in_child(findings, batch, size)
        if isinstance(found, str):
            alone = [(seed, in_child(findings, [seed], size)) for seed in batch]
            found = [(seed, {"process": one} if isinstance(one, str) else one[0][1]) for seed, one in alone if one]
        yield from found


def shrink(made, size, engines):
    """The fewest and least choices found for a module that still shows a difference in these engines."""
    def fails(candidate):
        return bool(in_child(_differences_or_none, regrow(candidate, size), engines))

    length = len(made)
    while length:
        place = 0
        while place < len(made):
            before, after = made[:place], made[place + length:]
            for candidate in (before + after, before + [0] * length + after):
                if candidate != made and any(made[place:place + length]) and fails(candidate):
                    made = candidate
                    break
            else:
                place += length
        length //= 2
    return made


def _differences_or_none(text, engines):
    try:
        return differences(text, engines)
    except wasm.WasmError:
        return {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="seed of the first module")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--size", type=int, default=12, help="statements of a function, at most")
    parser.add_argument("--keep", type=Path, help="directory for modules that show differences, shrunk")
    options = parser.parse_args()
    failed = 0
    for seed, different in explore(range(options.first, options.first + options.count), options.size):
        failed += 1
        print(f"seed {seed}:", *(f"{name}: {what}" for name, what in different.items()), sep="\n  ", flush=True)
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{seed}.whole.wat").write_text(generate(seed, options.size)[0])
            engines = [name for name in different if name in ENGINES][:1] or list(ENGINES)
            text = regrow(shrink(generate(seed, options.size)[1], options.size, engines), options.size)
            (options.keep / f"{seed}.wat").write_text(text)
    print(f"{options.count} modules, {failed} with differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
