"""`import name` for name.wasm and name.wat."""
import importlib
import pydoc
import sys
import textwrap

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import importer
from pyjit_wasm.text import assemble

ADD = """(module $m (memory (export "memory") 1) (global (export "count") (mut i32) (i32.const 5)) (func (export "odd name"))
  (func (export "__name__")) (func (export "_hidden"))
  (func (export "add") (param $a i32) (param i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""


@pytest.fixture
def write(tmp_path, monkeypatch, engine):
    """`write(name, content)`: a file on sys.path, in each mode. What was imported is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(importer, "engine", engine)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written = set()

    def write(name, content):
        written.add(name.partition("/")[0].partition(".")[0])
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        importlib.invalidate_caches()
        return path

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] in written]:
        del sys.modules[name]


@pytest.mark.parametrize("suffix, content", [(".wat", ADD), (".wasm", assemble(ADD))])
def test_modules(write, mode, suffix, content):
    path = write(f"added{suffix}", content)
    import added

    assert added.add(2, 3) == 5 and added.count.value == 5 and len(added.memory) == 65536
    assert isinstance(added.__wasm__, wasm.Instance) and added.__wasm__.mode == mode
    assert (added.__name__, added.__file__, added.__spec__.origin) == ("added", str(path), str(path))
    assert added.__all__ == ["memory", "count", "add"] and not hasattr(added, "__path__")
    assert getattr(added, "odd name")() is None and added._hidden() is None
    assert added.__wasm__.exports["__name__"]() is None
    assert added.__doc__.startswith(f"The WebAssembly module {path}.") and "add: <wasm function add: [i32 i32] -> [i32]>" \
        in added.__doc__ and "add" in pydoc.render_doc(added)
    assert importlib.import_module("added") is added and added.__loader__.get_data(str(path)) == path.read_bytes()


def test_star(write):
    write("added.wat", ADD)
    names = {}
    exec("from added import *", names)
    assert names["add"](1, 2) == 3 and "_hidden" not in names


def test_packages(write):
    write("package/__init__.py", "")
    write("package/inner.wat", ADD)
    write("package/__main__.py", "")
    write("spread/deep/inner.wat", ADD)  # a namespace package
    from package import inner
    import package.inner
    import spread.deep.inner

    assert inner is package.inner and inner.add(1, 1) == 2 and inner.__package__ == "package"
    assert spread.deep.inner.add(1, 2) == 3 and spread.deep.inner is not inner


def test_python_files_go_first(write):
    write("both.wat", ADD)
    write("both.py", "kind = 'python'")
    write("folder.wat", ADD)
    write("folder/inner.py", "kind = 'python'")
    import both
    import folder.inner

    assert both.kind == folder.inner.kind == "python" and not hasattr(folder, "add")


def test_imports_from_python_modules(write):
    write("env.py", """
        calls = []
        base = 40
        def log(number):
            calls.append(number)""")
    write("names/space.py", "def twice(number): return 2 * number")
    write("user.wat", """(module (import "env" "log" (func $log (param i32))) (import "env" "base" (global $base i32))
      (import "names.space" "twice" (func $twice (param i32) (result i32)))
      (func (export "run") (result i32) (call $log (i32.const 7)) (i32.add (global.get $base) (call $twice (i32.const 1)))))""")
    import env
    import user

    assert user.run() == 42 and env.calls == [7]


def test_imports_from_other_wasm_modules(write):
    write("lower.wat", """(module (memory (export "memory") 1) (func (export "__dict__") (result i32) (i32.const 3))
      (data (i32.const 4) "\\2a"))""")
    write("upper.wat", """(module (import "lower" "memory" (memory 1)) (import "lower" "__dict__" (func $f (result i32)))
      (func (export "run") (result i32) (i32.add (call $f) (i32.load (i32.const 4)))))""")
    import upper
    import lower

    assert upper.run() == 45 and lower.memory is not None


def test_circular_imports_as_python_has_them(write):
    """A function may use the other module when it is called, but not when it is imported."""
    write("helper.py", """
        import circular
        def ask(): return circular.answer()""")
    write("circular.wat", """(module (import "helper" "ask" (func $ask (result i32)))
      (func (export "answer") (result i32) (i32.const 42)) (func (export "run") (result i32) (call $ask)))""")
    write("one.wat", '(module (import "two" "f" (func)) (func (export "f")))')
    write("two.wat", '(module (import "one" "f" (func)) (func (export "f")))')
    import circular

    assert circular.run() == 42
    with pytest.raises(ImportError, match=r"unknown import: one\.f"):
        importlib.import_module("one")
    assert "one" not in sys.modules and "two" not in sys.modules


