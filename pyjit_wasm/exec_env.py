"""wasm.ExecEnv: what runs wasm needs one (first seed; WAMR: wasm_exec_env_t)."""
from __future__ import annotations

import threading
import time

from pyjit_wasm import cell_calls, function, pickling
from pyjit_wasm.engine import check_stack_size
from pyjit_wasm.errors import Frame, Interrupted, InUseError
from pyjit_wasm.instance import Instance
from pyjit_wasm.runtime import exec_env, interrupts, process, stacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05  # seconds


class ExecEnv:
    """An execution environment for `instance`: a stack buffer of `stack_size` bytes (zeroed; default the instance's; 0: none,
    then only compiled code runs; MemoryError if there is no room) and the state of calls. `user_data` is yours.

    One thread at a time runs the exec_envs of an instance; those of an instance whose memory is shared run in parallel.
    A call in a second thread raises InUseError. `close`, or the end of a `with` block, gives the stack buffer back; `destroy`
    is the same.
    """

    __reduce_ex__ = pickling.refuse

    def __init__(self, instance: Instance, stack_size: int | None = None, user_data: object = None) -> None:
        inst = instance._inst
        self._set(inst.new_exec_env(inst.stack_size if stack_size is None else check_stack_size(stack_size)), inst)
        self.user_data = user_data

    def _set(self, env, inst):
        self._env, self._inst = env, inst
        self._functions = {}
        self.user_data = None
        env.public = self
        return self

    @staticmethod
    def current() -> ExecEnv | None:
        """The ExecEnv that called the host function which asks, or None outside of calls (WAMR: the first parameter of native
        functions)."""
        return current()

    @property
    def instance(self) -> Instance:
        """The Instance it was made for."""
        return Instance._of(self._inst)

    @property
    def stack_size(self) -> int:
        """Bytes of the stack buffer."""
        return self._env.stack_size

    @property
    def used(self) -> int:
        """Bytes of the stack buffer that frames of the interpreter take now; seen from a host function, those of its
        callers. 0 when no call is running."""
        return self._env.used

    @property
    def peak(self) -> int:
        """The most bytes of the stack buffer that were ever in use (WAMR: total interpreter stack used): up to the last word
        that is not zero, so zeros at the end of the innermost frame are not seen. 0 once it is closed."""
        return self._env.peak

    def function(self, name: str | int | function.Function) -> function.Function:
        """A function that runs in this exec_env: of that name or index, as for `Instance.function`, or the same as
        another, of its instance, one that this imports, or a host function. KeyError without such a function, TypeError for
        one of another instance."""
        found = name if isinstance(name, function.Function) else self.instance.function(name)
        bound = self._functions.get(found)
        if bound is None:
            if not self._inst.may_run(found._inst):
                raise TypeError(f"{found!r} belongs to another instance")
            bound = self._functions[found] = function.bind(found, self._env)
        return bound

    def call(self, name: str | int | function.Function, *arguments: object) -> object:
        """Call a function in this exec_env."""
        return self.function(name)(*arguments)

    def call_cells(self, name: str | int | function.Function, cells: Any) -> None:
        """Call a function with arguments and results in 32-bit cells (WAMR: wasm_runtime_call_wasm): i32 and f32 take one,
        i64 and f64 two, the low word first, a v128 four. Results overwrite `cells` from the first on, as unsigned ints.

        `cells`: a list of ints, signed or unsigned, which grows if results need more; or a writable contiguous buffer, such
        as `array("I")`, a ctypes array or a uint32 array of NumPy. A reference takes one cell of a list, the object itself.

        Raises what calls raise, TypeError for too few cells, OverflowError for an int that is no cell, ValueError for a
        buffer that is too small for the results."""
        cell_calls.call(self.function(name), cells)

    def interrupt(self, error: BaseException | None = None) -> bool:
        """Have the call that is running in this exec_env raise `error`, an Interrupted unless one is given. To be called from
        another thread; it returns at once: whether a call is running. The exception comes when the call is in wasm
        or comes back to it from a host function; if the call ends before, it comes nowhere. Of several for one call the
        first to come may be the only one."""
        return _insist(interrupts.Interrupt(self._env, error or Interrupted("interrupted by another thread")))

    def check(self) -> None:
        """Raise what C code that called wasm through a function pointer of this exec_env (`Function.c_function`) could not be
        told. Without that, the next call from Python does."""
        error = self._env.take_pending()
        if error is not None:
            raise error

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The call stack of the thread that runs this exec_env, innermost first: `Frame`s of wasm and `HostFrame`s of host
        functions it waits for, other instances' included; empty if nothing runs. Any thread may ask, at any time; one that
        does not answer within a second (it would have to block signals) gives ()."""
        thread = self._env.thread
        if not thread:
            return ()
        return call_stack() if thread == process.this_thread() else _of_thread(self._env)

    @property
    def buffer_frames(self) -> tuple[Frame, ...]:
        """The frames that lie in the stack buffer, innermost first: of interpreted functions, and with
        `Engine(dump_call_stack=True)` of compiled ones. InUseError while another thread runs it."""
        if self._env.thread not in (0, process.this_thread()):
            raise InUseError("this exec_env is running in another thread")
        return stacks.in_buffer(self._env)

    def close(self) -> None:
        """Give the stack buffer back; calls raise InUseError from now on. InUseError if a call is running."""
        self._env.close()

    destroy = close

    def __enter__(self) -> ExecEnv:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<wasm exec_env: stack of {self.stack_size} bytes{', closed' if self._env.closed else ''}>"


def call_stack() -> tuple[Frame, ...]:
    """The wasm that waits for the Python code that asks, a host function or what it calls: `Frame`s and `HostFrame`s, innermost
    first, across all calls between Python and wasm of this thread; empty outside of host functions."""
    return stacks.frames(stacks.here())


def _of_thread(env):
    from pyjit_wasm.runtime import samples

    sample = samples.ask(env)
    return stacks.frames(sample.words) if sample else ()


def current() -> ExecEnv | None:
    """See `ExecEnv.current`."""
    env = exec_env.current()
    return None if env is None else of_runtime(env)


def of_runtime(env):
    """The ExecEnv of a `runtime.exec_env.ExecEnv`, None of one that belongs to no instance."""
    inst = env.instance and env.instance()
    return inst and (env.public or object.__new__(ExecEnv)._set(env, inst))


def _insist(interrupt):
    """Poke until the exception was raised or the call has ended."""
    if not interrupt.poke():
        return False
    threading.Thread(target=_poke, args=(interrupt,), daemon=True, name="pyjit_wasm interrupt").start()
    return True


def _poke(interrupt):
    pause = _FIRST_PAUSE
    while interrupt.poke():
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
