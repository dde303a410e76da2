"""Interrupts: an exception that one thread wants to be raised in a call of wasm that another one runs.

The exception is raised by the running thread, in wasm or where it comes back to wasm from the host. A signal makes it look:
see `codegen.signal_handlers`. What is to be interrupted is a call: it gets a number when that is first wanted, and loses it
when it ends (`codegen.threads`). The number stands in the call's exec_env, and in the innermost one of that thread, which
then looks for an Interrupt of a call that has it still.
"""
import itertools

from pyjit_wasm.runtime import exec_env, process, signals
from pyjit_wasm.runtime.layout import EXEC_ENV

_numbers = itertools.count(1)
_waiting = {}   # Interrupts of calls that have a number, in order


class Interrupt:
    """Have the call that runs in the runtime ExecEnv `env`, in the thread with the pthread_t `thread` or in any, raise `error`.
    Call `poke` until it returns False."""

    def __init__(self, env, error, thread=0):
        self.env, self.error, self.thread = env, error, thread
        self.number, self.placed, self.done = 0, False, False

    def poke(self):
        """Ask once more: whether the exception has still to be raised. It has not if the call has ended; if there was none, the
        next `poke` looks for one again."""
        if self.done:
            return False
        known = self.number if self.placed else 0
        self.number = known or next(_numbers)
        _waiting[self] = None
        _forget()
        self.number, inner = process.reach(self.env.address, signals.RETRY_SIGNAL, self.thread, self.number, known)
        if not self.number:
            self.cancel() if known else _waiting.pop(self, None)
            return False
        self.placed = True
        waits = exec_env.at(inner)
        if waits is not None:
            waits.wake()
        return True

    def wants_this(self):
        """Whether its call is running in this thread."""
        return (not self.done and self.env.get(EXEC_ENV.request) == self.number != 0
                and self.env.thread == process.this_thread())

    def cancel(self):
        """Not to be raised any more."""
        self.done = True
        _waiting.pop(self, None)


def _forget():
    """Those whose calls have ended, and that nobody has poked since."""
    for interrupt in list(_waiting):
        if interrupt.placed and interrupt.env.get(EXEC_ENV.request) != interrupt.number:
            interrupt.cancel()


@exec_env.requests.append
def _take(env):
    """The exception of the Interrupt that this thread has to raise, which is done then, or None. It looks because of the
    runtime ExecEnv `env`."""
    wanted = [interrupt for interrupt in list(_waiting) if interrupt.wants_this()]
    if not wanted:
        return None
    first, *others = wanted
    first.cancel()
    if all(other.env is not first.env for other in others):
        first.env.put(EXEC_ENV.request, 0)
    return first.error
