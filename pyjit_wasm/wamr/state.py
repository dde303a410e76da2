"""What WAMR keeps with a module instance: its exception, exit code and custom data."""
from __future__ import annotations

from pyjit_wasm.errors import Exhaustion, Interrupted, Trap, WasiExit, WasmException
from pyjit_wasm.exec_env import of_runtime
from pyjit_wasm.runtime import exec_env, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyjit_wasm.instance import Instance

# where WAMR's texts are not the specification's
_TEXTS = {"uncaught exception": "uncaught wasm exception"}
_OPERAND_STACK, _NATIVE_STACK = "wasm operand stack overflow", "native stack overflow"


class State:
    """Of an instance: `exception`, a str without "Exception: ", or None; `frames`, those of the trap that was the reason;
    `exit_code` of `proc_exit`; `wasi`, the Wasi that it imports, or None; `custom_data`; `profiling`, a
    profile that is being taken, and `report`, the last that was, or None."""

    def __init__(self):
        self.exception, self.wasi, self.custom_data = None, None, None
        self.exit_code, self._trap = 0, None
        self.profiling = self.report = None

    @property
    def frames(self):
        """The frames of the trap, a tuple; empty without one."""
        return self._trap.frames if self._trap is not None else ()

    def set(self, exception, trap=None):
        self.exception, self._trap = exception, trap and trap.with_traceback(None)


def of(module_inst):
    """The State of an Instance."""
    return module_inst._inst.attached.setdefault("wamr", State())


def attempt(module_inst: Instance, call: Callable[[], Any]) -> bool:
    """Run `call()`; whether it succeeded and left no exception. What wasm can fail with becomes the instance's exception;
    other exceptions, such as those of Python natives, come out. Nothing runs while an exception is set."""
    state = of(module_inst)
    if state.exception is None:
        try:
            call()
        except WasiExit as exit:    # the normal end of a WASI program
            state.exit_code = exit.code
        except Trap as trap:
            state.set(_text(trap), trap)
        except WasmException:
            state.set("uncaught wasm exception")
        except Interrupted as interrupted:
            state.set(str(interrupted))
    return state.exception is None


def _text(trap):
    if isinstance(trap, Exhaustion):
        return _NATIVE_STACK if trap.native else _OPERAND_STACK
    return _TEXTS.get(trap.code, trap.code)


# --- WAMR's functions

def set_exception(module_inst: Instance, exception: str | None) -> None:
    """Set the exception, or with None clear it. In a native, wasm ends with it when the native returns."""
    of(module_inst).set(exception)


def get_exception(module_inst: Instance) -> str | None:
    """The exception, with "Exception: " before it, or None."""
    exception = of(module_inst).exception
    return None if exception is None else f"Exception: {exception}"


def clear_exception(module_inst: Instance) -> None:
    """Forget the exception; calls run again."""
    set_exception(module_inst, None)


def terminate(module_inst: Instance) -> None:
    """End what runs in the instance, in any of its exec_envs, with the exception "terminated by user"."""
    set_exception(module_inst, "terminated by user")
    for env in exec_env.live():
        if env.thread not in (0, process.this_thread()) and env.instance is not None and env.instance() is module_inst._inst:
            of_runtime(env).interrupt(Interrupted("terminated by user"))


def set_custom_data(module_inst: Instance, custom_data: object) -> None:
    """Keep an object with the instance."""
    of(module_inst).custom_data = custom_data


def get_custom_data(module_inst: Instance) -> object:
    """What `set_custom_data` was given, else None."""
    return of(module_inst).custom_data


def get_wasi_exit_code(module_inst: Instance) -> int:
    """What the program gave `proc_exit`, else 0."""
    return of(module_inst).exit_code
