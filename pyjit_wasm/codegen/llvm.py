"""The only file that imports llvmlite: LLVM IR text in, relocatable object out.

Levels: "code" for what was written as it should run (handlers, trampolines: no IR passes); "full" for
wasm functions (O2 without SLP vectorisation, see RATIONALE.md).
"""
import contextlib

import llvmlite.binding as llvm

# a wasm `select` is a compiler's decision against a branch: LLVM's late change of mind costs 2.4x on minima
llvm.set_option("", "-x86-cmov-converter=false")
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


def compile_ir(text, level):
    """Object bytes (ELF) of the LLVM module `text`."""
    with _optimised(text, level) as module:
        return machine().emit_object(module)


def optimised(text, level="full"):
    """The IR text after the passes of a level, for people."""
    with _optimised(text, level) as module:
        return str(module)


def assembly(text, level="full"):
    """Machine code as assembler text, for people."""
    with _optimised(text, level) as module:
        return machine().emit_assembly(module)


def version():
    """LLVM's version, such as "20.1.8"."""
    return ".".join(map(str, llvm.llvm_version_info))
