"""Types and type uses to text (spec 6.4, 6.6.4).

Types are read again with the text of a type index in place of the type, so that `str` of what is made
of them is their text, and an index stays what it was where several types are the same.
"""
from pyjit_wasm.binary.types import rectype
from pyjit_wasm.text.print_names import NO_NAMES
from pyjit_wasm.types import ArrayType, FuncType


class TypeUse(str):
    """A type index or identifier; `comp` is the composite type."""

    comp = None


class Types:
    """The types of a module: `uses` are their TypeUses, `identifiers` an Identifiers and `fields` one for each type
    index with named fields."""

    def __init__(self, count, identifiers, fields):
        self.identifiers, self.fields = identifiers, fields
        self.uses = [TypeUse(identifiers[index]) for index in range(count)]
        self.defined = 0

    def group(self, reader):
        """The lines of the recursive group that comes next in the type section."""
        lines = [self.definition(subtype) for subtype in rectype(reader)]
        return lines if len(lines) == 1 else ["(rec", *[f"  {line}" for line in lines], ")"]

    def definition(self, subtype):
        index = self.defined
        self.defined += 1
        self.uses[index].comp = subtype.comp
        text = self.composite(subtype.comp, index)
        if subtype.supers or not subtype.final:
            text = f"(sub {' '.join([*['final'] * subtype.final, *subtype.supers, text])})"
        return f"(type {self.identifiers.numbered(index)} {text})"

    def composite(self, comp, index):
        if isinstance(comp, FuncType):
            return f"({' '.join(['func', *signature(comp)])})"
        if isinstance(comp, ArrayType):
            return f"(array {field_type(comp.field)})"
        types = [field_type(field) for field in comp.fields]
        return f"({' '.join(['struct', *declarations('field', types, self.fields.get(index, NO_NAMES))])})"

    def use(self, index):
        """A type use by index, even if there is no such type."""
        return self.spelled(self.uses[index]) if index < len(self.uses) else f"(type {index})"

    def spelled(self, use, params=NO_NAMES):
        """A type use with its signature if there is one; `params` are the Identifiers of parameters."""
        comp = use.comp
        return " ".join([f"(type {use})", *(signature(comp, params) if isinstance(comp, FuncType) else ())])


def field_type(field):
    return f"(mut {field.storage})" if field.mutable else str(field.storage)


def signature(comp, params=NO_NAMES):
    """`(param ...)* (result ...)?` as a list."""
    results = [f"(result {' '.join(map(str, comp.results))})"] if comp.results else []
    return [*declarations("param", comp.params, params), *results]


def declarations(keyword, types, identifiers, first=0):
    """`(keyword type)` for each item with a name, `(keyword type*)` for each run of others. Their indices are from
    `first` on."""
    found, run = [], []
    for index, valtype in enumerate(types, first):
        if index in identifiers.names:
            found += [_declaration(keyword, run), f"({keyword} {identifiers.bound(index)} {valtype})"]
            run = []
        else:
            run.append(valtype)
    return [text for text in (*found, _declaration(keyword, run)) if text]


def _declaration(keyword, types):
    return f"({keyword} {' '.join(map(str, types))})" if types else ""
