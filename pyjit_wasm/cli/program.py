"""The command `run`: one module, its host and its entry. Parts of it are those of `profile` and `trace` too."""
import contextlib
import sys

import click

from .. import errors
from ..profiling.switches import TOOLS, perf
from .deadline import TIMED_OUT, Deadline
from .options import BOUNDS, FILE, MODE, Command, Directory, Size, Variable
from .sources import load, naming, similar

TRAPPED = 128 + 6       # as a shell reports SIGABRT
ENDINGS = errors.WasiExit, errors.Trap, errors.WasmException    # how programs end besides returning
EXIT_CODES = (("the program's own", "of a program that ends by `proc_exit`"),
              ("124", "after --timeout"), ("130", "after Ctrl-C"),
              ("134", "after a trap or an uncaught exception: 128 + SIGABRT, as a shell reports abort()"))


def host_options(command):
    """The options that say what is called, and what its host gives it."""
    for option in reversed((
            click.option("--invoke", metavar="NAME", help="Call this exported function instead of _start, with ARGS as its "
                         "arguments, and print its results, one on a line."),
            click.option("--env", "variables", type=Variable(), multiple=True, metavar="NAME[=VALUE]",
                         help="Set a variable of the program's environment, without VALUE to what it is here; repeatable."),
            click.option("--dir", "dirs", type=Directory(), multiple=True, metavar="HOST[::GUEST]",
                         help="Let the program use a directory, which it knows as GUEST (default: as HOST); repeatable."),
            click.option("--dir-ro", "dirs_ro", type=Directory(), multiple=True, metavar="HOST[::GUEST]",
                         help="The same, to be read only."),
            click.option("--stack-size", type=Size(), default=1 << 20, show_default=True, metavar="BYTES",
                         help="Size of the wasm call stack."))):
        command = option(command)
    return command


def run_options(command):
    """The options and arguments of `run`."""
    for option in reversed((
            MODE, host_options,
            click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
                         help="Stop the program after so many seconds."),
            click.option("--memory-profile", is_flag=True,
                         help="Print where the memory is when the program has ended, to standard error."),
            click.option("--perf", type=click.Choice(list(TOOLS)), multiple=True, metavar="TOOL",
                         help="Tell a tool of the system the names of functions: map for perf report, jitdump for "
                         "perf inject --jit and perf annotate, or gdb; repeatable."),
            BOUNDS,
            click.option("--no-cache", is_flag=True, help="Neither use nor fill the cache of compiled code."),
            click.argument("file", type=FILE),
            click.argument("arguments", nargs=-1, type=FILE, metavar="[ARGS]..."))):
        command = option(command)
    return command


@click.command("run", cls=Command, context_settings={"allow_interspersed_args": False}, examples=(
    ("pyjit-wasm run prog.wasm one two", "Run a program with two arguments."),
    ("pyjit-wasm run --dir . --dir-ro /usr/share::/share prog.wasm", "Let it use two directories."),
    ("pyjit-wasm run --env HOME --timeout 10 prog.wasm -v", "Let it know HOME, and stop it after ten seconds. -v is its own."),
    ("pyjit-wasm run --invoke add math.wat 2 0x10", "Call an exported function; prints 18."),
), exit_codes=EXIT_CODES)
@run_options
def run(file, arguments, timeout, **options):
    """Run the WebAssembly program in FILE, or call one of its functions.

    FILE is a binary, or a text if it is named .wat. Its first line may be `#!/usr/bin/env -S pyjit-wasm run`, so that it can
    be a script. Everything after FILE is the program's, options too.

    A program that imports WASI preview 1 gets FILE and ARGS as its arguments, the variables of --env as its whole
    environment, the directories of --dir and --dir-ro and nothing outside them, and this process's standard streams.

    With --invoke, integers are decimal or begin with 0x, 0o or 0b, floats are decimal or hexadecimal, inf or nan, a vector is
    32 hexadecimal digits, and a reference is null.
    """
    return execute(file, arguments, timeout, options)


