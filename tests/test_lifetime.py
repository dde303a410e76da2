"""How long instances and what they share live: long enough for whatever can still reach them, no longer."""
import gc
import os
import subprocess
import sys
import textwrap
import weakref

import pytest

import pyjit_wasm as wasm

CALLER = """(module (type $t (func (result i32))) (import "m" "t" (table 1 funcref))
  (func (export "call") (result i32) (call_indirect (type $t) (i32.const 0))))"""


def scribble():
    """Use freed memory again, so that a dangling pointer is noticed."""
    gc.collect()
    return [bytearray(b"\xff" * size) for size in range(64, 4096, 16) for _ in range(8)]


def test_a_function_keeps_its_instance(load):
    add = load("""(module (memory 1) (func (export "f") (param i32) (result i32)
      (i32.store (i32.const 0) (local.get 0)) (i32.load (i32.const 0))))""").exports.f
    scribble()
    assert add(5) == 5


def test_exports_keep_the_instance(load):
    exports = load('(module (func (export "f") (result i32) (i32.const 3)))').exports
    scribble()
    assert exports.f() == 3


def test_a_view_keeps_the_memory(load):
    view = memoryview(load('(module (memory (export "m") 1) (data (i32.const 3) "abc"))').exports.m)
    scribble()
    assert bytes(view[3:6]) == b"abc"
    view[3] = 1


def test_a_global_keeps_its_cell(load):
    cell = load('(module (global (export "g") (mut i32) (i32.const 5)))').exports.g
    scribble()
    assert cell.value == 5
    cell.value = 6


STORERS = {
    "active": "(elem (i32.const 0) $f)",
    "table.init": "(elem $e func $f) (func $s (table.init $e (i32.const 0) (i32.const 0) (i32.const 1))) (start $s)",
    "table.set": "(elem declare func $f) (func $s (table.set (i32.const 0) (ref.func $f))) (start $s)",
    "table.fill": "(elem declare func $f) (func $s (table.fill (i32.const 0) (ref.func $f) (i32.const 1))) (start $s)",
    "table.copy": "(table $own funcref (elem $f)) "
                  "(func $s (table.copy 0 $own (i32.const 0) (i32.const 0) (i32.const 1))) (start $s)",
}


@pytest.mark.parametrize("storer", STORERS)
def test_functions_in_a_foreign_table_outlive_their_instance(load, storer):
    table = wasm.Table(1)
    load(f"""(module (import "m" "t" (table 1 funcref)) (global $g (mut i32) (i32.const 42))
      (func $f (result i32) (global.get $g)) {STORERS[storer]})""", {"m": {"t": table}})
    caller = load(CALLER, {"m": {"t": table}})
    kept = scribble()
    assert caller.exports.call() == 42 and table[0]() == 42
    del kept


def test_a_function_in_a_foreign_global_outlives_its_instance(load):
    cell = wasm.Global("funcref", None, mutable=True)
    load("""(module (import "m" "g" (global $g (mut funcref))) (elem declare func $f)
      (func $f (result i32) (i32.const 42)) (func $s (global.set $g (ref.func $f))) (start $s))""", {"m": {"g": cell}})
    kept = scribble()
    assert cell.value() == 42
    del kept


def test_a_function_given_to_another_instance_outlives_its_own(load):
    keeper = load("""(module (type $t (func (result i32))) (table $t 1 funcref)
      (func (export "keep") (param funcref) (table.set (i32.const 0) (local.get 0)))
      (func (export "call") (result i32) (call_indirect (type $t) (i32.const 0))))""")
    load("""(module (import "m" "keep" (func $keep (param funcref))) (elem declare func $f)
      (func $f (result i32) (i32.const 42)) (func $s (call $keep (ref.func $f))) (start $s))""", {"m": keeper.exports})
    kept = scribble()
    assert keeper.exports.call() == 42
    del kept


def test_a_function_put_into_a_table_by_python(load):
    table = wasm.Table(1)
    table[0] = load('(module (func (export "f") (result i32) (i32.const 42)))').exports.f
    caller = load(CALLER, {"m": {"t": table}})
    kept = scribble()
    assert caller.exports.call() == 42
    del kept


