"""A tour of the API that passes `mypy --strict`."""
from __future__ import annotations

import pyjit_wasm as wasm

SOURCE = """(module $typed
  (import "env" "log" (func $log (param i32 i32)))
  (import "env" "limit" (global $limit i32))
  (memory (export "memory") 1 4)
  (table (export "table") 2 funcref)
  (global (export "count") (mut i64) (i64.const 0))
  (tag $failed (export "failed") (param i32))
  (data (i32.const 16) "typed")
  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (global.set 1 (i64.add (global.get 1) (i64.const 1)))
    (call $log (i32.const 16) (i32.const 5))
    (if (i32.gt_s (i32.add (local.get $a) (local.get $b)) (global.get $limit)) (then (throw $failed (local.get $a))))
    (i32.add (local.get $a) (local.get $b))))"""


def describe(module: wasm.Module) -> list[str]:
    """A line for each import and export."""
    lines = [f"{wanted.module}.{wanted.name}: {wanted.type}" for wanted in module.imports]
    for offered in module.exports:
        if isinstance(offered.type, wasm.FuncType):
            lines.append(f"{offered.name} takes {len(offered.type.params)} parameters")
        elif isinstance(offered.type, (wasm.MemType, wasm.TableType)):
            lines.append(f"{offered.name} has at least {offered.type.limits.min} {offered.kind} units")
    return lines


def link(engine: wasm.Engine, said: list[str]) -> wasm.Linker:
    """A linker with a host function that gets the guest's bytes, and a global."""
    linker = wasm.Linker(engine)

    @linker.function("env", "log")
    @wasm.host_function("(*~)")
    def log(text: memoryview) -> None:
        said.append(str(text, "utf-8"))

    linker.define("env", "limit", wasm.Global("i32", 100))
    return linker


def caught(function: wasm.Function, a: int, b: int) -> str:
    """What comes of a call: its result, or why there is none."""
    try:
        result: int = function(a, b)
        return str(result)
    except wasm.WasmException as error:
        return f"{error.tag.type}: {error.payload}"
    except wasm.Trap as trap:
        return "\n".join([trap.code, *(f"{frame.funcidx} {frame.name} {frame.offset}" for frame in trap.frames)])


def main() -> list[str]:
    """Everything once; the lines that it would print."""
    said: list[str] = []
    engine = wasm.Engine("tiered", memory_bounds="guard", tier_up_threshold=100)
    wasm.Module.validate(SOURCE)
    module = wasm.Module(SOURCE, engine=engine)
    instance = link(engine, said).instantiate(module, stack_size=1 << 16)
    add: wasm.Function = instance.function("add")
    lines = [*describe(module), caught(add, 1, 2), caught(add, 99, 2), add.name, add.tier, add.tier.why]

    memory: wasm.Memory = instance.exports.memory
    before: int = memory.grow(1)
    table: wasm.Table = instance.exports["table"]
    table[0] = add
    count: wasm.Global = instance.exports.count
    lines += [f"{before} {memory.pages} {len(memory)}", f"{len(table)} {table[0]}", f"{count.value} {count.type.mutable}"]

    with wasm.ExecEnv(instance, stack_size=1 << 16) as exec_env:
        lines.append(str(exec_env.call("add", 3, 4)))

    table[1] = wasm.Function(abs, ["i32"], ["i32"])
    tag = wasm.Tag(["i32", "f64"])
    instance.mode = "jit"
    mode: str = instance.mode
    binary: bytes = module.binary
    sections: list[str] = [name for name, _ in module.custom_sections]
    return [*lines, *said, repr(tag), mode, f"{len(binary)} bytes, {sections}, {sorted(instance.exports)}"]


if __name__ == "__main__":
    print("\n".join(main()))
