"""What commands are made with: options that several have, conversions, and help like a manual page."""
import os

import click

from ..config import MODES

HELP = {"help_option_names": ["-h", "--help"]}


class CommandError(click.ClickException):
    """What the user is told in one line; the exit code is 2."""


class Command(click.Command):
    """A command whose help ends with `examples`, (command line, what it does) each, and `exit_codes`, (code, meaning) each."""

    def __init__(self, *arguments, examples=(), exit_codes=(), context_settings=(), **settings):
        super().__init__(*arguments, context_settings={**HELP, **dict(context_settings)}, **settings)
        self.examples, self.exit_codes = examples, (("0", "success"), *exit_codes, ("2", "wrong usage or unusable input"))

    def format_epilog(self, ctx, formatter):
        if self.examples:
            with formatter.section("Examples"):
                for line, meaning in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
                    with formatter.indentation():
                        formatter.write_text(meaning)
        with formatter.section("Exit codes"):
            formatter.write_dl(sorted(self.exit_codes, key=lambda row: (not row[0].isdecimal(), len(row[0]), row[0])))


class Size(click.ParamType):
    """A number of bytes, also in hexadecimal."""

    name = "bytes"

    def convert(self, value, param, ctx):
        try:
            size = int(str(value), 0)
        except ValueError:
            size = 0
        return size if size > 0 else self.fail(f"{value!r} is not a positive number of bytes.", param, ctx)


class Variable(click.ParamType):
    """NAME=VALUE, or NAME for the value that it has here: (name, value)."""

    name = "name[=value]"

    def convert(self, value, param, ctx):
        name, equals, content = value.partition("=")
        if not name:
            self.fail(f"{value!r} has no name.", param, ctx)
        if not equals and name not in os.environ:
            self.fail(f"{name!r} has no value here.", param, ctx)
        return name, content if equals else os.environ[name]


class Directory(click.ParamType):
    """HOST::GUEST, or HOST where the guest knows it by the same name: (guest, host)."""

    name = "host[::guest]"

    def convert(self, value, param, ctx):
        host, _, guest = value.partition("::")
        return (guest or host, host) if host else self.fail(f"{value!r} names no directory.", param, ctx)

    def shell_complete(self, ctx, param, incomplete):
        return click.Path(file_okay=False).shell_complete(ctx, param, incomplete)


FILE = click.Path()


def mode(default, text):
    """The option `--mode`."""
    return click.option("--mode", type=click.Choice(MODES), default=default, show_default=True, help=text)


MODE = mode("tiered", "interp: interpret; jit: compile each function before its first call; tiered: interpret, and compile "
            "what turns out hot.")


BOUNDS = click.option("--bounds", type=click.Choice(["guard", "explicit"]), default="guard", show_default=True,
                      help="How memory accesses are checked: by guard pages, or by explicit comparisons.")


def output(text):
    """The option `-o`."""
    return click.option("-o", "--output", type=click.Path(allow_dash=True), metavar="OUT", help=text)
