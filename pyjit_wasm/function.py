"""wasm.Function: an exported function as Python calls it, at the cost of a C call."""
from __future__ import annotations

import ctypes

from pyjit_wasm import introspection, pickling, tag
from pyjit_wasm.codegen import native
from pyjit_wasm.codegen.abi import EXCEPTIONS, EXTERNALS, keeps_references, reference_kind, signature
from pyjit_wasm.errors import InternalError
from pyjit_wasm.runtime import freed, holders, sharing
from pyjit_wasm.runtime.crossings import collect_if_due, crossing
from pyjit_wasm.runtime.exec_env import ExecEnv
from pyjit_wasm.runtime.instance import ModuleInstance
from pyjit_wasm.runtime.layout import CALL_SITE, FUNC
from pyjit_wasm.runtime.services import provides
from pyjit_wasm.runtime.store import HostFunc, externs, host_of
from pyjit_wasm.tiering import controller
from pyjit_wasm.types import F32, I32, V128, RefType, by_id, functype, slots
from pyjit_wasm.values import check_reference, from_bits, from_words, integer, to_bits, to_words, value_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    import numpy

    from pyjit_wasm import exec_env as public
    from pyjit_wasm.c_pointers import CFunction
    from pyjit_wasm.types import DefType, FuncType
    from pyjit_wasm.values import Value, ValueTypeName

_HOST_STACK = 1 << 16
_CO_COROUTINE = 0x80


