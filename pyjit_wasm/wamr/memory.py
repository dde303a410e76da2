"""Linear memory as WAMR's functions see it: the heap, and addresses of the guest ("app") and of the machine ("native")."""
from __future__ import annotations

from pyjit_wasm import config
from pyjit_wasm.errors import LinkError
from pyjit_wasm.exec_env import current
from pyjit_wasm.function import Function
from pyjit_wasm.types import I32, FuncType
from pyjit_wasm.values import integer
from pyjit_wasm.wamr.heap import Heap
from pyjit_wasm.wamr.state import attempt, set_exception

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyjit_wasm.instance import Instance

_OUTSIDE = "out of bounds memory access"
_FREE = ("free", "__release", "__unpin")
_RETAIN = ("__retain", "__pin")             # of AssemblyScript, whose objects are to be kept from its collector


def insert_heap(module_inst, size):
    """Give an instance a heap of `size` bytes in new pages behind its initial memory, unless it exports functions that
    allocate. LinkError if the memory cannot grow so far."""
    memories = module_inst._inst.memories
    if not size or not memories or _guest_functions(module_inst):
        return
    before = memories[0].grow(-(-size // config.PAGE))
    if before < 0:
        raise LinkError("failed to insert app heap into linear memory, try using `--heap-size=0` option")
    module_inst._inst.attached["heap"] = Heap(before * config.PAGE, -(-size // 8) * 8)


# --- what the guest exports

def _guest_functions(module_inst):
    """(allocate, retain or None, free) among the exports, or None: `malloc` and `free`, or those of AssemblyScript."""
    address = module_inst._inst.memories[0].type.addr
    free = _export(module_inst, _FREE, (address,), ())
    malloc = _export(module_inst, ("malloc",), (address,), (address,))
    if malloc is not None:
        return free and (malloc, None, free)
    new = _export(module_inst, ("__new",), (address, I32), (address,))
    retain = _export(module_inst, _RETAIN, (address,), (address,))
    return new and retain and free and (new, retain, free)


def _export(module_inst, names, params, results):
    """The first exported function of one of the names that has this type, or None."""
    for name in names:
        found = module_inst.exports[name] if name in module_inst.exports else None
        if isinstance(found, Function) and found.type == FuncType(params, results):
            return found
    return None


def _run(module_inst, call, *arguments):
    """(whether the call succeeded, its result), in the exec_env that is running in this instance, if any."""
    env, result = current(), []
    if env is not None and env.instance is module_inst:
        call = env.function(call)
    return attempt(module_inst, lambda: result.append(call(*arguments))) and result[0]


# --- WAMR's functions

def module_malloc(module_inst: Instance, size: int) -> int:
    """The offset of `size` new bytes in the linear memory, or 0. From the guest's own `malloc` if it exports `malloc` and
    `free`, else from the heap that `instantiate` gave it."""
    size = integer(size)
    if size < 0:
        raise ValueError(f"a size is a number of bytes, not {size}")
    if not module_inst._inst.memories:
        set_exception(module_inst, "uninitialized memory")
        return 0
    heap = module_inst._inst.attached.get("heap")
    if heap is not None:
        return heap.allocate(size) or 0
    functions = _guest_functions(module_inst)
    return _guest_malloc(module_inst, size, *functions[:2]) if functions is not None else 0


def _guest_malloc(module_inst, size, malloc, retain):
    mask = 0xFFFFFFFF if malloc.type.results[0] == I32 else 0xFFFFFFFFFFFFFFFF
    if size > mask:
        return 0
    offset = _run(module_inst, malloc, *((size, 0) if retain else (size,))) & mask
    if offset and retain is not None:
        offset = _run(module_inst, retain, offset) & mask
    return offset if offset and validate_app_addr(module_inst, offset, size) else 0


def module_free(module_inst: Instance, ptr: int) -> None:
    """Give back what `module_malloc` returned; 0 is nothing. ValueError for what is not allocated in the heap; the guest's
    own `free` may do with its argument what it likes, inside its memory."""
    heap, ptr = module_inst._inst.attached.get("heap"), integer(ptr)
    if not ptr or not module_inst._inst.memories:
        return
    if heap is not None:
        heap.free(ptr)
        return
    functions = _guest_functions(module_inst)
    if functions is not None and ptr < module_inst._inst.memories[0].bytes:
        _run(module_inst, functions[2], ptr)


def module_dup_data(module_inst: Instance, src: Any, size: int | None = None) -> int:
    """The offset of a copy of `size` bytes of the bytes-like object `src`, or 0."""
    data = memoryview(src).cast("B")[:size]
    if size is not None and size > len(data):
        raise ValueError(f"{size} bytes of {len(data)}")
    offset = module_malloc(module_inst, len(data))
    if offset:
        view(module_inst)[offset:offset + len(data)] = data
    return offset


def view(module_inst):
    """All bytes of the first memory, a memoryview; empty without a memory."""
    from pyjit_wasm import externs

    memories = module_inst._inst.memories
    return memoryview(externs.public(memories[0]) if memories else bytearray()).cast("B")


def validate_app_addr(module_inst: Instance, app_offset: int, size: int) -> bool:
    """Whether `size` bytes from an offset on are inside the memory; if not, that is the instance's exception."""
    memories, app_offset, size = module_inst._inst.memories, integer(app_offset), integer(size)
    return _require(module_inst, bool(memories) and app_offset >= 0 and size >= 0
                    and app_offset + size <= memories[0].bytes)


def validate_app_str_addr(module_inst: Instance, app_str_offset: int) -> bool:
    """Whether there is a NUL-terminated string at an offset, all of it inside the memory; if not, that is the exception."""
    memory, position, piece = view(module_inst), integer(app_str_offset), 64
    while 0 <= position < len(memory):
        if 0 in memory[position:position + piece].tobytes():
            return True
        position, piece = position + piece, 4 * piece
    return _require(module_inst, False)


def validate_native_addr(module_inst: Instance, native_ptr: int, size: int) -> bool:
    """`validate_app_addr` for a machine address."""
    memories = module_inst._inst.memories
    return _require(module_inst, bool(memories)) and validate_app_addr(
        module_inst, integer(native_ptr) - memories[0].base, size)


def _require(module_inst, inside):
    if not inside:
        set_exception(module_inst, _OUTSIDE)
    return inside


def addr_app_to_native(module_inst: Instance, app_offset: int) -> int | None:
    """The machine address, as ctypes takes it, of an offset in the memory; None outside. It stays valid when the memory
    grows, as long as the instance lives."""
    memories, app_offset = module_inst._inst.memories, integer(app_offset)
    return memories[0].base + app_offset if memories and 0 <= app_offset < memories[0].bytes else None


def addr_native_to_app(module_inst: Instance, native_ptr: int) -> int:
    """The offset in the memory of a machine address; 0 outside."""
    memories, native_ptr = module_inst._inst.memories, integer(native_ptr)
    return native_ptr - memories[0].base if memories and 0 <= native_ptr - memories[0].base < memories[0].bytes else 0


def get_app_addr_range(module_inst: Instance, app_offset: int) -> tuple[int, int] | None:
    """(0, size of the memory in bytes) for an offset inside the memory, else None."""
    memories, app_offset = module_inst._inst.memories, integer(app_offset)
    return (0, memories[0].bytes) if memories and 0 <= app_offset < memories[0].bytes else None


def get_native_addr_range(module_inst: Instance, native_ptr: int) -> tuple[int, int] | None:
    """The first machine address of the memory and the one behind it for an address inside, else None."""
    memories, native_ptr = module_inst._inst.memories, integer(native_ptr)
    if not memories or not 0 <= native_ptr - memories[0].base < memories[0].bytes:
        return None
    return memories[0].base, memories[0].base + memories[0].bytes
