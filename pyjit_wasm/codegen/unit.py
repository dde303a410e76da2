"""A compile unit: functions of one module compiled together, so that calls inside are direct.

`@f<idx>` are internal, `fastcc` unless the module makes tail calls; functions that are called from elsewhere have an
`@entry<idx>` with the native calling convention, functions whose loops running calls may enter an `@osr<idx>`, functions
called for arrays a `@batch<idx>`.

Debug information says which instruction of which function every trap and call is: line is the byte
offset in the module, the subprogram's name the function index, inlining included.
"""
from pyjit_wasm.codegen.abi import LLVM, STATUS, formal, letter, result_type, take_parameters
from pyjit_wasm.codegen.text import COLD, Function
from pyjit_wasm.config import PLAIN
from pyjit_wasm.runtime.counts import Places

ENTRY, LOOP = OUTER = "entry", "batch"  # subprograms that are no wasm function of their own

_DECLARATIONS = """
declare ptr @llvm.frameaddress.p0(i32)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare float @llvm.arithmetic.fence.f32(float)
declare double @llvm.arithmetic.fence.f64(double)
declare <2 x double> @llvm.arithmetic.fence.v2f64(<2 x double>)
"""
_ATTRIBUTES = """
attributes #0 = { nounwind "frame-pointer"="all" "disable-tail-calls"="true" "no-builtins" }
attributes #1 = { cold noreturn nounwind nomerge }
attributes #2 = { cold nounwind nomerge }
"""
_METADATA = """
!1 = !{}
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = !{i32 2, !"Dwarf Version", i32 4}
!llvm.module.flags = !{!2, !3}
!4 = !DIFile(filename: "wasm", directory: "")
!5 = distinct !DICompileUnit(language: DW_LANG_C, file: !4, producer: "pyjit_wasm", isOptimized: true, \
runtimeVersion: 0, emissionKind: LineTablesOnly, splitDebugInlining: true)
!llvm.dbg.cu = !{!5}
!6 = !DISubroutineType(types: !1)
"""


_LARGE_FRAME = 512  # locals


class Unit:
    """What to compile. `members`: funcidx of the functions; `entries`: those called from elsewhere;
    `osr`: those whose loops running calls enter; `batches`: those called for arrays; `explicit`: bounds checks instead
    of guard pages; `status`: functions return one (`codegen.statuses`); `variant`: what is counted, at the places `counters`; `dump_call_stack`: frames in
    the stack buffer too; `notes_throws`: whether exceptions are to have their stack in Python's tracebacks."""

    def __init__(self, module, layout, facts, members, entries, osr=(), explicit=False,
                 status=False, batches=(), variant=PLAIN, dump_call_stack=False, notes_throws=True):
        self.module, self.layout, self.facts = module, layout, facts
        self.members, self.entries, self.osr = frozenset(members), sorted(entries), sorted(osr)
        self.batches = sorted(batches)
        self.explicit, self.status, self.variant = explicit, status, variant
        self.dump_call_stack, self.notes_throws = dump_call_stack, notes_throws and status
        self.counters = Places(module) if variant else None
        tails = facts.tail_calls
        self.convention, self.tail = ("tailcc", "musttail ") if tails else ("fastcc", "")
        self.metadata, self.scopes, self.locations = [], {}, {}

    def scope(self, name, line):
        """The metadata name of a function's subprogram; its name is the function's index."""
        if name not in self.scopes:
            self.scopes[name] = self.node(
                f'distinct !DISubprogram(name: "{name}", scope: !4, file: !4, line: {line}, type: !6, '
                f"unit: !5, spFlags: DISPFlagDefinition | DISPFlagOptimized)")
        return self.scopes[name]

    def location(self, offset, scope):
        key = (offset, scope)
        if key not in self.locations:
            self.locations[key] = self.node(f"!DILocation(line: {offset}, scope: {scope})")
        return self.locations[key]

    def node(self, text):
        number = len(self.metadata) + 7
        self.metadata.append(f"!{number} = {text}\n")
        return f"!{number}"

    def calls_further(self, funcidx):
        """Whether a function of this module calls others."""
        fact = self.facts[funcidx - self.module.imported_funcs]
        return bool(fact.calls or fact.indirect)

    def has_large_frame(self, funcidx):
        """Whether a function has to check that there is room for its own frame."""
        code = self.module.codes[funcidx - self.module.imported_funcs]
        return sum(count for count, _ in code.locals) > _LARGE_FRAME

    @property
    def functions(self):
        """Those that there is code of, sorted."""
        return sorted({*self.members, *self.osr, *self.batches})

    @property
    def plan(self):
        """What was asked for: members, entries, functions entered at loops, functions called for arrays."""
        return tuple(sorted(self.members)), tuple(self.entries), tuple(self.osr), tuple(self.batches)

    def identity(self):
        """What, besides the module, decides the code: part of the cache key."""
        return repr((self.plan, self.explicit, self.variant, self.dump_call_stack, self.notes_throws))

    def source(self):
        """IR text. What it takes to write it is imported here: a warm start does without."""
        from pyjit_wasm.codegen import batch, function, rows
        from pyjit_wasm.codegen.support import INTERFACE

        functions = [function.Function(self, f).function() for f in sorted(self.members)]
        self.scopes = {}  # a subprogram belongs to one function
        loops = [function.Function(self, f).loop_entry() for f in self.osr]
        entries = [self.entry(f) for f in self.entries] + [batch.loop(self, f) for f in self.batches]
        head = (INTERFACE, _DECLARATIONS, rows.declarations(), COLD, _METADATA, _ATTRIBUTES)
        return "".join((*head, *functions, *loops, *entries, *self.metadata))

    def entry(self, funcidx):
        functype = self.module.funcs[funcidx].comp
        types = [LLVM[letter(t)] for t in functype.params]
        result = result_type([LLVM[letter(t)] for t in functype.results] + [STATUS] * self.status)
        scope = self.scope(f"{ENTRY}{funcidx}", 0)
        f = Function(f"tailcc {result}", f"entry{funcidx}", "ptr nest %func, ptr %env, ptr %inst" + formal(types),
                     f"#0 !dbg {scope}")
        if self.tail:
            arguments = formal(types)  # those in memory stay there
        else:
            take_parameters(f, types)
            arguments = "".join(f", {t} %a{i}" for i, t in enumerate(types))
        call = (f"{self.tail}call {self.convention} {result} @f{funcidx}(ptr %env, ptr %inst{arguments}), "
                f"!dbg {self.location(0, scope)}")
        f.do(f"{call}\n  ret void" if result == "void" else f"%r = {call}\n  ret {result} %r")
        return str(f)
