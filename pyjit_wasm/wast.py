"""Runs WebAssembly test scripts (.wast) against the public API."""
import pyjit_wasm as wasm
from pyjit_wasm import text
from pyjit_wasm.text import script

# the module `spectest` that scripts may import from, printing left out
SPECTEST = """(module $spectest
    (global (export "global_i32") i32 (i32.const 666))
    (global (export "global_i64") i64 (i64.const 666))
    (global (export "global_f32") f32 (f32.const 666.6))
    (global (export "global_f64") f64 (f64.const 666.6))
    (table (export "table") 10 20 funcref)
    (table (export "table64") i64 10 20 funcref)
    (memory (export "memory") 1 2)
    (func (export "print"))
    (func (export "print_i32") (param i32))
    (func (export "print_i64") (param i64))
    (func (export "print_f32") (param f32))
    (func (export "print_f64") (param f64))
    (func (export "print_i32_f32") (param i32 f32))
    (func (export "print_f64_f64") (param f64 f64)))"""


class Report:
    """What came of a script: commands `passed` and `failed`, and one line for each of the `failures`."""

    __slots__ = ("passed", "failures")

    def __init__(self):
        self.passed, self.failures = 0, []

    @property
    def failed(self):
        return len(self.failures)


class Failure(Exception):
    """A command did not do what it should."""


class Runner:
    """The state of a script. `instances` and `modules` (definitions) are by identifier, None being the
    latest; those that failed are absent."""

    def __init__(self, engine):
        self.engine = engine
        self.instances, self.modules, self.registered = {}, {}, {}

    def run(self, command):
        """Raises `Failure`, or what went wrong in the runtime."""
        _RUN[command.kind](self, command)

    # commands

    def module(self, command):
        source = command.subject
        if source.definition:
            self.modules[None] = self.modules[source.identifier] = self.load(source)
            return
        for identifier in {None, source.identifier}:
            self.instances.pop(identifier, None)
        instance = self.instantiate(self.load(source))
        self.instances[None] = self.instances[source.identifier] = instance

    def instance(self, command):
        identifier, of = command.subject
        instance = self.instantiate(self.modules[of])
        self.instances[None] = self.instances[identifier] = instance

    def register(self, command):
        name, identifier = command.subject
        exports = self.find_instance(identifier).exports
        self.registered[name] = {export: exports[export] for export in exports}

    def action(self, command):
        self.perform(command.subject)

    def assert_return(self, command):
        results = self.perform(command.subject)
        expected = command.expected
        fit = len(results) == len(expected) and all(
            pattern.matches(result) for pattern, result in zip(expected, results, strict=True))
        if not fit:
            raise Failure(f"expected {list(expected)}, got {_show(results)}")

    def assert_trap(self, command):
        """The message may be less specific than the script's, which may name an index."""
        error = self.failing(command, wasm.Trap)
        if not (error.code.startswith(command.expected) or command.expected.startswith(error.code)):
            raise Failure(f"expected trap {command.expected!r}, got {error.code!r}")

    def assert_exhaustion(self, command):
        self.expect_message(command, self.failing(command, wasm.Exhaustion))

    def assert_exception(self, command):
        self.failing(command, wasm.WasmException)

    def assert_unlinkable(self, command):
        self.expect_message(command, self.failing(command, wasm.LinkError))

    def assert_malformed(self, command):
        """Any malformed text is as good as another; a malformed binary must have the right message."""
        if command.subject.form == "binary":
            self.expect_message(command, self.failing_to_load(command, wasm.DecodeError))
        else:
            self.failing_to_load(command, wasm.ParseError)

    def assert_malformed_custom(self, command):
        self.expect_message(command, self.failing_to_load(command, wasm.ParseError))

    def assert_invalid(self, command):
        self.expect_message(command, self.failing_to_load(command, wasm.ValidationError))

    def assert_invalid_custom(self, command):
        self.expect_message(command, self.failing_to_load(command, (wasm.ValidationError, wasm.ParseError)))

    # what they are made of

    def load(self, source):
        return wasm.Module(source.binary(), engine=self.engine)

    def instantiate(self, module):
        if "spectest" not in self.registered:
            exports = wasm.Instance(wasm.Module(text.assemble(SPECTEST), engine=self.engine)).exports
            self.registered["spectest"] = {export: exports[export] for export in exports}
        return wasm.Instance(module, imports=self.registered)

    def find_instance(self, identifier):
        if identifier not in self.instances:
            raise Failure(f"no instance {identifier or ''}: its module failed")
        return self.instances[identifier]

    def perform(self, action):
        """The raw results of an action, as a tuple."""
        exported = self.find_instance(action.instance).exports[action.name]
        return (exported.bits,) if action.kind == "get" else exported.call_bits(action.arguments)

    def failing(self, command, error_class):
        """The error that an action raises, or the instantiation of a module."""
        if isinstance(command.subject, script.Action):
            return _error(error_class, self.perform, command.subject)
        return _error(error_class, self.instantiate, self.load(command.subject))

    def failing_to_load(self, command, error_class):
        return _error(error_class, self.load, command.subject)

    def expect_message(self, command, error):
        message = getattr(error, "message", None) or str(error)
        if not message.startswith(command.expected):
            raise Failure(f"expected {command.expected!r}, got {message!r}")


_RUN = {"module": Runner.module, "instance": Runner.instance, "register": Runner.register, "invoke": Runner.action,
        "get": Runner.action,
        **{kind: method for kind, method in vars(Runner).items() if kind.startswith("assert_")}}


def _error(error_class, function, argument):
    try:
        result = function(argument)
    except error_class as error:
        return error
    raise Failure(f"expected an error, got {_show(result)}")


def _show(results):
    """Raw results for a message, in hexadecimal."""
    if not isinstance(results, tuple):
        return "none"
    return [hex(raw) if isinstance(raw, int) else raw.hex() if isinstance(raw, bytes) else raw for raw in results]


def run_file(path, engine):
    """Run all commands of a script; a failing one does not stop the others."""
    report, runner = Report(), Runner(engine)
    with open(path, "rb") as file:
        source = file.read()
    try:
        for command in script.parse(source):
            try:
                runner.run(command)
                report.passed += 1
            except Exception as error:  # whatever the runtime does wrong is the finding of this command
                report.failures.append(f"{path}:{command.line}: {command.kind}: {_describe(error)}")
    except wasm.ParseError as error:
        report.failures.append(f"{path}:{error}")
    return report


def _describe(error):
    first_line = (str(error).splitlines() or [""])[0]
    return first_line if isinstance(error, Failure) else f"{type(error).__name__}: {first_line}"


def run_files(paths, engine, out):
    """Run scripts, writing what failed, a line for each file and a summary; (passed, failed)."""
    passed = failed = 0
    for path in paths:
        report = run_file(path, engine)
        for failure in report.failures:
            print(failure, file=out)
        print(f"{path}: {report.passed} passed, {report.failed} failed", file=out)
        passed, failed = passed + report.passed, failed + report.failed
    print(f"{passed} passed, {failed} failed", file=out)
    return passed, failed
