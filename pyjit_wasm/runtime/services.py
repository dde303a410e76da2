"""One door from generated code to Python: a callable that gets the number of a service and three ints
(for `to_ref` an object). What later layers provide registers itself here."""
from pyjit_wasm.runtime.layout import SERVICES

_functions = [None] * len(SERVICES)


def provides(function):
    """Decorator: the function of that name is the service of that name."""
    _functions[SERVICES.index(function.__name__)] = function
    return function


def serve(which, *arguments):
    """Called by `rt_service` and `rt_raise` with the GIL held."""
    return _functions[which](*arguments)
