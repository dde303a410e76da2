"""Counts calls of instances while a profile is open: they run the variant of their code that has counters."""
import ctypes
import time

from pyjit_wasm.config import CALLS, OPCODES, PLAIN
from pyjit_wasm.profiling.counts import Counts, TierEvent
from pyjit_wasm.profiling.places import Place
from pyjit_wasm.runtime import counts, trace
from pyjit_wasm.runtime.layout import FUNC
from pyjit_wasm.runtime.store import HostFunc, host_functions
from pyjit_wasm.tiering import events


class Counting:
    """Counts what runtime instances do from now on; `opcodes`: instructions too. RuntimeError if one is counted already."""

    def __init__(self, instances, opcodes):
        self._instances, self._opcodes, self._began = list(instances), opcodes, time.monotonic_ns()
        if any(instance.code.variant != PLAIN for instance in self._instances):
            raise RuntimeError("this instance is being counted or stepped already")
        self._events = []
        events.listeners.append(self._note)
        for instance in self._instances:
            counts.start(instance)
            instance.code.in_variant(OPCODES if opcodes else CALLS).adopt(instance)

    def _note(self, end, kind, module, functions, reason, seconds, size, from_cache):
        names = tuple([module.function_name(funcidx) for funcidx in functions])
        self._events.append(TierEvent(end - self._began, kind, names, reason, seconds, size, from_cache))

    def stop(self):
        """Count no more; `Counts`."""
        events.listeners.remove(self._note)
        for instance in self._instances:
            instance.code.in_variant(PLAIN).adopt(instance)
        found = Counts(opcodes={} if self._opcodes else None, events=self._events)
        for instance in self._instances:
            _add(found, instance)
        return found


def _add(found, instance):
    """Add what was counted of an instance."""
    def place(funcidx):
        return function_place(instance, funcidx)

    counters = instance.counters
    for funcidx, count in counters.calls().items():
        _count(found.calls, place(funcidx), count)
    direct, indirect = counters.edges()
    edges = [(caller, place(callee), count) for (caller, callee), count in direct.items()]
    edges += [(caller, _place_at(instance, func), count) for (caller, func), count in indirect.items()]
    for caller, callee, count in edges:
        _count(found.edges, (place(caller), callee), count)
        if callee.kind == "host":
            _count(found.calls, callee, count)
    if found.opcodes is not None:
        for mnemonic, count in counters.opcodes().items():
            _count(found.opcodes, mnemonic, count)


def _count(numbers, key, count):
    numbers[key] = numbers.get(key, 0) + count


def function_place(instance, funcidx):
    """The Place of a function of an instance; an imported one's is where it comes from."""
    if funcidx >= len(instance.funcs):
        return wasm_place(instance.module, funcidx)
    function = instance.funcs[funcidx]
    if isinstance(function, HostFunc):
        return Place("host", instance.module.function_name(funcidx))
    owner = function.owner
    return function_place(owner, ctypes.c_uint64.from_address(function.address + FUNC.host).value)


def wasm_place(module, funcidx):
    """The Place of a function that a module defines, as samples in its first instruction have it."""
    code = module.codes[funcidx - module.imported_funcs]
    *_, frame = trace.in_source(module, funcidx, module.function_name(funcidx), code.start)
    return Place("wasm", frame.name, frame.file or "", None, module.names.module or "", funcidx)


def _place_at(instance, func):
    """The Place of the function whose FUNC is at an address; it may be gone."""
    index, rest = divmod(func - instance.address - instance.layout.first_func, FUNC.size)
    if not rest and 0 <= index < len(instance.module.codes):
        return wasm_place(instance.module, index + len(instance.funcs))
    for funcidx, function in enumerate(instance.funcs):
        if function.address == func:
            return function_place(instance, funcidx)
    host = host_functions.get(func)
    return Place("host", host.name if host else "a function of another instance")
