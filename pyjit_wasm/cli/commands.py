"""The commands: their options, help texts and where they are implemented."""
from .options import CommandError, Option, choice, parse


class Command:
    """`name`, `operands` (their syntax), `summary` (one line), `implementation` "module.function" of
    this package, `options`, `notes` (the end of the help text), `interspersed` (see `parse`)."""

    __slots__ = ("name", "operands", "summary", "implementation", "options", "notes", "interspersed")

    def __init__(self, name, operands, summary, implementation, options=(), notes="", interspersed=True):
        self.name, self.operands, self.summary, self.implementation = name, operands, summary, implementation
        self.options, self.notes, self.interspersed = (*options, _HELP), notes, interspersed

    @property
    def usage(self):
        """One line, such as `pyjit-wasm validate [OPTIONS] FILE...`."""
        return f"pyjit-wasm {self.name} [OPTIONS] {self.operands}".rstrip()

    def run(self, words):
        """Parse `words`, run the implementation with `(options, operands)` and return its exit code.
        Raises CommandError and what the implementation does."""
        options, operands = parse(self.options, words, self.interspersed)
        if options["help"]:
            print(_command_help(self))
            return 0
        if not operands and not self.operands.startswith("["):
            raise CommandError(f"{self.operands.split()[0]} is missing; usage: {self.usage}")
        return _implementation(self.implementation)(options, operands)


def _implementation(path):
    from importlib import import_module
    module, _, function = path.partition(".")
    return getattr(import_module(f".{module}", __package__), function)


_HELP = Option("--help -h", None, "print this help and exit")
_VERSION = Option("--version", None, "print the version and exit")
_MODE = Option("--mode", "MODE", "interp: interpret; jit: compile everything first; tiered: interpret and compile\n"
               "what turns out hot (default)", choice("interp", "jit", "tiered"), "tiered")
_BOUNDS = Option("--bounds", "KIND", "how compiled code checks memory bounds: guard (pages, default) or explicit",
                 choice("guard", "explicit"), "guard")


def _variable(text):
    """NAME=VALUE, or NAME for a variable of this process."""
    import os
    name, equals, value = text.partition("=")
    if not name or not equals and name not in os.environ:
        raise ValueError
    return name, value if equals else os.environ[name]


def _directory(text):
    host, _, guest = text.partition("::")
    if not host:
        raise ValueError
    return guest or host, host


def _size(text):
    size = int(text, 0)
    if size <= 0:
        raise ValueError
    return size


_RUN_NOTES = """\
Options after FILE are the program's. With --invoke, ARGS are the function's arguments: integers in
decimal or with 0x, 0o, 0b, floats in decimal or hexadecimal, inf and nan; results are printed one per
line. A module that imports WASI (wasi_snapshot_preview1) gets FILE and ARGS as its arguments, the
variables of --env as its whole environment, the directories of --dir and --dir-ro and nothing outside them,
and this process's standard streams.

Exit code: the program's own; 134 after a trap, as a shell reports abort(): a trap is the program's bug,
and 134 (128 + SIGABRT) keeps it apart from codes that programs choose; 130 after Ctrl-C; 2 if the module
cannot be loaded or linked."""

_WAT_NOTES = """\
The text assembles to the same module: names become identifiers, and what has no other form in text becomes
annotations. The module need not be valid, only well formed. A FILE.wat is assembled first."""

COMMANDS = {command.name: command for command in (
    Command("run", "FILE [ARGS...]", "run a program or call one function", "program.run", (
        _MODE,
        Option("--stack-size", "BYTES", "size of the wasm call stack (default 1048576)", _size, 1 << 20),
        Option("--dir", "HOST[::GUEST]", "let the program use a directory, which it knows as GUEST (default: as\n"
               "HOST); repeatable", _directory, repeated=True),
        Option("--dir-ro", "HOST[::GUEST]", "the same, read only", _directory, repeated=True),
        Option("--env", "NAME[=VALUE]", "set a variable of the program's environment, without VALUE to what it is\n"
               "here; repeatable", _variable, repeated=True),
        Option("--invoke", "NAME", "call this exported function instead of _start"),
        Option("--no-cache", None, "neither use nor fill the cache of compiled code"),
    ), _RUN_NOTES, interspersed=False),
    Command("wast", "FILE...", "run specification test scripts (.wast)", "tools.wast", (_MODE, _BOUNDS),
            "Exit code: 1 if an assertion fails."),
    Command("validate", "FILE...", "check that modules are well formed and valid", "tools.validate", (),
            "Exit code: 1 if a module is not."),
    Command("wat", "FILE.wasm", "print a binary in the text format", "tools.disassemble", (
        Option("--output -o", "OUT", "where to write the text (default: -, standard output)", default="-"),
    ), _WAT_NOTES),
    Command("wasm", "FILE.wat", "assemble the text format into a binary", "tools.assemble", (
        Option("--output -o", "OUT", "where to write the binary (default: FILE.wasm; -: standard output)"),)),
    Command("cache", "[show|clear]", "show or delete the cache of compiled code", "tools.cache"),
)}


def dispatch(words):
    """Run the command line `words`; return the exit code. Raises CommandError, OSError, KeyboardInterrupt."""
    options, rest = parse((_HELP, _VERSION), words, interspersed=False)
    if options["version"]:
        from .. import __version__
        print(f"pyjit-wasm {__version__}")
        return 0
    if options["help"] or not rest:
        print(_general_help())
        return 0 if options["help"] else 2
    if rest[0] not in COMMANDS:
        raise CommandError(f"unknown command {rest[0]!r}; there are {', '.join(COMMANDS)}")
    return COMMANDS[rest[0]].run(rest[1:])


def _general_help():
    return "\n".join([
        "usage: pyjit-wasm COMMAND [OPTIONS] ...", "", "A tiered WebAssembly runtime.", "", "commands:",
        *_rows((command.name, command.summary) for command in COMMANDS.values()), "", "options:",
        *_rows((option.syntax, option.help) for option in (_HELP, _VERSION)), "",
        "`pyjit-wasm COMMAND --help` explains a command."])


def _command_help(command):
    rows = _rows((option.syntax, option.help) for option in command.options)
    notes = ["", command.notes] if command.notes else []
    summary = command.summary[0].upper() + command.summary[1:] + "."
    return "\n".join([f"usage: {command.usage}", "", summary, "", "options:", *rows, *notes])


def _rows(pairs):
    """Two columns; the second may have several lines."""
    indent = "\n" + " " * 24
    return [f"  {left:<20}  {right}".replace("\n", indent) for left, right in pairs]
