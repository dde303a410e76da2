"""Modules to text (spec 6.6): the sections of a binary, one after the other, as fields.

The binary is read once more, because a `Module` does not have all that text can say: which of several equal types
is meant, and where custom sections are.
"""
import collections

from pyjit_wasm.binary import encode, sections
from pyjit_wasm.binary.body import expression
from pyjit_wasm.binary.decode import CUSTOM, decode
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.binary.types import functype, memtype, tagtype, valtype
from pyjit_wasm.text import print_segments
from pyjit_wasm.text.print_body import Body
from pyjit_wasm.text.print_customs import Customs
from pyjit_wasm.text.print_lines import INDENT
from pyjit_wasm.text.print_literals import identifier, name
from pyjit_wasm.text.print_names import NO_NAMES, Names
from pyjit_wasm.text.print_types import Types, TypeUse, declarations
from pyjit_wasm.types import GlobalType, MemType, TableType, TagType


class ModulePrinter:
    """Prints a binary as `lines`; `counts` has how many items of each index space there have been. `read_bodies`: as for
    `decode`."""

    def __init__(self, data, read_bodies=True):
        self.module = decode(data, read_bodies)
        self.names = Names(self.module)
        self.spaces = self.names.items | {"local": NO_NAMES}
        self.types = Types(len(self.module.types), self.spaces["type"], self.names.fields)
        self.body = Body(self.types, self.spaces)
        self.customs = Customs(self.module, self.names)
        self.counts = collections.Counter()
        self.signatures = iter(())
        self.lines = []

    def text(self):
        """The whole module, `(module ...)`."""
        for section in self.customs.layout:
            if section.code == CUSTOM:
                self.add(self.customs.lines(section))
            else:
                _SECTIONS[section.code](self, Reader(self.module.data, section.start, self.types.uses))
        head = self.head()
        return "\n".join([head, *self.lines, ")", ""]) if self.lines else f"{head})\n"

    def head(self):
        title = self.names.module
        if title is None:
            return "(module"
        return f"(module {identifier(title)}" if title else '(module (@name "")'

    def add(self, lines):
        """Add the lines of a field."""
        self.lines += [INDENT + line for line in lines]

    def binding(self, kind):
        """What the next item of an index space is called, and its index."""
        index = self.next(kind)
        return self.spaces[kind].numbered(index)

    def next(self, kind):
        index = self.counts[kind]
        self.counts[kind] += 1
        return index

    # sections

    def type_section(self, reader):
        for _ in range(reader.count()):
            self.add(self.types.group(reader))

    def import_(self, reader):
        item = sections.import_(reader)
        kind, text = self.external(item.type)
        names = f"{name(item.module)} {name(item.name)}"
        self.add([f"(import {names} ({kind} {self.binding(kind)} {text}))"])

    def function_section(self, reader):
        self.signatures = iter(reader.vec(functype))

    def table(self, reader):
        table = sections.table(reader)
        init = "" if table.init is None else " " + self.body.expression(table.init)
        self.add([f"(table {self.binding('table')} {self.table_type(table.type)}{init})"])

    def memory(self, reader):
        self.add([f"(memory {self.binding('memory')} {self.memory_type(memtype(reader))})"])

    def tag(self, reader):
        self.add([f"(tag {self.binding('tag')} {self.tag_type(tagtype(reader))})"])

    def global_(self, reader):
        item = sections.global_(reader)
        init = self.body.expression(item.init)
        self.add([f"(global {self.binding('global')} {self.global_type(item.type)} {init})"])

    def export(self, reader):
        item = sections.export(reader)
        self.add([f"(export {name(item.name)} ({item.kind} {self.spaces[item.kind][item.index]}))"])

    def start(self, reader):
        self.add([f"(start {self.spaces['func'][reader.u32()]})"])

    def elem(self, reader):
        self.add(print_segments.elem(self.body, self.binding("elem"), reader))

    def data_count(self, reader):
        """The text says it by the data segments themselves."""

    def data(self, reader):
        self.add(print_segments.data(self.body, self.binding("data"), reader))

    def function(self, reader):
        reader.size()
        runs = reader.vec(lambda reader: (reader.u32(), valtype(reader)))
        index = self.counts["func"]
        local_names = self.names.locals.get(index, NO_NAMES)
        use = next(self.signatures)
        head = f"(func {self.binding('func')} {self.types.spelled(use, local_names)}"
        local_types = [valtype for count, valtype in runs for _ in range(count)]
        variables = declarations("local", local_types, local_names, len(use.comp.params))
        body = Body(self.types, self.spaces | {"local": local_names})
        lines = [INDENT + " ".join(variables)] * bool(variables)
        lines += body.lines(expression(reader)[:-1], self.customs.hints, 1)
        self.add([head, *lines, ")"] if lines else [f"{head})"])

    # types of externals

    def external(self, item):
        """(kind, text) of the type of an import or of an item of an index space; a function's is a TypeUse."""
        kind, spelled = _EXTERNAL[type(item)]
        return kind, spelled(self, item)

    def function_type(self, use):
        return self.types.spelled(use)

    def table_type(self, item):
        return f"{limits(item)} {item.elem}"

    def memory_type(self, item):
        return limits(item) + " shared" * item.shared

    def global_type(self, item):
        return f"(mut {item.valtype})" if item.mutable else str(item.valtype)

    def tag_type(self, item):
        return self.types.spelled(item.deftype)


def limits(item):
    """Address type and limits of a memory or table type."""
    words = ["i64"] * (item.addr == "i64") + [str(item.limits.min)]
    return " ".join(words if item.limits.max is None else [*words, str(item.limits.max)])


def each(item):
    """The printer of a section that is a vector of items."""
    def section(printer, reader):
        for _ in range(reader.count()):
            item(printer, reader)
    return section


_EXTERNAL = {TypeUse: ("func", ModulePrinter.function_type), TableType: ("table", ModulePrinter.table_type),
             MemType: ("memory", ModulePrinter.memory_type), GlobalType: ("global", ModulePrinter.global_type),
             TagType: ("tag", ModulePrinter.tag_type)}
_SECTIONS = {encode.SECTIONS[section]: method for section, method in (
    ("type", ModulePrinter.type_section), ("import", each(ModulePrinter.import_)),
    ("func", ModulePrinter.function_section), ("table", each(ModulePrinter.table)),
    ("memory", each(ModulePrinter.memory)), ("tag", each(ModulePrinter.tag)),
    ("global", each(ModulePrinter.global_)), ("export", each(ModulePrinter.export)),
    ("start", ModulePrinter.start), ("elem", each(ModulePrinter.elem)), ("datacount", ModulePrinter.data_count),
    ("code", each(ModulePrinter.function)), ("data", each(ModulePrinter.data)))}
