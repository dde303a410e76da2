"""Command-line options. (argparse would take half as long to import as Python takes to start.)"""


class CommandError(Exception):
    """What the user is told in one line; the exit code is 2."""


class Option:
    """`flags`: tuple of spellings, the long one first. `metavar`: its value's name, None for a switch.
    `convert`: str -> value, raising ValueError. `repeated`: values make a list."""

    __slots__ = ("flags", "metavar", "help", "convert", "default", "repeated")

    def __init__(self, flags, metavar, help, convert=str, default=None, repeated=False):
        self.flags, self.metavar, self.help = flags.split(), metavar, help
        self.convert, self.default, self.repeated = convert, default, repeated

    @property
    def name(self):
        """The key of the value: the long flag as an identifier."""
        return self.flags[0].lstrip("-").replace("-", "_")

    @property
    def syntax(self):
        """As in a help text: `-o, --output FILE`."""
        spellings = ", ".join(sorted(self.flags, key=len))
        return f"{spellings} {self.metavar}" if self.metavar else spellings

    def store(self, values, text):
        """Put the value that `text` denotes into `values`. Raises CommandError."""
        try:
            value = self.convert(text) if self.metavar else True
        except ValueError:
            raise CommandError(f"invalid value {text!r} of {self.flags[0]} {self.metavar}") from None
        values[self.name] = [*values[self.name], value] if self.repeated else value


def choice(*names):
    """A conversion that accepts one of `names`."""
    def convert(text):
        if text not in names:
            raise ValueError
        return text
    return convert


def parse(options, words, interspersed=True):
    """Parse `--flag value`, `--flag=value` and `--`, which ends the options: ({name: value}, operands).

    Unless `interspersed`, the first operand ends the options too. Raises CommandError.
    """
    by_flag = {flag: option for option in options for flag in option.flags}
    values = {option.name: [] if option.repeated else option.default for option in options}
    rest, operands = list(words), []
    while rest and (interspersed or not operands):
        word = rest.pop(0)
        if word == "--":
            break
        if word == "-" or not word.startswith("-"):
            operands.append(word)
            continue
        flag, equals, text = word.partition("=")
        if flag not in by_flag:
            raise CommandError(f"unknown option {flag}")
        by_flag[flag].store(values, _value(by_flag[flag], flag, text if equals else None, rest))
    return values, operands + rest


def _value(option, flag, text, rest):
    if option.metavar is None and text is not None:
        raise CommandError(f"option {flag} takes no value")
    if option.metavar is None or text is not None:
        return text
    if not rest:
        raise CommandError(f"option {flag} needs a value, {option.metavar}")
    return rest.pop(0)
