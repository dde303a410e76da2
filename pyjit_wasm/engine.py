"""wasm.Engine and wasm.Module: settings, and modules that are decoded and validated."""
from __future__ import annotations

import functools
import os

from pyjit_wasm import config
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.errors import DecodeError, ValidationError
from pyjit_wasm.runtime import machine_stack
from pyjit_wasm.source.positions import Positions
from pyjit_wasm.types import DefType, ExportType, ImportType
from pyjit_wasm.valid import validate
from pyjit_wasm.values import integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, NoReturn, Union

    Mode = Literal["interp", "jit", "tiered"]
    Source = Union[bytes, bytearray, memoryview, str, os.PathLike[str]]
    SourceMap = Union[dict[str, Any], bytes, str, os.PathLike[str]]


def check_mode(mode: Mode) -> Mode:
    if mode not in config.MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, config.MODES))}, not {mode!r}")
    return mode


def check_stack_size(size: int) -> int:
    size = integer(size)
    if size < 0:
        raise ValueError(f"a stack size is a number of bytes, not {size}")
    return size


class Engine:
    """Settings that modules are compiled with. They cannot be changed; engines with equal settings are equal, and an
    engine is pickled as its settings.

    mode               "interp", "jit" (compiled before the first call) or "tiered" (the default)
    memory_bounds      "guard": guard pages and a signal handler; "explicit": compare on each access
    tier_up_threshold  calls plus loop iterations after which a function is compiled, in mode "tiered"
    background         compile hot functions in a worker process while the interpreter goes on
    cache              keep compiled code of modules on disk (`$PYJIT_WASM_CACHE` says where; "off" is for what all share too)
    compile_seconds    processor time that compiling one unit of code may take; what takes longer stays interpreted
    compile_memory     bytes that it may take
    stack_size         bytes of an exec_env's stack buffer where an Instance names none
    dump_call_stack    compiled functions have frames in the stack buffer too (`ExecEnv.buffer_frames`), slower
    legacy_exceptions  accept the older instructions for exceptions, `try`, `catch`, `delegate`, `rethrow`
    tracebacks         Python tracebacks show wasm frames; without, traps are quicker and `Trap.frames` is there all the same

    Raises ValueError for a setting that does not exist. There is nothing to close: the worker process and the signal
    handlers are the process's, and what was compiled goes with the last Module that uses it.
    """

    mode: Mode
    memory_bounds: Literal["guard", "explicit"]
    tier_up_threshold: int
    background: bool
    cache: bool
    compile_seconds: float
    compile_memory: int
    stack_size: int
    dump_call_stack: bool
    legacy_exceptions: bool
    tracebacks: bool

    def __init__(self, mode: Mode = "tiered", *, memory_bounds: Literal["guard", "explicit"] = "guard",
                 tier_up_threshold: int = config.TIER_UP_THRESHOLD, background: bool = True,
                 cache: bool = True, compile_seconds: float = config.COMPILE_SECONDS,
                 compile_memory: int = config.COMPILE_MEMORY, stack_size: int = config.DEFAULT_STACK_SIZE, dump_call_stack: bool = False,
                 legacy_exceptions: bool = True, tracebacks: bool = True) -> None:
        if memory_bounds not in ("guard", "explicit"):
            raise ValueError(f"memory_bounds must be 'guard' or 'explicit', not {memory_bounds!r}")
        tier_up_threshold, compile_memory = integer(tier_up_threshold), integer(compile_memory)
        if tier_up_threshold < 1:
            raise ValueError("tier_up_threshold must be at least 1")
        if not compile_seconds > 0 or compile_memory < 1:
            raise ValueError("compile_seconds and compile_memory must be more than 0")
        vars(self).update(
            mode=check_mode(mode), memory_bounds=memory_bounds,
            tier_up_threshold=tier_up_threshold, background=background, cache=cache,
            compile_seconds=compile_seconds, compile_memory=compile_memory,
            stack_size=check_stack_size(stack_size), dump_call_stack=dump_call_stack, legacy_exceptions=legacy_exceptions,
            tracebacks=tracebacks)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("the settings of an engine cannot be changed: make another engine")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Engine) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(Engine, **vars(self)), ()

    def __repr__(self) -> str:
        return f"<wasm engine: mode {self.mode}, memory bounds {self.memory_bounds}>"


if config.PERF_VARIABLE in os.environ:
    from pyjit_wasm.profiling import switches

    switches.from_environment()

_default = None


def default_engine() -> Engine:
    """The Engine used where none is given."""
    global _default
    if _default is None:
        _default = Engine()
    return _default


