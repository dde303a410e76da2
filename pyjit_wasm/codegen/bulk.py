"""Bulk memory and table operations, as IR: `rt_memory_*`, `rt_table_*`. They check bounds before they write,
return 0 or a trap code, and let Ctrl-C in."""
from pyjit_wasm import config
from pyjit_wasm.codegen.text import FRAMED, Function
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import EXEC_ENV, MEM, SPAN, TABLE, THREAD


def in_chunks():
    """`rt_move(env, to, from, n)` and `rt_fill(env, to, value, n)`: memmove and memset that let Ctrl-C in
    between chunks, because a C function cannot be unwound."""
    return f"""
define void @rt_poll(ptr %env) {FRAMED} {{
  %thread.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.thread}
  %thread = load ptr, ptr %thread.p
  %flag.p = getelementptr i8, ptr %thread, i64 {THREAD.interrupted}
  %flag = load volatile i64, ptr %flag.p
  %tstate.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.tstate}
  %tstate = load ptr, ptr %tstate.p
  %locked = icmp eq ptr %tstate, null
  %unset = icmp eq i64 %flag, 0
  %quiet = or i1 %locked, %unset
  br i1 %quiet, label %done, label %look
look:
  store i64 0, ptr %flag.p
  call void @PyEval_RestoreThread(ptr %tstate)
  store ptr null, ptr %tstate.p
  %raised = call i32 @rt_check(ptr %env)
  %fine = icmp eq i32 %raised, 0
  br i1 %fine, label %resume, label %unwind
unwind:
  call void @rt_fail(ptr %env)
  unreachable
resume:
  %again = call ptr @PyEval_SaveThread()
  store ptr %again, ptr %tstate.p
  br label %done
done:
  ret void
}}
define void @rt_move(ptr %env, ptr %to, ptr %from, i64 %n) {FRAMED} {{
  %backward = icmp ugt ptr %to, %from
  br label %next
next:
  %left = phi i64 [ %n, %0 ], [ %left.next, %chunk ]
  %done = icmp eq i64 %left, 0
  br i1 %done, label %end, label %chunk
chunk:
  %size = call i64 @llvm.umin.i64(i64 %left, i64 {config.CHUNK})
  %left.next = sub i64 %left, %size
  %ahead = sub i64 %n, %left
  %place = select i1 %backward, i64 %left.next, i64 %ahead
  %to.p = getelementptr i8, ptr %to, i64 %place
  %from.p = getelementptr i8, ptr %from, i64 %place
  call ptr @memmove(ptr %to.p, ptr %from.p, i64 %size)
  call void @rt_poll(ptr %env)
  br label %next
end:
  ret void
}}
define void @rt_fill(ptr %env, ptr %to, i32 %value, i64 %n) {FRAMED} {{
  br label %next
next:
  %place = phi i64 [ 0, %0 ], [ %place.next, %chunk ]
  %left = sub i64 %n, %place
  %done = icmp eq i64 %left, 0
  br i1 %done, label %end, label %chunk
chunk:
  %size = call i64 @llvm.umin.i64(i64 %left, i64 {config.CHUNK})
  %to.p = getelementptr i8, ptr %to, i64 %place
  call ptr @memset(ptr %to.p, i32 %value, i64 %size)
  call void @rt_poll(ptr %env)
  %place.next = add i64 %place, %size
  br label %next
end:
  ret void
}}
"""


def _check_span(f, start, count, length):
    """Branch to `trap` unless start + count <= length, all unsigned i64: the sum may overflow."""
    end = f.let(f"add i64 {start}, {count}")
    carry = f.let(f"icmp ult i64 {end}, {start}")
    past = f.let(f"icmp ugt i64 {end}, {length}")
    f.unlikely(f.let(f"or i1 {carry}, {past}"), "trap")


def _finish(f, trap):
    f.do("ret i64 0")
    f.label("trap")
    f.do(f"ret i64 {TRAP_CODE[trap]}")
    return str(f)


