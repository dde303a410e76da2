"""What there is once per process: the words generated code reads, threads, guarded address ranges."""
import ctypes
import os
import sys
from _thread import allocate_lock, get_ident, get_native_id

from pyjit_wasm import config, forks
from pyjit_wasm.runtime import arena, libc, machine_stack
from pyjit_wasm.runtime.layout import RUNTIME, THREAD
from pyjit_wasm.runtime.services import provides, serve

_words = libc.permanent((ctypes.c_uint64 * (RUNTIME.size // 8))())
address = ctypes.addressof(_words)


def put(offset, value):
    """Set a word of the RUNTIME struct."""
    _words[offset // 8] = value


def get(offset):
    return _words[offset // 8]


class Ranges:
    """The address ranges of linear memories, where a fault of guest code is a trap: an array of
    (low, high) that the signal handler searches. It may be reading while an entry comes or goes, so
    entries never move: one that went is empty (high 0) until another takes its place."""

    def __init__(self):
        self._capacity, self._count, self._place, self._free = 64, 0, {}, []
        self._array = (ctypes.c_uint64 * (2 * self._capacity))()
        self._old, self._lock = [], forks.kept(allocate_lock(), "pages")
        put(RUNTIME.ranges, ctypes.addressof(self._array))

    def add(self, low, high):
        with self._lock:
            try:
                place = self._free.pop()
            except IndexError:
                place = self._new_place()
            try:
                self._place[low] = place
            except MemoryError:
                self._free.append(place)
                raise
            self._array[2 * place] = low
            self._array[2 * place + 1] = high
            put(RUNTIME.range_count, self._count)

    def remove(self, low):
        """Takes no lock: a memory may die in the middle of `add`."""
        place = self._place.pop(low)
        self._array[2 * place + 1] = 0
        self._free.append(place)

    def _new_place(self):
        if self._count == self._capacity:
            self._grow()
        self._count += 1
        return self._count - 1

    def _grow(self):
        larger = (ctypes.c_uint64 * (4 * self._capacity))()
        larger[:2 * self._capacity] = self._array[:]
        self._old.append(self._array)  # a handler may still be reading it
        self._array = larger
        self._capacity *= 2
        put(RUNTIME.ranges, ctypes.addressof(larger))


ranges = libc.permanent(Ranges())

_free = libc.symbol("free")
libc.libc.pthread_getspecific.restype = ctypes.c_void_p
libc.libc.pthread_setspecific.argtypes = [ctypes.c_uint, ctypes.c_void_p]


def make_thread_key(destroy):
    """A key for a word of each thread, which the C function at address `destroy` gets when the thread ends."""
    key = ctypes.c_uint()
    if libc.libc.pthread_key_create(ctypes.byref(key), ctypes.c_void_p(destroy)):
        raise MemoryError("no thread-specific key left")
    return key.value


_key = make_thread_key(_free)


def used_stack():
    """(lowest, highest) address of the machine stack that this thread's wasm and its callers use."""
    low, size = machine_stack.bounds()
    return ctypes.PYFUNCTYPE(ctypes.c_uint64)(get(RUNTIME.frame))(), low + size


def this_thread():
    """Address of the calling thread's THREAD, or None."""
    return libc.libc.pthread_getspecific(_key)


threads = set()         # native ids of threads that have run wasm; some may have ended
on_new_thread = []      # called with the native id of each that does so for the first time


@provides
def new_thread(*_):
    """Address of a THREAD for the calling thread, which runs wasm for the first time. Raises MemoryError."""
    low, size = machine_stack.bounds()
    limit = machine_stack.guest_limit(low, size)
    machine_stack.before_imports()
    thread = libc.zeroed(THREAD.size + 16 * config.MAX_VALUES)
    try:
        ctypes.c_uint64.from_address(thread + THREAD.native_limit).value = limit
        ctypes.c_uint64.from_address(thread + THREAD.id).value = libc.libc.pthread_self()
        ctypes.c_uint64.from_address(thread + THREAD.overflow).value = thread + THREAD.size
        threads.add(get_native_id())
        for told in list(on_new_thread):
            told(get_native_id())
    except BaseException:
        libc.free(thread)
        raise
    if libc.libc.pthread_setspecific(_key, thread):     # the last step: a THREAD that is known is complete
        libc.free(thread)
        raise MemoryError("no room for thread-specific data")
    return thread


def _describe():
    put(RUNTIME.thread_key, _key)
    put(RUNTIME.guest_lo, arena.guest.lo)
    put(RUNTIME.guest_hi, arena.guest.hi)
    put(RUNTIME.service, id(libc.permanent(serve)))
    threading = sys.modules.get("threading")  # not imported: no other thread yet
    put(RUNTIME.main_thread, threading.main_thread().ident if threading else get_ident())


_describe()


def _after_fork():
    """The only thread is the main thread now, and its native id another one."""
    put(RUNTIME.main_thread, get_ident())
    threads.clear()
    if this_thread():
        threads.add(get_native_id())


os.register_at_fork(after_in_child=_after_fork)