def test_functions_of_a_failed_instantiation_stay_callable(load):
    """Segments before the failing one have been written (spec 4.5.4)."""
    table = wasm.Table(1)
    with pytest.raises(wasm.Trap):
        load("""(module (import "m" "t" (table 1 funcref)) (func $f (result i32) (i32.const 42))
          (elem (i32.const 0) $f) (memory 0) (data (i32.const 1) "x"))""", {"m": {"t": table}})
    kept = scribble()
    assert table[0]() == 42
    del kept


def test_an_instance_dropped_while_it_runs(load):
    """The last reference goes away inside a host function."""
    holder = {}

    def drop():
        holder.clear()
        return len(scribble()) and 1

    inst = load("""(module (import "m" "drop" (func $drop (result i32))) (global $g (mut i32) (i32.const 41))
      (func (export "f") (result i32) (i32.add (call $drop) (global.get $g))))""", {"m": {"drop": drop}})
    holder["exports"] = inst.exports
    del inst
    assert holder["exports"].f() == 42


def test_a_host_function_that_removes_itself(load):
    table = wasm.Table(1)

    def remove():
        table[0] = None
        scribble()
        return 42

    table[0] = wasm.Function(remove, [], ["i32"])
    assert load(CALLER, {"m": {"t": table}}).exports.call() == 42


def test_a_table_keeps_the_functions_of_its_instance(load):
    table = load("""(module (table (export "t") 1 funcref) (global $g (mut i32) (i32.const 42)) (elem (i32.const 0) $f)
      (func $f (result i32) (global.get $g)))""").exports.t
    kept = scribble()
    assert load(CALLER, {"m": {"t": table}}).exports.call() == 42 and table[0]() == 42
    del kept


def forty_two(load):
    return load('(module (global $g (mut i32) (i32.const 42)) (func (export "f") (result i32) (global.get $g)))').exports.f


KEEPER = """(module (import "m" "get" (func $get (result funcref))) (type $t (func (result i32)))
  (table $t (export "t") 1 funcref) (global $g (export "g") (mut funcref) (ref.null func))
  (func (export "keep") (param funcref) (table.set (i32.const 0) (local.get 0)))
  (func (export "take") (table.set (i32.const 0) (call $get)))
  (func (export "global") (table.set (i32.const 0) (global.get $g)))
  (func (export "call") (result i32) (call_indirect (type $t) (i32.const 0))))"""


def pass_as_argument(load, keeper):
    keeper.exports.keep(forty_two(load))


def pass_as_bits(load, keeper):
    keeper.exports.keep.call_bits([forty_two(load)])


def pass_as_result(load, keeper):
    keeper.exports.take()


def pass_in_a_table(load, keeper):
    keeper.exports.t[0] = forty_two(load)


def pass_in_a_global(load, keeper):
    keeper.exports.g.value = forty_two(load)
    getattr(keeper.exports, "global")()


@pytest.mark.parametrize("give", [pass_as_argument, pass_as_bits, pass_as_result, pass_in_a_table, pass_in_a_global])
def test_functions_that_python_passes_live_as_long_as_who_got_them(load, give):
    """No shorter, and no longer."""
    watched = []

    def get():
        function = forty_two(load)
        watched.append(weakref.ref(function.instance))
        return function

    keeper = load(KEEPER, {"m": {"get": get}})
    give(load, keeper)
    kept = scribble()
    assert keeper.exports.call() == 42 and keeper.exports.t[0]() == 42
    watched += [weakref.ref(keeper.exports.t[0].instance), weakref.ref(keeper)]
    del keeper, kept
    gc.collect()
    assert [reference() for reference in watched if reference() is not None] == []


@pytest.mark.parametrize("make", [
    lambda function: wasm.Table(3, init=function), lambda function: wasm.Global("funcref", function)])
def test_functions_in_tables_and_globals_made_by_python(load, make):
    function = forty_two(load)
    holder, watched = make(function), weakref.ref(function.instance)
    del function
    kept = scribble()
    assert (holder[2] if isinstance(holder, wasm.Table) else holder.value)() == 42
    del holder, kept
    gc.collect()
    assert watched() is None


