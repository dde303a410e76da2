"""The command `profile`."""
import contextlib
import os
import sys

import click

from ..profiling.report import FORMATS, format_of
from . import outputs
from .options import Command, CommandError, output
from .program import EXIT_CODES, execute, run_options

ON_TERMINALS = ("table", "text")    # formats that go to standard error, where nothing else is asked for


@click.command("profile", cls=Command, context_settings={"allow_interspersed_args": False}, exit_codes=EXIT_CODES, examples=(
    ("pyjit-wasm profile prog.wasm one two", "Run a program, and print a table of its functions."),
    ("pyjit-wasm profile --format html prog.wasm", "Write a flame graph and tables to prog.html."),
    ("pyjit-wasm profile --count -o prog.pstats prog.wasm && snakeviz prog.pstats", "Count calls too, and look at them."),))
@click.option("--format", type=click.Choice(tuple(FORMATS)), help="How to write the profile. Default: what the suffix of "
              "--output says, else table.")
@output("Where to write the profile; - is standard output. Default: standard error for table and text, else a file in this "
        "directory that is named as the program.")
@click.option("--rate", type=click.IntRange(1, 20_000), default=1000, show_default=True, metavar="HZ",
              help="How many samples to take in a second.")
@click.option("--count", is_flag=True, help="Count calls too, exactly. The program is slower then.")
@click.option("--opcodes", is_flag=True, help="Count executed instructions too. It is much slower then.")
@click.option("--python", is_flag=True, help="Show the Python code around the program and of its host too.")
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, metavar="N",
              help="How many functions to show in a table on standard error.")
@run_options
def profile(file, arguments, timeout, format, output, rate, count, opcodes, python, top, **options):
    """Run a program as `run` does, and show what its time went to.

    Samples are taken of the call stack: functions of wasm, interpreted or compiled, and of the host. The profile is written
    however the program ends. Everything after FILE is the program's, options too.
    """
    format = format or _format_of(output)
    folder = os.path.dirname(output or "")
    if folder and not os.path.isdir(folder):    # said before the program runs for long
        raise CommandError(f"{output}: the directory does not exist")

    @contextlib.contextmanager
    def watch(instance):
        from ..profiles import profile as profiling
        session = None
        try:
            with profiling(instance, rate=rate, counts=count, opcodes=opcodes, python=python) as session:
                yield
        finally:
            if session is not None:
                _deliver(session.report, format, output, file, top)

    return execute(file, arguments, timeout, options, watch)


def _format_of(output):
    """The format that the name of the output means."""
    if output in (None, outputs.STDOUT):
        return ON_TERMINALS[0]
    try:
        return format_of(output)
    except ValueError as error:
        raise CommandError(f"{error}; --format names one") from None


def _deliver(report, format, output, file, top):
    """Write a Profile where it belongs."""
    if output is None and format in ON_TERMINALS:
        sys.stdout.flush()
        sys.stderr.write(report.table(top) if format == "table" else report.text())
        return
    path = output or os.path.splitext(os.path.basename(file))[0] + FORMATS[format][1][0]
    outputs.write(path, report.written(format))
    if output is None:
        print(f"pyjit-wasm: the profile is in {path}", file=sys.stderr)
