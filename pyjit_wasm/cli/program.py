"""The command `run`: one module, its host and its entry."""
import sys

from .. import errors
from .options import CommandError
from .sources import UNUSABLE, load

TRAPPED = 128 + 6       # as a shell reports SIGABRT


def run(options, operands):
    """Run the program `operands[0]` with the other operands as its arguments; return its exit code, or
    TRAPPED after a trap, whose wasm call stack goes to stderr."""
    try:
        return _execute(options, operands)
    except errors.WasiExit as exit:
        return exit.code
    except errors.Trap as trap:
        print(f"pyjit-wasm: trap: {trap}", file=sys.stderr)
        return TRAPPED
    except UNUSABLE as error:
        raise CommandError(f"{operands[0]}: {error}") from None


def _execute(options, operands):
    from .. import Engine, Module
    path, *arguments = operands
    engine = Engine(mode=options["mode"], cache=not options["no_cache"])
    module = Module(load(path), engine=engine)
    invoked = options["invoke"]
    _require_function(module, invoked or "_start")
    instance = _instance(module, operands, options)
    if invoked:
        _invoke(instance, invoked, arguments)
    else:
        instance.exports["_start"]()
    return 0


def _require_function(module, name):
    if any(export.name == name and export.kind == "func" for export in module.exports):
        return
    hint = "; --invoke NAME calls another function" if name == "_start" else ""
    raise errors.LinkError(f"no function is exported as {name!r}{hint}")


def _instance(module, arguments, options):
    """An instance, with WASI if the module imports it: `wasi` is slow to load for those that do not."""
    from .. import Instance
    modules = {item.module for item in module.imports}
    if not modules:
        return Instance(module, stack_size=options["stack_size"])
    from ..wasi import ReadOnly, Wasi
    dirs = dict(options["dir"]) | {guest: ReadOnly(host) for guest, host in options["dir_ro"]}
    wasi = Wasi(arguments, dict(options["env"]), dirs)
    return Instance(module, imports=wasi, stack_size=options["stack_size"])


def _invoke(instance, name, arguments):
    """Call an export, in a WASI reactor after `_initialize`, and print its results."""
    from .values import format_results, parse_arguments
    function = instance.exports[name]
    values = parse_arguments(arguments, function.type.params)
    if "_initialize" in instance.exports and name != "_initialize":
        instance.exports["_initialize"]()
    for text in format_results(function(*values), function.type.results):
        print(text)
