"""The commands `compile` and `cache`."""
import contextlib
import sys

import click

from .options import BOUNDS, FILE, HELP, Command, CommandError, mode
from .sources import load, naming

# what `codegen.objects` calls the kinds of code, for people
KINDS = {"unit": "functions of modules", "signature": "trampolines of signatures", "statuses": "the same, with exceptions",
         "handlers": "the interpreter", "vectors": "the interpreter's vector instructions",
         "support": "the runtime's routines", "threaded": "the interpreter's code of large modules",
         "native": "native code of large modules that was run", "ahead": "notes of what is compiled",
         "kernel": "checks of large modules", "c calls": "trampolines for C and numba", "thunk": "C function pointers",
         "batch": "loops over arrays", "": "of older versions"}


@click.command("compile", cls=Command, examples=(
    ("pyjit-wasm compile prog.wasm && pyjit-wasm run prog.wasm", "Compile a program, and run it without waiting."),
    ("pyjit-wasm compile --jobs 4 --bounds explicit *.wasm", "Four processes, and code for `run --bounds explicit`."),))
@mode("tiered", "For which mode of `run`. tiered: the interpreter and native code of all functions; jit: native code; interp: "
      "the interpreter, and its code of large modules.")
@BOUNDS
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N",
              help="How many processes compile. Default: one for each processor.")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
def compile(files, mode, jobs, bounds):
    """Compile modules ahead of time, into the cache on disk.

    Nothing is compiled any more when they are then run or embedded in the same mode and with the same settings, by the same
    user, with the same versions, on the same processor. The cache keeps what was used last: see `pyjit-wasm cache --help`.
    """
    from .. import Engine, Module
    from ..precompilation import precompile
    engine = Engine(mode, memory_bounds=bounds)
    for file in files:
        with naming(file), _progress(file) as progress:
            module = Module(load(file), path=file, engine=engine)
            try:
                done = precompile(module, jobs, progress)
            except (ValueError, RuntimeError) as error:
                raise CommandError(str(error)) from None
        click.echo(f"{file}: {done.functions} functions, {done.objects} objects: {done.compiled} compiled "
                   f"({done.bytes} bytes, {done.seconds:.1f} s), {done.objects - done.compiled} in the cache before")
    return 0


@contextlib.contextmanager
def _progress(label):
    """A function of how many are done and how many there are, that draws a bar on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=0, label=label, file=sys.stderr) as bar:
        def progress(done, count):
            bar.length = count
            bar.update(done - bar.pos)
        yield progress


@click.group("cache", invoke_without_command=True, context_settings=HELP)
@click.pass_context
def cache(ctx):
    """Show or clear the cache of compiled code.

    It is in the directory $PYJIT_WASM_CACHE, else $XDG_CACHE_HOME/pyjit_wasm, else ~/.cache/pyjit_wasm; PYJIT_WASM_CACHE=off
    turns it off. When it grows beyond its limit, what was used longest ago goes.
    """
    if ctx.invoked_subcommand is None:
        return ctx.invoke(show)


@cache.command("show", cls=Command)
def show():
    """Show where the cache is, and how much of what is in it. This is what `pyjit-wasm cache` does."""
    from .. import config
    from ..codegen import cache as code_cache
    from .terminal import Table, show as print_tables
    contents, (entries, size) = code_cache.contents(), code_cache.usage()
    rows = [(kind or "?", KINDS.get(kind, ""), *contents[kind]) for kind in sorted(contents)]
    place = code_cache.directory() or f"off ({config.CACHE_VARIABLE}=off)"
    print_tables(f"{place}: {entries} entries, {size} bytes of at most {config.CACHE_LIMIT}",
                 Table(None, ("kind", "what", "entries", "bytes"), rows))
    return 0


@cache.command("clear", cls=Command)
def clear():
    """Delete all entries of the cache."""
    from ..codegen import cache as code_cache
    entries, size = code_cache.usage()
    code_cache.clear()
    click.echo(f"{entries} entries, {size} bytes deleted")
    return 0
