"""Machine stacks of threads: where they are, how much of one guest code may use, and what must not happen on small ones.

What Python does for guest code, from services to tracebacks, takes 4 KiB, unless it imports modules: see `large_stacks`.
"""
import ctypes

from pyjit_wasm import config, large_stacks
from pyjit_wasm.runtime import libc

_pthread_attr = ctypes.c_char * 128
_current, _attributes, _stack = libc.libc.pthread_self, libc.libc.pthread_getattr_np, libc.libc.pthread_attr_getstack
_current.restype = ctypes.c_void_p
_attributes.argtypes = [ctypes.c_void_p, ctypes.c_void_p]


def bounds():
    """(lowest address, size in bytes) of the calling thread's machine stack. Raises MemoryError."""
    attributes, low, size = _pthread_attr(), ctypes.c_void_p(), ctypes.c_size_t()
    if _attributes(_current(), attributes):
        raise MemoryError("the system does not say where the stack of this thread is")
    _stack(attributes, ctypes.byref(low), ctypes.byref(size))
    libc.libc.pthread_attr_destroy(attributes)
    return low.value, size.value


def guest_limit(low, size):
    """The lowest address that guest code may use of such a stack. RuntimeError if it is too small for any."""
    if size < config.SMALLEST_STACK:
        raise RuntimeError(f"the machine stack of this thread has {size} bytes, too few to run WebAssembly; give it "
                           f"{config.SMALLEST_STACK} or more (threading.stack_size)")
    reserve = min(config.NATIVE_STACK_RESERVE, size // 2)
    return max(low + reserve, low + size - config.NATIVE_STACK_LIMIT)


def before_imports():
    """What is about to be done may import modules: if the calling thread has a small stack, or there are signal handlers, have all
    imported first."""
    if large_stacks.wanted() and (large_stacks.handlers() or bounds()[1] < config.SMALL_STACK) and large_stacks.possible():
        large_stacks.load_all()
