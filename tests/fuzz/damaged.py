"""Damaged modules: always a documented exception or a module that works, never a crash or a hang.

Damage number n is always the same. Whether what it gives is a module is asked of the validator, of the kernels that
validate large modules, and of wasmtime: they must agree. What still validates is instantiated, and what it exports is called.
A watchdog interrupts endless loops, as Ctrl-C would.
"""
import base64
import collections
import contextlib
import functools
import itertools
import random
import signal
import threading
import time
from pathlib import Path

import pyjit_wasm as wasm
from modes import MODES, engine
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.codegen import kernels
from pyjit_wasm.valid import validate
from pyjit_wasm.valid.bulk import functions

from .children import in_child

ROOT = Path(__file__).resolve().parents[2]
NAME, SUFFIX, SIZE = "damaged", ".txt", 100
SMALL = [ROOT / "benchmarks" / "kernels" / f"{name}.wasm" for name in
         ("bytecode", "indirect", "sha256", "nbody", "matmul", "memmove", "quicksort", "fib")]
LARGE = [ROOT / "examples" / f"{name}.wasm" for name in ("hello", "wordcount")]
PATIENCE = {"interp": 0.25, "tiered": 0.5, "jit": 1.5}      # seconds of CPU for a call, compilation included
SHARES = {"interp": 1, "tiered": 5, "jit": 10}              # one module in so many is run: compiling takes its time
ARGUMENTS = (0, 1, 2, 3, 5)
REFUSED = (wasm.DecodeError, wasm.ValidationError)

# `content`: the bytes
Finding = collections.namedtuple("Finding", "kind engine what content")


class Watchdog(threading.Thread):
    """Sends SIGINT to this process when a call takes too long, again and again until the call ends: an exception that
    meets a destructor or a callback of a weak reference is lost, by the rules of Python.
    """

    def __init__(self, patience):
        super().__init__(daemon=True)
        self.patience, self.deadline, self.lock = patience, None, threading.Lock()
        self.start()

    def run(self):
        while True:
            time.sleep(0.02)
            with self.lock:
                if self.deadline is not None and time.process_time() > self.deadline:
                    self.deadline = time.process_time() + self.patience
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def __enter__(self):
        self.deadline = time.process_time() + self.patience

    def __exit__(self, *_):
        with self.lock:
            self.deadline = None


def corruption(number):
    """(name, bytes, description) of a damaged module. One in ten is of a large one."""
    rng = random.Random(number)
    path = rng.choice(SMALL if number % 20 > 1 else LARGE)
    content = bytearray(path.read_bytes())
    place, change = rng.randrange(len(content)), rng.randrange(1, 256)
    content[place] ^= change
    return bytes(content), f"{path.name}: byte {place} ^ {change:#x}"


@functools.cache
def _code(path):
    """Where bodies of functions are: (first, end)."""
    codes = decode(path.read_bytes()).codes
    return codes[0].start, codes[-1].end


def _part(rng, content):
    start = rng.randrange(len(content))
    return bytes(content[start:start + rng.choice((1, 4, 30))])


def damage(number):
    """(bytes, description): every second one as `corruption`, others in more than one place, of other sizes or spliced."""
    rng = random.Random(f"damage {number}")
    if not number % 2:
        return corruption(number)
    path = rng.choice(SMALL if number % 20 > 1 else LARGE)
    content, done = bytearray(path.read_bytes()), []
    for _ in range(rng.choice((1, 1, 2, 4))):
        way = rng.choice(sorted(WAYS))
        first, end = _code(path) if rng.random() < 0.6 else (0, len(content))
        start, new = rng.randrange(first, min(end, len(content)) + 1), WAYS[way](rng, content)
        # mostly sizes stay right
        content[start:start + (len(new) if rng.random() < 0.8 else rng.choice((0, 1, 2, 5, 40)))] = new
        done.append(f"{way} at {start}")
    return bytes(content), f"{path.name}: {', '.join(done)}"


