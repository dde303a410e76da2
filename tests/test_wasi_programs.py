"""C programs, compiled when the tests run, here and in wasmtime: the same output, exit code and files."""
import subprocess
import sys

import pytest

import pyjit_wasm as wasm
from modes import engine
from wasi_trees import build, snapshot

PROGRAM = r"""
#include <dirent.h>
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
    for (int fd = -1; fd < 3; fd++) {
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
    printf("open %d %d\n", open("../outside/canary", O_RDONLY), errno);
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

static int compare_names(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static void walk(const char *path) {
    char below[512];
    struct dirent **entries;
    struct stat st;
    int count = scandir(path, &entries, NULL, compare_names);
    printf("%s: %d entries\n", path, count);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        snprintf(below, sizeof below, "%s/%s", path, name);
        int r = lstat(below, &st);
        printf("%s: type %d, lstat %d, mode %o", below, entries[i]->d_type, r, st.st_mode & S_IFMT);
        if (S_ISREG(st.st_mode)) printf(", %d bytes, time %d", (int)st.st_size, (int)st.st_mtim.tv_sec);
        printf("\n");
        if (S_ISDIR(st.st_mode)) walk(below);
    }
}
static int tree(int argc, char **argv) { walk("/"); walk("/ro"); return 0; }
static int files(int argc, char **argv) {
    char text[100] = "";
    FILE *file = fopen("/new", "w+");
    for (int i = 0; i < 1000; i++) fprintf(file, "line %d\n", i);
    printf("tell %ld, seek %d", ftell(file), fseek(file, -9, SEEK_END));
    printf(", %s", fgets(text, sizeof text, file));
    rewind(file);
    printf("first %s", fgets(text, sizeof text, file));
    fclose(file);
    file = fopen("/new", "a");
    printf("append %d\n", fputs("the end\n", file));
    fclose(file);
    file = fopen("/new", "r");
    int lines = 0;
    while (fgets(text, sizeof text, file)) lines++;
    printf("%d lines, last %s", lines, text);
    printf("write %d %d\n", fputs("no", file) == EOF || fflush(file) == EOF, ferror(file));
    fclose(file);
    printf("truncate %d", truncate("/new", 10));
    struct stat st;
    printf(" %d, %d bytes\n", stat("/new", &st), (int)st.st_size);
    printf("rename %d, link %d, symlink %d\n", rename("/new", "/dir/moved"), link("/dir/moved", "/hard"),
           symlink("dir/moved", "/soft"));
    printf("readlink %d %.9s\n", (int)readlink("/soft", text, sizeof text), text);
    printf("same %d, links %d\n", stat("/hard", &st), (int)st.st_nlink);
    int fd = open("/soft", O_RDWR);
    printf("pwrite %d pread %d %.5s\n", (int)pwrite(fd, "LINE", 4, 0), (int)pread(fd, text, 5, 0), text);
    printf("ftruncate %d, size %d\n", ftruncate(fd, 3000), (int)lseek(fd, 0, SEEK_END));
    struct timespec times[2] = {{1, 2}, {3, 4}};
    printf("futimens %d %d", futimens(fd, times), fstat(fd, &st));
    printf(" %d.%d %d.%d\n", (int)st.st_atim.tv_sec, (int)st.st_atim.tv_nsec, (int)st.st_mtim.tv_sec,
           (int)st.st_mtim.tv_nsec);
    printf("fsync %d, close %d, close %d %d\n", fsync(fd), close(fd), close(fd), errno);
    printf("mkdir %d, rmdir %d, unlink %d, remove %d\n", mkdir("/made", 0777), rmdir("/made"), unlink("/hard"),
           remove("/soft"));
    return 0;
}
static void say(const char *what, int result) { printf("%s: %d, %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static int failures(int argc, char **argv) {
    char text[100];
    say("open nothing", open("/nope", O_RDONLY));
    say("open directory to write", open("/dir", O_WRONLY));
    say("open file as directory", open("/file", O_RDONLY | O_DIRECTORY));
    say("open exclusively", open("/file", O_RDWR | O_CREAT | O_EXCL));
    say("open link", open("/link", O_RDONLY | O_NOFOLLOW));
    say("open loop", open("/loop", O_RDONLY));
    say("open out", open("/out", O_RDONLY));
    say("open below file", open("/file/x", O_RDONLY));
    say("open read only", open("/ro/file", O_RDWR));
    say("create read only", open("/ro/new", O_RDWR | O_CREAT));
    say("mkdir", mkdir("/dir", 0777));
    say("mkdir read only", mkdir("/ro/new", 0777));
    say("rmdir full", rmdir("/dir"));
    say("rmdir file", rmdir("/file"));
    say("unlink directory", unlink("/dir"));
    say("rename over directory", rename("/file", "/dir"));
    say("rename nothing", rename("/nope", "/other"));
    say("rename out of read only", rename("/ro/file", "/stolen"));
    say("link directory", link("/dir", "/other"));
    say("link over", link("/file", "/link"));
    say("symlink over", symlink("x", "/file"));
    say("readlink", (int)readlink("/file", text, sizeof text));
    say("access", access("/file", R_OK));
    say("access nothing", access("/nope", R_OK));
    say("opendir", opendir("/file") ? 0 : -1);
    int fd = open("/file", O_RDONLY);
    say("write", (int)write(fd, "x", 1));
    say("seek", (int)lseek(fd, -100, SEEK_SET));
    say("long name", open("/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
        "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
        "23456789012345678901234567890123456789012345678901234567890", O_RDONLY));
    return 0;
}

int main(int argc, char **argv) {
    struct { const char *name; int (*run)(int, char **); } tests[] = {TESTS};
    for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
        if (argc > 1 && !strcmp(argv[1], tests[i].name)) return tests[i].run(argc, argv);
    return 99;
}
"""
TESTS = ("arguments", "lines", "bulk", "descriptors", "clocks", "polling", "entropy", "exits", "quits", "heap", "tree",
         "files", "failures")
