"""Real crashes are still reported, and what is ours is still a trap, whoever else handles SIGSEGV."""
import pytest

TRAPS = '(module (memory 1) (func (export "f") (drop (i32.load (i32.const -4)))))'
TRY = """
def try_trap(inst):
    try:
        inst.exports.f()
    except wasm.Trap as error:
        print(error.code, flush=True)
"""
CRASH = "ctypes.string_at(0)"
TRAPPED = "out of bounds memory access\n"


def run(child, mode, body):
    return child(f"{TRY}\nsource, mode = {TRAPS!r}, {mode!r}\n{body}")


def crashed(done):
    return done.returncode == -11 and done.stderr.count("Fatal Python error: Segmentation fault") == 1


def test_a_crash_without_faulthandler(child, mode):
    done = run(child, mode, f"try_trap(load(source, mode=mode))\n{CRASH}")
    assert (done.stdout, done.stderr, done.returncode) == (TRAPPED, "", -11)


@pytest.mark.parametrize("order", ["before", "after import", "after instantiation", "twice", "off again"])
def test_faulthandler(child, mode, order):
    enable = "faulthandler.enable()\n"
    create = "inst = load(source, mode=mode)\n"
    body = {"before": enable + "import pyjit_wasm.runtime.signals\n" + create, "after import": enable + create,
            "after instantiation": create + enable, "twice": create + enable + create + enable + create,
            "off again": enable + create + "faulthandler.disable()\n" + enable}[order]
    done = run(child, mode, f"{body}try_trap(inst)\ntry_trap(inst)\n{CRASH}")
    assert done.stdout == TRAPPED * 2, (done.returncode, done.stderr)
    assert crashed(done), (done.returncode, done.stderr)


def test_faulthandler_disabled(child, mode):
    done = run(child, mode, "faulthandler.enable()\ninst = load(source, mode=mode)\nfaulthandler.disable()\n"
                            f"try_trap(inst)\n{CRASH}")
    assert (done.stdout, done.stderr, done.returncode) == (TRAPPED, "", -11)


def test_a_crash_in_a_host_function(child, mode):
    """The fault is not the guest's, though a guest is running."""
    done = run(child, mode, f"""
faulthandler.enable()
inst = load('(module (import "m" "f" (func $f)) (memory 1) (func (export "g") (call $f)))',
            {{"m": {{"f": lambda: {CRASH}}}}}, mode)
inst.exports.g()""")
    assert crashed(done), (done.returncode, done.stderr)


def test_a_raised_signal(child, mode):
    done = run(child, mode, "load(source, mode=mode)\nsignal.raise_signal(signal.SIGSEGV)")
    assert done.returncode == -11


def test_beside_wasmtime(child, mode):
    """Another runtime with handlers of its own in the same process."""
    pytest.importorskip("wasmtime")
    done = run(child, mode, """
import wasmtime
def other():
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, source), [])
    try:
        instance.exports(store)["f"](store)
    except wasmtime.Trap as error:
        print("out of bounds" in str(error), flush=True)
inst = load(source, mode=mode)
for _ in range(2):
    try_trap(inst)
    other()
    inst2 = load(source, mode=mode)
    try_trap(inst2)""")
    assert done.stdout == (TRAPPED + "True\n" + TRAPPED) * 2, (done.returncode, done.stderr[-500:])
