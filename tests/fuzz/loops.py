"""Adversarial loops in this engine, in every mode, and in wasmtime: results, traps and their places, and all
memory afterwards.

Many functions make a module, because LLVM takes milliseconds for each. Every call runs in all engines, one after the
other, with memories that hold the same before. Canaries lie around the memories of this engine.
"""
import ctypes
import functools
import itertools
import random
import signal
import threading
import time
from collections import Counter, namedtuple

import pyjit_wasm as wasm
from .generator_values import Choices
from modes import BOUNDS, engine

from . import loop_text
from .canaries import Canaries, Spacer
from .children import in_child
from .loop_text import PAGE, Function, module_text

NAME, SUFFIX = "loops", ".wat"
SIZE = 25               # functions of a module
FUEL = 1_500_000        # of wasmtime, in instructions; a call that needs more is *endless*
ENDLESS = 2             # calls of a module that are endless here too, until they are interrupted
BRIEF, PATIENCE = 0.03, 10.0    # seconds of CPU until an endless call, and one that must end, is interrupted
PATTERN = bytes(i * 7 + (i >> 8) * 13 + 1 & 255 for i in range(PAGE))
OUT_OF_FUEL, INTERRUPTED = "endless", "interrupted"
STUBBORN = 150      # seconds until what cannot be interrupted is a hang
OSR = (2, 3, 7, 20, 40)     # thresholds at which mode `osr` goes on in native code
MODES = ("interp", "jit", "tiered", "osr")
UNCOMPILED = "InternalError"

# `memories` and `functions`: choices; `engine`: (mode, bounds) that differed, or None; `kind`: a word, `what`: a line
Finding = namedtuple("Finding", "kind engine what memories functions")


def grow(seed, count=SIZE):
    """(choices of the memories, choices of each function) of the module with a number."""
    memories = Choices(rng=random.Random(f"{seed}"))
    found = loop_text.memories(memories)
    functions = []
    for number in range(count):
        choices = Choices(rng=random.Random(f"{seed}.{number}"))
        Function(choices, found, number).text()
        functions.append(choices.made)
    return memories.made, functions


def regrow(memories, functions, imports=True):
    """(Memory objects, text of the module, [[arguments, ...] of each function]). Without `imports` the module has
    memories of its own instead."""
    found = loop_text.memories(Choices(memories))
    loops = [Function(Choices(made), found, number).text() for number, made in enumerate(functions)]
    written = found if imports else [one._replace(imported=False) for one in found]
    return found, module_text(written, [loop.text for loop in loops]), [loop.calls for loop in loops]


# --- the machines

class Wasmtime:
    """A module without imports in wasmtime: its Python API cannot import shared memories."""

    def __init__(self, binary):
        import wasmtime

        config, self.api = wasmtime.Config(), wasmtime
        for name in ("wasm_multi_memory", "wasm_memory64", "wasm_threads", "shared_memory", "consume_fuel"):
            setattr(config, name, True)
        config.cranelift_opt_level = "none"
        self.store = wasmtime.Store(wasmtime.Engine(config))
        self.store.set_fuel(FUEL)
        module = wasmtime.Module(self.store.engine, binary)
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.memories = [self.exports[name] for name in _memories(module)]
        self.views = [self.view(memory) for memory in self.memories]

    def view(self, memory):
        """Of the bytes there are now; the base may move when it grows."""
        if isinstance(memory, self.api.SharedMemory):
            size, start = memory.data_len(), memory.data_ptr()
        else:
            size, start = memory.data_len(self.store), memory.data_ptr(self.store)
        return _view(ctypes.addressof(start.contents) if size else 0, size)

    def grow(self, number, pages):
        shared = isinstance(self.memories[number], self.api.SharedMemory)
        self.memories[number].grow(*([] if shared else [self.store]), pages)

    def fill(self):
        self.views = [self.view(memory) for memory in self.memories]
        _fill(self.views)
        self.exports["g"].set_value(self.store, 0)

    def call(self, name, arguments):
        self.store.set_fuel(FUEL)
        try:
            found = [value & 0xFFFFFFFFFFFFFFFF for value in self.exports[name](self.store, *arguments)]
        except self.api.Trap as trap:
            if trap.trap_code.name == "OUT_OF_FUEL":
                return OUT_OF_FUEL
            found = {"MEMORY_OUT_OF_BOUNDS": "out of bounds memory access"}.get(trap.trap_code.name, trap.trap_code.name)
        self.views = [self.view(memory) for memory in self.memories]
        return found, self.exports["g"].value(self.store) & 0xFFFFFFFFFFFFFFFF


