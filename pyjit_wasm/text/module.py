"""Modules (spec 6.6): the fields of a text module to a binary.

Two passes: the first finds the fields and binds their identifiers, the second makes the entries of the
sections in the order of the text, so that implicit types come in the order of their first use.
"""
import itertools

from pyjit_wasm.binary import encode
from pyjit_wasm.binary.sections import EXTERNAL_KINDS
from pyjit_wasm.text import annotations, segments
from pyjit_wasm.text.body import Body
from pyjit_wasm.text.lexer import lex
from pyjit_wasm.text.names import name_section
from pyjit_wasm.text.spaces import Space
from pyjit_wasm.text.typedefs import IMMUTABLE, MUTABLE, Types

PAGE = 0x10000
IMPORT_AFTER = {"func": "function"}
TABLE_WITH_INIT = b"\x40\0"
TAG_ATTRIBUTE = b"\0"


class ModuleAssembler:
    """Assembles the fields that come next in `tokens`, up to a closing parenthesis or the end. For
    `foreseen` see `Types`."""

    def __init__(self, tokens, identifier=None, foreseen=None):
        self.tokens, self.types = tokens, Types(tokens, foreseen)
        self.spaces = {kind: Space(kind) for kind in (*EXTERNAL_KINDS, "elem", "data")}
        self.spaces["type"] = self.types.space
        self.name = identifier and identifier[1:]
        self.sections = {kind: [] for kind in encode.SECTIONS}
        self.local_names, self.hints, self.customs = {}, {}, []
        self.groups, self.fields = [], []
        self.first_definition = None
        self.uses_data = False

    def assemble(self):
        """The module in binary."""
        start = self.tokens.position
        name = annotations.item_name(self.tokens, "module")
        self.name = self.name if name is None else name
        self.declare_fields()
        end = self.tokens.position
        for positions in self.groups:
            self.types.define(positions)
        for define, position, *arguments in self.fields:
            self.tokens.position = position
            define(self, *arguments)
            self.tokens.close()
        self.tokens.position = end
        annotations.check_all_taken(self.tokens, start, end)
        return self.binary()

    # first pass: identifiers

    def declare_fields(self):
        tokens = self.tokens
        while True:
            self.customs += annotations.custom_sections(tokens)
            if tokens.peek() != "(":
                return
            after = tokens.closing[tokens.position] + 1
            tokens.next()
            declare = FIELDS.get(tokens.peek())
            if declare is None:
                raise tokens.unexpected()
            declare(self, tokens.next())
            tokens.position = after

    def later(self, define, *arguments):
        self.fields.append((define, self.tokens.position, *arguments))

    def declare_type(self, keyword):
        self.types.space.bind(self.tokens)
        self.groups.append([self.tokens.position])

    def declare_group(self, keyword):
        tokens, positions = self.tokens, []
        while tokens.peek() != ")":
            after = tokens.closing.get(tokens.position)
            if not tokens.open("type"):
                raise tokens.unexpected()
            self.types.space.bind(tokens)
            positions.append(tokens.position)
            tokens.position = after + 1
        self.groups.append(positions)

    def declare_import(self, keyword):
        tokens = self.tokens
        names = encode.name(tokens.name()) + encode.name(tokens.name())
        tokens.expect("(")
        if tokens.peek() not in EXTERNAL_KINDS:
            raise tokens.unexpected()
        kind = tokens.next()
        self.check_import_order()
        self.spaces[kind].bind(tokens)
        self.later(ModuleAssembler.define_import, kind, names)

    def check_import_order(self):
        if self.first_definition is not None:
            kind = IMPORT_AFTER.get(self.first_definition, self.first_definition)
            raise self.tokens.error(f"import after {kind}")

    def declare_item(self, kind):
        """A function, table, memory, global or tag, either defined or with an inline import."""
        tokens = self.tokens
        index = self.spaces[kind].bind(tokens)
        self.later(ModuleAssembler.define_item, kind, index)
        while tokens.at_open("export"):
            tokens.skip()
        if tokens.at_open("import"):
            self.check_import_order()
            return
        self.first_definition = self.first_definition or kind
        if kind in _INLINE_SEGMENTS:
            self.skip_address_type()
            if not tokens.at_natural():
                self.spaces[_INLINE_SEGMENTS[kind]].anonymous()

    def skip_address_type(self):
        if self.tokens.peek() in ("i32", "i64"):
            self.tokens.next()

    def declare_segment(self, kind):
        self.spaces[kind].bind(self.tokens)
        self.later(ModuleAssembler.define_segment, kind)

    def declare_export(self, keyword):
        self.later(ModuleAssembler.define_export)

    def declare_start(self, keyword):
        if self.sections["start"]:
            raise self.tokens.error("multiple start sections")
        self.sections["start"].append(b"")
        self.later(ModuleAssembler.define_start)

    # second pass: entries of sections

    def define_import(self, kind, names):
        self.import_entry(kind, names)
        self.tokens.close()

    def import_entry(self, kind, names):
        code = bytes([EXTERNAL_KINDS.index(kind)])
        self.sections["import"].append(names + code + _EXTERNAL_TYPES[kind](self))

    def define_export(self):
        tokens = self.tokens
        name = encode.name(tokens.name())
        tokens.expect("(")
        if tokens.peek() not in EXTERNAL_KINDS:
            raise tokens.unexpected()
        kind = tokens.next()
        self.export_entry(name, kind, self.spaces[kind].index(tokens))
        tokens.close()

    def export_entry(self, name, kind, index):
        self.sections["export"].append(name + bytes([EXTERNAL_KINDS.index(kind)]) + encode.uleb(index))

    def define_start(self):
        self.sections["start"] = [encode.uleb(self.spaces["func"].index(self.tokens))]

    def define_segment(self, kind):
        self.sections[kind].append(_SEGMENTS[kind](self))

    def define_item(self, kind, index):
        tokens = self.tokens
        while tokens.open("export"):
            self.export_entry(encode.name(tokens.name()), kind, index)
            tokens.close()
        if not tokens.open("import"):
            _DEFINE[kind](self, index)
            return
        names = encode.name(tokens.name()) + encode.name(tokens.name())
        tokens.close()
        self.import_entry(kind, names)

    def define_function(self, index):
        tokens, local_space = self.tokens, Space("local")
        self.sections["func"].append(encode.uleb(self.types.use(local_space)))
        local_types = []
        while tokens.open("local"):
            local_types += self.types.named(local_space, self.types.value_type)
        body = Body(self, local_space)
        body.sequence()
        runs = [encode.uleb(len(list(run))) + valtype for valtype, run in itertools.groupby(local_types)]
        head = encode.vector(runs)
        self.sections["code"].append(encode.sized(head + body.out + encode.END))
        if local_space.names:
            self.local_names[index] = local_space.names
        if body.hints:
            self.hints[index] = [(len(head) + offset, hint) for offset, hint in body.hints]

    def define_table(self, index):
        addr = self.address_type()
        if not self.tokens.at_natural():
            reftype = self.types.reference_type()
            segment, size = segments.inline_elem(self, index, addr, reftype)
            self.sections["elem"].append(segment)
            self.sections["table"].append(reftype + encode.limits(size, size, addr))
            return
        table_type = self.table_type(addr)
        if self.tokens.peek() == ")":
            self.sections["table"].append(table_type)
        else:
            self.sections["table"].append(TABLE_WITH_INIT + table_type + self.expression())

    def define_memory(self, index):
        addr = self.address_type()
        if not self.tokens.open("data"):
            self.sections["memory"].append(self.memory_type(addr))
            return
        contents = self.tokens.strings()
        self.tokens.close()
        pages = -(-len(contents) // PAGE)
        self.sections["memory"].append(encode.limits(pages, pages, addr))
        self.sections["data"].append(segments.active_data(index, segments.zero_offset(addr), contents))

    def define_global(self, index):
        self.sections["global"].append(self.global_type() + self.expression())

    def define_tag(self, index):
        self.sections["tag"].append(self.tag_type())

    def expression(self, folded=False):
        """A constant expression; if `folded` it is a single folded instruction."""
        body = Body(self)
        if folded:
            body.folded()
        else:
            body.sequence()
        return bytes(body.out) + encode.END

    # types of externals

    def function_type(self):
        return encode.uleb(self.types.use(Space("local")))

    def table_type(self, addr=None):
        addr = addr or self.address_type()
        bounds = encode.limits(*self.limits(), addr)
        return self.types.reference_type() + bounds

    def memory_type(self, addr=None):
        addr = addr or self.address_type()
        return encode.limits(*self.limits(), addr, self.tokens.take("shared"))

    def global_type(self):
        if not self.tokens.open("mut"):
            return self.types.value_type() + IMMUTABLE
        valtype = self.types.value_type()
        self.tokens.close()
        return valtype + MUTABLE

    def tag_type(self):
        return TAG_ATTRIBUTE + self.function_type()

    def address_type(self):
        return self.tokens.next() if self.tokens.peek() in ("i32", "i64") else "i32"

    def limits(self):
        """Minimum, and maximum or None."""
        minimum = self.tokens.natural(64)
        return minimum, self.tokens.natural(64) if self.tokens.at_natural() else None

    # the result

    def binary(self):
        """All sections, custom ones where they want to be."""
        self.sections["type"] = self.types.entries
        parts = [encode.MAGIC, self.placed("before", "first")]
        hints = annotations.branch_hint_section(self.hints)
        for kind, code in encode.SECTIONS.items():
            parts += [hints if kind == "code" else b"", self.placed("before", kind)]
            contents = self.section_contents(kind)
            if contents:
                parts.append(encode.section(code, contents))
            parts.append(self.placed("after", kind))
        fields = {index: space.names for index, space in enumerate(self.types.fields) if space and space.names}
        items = {kind: space.names for kind, space in self.spaces.items()}
        names = name_section(self.name, items, {"local": self.local_names, "field": fields})
        if any(title == "name" for title, *_ in self.customs):
            names = b""     # the text has it written out
        return b"".join([*parts, names, self.placed("after", "last")])

    def section_contents(self, kind):
        entries = self.sections[kind]
        if kind == "datacount":
            return encode.uleb(len(self.sections["data"])) if self.uses_data else b""
        if kind == "start":
            return b"".join(entries)
        return encode.vector(entries) if entries else b""

    def placed(self, *placement):
        return b"".join(section for _, where, section in self.customs if where == placement)


# what declares a field, by its keyword
FIELDS = {"type": ModuleAssembler.declare_type, "rec": ModuleAssembler.declare_group,
            "import": ModuleAssembler.declare_import, "export": ModuleAssembler.declare_export,
            "start": ModuleAssembler.declare_start, "elem": ModuleAssembler.declare_segment,
            "data": ModuleAssembler.declare_segment,
            **{kind: ModuleAssembler.declare_item for kind in EXTERNAL_KINDS}}
_DEFINE = {"func": ModuleAssembler.define_function, "table": ModuleAssembler.define_table,
           "memory": ModuleAssembler.define_memory, "global": ModuleAssembler.define_global,
           "tag": ModuleAssembler.define_tag}
_EXTERNAL_TYPES = {"func": ModuleAssembler.function_type, "table": ModuleAssembler.table_type,
                   "memory": ModuleAssembler.memory_type, "global": ModuleAssembler.global_type,
                   "tag": ModuleAssembler.tag_type}
_SEGMENTS = {"elem": segments.elem, "data": segments.data}
_INLINE_SEGMENTS = {"table": "elem", "memory": "data"}


def assemble_fields(tokens, identifier=None):
    """The binary of a module with the fields that come next. What uses a type by its number before it is there
    is understood in a second go."""
    start, written = tokens.position, dict(tokens.annotations)
    first = ModuleAssembler(tokens, identifier)
    binary = first.assemble()
    if not first.types.forward:
        return binary
    tokens.position, tokens.annotations = start, written
    return ModuleAssembler(tokens, identifier, first.types.signatures).assemble()


def assemble(source):
    """The binary of a module in text, `(module ...)` or only its fields; `source` is str or bytes."""
    tokens = lex(source)
    enclosed = tokens.open("module")
    binary = assemble_fields(tokens, tokens.identifier() if enclosed else None)
    if enclosed:
        tokens.close()
    tokens.expect("")
    return binary
