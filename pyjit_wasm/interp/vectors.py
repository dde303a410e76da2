"""Handlers of vector forms that come from no row, which SPECIAL at the end names."""
from pyjit_wasm.codegen.text import VECTOR
from pyjit_wasm.interp import calls, special

_BYTES = "<16 x i8>"
_PICK = "call <16 x i8> @llvm.x86.ssse3.pshuf.b.128"


def const_vector(h):
    h.store(VECTOR, h.load(VECTOR, "%ip", h.form.offsets[1]), h.slot(0))
    h.dispatch()


def shuffle(h):
    """Each lane number picks from the first vector or from the second; where its top bit is set, zero."""
    lanes = h.let(f"bitcast {VECTOR} {h.load(VECTOR, '%ip', h.form.offsets[3])} to {_BYTES}")
    beyond = h.let(f"call {_BYTES} @llvm.uadd.sat.v16i8({_BYTES} {lanes}, {_BYTES} splat (i8 112))")
    before = h.let(f"sub {_BYTES} {lanes}, splat (i8 16)")
    first, second = (h.let(f"bitcast {VECTOR} {h.value(i, VECTOR)} to {_BYTES}") for i in (1, 2))
    left = h.let(f"{_PICK}({_BYTES} {first}, {_BYTES} {beyond})")
    right = h.let(f"{_PICK}({_BYTES} {second}, {_BYTES} {before})")
    both = h.let(f"or {_BYTES} {left}, {right}")
    h.store(VECTOR, h.let(f"bitcast {_BYTES} {both} to {VECTOR}"), h.slot(0))
    h.dispatch()


SPECIAL = {
    "return.v": calls.return_slot, "copy.v": special.copy, "const.v": const_vector, "select.v": special.select,
    "shuffle": shuffle, "global.get.v": special.global_get, "global.get.import.v": special.global_get_import,
    "global.set.v": special.global_set, "global.set.import.v": special.global_set_import,
}
