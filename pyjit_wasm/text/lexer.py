"""Lexical format (spec 6.3): source text to tokens.

A token is its own text. Identifiers written `$"..."` become `$` and the name they spell; every other
token stays as written, so its first character tells its class.
"""
import re

from pyjit_wasm.errors import ParseError
from pyjit_wasm.text.literals import STRING, decode_name
from pyjit_wasm.text.tokens import Annotation, Tokens, location

IDCHAR = r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]"

TOKEN = re.compile(rf"""
    (?: [ \t\r\n]++ | ;;[^\r\n]*+ )*+
    (?: (?P<open> \((?![;@]) )
      | (?P<close> \) )
      | (?P<atom> (?!\$(?!{IDCHAR})) {IDCHAR}++ (?!") )
      | (?P<string> {STRING} (?!{IDCHAR}|") )
      | (?P<identifier> \${STRING} (?!{IDCHAR}|") )
      | (?P<comment> \(; )
      | (?P<annotation> \(@ (?: (?P<name>{IDCHAR}++) | (?P<quoted>{STRING}) )? )
      | (?P<reserved> (?: {IDCHAR}++ | {STRING} )+ | [,;\[\]{{}}] )
      | (?P<string_start> "[^"\r\n]* )
      | (?P<end> \Z )
      | (?P<illegal> . ) )""", re.VERBOSE | re.DOTALL)

COMMENT_EDGE = re.compile(r"\(;|;\)")


def lex(source):
    """The `Tokens` of a str, or of bytes that must be UTF-8."""
    if not isinstance(source, str):
        try:
            source = bytes(source).decode()
        except UnicodeDecodeError as error:
            raise ParseError("malformed UTF-8 encoding", *location(source, error.start)) from None
    return _Lexer(source).run()


class _Lexer:
    def __init__(self, source):
        self.source = source
        self.texts, self.starts = [], []
        self.opened, self.closing = [], {}
        self.annotations = {}

    def run(self):
        position = 0
        while True:
            found = TOKEN.match(self.source, position)
            position = found.end()
            kind = found.lastgroup
            if kind == "atom" or kind == "string":
                self.texts.append(found[kind])
                self.starts.append(found.start(kind))
            elif kind == "end":
                return self.finish(position)
            else:
                position = getattr(self, kind)(found, found.start(kind)) or position

    def finish(self, position):
        if self.opened:
            raise self.error("unexpected token: unclosed parenthesis", self.starts[self.opened[-1]])
        self.append("", position)
        return Tokens(self.source, self.texts, self.starts, self.closing, self.annotations)

    def append(self, text, start):
        self.texts.append(text)
        self.starts.append(start)

    def error(self, message, offset):
        return ParseError(message, *location(self.source, offset))

    # one method per kind of token that needs more than being appended;
    # it may return the position where lexing goes on

    def open(self, found, start):
        self.opened.append(len(self.texts))
        self.append("(", start)

    def close(self, found, start):
        if not self.opened:
            raise self.error("unexpected token )", start)
        self.closing[self.opened.pop()] = len(self.texts)
        self.append(")", start)

    def identifier(self, found, start):
        self.append("$" + self.name(found["identifier"][1:], start, "empty identifier"), start)

    def name(self, literal, start, if_empty):
        name = decode_name(literal)
        if not name:
            raise self.error("malformed UTF-8 encoding" if name is None else if_empty, start)
        return name

    def comment(self, found, start):
        depth, position = 1, found.end()
        while depth:
            edge = COMMENT_EDGE.search(self.source, position)
            if edge is None:
                raise self.error("unclosed comment", start)
            depth += 1 if edge[0] == "(;" else -1
            position = edge.end()
        return position

    def annotation(self, found, start):
        name = found["name"]
        if name is None:
            name = self.name(found["quoted"] or '""', start, "empty annotation id")
        contents, position = self.annotation_contents(found.end(), start)
        self.annotations.setdefault(len(self.texts), []).append(Annotation(name, contents, start))
        return position

    def annotation_contents(self, position, start):
        """The texts up to the closing parenthesis, and where it ends. Anything lexical may be inside."""
        contents, depth = [], 1
        while True:
            found = TOKEN.match(self.source, position)
            kind, position = found.lastgroup, found.end()
            if kind == "comment":
                position = self.comment(found, found.start(kind))
                continue
            if kind == "end":
                raise self.error("unclosed annotation", start)
            if kind in ("illegal", "string_start"):
                getattr(self, kind)(found, found.start(kind))
            depth += (kind in ("open", "annotation")) - (kind == "close")
            if not depth:
                return contents, position
            contents.append(found[kind])

    def reserved(self, found, start):
        message = "empty identifier" if found["reserved"] == "$" else f"unknown operator {found['reserved']}"
        raise self.error(message, start)

    def string_start(self, found, start):
        closed = self.source[found.end():found.end() + 1] == '"'
        raise self.error("illegal character or escape in string" if closed else "unclosed string", start)

    def illegal(self, found, start):
        raise self.error("illegal character", start)
