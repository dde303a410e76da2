"""Installs the signal handlers that live in generated code (`codegen.support`).

SIGSEGV and SIGBUS make traps of accesses to guard pages; SIGINT and the retry timer's signal let
Ctrl-C reach guest code that holds no lock and polls nothing. Whatever was installed before is called
for everything that is not ours, `faulthandler` and Python's own handlers included. What these modules
install later goes beneath ours: their functions are wrapped, because without our handlers a guest's trap
would be a crash and its loops deaf to Ctrl-C.
"""
import _signal as signal  # the module `signal` costs 4 ms for its enums
import ctypes
import faulthandler
import functools
import os
from _thread import get_ident

from pyjit_wasm.config import SIGNAL_STACK, SIGNAL_STACK_GUARD
from pyjit_wasm.runtime import libc, process
from pyjit_wasm.runtime.layout import RUNTIME

RETRY_SIGNAL, SAMPLE_SIGNAL = signal.SIGRTMAX - 3, signal.SIGRTMAX - 4
_SA_SIGINFO, _SA_RESTART, _SA_ONSTACK, _SA_NODEFER = 4, 0x10000000, 0x08000000, 0x40000000
_SIG_DFL, _SIG_IGN = None, 1
_CLOCK_MONOTONIC, _SIGEV_SIGNAL, _SIGEV_THREAD_ID = 1, 0, 4


class _Action(ctypes.Structure):
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ulong * 16), ("flags", ctypes.c_int),
                ("restorer", ctypes.c_void_p)]


class _Event(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("signo", ctypes.c_int), ("notify", ctypes.c_int), ("thread", ctypes.c_int),
                ("pad", ctypes.c_char * 44)]


class _SignalStack(ctypes.Structure):
    """stack_t"""

    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


class _Times(ctypes.Structure):
    """struct itimerspec: seconds and nanoseconds, between signals and until the first."""

    _fields_ = [(name, ctypes.c_long) for name in ("period_s", "period_ns", "first_s", "first_ns")]


_sigaction = libc.libc.sigaction
_SS_DISABLE = 2
_saved = {}
_ours = []


def _install(number, handler, flags, word):
    """Make `handler` the action of a signal unless it is already; the previous one is kept for it."""
    previous = _Action()
    _sigaction(number, None, ctypes.byref(previous))
    if previous.handler == handler or (number == signal.SIGINT and previous.handler in (_SIG_DFL, _SIG_IGN)):
        return
    if word is not None:
        _saved[number] = previous
        process.put(word, ctypes.addressof(previous))
    action = _Action(handler, (ctypes.c_ulong * 16)(), flags | _SA_SIGINFO, None)
    _sigaction(number, ctypes.byref(action), None)


def _make_timer():
    process.put(RUNTIME.retry_timer, _timer(_Event(None, RETRY_SIGNAL, _SIGEV_SIGNAL)).value or 0)


def _timer(event):
    """A timer of the kernel that causes an event. OSError without one."""
    timer = ctypes.c_void_p()
    if libc.libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "timer_create")
    return timer


def start_timer(thread, period):
    """Send SAMPLE_SIGNAL to the thread with that native id every `period` nanoseconds; what `stop_timer` takes. OSError if
    there is no such thread."""
    timer = _timer(_Event(None, SAMPLE_SIGNAL, _SIGEV_THREAD_ID, thread))
    times = _Times(*divmod(period, 10 ** 9) * 2)
    libc.libc.timer_settime(timer, 0, ctypes.byref(times), None)
    return timer


def stop_timer(timer):
    libc.libc.timer_delete(timer)


def take_samples(look):
    """Install the handler of SAMPLE_SIGNAL for the life of the process; in the main thread also Python's, `look(signal,
    frame)`, which generated code has called."""
    if get_ident() == process.get(RUNTIME.main_thread):
        signal.signal(SAMPLE_SIGNAL, look)
    _install(SAMPLE_SIGNAL, _ours[2], _SA_RESTART, None)


def send_sample(pthread):
    """Send SAMPLE_SIGNAL to a thread."""
    libc.libc.pthread_kill(ctypes.c_ulong(pthread), SAMPLE_SIGNAL)


def _give_stacks(drop_stack):
    """Every thread that runs wasm from now on gets a stack for handlers of faults, unless it has one: its own may be
    exhausted. `drop_stack`: address of what takes it back when the thread ends."""
    key = process.make_thread_key(drop_stack)

    def give(_):
        known = _SignalStack()
        libc.libc.sigaltstack(None, ctypes.byref(known))
        if known.flags & _SS_DISABLE:
            low = libc.reserve(SIGNAL_STACK_GUARD + SIGNAL_STACK)
            libc.protect(low + SIGNAL_STACK_GUARD, SIGNAL_STACK, libc.PROT_RW)
            libc.libc.sigaltstack(ctypes.byref(_SignalStack(low + SIGNAL_STACK_GUARD, 0, SIGNAL_STACK)), None)
            libc.libc.pthread_setspecific(key, low)

    process.on_new_thread.append(give)


def install(drop_stack, *handlers):
    """Install the handlers, given the addresses of `rt_on_fault`, `rt_on_interrupt` and, for later, `rt_on_sample`;
    `drop_stack`: that of `rt_drop_signal_stack`."""
    # in this order: an exception may come at any moment, and then all of it is done again
    _make_timer()
    _give_stacks(drop_stack)
    os.register_at_fork(after_in_child=_make_timer)  # timers do not survive a fork
    _ours[:] = handlers
    renew()
    signal.signal = _renewing(signal.signal)
    faulthandler.enable, faulthandler.disable = _beneath(faulthandler.enable), _beneath(faulthandler.disable)


def _renewing(install_handler):
    """`signal.signal`, after which our handlers are on top again. It does not call what it replaces."""
    @functools.wraps(install_handler)
    def wrapper(*arguments):
        try:
            return install_handler(*arguments)
        finally:
            renew()
    return wrapper


def _beneath(change_handlers):
    """A function of `faulthandler`, which calls what it replaces: that must not be our handlers."""
    @functools.wraps(change_handlers)
    def wrapper(*arguments, **options):
        for number in (signal.SIGSEGV, signal.SIGBUS):
            _sigaction(number, ctypes.byref(_saved[number]), None)
        try:
            return change_handlers(*arguments, **options)
        finally:
            renew()
    return wrapper


def poke(pthread):
    """Send a thread the signal that makes it look for requests."""
    libc.libc.pthread_kill(ctypes.c_ulong(pthread), RETRY_SIGNAL)


def renew():
    """Install again what somebody replaced; cheap enough for every instantiation."""
    on_fault, on_interrupt, _ = _ours
    _install(signal.SIGSEGV, on_fault, _SA_ONSTACK | _SA_NODEFER, RUNTIME.old_segv)
    _install(signal.SIGBUS, on_fault, _SA_ONSTACK | _SA_NODEFER, RUNTIME.old_bus)
    _install(signal.SIGINT, on_interrupt, 0, RUNTIME.old_int)
    _install(RETRY_SIGNAL, on_interrupt, _SA_RESTART, None)
