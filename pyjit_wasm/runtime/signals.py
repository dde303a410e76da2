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

from pyjit_wasm.runtime import libc, process
from pyjit_wasm.runtime.layout import RUNTIME

RETRY_SIGNAL = signal.SIGRTMAX - 3
_SA_SIGINFO, _SA_RESTART, _SA_ONSTACK, _SA_NODEFER = 4, 0x10000000, 0x08000000, 0x40000000
_SIG_DFL, _SIG_IGN = None, 1
_CLOCK_MONOTONIC, _SIGEV_SIGNAL = 1, 0


class _Action(ctypes.Structure):
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ulong * 16), ("flags", ctypes.c_int),
                ("restorer", ctypes.c_void_p)]


class _Event(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("signo", ctypes.c_int), ("notify", ctypes.c_int),
                ("pad", ctypes.c_char * 48)]


_sigaction = libc.libc.sigaction
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
    timer = ctypes.c_void_p()
    event = _Event(None, RETRY_SIGNAL, _SIGEV_SIGNAL)
    if libc.libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "timer_create")
    process.put(RUNTIME.retry_timer, timer.value or 0)


def install(on_fault, on_interrupt):
    """Install both handlers, given their addresses."""
    _make_timer()
    os.register_at_fork(after_in_child=_make_timer)  # timers do not survive a fork
    _ours[:] = on_fault, on_interrupt
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
    on_fault, on_interrupt = _ours
    _install(signal.SIGSEGV, on_fault, _SA_ONSTACK | _SA_NODEFER, RUNTIME.old_segv)
    _install(signal.SIGBUS, on_fault, _SA_ONSTACK | _SA_NODEFER, RUNTIME.old_bus)
    _install(signal.SIGINT, on_interrupt, 0, RUNTIME.old_int)
    _install(RETRY_SIGNAL, on_interrupt, _SA_RESTART, None)