class Ours:
    """A module in this engine."""

    def __init__(self, binary, mode, bounds, seed):
        threshold = {"tier_up_threshold": random.Random(seed).choice(OSR)} if mode == "osr" else {}
        made = engine("tiered" if mode == "osr" else mode, bounds, cache=False, **threshold)
        module = wasm.Module(binary, engine=made)
        self.name = mode, bounds
        with Spacer():
            self.instance = wasm.Instance(module, {"env": _provided(made, module.imports)})
            self.memories = [self.instance.exports[name] for name in _memories(module)]
        self.canaries = Canaries([memory._inst for memory in self.memories])
        self.views = []

    def grow(self, number, pages):
        self.memories[number].grow(pages)

    def fill(self):
        self.views = [memoryview(memory) for memory in self.memories]
        _fill(self.views)
        self.instance.exports.g.value = 0

    def call(self, name, arguments):
        function, self.offset = self.instance.exports[name], None
        try:
            found = [value & 0xFFFFFFFFFFFFFFFF for value in function(*arguments)]
        except wasm.Interrupted:
            return INTERRUPTED
        except wasm.Trap as trap:
            found, self.offset = trap.code, trap.frames[0].offset
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        self.views = [memoryview(memory) for memory in self.memories]
        return found, self.instance.exports.g.value & 0xFFFFFFFFFFFFFFFF


def _memories(module):
    """Names of a module's memories, in order."""
    return sorted(one.name for one in module.exports if one.name.startswith("memory"))


def _provided(engine, imports):
    """Memories to import, made by an instance: `wasm.Memory` makes only those with guard pages."""
    lines = [f'(memory (export "{one.name}") {one.type.addr} {one.type.limits.min} '
             f'{"" if one.type.limits.max is None else one.type.limits.max} {"shared" if one.type.shared else ""})'
             for one in imports]
    exports = wasm.Instance(wasm.Module("(module " + "\n".join(lines) + ")", engine=engine)).exports
    return {one.name: exports[one.name] for one in imports}


def _view(address, size):
    return memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B") if size else memoryview(b"")


def _fill(views):
    for view in views:
        for start in range(0, len(view), PAGE):
            view[start:start + PAGE] = PATTERN


class Watchdog(threading.Thread):
    """Interrupts an instance whose call takes too long."""

    def __init__(self):
        super().__init__(daemon=True)
        self.instance, self.deadline, self.lock = None, None, threading.Lock()
        self.start()

    def run(self):
        while True:
            time.sleep(0.01)
            with self.lock:
                if self.deadline is not None and time.process_time() > self.deadline:
                    self.instance.interrupt()
                    self.deadline = time.process_time() + BRIEF

    def call(self, machine, patience, name, arguments):
        """What the machine's call gives, or "interrupted" after `patience` seconds."""
        began = time.process_time()
        self.instance, self.deadline = machine.instance, began + patience
        signal.alarm(STUBBORN)
        try:
            return machine.call(name, arguments)
        except wasm.Interrupted:    # after the call
            return INTERRUPTED
        finally:
            with self.lock:
                self.deadline = None
            signal.alarm(STUBBORN)


@functools.cache
def warm():
    """What all children need is loaded before they are forked. Returns instances that must live: the address space
    of their memories would be taken by the next ones, which are to have canaries around them."""
    import wasmtime

    source = """(module (memory 1) (func (export "f") (param v128) (result i32)
      (v128.store (i32.const 0) (i32x4.add (local.get 0) (local.get 0))) (i32.load (i32.const 0))))"""
    wasmtime.wat2wasm(source)
    instances = []
    for mode, bounds, cache in itertools.product(("interp", "jit"), BOUNDS, (True, False)):
        instances.append(wasm.Instance(wasm.Module(source, engine=engine(mode, bounds, cache=cache))))
        instances[-1].exports.f(bytes(16))
    return instances


