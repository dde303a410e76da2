"""Counters of an instance: how often functions were called, from where, and which instructions were executed.

Code with counters is a variant of a module's code (`config.CALLS`, `config.OPCODES`). A counter has a place by the byte offset
in the module of what it counts, so nothing is numbered: that of a function by the byte before its first instruction. Pages
are there once something on them is counted. Where the callee is only known when the call is made, a table counts pairs.

    INSTANCE_COUNTS -> [ calls, by offset ] [ straight runs of instructions, by offset ]
    before it:         [ calls that found no place in it ] [ hash table of (place of the call, FUNC, count) ]
"""
import collections
import ctypes

from pyjit_wasm import config
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.runtime import libc
from pyjit_wasm.runtime.layout import CALLEE, INSTANCE_COUNTS

TABLE = config.COUNTED_CALLEES * CALLEE.size
# behind these a new straight run begins: control may come from elsewhere or go elsewhere
RUN_ENDS = frozenset("""loop if else end br_if br_on_null br_on_non_null br_on_cast br_on_cast_fail try_table try catch catch_all
delegate call call_indirect call_ref""".split())
_NO_INSTRUCTIONS = frozenset(("end", "else", "catch", "catch_all", "delegate"))


def runs(body):
    """(whether a straight run begins there, op, immediate, offset) of (op, immediate, offset)s."""
    begins = True
    for op, imm, offset in body:
        yield begins, op, imm, offset
        begins = op.mnemonic in RUN_ENDS


class Places:
    """Where the counters of a module's instances are: bytes from INSTANCE_COUNTS on."""

    def __init__(self, module):
        codes = module.codes
        self._first = codes[0].start - 1 if codes else 0
        self.words = codes[-1].end - self._first if codes else 0

    def call(self, offset):
        """Of a call instruction, or of a function by the byte before its first instruction."""
        return 8 * (offset - self._first)

    def run(self, offset):
        """Of the run that begins with an instruction."""
        return 8 * (self.words + offset - self._first)


def start(instance):
    """Count from 0. Calls that are running may still count later, so counters stay where they are as long as the instance."""
    if instance.counters is None:
        instance.counters = Counters(instance)
    else:
        instance.counters.clear()


class Counters:
    """Those of a ModuleInstance, all 0."""

    def __init__(self, instance):
        self._module, self._first = instance.module, instance.module.imported_funcs
        self.places = Places(instance.module)
        self._memory = libc.pages(8 + TABLE + 16 * self.places.words, libc.SPARSE)
        self._words = memoryview(self._memory).cast("Q")
        self._start = 1 + TABLE // 8
        self._pin = ctypes.c_char.from_buffer(self._memory)
        ctypes.c_uint64.from_address(instance.address + INSTANCE_COUNTS).value = ctypes.addressof(self._pin) + 8 + TABLE

    def clear(self):
        """Back to 0."""
        libc.discard(ctypes.addressof(self._pin), len(self._memory))

    def _at(self, place):
        return self._words[self._start + place // 8]

    def calls(self):
        """{funcidx: how often it was called}, of defined functions that were."""
        found = {}
        for funcidx, code in enumerate(self._module.codes, self._first):
            count = self._at(self.places.call(code.start - 1))
            if count:
                found[funcidx] = count
        return found

    def edges(self):
        """{(caller's funcidx, callee's funcidx): calls} and, of indirect calls, {(caller's funcidx, callee's FUNC): calls}."""
        direct, indirect, callees = collections.Counter(), collections.Counter(), self._callees()
        for funcidx in self.calls():
            for op, imm, offset in self._body(funcidx):
                if op.mnemonic in ("call", "return_call"):
                    direct[funcidx, imm] += self._at(self.places.call(offset))
                for func, count in callees.get(offset, ()):
                    indirect[funcidx, func] += count
        return +direct, +indirect

    def opcodes(self):
        """{mnemonic: how often it was executed}. A run counts as a whole when it begins."""
        found = collections.Counter()
        for funcidx in self.calls():
            count = 0
            for begins, op, _, offset in runs(self._body(funcidx)):
                if begins:
                    count = self._at(self.places.run(offset))
                if op.mnemonic not in _NO_INSTRUCTIONS:
                    found[op.mnemonic] += count
        return {mnemonic: count for mnemonic, count in found.items() if count}

    def _body(self, funcidx):
        code = self._module.codes[funcidx - self._first]
        return instructions(self._module, code.start, code.end)

    def _callees(self):
        """{offset of the call: [(FUNC, count)]}"""
        found = collections.defaultdict(list)
        size = CALLEE.size // 8
        for index in range(config.COUNTED_CALLEES):
            place, func, count = self._words[1 + size * index:4 + size * index]
            if func:
                found[place // 8 + self.places._first].append((func, count))
        return found
