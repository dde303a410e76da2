"""The commands `wast`, `validate`, `wat` and `wasm`."""
import sys

import click

from . import outputs
from .options import BOUNDS, FILE, MODE, Command, output
from .sources import UNUSABLE, load, load_text, naming

FAILED = 1


@click.command("wast", cls=Command, exit_codes=(("1", "an assertion failed"),), examples=(
    ("pyjit-wasm wast --mode jit i32.wast", "Run the specification's tests of i32, compiled."),))
@MODE
@BOUNDS
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
def wast(files, mode, bounds):
    """Run test scripts as the specification has them: modules, actions and assertions.

    Prints the assertions that fail and how many there are.
    """
    from .. import Engine
    from ..wast import run_files
    _, failed = run_files(files, Engine(mode=mode, memory_bounds=bounds), sys.stdout)
    return FAILED if failed else 0


@click.command("validate", cls=Command, exit_codes=(("1", "a module is malformed or invalid"),), examples=(
    ("pyjit-wasm validate *.wasm", "Name the modules that are not valid, and where."),))
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
def validate(files):
    """Check that modules, binaries or texts, are well formed and valid.

    Says nothing about those that are; the others are named on standard error, with what is wrong and the byte offset or line
    and column.
    """
    from .. import Module
    code = 0
    for path in files:
        try:
            Module.validate(load(path))
        except UNUSABLE as error:
            click.echo(f"{path}: {error}", err=True)
            code = FAILED
    return code


@click.command("wat", cls=Command, examples=(
    ("pyjit-wasm wat prog.wasm -o prog.wat", "Write the text to a file."),))
@output("Where to write the text; - is standard output, the default.")
@click.argument("file", type=FILE)
def wat(file, output):
    """Print a binary in the text format.

    The text assembles to the same module: names become identifiers, and what has no other form in text becomes annotations.
    The module need not be valid, only well formed. A text is assembled first.
    """
    from .. import text
    with naming(file):
        printed = text.disassemble(load(file))
    outputs.write(output or outputs.STDOUT, printed)
    return 0


@click.command("wasm", cls=Command, examples=(
    ("pyjit-wasm wasm prog.wat", "Write prog.wasm."),
    ("pyjit-wasm wasm prog.wat -o - | wc -c", "Count the bytes of the binary."),))
@output("Where to write the binary; - is standard output. Default: FILE with .wasm in place of .wat.")
@click.argument("file", type=FILE)
def wasm(file, output):
    """Assemble a text into a binary.

    The file is written as a whole or not at all.
    """
    with naming(file):
        binary = load_text(file)
    outputs.write(output or file.removesuffix(".wat") + ".wasm", binary)
    return 0