# --- a module

def trial(progress, memories, functions, engines, seed=0, patience=PATIENCE):
    """([Finding, ...], Counter of outcomes) of a module; a function that differed is not called again."""
    import wasmtime

    _, text, calls = regrow(memories, functions)
    alone = regrow(memories, functions, False)[1]
    found, outcomes = run(progress, wasmtime.wat2wasm(text), wasmtime.wat2wasm(alone),
                          [(f"f{number}", vectors) for number, vectors in enumerate(calls)], engines, seed, patience)
    return [Finding(kind, name, what, memories, [functions[number]]) for kind, name, number, what in found], outcomes


def run(progress, binary, alone, calls, engines, seed=0, patience=PATIENCE):
    """([(kind, engine, index of the function, what), ...], Counter of outcomes). `alone`: the module without imports;
    `calls`: (export, [arguments, ...])."""
    progress.note("wasmtime")
    model, machines = Wasmtime(bytes(alone)), []
    for mode, bounds in engines:
        progress.note(f"{mode} {bounds} -1 instantiation")
        machines.append(Ours(bytes(binary), mode, bounds, seed))
    watchdog, findings, outcomes = Watchdog(), [], Counter()
    for number, (name, vectors) in enumerate(calls):
        for arguments in vectors:
            different = _compare(progress, watchdog, model, machines, number, name, arguments, outcomes, patience)
            findings += [(kind, engine, number, f"{name}{tuple(arguments)}: {what}") for kind, engine, what in different]
            if different:
                machines = [one for one in machines if one.name not in [engine for _, engine, _ in different]]
                break
        if not machines:
            break
    return findings, outcomes


def replay(text, mode, bounds):
    """[what is wrong, ...] with a module that was kept. Comments say what to call: `;; call f0 1 2 3`."""
    import wasmtime

    words = [line.split()[2:] for line in text.splitlines() if line.startswith(";; call ")]
    binary = bytes(wasmtime.wat2wasm(text))
    warm()
    ended = in_child(run, binary, binary, [(name, [list(map(int, arguments))]) for name, *arguments in words], [(mode, bounds)])
    return [f"{ended.death}: {ended.progress}"] if ended.death else [f"{kind}: {what}" for kind, _, _, what in ended.value[0]]


def _compare(progress, watchdog, model, machines, number, name, arguments, outcomes, patience):
    """[(kind, engine, what)] of one call."""
    found = []
    model.fill()
    wanted = model.call(name, arguments)
    if wanted == OUT_OF_FUEL:
        outcomes["endless"] += 1
        if outcomes["endless"] > ENDLESS:
            _equalise([model, *machines])
            return []
    else:
        outcomes["returned" if isinstance(wanted[0], list) else wanted[0]] += 1
    for machine in machines:
        progress.note(f"{' '.join(machine.name)} {number} {name}{tuple(arguments)}")
        machine.fill()
        seen = watchdog.call(machine, BRIEF if wanted == OUT_OF_FUEL else patience, name, arguments)
        damage = machine.canaries.damage()
        if damage:
            found.append(("canary", machine.name, f"{damage}; {seen}, wasmtime {wanted}"))
        elif wanted == OUT_OF_FUEL:
            if isinstance(seen[0], str) and seen != INTERRUPTED and machine.name[0] != "interp":
                outcomes["endless here ended"] += 1
        elif seen == INTERRUPTED:
            found.append(("does not end", machine.name, f"wasmtime {wanted}"))
        elif seen != wanted:
            found.append((_kind(seen[0], wanted[0]), machine.name, f"{seen}, wasmtime {wanted}"))
        elif machine.offset != machines[0].offset:  # wasmtime names a later instruction if it has joined it with the access
            found.append(("offset", machine.name, f"trap at {machine.offset}, {machines[0].name}: {machines[0].offset}"))
        elif (place := _difference(machine.views, model.views)) is not None:
            found.append(("memory", machine.name, f"{seen}; memory, offset, here, wasmtime: {place}"))
    if wanted == OUT_OF_FUEL:
        _equalise([model, *machines])
    return found


