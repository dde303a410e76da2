"""Compiles in the background: a thread that takes requests in order, and a worker process with LLVM.

LLVM holds one lock for whole optimiser runs, and emitting IR holds the GIL: in a process of its own it
disturbs neither the guest nor Python. Where no process can be started, the thread compiles by itself.
"""
import collections
import threading


class CompileQueue:
    """Requests are (ModuleCode, funcidx, in_loop, reason); `work` compiles one (`controller.compile_hot`)."""

    def __init__(self):
        self.work = None
        self._requests, self._known = collections.deque(), set()
        self._ready = threading.Condition()
        self._thread, self._worker = None, None

    def request(self, code, funcidx, in_loop, reason):
        """Ask for native code; returns at once. Asking again changes nothing."""
        key = (id(code), funcidx, in_loop)
        with self._ready:
            if key in self._known:
                return
            self._known.add(key)
            self._requests.append((key, code, funcidx, in_loop, reason))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pyjit_wasm compiler", daemon=True)
                self._thread.start()
            self._ready.notify()

    def pending(self, code, funcidx):
        return any((id(code), funcidx, in_loop) in self._known for in_loop in (False, True))

    def drain(self):
        """Wait until everything asked for is done (for tests and measurements)."""
        with self._ready:
            self._ready.wait_for(lambda: not self._known)

    def forget(self):
        """In a forked child: neither thread nor worker came along."""
        self.__init__()

    def _run(self):
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._requests)
                key, code, funcidx, in_loop, reason = self._requests.popleft()
            try:
                self.work(code, funcidx, in_loop, reason, self._compile)
            except Exception as error:  # the guest goes on interpreted; `Function.tier` says why
                code.failed[funcidx] = f"{type(error).__name__}: {error}"
            del code
            with self._ready:
                self._known.discard(key)
                self._ready.notify_all()

    def _compile(self, text, level):
        if self._worker is None:
            from pyjit_wasm.codegen.worker import Worker

            self._worker = Worker()
        return self._worker.compile(text, level)


queue = CompileQueue()
