"""Module: the abstract syntax of spec chapter 2.5, immutable, made by the binary decoder.

Index spaces hold imports first. Function bodies stay encoded: a `Code` knows where in `data` its
instructions are, and `binary.body.instructions` decodes them when somebody needs them.
"""
from pyjit_wasm.types import DefType


class _Record:
    """A plain record: fields are `__slots__`, given in that order or by keyword."""

    __slots__ = ()

    def __init__(self, *values, **named):
        for name, value in zip(self.__slots__, values):
            setattr(self, name, value)
        for name, value in named.items():
            setattr(self, name, value)

    def __repr__(self):
        fields = ", ".join(f"{n}={getattr(self, n, None)!r}" for n in self.__slots__)
        return f"{type(self).__name__}({fields})"


class Import(_Record):
    """`module`, `name`: str; `type`: DefType (function), TableType, MemType, GlobalType, TagType."""

    __slots__ = ("module", "name", "type")


class Export(_Record):
    """`name`: str; `kind`: "func", "table", "memory", "global" or "tag"; `index`: int."""

    __slots__ = ("name", "kind", "index")


class Code(_Record):
    """A function body: `locals` is a tuple of (count, valtype) runs without the parameters; the
    instructions, final `end` included, are `module.data[start:end]`."""

    __slots__ = ("locals", "start", "end")


class Table(_Record):
    """A defined table: `type` TableType, `init` a constant expression or None (null)."""

    __slots__ = ("type", "init")


class Global(_Record):
    """A defined global: `type` GlobalType, `init` a constant expression."""

    __slots__ = ("type", "init")


class Elem(_Record):
    """Element segment: `reftype`, `inits` tuple of constant expressions, `mode` "active", "passive"
    or "declarative", and for active ones `table` (index) and `offset` (constant expression)."""

    __slots__ = ("reftype", "inits", "mode", "table", "offset")


class Data(_Record):
    """Data segment: bytes are `module.data[start:end]`; `mode` "active" or "passive"; for active
    ones `memory` (index) and `offset` (constant expression)."""

    __slots__ = ("start", "end", "mode", "memory", "offset")


class Names(_Record):
    """The `name` section (spec appendix): `module` str or None; `funcs` {funcidx: str};
    `locals` {funcidx: {localidx: str}}."""

    __slots__ = ("module", "funcs", "locals")


class Module(_Record):
    """A module. Sequences are tuples, or of a large module make their items when somebody looks (`binary.bulk`).

    types: tuple of DefType. imports: tuple of Import. funcs: DefType of every function, tables:
    TableType, mems: MemType, globals: GlobalType, tags: TagType of every item, imports first.
    codes, table_defs, global_defs: Code, Table, Global of the defined ones. exports, elems, datas:
    tuples. start: funcidx or None. read_names: gives the Names. customs: tuple of (name, bytes). data: the binary.
    declared: frozenset of funcidx that `ref.func` may use (spec 3.4.14). data_count: what the data count section says,
    or None. positions: what is known of the source text (`source.positions`), or None.

    A constant expression is a list of instructions as `binary.body` decodes them, without `end`.
    """

    __slots__ = ("types", "imports", "funcs", "tables", "mems", "globals", "tags", "codes",
                 "table_defs", "global_defs", "exports", "elems", "datas", "start", "read_names",
                 "customs", "data", "declared", "data_count", "positions", "_names", "_linked", "_numbers")

    @property
    def names(self):
        """The Names, read when they are first wanted."""
        if not hasattr(self, "_names"):
            self._names = self.read_names()
        return self._names

    @property
    def imported_funcs(self):
        """How many functions are imported."""
        return len(self.funcs) - len(self.codes)

    def function_name(self, funcidx):
        """From the name section, the import, the export, else `$f<idx>` (WAMR's order)."""
        name = self.names.funcs.get(funcidx)
        return self._linked_names.get(funcidx, f"$f{funcidx}") if name is None else name

    @property
    def _linked_names(self):
        """{funcidx: name} of imported and exported functions."""
        if not hasattr(self, "_linked"):
            linked = {export.index: export.name for export in reversed(self.exports) if export.kind == "func"}
            imported = [i for i in self.imports if isinstance(i.type, DefType)]
            linked.update((funcidx, f"{i.module}.{i.name}") for funcidx, i in enumerate(imported))
            self._linked = linked
        return self._linked

    def named_function(self, name):
        """The first function that has the name in the name section, or None."""
        if not hasattr(self, "_numbers"):
            self._numbers = {name: funcidx for funcidx, name in reversed(self.names.funcs.items())}
        return self._numbers.get(name)
