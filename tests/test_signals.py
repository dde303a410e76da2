"""Python's handlers of all signals run in the middle of wasm. What might kill or hang the process runs in a child."""
import signal

import pytest

SPIN = " ".join("""(module (memory 1) (func (export "spin") (loop $l (i32.store (i32.const 8) (i32.const 1)) (br $l)))
  (func (export "count") (param i64) (result i64) (local i64) (loop $l
    (local.set 1 (i64.add (local.get 1) (i64.and (local.get 0) (i64.const 3))))
    (i64.store (i32.const 16) (local.get 1))
    (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0)))) (i64.load (i32.const 16)))
  (func (export "ok") (result i32) (i32.const 42)))""".split())
NAMES = ("SIGTERM", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGVTALRM", "SIGCHLD", "SIGQUIT", "SIGRTMIN", "SIGABRT", "SIGINT")


def test_handlers_run_and_what_they_raise_comes_out(child, mode):
    done = child(f"""
        inst = load('''{SPIN}''', mode={mode!r})
        class Stop(Exception): pass
        late = []
        def handler(number, frame):
            late.append(time.monotonic() - sent[0])
            raise Stop(number)
        def send(number):
            sent[:] = [time.monotonic()]
            os.kill(os.getpid(), number)
        sent = []
        for name in {NAMES}:
            number = getattr(signal, name)
            signal.signal(number, handler)
            for _ in range(3):
                threading.Timer(0.05, send, [number]).start()
                try:
                    inst.exports.spin()
                except Stop as stop:
                    assert stop.args == (number,)
                assert inst.exports.ok() == 42
        print(len(late), sorted(late)[len(late) // 2] < 0.05, max(late) < 2)""")
    assert done.stdout == f"{3 * len(NAMES)} True True\n", (done.returncode, done.stderr[-500:])


def test_handlers_that_were_installed_before_the_package_was_imported(child, mode):
    done = child(f"""
        import os, signal, sys, threading
        def handler(*_):
            raise TimeoutError
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, handler)
        import pyjit_wasm as wasm
        inst = wasm.load('''{SPIN}''', mode={mode!r})
        for number in (signal.SIGTERM, signal.SIGALRM):
            threading.Timer(0.1, os.kill, [os.getpid(), number]).start()
            try:
                inst.exports.spin()
            except TimeoutError:
                print(signal.Signals(number).name)""", prelude=False, timeout=20)
    assert done.stdout == "SIGTERM\nSIGALRM\n", (done.returncode, done.stderr[-500:])


def test_interval_timers_and_results(child, mode):
    """Handlers that do not raise, hundreds of times a second: wasm goes on where it was."""
    done = child(f"""
        inst = load('''{SPIN}''', mode={mode!r})
        seen = []
        signal.signal(signal.SIGALRM, lambda *_: seen.append(inst_other.exports.ok()))
        inst_other = load('''{SPIN}''', mode={mode!r})
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        end = time.monotonic() + 60
        while len(seen) < 200 and time.monotonic() < end:
            assert inst.exports.count(4_000_000) == 6_000_000
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(set(seen), len(seen) >= 200, signal.getitimer(signal.ITIMER_REAL))""")
    assert done.stdout == "{42} True (0.0, 0.0)\n", (done.returncode, done.stderr[-500:])


def test_a_signal_that_another_thread_gets(child, mode):
    done = child(f"""
        inst = load('''{SPIN}''', mode={mode!r})
        other = load('''{SPIN}''', mode={mode!r})
        class Stop(Exception): pass
        def handler(*_):
            raise Stop
        signal.signal(signal.SIGUSR1, handler)
        thread = threading.Thread(target=other.exports.count, args=[1 << 60], daemon=True)
        thread.start()
        for _ in range(5):
            threading.Timer(0.05, signal.pthread_kill, [thread.ident, signal.SIGUSR1]).start()
            try:
                inst.exports.spin()
            except Stop:
                print("stopped", flush=True)
        os._exit(0)""", timeout=30)
    assert done.stdout == "stopped\n" * 5, (done.returncode, done.stderr[-500:])


def test_the_mask_of_signals_in_a_handler(child, mode):
    """No signal is blocked in it, by itself or in processes that it starts, and others of its number come in the middle of it."""
    done = child(f"""
        import subprocess
        inst = load('''{SPIN}''', mode={mode!r})
        class Stop(Exception): pass
        depth = []
        def handler(*_):
            depth.append(1)
            if len(depth) < 3:
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(0.01)
                return
            print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
            print(subprocess.run(["grep", "SigBlk", "/proc/self/status"], capture_output=True, text=True).stdout.split())
            raise Stop
        signal.signal(signal.SIGUSR1, handler)
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        try:
            inst.exports.spin()
        except Stop:
            print(signal.pthread_sigmask(signal.SIG_BLOCK, []), len(depth))""", timeout=30)
    assert done.stdout == "set()\n['SigBlk:', '0000000000000000']\nset() 3\n", (done.returncode, done.stdout, done.stderr[-500:])


def test_default_and_ignored_again(child):
    done = child("""
        inst = load('(module (func (export "f") (result i32) (i32.const 1)))')
        for action in (lambda *_: None, signal.SIG_IGN):
            signal.signal(signal.SIGTERM, action)
            os.kill(os.getpid(), signal.SIGTERM)
            load('(module)')
        print(inst.exports.f(), flush=True)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        load('(module)')
        os.kill(os.getpid(), signal.SIGTERM)
        print("unreachable")""")
    assert (done.stdout, done.returncode) == ("1\n", -signal.SIGTERM), done.stderr


def test_handlers_of_asyncio(child, mode):
    """`add_signal_handler` has the loop woken by C; calls in between do not lose signals."""
    done = child(f"""
        import asyncio
        inst = load('''{SPIN}''', mode={mode!r})
        async def main():
            seen = []
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, seen.append, 1)
            for number in range(20):
                os.kill(os.getpid(), signal.SIGUSR1)
                inst.exports.count(10_000)
                while len(seen) <= number:
                    await asyncio.sleep(0.001)
            asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
            print(len(seen))
        asyncio.run(asyncio.wait_for(main(), 20))""")
    assert done.stdout == "20\n", (done.returncode, done.stderr[-500:])


@pytest.mark.parametrize("chain", [False, True])
def test_faulthandler_beneath(child, chain):
    done = child(f"""
        inst = load('''{SPIN}''')
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
        faulthandler.register(signal.SIGUSR1, chain={chain})
        load('(module)')
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGUSR1)
            inst.exports.ok()
        faulthandler.unregister(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, lambda *_: print("Python's", flush=True))
        os.kill(os.getpid(), signal.SIGUSR1)
        inst.exports.ok()
        print(bool(seen) == {chain})""", timeout=20)
    assert done.stdout == "Python's\nTrue\n" and "most recent call first" in done.stderr, (done.returncode, done.stderr[-500:])