def test_reactors(write, capfd):
    write("reactor.wat", """(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "\\08\\00\\00\\00\\03\\00\\00\\00hi\\n")
      (global $state (mut i32) (i32.const 0))
      (func (export "_initialize") (global.set $state (i32.const 9)))
      (func (export "say") (result i32) (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))
      (func (export "arguments") (result i32) (drop (call $args (i32.const 24) (i32.const 28))) (i32.load (i32.const 24)))
      (func (export "state") (result i32) (global.get $state)))""")
    import reactor

    assert (reactor.state(), reactor.say(), reactor.arguments()) == (9, 0, 0)
    assert capfd.readouterr().out == "hi\n"


@pytest.mark.parametrize("content, cause", [
    ("(module (func (export \"f\") (result i32)))", wasm.ValidationError), ("(module", wasm.ParseError),
    ("(module (func $f unreachable) (start $f))", wasm.Trap), ('(module (import "sys" "nothing" (func)))', wasm.LinkError),
    ('(module (import "sys" "path" (func)))', wasm.LinkError),
    ('(module (import "no_such_module" "f" (func)))', ModuleNotFoundError),
    ('(module (func (export "_initialize") unreachable))', wasm.Trap),
    ('(module (import "wasi_snapshot_preview1" "proc_exit" (func $e (param i32))) '
     '(func (export "_initialize") (call $e (i32.const 3))))', wasm.WasiExit)])
def test_what_cannot_be_imported(write, content, cause):
    write("broken.wat", content)
    with pytest.raises(ImportError, match="cannot import 'broken'") as error:
        importlib.import_module("broken")
    assert isinstance(error.value.__cause__, cause) and error.value.name and "broken" not in sys.modules


def test_a_malformed_binary(write):
    path = write("broken.wasm", b"\0asm\2\0\0\0")
    with pytest.raises(ImportError, match="unknown binary version") as error:
        importlib.import_module("broken")
    assert (error.value.name, error.value.path) == ("broken", str(path))


@pytest.mark.parametrize("name", ["", ".env", "./env.js", "a..b"])
def test_names_that_no_module_can_have(write, name):
    write("broken.wat", f'(module (import "{name}" "f" (func)))')
    with pytest.raises(ImportError, match="no module name"):
        importlib.import_module("broken")


@pytest.mark.parametrize("error", ["KeyError", "AttributeError", "OSError", "KeyboardInterrupt"])
def test_exceptions_of_python_code_pass(write, error):
    write("failing.py", f"raise {error}('as it is')")
    write("user.wat", '(module (import "failing" "f" (func)))')
    write("late.py", f"def f(): raise {error}('later')")
    write("starter.wat", '(module (import "late" "f" (func $f)) (start $f))')
    with pytest.raises(BaseException, match="as it is") as caught:
        importlib.import_module("user")
    assert type(caught.value).__name__ == error
    with pytest.raises(BaseException, match="later") as caught:
        importlib.import_module("starter")
    assert type(caught.value).__name__ == error


def test_reload(write):
    write("changing.wat", '(module (func (export "f") (result i32) (i32.const 1)))')
    import changing

    first, f = changing.__wasm__, changing.f
    write("changing.wat", '(module (func (export "f") (result i32) (i32.const 2)) (func (export "g")))')
    assert importlib.reload(changing) is changing
    assert (changing.f(), changing.g(), f()) == (2, None, 1) and changing.__wasm__ is not first


def test_what_is_not_there(write):
    with pytest.raises(ModuleNotFoundError, match="No module named 'added'"):
        importlib.import_module("added")
    write("added.wat", ADD)
    import added

    assert added.add(1, 1) == 2


def test_odd_entries_of_the_path(write, monkeypatch, tmp_path):
    write("added.wat", ADD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [b"bytes", str(tmp_path / "missing"), str(tmp_path / "added.wat"), ""])
    importlib.invalidate_caches()
    import added

    assert added.add(1, 1) == 2
