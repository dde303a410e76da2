"""Interrupts: an exception that one thread wants to be raised in wasm that another one runs.

The exception is raised by the running thread, in wasm or where it comes back to wasm from the host. A signal makes it look:
see `codegen.signal_handlers`. The request stands in the innermost exec_env of that thread.
"""
import ctypes

from pyjit_wasm.runtime import exec_env, signals
from pyjit_wasm.runtime.layout import THREAD


class Interrupt:
    """Have what runs in the runtime ExecEnv `env` raise `error`. Call `poke` until it returns False."""

    def __init__(self, env, error):
        self.env, self.error, self.done = env, error, False

    def poke(self):
        """Ask once more: whether it has still to be raised. It has not if nothing runs any more."""
        thread = self.env.thread
        if self.done or not thread:
            self.cancel()
            return False
        env = exec_env.at(ctypes.c_uint64.from_address(thread + THREAD.env).value)
        if env is not None:
            env.request(self.take)
            env.wake()
            signals.poke(ctypes.c_uint64.from_address(thread + THREAD.id).value)
        return True

    def take(self):
        """The exception if it has still to be raised, which is done then."""
        if self.done:
            return None
        self.done = True
        return self.error

    def cancel(self):
        """Not to be raised any more."""
        self.done = True
