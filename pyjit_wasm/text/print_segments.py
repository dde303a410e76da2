"""Element and data segments to text (spec 6.6.10, 6.6.11)."""
from pyjit_wasm.binary import sections
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.text.print_lines import wrapped
from pyjit_wasm.text.print_literals import string

CHUNK = 32      # bytes of a string literal where there are several


def strings(data):
    """Bytes as string literals, as a list."""
    if len(data) <= 2 * CHUNK:
        return [string(data)]
    return [string(data[start:start + CHUNK]) for start in range(0, len(data), CHUNK)]


def elem(body, binding, reader):
    """The lines of the segment that comes next."""
    expressions = Reader(reader.data, reader.pos).u32() & sections.EXPRESSIONS
    segment = sections.elem(reader)
    words = [f"(elem {binding}", *target(body, "table", segment.mode, segment.table, segment.offset)]
    if segment.mode == "declarative":
        words.append("declare")
    if expressions:
        words.append(str(segment.reftype))
        items = [body.expression(init, "item") for init in segment.inits]
    else:
        words.append("func")
        items = [body.spaces["func"][function] for (_, function, _), in segment.inits]
    return wrapped(" ".join(words), items)


def data(body, binding, reader):
    """The lines of the segment that comes next."""
    segment = sections.data(reader)
    words = [f"(data {binding}", *target(body, "memory", segment.mode, segment.memory, segment.offset)]
    return wrapped(" ".join(words), strings(reader.data[segment.start:segment.end]))


def target(body, kind, mode, index, offset):
    """Where an active segment goes: `(kind x)?` and the offset, as a list."""
    if mode != "active":
        return []
    use = [f"({kind} {body.spaces[kind][index]})"] if index else []
    return [*use, body.expression(offset, "offset")]
