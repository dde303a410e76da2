"""A machine stack for LLVM, whichever thread calls it.

LLVM takes 50 KiB for a function of two instructions, and some of its passes recurse over what they are given: the stack of a
small thread is not enough, and neither are 8 MiB. So its functions run on memory of their own. They run in the calling
thread all the same: locks, signals and forks are as if this were not here. No Python runs there, which may have
opinions about where its stack is.
"""
import ctypes

from pyjit_wasm.runtime import arena, libc

_SIZES = (64 << 20, 8 << 20)                # bytes of address space, the first that there is; untouched it takes no memory
_GUARD = 1 << 20                            # inaccessible bytes below
_KEPT = 1 << 20                             # bytes that stay in memory from one call to the next
_STACK_ARGUMENTS = 4                        # words copied behind the six arguments in registers
_ENTER = b"\x55\x48\x89\xe5"                # push rbp; mov rbp, rsp
_SWITCH = b"\x49\xbb%b\x4c\x89\xdc"         # mov r11, <the stack's end>; mov rsp, r11
_COPY = b"\xff\x75%c"                       # push [rbp + <offset>]
_CALL = b"\x48\xb8%b\xff\xd0\xc9\xc3"       # mov rax, <the function>; call rax; leave; ret


class _Stack:
    """`end`: its highest address."""

    def __init__(self):
        for size in _SIZES:
            try:
                low = libc.reserve(size + _GUARD)
                libc.protect(low + _GUARD, size, libc.PROT_RW)
                break
            except MemoryError:
                if size == _SIZES[-1]:
                    raise
        self._start, self.end = low + _GUARD, low + _GUARD + size

    def trim(self):
        """Give back what a call has touched, but for a part."""
        libc.discard(self._start, self.end - _KEPT - self._start)


_stack = None


def on_stack(address, restype, argtypes):
    """A ctypes function that calls the C function at an address on LLVM's stack. Only one may run at a time. MemoryError if
    there is no room for the stack."""
    global _stack
    if _stack is None:
        _stack = _Stack()
    word = ctypes.sizeof(ctypes.c_void_p)
    copies = b"".join(_COPY % (16 + word * i) for i in reversed(range(_STACK_ARGUMENTS)))
    end, target = (value.to_bytes(word, "little") for value in (_stack.end, address))
    code = b"".join((_ENTER, _SWITCH % end, copies, _CALL % target))
    place = libc.permanent(arena.host.allocate(len(code)))
    arena.write(place, code)
    libc.protect(place, libc.MACHINE_PAGE, libc.PROT_RX)
    return ctypes.CFUNCTYPE(restype, *argtypes)(int(place))


def trim():
    """Give back what LLVM has touched of its stack, but for a part."""
    _stack.trim()
