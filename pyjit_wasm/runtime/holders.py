"""Where references can be: tables, globals and element segments; and the functions that Python has put into them.

A function that Python gives to wasm is kept by what it is given to, in `passed`, because it may be stored anywhere from
there. Of a host function nothing but its address matters, so `runtime.collector` finds out when it has gone.
"""
import weakref

from pyjit_wasm import config
from pyjit_wasm.runtime import libc, process
from pyjit_wasm.runtime.layout import RUNTIME
from pyjit_wasm.types import RefType

# by `id`; copies of the lists of references are made in one go, while other threads add to them
_holders = libc.permanent(weakref.WeakValueDictionary())    # `references()` gives (address, number of words) of each
_givers = libc.permanent(weakref.WeakValueDictionary())     # what has host functions in `passed`
_latest = [None]


def note(inst, valtype):
    """A table or global has just been made, which may hold references of that type."""
    if isinstance(valtype, RefType) and valtype.heap not in ("extern", "noextern"):
        add(inst)


def add(inst):
    """The same, without a question."""
    _holders[id(inst)] = inst
    changed()


def changed():
    """There is another place for references."""
    _latest[0] = object()


def last_change():
    """An object that stands for it."""
    return _latest[0]


def all():
    return _alive(_holders)


def _alive(things):
    return [thing for reference in things.valuerefs() if (thing := reference()) is not None]


def keep(holder, function):
    """Make a holder keep a function, a FuncInst or HostFunc, that it gets a reference to."""
    if function.address not in holder.passed and hasattr(function, "passed"):
        process.put(RUNTIME.held_count, process.get(RUNTIME.held_count) + config.HOST_FUNCTION_WEIGHT)
        _givers[id(holder)] = holder
    holder.passed[function.address] = function


def take_passed():
    """{holder: its host functions}, by address, which it does not have itself until `put_passed`."""
    taken = {}
    for holder in _alive(_givers):
        taken[holder], holder.passed = holder.passed, {}
    return taken


def forget(taken, marked):
    """Remove the host functions whose addresses are not in `marked`; how many are left. What one of them has given is kept by
    what has kept it."""
    left = 0
    for passed in taken.values():
        for address, function in list(passed.items()):
            if hasattr(function, "passed"):
                left += address in marked
                if address not in marked:
                    del passed[address]
                    passed.update({**taken.get(function, {}), **function.passed})
    return left


def put_passed(taken):
    """Undo `take_passed`, of what is left."""
    for holder, passed in taken.items():
        given, holder.passed = holder.passed, passed
        passed.update(given)    # meanwhile
