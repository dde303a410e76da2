"""What is in a module: sections, imports, exports, types, sizes, proposals used, the largest functions.

    from pyjit_wasm.inspection import inspect
    report = inspect("prog.wasm")
    print(report.proposals, report.largest[0].name)
"""
import dataclasses
import os

from pyjit_wasm import errors
from pyjit_wasm.binary import encode, sections
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.binary.types import functype, memtype, tagtype
from pyjit_wasm.engine import binary_of
from pyjit_wasm.features import proposals
from pyjit_wasm.module import Module
from pyjit_wasm.text.print_module import ModulePrinter
from pyjit_wasm.text.print_types import signature
from pyjit_wasm.types import FuncType
from pyjit_wasm.valid import validate


@dataclasses.dataclass(frozen=True)
class Section:
    """A section: `name` of the specification ("type", "custom"), a custom one's `title`, `offset` and `size` of its contents
    in bytes, `count` of its items or None."""

    name: str
    title: str | None
    offset: int
    size: int
    count: int | None


@dataclasses.dataclass(frozen=True)
class Extern:
    """An import or export: `module` (None of an export), `name`, `kind` ("func", "table", "memory", "global", "tag"), `index`
    in the space of that kind, and its `type` as in the text format; of functions and tags the parameters and results."""

    module: str | None
    name: str
    kind: str
    index: int
    type: str


@dataclasses.dataclass(frozen=True)
class Item:
    """An item of an index space: `index`, `name` or None, `type` as in the text format, whether it is `imported`."""

    index: int
    name: str | None
    type: str
    imported: bool


@dataclasses.dataclass(frozen=True)
class FunctionSize:
    """A defined function: `index`, `name` (or `$f<index>`), `bytes` and `instructions` of its body, `locals` without the
    parameters."""

    index: int
    name: str
    bytes: int
    instructions: int
    locals: int


@dataclasses.dataclass(frozen=True)
class Report:
    """A module: `name` from the name section or None; `size` in bytes; `invalid`: why it is, else None; `types`, how many;
    `functions`, how many are defined; `instructions` in all of them; `start`, index of the start function or None; `proposals`
    used (`features.PROPOSALS`); `largest` functions, by bytes."""

    name: str | None
    size: int
    invalid: str | None
    types: int
    functions: int
    instructions: int
    start: int | None
    proposals: tuple[str, ...]
    sections: tuple[Section, ...]
    imports: tuple[Extern, ...]
    exports: tuple[Extern, ...]
    memories: tuple[Item, ...]
    tables: tuple[Item, ...]
    globals: tuple[Item, ...]
    tags: tuple[Item, ...]
    largest: tuple[FunctionSize, ...]

    def as_dict(self) -> dict[str, object]:
        """The same as dicts, lists, strings, numbers and None, for `json.dumps`."""
        return dataclasses.asdict(self)


def inspect(source: bytes | str | os.PathLike[str], functions: int | None = 10) -> Report:
    """A Report on a module: bytes of a binary, WAT text, or a path; it need not be valid. `functions`: how many of the largest
    functions to name, None for all. Raises DecodeError, ParseError, OSError, and ValidationError for a type index without
    a type."""
    printer = ModulePrinter(binary_of(source))
    module, spaces = printer.module, _Spaces(printer)
    sizes = _function_sizes(module)
    return Report(
        module.names.module, len(module.data), _why_invalid(module), len(module.types), len(module.codes),
        sum(size.instructions for size in sizes), module.start, proposals(module), tuple(_sections(printer)),
        tuple(spaces.imports), tuple(spaces.export(item) for item in module.exports), spaces.items("memory"),
        spaces.items("table"), spaces.items("global"), spaces.items("tag"),
        tuple(sorted(sizes, key=lambda size: (-size.bytes, size.index))[:functions]))


def _why_invalid(module: Module) -> str | None:
    try:
        validate(module)
    except errors.ValidationError as error:
        return str(error)
    return None


def _function_sizes(module: Module) -> list[FunctionSize]:
    return [FunctionSize(index, module.function_name(index), code.end - code.start,
                         len(instructions(module, code.start, code.end)), sum(count for count, _ in code.locals))
            for index, code in enumerate(module.codes, module.imported_funcs)]


_NAMES = {code: name for name, code in encode.SECTIONS.items()}
_UNCOUNTED = ("start", "datacount")


def _sections(printer: ModulePrinter) -> list[Section]:
    found = []
    for section in printer.customs.layout:
        name = _NAMES.get(section.code, "custom")
        counted = section.title is None and name not in _UNCOUNTED
        count = Reader(printer.module.data, section.start).count() if counted else None
        found.append(Section(name, section.title, section.start, section.end - section.start, count))
    return found


class _Spaces:
    """The index spaces: `types` {kind: list of texts}, and the `imports`, read once more to say types by their indices."""

    def __init__(self, printer):
        self.printer, self.imports = printer, []
        self.types = {kind: [] for kind in sections.EXTERNAL_KINDS}
        for section in printer.customs.layout:
            read = _READERS.get(_NAMES.get(section.code))
            if read is not None:
                read(self, Reader(printer.module.data, section.start, printer.types.uses))
        self.imported = {kind: sum(item.kind == kind for item in self.imports) for kind in self.types}

    def add(self, type):
        """Add an item to the space of its kind: (kind, index, text of the type)."""
        kind, text = self.printer.external(type)
        comp = getattr(getattr(type, "deftype", type), "comp", None)    # of functions and tags
        if isinstance(comp, FuncType):
            text = " ".join(signature(comp))
        self.types[kind].append(text)
        return kind, len(self.types[kind]) - 1, text

    def import_(self, reader):
        item = sections.import_(reader)
        self.imports.append(Extern(item.module, item.name, *self.add(item.type)))

    def export(self, item):
        types = self.types[item.kind]
        return Extern(None, item.name, item.kind, item.index, types[item.index] if item.index < len(types) else "unknown")

    def items(self, kind):
        names = self.printer.names.items[kind].names
        return tuple(Item(index, names.get(index), type, index < self.imported[kind])
                     for index, type in enumerate(self.types[kind]))


def _each(read):
    """The reader of a section whose items have types that `read` finds."""
    def section(spaces, reader):
        for _ in range(reader.count()):
            spaces.add(read(reader))
    return section


def _import_section(spaces, reader):
    for _ in range(reader.count()):
        spaces.import_(reader)


_READERS = {
    "type": lambda spaces, reader: spaces.printer.type_section(reader), "import": _import_section, "func": _each(functype),
    "table": _each(lambda reader: sections.table(reader).type), "memory": _each(memtype), "tag": _each(tagtype),
    "global": _each(lambda reader: sections.global_(reader).type)}
