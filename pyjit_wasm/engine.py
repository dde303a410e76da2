"""wasm.Engine and wasm.Module: settings, and modules that are decoded and validated."""
import os
from operator import index

from pyjit_wasm import config
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.codegen import kernels, native
from pyjit_wasm.errors import DecodeError, ValidationError
from pyjit_wasm.module import Export, Import
from pyjit_wasm.types import DefType
from pyjit_wasm.valid import validate


def check_mode(mode):
    if mode not in config.MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, config.MODES))}, not {mode!r}")
    return mode


def check_stack_size(size):
    if index(size) < 0:
        raise ValueError(f"a stack size is a number of bytes, not {size}")
    return index(size)


class Engine:
    """Settings that modules are compiled with.

    mode               "interp", "jit" (compiled before the first call) or "tiered" (the default)
    memory_bounds      "guard": guard pages and a signal handler; "explicit": compare on each access
    strict_traps       every memory access keeps its place and its trap, in innermost loops too (slower there)
    tier_up_threshold  calls plus loop iterations after which a function is compiled, in mode "tiered"
    background         compile hot functions in a worker process while the interpreter goes on
    cache              keep compiled code on disk (`$PYJIT_WASM_CACHE` says where)
    stack_size         bytes of an exec_env's stack buffer where an Instance names none
    legacy_exceptions  accept the older instructions for exceptions, `try`, `catch`, `delegate`, `rethrow`
    """

    def __init__(self, mode="tiered", *, memory_bounds="guard", strict_traps=False,
                 tier_up_threshold=config.TIER_UP_THRESHOLD, background=True, cache=True,
                 stack_size=config.DEFAULT_STACK_SIZE, legacy_exceptions=True):
        self.mode = check_mode(mode)
        if memory_bounds not in ("guard", "explicit"):
            raise ValueError(f"memory_bounds must be 'guard' or 'explicit', not {memory_bounds!r}")
        if tier_up_threshold < 1:
            raise ValueError("tier_up_threshold must be at least 1")
        self.memory_bounds, self.strict_traps = memory_bounds, strict_traps
        self.tier_up_threshold, self.background = tier_up_threshold, background
        self.cache, self.stack_size = cache, check_stack_size(stack_size)
        self.legacy_exceptions = legacy_exceptions
        if not cache:
            native.use_cache = False

    def __repr__(self):
        return f"<wasm engine: mode {self.mode}, memory bounds {self.memory_bounds}>"


_default = None


def default_engine():
    """The Engine used where none is given."""
    global _default
    if _default is None:
        _default = Engine()
    return _default


class Module:
    """A module, decoded and validated, ready to be instantiated any number of times.

    `source`: bytes of a binary, WAT text, or a path to a .wasm or .wat file (str or os.PathLike).
    Raises DecodeError, ParseError, ValidationError, OSError.
    """

    def __init__(self, source, *, engine=None):
        self.engine = engine or default_engine()
        self.syntax, facts = _decode_and_validate(_binary(source))
        if not self.engine.legacy_exceptions and facts.legacy_exceptions:
            raise ValidationError("legacy exception handling is switched off in this engine")
        from pyjit_wasm.tiering.module_code import ModuleCode

        self.code = ModuleCode(self.syntax, facts, self.engine)

    @property
    def imports(self):
        """What it needs: objects with `.module`, `.name`, `.type` (FuncType, MemType, TableType, GlobalType)."""
        return [Import(i.module, i.name, _public_type(i.type)) for i in self.syntax.imports]

    @property
    def exports(self):
        """What it offers: objects with `.name`, `.kind`, `.index`."""
        return [Export(e.name, e.kind, e.index) for e in self.syntax.exports]

    @property
    def name(self):
        """From the name section, or None."""
        return self.syntax.names.module

    @staticmethod
    def validate(source):
        """Decode and validate only; raises as the constructor does."""
        _decode_and_validate(_binary(source))


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
    from pyjit_wasm.valid.bulk import functions

    module = decode(binary, read_bodies=False)
    return module, validate(module, lambda module: functions.check(module, kernels.load(functions.MAIN, *functions.OTHERS)))


def _public_type(type):
    return type.comp if isinstance(type, DefType) else type


def _binary(source):
    """The binary format of whatever was given as a module."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, str) and source.lstrip()[:1] in ("(", ";", ""):
        return _assemble(source)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"a module is bytes, WAT text or a path, not {type(source).__name__}")
    with open(source, "rb") as file:
        content = file.read()
    return content if content[:4] == b"\0asm" or not os.fspath(source).endswith(".wat") else _assemble(content)


def _assemble(text):
    from pyjit_wasm.text import assemble

    return assemble(text)
