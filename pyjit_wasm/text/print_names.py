"""Identifiers for a module in text, from its `name` section.

Identifiers and `(@name ...)` annotations can say all that the assembler's own `name` sections say. `Names.section`
is what it will make of them, to be compared with the section that is there.
"""
from pyjit_wasm.binary import names as binary_names
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.text import print_literals
from pyjit_wasm.text.names import INDIRECT_SUBSECTIONS, NAME_SUBSECTIONS, name_section
from pyjit_wasm.types import StructType

READERS = {binary_names.MODULE: Reader.name,
           **dict.fromkeys(NAME_SUBSECTIONS.values(), binary_names.name_map),
           **dict.fromkeys(INDIRECT_SUBSECTIONS.values(), binary_names.indirect_name_map)}


class Identifiers(dict):
    """Of one index space, by index: unique and valid. The number stands for what has none. `names`: {index: name}."""

    def __init__(self, names):
        self.names = names
        taken, bound = set(names.values()), set()
        for index, name in sorted(names.items()):
            unique = name
            if name in bound:
                unique = f"{name}.{index}"
                while unique in taken:
                    unique += "_"
                taken.add(unique)
            if name:
                self[index] = print_literals.identifier(unique)
                bound.add(unique)

    def __missing__(self, index):
        return str(index)

    def bound(self, index):
        """The identifier where an item is defined, with an annotation if it is not the name, or nothing."""
        name, identifier = self.names.get(index), self.get(index, "")
        if name is None or name and identifier == print_literals.identifier(name):
            return identifier
        return f"{identifier} (@name {print_literals.name(name)})".lstrip()

    def numbered(self, index):
        """The same and the index as a comment."""
        return f"{self.bound(index)} (;{index};)".lstrip()


NO_NAMES = Identifiers({})


class Names:
    """Of a decoded module: its name `module` or None; `items` {kind: Identifiers}; `locals` and `fields`
    Identifiers by function and type index; `section`: the encoded `name` section that says the same."""

    def __init__(self, module):
        found = binary_names.parts(dict(module.customs).get("name"), READERS)
        self.module = found.get(binary_names.MODULE)
        items = {kind: _below(count, found.get(NAME_SUBSECTIONS[kind], {}))
                 for kind, count in _counts(module).items()}
        indirect = {kind: _inner(counts, found.get(INDIRECT_SUBSECTIONS[kind], {}))
                    for kind, counts in (("local", _locals(module)), ("field", _fields(module)))}
        self.section = name_section(self.module, items, indirect)
        self.items = {kind: Identifiers(names) for kind, names in items.items()}
        self.locals, self.fields = ({index: Identifiers(names) for index, names in indirect[kind].items()}
                                    for kind in ("local", "field"))


def _counts(module):
    """How many items there are of each kind."""
    return {"func": len(module.funcs), "type": len(module.types), "table": len(module.tables),
            "memory": len(module.mems), "global": len(module.globals), "elem": len(module.elems),
            "data": len(module.datas), "tag": len(module.tags)}


def _locals(module):
    """{function index: number of parameters and locals} of the defined functions."""
    first = module.imported_funcs
    return {index: len(deftype.comp.params) + sum(count for count, _ in code.locals)
            for index, (deftype, code) in enumerate(zip(module.funcs[first:], module.codes), first)}


def _fields(module):
    """{type index: number of fields} of the structures."""
    return {index: len(deftype.comp.fields) for index, deftype in enumerate(module.types)
            if isinstance(deftype.comp, StructType)}


def _below(count, names):
    return {index: name for index, name in names.items() if index < count}


def _inner(counts, maps):
    """The names of what there is; items without any are left out."""
    kept = {index: _below(counts.get(index, 0), names) for index, names in maps.items()}
    return {index: names for index, names in kept.items() if names}