ARGUMENTS, VARIABLES, INPUT = ["with space", "", "é"], {"HOME": "/nowhere", "EMPTY": ""}, b"one\ntwo\nthree, unended"


@pytest.fixture(scope="module")
def wasmtime():
    return pytest.importorskip("wasmtime")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled program's path."""
    pytest.importorskip("ziglang")
    folder = tmp_path_factory.mktemp("wasi")
    table = ", ".join(f'{{"{name}", {name}}}' for name in TESTS)
    (folder / "program.c").write_text(PROGRAM.replace("{TESTS}", "{" + table + "}"))
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O1"]
    subprocess.run([*compiler, "-o", "program.wasm", "program.c"], cwd=folder, check=True)
    return folder / "program.wasm"


@pytest.fixture(scope="module")
def expected(wasmtime, program, tmp_path_factory):
    """`expected(test)`: (exit code, stdout, stderr, files) with wasmtime's WASI."""
    wasm_engine, done = wasmtime.Engine(), {}
    module = wasmtime.Module.from_file(wasm_engine, str(program))

    def run(test):
        if test not in done:
            done[test] = _in_wasmtime(wasmtime, wasm_engine, module, test, tmp_path_factory.mktemp("wasmtime"))
        return done[test]

    return run


def _in_wasmtime(wasmtime, wasm_engine, module, test, folder):
    build(folder / "files")
    (folder / "in").write_bytes(INPUT)
    config = wasmtime.WasiConfig()
    config.argv, config.env = ["program", test, *ARGUMENTS], list(VARIABLES.items())
    config.stdin_file, config.stdout_file, config.stderr_file = (str(folder / name) for name in ("in", "out", "err"))
    config.preopen_dir(str(folder / "files" / "rw"), "/")
    config.preopen_dir(str(folder / "files" / "ro"), "/ro", False)
    store, linker = wasmtime.Store(wasm_engine), wasmtime.Linker(wasm_engine)
    store.set_wasi(config)
    linker.define_wasi()
    try:
        linker.instantiate(store, module).exports(store)["_start"](store)
        code = 0
    except wasmtime.ExitTrap as exit:
        code = exit.code
    return code, (folder / "out").read_bytes(), (folder / "err").read_bytes(), snapshot(folder / "files")


@pytest.fixture(scope="module")
def modules(program):
    """`modules(mode)`: the program as a Module."""
    made = {}
    return lambda mode: made.get(mode) or made.setdefault(mode, wasm.Module(program, engine=engine(mode)))


def run(module, test, folder, **streams):
    """(exit code, files) here."""
    build(folder / "files")
    dirs = {"/": folder / "files" / "rw", "/ro": wasm.ReadOnly(folder / "files" / "ro")}
    with wasm.Wasi(["program", test, *ARGUMENTS], VARIABLES, dirs, **streams) as wasi:
        code = wasm.Instance(module, imports=wasi).run()
    return code, wasi.stdout, wasi.stderr, snapshot(folder / "files")


@pytest.mark.parametrize("test", TESTS)
def test_captured(modules, expected, mode, tmp_path, test):
    done = run(modules(mode), test, tmp_path, stdin=INPUT, stdout=wasm.CAPTURE, stderr=wasm.CAPTURE)
    assert done == expected(test)
    assert done[0] != 99


@pytest.mark.parametrize("test", ["lines", "bulk", "descriptors", "heap"])
def test_with_host_descriptors(modules, expected, mode, tmp_path, test):
    (tmp_path / "in").write_bytes(INPUT)
    with open(tmp_path / "in", "rb") as i, open(tmp_path / "out", "wb") as o, open(tmp_path / "err", "wb") as e:
        code, _, _, files = run(modules(mode), test, tmp_path, stdin=i.fileno(), stdout=o.fileno(), stderr=e.fileno())
    assert (code, (tmp_path / "out").read_bytes(), (tmp_path / "err").read_bytes(), files) == expected(test)
