"""Names of C++ and Rust functions, demangled if `pydemumble` is installed."""
import functools

_MANGLED = "_Z", "__Z", "_R"


@functools.cache
def _demangle():
    try:
        from pydemumble import demangle
    except ImportError:
        return None
    return demangle


def demangled(name, otherwise=None):
    """What a linkage name (str or None) stands for. `otherwise`, if that is given, else the name, where it is not mangled or
    pydemumble is not installed."""
    if name is not None and name.startswith(_MANGLED) and (demangle := _demangle()) is not None:
        return demangle(name) or otherwise or name
    return otherwise or name
