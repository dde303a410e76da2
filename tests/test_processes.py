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


LOOPS = """
def loops(number, **settings):
    functions = "".join(f'''(func (export "f{j}") (param i32) (result i32) (local i32)
      (loop $l (local.set 1 (i32.add (local.get 1) (i32.const {number + j})))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))''' for j in range(3))
    return load(f"(module (memory 1) {functions})", **settings)
def check(inst, number):
    assert [inst.exports[f"f{j}"](100) for j in range(3)] == [100 * (number + j) for j in range(3)]
def fork_and(work):
    pid = os.fork()
    if not pid:
        signal.alarm(60)
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0, "the child failed"
"""


@pytest.mark.parametrize("background", [False, True])
def test_forks_while_other_threads_load_and_compile(child, mode, background):
    done = child(LOOPS + f"""
settings = dict(mode={mode!r}, background={background}, tier_up_threshold=5, cache=False)
ends = False
def others(start):
    number = start
    while not ends:
        number += 7
        check(loops(number, **settings), number)
threads = [threading.Thread(target=others, args=(n * 1000,)) for n in (1, 2)]
for thread in threads:
    thread.start()
inst = loops(1, **settings)
for number in range(2, 10):
    def work():
        check(inst, 1)
        check(loops(number, **settings), number)
    fork_and(work)
    time.sleep(0.003 * number)
ends = True
for thread in threads:
    thread.join()
check(inst, 1)
print("done")
""", timeout=240)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]


def test_forks_while_another_thread_loads_for_the_first_time(child, mode):
    """It imports most of this package, and loads what there is once per process."""
    done = child(LOOPS + f"""
def first():
    check(loops(5, mode={mode!r}), 5)
for pause in (0, 0.003, 0.01, 0.03, 0.1):
    def trial():
        thread = threading.Thread(target=first)
        thread.start()
        time.sleep(pause)
        fork_and(lambda: check(loops(6, mode={mode!r}), 6))
        thread.join()
    fork_and(trial)
print("done")
""", timeout=240)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]


def test_a_child_has_compiled_in_the_background_what_its_parent_waited_for(child):
    done = child(LOOPS + """
from pyjit_wasm.tiering.queue import queue
inst = loops(3, mode="tiered", background=True, tier_up_threshold=5, cache=False)
check(inst, 3)      # asks for code, which is not there yet
def work():
    end = time.monotonic() + 50
    while inst.function("f0").tier != "native" and time.monotonic() < end:
        check(inst, 3)
        queue.drain()
    assert inst.function("f0").tier == "native", inst.function("f0").tier.why
fork_and(work)
print("done")
""", timeout=120)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]


def test_a_fork_in_a_signal_handler(child, mode):
    """Whatever it interrupts: parent and child go on."""
    done = child(LOOPS + f"""
pids = []
def handler(*_):
    if len(pids) < 12:
        pid = os.fork()
        if not pid:
            pids.extend([0] * 12)
        pids.append(pid)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.004, 0.004)
number, parent = 0, os.getpid()
while len(pids) < 12:
    number += 1
    check(loops(number, mode={mode!r}, cache=False), number)
signal.setitimer(signal.ITIMER_REAL, 0)
check(loops(1, mode={mode!r}, cache=False), 1)
if os.getpid() == parent:
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]      # more than 12 if a handler has interrupted another
    print(len(statuses) >= 12, any(statuses))
""", timeout=240)
    assert (done.returncode, done.stdout) == (0, "True False\n"), done.stderr[-3000:]
