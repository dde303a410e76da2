"""Annotations that mean something: `(@name ...)`, `(@custom ...)` (spec appendix) and branch hints."""
from pyjit_wasm.binary import encode
from pyjit_wasm.text.literals import decode_name, decode_string

BRANCH_HINT = "metadata.code.branch_hint"
BRANCHES = ("if", "br_if")


def item_name(tokens, kind):
    """The name given by an annotation before the next token, or None."""
    found = tokens.annotated("name")
    if not found:
        return None
    if len(found) > 1:
        raise _error(tokens, found[1], f"multiple {kind}")
    if len(found[0].contents) != 1:
        raise _error(tokens, found[0], "unexpected token")
    return _name(tokens, found[0], "missing name")


def custom_sections(tokens):
    """(name, placement, encoded section) of every `(@custom ...)` before the next token. A placement is
    ("before" or "after", name of a section)."""
    return [_custom_section(tokens, annotation) for annotation in tokens.annotated("custom")]


def _custom_section(tokens, annotation):
    title = _name(tokens, annotation, "missing section name")
    rest = annotation.contents[1:]
    placement = ("after", "last")
    if rest[:1] == ["("]:
        placement = _placement(tokens, annotation, rest)
        rest = rest[4:]
    return title, placement, encode.custom_section(title, _strings(tokens, annotation, rest))


def _placement(tokens, annotation, texts):
    edge, section = (texts + [None])[1:3]
    if edge not in ("before", "after"):
        raise _error(tokens, annotation, "malformed placement")
    known = section in encode.SECTIONS or (edge, section) in (("before", "first"), ("after", "last"))
    if not known or texts[3:4] != [")"]:
        raise _error(tokens, annotation, "malformed section kind")
    return edge, section


def branch_hint(tokens):
    """The contents of a branch hint before the next token, or None."""
    found = tokens.annotated(BRANCH_HINT)
    if not found:
        return None
    if len(found) > 1:
        raise _error(tokens, found[1], "duplicate annotation")
    keyword = tokens.peek(1) if tokens.peek() == "(" else tokens.peek()
    if keyword not in BRANCHES:
        raise _error(tokens, found[0], "invalid target")
    return _strings(tokens, found[0], found[0].contents)


def branch_hint_section(hints):
    """The custom section from {funcidx: ((offset in the function, hint), ...)}, empty without any."""
    functions = []
    for funcidx, places in sorted(hints.items()):
        encoded = [encode.uleb(offset) + encode.sized(hint) for offset, hint in places]
        functions.append(encode.uleb(funcidx) + encode.vector(encoded))
    return encode.custom_section(BRANCH_HINT, encode.vector(functions)) if functions else b""


def check_all_taken(tokens, start, end):
    """Annotations with a meaning between two token positions that nobody took are out of place."""
    for position, left in tokens.annotations.items():
        for annotation in left if start <= position <= end else ():
            if annotation.name in ("name", "custom"):
                raise tokens.error_at(f"misplaced @{annotation.name} annotation", annotation.start)
            if annotation.name == BRANCH_HINT:
                raise _error(tokens, annotation, "not in a function")


def _name(tokens, annotation, if_missing):
    first = annotation.contents[0] if annotation.contents else ""
    if first[:1] != '"':
        raise _error(tokens, annotation, if_missing)
    name = decode_name(first)
    if name is None:
        raise _error(tokens, annotation, "malformed UTF-8 encoding")
    return name


def _strings(tokens, annotation, texts):
    """The bytes of string literals, concatenated."""
    if not all(text[0] == '"' for text in texts):
        raise _error(tokens, annotation, "unexpected token")
    return b"".join(decode_string(text) for text in texts)


def _error(tokens, annotation, message):
    return tokens.error_at(f"@{annotation.name} annotation: {message}", annotation.start)