def test_a_c_function_pointer_that_goes_while_it_is_called(child, mode):
    done = child(f"""
        box = []
        def drop():
            box.clear()
            gc.collect()
            return 1
        box.append(load('(module (import "m" "drop" (func $drop (result i32))) (global $g (mut i32) (i32.const 41)) '
                        '(func $g (result i32) (i32.add (call $drop) (global.get $g))) (func (export "f") (result i32) (call $g)))',
                        {{"m": {{"drop": drop}}}}, {mode!r}).exports.f.c_function())
        print(ctypes.CFUNCTYPE(ctypes.c_int32)(box[0].address)())
        load('(module (func (export "f")))').exports.f.c_function()
        from pyjit_wasm import c_pointers
        print(len(c_pointers._in_use))""", PYJIT_DEBUG="poison")
    assert done.stdout == "42\n0\n", done.stderr


# --- garbage

def watched(load):
    inst = load("""(module (import "m" "f" (func $f)) (memory (export "m") 1) (table (export "t") 1 funcref)
      (elem (i32.const 0) $g) (global (export "g") (mut i32) (i32.const 0))
      (func $g (export "f") (call $f)) (export "same" (func $f)))""", {"m": {"f": lambda: None}})
    exports = inst.exports
    exports.f()
    exports.same()
    things = [inst, exports, exports.m, exports.t, exports.g, exports.f, exports.same, exports.t[0], inst._inst,
              inst._inst.exec_env, inst.module, inst.module.code]
    return [weakref.ref(thing) for thing in things]


def test_garbage_is_collected(load):
    references = watched(load)
    gc.collect()
    assert [r() for r in references if r() is not None] == []


def test_a_module_outlives_its_instances(engine):
    module = wasm.Module('(module (memory 1) (func (export "f") (result i32) (i32.const 4)))', engine=engine)
    references = [weakref.ref(wasm.Instance(module)) for _ in range(10)]
    gc.collect()
    assert not any(r() for r in references)
    assert wasm.Instance(module).exports.f() == 4


def test_traps_do_not_keep_instances(load):
    inst = load('(module (func (export "f") unreachable))')
    with pytest.raises(wasm.Trap) as caught:
        inst.exports.f()
    frames = caught.value.frames
    reference = weakref.ref(inst)
    del inst, caught
    gc.collect()
    assert reference() is None and frames[0].name == "f"


def test_a_trap_outlives_its_module(load):
    def trap():
        with pytest.raises(wasm.Trap) as caught:
            load('(module (func $g unreachable) (func (export "f") (call $g)))').exports.f()
        return caught.value.with_traceback(None)

    error = trap()
    kept = scribble()
    assert [frame.name for frame in error.frames] == ["g", "f"]
    del kept


def test_many_memories_without_the_collector(child):
    """Address space that only cycles hold is found again when it runs out."""
    done = child("""
        gc.disable()
        module = wasm.Module('(module (memory (export "m") 1))')
        for _ in range(20000):
            wasm.Instance(module).exports.m
        print("fine")""", PYJIT_DEBUG="")
    assert done.stdout == "fine\n", done.stderr


FINALIZER = """
class Late:
    def __init__(self, exports):
        self.exports, self.me = exports, self
    def __del__(self):
        global seen
        exports = self.exports
        exports.set(65532, 7)
        other = load(SOURCE, mode=mode)     # what was freed already would be used again here
        other.exports.set(65532, 8)
        try:
            exports.get(65533)
        except wasm.Trap as trap:
            seen = exports.get(65532), exports.table[0](65532), trap.code
SOURCE = '''(module (memory (export "memory") 1) (table (export "table") 1 funcref) (elem (i32.const 0) $get)
  (func (export "set") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func $get (export "get") (param i32) (result i32) (i32.load (local.get 0))))'''
seen = None
def garbage():
    exports = load(SOURCE, mode=mode).exports
    exports.set(0, 1)
    # in whatever order they are finalized
    return [Late(exports), exports, exports.memory, exports.get, Late(exports)]
"""


def test_a_finalizer_may_call_what_is_garbage_too(child, mode):
    """The collector runs it when the memory's turn may have been before."""
    done = child(f"mode = {mode!r}\n{FINALIZER}\ngarbage()\ngc.collect()\nprint(seen)", timeout=20)
    assert (done.stdout, done.stderr) == ("(7, 7, 'out of bounds memory access')\n", "")


