"""The few C functions Python calls itself, and the addresses generated code links against."""
import ctypes
import errno
import functools
import gc
import mmap

libc = ctypes.CDLL(None, use_errno=True)
pythonapi = ctypes.pythonapi

PROT_NONE, PROT_RW, PROT_RX = 0, mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ | mmap.PROT_EXEC
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
SPARSE = _PRIVATE | 0x4000     # MAP_NORESERVE: nothing is set aside for pages that are never touched
_FIXED_NOREPLACE = 0x100000
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
free, _malloc, _calloc = libc.free, libc.malloc, libc.calloc
free.restype, free.argtypes = None, [ctypes.c_void_p]
_malloc.restype, _malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
_calloc.restype, _calloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]
usable_size = libc.malloc_usable_size    # of what is at an address of the heap, in bytes
usable_size.restype, usable_size.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
_mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


def reserve(size):
    """Address of `size` bytes of inaccessible address space, which `release` gives back. MemoryError if there is none."""
    address = _mmap(None, size, PROT_NONE, SPARSE, -1, 0)
    if address == _FAILED and gc.collect():  # unreachable cycles may have held it
        address = _mmap(None, size, PROT_NONE, SPARSE, -1, 0)
    if address == _FAILED or address is None:
        raise MemoryError(f"cannot reserve {size} bytes of address space")
    return address


def reserve_at(address, size):
    """The same at an address; None if something is there. MemoryError if the system refuses for another reason."""
    found = _mmap(address, size, PROT_NONE, SPARSE | _FIXED_NOREPLACE, -1, 0)
    if found == address:
        return found
    if found != _FAILED:    # an old kernel takes it for a wish
        release(found, size)
    elif ctypes.get_errno() != errno.EEXIST:
        raise MemoryError(f"cannot reserve {size} bytes of address space")
    return None


release = _munmap


def protect(address, size, protection):
    """Set the protection of whole pages. MemoryError if the system refuses."""
    if not set_protection(address, size, protection) and not (
            gc.collect() and set_protection(address, size, protection)):  # it may take one more mapping
        raise MemoryError(f"cannot commit {size} bytes")


def set_protection(address, size, protection, mprotect=_mprotect):
    """The same, but whether the system agrees."""
    return not size or mprotect(address, size, protection) == 0


def allocate(size):
    """Address of `size` bytes of the C library's heap, for `free`. Raises MemoryError."""
    return _checked(_malloc(size), size)


def zeroed(size):
    """The same, all zero."""
    return _checked(_calloc(1, size), size)


def _checked(address, size):
    if address is None:
        raise MemoryError(f"cannot allocate {size} bytes")
    return address


def require(size, protection):
    """Raises MemoryError if `size` bytes with a protection cannot be mapped now."""
    address = _mmap(None, size, protection, _PRIVATE, -1, 0)
    if address == _FAILED and gc.collect():
        address = _mmap(None, size, protection, _PRIVATE, -1, 0)
    if address == _FAILED:
        raise MemoryError(f"cannot allocate {size} bytes")
    release(address, size)


def pages(size, flags=_PRIVATE):
    """A `mmap.mmap` of `size` bytes, zero, that a forked child gets a copy of. Raises MemoryError."""
    try:
        return mmap.mmap(-1, size, flags)
    except (OSError, OverflowError):    # unreachable cycles may hold too much
        gc.collect()
    try:
        return mmap.mmap(-1, size, flags)
    except (OSError, OverflowError):
        raise MemoryError(f"cannot allocate {size} bytes") from None


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
