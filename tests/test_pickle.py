"""Modules travel between processes; equality, hash and copies go by content; what cannot travel says so."""
import concurrent.futures
import copy
import inspect
import multiprocessing
import os
import pickle

import pytest

import pyjit_wasm as wasm

SOURCE = """(module $m (import "env" "base" (global i32)) (memory (export "memory") 1) (table (export "table") 1 funcref)
  (global (export "global") i32 (i32.const 1)) (tag (export "tag") (param i32))
  (func (export "add") (param i32) (result i32) (i32.add (global.get 0) (local.get 0)))
  (func (export "fail") unreachable) (func (export "throw") (throw 0 (i32.const 5))))"""


def call(module, name, *arguments):
    """What a worker process does with a module."""
    return getattr(wasm.Instance(module, {"env": {"base": 100}}).exports, name)(*arguments)


@pytest.fixture
def module(engine):
    return wasm.Module(SOURCE, engine=engine)


def round_trip(thing):
    return [pickle.loads(pickle.dumps(thing, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


def test_modules(module):
    for again in round_trip(module):
        assert again == module and hash(again) == hash(module) and again is not module
        assert again.binary == module.binary and again.engine == module.engine and again.name == "m"
        assert call(again, "add", 5) == call(module, "add", 5) == 105


def test_a_module_from_text_and_from_its_binary_are_equal(module, engine):
    assert wasm.Module(module.binary, engine=engine) == module
    assert {module: 1}[wasm.Module(SOURCE, engine=engine)] == 1


def test_different_modules(module, mode):
    others = [wasm.Module("(module)", engine=module.engine), wasm.Module(SOURCE, engine=wasm.Engine(mode=mode)), None,
              module.binary]
    assert not [other for other in others if other == module]


def test_copies_of_a_module_are_the_module(module):
    assert copy.copy(module) is module and copy.deepcopy([module])[0] is module


SETTINGS = {"mode": "interp", "memory_bounds": "explicit", "tier_up_threshold": 17,
            "background": False, "stack_size": 4096, "legacy_exceptions": False}


def test_engines(engine):
    for engine in (engine, wasm.Engine(), wasm.Engine(**SETTINGS)):
        for again in (*round_trip(engine), copy.copy(engine), copy.deepcopy(engine)):
            assert again == engine and hash(again) == hash(engine)
    assert all(getattr(again, name) == value for name, value in SETTINGS.items())


def test_different_engines():
    for name, value in SETTINGS.items():
        assert wasm.Engine(**{name: value}) != wasm.Engine() != name


def test_settings_are_attributes_that_cannot_be_changed():
    engine = wasm.Engine()
    for name in inspect.signature(wasm.Engine).parameters:
        with pytest.raises(AttributeError):
            setattr(engine, name, getattr(engine, name))


def test_what_cannot_be_pickled(module):
    inst = wasm.Instance(module, {"env": {"base": 1}})
    exported = [inst.exports[name] for name in ("add", "memory", "table", "global")]
    things = [inst, inst.exports, wasm.Linker(), wasm.ExecEnv(inst), *exported]
    for thing in things:
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match=f"a wasm {type(thing).__name__} cannot be pickled .* pickle the Module"):
                attempt(thing)


def errors():
    tag = wasm.Tag(["i32", "f64"])
    yield from (wasm.DecodeError("short", 7), wasm.DecodeError("short"), wasm.ParseError("odd", 3, 4), wasm.ParseError("odd"),
                wasm.ValidationError("type mismatch", 9), wasm.LinkError("unknown import"), wasm.InUseError("running"),
                wasm.UnsupportedError("no"), wasm.InternalError("bug"), wasm.WasiExit(3),
                wasm.Trap("unreachable", (wasm.Frame(1, "f", 5),)), wasm.Exhaustion("call stack exhausted"),
                wasm.Exhaustion("call stack exhausted", (), True))
    yield wasm.WasmException(tag, 5, 0.5)


def attributes(error):
    return {name: getattr(error, name, None) for name in ("offset", "message", "line", "column", "code", "frames", "native",
                                                        "payload")}


@pytest.mark.parametrize("error", list(errors()), ids=lambda error: type(error).__name__)
def test_errors(error):
    for again in round_trip(error):
        assert (type(again), str(again)) == (type(error), str(error)) and attributes(again) == attributes(error)


def test_a_tag_arrives_as_another_of_its_type():
    tag = wasm.Tag(["i32", "externref"])
    again = pickle.loads(pickle.dumps(tag))
    assert again.type == tag.type and again is not tag and copy.copy(tag) is not tag


def test_types(module):
    for again, before in zip(round_trip((module.imports, module.exports)), [(module.imports, module.exports)] * 9):
        assert again == before


# --- other processes

@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_process_pools(module, method):
    call(module, "add", 1)
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(call, module, "add", 42).result(60) == 142
        with pytest.raises(wasm.Trap, match="unreachable") as trap:
            pool.submit(call, module, "fail").result(60)
        assert [frame.name for frame in trap.value.frames] == ["fail"]
        with pytest.raises(wasm.WasmException) as exception:
            pool.submit(call, module, "throw").result(60)
        assert exception.value.payload == (5,)
        with pytest.raises(TypeError, match="pickle the Module"):
            pool.submit(wasm.Instance, module, {"env": {"base": 1}}).result(60)


def test_dask():
    """A local cluster of four processes."""
    if not os.environ.get("CI"):
        pytest.importorskip("distributed")
    from distributed import Client, LocalCluster

    module = wasm.Module(SOURCE)
    with LocalCluster(n_workers=4, threads_per_worker=1, processes=True, dashboard_address=None) as cluster, \
            Client(cluster) as client:
        futures = client.map(lambda number: (os.getpid(), call(module, "add", number)), range(40), pure=False)
        processes, sums = zip(*client.gather(futures))
    assert list(sums) == [100 + number for number in range(40)] and os.getpid() not in processes
