"""Modules, instances and their running modes."""
from __future__ import annotations

import enum
import weakref

from pyjit_wasm import config
from pyjit_wasm.engine import Module
from pyjit_wasm.instance import Instance
from pyjit_wasm.types import FuncType
from pyjit_wasm.values import integer
from pyjit_wasm.wamr import natives
from pyjit_wasm.wamr.memory import insert_heap
from pyjit_wasm.wamr.state import of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pyjit_wasm.engine import Engine, Source
    from pyjit_wasm.tiering.module_code import ModuleCode

_WASI = frozenset(("wasi_snapshot_preview1", "wasi_unstable"))
# exports without parameters and results that are called when an instance has been made, and whether of WASI modules
_AFTERWARDS = (("_initialize", (True,)), ("__post_instantiate", (True, False)), ("__wasm_call_ctors", (False,)))


class RunningMode(enum.IntEnum):
    """WAMR's names of modes."""

    Mode_Default = 0            # "tiered"
    Mode_Interp = 1             # "interp"
    Mode_Fast_JIT = 2           # there is none: the interpreter is what starts fast here
    Mode_LLVM_JIT = 3           # "jit"
    Mode_Multi_Tier_JIT = 4     # "tiered"


Mode_Default, Mode_Interp, Mode_Fast_JIT, Mode_LLVM_JIT, Mode_Multi_Tier_JIT = RunningMode
_MODES = {Mode_Interp: "interp", Mode_LLVM_JIT: "jit", Mode_Multi_Tier_JIT: "tiered", Mode_Default: "tiered"}
_default_mode = Mode_Default
_wasi_arguments: weakref.WeakKeyDictionary[ModuleCode, Any] = weakref.WeakKeyDictionary()


# --- the runtime

def init() -> bool:
    """True: the runtime needs no preparation."""
    return True


def destroy() -> None:
    """Forget registered natives and the default running mode."""
    natives.forget_natives()
    set_default_running_mode(Mode_Default)


def is_running_mode_supported(running_mode: int) -> bool:
    """Whether there is such a mode here: all but Mode_Fast_JIT."""
    return running_mode in _MODES


def set_default_running_mode(running_mode: int) -> bool:
    """Set the mode of instances that are made later; whether there is such a mode."""
    global _default_mode
    if is_running_mode_supported(running_mode):
        _default_mode = RunningMode(running_mode)
    return is_running_mode_supported(running_mode)


def set_running_mode(module_inst: Instance, running_mode: int) -> bool:
    """Set the mode of an instance, at any time; whether there is such a mode."""
    if is_running_mode_supported(running_mode):
        module_inst.mode = _MODES[RunningMode(running_mode)]
    return is_running_mode_supported(running_mode)


def get_running_mode(module_inst: Instance) -> RunningMode:
    """The mode of an instance."""
    return next(mode for mode, name in _MODES.items() if name == module_inst.mode)


# --- modules and instances

def load(buf: Source, *, engine: Engine | None = None) -> Module:
    """A Module of bytes, WAT text or a path. Raises what `wasm.Module` raises, where WAMR fills `error_buf`."""
    return Module(buf, engine=engine)


def unload(module: Module) -> None:
    """Nothing has to be done: a module goes when nothing refers to it."""


class _Instance(Instance):
    """An Instance that gets its heap before its start function runs."""

    def __init__(self, module, heap_size, **options):
        self._heap_size = heap_size
        super().__init__(module, **options)

    def _set(self, inst):
        super()._set(inst)
        insert_heap(self, self._heap_size)
        return self


def instantiate(module: Module, default_stack_size: int = 0, host_managed_heap_size: int = 0) -> Instance:
    """An Instance whose imports are registered natives and WASI, as `set_wasi_args` said.

    default_stack_size       bytes of the stack buffer of calls that name no exec_env; 0 is 64 KiB, as in iwasm
    host_managed_heap_size   bytes of the heap, in new pages behind the initial memory; 0: none. A module that exports
                             `malloc` and `free` gets none

    Imported functions that nobody has registered trap when they are called. The start function runs, then WASI's
    `_initialize` and `__post_instantiate` or `__wasm_call_ctors` of older compilers. Raises LinkError, Trap, and what
    natives raise."""
    host_managed_heap_size = integer(host_managed_heap_size)
    if host_managed_heap_size < 0:
        raise ValueError(f"a heap size is a number of bytes, not {host_managed_heap_size}")
    uses_wasi = any(wanted.module in _WASI for wanted in module.imports)
    wasi = _wasi(module) if uses_wasi else None
    try:
        instance = _Instance(module, host_managed_heap_size, imports=natives.linked(module, wasi.imports() if wasi else {}),
                             stack_size=default_stack_size or config.WAMR_STACK_SIZE, mode=_MODES[_default_mode])
        of(instance).wasi = wasi
        for name, kinds in _AFTERWARDS:
            if uses_wasi in kinds and name in instance.exports and instance.exports[name].type == FuncType((), ()):
                instance.exports[name]()
                instance._inst.initialized |= name == "_initialize"
    except BaseException:
        if wasi is not None:
            wasi.close()
        raise
    return instance


def deinstantiate(module_inst: Instance) -> None:
    """Give back its stack buffer and its descriptors: calls raise InUseError from now on. InUseError if one is running."""
    module_inst._inst.exec_env.close()
    if of(module_inst).wasi is not None:
        of(module_inst).wasi.close()


# --- WASI

def set_wasi_args(module: Module, dir_list: Iterable[str] = (), map_dir_list: Iterable[str] = (), env: Iterable[str] = (),
                  argv: Iterable[str] = ()) -> None:
    """What instances of a module see of their host: directories by their own name; "GUEST::HOST" each; "NAME=VALUE" each;
    arguments, the program's name first."""
    set_wasi_args_ex(module, dir_list, map_dir_list, env, argv)


def set_wasi_args_ex(module: Module, dir_list: Iterable[str] = (), map_dir_list: Iterable[str] = (),
                     env: Iterable[str] = (), argv: Iterable[str] = (), stdinfd: int = -1, stdoutfd: int = -1,
                     stderrfd: int = -1) -> None:
    """The same with descriptors of the standard streams; -1 is this process's own. ValueError for a mapping without "::"."""
    dirs = {name: name for name in dir_list}
    for entry in map_dir_list:
        guest, colons, host = entry.partition("::")
        if not (guest and colons and host):
            raise ValueError(f"a mapping is GUEST::HOST, not {entry!r}")
        dirs[guest] = host
    streams = [None if fd == -1 else fd for fd in (stdinfd, stdoutfd, stderrfd)]
    _wasi_arguments[module.code] = (list(argv), dict(variable.partition("=")[::2] for variable in env), dirs, *streams)


def _wasi(module):
    from pyjit_wasm.wasi import Wasi

    return Wasi(*_wasi_arguments.get(module.code, ()))
