"""A guest that offers every WASI function to Python, in this package and in wasmtime.

One module imports all functions and exports a wrapper of each, so that a test calls them one by one through wasm.
"""
import functools
import struct

import pyjit_wasm as wasm
from modes import engine
from pyjit_wasm.wasi import abi
from pyjit_wasm.wasi.direct import DirectCall

CORE_TYPES = {"I": "i32", "Q": "i64", "q": "i64"}
PAGES = 2
MEMORY_SIZE = PAGES * 65536
SCRATCH, PATHS, OTHER_PATHS, BUFFER = 0, 1024, 6144, 16384   # where calls by name put results, paths and data


def wrapper(names=abi.SIGNATURES, module="wasi_snapshot_preview1"):
    """WAT of a module that exports what it imports, and a memory."""
    imports, exports = [], []
    for name in names:
        codes = [CORE_TYPES[code] for code in abi.SIGNATURES[name]]
        result = "" if name == "proc_exit" else "(result i32)"
        params = f"(param {' '.join(codes)})" if codes else ""
        imports.append(f'(import "{module}" "{name}" (func ${name} {params} {result}))')
        arguments = " ".join(f"(local.get {index})" for index in range(len(codes)))
        exports.append(f'(func (export "{name}") {params} {result} (call ${name} {arguments}))')
    return f'(module {" ".join(imports)} (memory (export "memory") {PAGES} 16) {" ".join(exports)})'


class Guest:
    """`guest.fd_close(3)` calls the function. `memory` has slices; subclasses make `functions` and it."""

    def __getattr__(self, name):
        return self.functions[name]

    def store(self, at, data):
        self.memory[at:at + len(data)] = data
        return at

    def load(self, layout, at):
        return struct.unpack(layout, bytes(self.memory[at:at + struct.calcsize(layout)]))

    def read_bytes(self, at, size):
        return bytes(self.memory[at:at + size])

    def iovecs(self, at, *spans):
        """Store iovecs (address, length) at `at`; the arguments iovs and count."""
        self.store(at, b"".join(struct.pack("<II", *span) for span in spans))
        return at, len(spans)

    def path(self, path, at=PATHS):
        """Store a path; the arguments pointer and length."""
        path = path.encode() if isinstance(path, str) else path
        return self.store(at, path), len(path)

    # calls with Python values: (errno, results...)

    def open(self, path, oflags=0, rights=None, fd=3, follow=1, fdflags=0, inheriting=abi.ALL_RIGHTS):
        rights = abi.ALL_RIGHTS if rights is None else rights
        errno = self.path_open(fd, follow, *self.path(path), oflags, rights, inheriting, fdflags, SCRATCH)
        return errno, None if errno else self.load("<I", SCRATCH)[0]

    def write(self, fd, data):
        self.store(BUFFER, data)
        errno = self.fd_write(fd, *self.iovecs(SCRATCH + 16, (BUFFER, len(data))), SCRATCH)
        return errno, None if errno else self.load("<I", SCRATCH)[0]

    def read(self, fd, size=4096):
        errno = self.fd_read(fd, *self.iovecs(SCRATCH + 16, (BUFFER, size)), SCRATCH)
        return errno, None if errno else self.read_bytes(BUFFER, self.load("<I", SCRATCH)[0])

    def pread(self, fd, size, offset):
        errno = self.fd_pread(fd, *self.iovecs(SCRATCH + 16, (BUFFER, size)), offset, SCRATCH)
        return errno, None if errno else self.read_bytes(BUFFER, self.load("<I", SCRATCH)[0])

    def pwrite(self, fd, data, offset):
        self.store(BUFFER, data)
        errno = self.fd_pwrite(fd, *self.iovecs(SCRATCH + 16, (BUFFER, len(data))), offset, SCRATCH)
        return errno, None if errno else self.load("<I", SCRATCH)[0]

    def seek(self, fd, delta, whence):
        errno = self.fd_seek(fd, delta, whence, SCRATCH)
        return errno, None if errno else self.load("<Q", SCRATCH)[0]

    def tell(self, fd):
        errno = self.fd_tell(fd, SCRATCH)
        return errno, None if errno else self.load("<Q", SCRATCH)[0]

    def fdstat(self, fd):
        errno = self.fd_fdstat_get(fd, SCRATCH)
        return errno, None if errno else self.load("<BxH4xQQ", SCRATCH)

    def filestat(self, fd):
        errno = self.fd_filestat_get(fd, SCRATCH)
        return errno, None if errno else self.load("<QQB7xQQQQQ", SCRATCH)

    def stat(self, path, fd=3, follow=1):
        errno = self.path_filestat_get(fd, follow, *self.path(path), SCRATCH)
        return errno, None if errno else self.load("<QQB7xQQQQQ", SCRATCH)

    def set_times(self, path, atim, mtim, flags, fd=3, follow=1):
        return self.path_filestat_set_times(fd, follow, *self.path(path), atim, mtim, flags)

    def mkdir(self, path, fd=3):
        return self.path_create_directory(fd, *self.path(path))

    def rmdir(self, path, fd=3):
        return self.path_remove_directory(fd, *self.path(path))

    def unlink(self, path, fd=3):
        return self.path_unlink_file(fd, *self.path(path))

    def symlink(self, target, path, fd=3):
        return self.path_symlink(*self.path(target, OTHER_PATHS), fd, *self.path(path))

    def readlink(self, path, fd=3, size=1000):
        errno = self.path_readlink(fd, *self.path(path), BUFFER, size, SCRATCH)
        return errno, None if errno else self.read_bytes(BUFFER, self.load("<I", SCRATCH)[0])

    def rename(self, old, new, fd=3, new_fd=3):
        return self.path_rename(fd, *self.path(old), new_fd, *self.path(new, OTHER_PATHS))

    def link(self, old, new, fd=3, new_fd=3, follow=0):
        return self.path_link(fd, follow, *self.path(old), new_fd, *self.path(new, OTHER_PATHS))

    def readdir(self, fd=3, size=4096, cookie=0):
        """(errno, bytes used, entries that are whole: (next, ino, type, name))."""
        errno = self.fd_readdir(fd, BUFFER, size, cookie, SCRATCH)
        if errno:
            return errno, None, None
        used, = self.load("<I", SCRATCH)
        data, entries = self.read_bytes(BUFFER, used), []
        while len(data) >= 24:
            following, ino, length, filetype = struct.unpack_from("<QQIB", data)
            if len(data) < 24 + length:
                break
            entries.append((following, ino, filetype, data[24:24 + length].decode()))
            data = data[24 + length:]
        return errno, used, entries

    def prestat(self, fd):
        """(errno, name) of a preopened directory."""
        errno = self.fd_prestat_get(fd, SCRATCH)
        if errno:
            return errno, None
        tag, length = self.load("<B3xI", SCRATCH)
        errno = self.fd_prestat_dir_name(fd, BUFFER, length)
        return errno, (tag, self.read_bytes(BUFFER, length))

    def accept(self, fd, flags=0):
        errno = self.sock_accept(fd, flags, SCRATCH)
        return errno, None if errno else self.load("<I", SCRATCH)[0]

    def receive(self, fd, size, flags=0):
        errno = self.sock_recv(fd, *self.iovecs(SCRATCH + 16, (BUFFER, size)), flags, SCRATCH, SCRATCH + 4)
        if errno:
            return errno, None, None
        count, flags = self.load("<IH", SCRATCH)
        return errno, self.read_bytes(BUFFER, count), flags

    def send(self, fd, data, flags=0):
        self.store(BUFFER, data)
        errno = self.sock_send(fd, *self.iovecs(SCRATCH + 16, (BUFFER, len(data))), flags, SCRATCH)
        return errno, None if errno else self.load("<I", SCRATCH)[0]


