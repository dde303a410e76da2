"""The commands `help` and `completion`."""
import click
from click.shell_completion import get_completion_class

from . import COMPLETION
from .commands import COMMANDS, NAME, program
from .options import Command


@click.command("help", cls=Command)
@click.argument("command", type=click.Choice(list(COMMANDS)), required=False, metavar="[COMMAND]")
@click.pass_context
def help(ctx, command):
    """Explain a command, or list all commands."""
    parent = ctx.parent
    if command is not None:
        named = program.get_command(parent, command)
        parent = click.Context(named, info_name=command, parent=parent)
    click.echo(parent.get_help())
    return 0


@click.command("completion", cls=Command, examples=(
    ('eval "$(pyjit-wasm completion bash)"', "Complete commands, options and file names in this shell; in ~/.bashrc, in all."),
    ("pyjit-wasm completion fish > ~/.config/fish/completions/pyjit-wasm.fish", "The same for fish."),))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell):
    """Print a script for a shell that completes the commands of pyjit-wasm, their options, and file names."""
    click.echo(get_completion_class(shell)(program, {}, NAME, COMPLETION).source())
    return 0
