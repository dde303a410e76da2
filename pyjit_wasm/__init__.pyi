"""For type checkers: the names that `__init__.py` imports when they are first used."""
from pyjit_wasm.debugger import Debugger as Debugger
from pyjit_wasm.engine import Engine as Engine, Module as Module
from pyjit_wasm.errors import (
    DecodeError as DecodeError, Exhaustion as Exhaustion, Frame as Frame, HostFrame as HostFrame,
    InternalError as InternalError, Interrupted as Interrupted, InUseError as InUseError, LinkError as LinkError,
    ParseError as ParseError, Trap as Trap, UnsupportedError as UnsupportedError, ValidationError as ValidationError, WasiExit as WasiExit,
    WasmError as WasmError, WasmException as WasmException)
from pyjit_wasm.exec_env import ExecEnv as ExecEnv, call_stack as call_stack
from pyjit_wasm.externs import Global as Global, Table as Table
from pyjit_wasm.function import Function as Function
from pyjit_wasm.host_signature import HostFunction as HostFunction, host_function as host_function
from pyjit_wasm.instance import Instance as Instance, load as load
from pyjit_wasm.linker import Linker as Linker
from pyjit_wasm.memory import Memory as Memory
from pyjit_wasm.profiles import profile as profile
from pyjit_wasm.profiling.memory import MemoryProfile as MemoryProfile, memory_profile as memory_profile
from pyjit_wasm.profiling.report import Profile as Profile
from pyjit_wasm.profiling.switches import perf as perf
from pyjit_wasm.programs import run as run
from pyjit_wasm.tag import Tag as Tag
from pyjit_wasm.types import (
    ExportType as ExportType, FuncType as FuncType, GlobalType as GlobalType, ImportType as ImportType,
    Limits as Limits, MemType as MemType, RefType as RefType, TableType as TableType, TagType as TagType)
from pyjit_wasm.wasi import CAPTURE as CAPTURE, MemoryTree as MemoryTree, ReadOnly as ReadOnly, Wasi as Wasi

__version__: str
__all__ = [
    "CAPTURE", "Debugger", "DecodeError", "Engine", "ExecEnv", "Exhaustion", "ExportType", "Frame", "FuncType", "Function",
    "Global", "GlobalType", "HostFrame", "HostFunction", "ImportType", "InUseError", "Instance", "InternalError",
    "Interrupted", "Limits", "LinkError", "Linker", "MemType", "Memory", "MemoryProfile", "MemoryTree", "Module",
    "ParseError", "Profile", "ReadOnly", "RefType", "Table", "TableType", "Tag", "TagType", "Trap", "UnsupportedError",
    "ValidationError", "Wasi", "WasiExit", "WasmError", "WasmException", "call_stack", "host_function", "load",
    "memory_profile", "perf", "profile", "run"]
