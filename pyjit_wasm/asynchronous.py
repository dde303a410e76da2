"""Calls from asyncio: they run in a thread, can be cancelled, and call host functions that are coroutines."""
import asyncio
import contextvars
import functools
import threading
from _thread import get_ident

from pyjit_wasm.runtime.interrupts import Interrupt

_PAUSE = 0.002  # seconds between two looks at a call that is cancelled
_thread = threading.local()


class _Call:
    """A call that `loop` waits for. With `running` held it does not end in its thread, whose pthread_t is `thread`."""

    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments
        self.loop, self.awaited = asyncio.get_running_loop(), None
        self.started = self.abandoned = self.ended = False
        self.thread, self.running = 0, threading.Lock()

    def run(self):
        """In the thread."""
        self.thread, self.started = get_ident(), True
        if self.abandoned:
            return None
        outer, _thread.call = getattr(_thread, "call", None), self
        try:
            return self.function(*self.arguments)
        finally:
            with self.running:
                self.ended, _thread.call = True, outer

    async def stop(self, future):
        """Interrupt it and wait for its end, however often the task is cancelled meanwhile."""
        self.abandoned, interrupt = True, None
        while self.started and not future.done():
            with self.running:
                if not self.ended:
                    if interrupt is None or interrupt.done:     # the host function that got it goes on
                        interrupt = Interrupt(self.function._env, asyncio.CancelledError(), self.thread)
                    interrupt.poke()
            if self.awaited is not None:
                self.awaited.cancel()
            try:
                await asyncio.sleep(_PAUSE)
            except asyncio.CancelledError:
                pass
        if interrupt is not None:
            interrupt.cancel()


async def call(function, arguments):
    """Run a Function in the loop's default executor."""
    running = _Call(function, arguments)
    future = running.loop.run_in_executor(None, contextvars.copy_context().run, running.run)
    future.add_done_callback(_look_at_error)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await running.stop(future)
        raise


def _look_at_error(future):
    """Or asyncio reports that nobody did, after a cancellation."""
    if not future.cancelled():
        future.exception()


def bridge(target):
    """A host function that has the event loop run the coroutine function `target`, and waits for it."""
    @functools.wraps(target)
    def wait_for(*arguments):
        running = getattr(_thread, "call", None)
        if running is None:
            raise RuntimeError(f"{target!r} is async: it can only be called by wasm that call_async runs")
        running.awaited = asyncio.run_coroutine_threadsafe(target(*arguments), running.loop)
        try:
            return running.awaited.result()
        finally:
            running.awaited = None
    return wait_for
