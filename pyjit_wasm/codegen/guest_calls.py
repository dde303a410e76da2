"""What code in the guest arena may call outside of it, with the reason why that is safe: compiled functions and the
interpreter's handlers. Signal handlers cannot make a trap of a fault in there, nor leave it, so it must neither fault nor
take long. Code that wants anything else is not loaded: LLVM calls the C library where nobody asked for it.
"""
from pyjit_wasm.runtime import libc

_LEAVES = "does not come back, or asks Python, which runs as a callee of the host"
_CHECKED = "its bounds are checked before it begins, and it looks for signals every few MiB"
_SHORT = "touches its own structures only, and is short"
_NUMBERS = "computes with registers only, and is short"

# what the support object has
SUPPORT = {
    **dict.fromkeys(("rt_trap", "rt_trap_at", "rt_throw", "rt_service", "rt_other_type", "rt_hold_exception",
                     "rt_drop_exception"), _LEAVES),
    **dict.fromkeys(("rt_memory_fill", "rt_memory_copy", "rt_memory_init", "rt_move", "rt_fill", "rt_table_fill", "rt_table_copy", "rt_table_init"),
                    _CHECKED),
    **dict.fromkeys(("rt_probe", "rt_note_throw", "rt_note_throw_at", "rt_new_exception", "rt_count_call"), _SHORT),
    **dict.fromkeys(("__udivti3", "__umodti3"), _NUMBERS),  # counts of iterations
    "runtime": "data: the words of the runtime",
}
# what the C library has: rounding, which processors without SSE4.1 cannot do themselves
ROUNDING = dict.fromkeys(("ceil", "ceilf", "floor", "floorf", "trunc", "truncf", "rint", "rintf", "nearbyint", "nearbyintf",
                          "roundeven", "roundevenf"), _NUMBERS)
HANDLERS = {"memmove": "arguments of a tail call, inside the stack buffer, and there is room for them"}


def support(externals):
    """The part of `native.externals` that guest code may link to."""
    return {name: externals[name] for name in SUPPORT if name in externals}


def of_units(name):
    """Address of something in the C library for a compiled unit; KeyError if it may not be called."""
    if name not in ROUNDING:
        raise KeyError(name)
    return libc.symbol(name)


def of_handlers(name):
    """The same for the interpreter's handlers."""
    return libc.symbol(name) if name in HANDLERS else of_units(name)