GIVER = """(module {imports} (type $p (func (param funcref))) (global $n (mut i32) (i32.const 42)) (table $own 1 funcref)
  (func $x (result i32) (global.get $n)) (elem declare func $x) (func $s {give} (call_indirect {table} (type $p) (ref.func $x)
  (i32.const 0))) (start $s))"""
TAKER_OF_FUNCTIONS = """(module {imports} (type $t (func (result i32))) (table $kept 1 funcref)
  (func $keep (export "keep") (param funcref) (table.set $kept (i32.const 0) (local.get 0))) {elem}
  (func (export "call") (result i32) (call_indirect $kept (type $t) (i32.const 0))))"""
FOUND = {   # what is shared and made when the taker is there, imports and segment of the taker, import of the giver, its use
    "a table": ("shared = wasm.Table(1)", "shared", '(import "m" "s" (table $s 1 funcref))',
                "(elem (table $s) (i32.const 0) func $keep)", '(import "m" "s" (table $s 1 funcref))', "", "$s"),
    "a table, by Python": ("shared = wasm.Table(1)", "shared[0] = taker.exports.keep", "", "",
                           '(import "m" "s" (table $s 1 funcref))', "", "$s"),
    "an immutable global": ("", 'shared = wasm.Global("funcref", taker.exports.keep)', "", "",
                            '(import "m" "s" (global $g funcref))', "(table.set $own (i32.const 0) (global.get $g))", "$own"),
    "a host function": ("", "keep = taker.exports.keep; shared = lambda: keep", "", "", '(import "m" "s" (func $f (result funcref)))',
                        "(table.set $own (i32.const 0) (call $f))", "$own"),
}


@pytest.mark.parametrize("where", FOUND)
def test_functions_given_to_functions_that_are_found_in(child, mode, where):
    before, after, imports, elem, import_, give, table = FOUND[where]
    done = child(f"""
        shared = None
        {before}
        taker = load({TAKER_OF_FUNCTIONS.format(imports=imports, elem=elem)!r}, {{"m": {{"s": shared}}}}, {mode!r})
        {after}
        load({GIVER.format(imports=import_, give=give, table=table)!r}, {{"m": {{"s": shared}}}}, {mode!r})
        shared = keep = None
        gc.collect()
        print(taker.exports.call())""", PYJIT_DEBUG="poison")
    assert done.stdout == "42\n", done.stderr


# --- exceptions

THROWER = """(module {imports} (tag $e (param funcref)) (elem declare func $f)
  (global $n (mut i32) (i32.const 42)) (func $f (result i32) (global.get $n))
  (func $thrown (result exnref) (block $b (result exnref) (try_table (catch_all_ref $b) (throw $e (ref.func $f)))
    (unreachable)))
  (func $s {store}) (start $s))"""
EXCEPTION_STORERS = {   # what Python makes, how it reads that, the import, what is done with it
    "table": ('wasm.Table(1, None, "exnref")', "x[0]",
              '(import "m" "x" (table 1 exnref))', "(table.set (i32.const 0) (call $thrown))"),
    "global": ('wasm.Global("exnref", None, mutable=True)', "x.value",
               '(import "m" "x" (global $x (mut exnref)))', "(global.set $x (call $thrown))")}


@pytest.mark.parametrize("where", EXCEPTION_STORERS)
def test_an_exception_keeps_the_functions_in_its_payload(child, mode, where):
    make, read, imports, store = EXCEPTION_STORERS[where]
    done = child(f"""
        x = {make}
        load({THROWER.format(imports=imports, store=store)!r}, {{"m": {{"x": x}}}}, {mode!r})
        gc.collect()
        kept = [bytearray(b"\\xff" * size) for size in range(64, 4096, 16) for _ in range(8)]
        print({read}.payload[0]())""")
    assert done.stdout == "42\n", done.stderr


