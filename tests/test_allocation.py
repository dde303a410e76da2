"""Allocation that fails fails: MemoryError at instantiation, -1 from `memory.grow`, and nothing is left behind. How many
mappings instances take. In processes of their own, as limits are a process's."""
import gc
from pathlib import Path

import pytest

import allocation
import pyjit_wasm as wasm
from pyjit_wasm import cli
from pyjit_wasm.runtime import arena, libc, process, reservations, store

PRELUDE = f"""
sys.path.insert(0, {str(Path(__file__).parent)!r})
from allocation import *
from pyjit_wasm.runtime import arena, reservations
"""


@pytest.fixture
def limited(child, mode, bounds):
    """`limited(code)`: the output of a child that has what is in `allocation`, and an engine."""
    def limited(code, timeout=120):
        from textwrap import dedent
        done = child(f"{PRELUDE}\nengine = engine({mode!r}, {bounds!r})\n{dedent(code)}", timeout=timeout)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout
    return limited


def test_a_minimum_that_cannot_be_had(limited):
    """No instance, no reservation, no range where faults are traps; and everything works when there is room again."""
    assert limited("""
        modules = {name: wasm.Module(source, engine=engine) for name, source in MODULES.items()}
        for module in modules.values():
            wasm.Instance(module).exports.f()
        before = left()
        for name, limit in LIMITS.items():
            gc.collect()
            with limit():
                refusals = {name: refused(wasm.Instance, module) for name, module in modules.items()}
            assert all(refusals.values()), (name, refusals)
            assert left() == before, (name, before, left())
            print([wasm.Instance(module).exports.f() for module in modules.values()])""") == (
                4 * "[20000, 20000, 20000, 20000, 9000000]\n")


def test_too_few_mappings_for_all_of_it(limited):
    """The system refuses in the middle of an instantiation, wherever that is."""
    assert limited("""
        module = wasm.Module('''(module (memory (export "m") 1) (memory 2) (table 100000 funcref) (elem (i32.const 9) $f)
            (func $f (export "f") (result i32) (i32.store (i32.const 8) (i32.const 7)) (i32.load (i32.const 8))))''', engine=engine)
        kept = wasm.Instance(module)
        assert kept.exports.f() == 7
        before = left()
        for spare in range(6):
            made = []
            with NoMaps(spare):
                for _ in range(10):
                    try:
                        made.append(wasm.Instance(module))
                    except MemoryError:
                        pass
                ranges = len(process.ranges._place)
                assert all(instance.exports.f() == 7 for instance in [kept, *made])
            assert len(made) < 10 and ranges == before[0] + 2 * len(made), (spare, ranges, before, made)
            made = None
            assert left() == before, (spare, before, left())
        print(wasm.Instance(module).exports.f())""") == "7\n"


@pytest.mark.parametrize("fails", ["==", ">="])
def test_each_call_of_the_system_fails_once(limited, fails):
    """In the middle of an instantiation with imports, a start function and a call: each in turn, alone or with all later ones."""
    assert limited(f"""
        import mmap
        module = wasm.Module('''(module (import "m" "t" (table 10 funcref)) (import "m" "f" (func $host (param i32 i64)))
            (memory (export "m") 1) (memory 2 2) (memory i64 1) (table 100000 funcref) (table 5 5 externref) (tag)
            (global (mut i64) (i64.const 1)) (elem (i32.const 0) $f) (data (i32.const 0) "abc")
            (func $f (export "f") (param i32) (result i32) (call $host (local.get 0) (i64.const 1)) (i32.load8_u (local.get 0)))
            (func $start (drop (call $f (i32.const 1)))) (start $start))''', engine=engine)
        table, calls, fail = wasm.Table(10), 0, 0
        def failing(function, answer=None):
            def call(*arguments):
                global calls
                calls += 1
                if not calls {fails} fail or not fail:
                    return function(*arguments)
                if answer is None:
                    raise OSError(12, "Cannot allocate memory")
                return answer[0]
            return call
        class Mmap:
            mmap = failing(mmap.mmap)
        libc.mmap = Mmap
        for name, answer in (("_mmap", libc._FAILED), ("_mprotect", -1), ("_calloc", None), ("_malloc", None)):
            setattr(libc, name, failing(getattr(libc, name), (answer,)))
        def use():
            table._inst.keepers.clear()
            try:
                instance = wasm.Instance(module, {{"m": {{"t": table, "f": lambda a, b: None}}}})
                assert instance.exports.f(2) == 99
            except MemoryError:
                assert fail
                assert table._inst.read(0) or table._inst.keepers == []    # once a segment is written, the instance stays
            table[0] = None
            table._inst.keepers.clear()
            table._inst.passed.clear()
        use()
        before, failures = left(), 0
        while calls >= fail:
            calls, fail = 0, fail + 1
            use()
            assert left() == before, (fail, left(), before)
        print(fail > 9)
        fail = 0
        use()""") == "True\n"


