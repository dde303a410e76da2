"""How long instances live that share function references: a reference is a bare address, so whatever can
hold one keeps the instances that may have put theirs there. An exception's payload can hold one, so what holds references
to exceptions does."""
from pyjit_wasm.runtime.store import FuncInst, GlobalInst, TableInst
from pyjit_wasm.types import RefType

_EXTERNAL = ("extern", "noextern")  # those point at Python objects, which `store.externs` keeps


def writes_references(module, facts):
    """Whether a module can put references into tables or globals, by segments or by code."""
    return facts.writes_references or any(elem.mode == "active" for elem in module.elems)


def keep_alive(instance, imports):
    """Make imported tables, globals and functions keep `instance` if it may give them references."""
    for item in imports:
        if isinstance(item, FuncInst):
            if any(map(_reaches_functions, item.deftype.comp.params)):
                item.owner.keep.append(instance)
        elif _holds_functions(item) and instance.code.writes_references:
            item.keepers.append(instance)


def keep_owner(instance, item):
    """Make a table of `instance` that others get to see keep it. (A global cell is part of its instance.)"""
    if isinstance(item, TableInst) and _holds_functions(item):
        item.keepers.append(instance)


def _holds_functions(item):
    if isinstance(item, TableInst):
        return _reaches_functions(item.type.elem)
    return isinstance(item, GlobalInst) and item.type.mutable and _reaches_functions(item.type.valtype)


def _reaches_functions(valtype):
    return isinstance(valtype, RefType) and valtype.heap not in _EXTERNAL
