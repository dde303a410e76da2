"""An exception at any moment, of a signal handler or Ctrl-C: whatever it ends leaves the process as it was."""
import pytest

# `raise_at(number, work)`: `work()`, in which an exception comes at the start of that line or call of this package, counted from
# 0; whether there were so many
RAISE = """
class Sudden(Exception):
    pass
def raise_at(number, work):
    left = number
    def trace(frame, event, _):
        nonlocal left
        if "pyjit_wasm" not in frame.f_code.co_filename:
            return None
        if event in ("call", "line"):
            left -= 1
            if left == -1:
                sys.settrace(None)
                raise Sudden
        return trace
    sys.settrace(trace)
    try:
        work()
    except Sudden:
        pass
    finally:
        sys.settrace(None)
    return left < 0
unraisable = []
sys.unraisablehook = lambda found: unraisable.append((found.exc_value, found.object))
WAT = '''(module (import "m" "h" (func $h (param i32) (result i32))) (memory 1) (table 4 funcref) (elem (i32.const 0) $g $t)
  (type $u (func (param i32) (result i32))) (tag $e (param i32)) (global $n (mut i32) (i32.const {number}))
  (func $g (export "g") (param i32) (result i32)
    (i32.add (call $h (local.get 0)) (call_indirect (type $u) (local.get 0) (i32.const 1))))
  (func $t (param i32) (result i32) (block $b (result i32)
    (try_table (result i32) (catch $e $b) (throw $e (i32.add (local.get 0) (global.get $n))))))
  (func (export "o") (result i32) (i32.load (i32.const -1))) (func $r (export "r") (call $r)))'''
def made(number, mode):
    return load(WAT.replace("{number}", str(number)), {"m": {"h": lambda x: x + 1}}, mode, cache=False)
def use(inst, number):
    assert inst.exports.g(10) == 21 + number
    for name in "or":
        try:
            inst.exports[name]()
            raise SystemError("no trap")
        except wasm.Trap:
            pass
def trial(at, number, mode):
    instances = []
    def work():
        instances.append(made(number, mode))
        use(instances[0], number)
        wasm.Function(lambda x: x, ["i32"] * (number % 5), ["i64"])
    reached = raise_at(at, work)
    for inst in instances:
        use(inst, number)
    use(made(number, mode), number)
    use(made(number + 1, mode), number + 1)
    gc.collect()
    found = [what for what in unraisable if not isinstance(what[0], Sudden)]   # those come out nowhere, of finalizers
    assert not found, found
    return reached
"""


def test_in_what_is_made_for_each_module(child, mode):
    done = child(RAISE + f"""
use(made(0, {mode!r}), 0)
at, number = 0, 0
while trial(at, 3 * number, {mode!r}):
    number += 1
    at += 1 + 37 * number % 61 * (5 if {mode!r} == "interp" else 25)
print(number > 20)
""", timeout=300)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr[-3000:]


def test_in_what_is_made_once_in_a_process(child, mode):
    """Each trial in a process of its own, which has loaded nothing yet."""
    done = child(RAISE + f"""
from pyjit_wasm import large_stacks
wasm.load, wasm.Function, wasm.Trap
large_stacks.load_all()
def process(at):
    pid = os.fork()
    if not pid:
        signal.alarm(100)
        code = 7
        try:
            code = 0 if trial(at, 5, {mode!r}) else 3
        except BaseException:
            import traceback
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)
    return os.waitpid(pid, 0)[1]
at, number, failed = 0, 0, []
while (status := process(at)) != 3 << 8:
    if status:
        failed.append((at, status))
    number += 1
    at += 1 + 101 * number % 397 * (2 if {mode!r} == "interp" else 8)
print(number > 20, failed)
""", timeout=300)
    assert (done.returncode, done.stdout) == (0, "True []\n"), done.stdout[-500:] + done.stderr[-3000:]
