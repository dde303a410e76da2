"""What the collector of references (`runtime.collector`) is in native code: the list of exceptions that wasm has references
to, and the search for references."""
from pyjit_wasm.codegen.text import FRAMED, Function
from pyjit_wasm.runtime.layout import EXEC_ENV, EXN, HELD, RUNTIME, SCAN, SERVICE


def hold_exception():
    """`rt_note_held(exn)`: wasm takes a reference to it: it goes into a list, its tag counts it; how many there were
    since the last collection. `rt_hold_exception(env, exn)`: the same, and a collection if it is due. `rt_add(word, n)`.
    `rt_frame()`: the machine stack's end."""
    held, count, limit = (f"getelementptr (i8, ptr @runtime, i64 {o})" for o in
                          (RUNTIME.held, RUNTIME.held_count, RUNTIME.held_limit))
    f = Function("i64", "rt_note_held", "ptr %exn")
    f.branch(f.let(f"icmp eq i64 {f.load('i64', '%exn', EXN.held)}, {HELD}"), "known", "new")
    f.label("known")
    f.do("ret i64 0")
    f.label("new")
    f.store("i64", str(HELD), "%exn", EXN.held)
    first = f.let(f"load atomic ptr, ptr {held} monotonic, align 8")
    f.do("br label %push")
    f.label("push")
    f.do(f"%head = phi ptr [ {first}, %new ], [ %seen, %push ]")
    f.store("ptr", "%head", "%exn", EXN.next)
    pair = f.let(f"cmpxchg ptr {held}, ptr %head, ptr %exn seq_cst seq_cst, align 8")
    f.do(f"%seen = extractvalue {{ptr, i1}} {pair}, 0")
    f.branch(f.let(f"extractvalue {{ptr, i1}} {pair}, 1"), "pushed", "push")
    f.label("pushed")
    f.do(f"call i64 @rt_add(ptr {f.load('ptr', '%exn', EXN.tag)}, i64 1)")
    f.do(f"ret i64 {f.let(f'call i64 @rt_add(ptr {count}, i64 1)')}")
    g = Function("void", "rt_hold_exception", "ptr %env, ptr %exn")
    number = g.let("call i64 @rt_note_held(ptr %exn)")
    g.branch(g.let(f"icmp ult i64 {number}, {g.let(f'load i64, ptr {limit}')}"), "done", "collect")
    g.label("collect")
    exn = g.let("ptrtoint ptr %exn to i64")
    g.do(f"call i64 @rt_service(ptr %env, i64 {SERVICE['collect_exceptions']}, i64 {exn}, i64 0, i64 0)")
    g.do("br label %done")
    g.label("done")
    g.do("ret void")
    h = Function("i64", "rt_add", "ptr %word, i64 %n")
    h.do(f"ret i64 {h.let('atomicrmw add ptr %word, i64 %n monotonic, align 8')}")
    k = Function("ptr", "rt_frame", "")
    k.do("%p = call ptr @llvm.frameaddress.p0(i32 0)")
    k.do("ret ptr %p")
    return str(f) + str(g) + str(h) + str(k)


