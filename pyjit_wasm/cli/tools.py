"""The commands `wast`, `validate`, `wat`, `wasm` and `cache`."""
import sys

from . import outputs
from .options import CommandError
from .sources import UNUSABLE, assembled, load

FAILED = 1


def wast(options, paths):
    """Run specification scripts; return FAILED if an assertion fails."""
    from .. import Engine
    from ..wast import run_files
    engine = Engine(mode=options["mode"], memory_bounds=options["bounds"])
    passed, failed = run_files(paths, engine, sys.stdout)
    return FAILED if failed else 0


def validate(options, paths):
    """Decode and validate every file; complain on stderr and return FAILED if one is wrong."""
    from .. import Engine, Module
    engine = Engine(mode="interp", cache=False)
    code = 0
    for path in paths:
        try:
            Module(load(path), engine=engine)
        except UNUSABLE as error:
            print(f"{path}: {error}", file=sys.stderr)
            code = FAILED
    return code


def disassemble(options, paths):
    """Write the text of one module."""
    from .. import text
    path = _only(paths, "file")
    try:
        printed = text.disassemble(load(path))
    except UNUSABLE as error:
        raise CommandError(f"{path}: {error}") from None
    outputs.write(options["output"], printed)
    return 0


def assemble(options, paths):
    """Assemble one text module and write the binary."""
    path = _only(paths, "file")
    try:
        with open(path, "rb") as file:
            binary = assembled(file.read())
    except UNUSABLE as error:
        raise CommandError(f"{path}: {error}") from None
    outputs.write(options["output"] or path.removesuffix(".wat") + ".wasm", binary)
    return 0


def cache(options, actions):
    """Show or clear the cache of compiled code."""
    action = _only(actions or ["show"], "action")
    if action not in _CACHE_ACTIONS:
        raise CommandError(f"unknown action {action!r}; there are {', '.join(_CACHE_ACTIONS)}")
    from ..codegen import cache as code_cache
    _CACHE_ACTIONS[action](code_cache)
    return 0


def _show(code_cache):
    entries, size = code_cache.usage()
    print(f"{code_cache.directory()}: {entries} entries, {size} bytes")


_CACHE_ACTIONS = {"show": _show, "clear": lambda code_cache: code_cache.clear()}


def _only(operands, noun):
    if len(operands) != 1:
        raise CommandError(f"one {noun} expected, not {len(operands)}")
    return operands[0]
