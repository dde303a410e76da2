"""What a process may do around wasm: sub-interpreters, forks, greenlets, signal masks, closed streams, exits."""
import sys

import pytest

TRAPS = """(module (func $r (export "r") (call $r)) (memory 1)
  (func (export "o") (result i32) (i32.load (i32.const -1))) (func (export "one") (result i32) (i32.const 1)))"""

# `run_in_another(code)`: in a sub-interpreter, which ends; 0 or what its exception says
ANOTHER = """
def run_in_another(code):
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        try:
            import _interpreters as interpreters
        except ImportError:
            interpreters = None
    if interpreters is None:
        import _testcapi
        return _testcapi.run_in_subinterp(code)
    try:
        made = interpreters.create(isolated=False)
    except TypeError:
        made = interpreters.create("legacy")
    try:
        failed = interpreters.run_string(made, code)
        return failed
    except BaseException as error:
        return error
    finally:
        interpreters.destroy(made)
"""
USE = """
import sys
sys.path[:] = {path!r}
try:
    import pyjit_wasm
    pyjit_wasm.load('(module (func (export "f")))').exports.f()
except ImportError as error:
    text = str(error)
else:
    text = "loaded"
import os
os.write(1, text.encode() + b"\\n")
"""


@pytest.mark.parametrize("first", [True, False])
def test_sub_interpreters_are_refused(child, mode, first):
    """Before and after the main interpreter has loaded wasm, which goes on after they have ended."""
    done = child(f"""
        {ANOTHER.replace(chr(10), chr(10) + " " * 8)}
        use = {USE!r}.format(path=sys.path)
        if {first}:
            run_in_another(use)
        inst = load({TRAPS!r}, mode={mode!r})
        run_in_another(use)
        run_in_another(use)
        assert inst.exports.one() == 1
        for name in "oro":
            try:
                inst.exports[name]()
            except wasm.Trap as trap:
                print(str(trap).splitlines()[0], flush=True)
        fresh = load({TRAPS!r}, mode={mode!r})
        assert fresh.exports.one() == 1
    """)
    assert done.returncode == 0, done.stderr
    *refused, first_trap, second, third = done.stdout.splitlines()
    assert len(refused) == 2 + first and all("main interpreter" in line for line in refused)
    assert first_trap == third == "out of bounds memory access" and second == "call stack exhausted"
