"""perf and gdb themselves show the names of guest functions. Skipped by name where they are missing or may not look."""
import functools
import re

import perf_gdb
import pytest

MODES = ("interp", "jit", "tiered")
missing = functools.cache(perf_gdb.missing)


@pytest.fixture
def session(tmp_path):
    """`session(tools)`: a Session for tests that need these tools."""
    def start(*tools):
        reason = missing(*tools)
        if reason:
            pytest.skip(reason)
        return perf_gdb.Session(tmp_path)

    return start


@pytest.mark.parametrize("mode", MODES)
def test_perf_report(session, mode):
    everything, hottest = perf_gdb.report(session("perf"), mode)
    shares = {name: float(share) for share, name in re.findall(r"^ *([\d.]+)%  \[\.\] (\S.*?\])", everything, re.M)}
    if mode == "interp":
        assert sum(share for name, share in shares.items() if name.endswith("[wasm interp]")) > 20
    else:
        assert "fib [wasm jit profile]" in shares and shares[perf_gdb.HOTTEST[mode]] > 10
    assert "py_enter(i:i) [wasm trampoline]" in hottest     # found by frame pointers


def test_perf_annotate(session):
    text = perf_gdb.annotate(session("perf", "objdump"), perf_gdb.HOTTEST["jit"])
    assert {"work [wasm jit profile]", "(func $ratio", "call $fib", "i32.div_s"} <= {
        found for found in re.findall(r"work \[wasm jit profile]|\(func \$ratio|call \$fib|i32.div_s", text)}
    rows = [(float(share), code) for share, code in re.findall(r"^ +([\d.]+) :(.*)$", text, re.M)]
    # divisions take the time; a sample is noted at the instruction that is waiting for one, or at the next
    assert sum(share for (_, before), (share, code) in zip(rows, rows[1:]) if "idiv" in before + code) > 50, text


@pytest.mark.parametrize("mode, stack", [
    ("interp", ["i32.div_s.ss [wasm interp]", "to_interp(i:i) [wasm trampoline]", "py_enter(i:i) [wasm trampoline]"]),
    ("jit", ["fib", "work", "py_enter(i:i) [wasm trampoline]"]),
    ("tiered", ["series [wasm jit loop profile]", "loop.hot [wasm interp]", "to_interp(i:i) [wasm trampoline]",
                "py_enter(i:i) [wasm trampoline]"]),
])
def test_gdb_backtrace(session, mode, stack):
    text = perf_gdb.backtrace(session("gdb"), mode)
    stacks = []
    for number, name in re.findall(r"^#(\d+) +(?:0x\w+ in )?(.*) \(.*?\)(?: at .*)?$", text, re.M):
        if number == "0":
            stacks.append([])
        stacks[-1].append(name)
    assert stacks[0][:len(stack)] == stack and len(stacks[0]) > len(stack), text     # and Python's frames behind
    if mode == "jit":
        assert stacks[1][:3] == ["fib", "fib", "work"]
        assert stacks[2][:3] == ["ratio", "series", "work"]     # both inlined
        assert re.search(r"^#0 .* ratio \(\) at ratio-1.wat:4$|^#0 +ratio \(\) at ratio-1.wat:4$", text, re.M)
        assert re.search(r"^4\t +i32.div_s ", text, re.M)
