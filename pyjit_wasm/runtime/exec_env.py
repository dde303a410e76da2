"""The execution environment: what runs wasm needs one (first seed; WAMR: WASMExecEnv)."""
import ctypes
import weakref

from pyjit_wasm import config
from pyjit_wasm.errors import Exhaustion, InUseError, Trap, WasiExit
from pyjit_wasm.opcodes import TRAPS
from pyjit_wasm.runtime import freed, holders, libc, process, trace, tracebacks
from pyjit_wasm.runtime.layout import EXEC_ENV, THREAD
from pyjit_wasm.runtime.services import provides

_WORDS = EXEC_ENV.size // 8
_by_address = weakref.WeakValueDictionary()


class ExecEnv:
    """Owns an EXEC_ENV struct, its stack buffer of `stack_size` bytes (zeroed; 0: none; MemoryError if there is no room), and
    the room for traces. `address` is the struct's. Belongs to one thread at a time: see `runtime.ownership`.
    `instance`: weak reference to the ModuleInstance it was made for, if any; `public`: to the object Python has for it.
    `requested`: gives the exception that is to be raised in what it runs, or None; `waiting`: ends a `memory.atomic.wait`;
    `stepper`: who is asked before instructions, as `step` is, or None."""

    def __init__(self, stack_size, instance=None):
        self.stack_size = stack_size
        self.instance, self.public = instance and weakref.ref(instance), None
        self.requested = self.waiting = self.stepper = None
        self._words = freed.words(_WORDS + config.MAX_TRACE)
        self.address = ctypes.addressof(self._words)
        self.pending, self._owner = None, self.address + EXEC_ENV.owned
        self._buffer = freed.pages(stack_size) if stack_size else None
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer)) if stack_size else 0
        for offset, value in ((EXEC_ENV.stack, start), (EXEC_ENV.stack_end, start + stack_size),
                              (EXEC_ENV.top, start), (EXEC_ENV.trace, self.address + EXEC_ENV.size),
                              (EXEC_ENV.owner, self._owner)):
            self.put(offset, value)
        _by_address[self.address] = self
        holders.changed()

    stack = property(lambda self: self._words[EXEC_ENV.stack // 8])
    top = property(lambda self: self._words[EXEC_ENV.top // 8])
    thread = property(lambda self: self._words[EXEC_ENV.thread // 8])

    def get(self, offset):
        """A word of the struct."""
        return self._words[offset // 8]

    def put(self, offset, value):
        """Set a word of the struct."""
        self._words[offset // 8] = value

    def words(self):
        """All words of the struct."""
        return self._words[:_WORDS]

    def take_trace(self):
        """The code addresses of the last trap, innermost first."""
        return self._words[_WORDS:_WORDS + self._words[EXEC_ENV.trace_len // 8]]

    def forget_trace(self):
        """So that nobody takes it for that of another exception."""
        self._words[_WORDS] = 0

    def request(self, take):
        """Have the wasm that it runs look at `take()`, an exception to be raised or None."""
        self.requested = take
        self.put(EXEC_ENV.request, 1)

    def wake(self):
        """End a `memory.atomic.wait` that it is in."""
        if self.waiting is not None:
            self.waiting()

    def set_owner(self, word):
        """Share the ownership word at an address with other exec_envs."""
        self._owner = word
        if self.pending is None:
            self.put(EXEC_ENV.owner, word)

    def keep_pending(self, error):
        """Keep the exception of a call from C until it is reported: by `take_pending`, to a call from Python, which finds
        an owner that is no thread, or behind the C function if wasm called that."""
        if self.pending is None:
            self.pending = error
            self.put(EXEC_ENV.pending, _PENDING)
            self.put(EXEC_ENV.owner, self.address + EXEC_ENV.pending)
            outer = current()
            if outer is not None:
                outer.request(self.take_pending)
                ctypes.c_uint64.from_address(outer.thread + THREAD.interrupted).value = 1

    def take_pending(self):
        """The exception that a call from C has left, which is reported by this, or None."""
        error, self.pending = self.pending, None
        if error is not None:
            self.put(EXEC_ENV.pending, 0)
            self.put(EXEC_ENV.owner, self._owner)
        return error

    @property
    def used(self):
        """Bytes of the stack buffer below what the next activation may use."""
        return self.top - self.stack

    @property
    def peak(self):
        """The most bytes of the stack buffer that were ever used: up to the last word that is not zero, since it was zeroed
        and frames are left as they were. Only pages that are in memory are looked at."""
        if self._buffer is None:
            return 0
        pages = libc.resident(self.stack, self.stack_size)
        last = pages.rfind(1)
        while last >= 0:
            start = last * libc.MACHINE_PAGE
            written = len(self._buffer[start:start + libc.MACHINE_PAGE].rstrip(b"\0"))
            if written:
                return max(start + -(-written // 8) * 8, self.used)
            last = pages.rfind(1, 0, last)
        return self.used

    @property
    def touched(self):
        """Bytes of the stack buffer that are in memory."""
        return libc.MACHINE_PAGE * libc.resident(self.stack, self.stack_size).count(1) if self._buffer else 0

    @property
    def closed(self):
        return self._words[EXEC_ENV.owned // 8] == _CLOSED

    def close(self):
        """Give the stack buffer back; calls raise InUseError from now on. InUseError while one is running."""
        if self.thread:
            raise InUseError("this exec_env is running")
        self.take_pending()
        self.put(EXEC_ENV.owned, _CLOSED)
        self.set_owner(self.address + EXEC_ENV.owned)
        for offset in (EXEC_ENV.stack, EXEC_ENV.stack_end, EXEC_ENV.top):
            self.put(offset, 0)
        if self._buffer is not None:
            self._buffer.close()
            self._buffer = None


_PENDING, _CLOSED = 1, 2  # owners that are no threads


def at(address):
    """The exec_env whose struct is at an address, or None."""
    return _by_address.get(address)


def current():
    """The exec_env that this thread runs wasm with, or None."""
    thread = process.this_thread()
    return at(ctypes.c_uint64.from_address(thread + THREAD.env).value) if thread else None


def live():
    """All exec_envs there are; other threads may be making some."""
    return [env for reference in _by_address.valuerefs() if (env := reference()) is not None]


def in_other_threads():
    """Whether an exec_env is in use by a thread other than this one."""
    mine = process.this_thread()
    return any(env.thread not in (0, mine) for env in live())


@provides
def trap_error(status, address, _):
    """The exception for a trap that an entry was left with, to be raised by who asks."""
    env, message = at(address), TRAPS[status]  # None: garbage that a finalizer calls
    addresses = [] if env is None else env.take_trace()
    frames = trace.frames(addresses, message)
    if message == "call stack exhausted":
        error = Exhaustion(message, frames, not addresses or trace.is_native(addresses[0]))
    else:
        error = Trap(message, frames)
    if env is not None:
        show(error, env, frames)
    return error


@provides
def add_traceback(error, address, *_):
    """A Python exception goes through the wasm frames whose addresses the exec_env at `address` has. Nobody asks for the
    traceback of an exit, and all programs end in one."""
    env = at(address)
    if env is not None and not isinstance(error, (WasiExit, SystemExit)):
        show(error, env, trace.frames(env.take_trace()))


def show(error, env, frames):
    """Put wasm frames into an exception's traceback, outside of those that it has, unless the engine says not to."""
    instance = env.instance and env.instance()
    if instance is None or instance.code.settings.tracebacks:
        try:
            error.__traceback__ = tracebacks.traced(frames, error.__traceback__)
        except Exception:  # near the limit of recursion, or while Python ends: the error itself matters more
            pass


@provides
def raise_in_use(address, *_):
    env = _by_address[address]
    if env.pending is not None:
        raise env.take_pending()
    error = InUseError("this exec_env is closed" if env.closed else
                       "this instance is running in another thread, or interrupted by this signal handler")
    error.refused_by = env.address
    raise error


@provides
def raise_requested(address, *_):
    env = _by_address[address]
    env.put(EXEC_ENV.request, 0)
    take, env.requested = env.requested, None
    error = take()
    if error is not None:
        raise error
    return 0


@provides
def step(ip, fp, within):
    """Code for single steps has come to the instruction at `ip`, in the frame at `fp`: up to the limit, or at a breakpoint."""
    stepper = current().stepper
    if stepper is not None:
        stepper(ip, fp, within)
    return 0


@provides
def keep_pending(error, address, _):
    """A call from C with the exec_env at `address` has failed with the exception at `error`; 0 stands for the exec_env that
    this thread runs wasm with. One that refuses to run keeps nothing: that belongs to what this thread runs."""
    error, outer = ctypes.cast(error, ctypes.py_object).value, current()
    env = _by_address[address] if address else outer
    if getattr(error, "refused_by", None) == address:
        env = None if env is outer else outer
    if env is None:
        raise error
    env.keep_pending(error)
