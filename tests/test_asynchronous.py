"""Calls from asyncio."""
import asyncio
import contextvars
import time

import pytest

import pyjit_wasm as wasm

MODULE = """(module (import "m" "get" (func $get (param i32) (result i32)))
  (func (export "twice") (param i32) (result i32) (i32.add (call $get (local.get 0)) (call $get (local.get 0))))
  (func (export "forever") (loop $l (br $l)))
  (func (export "spin") (param i64) (loop $l
    (br_if $l (i32.wrap_i64 (i64.shr_u (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 10))))))
  (func (export "div") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "ok") (result i32) (i32.const 42)))"""


async def get(number):
    await asyncio.sleep(0.001)
    return number + 1


@pytest.fixture
def inst(load):
    return load(MODULE, {"m": {"get": get}})


def test_async_host_function(inst):
    assert asyncio.run(inst.exports.twice.call_async(4)) == 10


def test_many_at_once(load):
    instances = [load(MODULE, {"m": {"get": get}}) for _ in range(5)]

    async def main():
        return await asyncio.gather(*(inst.exports.twice.call_async(i) for i, inst in enumerate(instances)))
    assert asyncio.run(main()) == [2 * (i + 1) for i in range(5)]


def test_the_loop_goes_on(inst):
    async def main():
        ticks = 0
        call = asyncio.ensure_future(inst.exports.forever.call_async())
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            await asyncio.sleep(0.005)
            ticks += 1
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return ticks
    assert asyncio.run(main()) >= 10
    assert inst.exports.ok() == 42


def test_timeout(inst):
    async def main():
        start = time.perf_counter()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(inst.exports.forever.call_async(), 0.05)
        assert time.perf_counter() - start < 1
        return await inst.exports.ok.call_async()
    assert asyncio.run(main()) == 42


def test_cancelled_while_it_waits_for_a_coroutine(load):
    seen = []

    async def slow(number):
        seen.append("started")
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
    inst = load(MODULE, {"m": {"get": slow}})

    async def main():
        call = asyncio.ensure_future(inst.exports.twice.call_async(1))
        while not seen:
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    asyncio.run(main())
    assert seen == ["started", "cancelled"] and inst.exports.ok() == 42


def test_errors(load, inst):
    with pytest.raises(wasm.Trap, match="integer divide by zero"):
        asyncio.run(inst.exports.div.call_async(0))
    with pytest.raises(TypeError):
        asyncio.run(inst.exports.div.call_async())

    async def refuse(number):
        raise LookupError(number)
    refusing = load(MODULE, {"m": {"get": refuse}})
    with pytest.raises(LookupError) as caught:
        asyncio.run(refusing.exports.twice.call_async(7))
    assert caught.value.args == (7,)


def test_not_without_call_async(inst):
    with pytest.raises(RuntimeError, match="call_async"):
        inst.exports.twice(1)


def test_callable_objects_and_methods(load):
    class Source:
        async def __call__(self, number):
            return number * 3

        async def get(self, number):
            return number * 5
    source = Source()
    assert asyncio.run(load(MODULE, {"m": {"get": source}}).exports.twice.call_async(1)) == 6
    assert asyncio.run(load(MODULE, {"m": {"get": source.get}}).exports.twice.call_async(1)) == 10


def test_context_variables(load):
    variable = contextvars.ContextVar("variable", default=0)
    inst = load(MODULE, {"m": {"get": lambda number: variable.get() + number}})

    async def main():
        variable.set(20)
        return await inst.exports.twice.call_async(1)
    assert asyncio.run(main()) == 42


def test_two_calls_of_one_instance(inst):
    async def main():
        first = asyncio.ensure_future(inst.exports.forever.call_async())
        await asyncio.sleep(0.05)
        with pytest.raises(wasm.InUseError):
            await inst.exports.ok.call_async()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    asyncio.run(main())
