"""A C program with known trap sites: marker comments say which line is which."""
import subprocess
import sys

HEADER = """\
static inline __attribute__((always_inline)) int from_header(int *place) {
    return *place; // @header
}
"""
PROGRAM = r"""
#include "checks.h"
#define EXPORT(name) __attribute__((export_name(#name), noinline))
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))

volatile int sink;

APART int divide(int a, int b) {
    int quotient =
        a / b; // @divide
    return quotient;
}
EXPORT(division) int division(int a, int b) {
    sink = a;
    return divide(a, b) + 1; // @division
}

EXPORT(truncation) int truncation(double x) {
    return __builtin_wasm_trunc_s_i32_f64(x); // @truncation
}

EXPORT(unreachable) void unreachable(int a) {
    if (a)
        __builtin_trap(); // @unreachable
    sink = a;
}

APART int load(const int *place) {
    return *place; // @load
}
EXPORT(loading) int loading(int address) {
    int found = load((const int *)address); // @loading
    return found + 1;
}

EXPORT(storing) void storing(int address) {
    sink = 1;
    *(volatile int *)address = 5; // @storing
}

typedef int (*Unary)(int);
static double other_type(double x) { return x * 2; }
void *volatile functions[2] = {0, other_type};
EXPORT(calling) int calling(int which) {
    Unary function = (Unary)functions[which];
    return function(3) + 1; // @calling
}

EXPORT(recursion) int recursion(int n) {
    if (n == -1)
        return 0;
    int found = recursion(n + 1); // @recursion
    sink = found;
    return found ^ n;
}

EXPORT(copying) void copying(int to, int from, int size) {
    sink = size;
    __builtin_memcpy((void *)to, (void *)from, size); // @copying
}

INLINE int innermost(int a, int b) {
    return a % b; // @innermost
}
INLINE int between(int a, int b) {
    int c = a + 1;
    return innermost(c, b) * 2; // @between
}
EXPORT(inlined) int inlined(int a, int b) {
    sink = b;
    return between(a, b) + 1; // @inlined
}

EXPORT(header) int header(int address) {
    sink = address;
    return from_header((int *)address); // @calls_header
}
"""

# export, arguments, message, [(function, marker or ... for any line, whether it is inlined)] innermost first
SITES = [
    ("division", (7, 0), "integer divide by zero", [("divide", "divide", False), ("division", "division", False)]),
    ("truncation", (1e10,), "integer overflow", [("truncation", "truncation", False)]),
    ("unreachable", (1,), "unreachable", [("unreachable", "unreachable", False)]),
    ("loading", (-4,), "out of bounds memory access", [("load", "load", False), ("loading", "loading", False)]),
    ("storing", (-4,), "out of bounds memory access", [("storing", "storing", False)]),
    ("calling", (0,), "uninitialized element", [("calling", "calling", False)]),
    ("calling", (1,), "indirect call type mismatch", [("calling", "calling", False)]),
    ("recursion", (0,), "call stack exhausted", [("recursion", ..., False), *[("recursion", "recursion", False)] * 100]),
    ("copying", (-8, 0, 16), "out of bounds memory access", [("copying", "copying", False)]),
    ("inlined", (7, 0), "integer divide by zero",
     [("innermost", "innermost", True), ("between", "between", True), ("inlined", "inlined", False)]),
    ("header", (-4,), "out of bounds memory access",
     [("from_header", "header", True), ("header", "calls_header", False)]),
]


def markers():
    """{marker: (file, line)}."""
    return {line.split("// @")[1]: (file, number) for file, text in (("checks.h", HEADER), ("program.c", PROGRAM))
            for number, line in enumerate(text.splitlines(), 1) if "// @" in line}


def build(folder, *options, level="-O2"):
    """The path of the program, compiled in a folder, which has its source too."""
    (folder / "checks.h").write_text(HEADER)
    (folder / "program.c").write_text(PROGRAM)
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-mcpu=mvp+bulk_memory", "-nostdlib",
                "-Wl,--no-entry,-z,stack-size=134217728", "-fno-sanitize=all", "-g", level, *options]
    subprocess.run([*compiler, "-o", "program.wasm", "program.c"], cwd=folder, check=True)
    return folder / "program.wasm"
