"""How long instances live that share function references: a reference is a bare address, so whatever can
hold one keeps the instances that may have put theirs there. An exception's payload can hold one, so what holds references
to exceptions does.

An instance can also give its functions away as arguments of functions that it has references to. Who has such a function keeps
the places where it may have been found (`made_known`), and these keep whoever may find it there and call it.
"""
from pyjit_wasm.runtime.exceptions import TagInst
from pyjit_wasm.runtime.store import FuncInst, GlobalInst, HostFunc, TableInst
from pyjit_wasm.types import FuncType, RefType

_EXTERNAL = ("extern", "noextern")  # those point at Python objects, which `store.externs` keeps


def writes_references(module, facts):
    """Whether a module can put references into tables or globals, by segments or by code, or give them to functions that it
    has references to."""
    return facts.writes_references or any(elem.mode == "active" for elem in module.elems) or any(
        isinstance(deftype.comp, FuncType) and _any_reach(deftype.comp.params) for deftype in module.types)


def keep_alive(instance, imports):
    """Make imported tables, globals, tags and functions keep `instance` if it may give them references, or to what they
    refer to."""
    for item in imports:
        if isinstance(item, FuncInst):
            if _any_reach(item.deftype.comp.params) or _is_source(item) and instance.code.writes_references:
                item.owner.keep.append(instance)
        elif _is_source(item) and instance.code.writes_references:
            item.keepers.append(instance)


def keep_owner(instance, item):
    """Make a table of `instance` that others get to see keep it. (A global cell is part of its instance.)"""
    if isinstance(item, TableInst) and _is_source(item):
        item.keepers.append(instance)


def made_known(function, holder):
    """Python puts a FuncInst where others may find it, and call it with references or for some: its instance keeps the place."""
    comp = function.deftype.comp
    if _any_reach((*comp.params, *comp.results)):
        function.owner.keep.append(holder)


def _is_source(item):
    """Whether references to functions can be found there."""
    if isinstance(item, TableInst):
        return _reaches_functions(item.type.elem)
    if isinstance(item, GlobalInst):
        return _reaches_functions(item.type.valtype)
    if isinstance(item, TagInst):
        return _any_reach(item.type.deftype.comp.params)
    return isinstance(item, (FuncInst, HostFunc)) and _any_reach(item.deftype.comp.results)


def _any_reach(valtypes):
    return any(map(_reaches_functions, valtypes))


def _reaches_functions(valtype):
    return isinstance(valtype, RefType) and valtype.heap not in _EXTERNAL
