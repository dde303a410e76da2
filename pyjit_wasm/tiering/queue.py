"""Compiles in the background: a thread that takes requests in order, and a worker process with LLVM.

LLVM holds one lock for whole optimiser runs, and emitting IR holds the GIL: in a process of its own it
disturbs neither the guest nor Python. Where no process can be started, the thread compiles by itself.
"""
import collections
import os
import threading

from pyjit_wasm import config, large_stacks
from pyjit_wasm.tiering import module_code


class CompileQueue:
    """What asked first is compiled first, but for large functions, which wait until nothing else does: some take many seconds.
    Requests are (ModuleCode, (funcidx, in_loop), job): `job(compile)` does it, with `compile` as for
    `objects.build`. What is asked for stands in the ModuleCode's `waiting` until it is done."""

    def __init__(self):
        self._requests, self._busy = collections.deque(), False
        self._changed = threading.Condition()
        self._thread, self._worker = None, None

    def request(self, code, wanted, job):
        """Ask for native code; returns at once. Asking again changes nothing."""
        with self._changed:
            if wanted in code.waiting:
                return
            code.waiting.add(wanted)
            self._requests.append((code, wanted, job))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pyjit_wasm compiler", daemon=True)
                large_stacks.start(self._thread.start)
            self._changed.notify_all()

    def drain(self):
        """Wait until everything asked for is done (for tests and measurements)."""
        with self._changed:
            self._changed.wait_for(lambda: not self._requests and not self._busy)

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._requests)
                request = min(self._requests, key=_size)
                self._requests.remove(request)
                code, wanted, job = request
                self._busy = True
            try:
                job(self._compile)
            except Exception as error:  # the guest goes on interpreted; `Function.tier` says why
                code.failed[wanted[0]] = f"{type(error).__name__}: {error}"
            code.waiting.discard(wanted)
            del code, job, request
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _compile(self, source, level, limits):
        if self._worker is None:
            from pyjit_wasm.codegen.worker import Worker

            self._worker = Worker()  # starts while the text is written
        return self._worker.compile(source(), level, limits)


def _size(request):
    """Instructions of the function that is asked for, as far as it matters; others are compiled with it up to that number."""
    code, (funcidx, _), _ = request
    return max(code.facts[funcidx - code.first].instructions, config.UNIT_INSTRUCTIONS)


def _after_fork():
    """Neither thread nor worker came along, nor anything that was asked for."""
    for code in list(module_code.live):
        code.waiting.clear()
    queue.__init__()


queue = CompileQueue()
os.register_at_fork(after_in_child=_after_fork)
