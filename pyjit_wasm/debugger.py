"""wasm.Debugger: calls that run one instruction at a time, on the interpreter's own handlers.

The call runs in a thread of its own, which stands still while the debugger does not wait for it.
"""
from __future__ import annotations

import bisect
import contextlib
import contextvars
import threading
import weakref

from pyjit_wasm import config, function, large_stacks, pickling
from pyjit_wasm.disassembly import function_index
from pyjit_wasm.errors import InUseError
from pyjit_wasm.runtime import trace as code_addresses
from pyjit_wasm.runtime.interrupts import Interrupt
from pyjit_wasm.runtime.layout import EXEC_ENV
from pyjit_wasm.state import StateReader, bottom
from pyjit_wasm.tiering.module_code import TOO_LARGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from pyjit_wasm.function import Function
    from pyjit_wasm.instance import Instance
    from pyjit_wasm.state import State
    from pyjit_wasm.values import Value

_EVERYWHERE, _NOWHERE = (1 << 64) - 1, 0    # limits: addresses of frames up to which every instruction stops
_PAUSE, _GRACE = 0.01, 100                  # seconds between two attempts to end an abandoned call, and how many there are


class Debugger:
    """Steps through calls of an instance's functions.

    `result` is what a call that has ended returned, `error` what it raised, else None: a Trap, a WasmException, the
    exception of a host function.

    While a call is under way, all functions of the instance are interpreted, whatever its mode, and its host functions run in
    another thread; what they call of other instances runs as ever. It belongs to one thread at a time. Ctrl-C in the main
    thread while the call runs raises KeyboardInterrupt, and the call stops at its next instruction. `close`, the end of a
    `with` block and the end of the last reference abandon a call that is under way.
    """

    __reduce_ex__ = pickling.refuse

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._guest, self._reader, self._state = _Guest(instance._inst), StateReader(), None
        self._finalizer = weakref.finalize(self, _Guest.close, self._guest)

    @property
    def instance(self) -> Instance:
        """The Instance whose functions it steps through."""
        return self._instance

    @property
    def result(self) -> Any:
        """What the last call returned, None if it has not."""
        return self._guest.result

    @property
    def error(self) -> BaseException | None:
        """What the last call raised, or None."""
        return self._guest.error

    @property
    def breakpoints(self) -> tuple[int, ...]:
        """Byte offsets in the module of the instructions with breakpoints, ascending."""
        return tuple(sorted(self._guest.breakpoints))

    def breakpoint(self, function: int | str | Function | None = None, *, offset: int | None = None) -> int:
        """Stop `run`, `next` and `finish` before an instruction: the first one of a function, which is given by its index,
        by name or as a Function, or that at a byte offset in the module. Returns the offset. Raises KeyError without
        such a function, ValueError for an imported one, for an offset at which no instruction begins that can be reached,
        and for a function that has too many locals and operands to be interpreted."""
        if (function is None) == (offset is None):
            raise TypeError("a breakpoint is in a function or at an offset")
        funcidx = self._defined(function) if offset is None else self._function_around(offset)
        code = self._code(funcidx)
        offsets = self._reader.points(code).at
        if offset is None:
            offset = next(iter(offsets))
        if offset not in offsets:
            raise ValueError(f"no instruction that can be reached begins at byte {offset:#x}")
        if offset not in self._guest.breakpoints:
            self._guest.breakpoints[offset] = code, code.breakpoints_at(offset)
            code.breakpoints_at(offset).value += 1
        return offset

    def instructions(self, function: int | str | Function) -> tuple[int, ...]:
        """Byte offsets in the module of the instructions of a function that can be reached, ascending. The function is given,
        and errors are raised, as for `breakpoint`."""
        return tuple(self._reader.points(self._code(self._defined(function))).at)

    def delete(self, offset: int) -> None:
        """Take a breakpoint away. KeyError without one there."""
        _, count = self._guest.breakpoints.pop(offset)
        count.value -= 1

    def start(self, function: int | str | Function, *arguments: Value) -> State | None:
        """Call a function and stop before its first instruction: the State there. The function is given as for `breakpoint`
        and must be defined by the module. Raises InUseError if a call is under way or the instance is running, and what
        the call raises before its first instruction; returns None if it ends before."""
        self._require_idle()
        funcidx = self._defined(function)
        self._state = None
        self._guest.start(self._function(funcidx), arguments)
        if self._guest.place is None and self.error is not None:
            raise self.error
        return self.state

    @property
    def state(self) -> State | None:
        """The State of the call that is under way, None if there is none."""
        guest = self._guest
        guest.wait()
        if self._state is None and guest.place is not None:
            self._state = self._reader.state(guest.env, *guest.place)
        return self._state

    def step(self) -> State | None:
        """Execute one instruction, into a function that it calls. This and the next three methods return the State there,
        None if the call has ended, and raise RuntimeError if none is under way."""
        return self._resume(lambda code, fp, call: _EVERYWHERE)

    def next(self) -> State | None:
        """Execute one instruction, with all that it calls, unless a breakpoint is there."""
        return self._resume(lambda code, fp, call: bottom(code, fp) - 1 if call.startswith("return_call") else fp)

    def finish(self) -> State | None:
        """Go on until the innermost frame has returned, or a breakpoint is reached."""
        return self._resume(lambda code, fp, call: bottom(code, fp) - 1)

    def run(self) -> State | None:
        """Go on until a breakpoint is reached, or the call has ended."""
        return self._resume(lambda code, fp, call: _NOWHERE)

    def close(self) -> None:
        """Abandon the call that is under way, if there is one, and delete the breakpoints. A host function that is running
        finishes first, in its own time if that is longer than a second."""
        self._guest.close()
        self._state = None

    def __enter__(self) -> Debugger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<wasm debugger of {self.instance!r}>"

    _inst = property(lambda self: self.instance._inst)
    _syntax = property(lambda self: self.instance.module.syntax)

    def _resume(self, limit):
        state = self.state
        if state is None:
            raise RuntimeError("no call is under way")
        ip, fp = self._guest.place
        found = limit(code_addresses.owner_of(ip), fp, state.frames[0].instruction)
        self._state = None
        self._guest.resume(found)
        return self.state

    def _require_idle(self):
        if self._guest.under_way:
            raise InUseError("a call is under way in this debugger")

    def _function(self, funcidx):
        return function.of_instance(self._inst, funcidx)

    def _defined(self, wanted):
        """The index of a function that the module defines."""
        if isinstance(wanted, function.Function):
            if wanted.instance is not self._inst:
                raise ValueError(f"{wanted.name} is not a function of this instance")
            return wanted.index
        funcidx = function_index(self.instance.module, wanted)
        if funcidx < self._syntax.imported_funcs:
            raise ValueError(f"function {funcidx}, {self._syntax.function_name(funcidx)}, is imported")
        return funcidx

    def _function_around(self, offset):
        """The index of the function whose body a byte offset is in."""
        codes = self._syntax.codes
        place = bisect.bisect(codes, offset, key=lambda code: code.start) - 1
        if place < 0 or offset >= codes[place].end:
            raise ValueError(f"byte {offset:#x} is in no function")
        return self._syntax.imported_funcs + place

    def _code(self, funcidx):
        """A function's code for single steps."""
        stepping = self._inst.code.in_variant(config.STEPPING)
        stepping.translate(funcidx)
        code = stepping.threaded[funcidx]
        if code == TOO_LARGE:
            raise ValueError(f"function {funcidx} has too many locals and operands to be interpreted")
        return code


