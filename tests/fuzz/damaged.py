"""Damaged modules, in a process of their own: python tests/hostile.py prefixes|MODE FIRST STOP PROGRESS_FILE

Corruption number n is always the same: one byte of one of the real modules gets another value. What still validates
is instantiated, and what it exports is called. A watchdog interrupts endless loops, as Ctrl-C would. The number
in work is kept in the progress file, for whoever finds this process dead. Prints the surprises: exceptions
that a damaged module must not cause. Python exceptions that it may cause are those of the taxonomy.
"""
import collections
import contextlib
import itertools
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pyjit_wasm as wasm
from modes import engine

ROOT = Path(__file__).resolve().parents[1]
SMALL = [ROOT / "benchmarks" / "kernels" / f"{name}.wasm" for name in
         ("bytecode", "indirect", "sha256", "nbody", "matmul", "memmove", "quicksort", "fib")]
LARGE = [ROOT / "examples" / f"{name}.wasm" for name in ("hello", "wordcount")]
PATIENCE = {"interp": 0.25, "tiered": 0.5, "jit": 1.5}      # seconds for a call, compilation included
ARGUMENTS = (0, 1, 2, 3, 5)


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
                if self.deadline is not None and time.monotonic() > self.deadline:
                    self.deadline = time.monotonic() + self.patience
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def __enter__(self):
        self.deadline = time.monotonic() + self.patience

    def __exit__(self, *_):
        with self.lock:
            self.deadline = None


def corruption(number):
    """(name, bytes, description) of a damaged module. One in ten is of a large one."""
    rng = random.Random(number)
    path = rng.choice(SMALL if number % 10 else LARGE)
    content = bytearray(path.read_bytes())
    place, change = rng.randrange(len(content)), rng.randrange(1, 256)
    content[place] ^= change
    return bytes(content), f"{path.name}: byte {place} ^ {change:#x}"


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


def main(what, first, stop, progress):
    trial = Trial("interp" if what == "prefixes" else what)
    if what == "prefixes":
        cases = itertools.islice(prefixes(), int(first), int(stop))
    else:
        cases = map(corruption, range(int(first), int(stop)))
    with open(progress, "w", buffering=1) as file:
        for number, (binary, description) in enumerate(cases, int(first)):
            file.seek(0)
            file.write(f"{number:9} {description:60}\n")
            trial.run(binary, description)
    print(*trial.surprises, sep="\n")
    print(dict(trial.outcomes), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
