"""Everything that was made of a module's functions: threaded code, native units, and per mode the
template of an instance's FUNC array. All instances of a module share it.

Of a module there are *variants* of code, made when they are wanted: as it is, with counters, for single steps. An
instance runs one of them and can be moved to another at any time.

A FUNC's `entry` and `ip` are the only links between tiers:

    state            entry                    ip
    not ready        rt_lazy                  rt_prepare, which asks for code as rt_lazy does
    threaded         to_interp trampoline     threaded code
    native           native code              call_native handler
"""
import ctypes
import functools
import struct
import weakref
from _thread import RLock

from pyjit_wasm import config, forks
from pyjit_wasm.codegen import budget, cache, native, objects
from pyjit_wasm.codegen.budget import Budget, OverBudget
from pyjit_wasm.codegen.compiled import CompiledUnit
from pyjit_wasm.codegen.unit import Unit
from pyjit_wasm.config import PLAIN, STEPPING
from pyjit_wasm.errors import FrameTooLarge
from pyjit_wasm.interp.interpreter import interpreter
from pyjit_wasm.runtime import sharing
from pyjit_wasm.runtime.layout import BATCH, FUNC, InstanceLayout
from pyjit_wasm.tiering import events, units

_FUNC = struct.Struct("<" + "Q" * (FUNC.size // 8))
_WORD = struct.Struct("<Q")
NEVER = 1 << 62
live = weakref.WeakSet()    # all ModuleCodes


class ModuleCode:
    """`module`, its `facts` (one for each defined function), and `settings` (an Engine's). `plain`: the ModuleCode that
    this is a `variant` of."""

    def __init__(self, module, facts, settings, plain=None, variant=PLAIN):
        self.module, self.facts, self.settings = module, facts, settings
        self.variant, self._plain, self._variants = variant, plain, plain._variants if plain else {}
        self.layout = plain.layout if plain else InstanceLayout(module)
        self.explicit = settings.memory_bounds == "explicit"
        self.first = module.imported_funcs
        self.threaded, self.native, self.loops, self.batches, self.units = {}, {}, {}, {}, []
        self.reasons, self.failed = {}, {}  # funcidx: why it is compiled; why it could not be
        self._too_much = set()  # sets of functions that LLVM cannot compile together in its budget
        self.waiting = set()  # (funcidx, in_loop) that the background compiler was asked for
        self.instances = weakref.WeakSet()
        self.lock = plain.lock if plain else forks.kept(RLock(), "code")
        self._templates, self._digest, self._partition = {}, None, None
        live.add(self)
        self.status = bool(module.tags) or facts.exceptions  # functions return one
        if self.status:
            from pyjit_wasm.interp import unwind  # noqa: F401  its services

        self.brief = plain.brief if plain else units.Brief(module, facts)
        self.writes_references = sharing.writes_references(module, facts)

    def in_variant(self, name):
        """The ModuleCode of the same module in a variant."""
        plain = self._plain or self
        if name == PLAIN:
            return plain
        with self.lock:
            if name not in self._variants:
                self._variants[name] = ModuleCode(self.module, self.facts, self.settings, plain, name)
            return self._variants[name]

    @property
    def variants(self):
        """The ModuleCodes that there are of the module."""
        return [self._plain or self, *self._variants.values()]

    def mode_of(self, instance):
        """The mode in which an instance runs this code."""
        return "interp" if self.variant == STEPPING else instance.mode

    @property
    def digest(self):
        """Stands for the module's bytes in cache keys."""
        if self._digest is None:
            self._digest = cache.digest(self.module.data)
        return self._digest

    @property
    def partition(self):
        """The units of mode jit, by function: see `units.partition`."""
        if self._partition is None:
            self._partition = units.partition(self)
        return self._partition

    # --- what a function's FUNC holds

    def state(self, funcidx, mode):
        """(entry, ip, counter) of a function in a mode, as things stand."""
        if mode != "interp" and funcidx in self.native:
            return self.native[funcidx], self.trampolines(funcidx).call_native_code, NEVER
        code = self.threaded.get(funcidx)
        if code == TOO_LARGE and funcidx in self.native:
            return self.native[funcidx], self.trampolines(funcidx).call_native_code, NEVER
        counter = self.settings.tier_up_threshold if mode == "tiered" else NEVER
        if code is None or code == TOO_LARGE or mode == "jit" and funcidx not in self.failed:
            return self.lazy, native.prepare_code, counter
        return self.trampolines(funcidx).to_interp, code.address, counter

    @property
    def lazy(self):
        """The entry of functions that are not ready."""
        return native.load_support()["rt_lazy_status" if self.status else "rt_lazy"]

    def trampolines(self, funcidx):
        """Those that lead to a function."""
        kind = native.status_trampolines if self.status else native.trampolines
        return kind(self.module.funcs[funcidx].comp)

    def template(self, mode):
        """The FUNC array of a new instance in `mode`, `inst` left open; kept current by `publish`."""
        found = self._templates.get(mode)
        if found is None:
            self._recall(mode)
            found = self._templates[mode] = self._not_ready(mode)
            for funcidx in {*self.native, *self.threaded}:
                self._write(found, funcidx, mode)
        return found

    def _not_ready(self, mode):
        """A template in which no function is."""
        found = bytearray(len(self.module.codes) * FUNC.size)
        rt_lazy = native.load_support()["rt_lazy"]
        status = (self.lazy, native.prepare_code) if self.status else (0, 0)
        counter = self.settings.tier_up_threshold if mode == "tiered" else NEVER
        for index, deftype in enumerate(self.module.funcs[self.first:]):
            _FUNC.pack_into(found, index * FUNC.size, rt_lazy, native.prepare_code, 0, deftype.id, counter,
                            self.first + index, *status)
        return found

    def _write(self, template, funcidx, mode):
        entry, ip, _ = self.state(funcidx, mode)
        for offset, value in self._places(funcidx, entry, ip):
            _WORD.pack_into(template, (funcidx - self.first) * FUNC.size + offset, value)

    def publish(self, funcidx):
        """Write a function's new state into the templates and every instance: the swap of entries."""
        with self.lock:
            for mode, template in self._templates.items():
                self._write(template, funcidx, mode)
            for instance in list(self.instances):
                self._swap(instance, funcidx)

    def _tell(self, loops):
        """Have calls that are in loops of these functions look for compiled code at the next back edge. They count down the
        same word: the news may get lost, then they look later."""
        for instance in list(self.instances) if loops else ():
            if self.mode_of(instance) == "tiered":
                for funcidx in loops:
                    ctypes.c_uint64.from_address(instance.func_address(funcidx) + FUNC.counter).value = 1

    def _swap(self, instance, funcidx):
        """Bring one FUNC up to date; its state's counter. Other threads may be calling it: while it has the
        handler of native code for its ip, its entry must be native code."""
        entry, ip, counter = self.state(funcidx, self.mode_of(instance))
        func = instance.func_address(funcidx)
        words = self._places(funcidx, entry, ip)
        interpreted = ip == native.prepare_code or entry == self.trampolines(funcidx).to_interp
        for offset, value in reversed(words) if interpreted else words:
            ctypes.c_uint64.from_address(func + offset).value = value
        return counter

    def _places(self, funcidx, entry, ip):
        """(offset in FUNC, value) of what changes with a function's state; the entry of a module with exceptions
        is for callers that take a status, the other one is an adapter."""
        if not self.status:
            return [(FUNC.entry, entry), (FUNC.ip, ip)]
        ready = ip != native.prepare_code
        plain = self.trampolines(funcidx).throwing if ready else native.load_support()["rt_lazy"]
        return [(FUNC.status_entry, entry), (FUNC.entry, plain), (FUNC.status_ip, ip), (FUNC.ip, ip)]

    def place_functions(self, instance):
        """Fill in a new instance's FUNC array."""
        with self.lock:  # the template must not change before the instance is known
            template = self.template(self.mode_of(instance))
            if template:
                first = instance.address + self.layout.first_func
                ctypes.memmove(first, bytes(template), len(template))
                _link(instance.address, first, len(self.module.codes))
            self.instances.add(instance)

    def switch_mode(self, instance):
        """Bring an instance's FUNC array to its `mode`; calls in progress go on as they are."""
        with self.lock:
            self._recall(self.mode_of(instance))
            self._switch(instance, range(self.first, len(self.module.funcs)))

    def adopt(self, instance):
        """Have an instance that ran another variant run this one; calls in progress go on as they are."""
        with self.lock:
            before, instance.code = instance.code, self
            before.instances.discard(instance)
            self.instances.add(instance)
            self._switch(instance, {*before.native, *before.threaded, *self.native, *self.threaded})

    def _switch(self, instance, functions):
        """Give FUNCs their state and a new countdown."""
        for funcidx in functions:
            counter = self._swap(instance, funcidx)
            ctypes.c_uint64.from_address(instance.func_address(funcidx) + FUNC.counter).value = counter
        for site in list(instance.batches.values()):
            site[BATCH.code // 8], site[BATCH.left // 8] = 0, config.BATCH_ELEMENTS

    # --- making code

    def translate(self, funcidx):
        """Make threaded code. A function whose frame is too large for it is compiled instead."""
        with self.lock:
            if funcidx not in self.threaded:
                try:
                    self.threaded[funcidx] = self._translate(funcidx)
                except FrameTooLarge as error:
                    self.threaded[funcidx] = TOO_LARGE
                    self.compile_too_large(funcidx, str(error))
            self.publish(funcidx)

    def _translate(self, funcidx):
        with events.Making("translate", self.module, [funcidx], "its first call") as made:
            found = interpreter(self.explicit).translate(self.module, funcidx, self.layout, self.variant)
            made.bytes = found.size
        if self.kept_threaded:
            self.kept_threaded.new.append(found)
        return found

    @functools.cached_property
    def kept_threaded(self):
        """What is kept on disk of its threaded code, None of small modules."""
        if not self._keeps:
            return None
        from pyjit_wasm.tiering.kept_threaded import KeptThreaded

        return KeptThreaded(self)

    @functools.cached_property
    def kept_native(self):
        """What is kept on disk of its units, None of small modules."""
        if not self._keeps:
            return None
        from pyjit_wasm.tiering.kept_code import KeptNative

        return KeptNative(self)

    @property
    def _keeps(self):
        return not self.variant and self.settings.cache and len(self.module.data) >= config.KEPT_CODE

    def _recall(self, mode):
        """Take in what is kept of the code that a mode runs."""
        if mode != "interp" and self.kept_native:
            for plan, reason, laid_out in self.kept_native.recall():
                if any(not have.keys() >= set(wanted) for have, wanted in zip((self.native, self.loops, self.batches), plan[1:])):
                    self._add(CompiledUnit(self.unit(*plan), laid_out), reason + ", in an earlier run")
        native = mode == "jit" or mode == "tiered" and self.ahead
        if not native and self.kept_threaded:   # what there is may be running
            found = self.kept_threaded.recall(self, {*self.native, *self.threaded})
            self.threaded.update((made.funcidx, made) for made in found)

    @property
    def native_identity(self):
        """Stands for the module's bytes and for what its native code is made with, in cache keys."""
        return self._key(self.unit((), ()))

    @property
    def ahead_entry(self):
        """The cache's entry that says that all units of the partition were compiled ahead of time."""
        return objects.entry("ahead", self.native_identity)

    @functools.cached_property
    def ahead(self):
        """Whether they were."""
        return not self.variant and self.settings.cache and cache.fetch(self.ahead_entry) is not None

    def unit(self, members, entries, loops=(), batches=()):
        variant = PLAIN if self.variant == STEPPING else self.variant   # compiled are functions that cannot be stepped through
        return Unit(self.module, self.layout, self.facts, members, entries, loops, self.explicit,
                    self.status, batches, variant, self.settings.dump_call_stack,
                    self.settings.tracebacks)

    def unit_object(self, unit):
        """The first arguments of `objects.build` for a Unit."""
        return "unit", self._key(unit), unit.source, "full"

    def _key(self, unit):
        return self.digest + unit.identity().encode()

    def compile(self, plan, reason, compile=None):
        """Compile a plan (as `unit` takes it) and swap entries; `compile` as for `objects.build`, with a Budget. Raises OverBudget,
        MemoryError."""
        unit, limits = self.unit(*plan), Budget(self.settings.compile_seconds, self.settings.compile_memory)
        budget.check(self.module, self.facts, unit.functions)
        compile = compile or _compile_bounded
        with events.Making("compile", self.module, unit.functions, reason) as made:
            laid_out, made.from_cache = objects.find(
                *self.unit_object(unit), self.settings.cache, lambda source, level: compile(source, level, limits))
            compiled = CompiledUnit(unit, laid_out)
            made.bytes = compiled.bytes
        if self.kept_native:
            self.kept_native.new.append((unit.plan, reason, laid_out.fields))
        with self.lock:
            self._add(compiled, reason)
            for funcidx in compiled.entries:
                self.publish(funcidx)
            self._tell(compiled.loops)

    def compile_first(self, funcidx, reason):
        """Compile a function before it is first called: its unit, or itself alone if that is too much. Of one that is too much as
        well, `failed` says so."""
        members, entries, loops = units.lazy(self, funcidx)
        for plan in ((frozenset(members), entries, loops), (frozenset((funcidx,)), [funcidx], ())):
            if plan[0] not in self._too_much:
                try:
                    return self.compile(plan, reason)
                except (OverBudget, MemoryError) as error:
                    self._too_much.add(plan[0])
                    why = f"{type(error).__name__}: {error}"
        self.failed[funcidx] = why

    def compile_too_large(self, funcidx, reason="its frame is too large for the interpreter"):
        """The same of a function that cannot be interpreted. Raises OverBudget if it cannot be compiled either."""
        if funcidx not in self.native and funcidx not in self.failed:
            self.compile_first(funcidx, reason)
        if funcidx not in self.native:
            raise OverBudget(f"function {funcidx} can be neither interpreted nor compiled: {reason}; {self.failed[funcidx]}")

    def take_compiled(self, funcidx):
        """In mode tiered, when a function is first called: take in its unit if it was compiled ahead of time. Whether it was; it
        may have left the cache since."""
        if not self.ahead:
            return False
        try:
            self.compile(units.lazy(self, funcidx), "compiled ahead of time", objects.absent)
        except objects.Absent:
            return False
        return True

    def _add(self, compiled, reason):
        """A CompiledUnit is there."""
        self.units.append(compiled)
        self.loops.update(compiled.loops)
        self.batches.update(compiled.batches)
        for funcidx, entry in compiled.entries.items():
            if funcidx not in self.native:
                self.native[funcidx], self.reasons[funcidx] = entry, reason


TOO_LARGE = "too large"


def _compile_bounded(*arguments):
    from pyjit_wasm.codegen.worker import compile_bounded

    return compile_bounded(*arguments)


def _link(instance, first, count):
    """Call `rt_link`, found when it is first needed."""
    global _link
    address = native.load_support()["rt_link"]
    _link = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)(address)
    _link(instance, first, count)