def test_objects_from_python(limited):
    assert limited("""
        wasm.Memory(1), wasm.Table(1)   # what they have in common may have to be compiled
        before = left()
        for limit in LIMITS.values():
            with limit():
                print(refused(wasm.Memory, 20000), refused(wasm.Memory, 20000, 20000, addr="i64"), refused(wasm.Table, 9_900_000)
                      if limit is not LIMITS["RLIMIT_AS"] and limit is not LIMITS["RLIMIT_DATA"] else True)
        print(left() == before, wasm.Memory(20000).pages, len(wasm.Table(9_900_000)))""") == (
            4 * "True True True\n" + "True 20000 9900000\n")


def test_nothing_that_is_imported_keeps_a_failed_instance(limited):
    assert limited("""
        table, memory = wasm.Table(10), wasm.Memory(1)
        function = load('(module (func (export "f") (param funcref)))').exports.f
        imports = {"m": {"t": table, "m": memory, "f": function}}
        module = wasm.Module('''(module (import "m" "t" (table 10 funcref)) (import "m" "m" (memory 1))
            (import "m" "f" (func (param funcref))) (memory 30000) (elem (i32.const 0) $g) (func $g))''', engine=engine)
        before = left()
        with LIMITS["RLIMIT_DATA"]():
            print(refused(wasm.Instance, module, imports))
        print(left() == before, table._inst.keepers, table[0], memory.pages)
        wasm.Instance(module, imports)
        print(table[0]())""") == "True\nTrue [] None 1\nNone\n"


def test_an_exception_that_is_kept_keeps_no_room(limited):
    assert limited("""
        module, before, kept = wasm.Module(MODULES["second memory"], engine=engine), left(), []
        with LIMITS["RLIMIT_DATA"]():
            try:
                wasm.Instance(module)
            except MemoryError as error:
                kept.append(error)
        print(kept[0], left() == before)""") == "cannot allocate a memory of 20000 pages True\n"


GROWTH = {  # what fails under a limit; small growth may find garbage or room that the limit does not count
    "Limit(resource.RLIMIT_DATA, 'VmData', 16 << 20)": "exports.memory(20000), exports.table(9_000_000)",
    "NoCommit()": "exports.memory(20000), exports.table(9_000_000), exports.memory(1), exports.table(1000)",
}


@pytest.mark.parametrize("limit", GROWTH)
def test_growth_that_fails(limited, limit):
    """-1 in wasm (spec 4.4.6, 4.4.7), ValueError in Python; what there was stays as it was."""
    assert limited(f"""
        instance = wasm.Instance(wasm.Module('''(module (memory (export "m") 1 30000) (table (export "t") 1 funcref)
            (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "table") (param i32) (result i32) (table.grow (ref.func 0) (local.get 0)))
            (func (export "sizes") (result i32 i32) (memory.size) (table.size)))''', engine=engine))
        exports = instance.exports
        exports.m[65535] = 9
        print(exports.memory(0), exports.table(0), *exports.sizes())
        with {limit}:
            failed = {{{GROWTH[limit]}}}
            try:
                failed.add(exports.m.grow(20000))
            except ValueError:
                pass
        print(failed, *exports.sizes(), exports.m[65535])
        print(exports.memory(20000), exports.table(1_000_000), *exports.sizes(), exports.t[1_000_000].name)""") == (
            "1 1 1 1\n{-1} 1 1 9\n1 1 20001 1000001 memory\n")


