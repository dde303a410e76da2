"""A cursor over the tokens of a text, and the errors that know where it stands."""
from pyjit_wasm.errors import ParseError
from pyjit_wasm.text.keywords import KEYWORDS
from pyjit_wasm.text.literals import NUMBER, decode_name, decode_string, natural


def location(source, offset):
    """Line and column of an offset, both from 1."""
    newline = b"\n" if isinstance(source, bytes) else "\n"
    return source.count(newline, 0, offset) + 1, offset - source.rfind(newline, 0, offset)


class Annotation:
    """`(@name contents)`: `contents` are texts of tokens, `start` is the offset in the source."""

    __slots__ = ("name", "contents", "start")

    def __init__(self, name, contents, start):
        self.name, self.contents, self.start = name, contents, start


class Tokens:
    """`texts` ends with an empty one; `starts` are offsets in `source`; `closing` maps the index of every
    opening parenthesis to that of its closing one; `annotations` maps the index of a token to the
    annotations before it, and who understands one takes it out."""

    __slots__ = ("source", "texts", "starts", "closing", "annotations", "position")

    def __init__(self, source, texts, starts, closing, annotations):
        self.source, self.texts, self.starts = source, texts, starts
        self.closing, self.annotations, self.position = closing, annotations, 0

    def peek(self, ahead=0):
        return self.texts[self.position + ahead] if ahead else self.texts[self.position]

    def next(self):
        text = self.texts[self.position]
        self.position += 1
        return text

    def take(self, text):
        """Whether the next token is `text`, which is then consumed."""
        if self.texts[self.position] != text:
            return False
        self.position += 1
        return True

    def at_open(self, keyword):
        return self.texts[self.position] == "(" and self.texts[self.position + 1] == keyword

    def open(self, keyword):
        """Whether `( keyword` follows, which is then consumed."""
        if not self.at_open(keyword):
            return False
        self.position += 2
        return True

    def expect(self, text):
        if not self.take(text):
            raise self.unexpected()

    def close(self):
        self.expect(")")

    def skip(self):
        """Step over a parenthesized expression."""
        if self.peek() != "(":
            raise self.unexpected()
        self.position = self.closing[self.position] + 1

    # tokens with a meaning of their own

    def identifier(self):
        """The identifier that comes next, or None."""
        return self.next() if self.peek()[:1] == "$" else None

    def at_index(self):
        first = self.peek()[:1]
        return first == "$" or first.isdecimal()

    def at_natural(self):
        return self.peek()[:1].isdecimal()

    def natural(self, bits=32):
        """An unsigned integer."""
        value = natural(self.peek())
        if value is None:
            raise self.unexpected()
        if value >> bits:
            raise self.error(f"i{bits} constant out of range")
        self.position += 1
        return value

    def string(self):
        """A string literal as bytes."""
        if self.peek()[:1] != '"':
            raise self.unexpected()
        return decode_string(self.next())

    def strings(self):
        """String literals up to the closing parenthesis, concatenated."""
        parts = []
        while self.peek() != ")":
            parts.append(self.string())
        return b"".join(parts)

    def name(self):
        """A string literal that is a name: UTF-8."""
        if self.peek()[:1] != '"':
            raise self.unexpected()
        name = decode_name(self.peek())
        if name is None:
            raise self.error("malformed UTF-8 encoding")
        self.position += 1
        return name

    def is_annotated(self, name):
        return any(annotation.name == name for annotation in self.annotations.get(self.position, ()))

    def annotated(self, name):
        """The annotations of this name before the next token."""
        here = self.annotations.get(self.position)
        if not here:
            return ()
        found = [annotation for annotation in here if annotation.name == name]
        self.annotations[self.position] = [annotation for annotation in here if annotation.name != name]
        return found

    # errors

    def error(self, message, position=None):
        offset = self.starts[self.position if position is None else position]
        return self.error_at(message, offset)

    def error_at(self, message, offset):
        return ParseError(message, *location(self.source, offset))

    def unexpected(self):
        """The error that the next token cannot be here: known to no one, or out of place."""
        token = self.peek()
        known = token in KEYWORDS or token[:1] in '()"$' or NUMBER.fullmatch(token)
        return self.error(f"{'unexpected token' if known else 'unknown operator'} {token}".rstrip())
