"""Imports what is imported late, where there is room: in a thread of its own.

This package imports modules when they are first needed, and that takes up to 60 KiB of machine stack: more than threads have
that are made with small ones.
"""
import _thread
import sys

_PACKAGES = ("runtime", "source", "codegen", "interp", "tiering", "binary", "valid", "valid.bulk", "text", "frames")
_STACK = 16 << 20    # bytes
_done = False


def wanted():
    """Whether modules may yet be imported in the calling thread, and that is not Python's first."""
    threading = sys.modules.get("threading")  # not imported: no other thread yet
    return (not _done and threading is not None and _thread.get_ident() != threading.main_thread().ident
            and not sys.is_finalizing())


def import_all():
    """Import all of this package that is imported late, in a thread with a large stack; raises what that raises, and
    RuntimeError if there can be no other thread."""
    finished, errors = _thread.allocate_lock(), []

    def run():
        try:
            _import_all()
        except BaseException as error:
            errors.append(error)
        finally:
            finished.release()

    finished.acquire()
    before = _thread.stack_size(_STACK)
    try:
        _thread.start_new_thread(run, ())
    finally:
        _thread.stack_size(before)
    finished.acquire()
    if errors:
        raise errors[0]


def _import_all():
    global _done
    import pkgutil
    from importlib import import_module

    root = import_module(__package__)
    for name in root._HOMES:
        import_module(f"{__package__}.{name}")
    for name in _PACKAGES:
        package = import_module(f"{__package__}.{name}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    _done = True
