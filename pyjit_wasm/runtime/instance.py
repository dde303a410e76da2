"""Module instances (spec 4.5.4): the INSTANCE block, its globals, tables, memories and segments."""
import ctypes
import functools
import weakref

from pyjit_wasm.binary.bulk import Datas, FunctionReferences
from pyjit_wasm.errors import Trap, UnsupportedError
from pyjit_wasm.runtime import freed, holders, ownership, sharing
from pyjit_wasm.runtime.exec_env import ExecEnv
from pyjit_wasm.runtime.exceptions import TagInst
from pyjit_wasm.runtime.layout import INSTANCE_OBJECT, INSTANCE_STATUS, SPAN
from pyjit_wasm.runtime.store import FuncInst, GlobalInst, HostFunc, MemoryInst, TableInst

_KINDS = {FuncInst: "funcs", HostFunc: "funcs", TableInst: "tables", MemoryInst: "memories", GlobalInst: "globals",
          TagInst: "tags"}


def check_supported(module, facts):
    """Raises UnsupportedError for what is decoded and validated, but not executed yet."""
    if facts.heap:
        raise UnsupportedError(f"{facts.heap}: structures and arrays are not supported yet")


class ModuleInstance:
    """An instance of `code.module` in `mode`, with `imports` (store objects in import order, already
    matched). `address` is the INSTANCE block's. `keep`: whatever else must live as long; `passed`: the functions
    that Python gave it as arguments, by address. `callables`: the Python objects made for its functions, by index;
    `batches`: BATCH words by address, of those called for arrays. `attached`: what later layers keep with it, by name."""

    def __init__(self, code, mode, imports, stack_size):
        check_supported(code.module, code.facts)
        self.counters = None
        self.code, self.module, self.layout, self.mode = code, code.module, code.layout, mode
        self._words = freed.words(self.layout.size // 8 + 2)
        self.address = ctypes.addressof(self._words)
        self.funcs, self.tables, self.memories, self.globals, self.tags = [], [], [], [], []
        self.keep, self.passed, self._elems, self.attached = list(imports), {}, [], {}
        self.initialized = False    # whether `_initialize` has run, of WASI reactors
        self.stack_size, self.callables, self.batches, self._exec_env = stack_size, {}, weakref.WeakValueDictionary(), None
        for item in imports:
            getattr(self, _KINDS[type(item)]).append(item)
        self.ownership = None
        self._put(INSTANCE_OBJECT, id(self))
        self._put(INSTANCE_STATUS, code.status)
        code.place_functions(self)
        try:
            self._allocate()
        except BaseException:   # nothing refers to it yet, but for the exception
            self.memories, self.tables = [], []
            raise
        sharing.keep_alive(self, imports)
        self.ownership = ownership.of_instance(self, imports)
        self._initialise()

    def _put(self, offset, value):
        self._words[offset // 8] = value

    @property
    def exec_env(self):
        """The exec_env that convenience calls use, made when the first one is."""
        if self._exec_env is None:
            with self.code.lock:  # one, or two threads could run the instance at once
                if self._exec_env is None:
                    self._exec_env = self.new_exec_env(self.stack_size)
        return self._exec_env

    def new_exec_env(self, stack_size):
        """Another exec_env for this instance."""
        env = ExecEnv(stack_size, self)
        if self.ownership is not None:
            self.ownership.resolve().admit(env)
        return env

    def func_address(self, funcidx):
        """Address of a function's FUNC."""
        if funcidx < len(self.funcs):
            return self.funcs[funcidx].address
        return self.address + self.layout.funcs[funcidx]

    @functools.cached_property
    def imports_python_only(self):
        """Whether all functions that it imports are Python's."""
        return all(isinstance(f, HostFunc) and f.python for f in self.funcs)

    def function(self, funcidx):
        """The store object of a function."""
        if funcidx < len(self.funcs):
            return self.funcs[funcidx]
        return FuncInst(self.func_address(funcidx), self.module.funcs[funcidx], self)

    def may_run(self, function):
        """Whether its exec_envs may run a store object: a function of its own, one that it imports, or a host function."""
        return isinstance(function, HostFunc) or function.owner is self or any(
            function.address == imported.address for imported in self.funcs)

    # --- allocation (spec 4.5.3)

    def _allocate(self):
        module, layout = self.module, self.layout
        for offset, item in zip(layout.imports, self.funcs):
            self._put(offset, item.address)
        for offset, deftype in zip(layout.type_ids, module.types):
            self._put(offset, deftype.id)
        guarded = not self.code.explicit
        for memtype in module.mems[len(self.memories):]:
            self.memories.append(MemoryInst(memtype, guarded))
        for offset, memory in zip(layout.memories, self.memories):
            self._put(offset, memory.base)
            self._put(offset + 8, memory.address)
        for offset, item in zip(layout.globals, self.globals):
            self._put(offset, item.address)
        self._define_globals()
        for table in module.table_defs:
            self.tables.append(TableInst(table.type, self._evaluate(table.init) if table.init else 0))
        for offset, table in zip(layout.tables, self.tables):
            self._put(offset, table.address)
        self.tags += map(TagInst, module.tags[len(self.tags):])
        for offset, tag in zip(layout.tags, self.tags):
            self._put(offset, tag.address)

    def _define_globals(self):
        for item in self.module.global_defs:
            offset = self.layout.globals[len(self.globals)]
            cell = GlobalInst(item.type, self.address + offset, self)
            cell.bits = self._evaluate(item.init)
            self.globals.append(cell)

    def _evaluate(self, expression):
        """A constant expression's value, as raw bits."""
        stack = []
        for op, imm, _ in expression:
            rule = _CONSTANT.get(op.mnemonic)
            if rule is None:
                raise UnsupportedError(f"{op.mnemonic} is not supported yet")
            rule(self, stack, imm)
        return stack.pop()

    # --- segments

    def _initialise(self):
        module, layout = self.module, self.layout
        references = [self._references(elem.inits) if elem.mode != "declarative" else [] for elem in module.elems]
        for elem, items in zip(module.elems, references):
            if elem.mode == "active":
                self._write_table(elem, items)
        for offset, elem, items in zip(layout.elems, module.elems, references):
            if elem.mode == "passive" and items:
                array = freed.words(len(items), *items)
                self._elems.append(array)
                holders.add(self)
                self._span(offset, ctypes.addressof(array), len(items))
        bulk = isinstance(module.datas, Datas)
        for index in module.datas.passive() if bulk else range(len(module.datas)):
            data = module.datas[index]
            if data.mode == "passive" and data.end > data.start:
                self._span(layout.datas[index], _bytes_address(module.data) + data.start, data.end - data.start)
        if bulk:
            self._write_memory(0, module.datas.active())
            return
        for data in module.datas:
            if data.mode == "active":
                self._write_memory(data.memory, [(self._evaluate(data.offset), data.start, data.end)])

    def _references(self, inits):
        """What the expressions of an element segment refer to."""
        if isinstance(inits, FunctionReferences):
            return [self.func_address(index) for index in inits.indices]
        return [self._evaluate(init) for init in inits]

    def references(self):
        """Where they are in element segments: (address, number of words) of each place."""
        return [(ctypes.addressof(array), len(array)) for array in self._elems]

    def _span(self, offset, base, length):
        self._put(offset + SPAN.base, base)
        self._put(offset + SPAN.length, length)

    def _write_table(self, elem, references):
        table, start = self.tables[elem.table], self._evaluate(elem.offset)
        if start + len(references) > table.length:
            raise Trap("out of bounds table access")
        table.write(start, references)

    def _write_memory(self, memidx, segments):
        """Copy parts of the module, (offset in the memory, start, end) each."""
        source = _bytes_address(self.module.data)
        for offset, start, end in segments:
            memory = self.memories[memidx]
            if offset + end - start > memory.bytes:
                raise Trap("out of bounds memory access")
            ctypes.memmove(memory.base + offset, source + start, end - start)


def _bytes_address(data):
    """Address of the first byte of a bytes object."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value


def _constant(mask):
    return lambda instance, stack, imm: stack.append(imm & mask)


def _arithmetic(operation, mask):
    def apply(instance, stack, imm):
        right, left = stack.pop(), stack.pop()
        stack.append(operation(left, right) & mask)
    return apply


def _sum(a, b):
    return a + b


def _difference(a, b):
    return a - b


def _product(a, b):
    return a * b


_WORD, _DOUBLE_WORD = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
# what constant expressions may contain (spec 3.4.12), on raw bits
_CONSTANT = {
    "i32.const": _constant(_WORD), "i64.const": _constant(_DOUBLE_WORD),
    "f32.const": _constant(_WORD), "f64.const": _constant(_DOUBLE_WORD),
    "v128.const": lambda instance, stack, imm: stack.append(int.from_bytes(imm, "little")),
    "global.get": lambda instance, stack, imm: stack.append(instance.globals[imm].bits),
    "ref.null": lambda instance, stack, imm: stack.append(0),
    "ref.func": lambda instance, stack, imm: stack.append(instance.func_address(imm)),
}
for _width, _mask in (("i32", _WORD), ("i64", _DOUBLE_WORD)):
    for _name, _operation in (("add", _sum), ("sub", _difference), ("mul", _product)):
        _CONSTANT[f"{_width}.{_name}"] = _arithmetic(_operation, _mask)