def test_first_growth_without_a_mapping_left(limited):
    """It makes one of two; later growth only makes it longer."""
    assert limited("""
        instance = wasm.Instance(wasm.Module('''(module (memory (export "m") 0 100) (table 0 funcref) (memory $m 1)
            (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "other") (param i32) (result i32) (memory.grow $m (local.get 0)))
            (func (export "table") (param i32) (result i32) (table.grow (ref.func 0) (local.get 0)))
            (func (export "sizes") (result i32 i32) (memory.size) (table.size)))''', engine=engine))
        exports = instance.exports
        print(exports.memory(0), exports.other(0), exports.table(0), exports.sizes())
        gc.collect()
        with NoMaps():
            print(exports.memory(1), exports.other(1), exports.table(1), exports.sizes())
        print(exports.memory(1), exports.other(1), exports.table(1), exports.sizes())""") == (
            "0 1 0 (0, 0)\n-1 1 -1 (0, 0)\n0 2 0 (1, 1)\n")


def test_growth_that_garbage_was_in_the_way_of(limited):
    """What unreachable cycles hold is given back before anything is refused; a finalizer may grow the same memory."""
    assert limited("""
        memory = wasm.Memory(1, 30000)
        class Cycle:
            def __init__(self):
                self.memory, self.me = wasm.Memory(1, 1), self
            def __del__(self):
                memory.grow(1)
        gc.disable()
        used = Cycle()
        del used
        from pyjit_wasm.runtime import libc
        right, calls = libc._mprotect, []
        def refusing(address, size, protection):
            calls.append(size)
            return -1 if len(calls) == 1 else right(address, size, protection)
        libc._mprotect = refusing
        print(memory.grow(10), memory.pages, calls)
        memory.write_bytes(11 * 65536, bytes(65536))""") == "2 12 [655360, 65536, 655360]\n"


def test_stack_buffers(limited):
    assert limited("""
        module = wasm.Module('(module (memory 1) (func (export "f") (result i32) (i32.const 7)))', engine=engine)
        small, before = wasm.Instance(module), left()
        print(small.exports.f())
        for size in (1 << 45, 1 << 62, 1 << 63, 1 << 70):
            assert refused(wasm.ExecEnv, small, size)
            large = wasm.Instance(module, stack_size=size)
            assert refused(lambda: large.exports.f()) and refused(lambda: large.exports.f())
            del large
        print(small.exports.f(), wasm.ExecEnv(small, 1 << 16).call("f"))
        with Limit(resource.RLIMIT_DATA, "VmData", 1 << 20):
            print(refused(wasm.ExecEnv, small, 16 << 20), small.exports.f())
        starts = wasm.Module('(module (memory 1) (func $f) (start $f))', engine=engine)
        print(refused(wasm.Instance, starts, stack_size=1 << 45), left()[0] == before[0])""") == "7\n7 7\nTrue 7\nTrue True\n"


def test_a_thread_without_room(limited):
    """What a thread needs that runs wasm for the first time is not to be had."""
    assert limited("""
        export = load('(module (func (export "f") (result i32) (i32.const 7)))').exports.f
        def fail(size):
            raise MemoryError("none left")
        right, libc.zeroed, found = libc.zeroed, fail, []
        def call():
            global found
            try:
                found.append(export())
            except MemoryError as error:
                found.append(str(error))
                libc.zeroed = right
                found.append(export())
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        print(found, export())""") == "['none left', 7] 7\n"


def test_exceptions_without_room(limited):
    """A trap, where the C library has no memory for an exception."""
    count = 900
    source = f"""(module (tag $e (param {"i64 " * count})) (table $held 100000 exnref) (func $throw {"(i64.const 1) " * count} (throw $e))
        (func (export "f") (param i32) (result i32) (local $i i32) (local $caught exnref)
          (loop $more
            (block $out (result exnref) (try_table (catch_all_ref $out) (call $throw)) (unreachable))
            (local.set $caught)
            (table.set $held (local.get $i) (local.get $caught))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (local.get 0))))
          (local.get $i)))"""
    assert limited(f"""
        f = wasm.Instance(wasm.Module({source!r}, engine=engine)).exports.f
        print(f(10), f(100))
        with Limit(resource.RLIMIT_DATA, "VmData", 20 << 20):
            try:
                print(f(9000))
            except (wasm.Trap, MemoryError) as error:
                print(getattr(error, "code", "out of memory"))
        print(f(10))""") == "10 100\nout of memory\n10\n"


