"""A system call that signals end before it has begun, as IR: waiting for a pipe must not be deaf to Ctrl-C.

`rt_system_call(number, a, b, c)` returns what the kernel does: -errno after an error. The kernel returns from a signal
handler to the instruction `syscall` where it would wait again. So at any place from the first instruction up to that one,
nothing has been done yet, and the signal handler may make it return -EINTR (as musl does to cancel threads).
"""
EINTR = 4

_TEXT = f"""
@rt_system_call_made = external constant i8
@rt_system_call_given_up = external constant i8
define i64 @rt_system_call(i64 %number, i64 %a, i64 %b, i64 %c) naked noinline nounwind {{
  call void asm sideeffect "
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    syscall
    .globl rt_system_call_made
    rt_system_call_made:
    ret
    .globl rt_system_call_given_up
    rt_system_call_given_up:
    movq $$-{EINTR}, %rax
    ret", ""()
  unreachable
}}
"""


def if_waiting(f, pc, then, otherwise):
    """Branch to `then` if a thread whose pc is the i64 `pc` can still give up a system call, which it does when
    it goes on in `@rt_system_call_given_up`."""
    begun = f.let(f"icmp uge i64 {pc}, ptrtoint (ptr @rt_system_call to i64)")
    waiting = f.let(f"icmp ult i64 {pc}, ptrtoint (ptr @rt_system_call_made to i64)")
    f.branch(f.let(f"and i1 {begun}, {waiting}"), then, otherwise)


def source():
    return _TEXT
