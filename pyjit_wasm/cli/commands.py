"""The commands: what they do, and where they are implemented. Each is imported when it is used."""
from importlib import import_module

import click

from .options import HELP

NAME = "pyjit-wasm"

# name: (module of this package and command in it, what it does)
COMMANDS = {
    "run": ("program.run", "Run a program or call one function."),
    "profile": ("profiling.profile", "Run a program, and show what its time went to."),
    "trace": ("trace.trace", "Run one instruction at a time, and show the stack."),
    "compile": ("compilation.compile", "Compile modules ahead of time."),
    "inspect": ("inspection.inspect", "Show what is in a module."),
    "disas": ("inspection.disas", "Show a function's threaded and native code."),
    "validate": ("tools.validate", "Check that modules are well formed and valid."),
    "wat": ("tools.wat", "Print a binary in the text format."),
    "wasm": ("tools.wasm", "Assemble the text format into a binary."),
    "wast": ("tools.wast", "Run the specification's test scripts."),
    "cache": ("compilation.cache", "Show or clear the cache of compiled code."),
    "completion": ("guidance.completion", "Print a script for the shell that completes commands."),
    "help": ("guidance.help", "Explain a command."),
}


class Commands(click.Group):
    """COMMANDS as a group."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(".")
        return getattr(import_module(f".{module}", __package__), name)

    def format_commands(self, ctx, formatter):
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def _version(ctx, parameter, wanted):
    if not wanted or ctx.resilient_parsing:
        return
    import importlib.metadata
    import platform

    from .. import __version__
    from ..codegen import llvm
    click.echo(f"{NAME} {__version__}, {platform.python_implementation()} {platform.python_version()}, "
               f"llvmlite {importlib.metadata.version('llvmlite')}, LLVM {llvm.version()}")
    ctx.exit()


@click.command(NAME, cls=Commands, invoke_without_command=True, context_settings=HELP, subcommand_metavar="COMMAND ...",
               epilog=f"`{NAME} COMMAND --help` explains a command.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
              help="Print the versions of this program, of Python and of LLVM, and exit.")
@click.pass_context
def program(ctx):
    """A WebAssembly runtime: interprets modules, and compiles what is hot."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        return 2
