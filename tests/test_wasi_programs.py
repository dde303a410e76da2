"""WASI on C programs, compared with wasmtime's own WASI.

The programs run in wasmtime both times, so that only the WASI differs.
"""
import ctypes
import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from pyjit_wasm.wasi import Wasi, abi

CORE_TYPES = {"I": "i32", "Q": "i64", "q": "i64"}

PROGRAM = r"""
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
extern char **environ;

static int arguments(int argc, char **argv) {
    for (int i = 0; i < argc; i++) printf("%d: %s\n", i, argv[i]);
    for (char **e = environ; *e; e++) printf("%s\n", *e);
    printf("%s %s\n", getenv("HOME") ? getenv("HOME") : "none", getenv("NONE") ? "some" : "none");
    return 0;
}
static int lines(int argc, char **argv) {
    char line[64];
    int n = 0;
    while (fgets(line, sizeof line, stdin)) fprintf(++n % 2 ? stdout : stderr, "%d %s", n, line);
    printf("%d lines, eof %d, error %d\n", n, !!feof(stdin), ferror(stdin));
    return n;
}
static int bulk(int argc, char **argv) {
    static char block[100000];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 10; i++) if (fwrite(block, 1, sizeof block, stdout) != sizeof block) return 1;
    return 0;
}
static int descriptors(int argc, char **argv) {
    struct stat st;
    for (int fd = -1; fd < 5; fd++) {
        printf("%d: tty %d", fd, isatty(fd));
        printf(" seek %d %d", (int)lseek(fd, 0, SEEK_CUR), errno);
        int r = fstat(fd, &st);
        printf(" fstat %d %d %o", r, errno, r ? 0 : st.st_mode);
        printf(" getfl %d", fcntl(fd, F_GETFL));
        printf(" read %d %d", (int)read(fd ? fd : 9, &st, 1), errno);
        printf(" sync %d %d\n", fsync(fd), errno);
    }
    fflush(stdout);
    printf("open %d %d\n", open("/etc/passwd", O_RDONLY), errno);
    printf("fopen %d %d\n", fopen("file", "w") != NULL, errno);
    printf("mkdir %d %d\n", mkdir("d", 0777), errno);
    printf("close %d %d %d\n", close(0), close(0), errno);
    printf("read %d %d\n", (int)read(0, &st, 1), errno);
    return 0;
}
static int clocks(int argc, char **argv) {
    struct timespec a, b, r, nap = {0, 20000000};
    clock_gettime(CLOCK_MONOTONIC, &a);
    int slept = nanosleep(&nap, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long long elapsed = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
    printf("slept %d %d %d\n", slept, elapsed >= 20000000, elapsed < 2000000000);
    printf("res %d %d\n", clock_getres(CLOCK_REALTIME, &r), r.tv_nsec < 1000000000);
    printf("time %d %d\n", time(NULL) > 1600000000, usleep(1000));
    return 0;
}
static int polling(int argc, char **argv) {
    struct pollfd fds[2] = {{0, POLLIN, 0}, {1, POLLOUT, 0}};
    printf("%d", poll(fds, 2, 1000) > 0);
    printf(" %d\n", fds[1].revents);
    return 0;
}
static int entropy(int argc, char **argv) {
    unsigned char bytes[256] = {0};
    int zeros = 0, r = getentropy(bytes, sizeof bytes);
    for (int i = 0; i < 256; i++) zeros += !bytes[i];
    printf("%d %d %d\n", r, zeros < 20, arc4random() != arc4random());
    return 0;
}
static void goodbye(void) { printf("goodbye\n"); }
static int exits(int argc, char **argv) { atexit(goodbye); exit(42); }
static int quits(int argc, char **argv) { printf("lost"); _Exit(7); }
static int heap(int argc, char **argv) {
    char *p = malloc(40 << 20);
    memset(p, 1, 40 << 20);
    strcpy(p + (39 << 20), "far away\n");
    fputs(p + (39 << 20), stdout);
    return fgets(p + (39 << 20), 100, stdin) ? puts(p + (39 << 20)), 0 : 1;
}

int main(int argc, char **argv) {
    struct { const char *name; int (*run)(int, char **); } tests[] = {TESTS};
    for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
        if (argc > 1 && !strcmp(argv[1], tests[i].name)) return tests[i].run(argc, argv);
    return 99;
}
"""
TESTS = ("arguments", "lines", "bulk", "descriptors", "clocks", "polling", "entropy", "exits", "quits", "heap")
ARGUMENTS, VARIABLES, INPUT = ["with space", "", "é"], {"HOME": "/nowhere", "EMPTY": ""}, b"one\ntwo\nthree, unended"


