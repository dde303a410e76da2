"""Nothing is printed when a process ends, whatever is still there or running; every warning is an error in these."""
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import atexit, gc, sys, threading, time
import pyjit_wasm as wasm
engine = wasm.Engine(mode={mode!r}, tier_up_threshold=10, cache={cache})
inst = wasm.Instance(wasm.Module('''(module (import "m" "f" (func $f)) (memory (export "memory") 1)
  (table (export "table") 2 externref)
  (func (export "sum") (param i32) (result i64) (local i64)
    (loop (local.set 1 (i64.add (local.get 1) (i64.load32_u (i32.and (local.get 0) (i32.const 1023)))))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))
  (func (export "forever") (loop (br 0)))
  (func (export "call") (call $f))
  (func (export "calls") (loop (call $f) (br 0))))''', engine=engine), {{"m": {{"f": lambda: inst and None}}}})
"""

ENDS = {
    # a module global whose host function refers to it, and what else refers to itself
    "cycles": """
        inst.exports.call()
        inst.exports.table[0] = inst
        inst.exports.call.instance
        other = wasm.Function(lambda: other, [], [])""",
    "a cycle that is garbage": """
        inst.exports.table[0] = inst
        del inst
        gc.disable()""",
    "a compilation under way": "inst.exports.sum(2000)",
    "a worker that waits": """
        from pyjit_wasm.tiering.queue import queue
        inst.exports.sum(2000)
        queue.drain()""",
    "a thread in wasm": """
        threading.Thread(target=inst.exports.forever, daemon=True).start()
        time.sleep(0.05)""",
    "a thread that calls out": """
        threading.Thread(target=inst.exports.calls, daemon=True).start()
        time.sleep(0.05)""",
    "a thread that Python waits for": """
        threading.Thread(target=lambda: (time.sleep(0.05), inst.exports.sum(5000))).start()""",
    "views": """
        import numpy
        array, view = numpy.frombuffer(inst.exports.memory, "u1"), memoryview(inst.exports.memory)[5:]
        array[3] = 7""",
    "a call at the very end": """
        atexit.register(lambda: inst.exports.sum(5000))
        class Late:
            def __del__(self):
                function(1)
        function, late = inst.exports.sum, Late()""",
    "an imported WASI host": """
        from pyjit_wasm.wasi import Wasi
        wasi = Wasi(["program"])
        linker = wasm.Linker()
        linker.define_wasi(wasi)""",
    "an error that was kept": """
        try:
            inst.exports.sum("x")
        except TypeError as error:
            kept = error
        try:
            wasm.load('(module (func (export "f") unreachable))', mode="interp").exports.f()
        except wasm.Trap as error:
            trap = error""",
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_printed(mode, end):
    code = PRELUDE.format(mode=mode, cache=end not in ("a compilation under way", "a worker that waits"))
    done = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", code + textwrap.dedent(ENDS[end])],
                          capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_import_alone_prints_nothing():
    code = "import pyjit_wasm, pyjit_wasm.importer\nfor name in pyjit_wasm.__all__: getattr(pyjit_wasm, name)"
    done = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", code], capture_output=True, text=True,
                          timeout=100, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
