"""Arguments, environment, clocks, randomness and exit. Each call takes the Guest, then its unsigned arguments."""
import os
import time

from ..errors import WasiExit
from .abi import (
    CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID, EINVAL, ENOTSUP, U64)
from .calls import Failure
from .guest import number, store_strings, word

_PIECE = 1 << 16    # random bytes that are made at once

# clockid: (reader in ns, name for time.get_clock_info)
CLOCKS = {
    CLOCK_REALTIME: (time.time_ns, "time"),
    CLOCK_MONOTONIC: (time.monotonic_ns, "monotonic"),
    CLOCK_PROCESS_CPUTIME_ID: (time.process_time_ns, "process_time"),
    CLOCK_THREAD_CPUTIME_ID: (time.thread_time_ns, "thread_time"),
}


def args_get(guest, argv, buffer):
    """Store the arguments, NUL terminated, and the pointers to them."""
    store_strings(memoryview(guest.memory), guest.wasi.args, argv, buffer)


def args_sizes_get(guest, count, size):
    """Store how many arguments there are and their size in bytes, NULs included."""
    _store_sizes(guest, guest.wasi.args, count, size)


def environ_get(guest, environ, buffer):
    """Store the environment, strings NAME=value, NUL terminated, and the pointers to them."""
    store_strings(memoryview(guest.memory), guest.wasi.environ, environ, buffer)


def environ_sizes_get(guest, count, size):
    """Store how many variables there are and their size in bytes, NULs included."""
    _store_sizes(guest, guest.wasi.environ, count, size)


def _store_sizes(guest, strings, count, size):
    view = memoryview(guest.memory)
    number(view, count)[:] = word(len(strings))
    number(view, size)[:] = word(sum(map(len, strings)))


def clock_res_get(guest, clock, resolution):
    """Store the clock's resolution in ns, at least 1."""
    nanoseconds = round(time.get_clock_info(_clock(clock)[1]).resolution * 1e9)
    guest.span(resolution, U64.size)[:] = U64.pack(max(nanoseconds, 1))


def clock_time_get(guest, clock, precision, now):
    """Store the clock's time in ns; the precision asked for does not matter."""
    guest.span(now, U64.size)[:] = U64.pack(_clock(clock)[0]())


def _clock(clock):
    if clock not in CLOCKS:
        raise Failure(EINVAL)
    return CLOCKS[clock]


def random_get(guest, buffer, length):
    """Fill the buffer from the host's cryptographic generator."""
    room = guest.span(buffer, length)
    for start in range(0, length, _PIECE):
        part = room[start:start + _PIECE]
        part[:] = os.urandom(len(part))


def sched_yield(guest):
    """Give other host threads and processes a turn."""
    os.sched_yield()


def proc_raise(guest, signal):
    """Refuse: a guest sends no signals to its host."""
    raise Failure(ENOTSUP)


def proc_exit(guest, code):
    """Unwind the guest with WasiExit."""
    raise WasiExit(code)


def poll_oneoff(guest, subscriptions, events, count, stored):
    """Wait for one of `count` subscriptions; store the events and how many there are."""
    from .subscriptions import poll_oneoff as wait
    wait(guest, subscriptions, events, count, stored)


CALLS = (args_get, args_sizes_get, environ_get, environ_sizes_get, clock_res_get, clock_time_get, random_get,
         sched_yield, proc_raise, proc_exit, poll_oneoff)
