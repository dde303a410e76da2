"""How many bytes Python objects take, with what they hold (sys.getsizeof)."""
import sys
from array import array

from pyjit_wasm import module, types
from pyjit_wasm.binary import bulk
from pyjit_wasm.valid.bulk.facts import BulkFacts
from pyjit_wasm.valid.facts import Facts, ModuleFacts

_RECORDS = (module._Record, types._Value, types.DefType, types._Group, Facts, ModuleFacts, BulkFacts, bulk.Codes, bulk.Datas,
            bulk.FunctionReferences)
_PLAIN = (str, bytes, int, float, array)
_SEQUENCES = (tuple, list, set, frozenset)


def size_of(things, seen):
    """Bytes of objects and all that they hold: containers, numbers, strings and the records of modules. What is in `seen`, a
    set of ids, is not counted again, and what is counted is added to it."""
    total, waiting = 0, list(things)
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or not isinstance(thing, (*_PLAIN, *_SEQUENCES, dict, *_RECORDS)) or isinstance(thing, bool):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        waiting += _held(thing)
    return total


def _held(thing):
    """What an object refers to."""
    if isinstance(thing, _SEQUENCES):
        return thing
    if isinstance(thing, dict):
        return [*thing, *thing.values()]
    if isinstance(thing, _RECORDS):
        slots = [getattr(thing, name, None) for name in getattr(type(thing), "__slots__", ()) if name != "__weakref__"]
        return [*slots, *vars(thing).values()] if hasattr(thing, "__dict__") else slots
    return ()
