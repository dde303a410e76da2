"""The execution environment: what runs wasm needs one (first seed; WAMR: WASMExecEnv)."""
import ctypes
import mmap
import weakref

from pyjit_wasm import config
from pyjit_wasm.errors import Exhaustion, InUseError, Trap
from pyjit_wasm.opcodes import TRAPS
from pyjit_wasm.runtime import process, trace
from pyjit_wasm.runtime.layout import EXEC_ENV
from pyjit_wasm.runtime.services import provides

_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # a forked child gets a copy, not the same stack
_WORDS = EXEC_ENV.size // 8
_by_address = weakref.WeakValueDictionary()


class ExecEnv:
    """Owns an EXEC_ENV struct, its stack buffer of `stack_size` bytes (zeroed; 0: none), and the
    room for traces. `address` is the struct's. Belongs to one thread at a time."""

    def __init__(self, stack_size):
        self.stack_size = stack_size
        self._words = (ctypes.c_uint64 * (_WORDS + config.MAX_TRACE))()
        self.address = ctypes.addressof(self._words)
        self._buffer = mmap.mmap(-1, stack_size, _PRIVATE) if stack_size else None
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer)) if stack_size else 0
        for offset, value in ((EXEC_ENV.stack, start), (EXEC_ENV.stack_end, start + stack_size),
                              (EXEC_ENV.top, start), (EXEC_ENV.trace, self.address + EXEC_ENV.size)):
            self._words[offset // 8] = value
        _by_address[self.address] = self

    stack = property(lambda self: self._words[EXEC_ENV.stack // 8])
    top = property(lambda self: self._words[EXEC_ENV.top // 8])

    def words(self):
        """All words of the struct."""
        return self._words[:_WORDS]

    def take_trace(self):
        """The code addresses of the last trap, innermost first."""
        return self._words[_WORDS:_WORDS + self._words[EXEC_ENV.trace_len // 8]]


def live():
    """All exec_envs there are."""
    return list(_by_address.values())


def in_other_threads():
    """Whether an exec_env is in use by a thread other than this one."""
    mine = process.this_thread()
    return any(env.words()[EXEC_ENV.thread // 8] not in (0, mine) for env in live())


@provides
def raise_trap(status, address, _):
    """The exception for a trap that an entry was left with."""
    env = _by_address[address]
    message = TRAPS[status]
    frames = trace.frames(env.take_trace(), message)
    raise (Exhaustion if message == "call stack exhausted" else Trap)(message, frames)


@provides
def raise_in_use(*_):
    raise InUseError("this instance is running in another thread, or interrupted by this signal handler")
