"""The only file that imports llvmlite: LLVM IR text in, relocatable object out.

Levels: "code" for what was written as it should run (handlers, trampolines: no IR passes); "full" for
wasm functions (O2 without SLP vectorisation, see RATIONALE.md).
"""
import contextlib
import re

import llvmlite.binding as llvm

# a wasm `select` is a compiler's decision against a branch: LLVM's late change of mind costs 2.4x on minima
llvm.set_option("", "-x86-cmov-converter=false")
# what two branches have in common stays in both: an access in common would be at no single place, and so its trap
for option in ("hoist-common-insts", "sink-common-insts", "enable-tail-merge"):
    llvm.set_option("", f"-{option}=false")
llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
llvm.initialize_native_asmparser()

# for texts without debug information: with some, LLVM writes the tables of stack frames that gdb needs
_COMPILE_UNIT = """
!llvm.dbg.cu = !{!1000}
!llvm.module.flags = !{!1001, !1002}
!1000 = distinct !DICompileUnit(language: DW_LANG_C, file: !1003, producer: "pyjit_wasm", emissionKind: LineTablesOnly)
!1001 = !{i32 2, !"Debug Info Version", i32 3}
!1002 = !{i32 2, !"Dwarf Version", i32 4}
!1003 = !DIFile(filename: "runtime", directory: "")
"""

_machine = None


def machine():
    global _machine
    if _machine is None:
        target = llvm.Target.from_default_triple()
        features = llvm.get_host_cpu_features().flatten()
        _machine = target.create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=features + ",+prefer-no-gather,+prefer-no-scatter", opt=2,
            reloc="pic", codemodel="small")
    return _machine


def _optimise(module, level):
    if level == "code":
        return
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization, options.slp_vectorization = True, False
    options.loop_unrolling = options.loop_interleaving = True
    builder = llvm.create_pass_builder(machine(), options)
    builder.getModulePassManager().run(module, builder)


@contextlib.contextmanager
def _optimised(text, level):
    """The LLVM module `text` after the passes of a level."""
    if "!llvm.dbg.cu" not in text:
        text += _COMPILE_UNIT
    with llvm.parse_assembly(text) as module:
        module.triple = llvm.get_default_triple()
        _optimise(module, level)
        yield module


_FUNCTION_OR_LOAD = re.compile(r"^(?:define |  (%\S+) = (?:load volatile ([^,]+), |freeze (i\d+) (%[^\s,]+))).*$", re.M)


def _apart(text):
    """Optimised IR text in which instruction selection leaves each load that may trap, which is volatile, an instruction of its
    own. A load with one use becomes an operand of that use, and gets its place, where a trap then seems to be: so there
    is a second use, which costs no instruction. The `freeze` that has kept loads of two branches from becoming one ends here:
    what comes of memory is a definite value."""
    loads = set()

    def replaced(match):
        name, type, integer, frozen = match.groups()
        if type:
            loads.add(name)
            return f"{match[0]}\n  call void (...) @llvm.fake.use({type} {name})"
        if integer:
            return f"  {name} = bitcast {integer} {frozen} to {integer}" if frozen in loads else match[0]
        loads.clear()
        return match[0]

    return _FUNCTION_OR_LOAD.sub(replaced, text) + "\ndeclare void @llvm.fake.use(...)\n"


@contextlib.contextmanager
def _selectable(text, level):
    """The LLVM module `text` as instruction selection takes it."""
    with _optimised(text, level) as module:
        if level == "code" or " = load volatile " not in text:
            yield module
            return
        text = _apart(str(module))
    with llvm.parse_assembly(text) as module:
        yield module


def compile_ir(text, level):
    """Object bytes (ELF) of the LLVM module `text`."""
    with _selectable(text, level) as module:
        return machine().emit_object(module)


def optimised(text, level="full"):
    """The IR text after the passes of a level, for people."""
    with _optimised(text, level) as module:
        return str(module)


def assembly(text, level="full"):
    """Machine code as assembler text, for people."""
    with _selectable(text, level) as module:
        return machine().emit_assembly(module)


def version():
    """LLVM's version, such as "20.1.8"."""
    return ".".join(map(str, llvm.llvm_version_info))
