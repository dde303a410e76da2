"""The few C functions Python calls itself, and the addresses generated code links against."""
import ctypes
import functools
import gc
import mmap

libc = ctypes.CDLL(None, use_errno=True)
pythonapi = ctypes.pythonapi

PROT_NONE, PROT_RW, PROT_RX = 0, mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ | mmap.PROT_EXEC
_PRIVATE_ANONYMOUS_NORESERVE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000
_MADV_DONTNEED = 4
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_FAILED = ctypes.c_void_p(-1).value
MACHINE_PAGE = 4096

_mmap, _munmap, _mprotect, _madvise = libc.mmap, libc.munmap, libc.mprotect, libc.madvise
_mincore = libc.mincore
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


def reserve(size):
    """Address of `size` bytes of inaccessible address space, which `release` gives back. MemoryError if there is none."""
    address = _mmap(None, size, PROT_NONE, _PRIVATE_ANONYMOUS_NORESERVE, -1, 0)
    if address == _FAILED and gc.collect():  # unreachable cycles may have held it
        address = _mmap(None, size, PROT_NONE, _PRIVATE_ANONYMOUS_NORESERVE, -1, 0)
    if address == _FAILED or address is None:
        raise MemoryError(f"cannot reserve {size} bytes of address space")
    return address


release = _munmap


def protect(address, size, protection):
    """Set the protection of whole pages. MemoryError if the system refuses."""
    if size and _mprotect(address, size, protection) and not (
            gc.collect() and _mprotect(address, size, protection) == 0):  # it may take one more mapping
        raise MemoryError(f"cannot commit {size} bytes")


def discard(address, size):
    """Give the pages back: they read as zero afterwards."""
    _madvise(address, size, _MADV_DONTNEED)


def resident(address, size):
    """One byte, 1 or 0, for each machine page from the page-aligned `address` on: whether it is in memory (mincore)."""
    found = ctypes.create_string_buffer(-(-size // MACHINE_PAGE))
    if size and _mincore(address, size, found):
        raise OSError(ctypes.get_errno(), "mincore")
    return found.raw


def die_with_parent():
    """Have the system end this process when the thread ends that started it."""
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


@functools.cache
def symbol(name):
    """Address of a C library or CPython API function (math functions included)."""
    for library in (libc, pythonapi, _libm()):
        try:
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        except AttributeError:
            pass
    raise KeyError(name)


def permanent(thing):
    """The same object, never to be freed: destructors may run wasm while the interpreter ends and clears modules."""
    pythonapi.Py_IncRef(ctypes.py_object(thing))
    return thing


def _libm():
    return ctypes.CDLL("libm.so.6")