def trace(instance: Instance, function: int | str | Function, *arguments: Value) -> Generator[State, None, Any]:
    """The State before each instruction of a call, lazily; the generator's value is the result. Raises what the call raises
    and what `Debugger.start` does."""
    with Debugger(instance) as debugger:
        state = debugger.start(function, *arguments)
        while state is not None:
            yield state
            state = debugger.step()
        if debugger.error is not None:
            raise debugger.error
        return debugger.result


class _Abandoned(BaseException):
    """Ends a call that is abandoned."""


class _Guest:
    """A call in a thread of its own. `place`: (ip, fp) where it stands, None if it does not; `result`, `error` of one that has
    ended; `breakpoints` {byte offset: (ThreadedCode, the word in it that counts them)}."""

    def __init__(self, inst):
        self.inst, self.env = inst, inst.exec_env
        self.place = self.result = self.error = self.thread = None
        self.breakpoints = {}
        self.moving, self.abandoned, self.turn = False, False, threading.Condition()

    @property
    def under_way(self):
        return self.moving or self.place is not None

    # what the debugger's thread does

    def start(self, callee, arguments):
        self.result, self.error, self.abandoned, self.moving = None, None, False, True
        self.thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run, callee, arguments), daemon=True,
                                       name=f"pyjit_wasm debugger: {callee.name}")
        large_stacks.start(self.thread.start)
        self.wait()

    def resume(self, limit):
        self.env.put(EXEC_ENV.step_limit, limit)
        with self.turn:
            self.place, self.moving = None, True
            self.turn.notify_all()
        self.wait()

    def wait(self):
        """Until it stands or has ended. Interrupted, it will stand at its next instruction."""
        try:
            with self.turn:
                while self.moving:
                    self.turn.wait()
        except BaseException:
            self.env.put(EXEC_ENV.step_limit, _EVERYWHERE)
            raise

    def close(self):
        for _, count in self.breakpoints.values():
            count.value -= 1
        self.breakpoints.clear()
        with self.turn:
            if not self.under_way:
                return
            self.place, self.moving, self.abandoned = None, True, True
            self.turn.notify_all()
        self._end()

    def _end(self):
        """Have a call that is abandoned come to its end."""
        self.env.put(EXEC_ENV.step_limit, _EVERYWHERE)
        if threading.current_thread() is self.thread:   # which has collected the Debugger as garbage
            return
        interrupt = Interrupt(self.env, _Abandoned())
        for _ in range(_GRACE):
            self.thread.join(_PAUSE)
            if not self.thread.is_alive():
                break
            interrupt.poke()
        interrupt.cancel()

    # what its own thread does

    def _run(self, callee, arguments):
        try:
            with self._stepping():
                self.result = callee(*arguments)
        except BaseException as error:
            self.error = None if isinstance(error, _Abandoned) else error
        with self.turn:
            self.moving = False
            self.turn.notify_all()

    @contextlib.contextmanager
    def _stepping(self):
        """Inside, the instance runs code for single steps, which asks `_step`."""
        if self.env.stepper is not None:
            raise InUseError("another debugger runs this instance")
        before, self.env.stepper = self.inst.code, self._step
        try:
            before.in_variant(config.STEPPING).adopt(self.inst)
            self.env.put(EXEC_ENV.step_limit, _EVERYWHERE)
            yield
        finally:
            self.env.put(EXEC_ENV.step_limit, _NOWHERE)
            self.env.stepper = None
            before.adopt(self.inst)

    def _step(self, ip, fp, within):
        """Stand before an instruction if the debugger wants to."""
        if not within and not self._has_breakpoint(ip):
            return
        with self.turn:
            if not self.abandoned:
                self.place, self.moving = (ip, fp), False
                self.turn.notify_all()
            while not self.moving:
                self.turn.wait()
        if self.abandoned:
            raise _Abandoned

    def _has_breakpoint(self, ip):
        code = code_addresses.owner_of(ip)
        (_, _, offset), = code.frames_at(ip, True)
        found = self.breakpoints.get(offset)
        return found is not None and found[0] is code