def test_an_exception_given_to_another_instance_keeps_them_too(load):
    keeper = load("""(module (table (export "t") 1 exnref)
      (func (export "keep") (param exnref) (table.set (i32.const 0) (local.get 0))))""")
    load(THROWER.format(imports='(import "m" "keep" (func $keep (param exnref)))', store="(call $keep (call $thrown))"),
         {"m": keeper.exports})
    kept = scribble()
    assert keeper.exports.t[0].payload[0]() == 42
    del kept


# --- references on their way between Python and wasm

FLOOD = """
tag, table = wasm.Tag(["i32"]), wasm.Table(1, None, "exnref")
def flood(count=25_000):
    for number in range(count):
        table[0] = wasm.WasmException(tag, number)
def elsewhere(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()
class Flooding:
    "An integer whose conversion takes long: meanwhile another thread has the collector run."
    def __init__(self, where=elsewhere):
        self.where = where
    def __index__(self):
        self.where(flood) if self.where is elsewhere else flood()
        return 1
"""
ON_THEIR_WAY = {
    "an argument": ("", "inst.exports.throw(mine, Flooding())"),
    "an argument, in the same thread": ("", "inst.exports.throw(mine, Flooding(None))"),
    "of call_bits": ("""
    class Sequence(list):
        def __iter__(self):
            yield mine
            elsewhere(flood)
            yield 1""", "inst.exports.throw.call_bits(Sequence([None, 1]))"),
    "a result of a host function": ("""
    def get():
        class Late(tuple):
            def __del__(self): elsewhere(flood)
        return Late((mine, 1))""", "inst.exports.throw_got()"),
    "an argument of wasm": ("", "inst.exports.throw_after(mine)"),
}


@pytest.mark.parametrize("what", ON_THEIR_WAY)
def test_exceptions_on_their_way_are_not_collected(child, mode, what):
    setup, call = ON_THEIR_WAY[what]
    module = """(module (import "m" "get" (func $get (result exnref i32))) (import "m" "flood" (func $flood))
      (func (export "throw") (param exnref i32) (throw_ref (local.get 0)))
      (func (export "throw_got") (drop (call $get)) throw_ref)
      (func (export "throw_after") (param exnref) (call $flood) (throw_ref (local.get 0))))"""
    done = child(f"""
{textwrap.indent(FLOOD, "    ")}
    get = None
    mine = wasm.WasmException(tag, 424242)
{setup}
    inst = load({module!r}, {{"m": {{"get": lambda: get(), "flood": lambda: elsewhere(flood)}}}}, {mode!r})
    for _ in range(3):
        try:
            {call}
        except wasm.WasmException as error:
            print(error is mine)""", PYJIT_DEBUG="poison")
    assert done.stdout == 3 * "True\n", done.stderr


RETURNER = """(module (table $t 4 exnref) (tag $e (param funcref)) (elem declare func $f) (func $f (result i32) (i32.const 7))
  (func $make (result exnref) (block $b (result exnref) (try_table (catch_all_ref $b) (throw $e (ref.func $f))) (unreachable)))
  (func (export "pair") (result exnref exnref) (call $make) (call $make)))"""


def test_results_that_are_being_converted_are_not_collected(child, mode):
    """Converting the first makes garbage be collected, whose finalizer has another thread collect exceptions."""
    done = child(f"""
{textwrap.indent(FLOOD, "    ")}
    class Cycle:
        def __init__(self): self.me = self
        def __del__(self): elsewhere(flood, 12_000)
    pair = load({RETURNER!r}, mode={mode!r}).exports.pair
    gc.set_threshold(1)
    for _ in range(5):
        Cycle()
        first, second = pair()
        assert first.payload[0]() == second.payload[0]() == 7
    print("fine")""", PYJIT_DEBUG="poison")
    assert done.stdout == "fine\n", done.stderr