def execute(file, arguments, timeout, options, watch=contextlib.nullcontext):
    """Run a program, or call one function, as the options of `run` say. The call itself is inside `watch(instance)`, a context
    manager. Returns the exit code."""
    def timed_out():
        print(f"pyjit-wasm: {file}: timed out after {timeout:g} s", file=sys.stderr, flush=True)

    try:
        with naming(file), Deadline(timeout, timed_out) as deadline:
            return _execute(file, arguments, options, deadline, watch)
    except errors.Interrupted:
        timed_out()
        return TIMED_OUT
    except ENDINGS as error:
        return exit_code(error)


def exit_code(error):
    """The exit code for one of ENDINGS, which the user is told about unless the program has ended itself."""
    if isinstance(error, errors.WasiExit):
        return error.code
    what = "trap" if isinstance(error, errors.Trap) else "uncaught exception"
    text = str(error) if isinstance(error, errors.Trap) else f"{error}\n{error.call_stack()}".rstrip()
    print(f"pyjit-wasm: {what}: {text}", file=sys.stderr)
    return TRAPPED


def _execute(file, arguments, options, deadline, watch):
    from .. import Engine, Module
    perf(**dict.fromkeys(options["perf"], True))
    engine = Engine(options["mode"], memory_bounds=options["bounds"],
                    cache=not options["no_cache"])
    module = Module(load(file), path=file, engine=engine)
    invoked = options["invoke"]
    require_function(module, invoked or "_start")
    with hosted(module, (file, *arguments), options) as instance:
        deadline.instance = instance
        with watch(instance):
            try:
                _call(instance, invoked, arguments)
            finally:
                deadline.end()
                if options["memory_profile"]:
                    _print_memory_profile(instance)
    return 0


def _print_memory_profile(instance):
    from .. import memory_profile
    print(memory_profile(instance).text(), end="", file=sys.stderr, flush=True)


def _call(instance, invoked, arguments):
    if invoked:
        _invoke(instance, invoked, arguments)
    else:
        instance.exports["_start"]()


def require_function(module, name):
    """Raise a LinkError, with similar names, if no function is exported under that name."""
    functions = [export.name for export in module.exports if export.kind == "func"]
    if name in functions:
        return
    hint = "; --invoke NAME calls another function" if name == "_start" else similar(name, functions)
    raise errors.LinkError(f"no function is exported as {name!r}{hint}")


@contextlib.contextmanager
def hosted(module, arguments, options):
    """An instance, with WASI if the module imports it: `wasi` is slow to load for those that do not."""
    from .. import Instance
    modules = {item.module for item in module.imports}
    if not modules:
        yield Instance(module, stack_size=options["stack_size"])
        return
    from ..wasi import ReadOnly, Wasi
    dirs = dict(options["dirs"]) | {guest: ReadOnly(host) for guest, host in options["dirs_ro"]}
    with Wasi(arguments, dict(options["variables"]), dirs) as wasi:
        _require_imports(module, wasi.imports())
        yield Instance(module, imports=wasi, stack_size=options["stack_size"])


def _require_imports(module, imports):
    """Raise a LinkError that names all imports that are not there."""
    absent = [f"{item.module}.{item.name}" for item in module.imports if item.name not in imports.get(item.module, ())]
    if absent:
        raise errors.LinkError(f"unknown import{'s' * (len(absent) > 1)}: {', '.join(absent)}; "
                               "run provides WASI preview 1 only")


def prepared(instance, name, arguments):
    """The values of ARGS for an export that is to be called; in a WASI reactor `_initialize` has been called then."""
    from .values import parse_arguments
    values = parse_arguments(arguments, instance.exports[name].type.params)
    if "_initialize" in instance.exports and name != "_initialize":
        instance.exports["_initialize"]()
    return values


def _invoke(instance, name, arguments):
    """Call an export and print its results."""
    from .values import format_results
    function, values = instance.exports[name], prepared(instance, name, arguments)
    for text in format_results(function(*values), function.type.results):
        print(text)
