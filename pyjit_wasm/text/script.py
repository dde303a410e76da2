"""Test scripts (.wast): modules, actions on them and assertions about them."""
from pyjit_wasm.text.lexer import lex
from pyjit_wasm.text.module import FIELDS, ModuleAssembler, assemble
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
            binary = ModuleAssembler(tokens, self.identifier).assemble()
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
        after = tokens.closing.get(tokens.position, 0) + 1
        yield command(tokens, line)
        tokens.position = after


def command(tokens, line):
    tokens.expect("(")
    parse_rest = _COMMANDS.get(tokens.peek())
    if parse_rest is None:
        raise tokens.unexpected()
    kind = tokens.next()
    return parse_rest(tokens, kind, line)


# commands from their keyword on

def module_command(tokens, kind, line):
    if tokens.take("instance"):
        return Command("instance", line, (tokens.identifier(), tokens.identifier()))
    return Command(kind, line, module(tokens))


def module(tokens):
    """A module after its keyword; its contents are skipped later."""
    definition = tokens.take("definition")
    identifier = tokens.identifier()
    form = tokens.next() if tokens.peek() in ("binary", "quote") else "text"
    return ModuleSource(identifier, form, definition, tokens, tokens.position)


def register(tokens, kind, line):
    return Command(kind, line, (tokens.name(), tokens.identifier()))


def action_command(tokens, kind, line):
    tokens.position -= 1
    return Command(kind, line, action(tokens))


def assert_return(tokens, kind, line):
    return Command(kind, line, enclosed_action(tokens), tuple(patterns(tokens)))


def assertion(tokens, kind, line):
    """An assertion that an action or a module fails with a message, which `assert_exception` lacks."""
    after = tokens.closing.get(tokens.position, 0) + 1
    subject = module(tokens) if tokens.open("module") else enclosed_action(tokens)
    tokens.position = after
    return Command(kind, line, subject, tokens.name() if tokens.peek() != ")" else "")


_COMMANDS = {"module": module_command, "register": register, "invoke": action_command, "get": action_command,
             "assert_return": assert_return,
             **{f"assert_{failure}": assertion for failure in (
                 "trap", "exhaustion", "exception", "unlinkable", "malformed", "malformed_custom", "invalid",
                 "invalid_custom")}}


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
    while tokens.peek() != ")":
        arguments.append(value(tokens))
    return Action(kind, instance, name, arguments)