class Module:
    """A module, decoded and validated, ready to be instantiated any number of times.

    source       bytes of a binary, WAT text, or a path to a .wasm or .wat file (str or os.PathLike)
    path         the file that bytes were read from: files that its debug information names are looked for beside it
    source_map   a source map (ECMA-426), as a path, JSON text or the dict that it is, instead of the module's own

    Raises DecodeError, ParseError, ValidationError, OSError; TypeError for another source; ValueError for what is no source
    map.

    Modules are immutable, and equal if their bytes and the settings of their engines are. A module is pickled as
    those; its code comes from the cache on disk where it is unpickled.
    """

    engine: Engine
    path: str | None

    def __init__(self, source: Source, *, engine: Engine | None = None, path: str | os.PathLike[str] | None = None,
                 source_map: SourceMap | None = None) -> None:
        machine_stack.before_imports()
        engine = engine or default_engine()
        path = os.fspath(source if path is None and _is_path(source) else path or "") or None
        source_map = None if source_map is None else _read_map(source_map)
        syntax, facts = _decode_and_validate(binary_of(source))
        syntax.positions = Positions(syntax, path, source_map)
        if not engine.legacy_exceptions and facts.legacy_exceptions:
            raise ValidationError("legacy exception handling is switched off in this engine")
        from pyjit_wasm.tiering.module_code import ModuleCode

        vars(self).update(engine=engine, path=path, syntax=syntax, code=ModuleCode(syntax, facts, engine), _source_map=source_map)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("modules are immutable")

    @property
    def imports(self) -> list[ImportType]:
        """What it needs, in order: objects with `.module`, `.name`, and `.type`, which is a FuncType, MemType,
        TableType, GlobalType or TagType."""
        return [ImportType(i.module, i.name, _public_type(i.type)) for i in self.syntax.imports]

    @property
    def exports(self) -> list[ExportType]:
        """What it offers, in order: objects with `.name`, `.kind` ("func", "memory", "table", "global" or "tag"),
        `.index` in the index space of that kind, and `.type` as of imports."""
        syntax = self.syntax
        spaces = {"func": syntax.funcs, "table": syntax.tables, "memory": syntax.mems, "global": syntax.globals,
                  "tag": syntax.tags}
        return [ExportType(e.name, e.kind, e.index, _public_type(spaces[e.kind][e.index])) for e in syntax.exports]

    @property
    def custom_sections(self) -> tuple[tuple[str, bytes], ...]:
        """(name, content) of the custom sections (spec 5.5.3), in order; several may have the same name."""
        return self.syntax.customs

    @property
    def binary(self) -> bytes:
        """The module in the binary format (spec chapter 5); of WAT text what the assembler made of it."""
        return self.syntax.data

    @property
    def name(self) -> str | None:
        """From the name section, or None."""
        return self.syntax.names.module

    @staticmethod
    def validate(source: Source) -> None:
        """Decode and validate only; raises as the constructor does."""
        _decode_and_validate(binary_of(source))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Module) and self.binary == other.binary and self.engine == other.engine)

    def __hash__(self) -> int:
        return hash((self.binary, self.engine))

    def __copy__(self) -> Module:
        return self

    def __deepcopy__(self, memo: object) -> Module:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(Module, engine=self.engine, path=self.path, source_map=self._source_map), (self.binary,)

    def __repr__(self) -> str:
        return f"<wasm module: {self.name or 'no name'}, {len(self.binary)} bytes>"


def _decode_and_validate(binary):
    """(module, its facts); the functions of a large one are checked by kernels."""
    if len(binary) < config.BULK_VALIDATION:
        module = decode(binary)
        return module, validate(module)
    try:
        return _in_bulk(binary)
    except (DecodeError, ValidationError):
        if len(binary) < config.EXACT_ERRORS:
            decode(binary)  # what is wrong in a function comes before what is wrong behind it
        raise


def _in_bulk(binary):
    from pyjit_wasm.codegen import kernels
    from pyjit_wasm.valid.bulk import functions

    module = decode(binary, read_bodies=False, load_kernel=kernels.load)
    return module, validate(module, lambda module: functions.check(module, kernels.load(functions.MAIN, *functions.OTHERS)))


def _public_type(type):
    return type.comp if isinstance(type, DefType) else type


def binary_of(source: Source) -> bytes:
    """The binary format of whatever was given as a module."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"a module is bytes, WAT text or a path, not {type(source).__name__}")
    if not _is_path(source):
        return _assemble(source)
    with open(source, "rb") as file:
        content = file.read()
    return content if content[:4] == b"\0asm" or not os.fspath(source).endswith(".wat") else _assemble(content)


def _is_path(source):
    return isinstance(source, os.PathLike) or isinstance(source, str) and source.lstrip()[:1] not in ("(", ";", "")


def _read_map(source):
    from pyjit_wasm.source.source_map import read

    return read(source)


def _assemble(text):
    from pyjit_wasm.text import assemble

    return assemble(text)
