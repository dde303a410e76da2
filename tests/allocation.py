"""What children of test_allocation.py run first: limits of the system, and what is left behind."""
import ctypes
import gc
import resource

import pyjit_wasm as wasm
from pyjit_wasm.runtime import libc, process

MODULES = {
    "memory": '(module (memory (export "m") 20000) (func (export "f") (result i32) (memory.size)))',
    "memory with data": '(module (memory 20000 20000) (data (i32.const 0) "x") (func (export "f") (result i32) (memory.size)))',
    "64-bit memory": '(module (memory i64 20000 20000) (func (export "f") (result i32) (i32.const 20000)))',
    "second memory": '(module (memory 1) (memory 20000) (func (export "f") (result i32) (memory.size 1)))',
    "table": '(module (memory 1) (table 9000000 funcref) (table 9000000 externref)'
             ' (table (export "t") 9000000 funcref) (table $last 9000000 funcref) (func (export "f") (result i32) (table.size $last)))',
}
ROOM = 150 << 20    # less than any of these take, more than all else


def maps():
    """The number of mappings of this process."""
    with open("/proc/self/maps", "rb") as file:
        return sum(1 for _ in file)


def left():
    """What a failure must not leave behind: ranges of memories, and bytes of address space (mappings may be joined)."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return len(process.ranges._place), int(file.read().split()[0]) >> 12   # units of 16 MiB: the heap may grow


def _status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))


class Limit:
    """`with Limit(resource.RLIMIT_AS, "VmSize")`: only so many bytes more can be had."""

    def __init__(self, which, name, room=ROOM):
        self._which, self._name, self._room = which, name, room

    def __enter__(self):
        _, self._hard = resource.getrlimit(self._which)
        resource.setrlimit(self._which, (_status(self._name) + self._room, self._hard))

    def __exit__(self, *_):
        resource.setrlimit(self._which, (self._hard, self._hard))


class NoCommit:
    """As with `vm.overcommit_memory=2`: address space can be had, but no memory for it."""

    def __enter__(self):
        self._right = libc._mprotect
        libc._mprotect = lambda address, size, protection: -1 if protection == libc.PROT_RW else self._right(
            address, size, protection)

    def __exit__(self, *_):
        libc._mprotect = self._right


class NoMaps:
    """As many mappings as `vm.max_map_count` allows, but for `spare`."""

    def __init__(self, spare=0):
        self._spare = spare

    def __enter__(self):
        with open("/proc/sys/vm/max_map_count") as file:
            most = int(file.read())
        self._size = 2 * most * libc.MACHINE_PAGE
        self._start, step = libc.reserve(self._size), 2 * libc.MACHINE_PAGE
        for place in range(self._start, self._start + self._size, step):
            if libc._mprotect(place, libc.MACHINE_PAGE, libc.PROT_RW):
                break
        for place in range(self._start + 1000 * step, self._start + (1000 + self._spare) * step, step):
            libc._mprotect(place, libc.MACHINE_PAGE, libc.PROT_NONE)

    def __exit__(self, *_):
        libc.release(self._start, self._size)


LIMITS = {
    "RLIMIT_AS": lambda: Limit(resource.RLIMIT_AS, "VmSize"),
    "RLIMIT_DATA": lambda: Limit(resource.RLIMIT_DATA, "VmData"),
    "overcommit off": NoCommit,
    "mappings": NoMaps,
}


def refused(make, *arguments, **named):
    """Whether it raises MemoryError."""
    try:
        make(*arguments, **named)
    except MemoryError:
        return True
    return False


def at(address):
    return ctypes.c_uint64.from_address(address).value


def engine(mode, bounds):
    return wasm.Engine(mode, memory_bounds=bounds, tier_up_threshold=1, background=False)