def test_compilation_without_room(child, mode, tmp_path):
    """LLVM would end the process. The function stays interpreted; with room, calls work."""
    done = child(f"""
        {PRELUDE.strip().splitlines()[0]}
        from allocation import *
        source = '(module (memory 1) (func (export "f") (param i32) (result i32) (i32.add (i32.load8_u (i32.const 0)) (local.get 0))))'
        load(source, mode={mode!r}).exports.f(1)
        with Limit(resource.RLIMIT_DATA, "VmData", 4 << 20):
            instance = load(source, mode={mode!r}, cache=False)
            try:
                print([instance.exports.f(number) for number in range(5)], instance.exports.f.tier)
            except MemoryError as error:
                print(str(error)[:15])
        print([instance.exports.f(number) for number in range(5)], "MemoryError" in instance.exports.f.tier.why)""",
                 PYJIT_WASM_CACHE=str(tmp_path / "cache"))
    works = "[0, 1, 2, 3, 4]"
    assert done.stdout == {"interp": f"{works} interp\n{works} False\n", "jit": f"cannot allocate\n{works} True\n",
                           "tiered": f"{works} interp\n{works} True\n"}[mode], done.stderr


def test_a_worker_process_without_room(child):
    """It says so; so does compilation in this process when the worker is gone."""
    assert child(f"""
        {PRELUDE.strip().splitlines()[0]}
        from allocation import *
        from pyjit_wasm.codegen import worker
        resource.setrlimit(resource.RLIMIT_DATA, (60 << 20, -1))
        text = "define i32 @f() {{\\n  ret i32 1\\n}}\\n; " + "x" * 1_000_000
        compiler = worker.Worker()
        print(compiler.compile(text[:40], "code")[:4], refused(compiler.compile, text, "code"), compiler._process is not None)
        print(compiler.compile(text[:40], "code")[:4])
        compiler.close()
        print(refused(compiler.compile, text, "code"))""").stdout == "b'\\x7fELF' True True\nb'\\x7fELF'\nTrue\n"


def test_the_code_arena_gives_back_what_it_could_not_use(monkeypatch):
    region = arena.host
    before, free = region.used, list(region._free)

    def refuse(address, size, protection):
        raise MemoryError("cannot commit")

    with monkeypatch.context() as patch:
        patch.setattr(libc, "protect", refuse)
        with pytest.raises(MemoryError):
            region.allocate(5000)
    assert (region.used, region._free) == (before, free)
    with pytest.raises(MemoryError, match="full"):
        region.allocate(region.hi - region.lo + 1)
    lease = region.allocate(5000)
    with monkeypatch.context() as patch:
        patch.setattr(libc, "set_protection", lambda *_: False)
        del lease
        assert region.used == before
    again = region.allocate(5000)   # pages that were left accessible are zero too
    assert libc.pythonapi and bytes((libc.ctypes.c_char * 8192).from_address(again)) == bytes(8192)


# --- how many there can be

KINDS = {   # mappings of an instance
    "nothing": ("", 0),
    "a memory": ("(memory 1)", 2),
    "a memory of fixed size": ("(memory 1 1)", 2),
    "no pages yet": ("(memory 0)", 2),
    "a small table": ("(memory 1) (table 5 5 funcref) (table 100 2000 externref)", 2),
    "a table that may grow far": ("(table 5 funcref)", 2),
    "two memories": ("(memory 1) (memory 2)", 4),
}


def test_mappings_of_an_instance(limited):
    assert limited(f"""
        for kind, (fields, most) in {KINDS}.items():
            module = wasm.Module(f'(module {{fields}} (func (export "f") (result i32) (i32.const 7)))', engine=engine)
            made = [wasm.Instance(module) for _ in range(10)]
            assert all(instance.exports.f() == 7 for instance in made)
            before = maps()
            for _ in range(300):
                made.append(wasm.Instance(module))
                assert made[-1].exports.f() == 7
            assert maps() - before <= 300 * most + 30, (kind, maps() - before)""") == ""


