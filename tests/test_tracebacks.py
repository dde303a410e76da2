"""Python tracebacks with wasm frames in them."""
import gc
import io
import pickle
import subprocess
import sys
import threading
import traceback
import weakref

import pytest

import pyjit_wasm as wasm
from modes import MODES, engine as make_engine
from pyjit_wasm import config
from pyjit_wasm.runtime import exec_env, tracebacks
from source_programs import SITES, build, markers


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    pytest.importorskip("ziglang")
    return build(tmp_path_factory.mktemp("program"))


def caught(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    pytest.fail("nothing was raised")


def entries(error):
    """(file, line, function) of a traceback's entries below this file's `caught`."""
    found = [(entry.filename, entry.lineno, entry.name) for entry in traceback.extract_tb(error.__traceback__)]
    assert found[0][0] == __file__ and found[0][2] == "caught"
    return found[1:]


def names(error):
    return [name for _, _, name in entries(error)]


PLAIN = """(module $prog (import "m" "host" (func $host (param i32) (result i32)))
  (func $div (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func $middle (param i32) (result i32) (i32.add (i32.const 1) (call $div (local.get 0))))
  (func (export "outer") (param i32) (result i32) (i32.add (i32.const 1) (call $middle (local.get 0))))
  (func $asks (param i32) (result i32) (i32.add (i32.const 1) (call $host (local.get 0))))
  (func (export "ask") (param i32) (result i32) (i32.add (i32.const 1) (call $asks (local.get 0))))
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
      (else unreachable)))
  (func $endless (export "endless") (param i32) (result i32) (i32.add (call $endless (local.get 0)) (i32.const 1))))"""


def refuse(number):
    raise LookupError(number)


@pytest.fixture
def plain(load):
    return load(PLAIN, {"m": {"host": refuse}})


@pytest.mark.parametrize("export, arguments, message, frames", SITES, ids=[f"{s[0]}-{s[2].replace(' ', '-')}" for s in SITES])
def test_entries_of_trap_sites(load, program, export, arguments, message, frames):
    """One entry for each source frame, outermost first, with the line's text where the file is there."""
    known, folder = markers(), program.parent
    error = caught(load(program).exports[export], *arguments)
    if export == "recursion":
        frames = frames[:config.TRACEBACK_INNERMOST]
    shown = traceback.extract_tb(error.__traceback__)[-len(frames):]
    for entry, (function, marker, _) in zip(shown, reversed(frames), strict=True):
        if marker is not ...:
            file, line = known[marker]
            assert (entry.filename, entry.lineno, entry.name) == (str(folder / file), line, function)
            assert entry.line == (folder / file).read_text().splitlines()[line - 1].strip()


def test_as_python_prints_it(program, child):
    """The traceback that ends a program, which Python prints without the `traceback` module; with carets at the columns."""
    for mode in MODES:
        done = child(f"""
            instance = load({str(program)!r}, mode={mode!r})
            instance.exports.inlined(1, 0)
        """)
        source = program.parent / "program.c"
        number = {marker: line for marker, (_, line) in markers().items()}
        wanted = [f'  File "{source}", line {number["inlined"]}, in inlined',
                  "    return between(a, b) + 1; // @inlined", "           ^",
                  f'  File "{source}", line {number["between"]}, in between',
                  "    return innermost(c, b) * 2; // @between", "           ^",
                  f'  File "{source}", line {number["innermost"]}, in innermost',
                  "    return a % b; // @innermost", "             ^",
                  "pyjit_wasm.errors.Trap: integer divide by zero"]
        lines = done.stderr.splitlines()
        assert lines[0] == "Traceback (most recent call last):" and lines[1].endswith("in <module>")
        assert lines[2:2 + len(wanted)] == wanted


def test_without_debug_information(plain):
    error = caught(plain.exports.outer, 0)
    frames = [(f"wasm://prog/{frame.offset:#x}", 1, frame.name) for frame in error.frames]
    assert entries(error) == frames[::-1] and names(error) == ["outer", "middle", "div"]
    assert [frame.file for frame in error.frames] == [None] * 3
    assert [entry.line for entry in traceback.extract_tb(error.__traceback__)][1:] == ["call", "call", "i32.div_s"]


def test_names_of_modules(load, tmp_path):
    text = '(module (func (export "f") unreachable))'
    path = tmp_path / "some.wat"
    path.write_text(text)
    assert entries(caught(load(path).exports.f))[0][0].startswith("wasm://some.wat/0x")
    assert entries(caught(load(text).exports.f))[0][0].startswith("wasm://wasm/0x")


def test_an_exception_of_a_host_function(plain):
    error = caught(plain.exports.ask, 3)
    assert type(error) is LookupError and names(error) == ["ask", "asks", "refuse"]
    assert entries(error)[-1][:2] == (__file__, refuse.__code__.co_firstlineno + 1)


def test_wasm_and_python_by_turns(load):
    """Two instances and two host functions, one of which is called with an argument of a wrong type by the other's wasm."""
    lower = load(PLAIN, {"m": {"host": refuse}})

    def between(number):
        return lower.exports.outer(number) if number == 0 else lower.exports.ask(number)

    upper = load(PLAIN, {"m": {"host": between}})
    assert names(caught(upper.exports.ask, 0)) == ["ask", "asks", "between", "outer", "middle", "div"]
    assert names(caught(upper.exports.ask, 5)) == ["ask", "asks", "between", "ask", "asks", "refuse"]


def test_an_exit_has_no_frames(load):
    """Looking for them would make all programs end later."""
    def leave(number):
        raise wasm.WasiExit(number)
    assert names(caught(load(PLAIN, {"m": {"host": leave}}).exports.ask, 3)) == ["leave"]


def test_a_host_function_that_returns_nonsense(load):
    inst = load(PLAIN, {"m": {"host": lambda number: "text"}})
    error = caught(inst.exports.ask, 1)
    assert type(error) is TypeError and names(error) == ["ask", "asks"]


def test_a_host_function_of_a_module_with_exceptions(load):
    inst = load("""(module (import "m" "host" (func $host (param i32))) (tag $t)
      (func $throws (throw $t)) (func $asks (param i32) (call $host (local.get 0)))
      (func (export "run") (param i32) (call $asks (local.get 0)))
      (func (export "catch") (param i32)
        (block $b (try_table (catch_all $b) (call $asks (local.get 0))) (return)) (call $throws)))""",
      {"m": {"host": refuse}})
    error = caught(inst.exports.run, 3)
    assert type(error) is LookupError
    assert names(error) == ["run", "asks", "refuse"]
    with pytest.raises(wasm.WasmException):
        inst.exports.catch(3)


THROWS = """(module $throws (import "m" "host" (func $host (param i32))) (tag $t (export "t") (param i32)) (tag $other)
  (func $inner (param i32) (if (local.get 0) (then (throw $t (local.get 0)))))
  (func $middle (param i32) (call $inner (local.get 0)) nop)
  (func (export "run") (param i32) (call $middle (local.get 0)) nop)
  (func (export "again") (param i32)
    (block $b (result exnref) (try_table (catch_all_ref $b) (call $middle (local.get 0))) (return)) throw_ref)
  (func (export "after") (param i32)
    (block $b (try_table (catch $other $b) (throw $other)) (return)) (call $middle (local.get 0)) nop)
  (func (export "ask") (param i32) (call $host (local.get 0)) nop)
  (func (export "swallow") (param i32) (block $b (try_table (catch_all $b) (call $host (local.get 0)))))
  (func $deep (export "deep") (param i32)
    (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (throw $t (i32.const 5))))))"""


def test_what_wasm_throws(load):
    """The frames are those of the throw, also where it was caught and thrown again, and through modules without exceptions."""
    inst = load(THROWS, {"m": {"host": refuse}})
    plain = load("""(module $plain (import "m" "f" (func $f (param i32))) (func $calls (param i32) (call $f (local.get 0)) nop)
      (func (export "outer") (param i32) (call $calls (local.get 0)) nop))""", {"m": {"f": inst.exports.run}})
    for _ in range(3):
        for export in ("run", "again", "after"):
            error = caught(inst.exports[export], 7)
            assert (type(error), error.payload, names(error)) == (wasm.WasmException, (7,), [export, "middle", "inner"])
        assert names(caught(plain.exports.outer, 7)) == ["outer", "calls", "run", "middle", "inner"]
        assert entries(caught(inst.exports.run, 1))[0][0].startswith("wasm://throws/0x")


def test_what_wasm_throws_deep_down(load):
    error = caught(load(THROWS, {"m": {"host": refuse}}).exports.deep, 100)
    assert names(error)[1:] == ["deep"] * config.TRACEBACK_INNERMOST and names(error)[0].endswith(" or more]")


def test_what_a_host_function_throws(load):
    """It comes out as the same object, with its own entries inside of wasm's."""
    raised = []

    def host(number):
        raised.append(wasm.WasmException(inst.exports.t, number))
        raise raised[-1]

    inst = load(THROWS, {"m": {"host": host}})
    for number in range(3):
        caught(inst.exports.run, 1)
        error = caught(inst.exports.ask, number)
        assert error is raised[-1] and names(error) == ["ask", "host"]
        inst.exports.swallow(number)
    weak = weakref.ref(raised[-1])
    raised.clear()
    gc.collect()
    assert weak() is None


def test_throws_switched_off(mode):
    inst = wasm.Instance(wasm.Module(THROWS, engine=make_engine(mode, tracebacks=False)), {"m": {"host": refuse}})
    assert names(caught(inst.exports.run, 1)) == [] and names(caught(inst.exports.again, 1)) == []


def test_the_context_is_kept(load):
    def chained(number):
        try:
            raise KeyError(number)
        except KeyError:
            raise LookupError(number)

    inst = load(PLAIN, {"m": {"host": chained}})
    assert type(caught(inst.exports.ask, 1).__context__) is KeyError
    try:
        raise OSError
    except OSError as outer:
        assert caught(inst.exports.outer, 0).__context__ is outer


@pytest.mark.parametrize("depth", [0, 10, 31, 60])
def test_deep_calls(plain, depth):
    """Of many frames the outermost and the innermost are shown, and how many are not."""
    error = caught(plain.exports.deep, depth)
    found = names(error)
    most = config.TRACEBACK_INNERMOST + config.TRACEBACK_OUTERMOST
    if depth + 1 <= most:
        assert found == ["deep"] * (depth + 1)
    else:
        hidden = f"[frames left out: {depth + 1 - most}]"
        assert found == ["deep"] * config.TRACEBACK_OUTERMOST + [hidden] + ["deep"] * config.TRACEBACK_INNERMOST


def test_endless_recursion(plain):
    error = caught(plain.exports.endless, 0)
    assert type(error) is wasm.Exhaustion
    found = names(error)
    assert found[1:] == ["endless"] * config.TRACEBACK_INNERMOST and found[0].endswith(" or more]")


@pytest.mark.parametrize("mode", MODES)
def test_switched_off(mode):
    engine = wasm.Engine(mode=mode, tier_up_threshold=1, background=False, tracebacks=False)
    inst = wasm.Instance(wasm.Module(PLAIN, engine=engine), {"m": {"host": refuse}})
    error = caught(inst.exports.outer, 0)
    assert names(error) == [] and [frame.name for frame in error.frames] == ["div", "middle", "outer"]
    assert names(caught(inst.exports.ask, 3)) == ["refuse"]


def test_again_and_again(plain):
    """The entries of a place are made once; the tracebacks do not share what somebody may change."""
    first, second = caught(plain.exports.outer, 0), caught(plain.exports.outer, 0)
    first.__traceback__.tb_next.tb_next = None
    assert len(entries(first)) == 1 and names(second) == ["outer", "middle", "div"]
    traceback.clear_frames(second.__traceback__)
    assert names(caught(plain.exports.outer, 0)) == ["outer", "middle", "div"]
    gc.collect()
    assert names(second) == ["outer", "middle", "div"]


def test_a_trap_that_is_raised_again(plain):
    error = caught(plain.exports.outer, 0)
    copy = pickle.loads(pickle.dumps(error))
    assert copy.frames == error.frames and copy.__traceback__ is None

    def again(number):
        raise error
    inst = wasm.load(PLAIN, {"m": {"host": again}})
    assert caught(inst.exports.ask, 0) is error and names(error)[:3] == ["ask", "asks", "again"]


def test_locals_and_globals_of_entries(plain):
    """Debuggers look at them."""
    step = caught(plain.exports.outer, 0).__traceback__.tb_next
    assert step.tb_frame.f_locals == {} and step.tb_frame.f_back is None and step.tb_lineno == 1
    assert step.tb_frame.f_globals["__name__"] == "wasm"
    text = io.StringIO()
    traceback.print_exception(caught(plain.exports.outer, 0), file=text, chain=True)
    summary = traceback.TracebackException.from_exception(caught(plain.exports.outer, 0), capture_locals=True)
    assert [entry.name for entry in summary.stack][1:] == ["outer", "middle", "div"]


def test_names_cannot_forge_entries(load, tmp_path):
    """Names come from the module: lines in them are escaped, and only regular files are shown as source."""
    inst = load('(module (func $"a\\0a  File \\"x\\", line 1, in b" (export "f") unreachable))')
    text = "".join(traceback.format_exception(caught(inst.exports.f)))
    assert '\n  File "x"' not in text.partition("Trap:")[0] and "\\n" in text
    source = '(module (func (export "f") unreachable))'
    for file in ("/dev/zero", str(tmp_path), "a\0b", "nonsense\ud800"):
        given = {"version": 3, "sources": [file], "mappings": "AAAA"}
        inst = wasm.Instance(wasm.Module(source, source_map=given))
        assert "Trap: unreachable" in "".join(traceback.format_exception(caught(inst.exports.f)))


def test_near_the_limit_of_recursion(plain):
    """A trap is raised as itself, with or without entries."""
    def sink(depth):
        try:
            plain.exports.outer(0)
        except wasm.Trap as error:
            seen.append(error)
        sink(depth + 1)

    seen = []
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        with pytest.raises(RecursionError):
            sink(0)
    finally:
        sys.setrecursionlimit(limit)
    assert len(seen) > 50 and {error.code for error in seen} == {"integer divide by zero"}
    assert names(caught(plain.exports.outer, 0)) == ["outer", "middle", "div"]


@pytest.mark.parametrize("module, name", [(tracebacks, "traced"), (exec_env, "show")])
@pytest.mark.parametrize("problem, raised", [(KeyboardInterrupt, KeyboardInterrupt), (MemoryError, LookupError)])
def test_what_goes_wrong_with_the_frames_of_an_exception(plain, monkeypatch, module, name, problem, raised):
    """Ctrl-C in the middle of looking for them is not lost; errors do not hide the exception."""
    def fail(*arguments):
        raise problem

    monkeypatch.setattr(module, name, fail)
    with pytest.raises(raised):
        plain.exports.ask(3)
    monkeypatch.undo()
    assert names(caught(plain.exports.ask, 3)) == ["ask", "asks", "refuse"]


def test_threads(load):
    """Several instances of one module trap in threads of their own."""
    module = load(PLAIN, {"m": {"host": refuse}}).module
    found = []

    def run():
        inst = wasm.Instance(module, {"m": {"host": refuse}})
        for _ in range(50):
            error = caught(inst.exports.outer, 0)
            found.append(names(error))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["outer", "middle", "div"]] * 200


