"""Validation of modules (spec 3.5)."""
from pyjit_wasm.binary.bulk import Datas, FunctionReferences
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.types import matches
from pyjit_wasm.valid.body import lookup
from pyjit_wasm.valid.facts import ModuleFacts
from pyjit_wasm.valid.function import check_constant, check_function
from pyjit_wasm.valid.types import check_default, check_memory, check_table, check_tag, check_types


def validate(module, check_functions=None):
    """Check that the module is valid, else raise ValidationError; the ModuleFacts. `check_functions(module)` checks the
    functions and gives their facts, where not all are to be checked one by one."""
    check_types(module.types)
    for checked, types in ((check_tag, module.tags), (check_table, module.tables), (check_memory, module.mems)):
        for type_ in types:
            checked(type_)
    imported = len(module.globals) - len(module.global_defs)
    check_tables(module, imported)
    check_globals(module, imported)
    check_segments(module)
    check_start(module)
    check_exports(module)
    if check_functions is not None:
        return check_functions(module)
    functions = zip(module.funcs[module.imported_funcs:], module.codes, strict=True)
    return ModuleFacts(check_function(module, deftype, code) for deftype, code in functions)


def check_tables(module, imported):
    for table in module.table_defs:
        if table.init is None:
            check_default(table.type.elem)
        else:
            check_constant(module, imported, table.init, table.type.elem)


def check_globals(module, imported):
    """An initial value may refer to the globals before."""
    for index, global_ in enumerate(module.global_defs, imported):
        check_constant(module, index, global_.init, global_.type.valtype)


def check_segments(module):
    globals_ = len(module.globals)
    for elem in module.elems:
        for init in _representative(elem.inits, len(module.funcs)):
            check_constant(module, globals_, init, elem.reftype)
        if elem.mode == "active":
            table = lookup(module.tables, elem.table, "table")
            if not matches(elem.reftype, table.elem):
                raise ValidationError(f"type mismatch: element segment's type {elem.reftype} does not match "
                                      f"{table.elem}")
            check_constant(module, globals_, elem.offset, table.addr)
    for data in module.datas.first_active if isinstance(module.datas, Datas) else module.datas:
        if data.mode == "active":
            memory = lookup(module.mems, data.memory, "memory")
            check_constant(module, globals_, data.offset, memory.addr)


def _representative(inits, functions):
    """Expressions that say whether all are valid: of references to functions that there are, one."""
    if isinstance(inits, FunctionReferences) and max(inits.indices) < functions:
        return [inits[0]]
    return inits


def check_start(module):
    if module.start is None:
        return
    comp = lookup(module.funcs, module.start, "function").comp
    if comp.params or comp.results:
        raise ValidationError("start function must have type [] -> []")


def check_exports(module):
    spaces = {"func": (module.funcs, "function"), "table": (module.tables, "table"),
              "memory": (module.mems, "memory"), "global": (module.globals, "global"), "tag": (module.tags, "tag")}
    seen = set()
    for export in module.exports:
        space, what = spaces[export.kind]
        lookup(space, export.index, what)
        if export.name in seen:
            raise ValidationError(f"duplicate export name {export.name!r}")
        seen.add(export.name)