def memory_operations():
    """Bulk memory operations: return 0 or a trap code, and check before they write."""
    trap = "out of bounds memory access"
    fill = Function("i64", "rt_memory_fill", "ptr %env, ptr %mem, i64 %d, i32 %value, i64 %n")
    _check_span(fill, "%d", "%n", fill.load("i64", "%mem", MEM.bytes))
    target = fill.at(fill.load("ptr", "%mem", MEM.base), "%d")
    fill.do(f"call void @rt_fill(ptr %env, ptr {target}, i32 %value, i64 %n)")
    copy = Function("i64", "rt_memory_copy", "ptr %env, ptr %to, ptr %from, i64 %d, i64 %s, i64 %n")
    _check_span(copy, "%s", "%n", copy.load("i64", "%from", MEM.bytes))
    _check_span(copy, "%d", "%n", copy.load("i64", "%to", MEM.bytes))
    target = copy.at(copy.load("ptr", "%to", MEM.base), "%d")
    source = copy.at(copy.load("ptr", "%from", MEM.base), "%s")
    copy.do(f"call void @rt_move(ptr %env, ptr {target}, ptr {source}, i64 %n)")
    init = Function("i64", "rt_memory_init", "ptr %env, ptr %mem, ptr %span, i64 %d, i64 %s, i64 %n")
    _check_span(init, "%s", "%n", init.load("i64", "%span", SPAN.length))
    _check_span(init, "%d", "%n", init.load("i64", "%mem", MEM.bytes))
    target = init.at(init.load("ptr", "%mem", MEM.base), "%d")
    source = init.at(init.load("ptr", "%span", SPAN.base), "%s")
    init.do(f"call void @rt_move(ptr %env, ptr {target}, ptr {source}, i64 %n)")
    return "".join(_finish(f, trap) for f in (fill, copy, init))


def table_operations():
    """Bulk table operations on 8-byte references."""
    trap = "out of bounds table access"
    fill = Function("i64", "rt_table_fill", "ptr %env, ptr %table, i64 %d, i64 %value, i64 %n")
    _check_span(fill, "%d", "%n", fill.load("i64", "%table", TABLE.length))
    first = fill.let(f"getelementptr i64, ptr {fill.load('ptr', '%table', TABLE.elems)}, i64 %d")
    fill.do("br label %head")
    fill.label("head")
    fill.do("br label %next")
    fill.label("next")
    fill.do("%i = phi i64 [ 0, %head ], [ %i1, %body ]")
    fill.branch(fill.let("icmp ult i64 %i, %n"), "body", "done")
    fill.label("body")
    fill.do(f"store i64 %value, ptr {fill.let(f'getelementptr i64, ptr {first}, i64 %i')}")
    fill.do("%i1 = add i64 %i, 1")
    fill.do("br label %next")
    fill.label("done")
    fill.do("call void @rt_poll(ptr %env)")
    copy = Function("i64", "rt_table_copy", "ptr %env, ptr %to, ptr %from, i64 %d, i64 %s, i64 %n")
    _move_references(copy, "%to", copy.load("i64", "%from", TABLE.length), copy.load("ptr", "%from", TABLE.elems))
    init = Function("i64", "rt_table_init", "ptr %env, ptr %table, ptr %span, i64 %d, i64 %s, i64 %n")
    _move_references(init, "%table", init.load("i64", "%span", SPAN.length), init.load("ptr", "%span", SPAN.base))
    return "".join(_finish(f, trap) for f in (fill, copy, init))


def _move_references(f, table, length, source):
    _check_span(f, "%s", "%n", length)
    _check_span(f, "%d", "%n", f.load("i64", table, TABLE.length))
    elems = f.load("ptr", table, TABLE.elems)
    target = f.let(f"getelementptr i64, ptr {elems}, i64 %d")
    begin = f.let(f"getelementptr i64, ptr {source}, i64 %s")
    f.do(f"call void @rt_move(ptr %env, ptr {target}, ptr {begin}, i64 {f.let('shl i64 %n, 3')})")


def source():
    """IR text of all of them."""
    return in_chunks() + memory_operations() + table_operations()
