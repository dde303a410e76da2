"""Where the memory of an instance is, compared with what the system and plain counting say."""
import json
import os
import subprocess
import sys

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.codegen import environment
from pyjit_wasm.text import assemble

SOURCE = """(module (memory (export "memory") 3) (memory 0) (table 10 funcref) (elem $passive func $down $down)
  (global (mut i64) (i64.const 0)) (global i32 (i32.const 0)) (import "m" "g" (global i32))
  (func $down (export "down") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
      (else (i32.const 0))))
  (func (export "ok")))""".replace('(module (memory', '(module (import "m" "g" (global i32)) (memory').replace(
      '(import "m" "g" (global i32))\n', '\n')


@pytest.fixture
def inst(load):
    return load(SOURCE, {"m": {"g": 5}}, stack_size=1 << 16)


def page_bits(address, size):
    """How many bytes of the pages at an address the kernel has in memory: bit 63 of /proc/self/pagemap."""
    with open("/proc/self/pagemap", "rb") as file:
        file.seek(address // 4096 * 8)
        entries = file.read(size // 4096 * 8)
    return 4096 * sum(entries[i + 7] >> 7 for i in range(0, len(entries), 8))


def test_linear_memory(inst):
    """Reserved by /proc/self/maps, touched by /proc/self/pagemap."""
    memory = inst.exports.memory
    for offset in (0, 1, 4096, 100_000):
        memory[offset] = 1
    profile = wasm.memory_profile(inst)
    first, second = profile.memories
    start, base = inst._inst.memories[0].start, inst._inst.memories[0].base
    assert first.committed == 3 * 65536 and second.committed == second.touched == 0
    assert first.touched == page_bits(base, 3 * 65536) == 3 * 4096
    with open("/proc/self/maps") as file:
        ranges = [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in file]
    end = start + first.reserved
    mapped = sum(max(min(high, end) - max(low, start), 0) for low, high in ranges)
    assert mapped == first.reserved and end >= base + (8 << 30)
    memory.grow(2)
    assert wasm.memory_profile(inst).memories[0].committed == 5 * 65536
    assert wasm.memory_profile(inst).memories[0].touched == first.touched     # looking touches nothing


def test_a_memory_with_a_maximum_and_comparisons(mode):
    inst = wasm.Instance(wasm.Module("(module (memory 1 4))", engine=wasm.Engine(mode, memory_bounds="explicit")))
    memory, = wasm.memory_profile(inst).memories
    assert (memory.reserved, memory.committed, memory.touched) == (65536 + 4 * 65536, 65536, 0)


def test_exec_envs(inst, mode):
    assert wasm.memory_profile(inst).exec_envs == ()     # the first call makes one
    inst.mode = "jit" if mode == "jit" else "interp"
    inst.exports.down(3)
    first, = wasm.memory_profile(inst).exec_envs
    assert first.size == 1 << 16 and first.used == 0
    with wasm.ExecEnv(inst, 1 << 20) as env:
        env.call("down", 1000)
        profile = wasm.memory_profile(inst)
        assert sorted(stack.size for stack in profile.exec_envs) == [1 << 16, 1 << 20]
        assert profile.peak == env.peak
        single = wasm.memory_profile(inst, env)
        assert [stack.size for stack in single.exec_envs] == [1 << 20] and single.exec_envs[0].peak == env.peak
        touched = page_bits(env._env.stack, 1 << 20)
        assert single.exec_envs[0].touched == touched == (0 if mode == "jit" else -(-env.peak // 4096) * 4096)
    assert wasm.memory_profile(inst).exec_envs == (first,)


def test_the_instance(inst):
    profile = wasm.memory_profile(inst)
    kinds = profile.instance
    assert kinds["functions"] == 2 * 64 and kinds["globals"] == 2 * 16 + 8 and kinds["element segments"] == 2 * 8
    assert kinds["tables"] == 4 * 8 + 10 * 8
    assert kinds["exports"] == 0
    inst.exports.ok()
    assert wasm.memory_profile(inst).instance["exports"] > 0


def custom(name, size):
    content = bytes([len(name)]) + name + bytes(size)
    length, number = bytearray(), len(content)
    while number >= 128:
        length.append(number & 127 | 128)
        number >>= 7
    return b"\0" + bytes([*length, number]) + content


def test_the_module(load):
    plain = assemble('(module (func (export "ok")))')
    one = wasm.memory_profile(load(plain)).module
    two = wasm.memory_profile(load(plain + custom(b"notes", 100_000))).module
    assert one["binary"] == sys.getsizeof(plain) and two["binary"] - one["binary"] == 100_000 + 10
    assert 100_000 < two["custom sections"] - one["custom sections"] < 100_500
    differs = {kind for kind in one if one[kind] != two[kind]}
    assert differs == {"binary", "custom sections"}
    many = "".join(f'(func $name{i} (export "e{i}"))' for i in range(100))
    three = wasm.memory_profile(load(f"(module {many})")).module
    for kind in ("functions", "exports", "names", "facts"):
        assert three[kind] > one[kind] + 100 * 30


def test_a_module_checked_by_kernels(load):
    body = "(drop (i32.const 100000))" * 2000
    inst = load("(module " + f"(func {body})" * 30 + '(func (export "ok")))')
    assert len(inst.module.binary) > 256 << 10
    profile = wasm.memory_profile(inst)
    assert profile.module["binary"] > 256 << 10 and profile.module["facts"] > 31 * 16


def test_code(inst, mode):
    before = wasm.memory_profile(inst).code
    assert set(before.values()) == {0}
    inst.mode = "jit" if mode == "jit" else "interp"
    inst.exports.down(3)
    code = wasm.memory_profile(inst).code
    assert (code["threaded"] > 0, code["native"] > 0, code["debug information"] > 0) == (
        (False, True, True) if mode == "jit" else (True, False, False))
    inst.exports.down(3)
    assert wasm.memory_profile(inst).code == code
    inst.mode = "interp" if mode == "jit" else "jit"
    inst.exports.down(3)
    assert all(wasm.memory_profile(inst).code.values())
    again = wasm.Instance(inst.module, {"m": {"g": 5}})
    assert wasm.memory_profile(again).code == wasm.memory_profile(inst).code     # instances share it


def test_process(inst, mode):
    inst.mode = "interp"
    inst.exports.down(3)
    process = wasm.memory_profile(inst).process
    assert 10_000 < process["handlers"] < 1 << 20 and 4096 <= process["trampolines"] and process["trampolines"] % 4096 == 0


def test_the_cache(tmp_path, monkeypatch):
    """What is on disk, by the sizes of the files."""
    monkeypatch.setenv("PYJIT_WASM_CACHE", str(tmp_path))
    monkeypatch.setattr(environment, "unchanged", lambda: True)     # whoever edits the package while tests run
    tmp_path.chmod(0o700)

    def on_disk():
        return {entry.name: entry.stat().st_size for entry in os.scandir(tmp_path)}

    inst = wasm.Instance(wasm.Module(SOURCE, engine=wasm.Engine("jit")), {"m": {"g": 5}})
    assert wasm.memory_profile(inst).cache["module"] == 0
    inst.exports.down(3)
    files = on_disk()
    cache = wasm.memory_profile(inst).cache
    assert cache["module"] == sum(size for name, size in files.items() if name.startswith("unit-")) > 0
    assert cache["all"] == sum(files.values())
    monkeypatch.setenv("PYJIT_WASM_CACHE", "off")
    assert wasm.memory_profile(inst).cache == {"module": 0, "all": 0}


def test_totals(inst):
    inst.exports.down(3)
    inst.exports.memory[5] = 1
    found = wasm.memory_profile(inst).as_dict()
    assert json.loads(json.dumps(found)) == found
    parts = [*found["module"].values(), *found["instance"].values(), *found["code"].values()]
    committed = sum(memory["committed"] for memory in found["memories"])
    stacks = sum(env["struct"] + env["size"] for env in found["exec_envs"])
    assert found["total"] == sum(parts) + committed + stacks
    resident = sum(memory["touched"] for memory in found["memories"])
    assert found["touched"] == sum(parts) + resident + sum(env["struct"] + env["touched"] for env in found["exec_envs"])
    assert found["heap"] == {"size": 0, "used": 0}


def test_the_text(inst):
    """Its totals are the sums of its own lines."""
    inst.exports.down(3)
    inst.exports.memory[5] = 1
    lines = wasm.memory_profile(inst).text().splitlines()
    parts, total = {}, None
    for line in lines:
        words, _, number = line.rpartition(": ")
        if line.endswith("total size: " + number):
            total = parts[words] = [int(number), 0]
        elif line.startswith("    ") and not line.startswith("     "):
            total[1] += int(number)
    assert len(parts) == 3 and all(said == added for said, added in parts.values())
    all_of_it, = (int(line.split(": ")[1]) for line in lines if line.startswith("Total memory consumption"))
    assert all_of_it == sum(said for said, _ in parts.values()) == wasm.memory_profile(inst).total


# --- the command line

def run(*arguments):
    return subprocess.run([sys.executable, "-P", "-m", "pyjit_wasm", "run", "--memory-profile", *arguments],
                          capture_output=True, text=True, timeout=60, check=False)


def test_the_option(mode):
    done = run("--mode", mode, "examples/hello.wasm", "one")
    assert (done.returncode, done.stdout) == (2 - 1, "Hello from WebAssembly!\nargument 1: one\n")
    assert done.stderr.startswith("\nMemory consumption summary (bytes):\n")
    assert f"    stack size: {1 << 20}\n" in done.stderr


def test_the_option_after_a_trap(tmp_path):
    (tmp_path / "crash.wat").write_text('(module (memory 2) (func (export "_start") unreachable))')
    done = run(str(tmp_path / "crash.wat"))
    assert done.returncode == 134 and "    memories size: 131120\n" in done.stderr and "unreachable" in done.stderr