def test_many_instances(limited, bounds):
    """20,000, as far as there is address space for guard pages; all of them run, all of it is given back, twice."""
    assert limited("""
        module = wasm.Module('''(module (memory (export "m") 1) (table 5 5 funcref) (elem (i32.const 0) $f)
            (func $f (export "f") (param i32) (result i32) (i32.store8 (i32.const 65535) (local.get 0))
              (i32.load8_u (i32.const 65535))))''', engine=engine)
        first = wasm.Instance(module)
        first.exports.f(1)
        before, ranges = maps(), len(process.ranges._place)
        for _ in range(2):
            made = []
            try:
                for number in range(20_000):
                    made.append(wasm.Instance(module))
                    if number % 100 == 0:
                        assert made[-1].exports.f(number // 100) == number // 100
            except MemoryError as error:
                assert "address space" in str(error), error
            print(len(made) == 20_000 or (len(made) > 16_000 and "address space"), maps() - before < 2.2 * len(made) + 100)
            assert len(process.ranges._place) == ranges + len(made)
            assert all(instance.exports.m[65535] == number for number, instance in enumerate(made[::100]))
            assert first.exports.f(9) == 9
            made = instance = None
            gc.collect()
            print(maps() - before < 200, len(process.ranges._place) == ranges)""", timeout=500) in (
                [2 * "True True\nTrue True\n"] if bounds == "explicit" else
                [2 * f"{what} True\nTrue True\n" for what in ("True", "address space")])


def test_places_are_used_again():
    first = [store.MemoryInst(wasm.MemType("i32", wasm.Limits(1, None), False)) for _ in range(5)]
    places = {int(memory.start) for memory in first}    # no Leases
    del first[:]
    again = [store.MemoryInst(wasm.MemType("i32", wasm.Limits(1, None), False)) for _ in range(5)]
    assert {memory.start for memory in again} == places


def test_what_is_in_the_way(monkeypatch):
    """Reservations go below the next top then, and in the end where the system wants."""
    size = 1 << 20
    start = libc.reserve(10 * size)
    libc.release(start, 10 * size)
    obstacle = libc.reserve_at(start + 2 * size, libc.MACHINE_PAGE)
    assert obstacle == start + 2 * size and libc.reserve_at(obstacle, size) is None
    region = reservations._Region(start + 5 * size, start + 8 * size)
    monkeypatch.setattr(reservations, "_LOWEST", start + 5 * size - 1)
    taken = []
    monkeypatch.setattr(reservations, "_LOWEST", start)
    for expected in (4, 3, 7, 6, 5):
        taken.append(region.reserve(size))
        assert taken[-1] == start + expected * size
    taken.append(region.reserve(size))
    assert not start <= taken[-1] < start + 8 * size or taken[-1] < start + 2 * size
    region.release(taken[1], size)
    assert region.reserve(size) == taken[1]
    for place in taken:
        libc.release(place, size)
    libc.release(obstacle, libc.MACHINE_PAGE)


def test_ranges_that_have_no_place(monkeypatch):
    class Full(dict):
        def __setitem__(self, key, value):
            raise MemoryError

    gc.collect()
    before, free = dict(process.ranges._place), len(process.ranges._free)
    with monkeypatch.context() as patch:
        patch.setattr(process.ranges, "_place", Full(process.ranges._place))
        with pytest.raises(MemoryError):
            wasm.Memory(1)
    assert process.ranges._place == before and len(process.ranges._free) in (free, free + 1)
    assert wasm.Memory(1).pages == 1


# --- the command line

HUGE = {
    "table": "(module (table i64 0x2000_0000_0000_0000 funcref) (func (export \"_start\")))",
    "memory": "(module (memory i64 0x1_0000_0000_0000) (func (export \"_start\")))",
}


@pytest.mark.parametrize("what", HUGE)
def test_the_command_line_says_it_in_a_line(tmp_path, capfd, mode, bounds, what):
    path = tmp_path / "huge.wat"
    path.write_text(HUGE[what])
    assert cli.main(["run", "--mode", mode, "--bounds", bounds, str(path)]) == 2
    assert capfd.readouterr().err.startswith(f"pyjit-wasm: not enough memory: cannot allocate a {what} of ")


def test_the_command_line_under_a_limit(limited, tmp_path, mode, bounds):
    path = tmp_path / "large.wat"
    path.write_text('(module (memory 20000 20000) (func (export "_start")))')
    arguments = ["run", "--mode", mode, "--bounds", bounds, str(path)]
    assert limited(f"""
        from pyjit_wasm import cli
        assert cli.main({arguments!r}) == 0
        for limit in LIMITS.values():
            gc.collect()
            with limit():
                code = cli.main({arguments!r})
            print(code, cli.main({arguments!r}))""") == 4 * "2 0\n"