def _equalise(machines):
    """Make memories as large as the largest: endless calls are interrupted at different places."""
    for machine in machines:
        machine.fill()
    for number, sizes in enumerate(zip(*([len(view) for view in machine.views] for machine in machines))):
        for machine, size in zip(machines, sizes):
            if size < max(sizes):
                machine.grow(number, (max(sizes) - size) // PAGE)


def _kind(seen, wanted):
    if isinstance(seen, str) and ":" in seen:
        return seen.split(":")[0]
    if isinstance(seen, list):
        return "results" if isinstance(wanted, list) else "no trap"
    return "trap" if isinstance(wanted, list) else "another trap"


def _difference(views, others):
    """(memory, offset, byte here, byte there) of the first difference, or None."""
    for number, (here, there) in enumerate(zip(views, others)):
        a, b = bytes(here), bytes(there)
        if a != b:
            place = next((i for i, pair in enumerate(zip(a, b)) if pair[0] != pair[1]), min(len(a), len(b)))
            return number, place, a[place:place + 8].hex(), b[place:place + 8].hex()
    return None


def explore(seed, options, count=SIZE):
    """([Finding], Counter of outcomes) of the module with a number, in children. `options` has modes and bounds."""
    warm()
    memories, functions = grow(seed, count)
    engines = [(mode, bounds) for bounds in options.bounds for mode in options.modes]
    return _explore(memories, functions, engines, seed)


def _explore(memories, functions, engines, seed):
    """Again without the function that killed the child. What goes wrong before a function runs is looked for by halves."""
    findings, total, left = [], Counter(), list(functions)
    while left:
        ended = in_child(trial, memories, left, engines, seed)
        if ended.death is None:
            found, outcomes = ended.value
            if len(left) == 1 or not any(one.kind == UNCOMPILED for one in found):
                return findings + found, total + outcomes
            number = -1
        else:
            number = int((ended.progress.split() + ["", "", "-1"])[2]) if ended.progress.startswith(MODES) else -1
        if number < 0 and len(left) > 1:
            for half in (left[:len(left) // 2], left[len(left) // 2:]):
                found, outcomes = _explore(memories, half, engines, seed)
                findings, total = findings + found, total + outcomes
            return findings, total
        mode, bounds, _, what = (ended.progress.split(" ", 3) + ["", "", ""])[:4]
        guilty = [left[max(number, 0)]]
        findings.append(Finding(ended.death, (mode, bounds) if bounds else None, what or ended.progress, memories, guilty))
        del left[max(number, 0)]
    return findings, total


def check(finding, seed=0):
    """[Finding, ...] of one's choices, in its engine."""
    warm()
    engines = [finding.engine] if finding.engine else [(mode, b) for mode in MODES for b in BOUNDS]
    ended = in_child(trial, finding.memories, finding.functions, engines, seed, PATIENCE / 4)
    if ended.death is not None:
        return [finding._replace(kind=ended.death, what=ended.progress)]
    return ended.value[0]


def minimised(finding, shrunk, trials):
    """The simplest Finding of the same kind that was found."""
    best = finding

    def fails(sequences):
        nonlocal best
        found = [one for one in check(finding._replace(memories=sequences[0], functions=[sequences[1]]))
                 if one.kind == finding.kind]
        best = found[0]._replace(engine=finding.engine) if found else best
        return bool(found)

    if len(finding.functions) == 1:
        shrunk([finding.memories, finding.functions[0]], fails, trials)
    return best


def text(finding):
    """The module, with what it is and what to call as comments (see `replay`)."""
    engine = " ".join(finding.engine) if finding.engine else "any engine"
    _, text, calls = regrow(finding.memories, finding.functions)
    lines = [f";; {finding.kind}, {engine}: {finding.what}"]
    lines += [f";; call f{number} {' '.join(map(str, arguments))}" for number, vectors in enumerate(calls)
              for arguments in vectors]
    return "\n".join([*lines, text])