def test_a_tag_lives_as_long_as_its_exceptions(child, mode):
    """Also where Python gets it back from an exception and gives it up again."""
    done = child(f"""
        table, keep = wasm.Table(4, None, "exnref"), []
        source = '''(module (import "m" "t" (table 4 exnref)) (tag $e (param i32)) (func (export "f") (param i32 i32)
            (table.set (local.get 0) (block $b (result exnref) (try_table (catch_all_ref $b) (throw $e (local.get 1)))
            (unreachable)))))'''
        load(source, {{"m": {{"t": table}}}}, {mode!r}).exports.f(0, 5)
        again = '''(module (import "m" "e" (tag $e (param i32))) (import "m" "t" (table 4 exnref)) (func (export "f") (param i32 i32)
            (table.set (local.get 0) (block $b (result exnref) (try_table (catch_all_ref $b) (throw $e (local.get 1)))
            (unreachable)))))'''
        for round in range(4):
            table_keepers = table._inst.keepers
            table_keepers.clear()       # numbers need no instance
            gc.collect()
            error = table[0]
            assert error.payload == (5 + round,), error
            load(again, {{"m": {{"e": error.tag, "t": table}}}}, {mode!r}).exports.f(0, 6 + round)
            del error
            gc.collect()
            keep.append([wasm.Tag(["i64"]) for _ in range(100)])
        print(table[0].payload, table[0].tag.type.deftype.comp.params[0])""", PYJIT_DEBUG="poison")
    assert done.stdout == "(9,) i32\n", done.stderr


def test_the_tag_of_an_error_that_python_changes_while_it_is_thrown(child, mode):
    done = child(f"""
        class Changing:
            def __index__(self):
                error.tag = None
                gc.collect()
                return 5
        error = None
        def fail():
            global error
            error = wasm.WasmException(wasm.Tag(["i32"]), Changing())
            raise error
        inst = load('''(module (import "m" "f" (func $f)) (table 1 exnref) (tag $unused) (func (export "f") (result i32)
            (table.set (i32.const 0) (block $b (result exnref) (try_table (catch_all_ref $b) (call $f)) (unreachable)))
            (ref.is_null (table.get (i32.const 0))))
            (func (export "again") (throw_ref (table.get (i32.const 0)))))''', {{"m": {{"f": fail}}}}, {mode!r})
        print(inst.exports.f())
        try:
            inst.exports.again()
        except wasm.WasmException as caught:
            print(caught is error)""", PYJIT_DEBUG="poison")
    assert done.stdout == "0\nTrue\n", done.stderr


CALLS_HOST = """(module (import "m" "f" (func $f (result i32))) (import "m" "g" (func $g (result funcref)))
  (table (export "t") 1 funcref) (func (export "call") (result i32) (call $f))
  (func (export "take") (result funcref) (call $g)))"""


def test_a_finalizer_may_call_host_functions_that_are_garbage_too(child, mode):
    done = child(f"""
        seen = []
        class Late:
            def __init__(self, exports):
                self.exports, self.me = exports, self
            def __del__(self):
                exports = self.exports
                seen.append((exports.call(), exports.t[0](), exports.take()()))
        def garbage():
            eight = wasm.Function(lambda: 8, [], ["i32"])
            exports = load({CALLS_HOST!r}, {{"m": {{"f": lambda: 3, "g": lambda: eight}}}}, {mode!r}).exports
            exports.t[0] = wasm.Function(lambda: 7, [], ["i32"])
            exports.call(), exports.take()
            return [Late(exports), exports, Late(exports)]
        garbage()
        gc.collect()
        print(seen)""", PYJIT_DEBUG="poison")
    assert done.stdout == "[(3, 7, 8), (3, 7, 8)]\n", done.stderr


# --- host functions that Python gave

GIVEN = {
    "in a table": "exports.t[0] = wasm.Function(lambda: None)",
    "as arguments": "exports.drop(wasm.Function(lambda: None))",
    "as bits": "exports.drop.call_bits([wasm.Function(lambda: None)])",
    "in a global": "exports.g.value = wasm.Function(lambda: None)",
    "as results": "exports.take()",
}
TAKER = """(module (import "m" "get" (func $get (result funcref))) (table (export "t") 4 funcref)
  (global (export "g") (mut funcref) (ref.null func)) (type $i (func (result i32)))
  (func (export "drop") (param funcref)) (func (export "take") (drop (call $get)))
  (func (export "keep") (param i32 funcref) (table.set (local.get 0) (local.get 1)))
  (func (export "call") (param i32) (result i32) (call_indirect (type $i) (local.get 0))))"""