@functools.cache
def _module(mode, source):
    return wasm.Module(source, engine=engine(mode))


class ByPython:
    """A WASI function without its generated code."""

    def __init__(self, call):
        self.call = call

    def __wasm_import__(self, functype, importer):
        made = self.call.__wasm_import__(functype, importer)
        return made.python if isinstance(made, DirectCall) else made


def by_python(wasi):
    """The imports that a Wasi is, without generated code."""
    return {module: {name: ByPython(call) for name, call in calls.items()} for module, calls in wasi.imports().items()}


class PyjitGuest(Guest):
    """The module in this package; `wasi` is the Wasi, made with `options` if none is given. `direct`: generated code answers
    what it can."""

    def __init__(self, mode="interp", unstable=False, wasi=None, direct=True, **options):
        names = [n for n in abi.SIGNATURES if not unstable or n not in abi.UNSTABLE_ABSENT]
        source = wrapper(names, "wasi_unstable" if unstable else "wasi_snapshot_preview1")
        self.wasi = wasi or wasm.Wasi(**options)
        self.instance = wasm.Instance(_module(mode, source), imports=self.wasi if direct else by_python(self.wasi))
        self.memory = self.instance.exports.memory
        self.functions = {name: self.instance.exports[name] for name in names}

    def close(self):
        self.wasi.close()


@functools.cache
def _in_wasmtime():
    import wasmtime
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    return engine, linker, wasmtime.Module(engine, wrapper())


class WasmtimeGuest(Guest):
    """The module in wasmtime: `dirs` {guest name: (host path, writable)}."""

    def __init__(self, args=(), env=None, dirs=None, stdin=None, stdout=None, stderr=None):
        import wasmtime
        config = wasmtime.WasiConfig()
        config.argv, config.env = list(args), list((env or {}).items())
        for name, path in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
            if path is not None:
                setattr(config, f"{name}_file", str(path))
        for name, (path, writable) in (dirs or {}).items():
            config.preopen_dir(str(path), name, writable)
        engine, linker, module = _in_wasmtime()
        store = wasmtime.Store(engine)
        store.set_wasi(config)
        exports = linker.instantiate(store, module).exports(store)
        self.functions = {name: functools.partial(exports[name], store) for name in abi.SIGNATURES}
        self.memory = _WasmtimeMemory(exports["memory"], store)

    def close(self):
        pass


class _WasmtimeMemory:
    def __init__(self, memory, store):
        self.memory, self.store = memory, store

    def __getitem__(self, at):
        return bytes(self.memory.read(self.store, at.start, at.stop))

    def __setitem__(self, at, data):
        self.memory.write(self.store, data, at.start)