def test_of_mixed_tiers():
    """One function is native, the others are interpreted."""
    inst = wasm.Instance(wasm.Module(PLAIN, engine=wasm.Engine(mode="tiered", tier_up_threshold=20, background=False)),
                         {"m": {"host": refuse}})
    for _ in range(30):
        inst.function("middle")(1)
    assert (inst.function("middle").tier, inst.function("outer").tier) == ("native", "interp")
    assert names(caught(inst.exports.outer, 0)) == ["outer", "middle", "div"]


def test_a_module_that_traps_while_it_is_made(mode):
    error = caught(wasm.Instance, wasm.Module("(module (func $start unreachable) (start $start))", engine=make_engine(mode)))
    assert names(error)[-1] == "start"


def test_frames_of_what_wasm_throws(load):
    """`WasmException.frames`, as those of a trap; of what a host function throws there are none."""
    inst = load(THROWS, {"m": {"host": refuse}})
    error = caught(inst.exports.run, 7)
    assert [frame.name for frame in error.frames] == ["inner", "middle", "run"]
    assert error.call_stack().splitlines()[0] == f"  #00: {error.frames[0]}"
    assert pickle.loads(pickle.dumps(error)).frames == ()


def test_an_uncaught_exception_of_a_program(tmp_path):
    (tmp_path / "throws.wat").write_text(
        '(module $m (tag $t (param i32)) (func $f (throw $t (i32.const 7))) (func (export "g") (call $f) nop))')
    command = [sys.executable, "-m", "pyjit_wasm", "run", "--invoke", "g", "throws.wat"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 134
    first, *lines = done.stderr.splitlines()
    assert "uncaught exception" in first
    assert [line.rpartition(" - ")[2] for line in lines] == ["f", "g"]
