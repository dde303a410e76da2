"""Arguments, environment, clocks, randomness and exit. Each call takes the Wasi, then its unsigned arguments."""
import os
import time

from ..errors import WasiExit
from .abi import (
    CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID, EINVAL, U32, U64)
from .calls import Failure
from .guest import span, store_strings

# clockid: (reader in ns, name for time.get_clock_info)
CLOCKS = {
    CLOCK_REALTIME: (time.time_ns, "time"),
    CLOCK_MONOTONIC: (time.monotonic_ns, "monotonic"),
    CLOCK_PROCESS_CPUTIME_ID: (time.process_time_ns, "process_time"),
    CLOCK_THREAD_CPUTIME_ID: (time.thread_time_ns, "thread_time"),
}


def args_get(wasi, argv, buffer):
    """Store the arguments, NUL terminated, and the pointers to them."""
    store_strings(memoryview(wasi.memory), wasi.args, argv, buffer)


def args_sizes_get(wasi, count, size):
    """Store how many arguments there are and their size in bytes, NULs included."""
    _store_sizes(wasi, wasi.args, count, size)


def environ_get(wasi, environ, buffer):
    """Store the environment, strings NAME=value, NUL terminated, and the pointers to them."""
    store_strings(memoryview(wasi.memory), wasi.environ, environ, buffer)


def environ_sizes_get(wasi, count, size):
    """Store how many variables there are and their size in bytes, NULs included."""
    _store_sizes(wasi, wasi.environ, count, size)


def _store_sizes(wasi, strings, count, size):
    view = memoryview(wasi.memory)
    U32.pack_into(view, count, len(strings))
    U32.pack_into(view, size, sum(map(len, strings)))


def clock_res_get(wasi, clock, resolution):
    """Store the clock's resolution in ns, at least 1."""
    nanoseconds = round(time.get_clock_info(_clock(clock)[1]).resolution * 1e9)
    U64.pack_into(memoryview(wasi.memory), resolution, max(nanoseconds, 1))


def clock_time_get(wasi, clock, precision, now):
    """Store the clock's time in ns; the precision asked for does not matter."""
    U64.pack_into(memoryview(wasi.memory), now, _clock(clock)[0]())


def _clock(clock):
    if clock not in CLOCKS:
        raise Failure(EINVAL)
    return CLOCKS[clock]


def random_get(wasi, buffer, length):
    """Fill the buffer from the host's cryptographic generator."""
    span(memoryview(wasi.memory), buffer, length)[:] = os.urandom(length)


def sched_yield(wasi):
    """Give other host threads and processes a turn."""
    os.sched_yield()


def proc_exit(wasi, code):
    """Unwind the guest with WasiExit."""
    raise WasiExit(code)


def poll_oneoff(wasi, subscriptions, events, count, stored):
    """Wait for one of `count` subscriptions; store the events and how many there are."""
    from .subscriptions import poll_oneoff as wait
    wait(wasi, subscriptions, events, count, stored)


CALLS = (args_get, args_sizes_get, environ_get, environ_sizes_get, clock_res_get, clock_time_get, random_get,
         sched_yield, proc_exit, poll_oneoff)
