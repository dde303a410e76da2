"""Signal handlers and finalizers that load modules, make instances and call them, whatever they have interrupted."""
import signal
import sys
import threading
import time

import pytest

from pyjit_wasm import types
from pyjit_wasm.runtime import arena, process, trace

WORK = """
        def once(number):
            body = "".join(f'(func (export "f{i}") (param i32) (result i32) (i32.add (local.get 0) (i32.const {number + i})))'
                           for i in range(3))
            inst = load(f"(module (memory 1) (type (func (param {'i64 ' * (number % 7)}))) {body})", mode=MODE, cache=False)
            assert [inst.exports[f"f{i}"](1) for i in range(3)] == [number + 1, number + 2, number + 3]
            wasm.Memory(1)
            wasm.Table(3)
        inside, counts, errors = [], [0, 0], []
        def again(*_):
            if not inside:
                inside.append(1)
                counts[1] += 1
                try:
                    once(7 * counts[1] % 97)
                except BaseException as error:
                    errors.append(error)
                inside.clear()
        def run(seconds):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                once(counts[0] % 97)
                counts[0] += 1
"""


def test_signal_handlers(child, mode):
    done = child(f"""
        MODE = {mode!r}
        {WORK}
        faulthandler.dump_traceback_later(40, exit=True)
        once(1)     # so that all modules are imported
        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.0037)
        run(3)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(counts[0] > 3, counts[1] > 3, errors)""")
    assert done.stdout == "True True []\n", (done.returncode, done.stderr[-900:])


def test_signal_handlers_while_other_threads_do_the_same(child, mode):
    done = child(f"""
        MODE = {mode!r}
        {WORK}
        faulthandler.dump_traceback_later(40, exit=True)
        once(1)
        signal.signal(signal.SIGALRM, again)
        threads = [threading.Thread(target=run, args=[3]) for _ in range(2)]
        for thread in threads:
            thread.start()
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.0037)
        run(3)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for thread in threads:
            thread.join()
        print(counts[0] > 3, counts[1] > 3, errors)""")
    assert done.stdout == "True True []\n", (done.returncode, done.stderr[-900:])


def test_finalizers(child, mode):
    """The collector runs them in the middle of anything (but imports: modules are incomplete then)."""
    done = child(f"""
        MODE = {mode!r}
        {WORK}
        faulthandler.dump_traceback_later(40, exit=True)
        class Garbage:
            def __init__(self):
                self.me = self
            def __del__(self):
                again()
        once(1)     # so that all modules are imported
        gc.set_threshold(150)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            Garbage()
            once(counts[0] % 97)
            counts[0] += 1
        print(counts[0] > 3, counts[1] > 3, errors)""")
    assert done.stdout == "True True []\n", (done.returncode, done.stderr[-900:])


@pytest.fixture
def pestered():
    """`pestered(work)`: `work(seconds)` runs in three threads, and in a signal handler that interrupts one of them; what they
    raise comes out."""
    errors = []

    def run(work):
        def guarded(seconds):
            try:
                work(seconds)
            except BaseException as error:
                errors.append(error)

        before, interval = signal.signal(signal.SIGALRM, lambda *_: guarded(0)), sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0011)
        threads = [threading.Thread(target=guarded, args=[1.0]) for _ in range(2)]
        try:
            for thread in threads:
                thread.start()
            guarded(1.0)
            for thread in threads:
                thread.join()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            sys.setswitchinterval(interval)
        assert not errors
    return run


def times(seconds):
    """Some rounds, at least one, for so long."""
    end = time.monotonic() + seconds
    yield
    while time.monotonic() < end:
        yield


def test_code_arenas_never_give_a_page_twice(pestered):
    region, taken = arena.host, {}
    used = region.used

    def work(seconds):
        for _ in times(seconds):
            leases = [region.allocate(4096 * (1 + number % 3)) for number in range(8)]
            pages = [int(lease) + 4096 * page for number, lease in enumerate(leases) for page in range(1 + number % 3)]
            mine = object()
            for page in pages:
                assert taken.setdefault(page, mine) is mine
            for page in pages:
                del taken[page]
            del leases

    pestered(work)
    assert region.used == used


def test_ranges_of_memories_have_places_of_their_own(pestered):
    ranges, taken = process.ranges, {}
    lows = iter(range(1 << 50, 1 << 51, 1 << 16))

    def work(seconds):
        for _ in times(seconds):
            mine = [next(lows) for _ in range(6)]
            for low in mine:
                ranges.add(low, low + 1)
                assert taken.setdefault(ranges._place[low], low) == low
                assert process.get(process.RUNTIME.range_count) > ranges._place[low]
            for low in mine:
                del taken[ranges._place[low]]
                ranges.remove(low)

    pestered(work)


def test_every_owner_of_code_is_found(pestered):
    class Owner:
        pass

    starts = iter(range(1 << 52, 1 << 53, 1 << 8))

    def work(seconds):
        import weakref
        for _ in times(seconds):
            owners = {next(starts): Owner() for _ in range(5)}
            for start, owner in owners.items():
                trace.register(weakref.ref(owner), start, start + 16)
            assert all(trace.owner_of(start + 8) is owner for start, owner in owners.items())
            for start in owners:
                trace.unregister(start)

    pestered(work)


def test_equal_types_are_one(pestered):
    rounds = iter(range(10 ** 9))

    def work(seconds):
        for _ in times(seconds):
            params = [types.I32] * (next(rounds) // 8 % 90)
            first = types.functype(params, [types.I64, types.F32])
            second = types.functype(params, [types.I64, types.F32])
            assert first is second and types.by_id(first.id) is first

    pestered(work)
