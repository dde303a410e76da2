"""Code under one key is one code: whatever decides code changes the key, by content."""
import inspect
import os
import shutil
from pathlib import Path

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import config
from pyjit_wasm.codegen import cache, environment, objects
from pyjit_wasm.codegen.unit import Unit

PACKAGE = Path(wasm.__file__).parent
SOURCE = """(module (memory 1) (func $g (export "g") (param i32) (result i32) (local.get 0))
    (func (export "f") (param i32) (result i32) (loop (br_if 0 (i32.eqz (local.get 0)))) (call $g (i32.load (local.get 0)))))"""


@pytest.fixture
def copied(tmp_path):
    """A copy of the package."""
    return Path(shutil.copytree(PACKAGE, tmp_path / "copy" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def package(copied, monkeypatch):
    """A copy of the package, which `environment` takes for the package."""
    monkeypatch.setattr(environment, "_package", str(copied))
    return copied


def edit(path):
    """Change the case of one letter of a file's first comment, but neither its size nor its times."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[content.find(b'"""') + 3] ^= 0x20
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns and path.stat().st_size == status.st_size


def test_every_source_file_counts(package):
    assert environment.package_digest() == environment.package_digest()
    seen = {environment.package_digest()}
    sources = [path for path in package.rglob("*.py") if path.stat().st_size > 3]
    assert len(sources) > 250
    for path in sources:
        sound = path.read_bytes()
        edit(path)
        seen.add(environment.package_digest())
        path.write_bytes(sound)
    assert len(seen) == 1 + len(sources)
    assert environment.package_digest() in seen


def test_files_that_come_and_go(package):
    before = environment.package_digest()
    seen = {before}
    for name in ("new.py", "new/__init__.py", "new/deep/er.py", "valid/bulk/new.py", "valid/new.pyc"):
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        seen.add(environment.package_digest())
    assert len(seen) == 6
    moved = package / "valid" / "facts2.py"
    (package / "valid" / "facts.py").rename(moved)
    assert environment.package_digest() not in seen


def test_what_is_made_of_sources_does_not_count(package):
    before = environment.package_digest()
    (package / "valid" / "__pycache__").mkdir()
    (package / "valid" / "__pycache__" / "facts.cpython-311.pyc").write_bytes(b"compiled")
    assert environment.package_digest() == before


def test_the_place_does_not_count(package):
    """Images and users may share a cache."""
    assert environment.package_digest() == environment._hash(
        part for name, path in sorted(environment._files(str(PACKAGE), "")) for part in (name.encode(), environment._content(path)))


def test_files_longer_than_a_block(tmp_path, monkeypatch):
    path = tmp_path / "file"
    for size in (0, 1, 9, 10, 11, 35):
        path.write_bytes(bytes(range(size)))
        monkeypatch.setattr(environment, "_BLOCK", 10)
        assert environment._content(path) == bytes(range(size))


@pytest.fixture
def fresh(monkeypatch):
    """`fresh()`: the digest of the environment, found again."""
    def fresh():
        monkeypatch.setattr(environment, "_digest", None)
        return environment.digest()
    return fresh


@pytest.mark.parametrize("part", ["package_digest", "python", "llvm", "processor"])
def test_each_part_of_the_environment_counts(fresh, monkeypatch, part):
    before = fresh()
    assert fresh() == before and len(before) == 32
    found = getattr(environment, part)()
    other = [b"other", *found[1:]] if isinstance(found, list) else b"other"
    monkeypatch.setattr(environment, part, lambda: other)
    assert fresh() not in (None, before)


def test_python_and_the_processor_are_told():
    import platform
    import sys

    told = environment.python()
    assert {sys.version.encode(), platform.machine().encode(), sys.abiflags.encode()} <= set(told)
    assert told[-1].decode() == " ".join(platform.libc_ver())
    processor = environment.processor()
    for name in (b"vendor_id", b"cpu family", b"model name", b"flags"):
        assert processor.count(b"\n" + name) + processor.startswith(name) == 1
    assert b" sse2 " in processor and b"MHz" not in processor


def test_llvm_is_told_without_being_imported(child):
    code = """
        from pyjit_wasm.codegen import environment
        found = environment.llvm()
        assert not any(name.startswith("llvmlite") for name in sys.modules)
        import llvmlite
        assert environment.llvm() == found
        assert llvmlite.__version__.encode() in found[0] and found[1] == b"libllvmlite.so"
        print(len(found[2]))"""
    assert child(code).stdout == "8200\n"


def test_the_library_of_llvm_counts(tmp_path):
    """By its size and its ends, where the build ID and the places of all sections are."""
    path = tmp_path / "library.so"
    path.write_bytes(bytes(100_000))
    seen = {environment._ends(path)}
    for content in (b"\1" + bytes(99_999), bytes(99_999) + b"\1", bytes(100_001), b"", b"short"):
        path.write_bytes(content)
        seen.add(environment._ends(path))
    assert len(seen) == 6


@pytest.mark.parametrize("part", ["package_digest", "llvm", "processor"])
def test_an_environment_that_cannot_be_told_has_no_cache(fresh, monkeypatch, tmp_path, part):
    def fail():
        raise OSError("it is not there")

    monkeypatch.setattr(environment, part, fail)
    assert fresh() is None
    place = tmp_path / "cache"
    monkeypatch.setenv(config.CACHE_VARIABLE, str(place))
    monkeypatch.setattr(cache, "_trusted", {})
    name = "unit-" + "0" * 64
    cache.store(name, b"payload")
    assert not cache.available() and cache.fetch(name) is None and list(place.iterdir()) == []


PROGRAM = """
import sys
print(wasm.load('(module (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))',
                mode="jit").exports.f(5), "llvmlite" in sys.modules)"""


def test_an_edit_that_keeps_size_and_time(child, copied, tmp_path):
    """In a folder that once did not count. The compiled file of Python is not what is tested."""
    environ = {config.CACHE_VARIABLE: str(tmp_path / "cache"), "PYTHONPATH": str(copied.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    program = f"assert wasm.__file__ == {str(copied / '__init__.py')!r}\n{PROGRAM}"
    outputs = [child(program, **environ).stdout for _ in range(2)]
    edit(copied / "valid" / "rules.py")
    outputs += [child(program, **environ).stdout for _ in range(2)]
    assert outputs == ["15 True\n", "15 False\n"] * 2


def test_nothing_is_kept_once_the_package_has_changed(child, copied, tmp_path):
    """What a process imports later is made with other sources than the digest stands for."""
    place = tmp_path / "cache"
    program = f"""
        from pathlib import Path
        from pyjit_wasm.codegen import cache, environment
        first, second = load('(module)', mode="interp"), None
        before = len(os.listdir({str(place)!r}))
        path = Path(wasm.__file__).parent / "codegen" / "llvm.py"
        path.write_bytes(path.read_bytes() + b"# another\\n")
        import colorsys             # anything: code that is imported now may come from other sources
        assert load('(module (func (export "f") (result i32) (i32.const 7)))', mode="jit").exports.f() == 7
        print(before > 0, len(os.listdir({str(place)!r})) - before)"""
    done = child(program, **{config.CACHE_VARIABLE: str(place), "PYTHONPATH": str(copied.parent)})
    assert done.stdout == "True 0\n", done.stderr


# --- units

@pytest.fixture
def module():
    return wasm.Module(SOURCE, engine=wasm.Engine(mode="jit"))


# a value that changes the code, for each parameter of a Unit; those that follow from the module have none
VARIED = {
    "members": (0, 1), "entries": (0, 1), "osr": (1,), "batches": (0,), "explicit": True, "status": True,
    "variant": config.CALLS, "dump_call_stack": True, "notes_throws": False,
}
DERIVED = {"module", "layout", "facts"}


def unit(module, **changed):
    code = module.code
    parameters = {"members": (1,), "entries": (1,), "status": changed.get("notes_throws") is False, **changed}
    return Unit(module.syntax, code.layout, code.facts, **parameters)


def test_parameters_of_a_unit():
    assert {*inspect.signature(Unit).parameters} <= VARIED.keys() | DERIVED


@pytest.mark.parametrize("name", sorted({*inspect.signature(Unit).parameters} - DERIVED))
def test_each_parameter_of_a_unit_counts(module, name):
    plain = unit(module, **({"status": True} if name == "notes_throws" else {}))
    changed = unit(module, **{name: VARIED[name]})
    assert changed.identity() != plain.identity()
    assert module.code._key(changed) != module.code._key(plain)


def test_all_that_a_unit_decides_counts(module):
    """What the constructor makes of the module and the settings, too."""
    for name, other in {"convention": "tailcc", "tail": "musttail ", "status": True}.items():
        changed = unit(module)
        assert getattr(changed, name) != other
        setattr(changed, name, other)
        assert changed.identity() != unit(module).identity()


def test_the_module_counts(module):
    other = wasm.Module(SOURCE.replace("loop", "loop (nop)"), engine=module.engine)
    assert other.code._key(unit(other)) != module.code._key(unit(module))
    assert other.code.ahead_entry != module.code.ahead_entry


@pytest.mark.parametrize("setting, value", [("memory_bounds", "explicit"), ("dump_call_stack", True)])
def test_settings_count_for_what_is_kept_as_a_whole(module, setting, value):
    other = wasm.Module(SOURCE, engine=wasm.Engine(mode="jit", **{setting: value}))
    assert other.code.native_identity != module.code.native_identity
    assert other.code.ahead_entry != module.code.ahead_entry


def test_kept_threaded_code_has_a_key_of_its_own(monkeypatch):
    monkeypatch.setattr(config, "KEPT_CODE", 0)
    names = set()
    for source in (SOURCE, SOURCE.replace("loop", "loop (nop)")):
        for bounds in ("guard", "explicit"):
            code = wasm.Module(source, engine=wasm.Engine(mode="interp", memory_bounds=bounds)).code
            names |= {code.kept_threaded.name, code.kept_native.name, code.ahead_entry}
    assert len(names) == 12


def test_kind_identity_and_level_count():
    names = {objects.entry(*parts) for parts in [
        ("a", "b"), ("b", "a"), ("ab", ""), ("a", "b", None, "code"), ("a", "b", None, "full"), ("a", "bcode")]}
    assert len(names) == 6


# --- an engine without a cache

def test_sources_are_not_read_without_a_cache(child):
    code = "load('(module (func (export \"f\")))', mode='jit').exports.f()\nfrom pyjit_wasm.codegen import environment\n"
    assert child(code + "print(environment._digest)", **{config.CACHE_VARIABLE: "off"}).stdout == "None\n"


def test_an_engine_without_a_cache_keeps_what_all_share(child, tmp_path, mode):
    place = tmp_path / "cache"
    program = f"""
        source = '(module (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))'
        assert load(source, mode={mode!r}, cache=False).exports.f(2) == 6
        kinds = lambda: {{name.rpartition("-")[0] for name in os.listdir({str(place)!r})}}
        first = kinds()
        assert load(source, mode="jit").exports.f(2) == 6
        print(sorted(first & {{"support", "signature", "unit", "native", "threaded"}}), "unit" in kinds())"""
    for _ in range(2):
        done = child(program, **{config.CACHE_VARIABLE: str(place)})
        assert done.returncode == 0, done.stderr
    shutil.rmtree(place)
    done = child(program, **{config.CACHE_VARIABLE: str(place)})
    assert done.stdout == "['signature', 'support'] True\n", done.stderr
