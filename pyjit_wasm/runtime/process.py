"""What there is once per process: the words generated code reads, threads, guarded address ranges."""
import ctypes
import itertools
import os
import sys
from _thread import get_ident, get_native_id

from pyjit_wasm import config
from pyjit_wasm.runtime import arena, libc, machine_stack
from pyjit_wasm.runtime.layout import MUTEX_WORDS, RUNTIME, THREAD, THREADS
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
    entries never move: one that went is empty (high 0) until another takes its place. The array has address space for
    as many as there can be. There is no lock: finalizers and signal handlers come here."""

    def __init__(self):
        self._numbers, self._place, self._free = itertools.count(), {}, []
        self._pages = libc.pages(16 * config.RANGES, libc.SPARSE)
        self._array = (ctypes.c_uint64 * (2 * config.RANGES)).from_buffer(self._pages)
        put(RUNTIME.ranges, ctypes.addressof(self._array))

    def add(self, low, high):
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

    def remove(self, low):
        place = self._place.pop(low)
        self._array[2 * place + 1] = 0
        self._free.append(place)

    def _new_place(self):
        place = next(self._numbers)
        if place >= config.RANGES:
            raise MemoryError("too many memories")
        words, count, needed = _words, RUNTIME.range_count // 8, place + 1
        if words[count] < needed:   # one step: no signal handler or other thread runs between this and the next line
            words[count] = needed
        return place


ranges = libc.permanent(Ranges())

libc.libc.pthread_getspecific.restype = ctypes.c_void_p
libc.libc.pthread_setspecific.argtypes = [ctypes.c_uint, ctypes.c_void_p]


def make_thread_key(destroy):
    """A key for a word of each thread, which the C function at address `destroy` gets when the thread ends."""
    key = ctypes.c_uint()
    if libc.libc.pthread_key_create(ctypes.byref(key), ctypes.c_void_p(destroy)):
        raise MemoryError("no thread-specific key left")
    return key.value


_key = None     # of each thread's THREAD
_threads = libc.permanent((ctypes.c_uint64 * (THREADS.mutex // 8 + MUTEX_WORDS))())   # THREADS; all zero: none, and not locked


def prepare_threads(begins, ends, reach, living):
    """Threads may run wasm from now on, given the addresses of `rt_thread_begins` and so on."""
    global _key
    for place, address in ((RUNTIME.thread_begins, begins), (RUNTIME.reach, reach), (RUNTIME.living, living)):
        put(place, address)
    _key = make_thread_key(ends)
    put(RUNTIME.thread_key, _key)


def used_stack():
    """(lowest, highest) address of the machine stack that this thread's wasm and its callers use."""
    low, size = machine_stack.bounds()
    return ctypes.PYFUNCTYPE(ctypes.c_uint64)(get(RUNTIME.frame))(), low + size


def this_thread():
    """Address of the calling thread's THREAD, or None."""
    return None if _key is None else libc.libc.pthread_getspecific(_key)


def reach(env, signal=0, thread=0, number=0, known=0):
    """Send a signal to the thread that runs the EXEC_ENV at an address: (its native id, or, with `number`, that of its call; the
    address of the EXEC_ENV that it runs now). (0, 0) if nothing runs, or another thread than the pthread_t `thread`. The only
    way to signal a thread: it cannot end meanwhile. `codegen.threads` says more."""
    inner = ctypes.c_uint64()
    reach = ctypes.PYFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 6)(get(RUNTIME.reach))
    return reach(env, thread, number, known, signal, ctypes.addressof(inner)), inner.value


def living():
    """Native ids of the living threads that have run wasm."""
    room, living = 1 << 10, ctypes.PYFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(get(RUNTIME.living))
    while True:
        ids = (ctypes.c_uint64 * room)()
        found = living(ctypes.addressof(ids), room)
        if found < room:
            return ids[:found]
        room *= 2


def _after_fork():
    """Only this thread is there, and has another native id."""
    ctypes.memset(_threads, 0, ctypes.sizeof(_threads))
    put(RUNTIME.main_thread, get_ident())
    put(RUNTIME.main_id, get_native_id())
    thread = this_thread()
    if thread:
        _adopt(thread)


def _adopt(thread):
    """The THREAD at an address is that of the calling thread and not in the list yet."""
    for place, value in ((THREAD.native_id, get_native_id()), (THREAD.next, 0), (THREAD.previous, 0)):
        ctypes.c_uint64.from_address(thread + place).value = value
    ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(get(RUNTIME.thread_begins))(thread)


on_new_thread = []      # called with the native id of each thread that runs wasm for the first time


@provides
def new_thread(*_):
    """Address of a THREAD for the calling thread, which runs wasm for the first time. Raises MemoryError."""
    low, size = machine_stack.bounds()
    limit = machine_stack.guest_limit(low, size)
    machine_stack.before_imports()
    thread = libc.zeroed(THREAD.size + config.OVERFLOW)
    ctypes.c_uint64.from_address(thread + THREAD.native_limit).value = limit
    ctypes.c_uint64.from_address(thread + THREAD.id).value = libc.libc.pthread_self()
    ctypes.c_uint64.from_address(thread + THREAD.overflow).value = thread + THREAD.size
    if libc.libc.pthread_setspecific(_key, thread):
        libc.free(thread)
        raise MemoryError("no room for thread-specific data")
    _adopt(thread)
    for told in list(on_new_thread):
        told(get_native_id())
    return thread


def _describe():
    put(RUNTIME.threads, ctypes.addressof(_threads))
    put(RUNTIME.guest_lo, arena.guest.lo)
    put(RUNTIME.guest_hi, arena.guest.hi)
    put(RUNTIME.service, id(libc.permanent(serve)))
    threading = sys.modules.get("threading")  # not imported: no other thread yet
    put(RUNTIME.main_thread, threading.main_thread().ident if threading else get_ident())
    put(RUNTIME.main_id, threading.main_thread().native_id if threading else get_native_id())


_describe()
os.register_at_fork(after_in_child=_after_fork)