class Function(native.callable_base()):
    """A function instance (spec 4.2.6). Call it with one positional argument for each parameter: ints
    (signed or unsigned, in range of the width), floats, bytes-like objects of 16 bytes for a v128, references;
    it returns None, a value, or a tuple. A v128 comes back as bytes, the first lane first.

    Raises TypeError (count or type of arguments), OverflowError (an integer that does not fit), ValueError (a v128
    that is not 16 bytes), Trap, InUseError (the instance runs in another thread), or whatever a host function raised.

    `Function(target, params, results)` makes one of a Python callable, for tables and imports; value types
    are "i32", "i64", "f32", "f64", "v128", "funcref", "externref". ValueError for more than 1,000 parameters or results.

    Attributes, all read-only: `type`, a FuncType; `name`, str, from the name section, the import or the export (`__name__`
    too); `index`, the function index, int, None of a host function. `inspect.signature` and `help` work.
    """

    __slots__ = ("_type", "_name", "_instance", "_index", "_inst", "_env", "_importer", "_site", "_cells", "_ufunc",
                 "__qualname__", "__weakref__")
    __doc__ = introspection.Computed(introspection.documentation, __doc__)
    __signature__ = introspection.Computed(introspection.signature)
    __reduce_ex__ = pickling.refuse

    if TYPE_CHECKING:
        def __call__(self, *arguments: Value) -> Any: ...

    def __new__(cls, target: Callable[..., object], params: Iterable[ValueTypeName] = (),
                results: Iterable[ValueTypeName] = ()) -> Function:
        if not callable(target):
            raise TypeError(f"{type(target).__name__!r} object is not callable")
        return of_store(host_function(target, functype(map(value_type, params), map(value_type, results))))

    def _bind(self, inst, env, keep_gil, name, index=None, instance=None):
        self._type = inst.deftype.comp
        trampolines = native.trampolines(self._type)
        self._name, self._index, self._instance, self.__qualname__ = name, index, instance, name
        self._inst, self._env, self._cells, self._ufunc = inst, env, None, None
        self._importer = env.instance and env.instance()    # alive, as who is called may ask for it
        self._site = freed.words(CALL_SITE.size // 8, env.address, inst.address, keep_gil)
        native.set_vectorcall(self, trampolines.py_enter, ctypes.addressof(self._site))
        return self

    @property
    def type(self) -> FuncType:
        """Its FuncType."""
        return self._type

    @property
    def name(self) -> str:
        """From the name section, the import or the export."""
        return self._name

    __name__ = name

    @property
    def index(self) -> int | None:
        """The function index, None of a host function."""
        return self._index

    @property
    def instance(self) -> ModuleInstance | None:
        """What it runs in, as the runtime sees it, None of a host function."""
        return self._instance

    @property
    def deftype(self) -> DefType:
        """The DefType, whose identity is the type's."""
        return self._inst.deftype

    async def call_async(self, *arguments: Value) -> Any:
        """Call it in a thread of the running event loop's default executor, so that the loop goes on. Host functions may be
        `async def`: the loop runs them. Cancelling interrupts the wasm; it has stopped when CancelledError comes out."""
        from pyjit_wasm import asynchronous

        return await asynchronous.call(self, arguments)

    @property
    def tier(self) -> controller.Tier:
        """Where the function is: "interp", "native" or "host", a str whose `.why` gives the reason."""
        if self.instance is None:
            return controller.Tier("host", "a host function")
        return controller.tier(self.instance, self.index)

    def call_bits(self, arguments: Sequence[Value]) -> tuple[Value, ...]:
        """Call with raw bits: numbers as unsigned ints of their width, vectors as bytes, references as objects; the
        results likewise, as a tuple. Keeps NaN payloads that Python floats would lose."""
        params, arguments = self.type.params, tuple(arguments)
        if len(arguments) != len(params):
            raise TypeError(f"{self.name}() takes {len(params)} arguments ({len(arguments)} given)")
        if self._cells is None:
            self._cells = _CellCaller(self)
        if not keeps_references(signature(self.type)):
            return self._call_cells(arguments)
        with crossing:
            return self._call_cells(arguments)

    def _call_cells(self, arguments):
        params, results = self.type.params, self.type.results
        words = [word for t, value in zip(params, arguments) for word in to_words(t, _raw(t, value, self._inst.address))]
        cells = (ctypes.c_uint64 * (max(len(words), slots(results)) + 1))(*words)
        self._cells(ctypes.addressof(cells))
        return tuple([_result(valtype, bits) for valtype, bits in zip(results, from_words(results, cells))])

    def c_function(self, exec_env: public.ExecEnv | None = None) -> CFunction:
        """A C function pointer that calls this function: a ctypes function object, a `pyjit_wasm.c_pointers.CFunction`,
        whose `.address` is for other libraries. C may call it in any thread, with or without the GIL, as long as the
        object lives.

        It runs with `exec_env`, an ExecEnv of the same instance, or the one that calls of this object use. One exec_env runs
        in one thread at a time. After a trap or a Python exception C gets 0, and further calls return 0 at once, until the
        exception is raised where Python can take it: see CFunction.

        Raises TypeError for functions whose parameters and results C does not have (only numbers, one result at most),
        ValueError for an ExecEnv of another instance.
        """
        from pyjit_wasm.c_pointers import c_function

        return c_function(self, exec_env)

    @property
    def _numba_type_(self) -> Any:
        """What numba calls the type of this object, None if its values are not all numbers."""
        from pyjit_wasm.numba_calls import type_of

        return type_of(self)

    @property
    def ufunc(self) -> numpy.ufunc:
        """A numpy.ufunc that calls the function for the elements of arrays in one native loop, without the GIL: of int32
        or else uint32 for i32, int64 or uint64 for i64, float32, float64. TypeError for a function without parameters or
        results, or with others than numbers; ImportError without NumPy."""
        if self._ufunc is None:
            from pyjit_wasm import batch

            with native.loading:
                self._ufunc = self._ufunc or batch.ufunc(self)
        return self._ufunc

    def map(self, *arrays: Any, **options: Any) -> Any:
        """Call the function for the elements of arrays, broadcast against each other; `options` are those of
        numpy.ufunc, such as `out` and `where`. Returns an array for each result. Raises as a call does, and what
        `ufunc` does; the TypeError of NumPy where arrays cannot safely be cast to the parameters' types."""
        return self.ufunc(*arrays, **options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Function) and self._inst.address == other._inst.address

    def __hash__(self) -> int:
        return hash(self._inst.address)

    def __repr__(self) -> str:
        return f"<wasm function {self.name}: {self.type}>"


class _CellCaller(native.callable_base()):
    """Calls a Function's wasm with the address of an array of cells."""

    __slots__ = ("function",)

    def __init__(self, function):
        self.function = function
        enter = native.trampolines(function.type).cells_enter
        native.set_vectorcall(self, enter, ctypes.addressof(function._site))


native.inherit_vectorcall(Function)
native.inherit_vectorcall(_CellCaller)


def _raw(valtype, value, holder):
    if isinstance(valtype, RefType) or valtype == V128:
        return to_bits(valtype, value, holder)
    return integer(value)


def _result(valtype, bits):
    if isinstance(valtype, RefType) or valtype == V128:
        return from_bits(valtype, bits)
    return bits & 0xFFFFFFFF if valtype in (I32, F32) else bits


def _keeps_gil(instance, funcidx):
    """Functions that are certain to finish soon do: releasing and taking the GIL costs 19 ns."""
    reaches_imports = instance.code.brief.get(funcidx)
    return reaches_imports is False or reaches_imports is True and instance.imports_python_only


def of_instance(instance, funcidx):
    """The Function of a ModuleInstance's function: always the same object."""
    found = instance.callables.get(funcidx)
    if found is None:
        inst = instance.function(funcidx)
        if funcidx < len(instance.funcs):
            found = of_store(inst)
        else:
            found = object.__new__(Function)._bind(inst, instance.exec_env, _keeps_gil(instance, funcidx),
                                                   instance.module.function_name(funcidx), funcidx, instance)
        instance.callables[funcidx] = found
    return found


def of_store(inst):
    """The Function of a store object: an instance's function or a host function. A host function that was made for an
    instance runs in the exec_env of that."""
    if isinstance(inst, HostFunc):
        if inst.public is None:
            name = getattr(inst.keep, "__name__", "host function")
            importer = inst.importer and inst.importer()
            env = importer.exec_env if importer else ExecEnv(_HOST_STACK)
            inst.public = object.__new__(Function)._bind(inst, env, inst.python, name)
        return inst.public
    return of_instance(inst.owner, (inst.address - inst.owner.address - inst.owner.layout.first_func) // FUNC.size
                       + inst.owner.module.imported_funcs)


def bind(function, env):
    """The same function, run in the runtime ExecEnv `env`."""
    return object.__new__(Function)._bind(function._inst, env, function._site[CALL_SITE.keep_gil // 8], function.name,
                                          function.index, function.instance)


def host_function(target, deftype):
    """The store object for a Python callable, with the type its importer wants."""
    target = synchronous(target)
    t = native.trampolines(deftype.comp)
    return HostFunc(deftype, t.py_host, t.call_native_code, id(target), target, True)


def synchronous(target):
    """A callable that returns what `target` does, for an `async def` what its coroutine does."""
    if _is_async(target):
        from pyjit_wasm import asynchronous

        target = asynchronous.bridge(target)
    return target


def _is_async(target):
    """Whether calling it makes a coroutine (`inspect.iscoroutinefunction` without the import, and for objects too)."""
    return any(getattr(getattr(f, "__code__", None), "co_flags", 0) & _CO_COROUTINE
               for f in (target, getattr(type(target), "__call__", None)))


def foreign_function(address, deftype, keep):
    """The store object for a C function pointer of exactly that type."""
    t = native.trampolines(deftype.comp)
    return HostFunc(deftype, t.c_host, t.call_native_code, address, keep, False)


@provides
def to_ref(thing, kind, holder, *_):
    """The reference that a Python object is in wasm. `holder`, what it is given to, keeps a function, because it may store
    it: an object with `passed`, or the address of the FUNC that it is an argument or a result of."""
    if kind == EXTERNALS:
        return externs.reference(thing)
    if thing is None:
        return 0
    host = host_of(holder) if isinstance(holder, int) else None
    if host is not None:    # its result, or an argument, which is in a crossing
        collect_if_due()
    if kind == EXCEPTIONS:
        return tag.reference(thing)
    if not isinstance(thing, Function):
        raise TypeError(f"a wasm function or None is required, not {type(thing).__name__}")
    if isinstance(holder, int):
        holder = host or controller.running_instance(holder)[0]
    if thing._inst.address not in holder.passed and not isinstance(thing._inst, HostFunc):
        sharing.made_known(thing._inst, holder)
    holders.keep(holder, thing._inst)
    return thing._inst.address


@provides
def to_checked_ref(thing, func, position):
    """A reference for a parameter of a FUNC, or for the result ~`position`, of a type that has to be checked."""
    comp = by_id(ctypes.c_uint64.from_address(func + FUNC.type_id).value).comp
    valtype = comp.params[position] if position >= 0 else comp.results[~position]
    check_reference(valtype, thing)
    return to_ref(thing, reference_kind(valtype), func)


@provides
def from_ref(reference, kind, *_):
    reference &= 0xFFFFFFFFFFFFFFFF
    if kind == EXTERNALS:
        return externs.thing(reference)
    if not reference:
        return None
    if kind == EXCEPTIONS:
        return tag.error_of(reference)
    host = host_of(reference)
    if host is not None:
        return of_store(host)
    instance, funcidx = controller.running_instance(reference)
    if not isinstance(instance, ModuleInstance):
        raise InternalError("not a function reference")
    return of_instance(instance, funcidx)


@provides
def raise_arity(address, count, *_):
    function = ctypes.cast(address, ctypes.py_object).value
    wanted = len(function.type.params)
    if count == wanted:
        raise TypeError(f"{function.name}() takes no keyword arguments")
    raise TypeError(f"{function.name}() takes {wanted} arguments ({count} given)")
