"""Compiling in the background: in which order, and what becomes of the worker."""
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyjit_wasm import config
from pyjit_wasm.codegen.worker import Worker
from pyjit_wasm.errors import InternalError
from pyjit_wasm.tiering.queue import CompileQueue


def test_large_functions_wait():
    """Of others, who asked first is served first."""
    sizes = [10, 10 * config.UNIT_INSTRUCTIONS, 20, 2 * config.UNIT_INSTRUCTIONS, config.UNIT_INSTRUCTIONS, 5]
    code = SimpleNamespace(facts=[SimpleNamespace(instructions=size) for size in sizes], first=0, waiting=set(), failed={})
    queue, asked, order = CompileQueue(), threading.Event(), []
    for funcidx in range(len(sizes)):
        def job(compile, funcidx=funcidx):
            asked.wait(10)
            order.append(funcidx)
        queue.request(code, (funcidx, False), job)
    asked.set()
    queue.drain()
    assert order == [0, 2, 4, 5, 3, 1] and not code.waiting and not code.failed


def test_a_worker():
    worker = Worker()
    assert worker.compile("define i32 @f() { ret i32 5 }", "full").startswith(b"\x7fELF")
    with pytest.raises(InternalError, match="expected instruction opcode"):
        worker.compile("define i32 @f() { 5 }", "full")
    worker.close()
    assert worker.compile("define i32 @f() { ret i32 5 }", "code").startswith(b"\x7fELF")   # in this process


BUSY = """
from pyjit_wasm.codegen.worker import Worker
lines = "".join(f"%v{i + 1} = load volatile i32, ptr %p\\n%w{i + 1} = mul i32 %v{i + 1}, %w{i}\\n" for i in range(200_000))
worker = Worker()
worker.compile("define i32 @g() { ret i32 5 }", "full")
print(worker._process.pid, flush=True)
worker.compile(f"define i32 @f(i32 %w0, ptr %p) {{ {lines} ret i32 %w200000 }}", "full")
"""


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_worker_ends_with_its_process():
    """In the middle of a compilation too, that nobody waits for any more."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True)
    worker = int(process.stdout.readline())
    time.sleep(1)
    assert running(worker)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 5
    while running(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    left = running(worker)
    if left:
        os.kill(worker, signal.SIGKILL)
    assert not left
