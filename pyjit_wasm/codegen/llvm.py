"""The only file that imports llvmlite: LLVM IR text in, relocatable object out.

Levels: "code" for what was written as it should run (handlers, trampolines: no IR passes); "full" for
wasm functions (O2 without SLP vectorisation, see RATIONALE.md).
"""
import contextlib
import ctypes
import functools
import re

import llvmlite.binding as llvm

from pyjit_wasm import forks
from pyjit_wasm.codegen import llvm_stack
from pyjit_wasm.errors import InternalError

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

_machine, _lost = None, []     # `_lost`: something in a child of a fork in the middle of LLVM
forks.kept(llvm.ffi.lib._lock._lock, "llvm", lambda: _lost.append(True))


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
    passes = llvm.ModulePassManager(_call("LLVMPY_buildPerModuleDefaultPipeline", builder, options.speed_level))
    _call("LLVMPY_RunNewModulePassManager", passes, module, builder)


@functools.cache
def _function(name):
    """A function of llvmlite's library, on LLVM's stack."""
    known = getattr(llvm.ffi.lib, name)
    address = ctypes.cast(getattr(ctypes.CDLL(llvm.ffi.lib._name), name), ctypes.c_void_p).value
    return llvm_stack.on_stack(address, known.restype, known.argtypes)


def _call(name, *arguments):
    """Call a function of llvmlite's library that works on whole modules: llvmlite would, on the calling thread's stack."""
    if _lost:
        raise InternalError("this process was forked while another thread was compiling, and cannot compile")
    function = _function(name)
    with llvm.ffi.lib._lock:
        result = function(*arguments)
        llvm_stack.trim()
    return result


def _parse(text):
    """The LLVM module of a text. RuntimeError with what LLVM said."""
    context = llvm.get_global_context()
    with llvm.ffi.OutputString() as error:
        module = llvm.ModuleRef(_call("LLVMPY_ParseAssembly", context, text.encode(), error), context)
        if error:
            module.close()
            raise RuntimeError(f"LLVM IR parsing error\n{error}")
    return module


@contextlib.contextmanager
def _optimised(text, level):
    """The LLVM module `text` after the passes of a level."""
    if "!llvm.dbg.cu" not in text:
        text += _COMPILE_UNIT
    with _parse(text) as module:
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
    with _parse(text) as module:
        yield module


def _emit(module, as_object):
    """The bytes of a module's object file, or its assembler text. RuntimeError with what LLVM said."""
    with llvm.ffi.OutputString() as error:
        buffer = _call("LLVMPY_TargetMachineEmitToMemory", machine(), module, int(as_object), error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        return ctypes.string_at(llvm.ffi.lib.LLVMPY_GetBufferStart(buffer), llvm.ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        llvm.ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def compile_ir(text, level):
    """Object bytes (ELF) of the LLVM module `text`."""
    with _selectable(text, level) as module:
        return _emit(module, as_object=True)


def optimised(text, level="full"):
    """The IR text after the passes of a level, for people."""
    with _optimised(text, level) as module:
        return str(module)


def assembly(text, level="full"):
    """Machine code as assembler text, for people."""
    with _selectable(text, level) as module:
        return _emit(module, as_object=False).decode()


def version():
    """LLVM's version, such as "20.1.8"."""
    return ".".join(map(str, llvm.llvm_version_info))