def scan():
    """`rt_scan(SCAN)`: look for numbers in memory, all at once, as the GIL is held; 1, or 0 if it is forbidden."""
    f = Function("i64", "rt_scan", "ptr %job")
    counts = [f.load("i64", f.load("ptr", "@runtime", place)) for place in (RUNTIME.crossings, RUNTIME.open_crossings)]
    f.unlikely(f.let("icmp ne i64 {}, 0".format(f.let("add i64 {}, {}".format(*counts)))), "busy")
    envs, env_count, mine = f.load("ptr", "%job", SCAN.envs), f.load("i64", "%job", SCAN.env_count), f.load("i64", "%job", SCAN.thread)

    def env(i):
        return f.load("ptr", f.let(f"getelementptr ptr, ptr {envs}, i64 {i}"))

    def look(i):
        thread = f.load("i64", env(i), EXEC_ENV.thread)
        other = f.let(f"and i1 {f.let(f'icmp ne i64 {thread}, 0')}, {f.let(f'icmp ne i64 {thread}, {mine}')}")
        f.unlikely(other, "busy")

    def go_over_env(i):
        first, top = f.load("ptr", env(i), EXEC_ENV.stack), f.load("ptr", env(i), EXEC_ENV.top)
        f.do(f"call void @scan_words(ptr %job, ptr {first}, ptr {top})")
        f.do(f"call void @scan_words(ptr %job, ptr {env(i)}, ptr {f.at(env(i), EXEC_ENV.size)})")

    f.loop("looking", env_count, look)
    f.loop("stacks", env_count, go_over_env)
    registers = f.room("[40 x i64]", 16)     # those that functions save for their callers
    f.do(f"call i32 @_setjmp(ptr {registers}) returns_twice")
    f.do(f"call void @scan_words(ptr %job, ptr {registers}, "
         f"ptr {f.load('ptr', '%job', SCAN.stack_end)})")
    ranges = f.load("ptr", "%job", SCAN.ranges)

    def go_over(i):
        place = f.let(f"getelementptr [2 x ptr], ptr {ranges}, i64 {i}")
        f.do(f"call void @scan_words(ptr %job, ptr {f.load('ptr', place)}, ptr {f.load('ptr', place, 8)})")

    f.loop("scanning", f.load("i64", "%job", SCAN.range_count), go_over)
    f.do("ret i64 1")
    f.label("busy")
    f.do("ret i64 0")
    return str(f) + f"""
define internal void @scan_words(ptr %job, ptr %first, ptr %end) {FRAMED} {{
  %numbers = load ptr, ptr %job
  %count.p = getelementptr i8, ptr %job, i64 {SCAN.number_count}
  %count = load i64, ptr %count.p
  %marks.p = getelementptr i8, ptr %job, i64 {SCAN.marks}
  %marks = load ptr, ptr %marks.p
  %none = icmp eq i64 %count, 0
  br i1 %none, label %done, label %begin
begin:
  %last.i = sub i64 %count, 1
  %last.p = getelementptr i64, ptr %numbers, i64 %last.i
  %lowest = load i64, ptr %numbers
  %highest = load i64, ptr %last.p
  br label %next
next:
  %p = phi ptr [ %first, %begin ], [ %following, %skip ]
  %more = icmp ult ptr %p, %end
  br i1 %more, label %word, label %done
word:
  %value = load i64, ptr %p
  %following = getelementptr i8, ptr %p, i64 8
  %above = icmp uge i64 %value, %lowest
  %below = icmp ule i64 %value, %highest
  %inside = and i1 %above, %below
  br i1 %inside, label %search, label %skip
search:
  %low = phi i64 [ 0, %word ], [ %low.next, %half ]
  %high = phi i64 [ %count, %word ], [ %high.next, %half ]
  %span = sub i64 %high, %low
  %one = icmp eq i64 %span, 1
  br i1 %one, label %found, label %half
half:
  %sum = add i64 %low, %high
  %middle = lshr i64 %sum, 1
  %middle.p = getelementptr i64, ptr %numbers, i64 %middle
  %there = load i64, ptr %middle.p
  %right = icmp uge i64 %value, %there
  %low.next = select i1 %right, i64 %middle, i64 %low
  %high.next = select i1 %right, i64 %high, i64 %middle
  br label %search
found:
  %found.p = getelementptr i64, ptr %numbers, i64 %low
  %candidate = load i64, ptr %found.p
  %same = icmp eq i64 %candidate, %value
  br i1 %same, label %mark, label %skip
mark:
  %mark.p = getelementptr i8, ptr %marks, i64 %low
  store i8 1, ptr %mark.p
  br label %skip
skip:
  br label %next
done:
  ret void
}}
"""


def source():
    return hold_exception() + scan()
