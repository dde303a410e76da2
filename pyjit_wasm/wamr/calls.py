"""Execution environments, and calls in them."""
from __future__ import annotations

from pyjit_wasm import cell_calls
from pyjit_wasm.exec_env import ExecEnv, of_runtime
from pyjit_wasm.function import Function
from pyjit_wasm.wamr.state import attempt, set_exception

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pyjit_wasm.instance import Instance


def lookup_function(module_inst: Instance, name: str) -> Function | None:
    """The function exported under a name, or None."""
    found = module_inst.exports[name] if name in module_inst.exports else None
    return found if isinstance(found, Function) else None


def create_exec_env(module_inst: Instance, stack_size: int) -> ExecEnv:
    """An ExecEnv with a zeroed stack buffer of so many bytes. 0: none, which compiled functions do not need, and the first
    interpreted one reports as "wasm operand stack overflow"."""
    return ExecEnv(module_inst, stack_size)


def destroy_exec_env(exec_env: ExecEnv) -> None:
    """Give the stack buffer back. InUseError if a call is running in it."""
    exec_env.destroy()


def get_exec_env_singleton(module_inst: Instance) -> ExecEnv:
    """The ExecEnv that calls use that name none; its stack has the instance's default size."""
    return of_runtime(module_inst._inst.exec_env)


def get_module_inst(exec_env: ExecEnv) -> Instance:
    """The Instance that an ExecEnv was made for."""
    return exec_env.instance


def set_user_data(exec_env: ExecEnv, user_data: object) -> None:
    """Keep an object with an ExecEnv."""
    exec_env.user_data = user_data


def get_user_data(exec_env: ExecEnv) -> object:
    """What `set_user_data` was given, else None."""
    return exec_env.user_data


def call_wasm(exec_env: ExecEnv, function: Function, argc: int, argv: Any) -> bool:
    """Call a function with the first `argc` of the 32-bit cells `argv`, which its results overwrite; see
    `ExecEnv.call_cells`. Whether it succeeded; if not, `get_exception` has the reason. Too few cells are a reason;
    for cells that are none it raises as that does. Exceptions of Python natives come out."""
    if argc < cell_calls.count(function.type.params):
        set_exception(exec_env.instance, str(cell_calls.too_few(argc, function.type.params)))
        return False
    return attempt(exec_env.instance, lambda: exec_env.call_cells(function, argv))


def call_wasm_a(exec_env: ExecEnv, function: Function, results: list[Any], args: Sequence[Any]) -> bool:
    """Call a function with Python values; `results` is a list that gets those of the results. Whether it succeeded. Raises
    as a call does for arguments of the wrong number or type."""
    return attempt(exec_env.instance, lambda: _set(results, exec_env.call(function, *args), len(function.type.results)))


def call_wasm_v(exec_env: ExecEnv, function: Function, results: list[Any], *args: Any) -> bool:
    """`call_wasm_a` with the arguments one by one."""
    return call_wasm_a(exec_env, function, results, args)


def _set(results, value, count):
    results[:] = {0: (), 1: (value,)}.get(count, value)
