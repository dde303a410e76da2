"""numba's compiled functions as imports: behind a C function that is compiled here, which hands their exceptions on to the
caller of wasm. The C function that a `@cfunc` is itself would print them, and takes twice as long; it is called where its
types are not only numbers."""
import weakref

from numba.core import cgutils, types
from numba.core.ccallback import CFunc
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target

from pyjit_wasm import foreign
from pyjit_wasm.codegen import abi, native
from pyjit_wasm.types import F32, F64, I32, I64

ir = cgutils.ir  # numba's own llvmlite.ir

NUMBA_TYPES = {I32: types.int32, I64: types.int64, F32: types.float32, F64: types.float64}
_POINTERS = (types.RawPointer, types.CPointer)


def c_function(thing, functype):
    """As `foreign.c_function`."""
    if isinstance(thing, CFunc):
        results = [] if thing._sig.return_type == types.void else [_value_type(thing._sig.return_type)]
        own = foreign.signature([_value_type(t) for t in thing._sig.args], results)
        if own != functype or not all(t in NUMBA_TYPES.values() for t in thing._sig.args):
            return None if own is None else (thing.address, own)
    numbers = all(t in NUMBA_TYPES for t in (*functype.params, *functype.results))
    on_cpu = isinstance(thing, CFunc) or isinstance(thing, Dispatcher) and thing.targetdescr is cpu_target
    if not on_cpu or not numbers or not abi.in_registers(functype.results):
        return None
    found = _compiled.setdefault(thing, {})
    if functype not in found:
        found[functype] = _compile(thing, functype)
    return found[functype] and (found[functype][0], functype)


_compiled = weakref.WeakKeyDictionary()  # Dispatcher or CFunc: {FuncType: (address of the C function, the library it is in)}


def _value_type(kind):
    if isinstance(kind, _POINTERS):
        return I64
    if isinstance(kind, types.Integer):
        return {32: I32, 64: I64}.get(kind.bitwidth)
    return {types.float32: F32, types.float64: F64}.get(kind)


@global_compiler_lock
def _compile(thing, functype):
    """(address of a C function, what keeps it), None if numba runs the function in object mode."""
    name = thing.__name__
    params = tuple([NUMBA_TYPES[t] for t in functype.params])
    try:
        compiled = _by_numba(thing, params)
    except (NumbaError, TypeError, RuntimeError) as error:  # its errors; too few types; only declared types are allowed
        raise TypeError(f"{functype} wanted, numba cannot compile {name}() for that: {error}") from error
    if compiled.objectmode:
        return None
    if not _fits(compiled.signature.return_type, functype.results):
        raise TypeError(f"{functype} wanted, numba compiles {name}() as {compiled.signature}")
    context = compiled.target_context
    library = context.codegen().create_library(f"wasm_import.{name}")
    module = library.create_ir_module(f"wasm_import.{name}")
    symbol = f"wasm_import.{abi.signature(functype)}.{compiled.fndesc.llvm_func_name}"
    _write(context, module, symbol, compiled.fndesc, params, functype.results)
    context.post_lowering(module, library)
    library.add_ir_module(module)
    library.add_linking_library(compiled.library)
    library.finalize()
    return library.get_pointer_to_function(symbol), library


def _by_numba(thing, params):
    """numba's own result of compiling it for these types."""
    if isinstance(thing, CFunc):
        return thing._compiler.compile(thing._sig.args, thing._sig.return_type)
    if params not in thing.overloads:
        thing.compile(params)
    return thing.overloads[params]


def _items(restype, count):
    """The types of `count` results."""
    return list(restype.types) if count > 1 and isinstance(restype, types.BaseTuple) else [restype]


def _fits(restype, results):
    """Whether what numba's function returns can be the results: integers wrap to their width, any number becomes a float,
    no result is wanted of anything."""
    given = [types.unliteral(t) for t in _items(restype, len(results))]
    return not results or len(given) == len(results) and all(
        isinstance(g, (types.Integer, types.Boolean)) or isinstance(g, types.Float) and w in (F32, F64)
        for g, w in zip(given, results))


def _write(context, module, symbol, fndesc, params, results):
    """The C function: call numba's, keep what it raises pending, give back what c_host expects (`codegen.abi`)."""
    wanted = [NUMBA_TYPES[t] for t in results]
    returned = [context.get_value_type(t) for t in wanted]
    if len(wanted) > 1:
        returned = [ir.IntType(t.bitwidth) for t in wanted]
    result = ir.LiteralStructType(returned) if len(wanted) > 1 else returned[0] if wanted else ir.VoidType()
    function = ir.Function(module, ir.FunctionType(result, [context.get_value_type(t) for t in params]), symbol)
    callee = ir.Function(module, context.call_conv.get_function_type(fndesc.restype, fndesc.argtypes),
                         fndesc.llvm_func_name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    status, value = context.call_conv.call_function(builder, callee, fndesc.restype, fndesc.argtypes, function.args)
    with builder.if_then(status.is_error, likely=False):
        _keep_error(context, builder, status)
    if not wanted:
        builder.ret_void()
        return
    items = cgutils.unpack_tuple(builder, value) if len(wanted) > 1 else [value]
    items = [context.cast(builder, item, types.unliteral(given), want)
             for item, given, want in zip(items, _items(fndesc.restype, len(wanted)), wanted)]
    if len(items) == 1:
        builder.ret(items[0])
        return
    whole = ir.Constant(result, ir.Undefined)
    for index, item in enumerate(items):
        whole = builder.insert_value(whole, builder.bitcast(item, returned[index]), index)
    builder.ret(whole)


def _keep_error(context, builder, status):
    """Raise numba's exception with the GIL, and keep it pending in what this thread runs."""
    pyapi = context.get_python_api(builder)
    gil = pyapi.gil_ensure()
    context.call_conv.raise_error(builder, pyapi, status)
    pointer = ir.IntType(8).as_pointer()
    keep = ir.Constant(ir.IntType(64), native.load_support()["rt_keep_error"])
    keep = builder.inttoptr(keep, ir.FunctionType(ir.VoidType(), [pointer]).as_pointer())
    builder.call(keep, [ir.Constant(pointer, None)])
    pyapi.gil_release(gil)
