"""Test scripts (.wast): modules, actions on them and assertions about them."""
from pyjit_wasm.text.lexer import lex
from pyjit_wasm.text.module import FIELDS, assemble, assemble_fields
from pyjit_wasm.text.values import patterns, value


class Command:
    """One command of a script. `kind` is its keyword, `line` where it is.

    subject   a ModuleSource, an Action, or a tuple of names: (new, of) of `instance`, (name, id) of `register`
    expected  what an assertion expects: a message, or a tuple of patterns; else None
    """

    __slots__ = ("kind", "line", "subject", "expected")

    def __init__(self, kind, line, subject, expected=None):
        self.kind, self.line, self.subject, self.expected = kind, line, subject, expected


class ModuleSource:
    """A module in a script: `form` "text", "binary" or "quote"; `definition` if it is not instantiated."""

    __slots__ = ("identifier", "form", "definition", "tokens", "start")

    def __init__(self, identifier, form, definition, tokens, start):
        self.identifier, self.form, self.definition = identifier, form, definition
        self.tokens, self.start = tokens, start

    def binary(self):
        """The module in binary; raises ParseError."""
        tokens = self.tokens
        tokens.position = self.start
        if self.form == "text":
            binary = assemble_fields(tokens, self.identifier)
            if tokens.peek() not in (")", ""):
                raise tokens.unexpected()
            return binary
        contents = tokens.strings()
        return contents if self.form == "binary" else assemble(contents)


class Action:
    """`invoke` or `get`: `instance` is an identifier or None for the latest, `arguments` raw values."""

    __slots__ = ("kind", "instance", "name", "arguments")

    def __init__(self, kind, instance, name, arguments):
        self.kind, self.instance, self.name, self.arguments = kind, instance, name, arguments


def parse(source):
    """The commands of a script, one by one; text modules are only looked at when they are asked for."""
    tokens = lex(source)
    if tokens.peek() == "(" and tokens.peek(1) in FIELDS:
        yield Command("module", 1, ModuleSource(None, "text", False, tokens, 0))
        return
    line, counted = 1, 0
    while tokens.peek():
        start = tokens.starts[tokens.position]
        line, counted = line + tokens.source.count("\n", counted, start), start
        parsed = command(tokens, line)
        after = tokens.position
        yield parsed
        tokens.position = after   # modules are assembled from the same tokens


def command(tokens, line):
    tokens.expect("(")
    parse_rest = _COMMANDS.get(tokens.peek())
    if parse_rest is None:
        raise tokens.unexpected()
    kind = tokens.next()
    parsed = parse_rest(tokens, kind, line)
    tokens.close()
    return parsed


# commands from their keyword on

def module_command(tokens, kind, line):
    if tokens.take("instance"):
        return Command("instance", line, (tokens.identifier(), tokens.identifier()))
    return Command(kind, line, module(tokens))


def module(tokens):
    """A module from behind its keyword to its closing parenthesis; its contents are read when they are wanted."""
    closing = tokens.closing[tokens.position - 2]
    definition = tokens.take("definition")
    identifier = tokens.identifier()
    form = tokens.next() if tokens.peek() in ("binary", "quote") else "text"
    start, tokens.position = tokens.position, closing
    return ModuleSource(identifier, form, definition, tokens, start)


def register(tokens, kind, line):
    return Command(kind, line, (tokens.name(), tokens.identifier()))


def action_command(tokens, kind, line):
    tokens.position -= 1
    return Command(kind, line, action(tokens))


def assert_return(tokens, kind, line):
    return Command(kind, line, enclosed_action(tokens), tuple(patterns(tokens)))


def assert_exception(tokens, kind, line):
    """There is no message."""
    return Command(kind, line, enclosed_action(tokens), "")


def failing_action(tokens, kind, line):
    return Command(kind, line, enclosed_action(tokens), tokens.name())


def failing_module(tokens, kind, line):
    return Command(kind, line, enclosed_module(tokens), tokens.name())


def assert_trap(tokens, kind, line):
    """An action, or a module whose instantiation traps."""
    return (failing_module if tokens.at_open("module") else failing_action)(tokens, kind, line)


_COMMANDS = {"module": module_command, "register": register, "invoke": action_command, "get": action_command,
             "assert_return": assert_return, "assert_trap": assert_trap, "assert_exception": assert_exception,
             "assert_exhaustion": failing_action,
             **{f"assert_{failure}": failing_module for failure in (
                 "unlinkable", "malformed", "malformed_custom", "invalid", "invalid_custom")}}


def enclosed_module(tokens):
    tokens.expect("(")
    tokens.expect("module")
    subject = module(tokens)
    tokens.close()
    return subject


def enclosed_action(tokens):
    tokens.expect("(")
    subject = action(tokens)
    tokens.close()
    return subject


def action(tokens):
    """`invoke id? name value*` or `get id? name`, without parentheses."""
    if tokens.peek() not in ("invoke", "get"):
        raise tokens.unexpected()
    kind, instance, name = tokens.next(), tokens.identifier(), tokens.name()
    arguments = []
    while kind == "invoke" and tokens.peek() != ")":
        arguments.append(value(tokens))
    return Action(kind, instance, name, arguments)
