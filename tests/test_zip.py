"""The package in a zip file, as zipapp and shiv make them: it finds its sources, its data, and starts its worker."""
import os
import shutil
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import config
from pyjit_wasm.codegen import environment

HELLO = r"""(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\06\00\00\00") (data (i32.const 16) "hello\n")
  (func $spin (param $n i32) (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "_start") (call $spin (i32.const 1000000)) (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""

MAIN = """
import os, sys
import pyjit_wasm as wasm

def main():
    os.chdir("/")               # relative places must have been made absolute
    if sys.argv[1] == "worker":
        from pyjit_wasm.codegen.worker import Worker
        worker = Worker()
        code = worker.compile("define i32 @f() {\\n  ret i32 1\\n}\\n", "code")
        print(code[:4], worker._process is not None)
        worker.close()
    elif sys.argv[1] == "page":
        instance = wasm.load('(module (func (export "f")))')
        with wasm.profile(instance, counts=True) as profiling:
            instance.exports.f()
        profiling.report.save(sys.argv[2])
    elif sys.argv[1] == "kernels":
        functions = "(func (result i32) (i32.const 5))" * 60000
        print(len(wasm.Module(f'(module {functions})').binary) > 1 << 18, sum("kernel" in name for name in os.listdir(sys.argv[2])) > 0)
    else:
        from pyjit_wasm.cli import main
        code = main(sys.argv[1:])
        print(wasm.__file__, "llvmlite" in sys.modules)
        return code
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A zip file with the package and a program; llvmlite and other native packages stay outside."""
    folder = tmp_path_factory.mktemp("zip") / "app"
    package = Path(wasm.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "program.py").write_text(MAIN)
    target = folder.with_suffix(".pyz")
    zipapp.create_archive(folder, target, main="program:main", compressed=True)
    return target


@pytest.fixture
def run(archive, tmp_path):
    """`run(*arguments)`: standard output of the zipped program, which does not see the package outside."""
    def run(*arguments):
        done = subprocess.run([sys.executable, "-I", archive.name, *map(str, arguments)], capture_output=True, text=True,
                              timeout=120, cwd=archive.parent, check=False,
                              env={**os.environ, config.CACHE_VARIABLE: str(tmp_path / "cache")})
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


def test_a_program_in_each_mode_twice(run, archive, tmp_path, mode):
    path = tmp_path / "hello.wat"
    path.write_text(HELLO)
    inside = archive / "pyjit_wasm" / "__init__.py"
    assert run("run", "--mode", mode, path) == f"hello\n{inside} True\n"
    assert run("run", "--mode", mode, path) == f"hello\n{inside} False\n"


def test_the_worker_process(run):
    assert run("worker") == "b'\\x7fELF' True\n"


def test_kernels_are_compiled_from_sources_in_the_zip(run, tmp_path):
    """They validate large modules."""
    assert run("kernels", tmp_path / "cache") == "True True\n"


def test_package_data(run, tmp_path):
    page = tmp_path / "page.html"
    run("page", page)
    styles = Path(wasm.__file__).parent / "profiling" / "flamegraph.css"
    assert styles.read_text().strip().splitlines()[0] in page.read_text()


def test_the_key_covers_the_zip(archive, monkeypatch, tmp_path):
    copy = Path(shutil.copy(archive, tmp_path))
    digests = []
    for content in (copy.read_bytes(), copy.read_bytes() + b"x"):
        copy.write_bytes(content)
        monkeypatch.setattr(environment, "_package", str(copy / "pyjit_wasm"))
        digests.append(environment.package_digest())
    assert len({*digests}) == 2
    monkeypatch.setattr(environment, "_package", str(tmp_path / "missing" / "pyjit_wasm"))
    with pytest.raises(OSError):
        environment.package_digest()