@pytest.fixture(scope="module")
def wasmtime():
    return pytest.importorskip("wasmtime")


@pytest.fixture(scope="module")
def c_module(wasmtime, tmp_path_factory):
    pytest.importorskip("ziglang")
    folder = tmp_path_factory.mktemp("wasi")
    table = ", ".join(f'{{"{name}", {name}}}' for name in TESTS)
    source = PROGRAM.replace("{TESTS}", "{" + table + "}")
    (folder / "program.c").write_text(source)
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O1"]
    subprocess.run([*compiler, "-o", "program.wasm", "program.c"], cwd=folder, check=True)
    engine = wasmtime.Engine()
    return engine, wasmtime.Module.from_file(engine, str(folder / "program.wasm"))


def with_wasmtime(wasmtime, c_module, arguments, folder):
    """Run the program with wasmtime's WASI: (exit code, stdout, stderr)."""
    engine, module = c_module
    (folder / "in").write_bytes(INPUT)
    config = wasmtime.WasiConfig()
    config.argv, config.env = arguments, list(VARIABLES.items())
    config.stdin_file, config.stdout_file, config.stderr_file = (str(folder / name) for name in ("in", "out", "err"))
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    store.set_wasi(config)
    linker.define_wasi()
    try:
        linker.instantiate(store, module).exports(store)["_start"](store)
        code = 0
    except wasmtime.ExitTrap as exit:
        code = exit.code
    return code, (folder / "out").read_bytes(), (folder / "err").read_bytes()


def with_wasi(wasmtime, c_module, wasi):
    """Run the program in wasmtime with `wasi`; return the exit code."""
    engine, module = c_module
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    exports = {}
    for name, function in wasi.functions().items():
        linker.define(store, "wasi_snapshot_preview1", name, wasmtime.Func(
            store, functype(wasmtime, name), rebinding(store, exports, wasi, function)))
    exports |= dict(linker.instantiate(store, module).exports(store).items())
    return wasi.start(SimpleNamespace(exports={"_start": lambda: exports["_start"](store)}))


def functype(wasmtime, name):
    params = [getattr(wasmtime.ValType, CORE_TYPES[code])() for code in abi.SIGNATURES[name]]
    return wasmtime.FuncType(params, [] if name == "proc_exit" else [wasmtime.ValType.i32()])


def rebinding(store, exports, wasi, function):
    """`function` after giving `wasi` the memory as it is now."""
    def call(*arguments):
        memory = exports["memory"]
        address = ctypes.addressof(memory.data_ptr(store).contents)
        wasi.memory = memoryview((ctypes.c_ubyte * memory.data_len(store)).from_address(address)).cast("B")
        return function(*arguments)
    return call


@pytest.mark.parametrize("test", TESTS)
def test_c_program(wasmtime, c_module, tmp_path, test):
    arguments = ["program", test, *ARGUMENTS]
    expected = with_wasmtime(wasmtime, c_module, arguments, tmp_path)
    out, err = io.BytesIO(), io.BytesIO()
    code = with_wasi(wasmtime, c_module, Wasi(arguments, VARIABLES, INPUT, out, err))
    assert (code, out.getvalue(), err.getvalue()) == expected
    assert code != 99
    with open(tmp_path / "in", "rb") as i, open(tmp_path / "o", "wb") as o, open(tmp_path / "e", "wb") as e:
        code = with_wasi(wasmtime, c_module, Wasi(arguments, VARIABLES, i.fileno(), o.fileno(), e.fileno()))
    assert (code, (tmp_path / "o").read_bytes(), (tmp_path / "e").read_bytes()) == expected


def test_signatures_are_wasmtimes(wasmtime):
    """One module that imports all 46 functions links with wasmtime's WASI."""
    imports = "".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func (param {" ".join(CORE_TYPES[c] for c in codes)})'
        f'{"" if name == "proc_exit" else " (result i32)"}))' for name, codes in abi.SIGNATURES.items())
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    linker.instantiate(store, wasmtime.Module(engine, f'(module {imports} (memory (export "memory") 1))'))
