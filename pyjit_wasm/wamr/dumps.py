"""The dumps of call stacks and memory."""
from __future__ import annotations

from pyjit_wasm.profiling.memory import memory_profile
from pyjit_wasm.wamr.state import of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyjit_wasm.exec_env import ExecEnv


def _call_stack(exec_env):
    """The text of the call stack of what an exec_env runs, else of the trap that it failed with; empty without frames."""
    frames = exec_env.frames or of(exec_env.instance).frames
    lines = [f"#{number:02}: 0x{frame.offset:04x} - {frame.name}\n" for number, frame in enumerate(frames)]
    return "".join(["\n", *lines, "\n"]) if lines else ""


def dump_call_stack(exec_env: ExecEnv) -> None:
    """Print the call stack, innermost first, one function on a line. In a native it is that which called it, across all
    calls between natives and wasm; else that of the trap that was the exception."""
    print(_call_stack(exec_env), end="")


def get_call_stack_buf_size(exec_env: ExecEnv) -> int:
    """Bytes that `dump_call_stack_to_buf` needs, a NUL included; 0 without frames."""
    text = _call_stack(exec_env)
    return len(text.encode()) + 1 if text else 0


def dump_call_stack_to_buf(exec_env: ExecEnv, buf: Any) -> int:
    """Write what `dump_call_stack` prints into a writable buffer, as far as there is room, and a NUL; how many bytes that
    were, 0 without frames."""
    text, room = _call_stack(exec_env).encode(), memoryview(buf).cast("B")
    if not text or not room.nbytes:
        return 0
    data = text[:room.nbytes - 1] + b"\0"
    room[:len(data)] = data
    return len(data)


def dump_mem_consumption(exec_env: ExecEnv) -> None:
    """Print where the memory of the module, the instance and an exec_env is: `wasm.memory_profile`."""
    print(memory_profile(exec_env.instance, exec_env).text(), end="")