# what is put in the place of some bytes
WAYS = {
    "nothing": lambda rng, content: b"",
    "random bytes": lambda rng, content: rng.randbytes(rng.choice((1, 2, 8))),
    "a large number": lambda rng, content: rng.choice((b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08", b"\xff\x7f",
                                                       b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")),
    "an instruction": lambda rng, content: bytes((rng.choice((0x00, 0x02, 0x03, 0x04, 0x05, 0x0B, 0x0C, 0x0E, 0x10, 0x11, 0x1A,
                                                              0x20, 0x28, 0x36, 0x40, 0x6A, 0xFC, 0xFD, 0xFE)),)),
    "a type": lambda rng, content: bytes((rng.choice((0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F, 0x69, 0x64, 0x40)),)),
    "a part of another": lambda rng, content: _part(rng, rng.choice(SMALL).read_bytes()),
    "a part of it": _part,
}


# --- verdicts

def by_function(binary):
    """Whether the validator accepts a module."""
    try:
        return bool(list(validate(decode(binary))) or True)
    except REFUSED:
        return False


def by_kernels(binary):
    """The same by the kernels."""
    kernel = kernels.load(functions.MAIN, *functions.OTHERS)
    try:
        return bool(list(validate(decode(binary, False, kernels.load), lambda module: functions.check(module, kernel))) or True)
    except REFUSED:
        return False


def by_wasmtime():
    """A function that says what wasmtime does."""
    import wasmtime

    config = wasmtime.Config()
    for name in ("tail_call", "multi_memory", "memory64", "relaxed_simd", "threads", "function_references", "gc", "exceptions"):
        setattr(config, f"wasm_{name}", True)
    engine = wasmtime.Engine(config)

    def verdict(binary):
        try:
            wasmtime.Module.validate(engine, binary)
            return True, ""
        except wasmtime.WasmtimeError as error:
            return False, str(error)
    return verdict


# what wasmtime says of modules that it refuses and that are accepted here, and why
MORE_HERE = {
    "legacy_exceptions feature required": "older instructions for exceptions are accepted here",
}


def stub(wanted):
    """An import that gives zeros."""
    results = getattr(wanted.type, "results", None)
    if results is None:
        return 0
    return lambda *_: (None, 0, (0,) * len(results))[min(len(results), 2)]


def expected(error):
    """Whether damage may cause this exception."""
    return isinstance(error, wasm.WasmError) and (not isinstance(error, wasm.InternalError)
                                                  or "not supported yet" in str(error))


class Trial:
    """Runs damaged modules and counts what becomes of them."""

    def __init__(self, mode):
        self.engine, self.watchdog = engine(mode), Watchdog(PATIENCE[mode])
        self.outcomes, self.surprises = collections.Counter(), []

    def attempt(self, what, function, *arguments):
        """The result, or None: an exception is counted, and noted if it should not be."""
        try:
            with self.watchdog if function != self.load else contextlib.nullcontext():
                return function(*arguments)
        except KeyboardInterrupt:
            self.outcomes["interrupted"] += 1
        except Exception as error:
            self.outcomes[f"{function.__name__}: {type(error).__name__}"] += 1
            if not expected(error):
                self.surprises.append(f"{what}: {type(error).__name__}: {error}")
        return None

    def load(self, binary):
        return wasm.Module(binary, engine=self.engine)

    def instantiate(self, module):
        imports = collections.defaultdict(dict)
        for wanted in module.imports:
            imports[wanted.module][wanted.name] = stub(wanted)
        return wasm.Instance(module, imports)

    def call(self, function):
        arguments = itertools.islice(itertools.cycle(ARGUMENTS), len(function.type.params))
        function.call_bits(tuple(arguments))
        self.outcomes["called"] += 1

    def run(self, binary, what):
        try:
            module = self.attempt(what, self.load, binary)
            instance = module and self.attempt(what, self.instantiate, module)
            for export in module.exports if instance else ():
                if export.kind == "func":
                    self.attempt(f"{what}: {export.name}", self.call, instance.exports[export.name])
        except KeyboardInterrupt:   # the watchdog's, late
            self.watchdog.deadline = None
            self.outcomes["interrupted"] += 1


def prefixes():
    """All that a module can be cut down to; of the large ones, steps."""
    for path in SMALL + LARGE:
        content = path.read_bytes()
        for size in range(0, len(content), 1 if path in SMALL else 37):
            yield content[:size], f"{path.name}: {size} bytes"


# --- a batch

def trial(progress, cases, modes, compare):
    """([Finding], Counter) of [(bytes, description, number), ...]. `compare`: verdicts too."""
    trials = {mode: Trial(mode) for mode in modes}
    found, outcomes = [], collections.Counter()
    third = by_wasmtime() if compare else None
    for place, (binary, description, number) in enumerate(cases):
        if compare:
            progress.note(f"{place} validation: {description}")
            found += [Finding("verdict", None, f"{description}: {what}", binary) for what in disagreement(binary, third)]
        for mode, one in trials.items():
            if number % SHARES[mode]:
                continue
            progress.note(f"{place} {mode}: {description}")
            one.run(binary, description)
            found += [Finding("surprise", mode, what, binary) for what in one.surprises]
            one.surprises.clear()
    for one in trials.values():
        outcomes += one.outcomes
    return found, outcomes


def disagreement(binary, third):
    """What is wrong with the verdicts: at most one str."""
    try:
        verdicts = by_function(binary), by_kernels(binary)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"] if not expected(error) else []
    theirs, why = third(binary)
    if verdicts == (theirs, theirs) or verdicts == (True, True) and any(reason in why for reason in MORE_HERE):
        return []
    return [f"validator {verdicts[0]}, kernels {verdicts[1]}, wasmtime {theirs} {why}"]


def attempt(cases, modes, compare=True):
    """([Finding], Counter) in children; after one that dies, the rest of the cases."""
    found, outcomes, left = [], collections.Counter(), list(cases)
    while left:
        ended = in_child(trial, left, modes, compare, timeout=300)
        if ended.death is None:
            return found + ended.value[0], outcomes + ended.value[1]
        place, what = (ended.progress + " ").split(" ", 1)
        found.append(Finding(ended.death, None, what, left[int(place)][0]))
        left = left[int(place) + 1:]
    return found, outcomes


def explore(seed, options, count=SIZE):
    """([Finding], Counter) of damaged modules."""
    numbers = range(seed * SIZE, seed * SIZE + count)
    return attempt([(*damage(number), number) for number in numbers], [mode for mode in options.modes if mode in MODES])


def minimised(finding, shrunk, trials):
    """Damage is one or a few bytes of a real module: there is nothing to make smaller."""
    return finding


def text(finding):
    """The module in Base64, with what is wrong as the first line."""
    return f"{finding.kind}, {finding.engine}: {finding.what}\n{base64.encodebytes(finding.content).decode()}"


def replay(text, mode, bounds):
    """[what is wrong, ...] with a module that was kept."""
    found, _ = attempt([(base64.decodebytes(text.split("\n", 1)[1].encode()), text.split("\n", 1)[0], 0)], [mode])
    return [one.what for one in found]
