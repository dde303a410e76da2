"""Functions of loaded code, named as tools of the system show them."""
import collections

_LONGEST = 400  # characters of a guest's name

Function = collections.namedtuple("Function", "address size symbol name kind module")
Function.__doc__ = """`address`: int; `size`: bytes of code; `symbol`: str, of the object; `name`: str, of the guest's function or the
runtime's; `kind`: what code it is, such as "jit" or "interp"; `module`: the name of the wasm module, or None."""


def functions(loaded):
    """The Functions of a loader.Loaded, sorted by address."""
    origin = loaded.origin
    module = origin.module and printable(origin.module.names.module or "")
    return [Function(address, size, symbol, *_title(origin, symbol, loaded.symbols), module or None)
            for address, size, symbol in loaded.functions()]


def _title(origin, symbol, symbols):
    name, kind = origin.title(symbol, symbols)
    return printable(name), kind


def title(function):
    """A Function in one line, such as `fib [wasm jit prog]`."""
    return f"{function.name} [{' '.join(filter(None, ('wasm', function.kind, function.module)))}]"


def printable(name):
    """A guest's name without what would break a line or a terminal."""
    name = name if name.isprintable() else "".join(c if c.isprintable() else "?" for c in name)
    return name[:_LONGEST]