@pytest.mark.parametrize("how", GIVEN)
def test_host_functions_go_when_nothing_refers_to_them(child, mode, how):
    done = child(f"""
        import weakref
        from pyjit_wasm.runtime.store import host_functions
        exports = load({TAKER!r}, {{"m": {{"get": lambda: wasm.Function(lambda: None)}}}}, {mode!r}).exports
        for _ in range(3000):
            {GIVEN[how]}
        gc.collect()
        print(len(host_functions) < 1500)""")
    assert done.stdout == "True\n", done.stderr


def test_host_functions_stay_where_something_refers_to_them(child, mode):
    """A table, a global, the machine stack, an exception, and what the ones that have gone have given."""
    done = child(f"""
        tag, exceptions = wasm.Tag(["funcref"]), wasm.Table(1, None, "exnref")
        exports = load({TAKER!r}, {{"m": {{"get": lambda: wasm.Function(lambda: 8, [], ["i32"])}}}}, {mode!r}).exports
        def many():
            for number in range(3000):
                exports.drop(wasm.Function(lambda: None))
        exports.keep(1, wasm.Function(lambda: 5, [], ["i32"]))
        exports.t[2] = wasm.Function(lambda: 6, [], ["i32"])
        exports.g.value = wasm.Function(lambda: 7, [], ["i32"])
        exceptions[0] = wasm.WasmException(tag, wasm.Function(lambda: 9, [], ["i32"]))
        def call():
            exports.t[3] = None
            many()
            return 10
        exports.t[3] = wasm.Function(call, [], ["i32"])
        many()
        gc.collect()
        print(exports.call(1), exports.call(2), exports.g.value(), exceptions[0].payload[0](), exports.call(3))""",
                 PYJIT_DEBUG="poison")
    assert done.stdout == "5 6 7 9 10\n", done.stderr


def test_host_functions_given_by_several_threads(child, mode):
    """Each also makes exec_envs and tables, while the others may be collecting."""
    done = child(f"""
        module = wasm.Module({TAKER!r}, engine=wasm.Engine(mode={mode!r}))
        def work():
            for number in range(1000):
                if not number & 7:
                    exports = wasm.Instance(module, {{"m": {{"get": lambda: None}}}}).exports
                exports.keep(number & 3, wasm.Function(lambda: number, [], ["i32"]))
                assert exports.call(number & 3) == exports.t[number & 3]() == number
            done.append(True)
        done = []
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(done)""", PYJIT_DEBUG="poison")
    assert done.stdout == "[True, True, True]\n", done.stderr


# --- freed memory that is poisoned

LATE = {"an instance": "address, keep = inst._inst.address, [inst]", "a memory": "address, keep = inst.exports.m._inst.base, [inst]",
        "a table": "address, keep = inst.exports.t._inst.base, [inst]", "an exec_env": "address, keep = inst._inst.exec_env.address, [inst]",
        "its stack": "address, keep = inst._inst.exec_env.stack, [inst]",
        "its code": "address, keep = next(iter(inst._inst.code.threaded.values() if mode == 'interp' else "
                    "inst._inst.code.native.values())), [inst]\naddress = getattr(address, 'address', address)"}


@pytest.mark.parametrize("what", LATE)
def test_what_is_freed_is_out_of_reach(child, mode, what):
    done = child(f"""
        mode = {mode!r}
        inst = load('(module (memory (export "m") 1) (table (export "t") 100000 funcref) (func (export "f")))', mode=mode)
        inst.exports.f(); inst.exports.f()
        exec({LATE[what]!r})
        address = int(address)      # no Lease
        ctypes.c_uint8.from_address(address).value
        print("alive", flush=True)
        del inst, keep
        gc.collect()
        load('(module (func (export "g")))', mode=mode).exports.g()
        print(ctypes.c_uint8.from_address(address).value)""", PYJIT_DEBUG="poison")
    assert (done.stdout, done.returncode) == ("alive\n", -11), done.stderr


def test_all_of_this_holds_with_poison():
    if os.environ.get("PYJIT_DEBUG") == "poison":
        pytest.skip("it is set")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider",
                           "-k", "not out_of_reach", __file__],
                          env={**os.environ, "PYJIT_DEBUG": "poison", "PYTHONMALLOC": "debug"}, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout[-5000:]
