"""Signatures in letters, "iI:f", and the LLVM types that the native calling convention passes."""
from pyjit_wasm.errors import UnsupportedError
from pyjit_wasm.types import F32, F64, I32, I64, RefType

LETTER = {I32: "i", I64: "I", F32: "f", F64: "F"}
LLVM = {"i": "i32", "I": "i64", "f": "float", "F": "double", "r": "i64", "x": "i64"}
REFERENCE_KIND = {"r": 0, "x": 1}


def letter(valtype):
    if isinstance(valtype, RefType):
        return "x" if valtype.heap in ("extern", "noextern", "exn") else "r"
    try:
        return LETTER[valtype]
    except KeyError:
        raise UnsupportedError(f"{valtype} is not supported yet") from None


def signature(functype):
    """The letters of a FuncType."""
    return "".join(map(letter, functype.params)) + ":" + "".join(map(letter, functype.results))


def result_type(types):
    """LLVM type of a function's results."""
    if len(types) == 1:
        return types[0]
    return "{" + ", ".join(types) + "}" if types else "void"
