"""Large frames: `rt_probe`, which every function calls before it makes one.

LLVM knows how large a frame is when it writes the prologue, spills, inlined callees and arguments on the stack included. The
attributes PROBED make it call `rt_probe` there if that is STACK_PROBE bytes or more, the size in eax. So a frame is below
the limit only as far as smaller ones are, each of which is behind a check (`instructions.check_stack`) or is that of
a function that calls nothing further: a few kilobytes, for which there is the reserve.
"""
from pyjit_wasm.codegen.text import FRAMED, Function
from pyjit_wasm.config import STACK_PROBE
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import RUNTIME, SERVICE, THREAD

PROBE = f'"probe-stack"="rt_probe" "stack-probe-size"="{STACK_PROBE}"'
PROBED = f"{FRAMED} {PROBE}"

# Registers may hold anything, arguments among them: all are kept but the flags. rbp is that of the frame to be made. What
# is called is the C library's, which uses no vector registers: it looks into the thread's control block.
_KEPT = ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11")
_CODE = f"""
  push rbp
  mov rbp, rsp
  {"; ".join(f"push {register}" for register in _KEPT)}
  and rsp, -16
  mov rdi, qword ptr [rip + runtime@GOTPCREL]
  mov edi, dword ptr [rdi + {RUNTIME.thread_key}]
  call pthread_getspecific@PLT
  lea rdx, [rbp + 16]
  sub rdx, qword ptr [rbp - 8]
  jb 1f
  cmp rdx, qword ptr [rax + {THREAD.native_limit}]
  jb 1f
  lea rsp, [rbp - {8 * len(_KEPT)}]
  {"; ".join(f"pop {register}" for register in reversed(_KEPT))}
  pop rbp
  ret
1:
  mov rdi, qword ptr [rax + {THREAD.env}]
  mov esi, {TRAP_CODE["call stack exhausted"]}
  mov rcx, qword ptr [rbp + 8]
  lea rsp, [rbp + 16]
  mov rbp, qword ptr [rbp]
  and rsp, -16
  push rcx
  jmp rt_trap
"""


def _probe():
    """`rt_probe`: go on if there is room for the frame, else trap, as if the function had called `rt_trap` there."""
    code = _CODE.strip().replace("\n", "\\0A")
    return (f'define void @rt_probe() naked nounwind {{\n  call void asm sideeffect inteldialect "{code}", ""()\n'
            "  unreachable\n}\n")


def _room():
    """`rt_room(size) -> i32`, for entries, which cannot trap: 0 if there is room for a frame, else an exception is set."""
    f = Function("i32", "rt_room", "i64 %size")
    known = f.let(f"call ptr @pthread_getspecific(i32 {f.load('i32', '@runtime', RUNTIME.thread_key)})")
    f.do("br label %have")
    f.label("have")
    f.branch(f.let(f"icmp eq ptr {known}, null"), "new", "found")
    f.label("new")
    made = f.let(f"call ptr @rt_raise(i64 {SERVICE['new_thread']}, i64 0, i64 0)")
    f.unlikely(f.let(f"icmp eq ptr {made}, null"), "failed")
    fresh = f.let(f"inttoptr i64 {f.let(f'call i64 @PyLong_AsLongLong(ptr {made})')} to ptr")
    f.do(f"call void @Py_DecRef(ptr {made})")
    f.do("br label %made")
    f.label("made")
    f.do("br label %found")
    f.label("found")
    thread = f.let(f"phi ptr [ {known}, %have ], [ {fresh}, %made ]")
    frame = f.let(f"ptrtoint ptr {f.let('call ptr @llvm.frameaddress.p0(i32 0)')} to i64")
    low = f.let(f"sub i64 {frame}, %size")
    f.unlikely(f.let(f"icmp slt i64 {low}, {f.load('i64', thread, THREAD.native_limit)}"), "exhausted")
    f.do("ret i32 0")
    f.label("exhausted")
    error = f.let(f"call ptr @rt_raise(i64 {SERVICE['trap_error']}, i64 {TRAP_CODE['call stack exhausted']}, i64 0)")
    f.do(f"call void @rt_set_error(ptr {error})")
    f.do("br label %failed")
    f.label("failed")
    f.do("ret i32 -1")
    return str(f)


def source():
    return _probe() + _room()
