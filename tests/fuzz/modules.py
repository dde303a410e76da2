"""What random modules do in this engine, in every mode, and in wasmtime.

Modules come from `generator`.
"""
import random
from collections import Counter, namedtuple

import pyjit_wasm as wasm
from modes import engine
from pyjit_wasm.config import PLAIN, STEPPING
from pyjit_wasm.text import assemble

from .children import in_child
from .generator import FUEL, Generator
from .generator_values import Choices

NAME, SUFFIX, SIZE = "modules", ".wat", 10
ENGINES = {
    "interp": {"mode": "interp"}, "interp explicit": {"mode": "interp", "bounds": "explicit"},
    "jit": {"mode": "jit"}, "jit explicit": {"mode": "jit", "bounds": "explicit"},
    "tiered": {"mode": "tiered"}, "tiered in loops": {"mode": "tiered", "tier_up_threshold": 6},
    "single steps": {"mode": "jit", "variant": STEPPING},
}
CALLS, STATEMENTS = 3, 12     # calls of each function; statements of a function, at most
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


# `made`: the choices of a module
Finding = namedtuple("Finding", "kind engine what made")


def grow(seed):
    """The choices of a module."""
    choices = Choices(rng=random.Random(seed))
    Generator(choices, STATEMENTS).module()
    return choices.made


def regrow(made):
    return Generator(Choices(made), STATEMENTS).module()


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


def selected(options):
    """Names of ENGINES for some modes and bounds."""
    return [name for name, settings in ENGINES.items()
            if settings["mode"] in options.modes and settings.get("bounds", "guard") in options.bounds]


def trial(progress, cases, engines):
    """[Finding, ...] of modules, given by their choices."""
    found = []
    for number, made in enumerate(cases):
        progress.note(str(number))
        try:
            different = differences(regrow(made), engines)
        except Exception as error:
            different = {"the module itself": f"{type(error).__name__}: {error}"}
        found += [Finding("difference", name, what, made) for name, what in different.items()]
    return found


def explore(seed, options, count=SIZE):
    """([Finding], Counter) of the modules of a batch; those of a batch that dies run one by one."""
    cases = [grow(number) for number in range(seed * SIZE, seed * SIZE + count)]
    ended, engines = in_child(trial, cases, selected(options)), selected(options)
    if ended.death is None:
        return ended.value, Counter(modules=count)
    return [one for made in cases for one in check(made, engines)], Counter(modules=count)


def check(made, engines):
    """[Finding] of one module."""
    ended = in_child(trial, [made], engines)
    return [Finding(ended.death, None, "process", made)] if ended.death else ended.value


def minimised(finding, shrunk, trials):
    """The simplest Finding of the same kind."""
    best, engines = finding, [finding.engine] if finding.engine in ENGINES else list(ENGINES)

    def fails(sequences):
        nonlocal best
        found = [one for one in check(sequences[0], engines) if one.kind == finding.kind]
        best = found[0] if found else best
        return bool(found)

    shrunk([finding.made], fails, trials)
    return best


def text(finding):
    return f";; {finding.kind}, {finding.engine}: {finding.what}\n{regrow(finding.made)}\n"


def replay(text, mode, bounds):
    """[what is wrong, ...] with a module that was kept."""
    names = [name for name, settings in ENGINES.items()
             if (settings["mode"], settings.get("bounds", "guard")) == (mode, bounds)]
    ended = in_child(_differences, text, names)
    return [f"{ended.death}: {ended.progress}"] if ended.death else list(ended.value.values())


def _differences(progress, text, engines):
    return differences(text, engines)
