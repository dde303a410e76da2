"""Installs the signal handlers that live in generated code (`codegen.signal_handlers`).

SIGSEGV and SIGBUS make traps of accesses to guard pages. Signals for which Python has a handler, and the retry timer's
signal, let that handler run in guest code that holds no lock and polls nothing. Whatever was installed before is called
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
from pyjit_wasm.runtime import libc, machine_stack, process
from pyjit_wasm.runtime.layout import RUNTIME

RETRY_SIGNAL, SAMPLE_SIGNAL = signal.SIGRTMAX - 3, signal.SIGRTMAX - 4
_SA_SIGINFO, _SA_RESTART, _SA_ONSTACK, _SA_NODEFER = 4, 0x10000000, 0x08000000, 0x40000000
_KEPT_FLAGS = _SA_RESTART | _SA_NODEFER     # of the action that ours takes the place of
_FAULTS = signal.SIGSEGV, signal.SIGBUS
# those whose Python handlers run in guest code: all but those that the interrupted instruction itself causes, and ours
_DEFERRED = frozenset(signal.valid_signals()) - {*_FAULTS, signal.SIGFPE, signal.SIGILL, signal.SIGKILL, signal.SIGSTOP,
                                                 RETRY_SIGNAL, SAMPLE_SIGNAL}
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


_Pending = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_sigaction = libc.libc.sigaction
_SS_DISABLE = 2
_actions = libc.permanent((_Action * signal.NSIG)())    # by signal; our handlers read them
_ours = []
_taken = {signal.SIGINT}    # signals for which Python had a handler


def _install(number, handler, flags):
    """Make `handler` the action of a signal unless it is already; the previous one is kept for it."""
    previous = _Action()
    _sigaction(number, None, ctypes.byref(previous))
    if previous.handler == handler or (number in _DEFERRED and previous.handler in (_SIG_DFL, _SIG_IGN)):
        return
    ctypes.memmove(ctypes.byref(_actions[number]), ctypes.byref(previous), ctypes.sizeof(previous))
    mask = previous.mask if number in _DEFERRED else (ctypes.c_ulong * 16)()
    action = _Action(handler, mask, flags | _SA_SIGINFO | previous.flags & _KEPT_FLAGS, None)
    _sigaction(number, ctypes.byref(action), None)


def _make_timer():
    """The retry timer: for the main thread, where Python's handlers run."""
    try:
        timer = _timer(_Event(None, RETRY_SIGNAL, _SIGEV_THREAD_ID, process.get(RUNTIME.main_id)))
    except OSError:     # it has ended
        timer = _timer(_Event(None, RETRY_SIGNAL, _SIGEV_SIGNAL))
    process.put(RUNTIME.retry_timer, timer.value or 0)


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
    """Install the handler of SAMPLE_SIGNAL for the life of the process, and Python's, `look(signal, frame)`, which generated code
    has called. Only the main thread can do that: if this is another one, as soon as it runs Python."""
    def install_python(_):
        signal.signal(SAMPLE_SIGNAL, look)
        _install(SAMPLE_SIGNAL, _ours[2], _SA_RESTART)
        process.put(RUNTIME.python_looks, 1)
        return 0

    _install(SAMPLE_SIGNAL, _ours[2], _SA_RESTART)
    if get_ident() == process.get(RUNTIME.main_thread):
        install_python(None)
    else:
        libc.pythonapi.Py_AddPendingCall(libc.permanent(_Pending(install_python)), None)


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
    _make_timer()
    _give_stacks(drop_stack)
    os.register_at_fork(after_in_child=_make_timer)  # timers do not survive a fork
    _ours[:] = handlers
    process.put(RUNTIME.actions, ctypes.addressof(_actions))
    _taken.update(number for number in _DEFERRED if callable(signal.getsignal(number)))
    renew()
    signal.signal = _renewing(signal.signal)
    for name in ("enable", "disable"):
        setattr(faulthandler, name, _beneath(getattr(faulthandler, name), lambda *_, **__: _FAULTS))
    for name in ("register", "unregister"):
        setattr(faulthandler, name, _beneath(getattr(faulthandler, name), lambda signum, *_, **__: (signum,)))


def _renewing(install_handler):
    """`signal.signal`, after which our handlers are on top again. It does not call what it replaces."""
    @functools.wraps(install_handler)
    def wrapper(number, handler, /):
        try:
            return install_handler(number, handler)
        finally:
            if callable(handler):
                _taken.add(number)
                machine_stack.before_imports()
            renew()
    return wrapper


def _beneath(change_handlers, numbers):
    """A function of `faulthandler`, which calls what it replaces: that must not be our handlers. `numbers(arguments)`: the
    signals it is about."""
    @functools.wraps(change_handlers)
    def wrapper(*arguments, **options):
        changed = [number for number in numbers(*arguments, **options) if _is_ours(number)]
        for number in changed:
            _sigaction(number, ctypes.byref(_actions[number]), None)
        try:
            return change_handlers(*arguments, **options)
        finally:
            renew()
    return wrapper


def _is_ours(number):
    """Whether the action of a signal is one of our handlers."""
    action = _Action()
    return _sigaction(number, None, ctypes.byref(action)) == 0 and action.handler in _ours


def renew():
    """Install again what somebody replaced; cheap enough for every instantiation."""
    on_fault, on_interrupt, _ = _ours
    for number in _FAULTS:
        _install(number, on_fault, _SA_ONSTACK | _SA_NODEFER)
    for number in list(_taken):
        if number in _DEFERRED:
            _install(number, on_interrupt, 0)
    _install(RETRY_SIGNAL, on_interrupt, _SA_RESTART)
