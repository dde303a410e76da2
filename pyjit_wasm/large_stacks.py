"""Threads with room on their machine stacks, however small a program makes those of its own (`threading.stack_size`).

This package imports modules when they are first needed, and that takes up to 60 KiB: it is left to another thread. A signal
handler in Python may use this package in the middle of an import by its own thread, where modules are incomplete: where there are
handlers, everything is imported at once, in another thread too, for which imports in handlers wait.
"""
import _signal
import _thread
import os
import sys
from importlib import import_module

_PACKAGES = ("runtime", "source", "codegen", "interp", "tiering", "binary", "valid", "valid.bulk", "text", "frames")
_SAMPLES = f"{__package__}.runtime.samples"    # has a handler that does not
_STACK = 16 << 20    # bytes
_done = False


def start(start_thread):
    """The result of `start_thread()`, which starts threads: they have large stacks."""
    before = _thread.stack_size(_STACK)
    try:
        return start_thread()
    finally:
        _thread.stack_size(before)


def load(name):
    """The module of that name in this package; only the process's first thread imports it itself, without signal handlers."""
    name = f"{__package__}.{name}"
    if name not in sys.modules and wanted() and possible():
        _elsewhere(lambda: import_module(name))
    return import_module(name)


def wanted():
    """Whether modules may have to be imported yet, and not by the process's first thread."""
    return not _done and (_thread.get_native_id() != os.getpid() or handlers())


def handlers():
    """Whether Python has handlers of signals that may use this package: others than its own."""
    return any(callable(handler) and handler is not _signal.default_int_handler and getattr(handler, "__module__", None) != _SAMPLES
               for handler in map(_signal.getsignal, range(1, _signal.NSIG)))


def possible():
    """Whether another thread can import modules while this one waits: not if it would wait for one that this one is importing,
    and not while Python ends."""
    return not sys.is_finalizing() and not any(map(_is_being_imported, list(sys.modules.items())))


def _is_being_imported(item):
    name, module = item
    return name.startswith(__package__) and getattr(getattr(module, "__spec__", None), "_initializing", False)


def load_all():
    """Import all of this package that is imported late; raises what that raises, and RuntimeError if there can be no other
    thread."""
    _elsewhere(_load_all)


def _elsewhere(function):
    """Call `function` in a thread with a large stack and wait for it; raises what it raises."""
    finished, errors = _thread.allocate_lock(), []

    def run():
        try:
            function()
        except BaseException as error:
            errors.append(error)
        finally:
            finished.release()

    finished.acquire()
    start(lambda: _thread.start_new_thread(run, ()))
    finished.acquire()
    if errors:
        raise errors[0]


def _load_all():
    global _done
    import pkgutil

    root = import_module(__package__)
    for name in root._HOMES:
        import_module(f"{__package__}.{name}")
    for name in _PACKAGES:
        package = import_module(f"{__package__}.{name}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    _done = True
