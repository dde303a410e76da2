"""Calls of wasm functions in numba's compiled code: a numba type for `wasm.Function`, which numba asks the object for
(`_numba_type_`), so nothing has to be imported or registered first."""
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import lower_builtin, lower_constant
from numba.core.registry import cpu_target
from numba.core.typeconv import Conversion
from numba.core.typing.templates import signature
from numba.extending import NativeValue, box, models, register_model, unbox

from pyjit_wasm.codegen import native
from pyjit_wasm.numba_imports import NUMBA_TYPES, ir
from pyjit_wasm.runtime.layout import CALL_SITE

_WORD, _STATUS = ir.IntType(64), ir.IntType(32)
_POINTER = ir.IntType(8).as_pointer()


class WasmFunction(types.Callable):
    """The numba type of wasm functions with these `params`, a tuple of numba types, and `result`, one of them, a tuple type,
    or `none`. Values are addresses of Python's Function objects."""

    def __init__(self, params, result):
        self.params, self.result = params, result
        super().__init__(f"WasmFunction({', '.join(map(str, params))}) -> {result}")

    def get_call_type(self, context, args, kws):
        """The signature of a call. An argument may have another type if numba finds the conversion safe, if it only differs
        in being unsigned, or if it is a constant in range."""
        if kws or len(args) != len(self.params):
            raise TypingError(f"{self} takes {len(self.params)} positional arguments")
        for given, wanted in zip(args, self.params):
            if not _converts(context, given, wanted):
                raise TypingError(f"{self} does not take {types.unliteral(given)} as {wanted}")
        return signature(self.result, *self.params, recvr=self)

    def get_call_signatures(self):
        return [signature(self.result, *self.params)], False

    def get_impl_key(self, sig):
        return type(self)


def _converts(context, given, wanted):
    if isinstance(wanted, types.Integer):
        if isinstance(given, types.IntegerLiteral):
            return -1 << wanted.bitwidth - 1 <= given.literal_value < 1 << wanted.bitwidth
        if isinstance(given, types.Integer) and given.bitwidth == wanted.bitwidth:
            return True
    score = context.can_convert(types.unliteral(given), wanted)
    return score is not None and score <= Conversion.safe


_types = {}


def type_of(function):
    """The numba type of a Function, None if its parameters and results are not all numbers."""
    functype = function.type
    if not function._site[CALL_SITE.njit_enter // 8]:
        if not all(t in NUMBA_TYPES for t in (*functype.params, *functype.results)):
            return None
        function._site[CALL_SITE.njit_enter // 8] = native.c_trampolines(functype).njit_enter
    found = _types.get(functype)
    if found is None:
        params, results = ([NUMBA_TYPES[t] for t in valtypes] for valtypes in (functype.params, functype.results))
        result = types.BaseTuple.from_types(results) if len(results) > 1 else results[0] if results else types.none
        found = _types[functype] = WasmFunction(tuple(params), result)
    return found


register_model(WasmFunction)(models.OpaqueModel)


@unbox(WasmFunction)
def _unbox(typ, obj, c):
    return NativeValue(c.builder.bitcast(obj, _POINTER))


@box(WasmFunction)
def _box(typ, val, c):
    obj = c.builder.bitcast(val, c.pyapi.pyobj)
    c.pyapi.incref(obj)
    return obj


@lower_constant(WasmFunction)
def _constant(context, builder, typ, function):
    """A global or closure variable. The compiled code keeps it, and goes into no cache on disk."""
    library = context.active_code_library
    library.wasm_functions = [*getattr(library, "wasm_functions", ()), function]
    return context.add_dynamic_addr(builder, id(function), info=str(typ))


@lower_builtin(WasmFunction, WasmFunction, types.VarArg(types.Any))
def _call(context, builder, sig, args):
    """Call `njit_enter`; if that fails an exception is set, and this function returns as numba's do then."""
    results = list(sig.return_type.types) if isinstance(sig.return_type, types.BaseTuple) else (
        [] if sig.return_type == types.none else [sig.return_type])
    site = _load(builder, args[0], native.CALL_SITE_POINTER, _POINTER)
    room = cgutils.alloca_once(builder, _WORD, size=len(results) + 1)
    arguments = [site, builder.bitcast(room, _POINTER), *args[1:]]
    enter = _load(builder, site, CALL_SITE.njit_enter, ir.FunctionType(_STATUS, [a.type for a in arguments]).as_pointer())
    status = builder.call(enter, arguments)
    with builder.if_then(builder.icmp_unsigned("!=", status, _STATUS(0)), likely=False):
        context.call_conv.return_exc(builder)
    values = [_load(builder, arguments[1], 8 * i, context.get_value_type(t)) for i, t in enumerate(results)]
    if isinstance(sig.return_type, types.BaseTuple):
        return context.make_tuple(builder, sig.return_type, values)
    return values[0] if values else context.get_dummy_value()


def _load(builder, base, offset, kind):
    """What is `offset` bytes behind the pointer `base`."""
    place = builder.gep(base, [_WORD(offset)])
    return builder.load(builder.bitcast(place, kind.as_pointer()))


cpu_target.target_context.refresh()  # numba looks for what is new only when it starts to compile, and may be in the middle
