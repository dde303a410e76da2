"""Counting, as IR: see `runtime.counts`."""
from pyjit_wasm import config
from pyjit_wasm.codegen.text import Function
from pyjit_wasm.runtime.counts import TABLE
from pyjit_wasm.runtime.layout import CALLEE

_PROBES = 8
_SPREAD = -7046029254386353131  # 2**64 / golden ratio


def increment(text, counts, place):
    """Count: the word `place` bytes from the pointer `counts` on."""
    text.store("i64", text.let(f"add i64 {text.load('i64', counts, place)}, 1"), counts, place)


def count_call():
    """`rt_count_call(counts, site, func)`: an indirect call at a place calls a FUNC."""
    f = Function("void", "rt_count_call", "ptr %counts, i64 %site, ptr %func")
    table = f.at("%counts", -TABLE)
    word = f.let(f"lshr i64 {f.let('ptrtoint ptr %func to i64')}, 3")
    mixed = f.let(f"mul i64 {f.let(f'xor i64 {word}, %site')}, {_SPREAD}")
    first = f.let(f"lshr i64 {mixed}, 32")
    f.do("br label %probe")
    f.label("probe")
    f.do("%i = phi i64 [ 0, %0 ], [ %i1, %next ]")
    f.unlikely(f.let(f"icmp eq i64 %i, {_PROBES}"), "lost")
    index = f.let(f"and i64 {f.let(f'add i64 {first}, %i')}, {config.COUNTED_CALLEES - 1}")
    entry = f.let(f"getelementptr i8, ptr {table}, i64 {f.let(f'mul i64 {index}, {CALLEE.size}')}")
    known = f.load("ptr", entry, CALLEE.func)
    f.branch(f.let(f"icmp eq ptr {known}, null"), "free", "taken")
    f.label("free")
    f.store("i64", "%site", entry, CALLEE.site)
    f.store("ptr", "%func", entry, CALLEE.func)
    f.do("br label %count")
    f.label("taken")
    same_site = f.let(f"icmp eq i64 {f.load('i64', entry, CALLEE.site)}, %site")
    f.branch(f.let(f"and i1 {same_site}, {f.let(f'icmp eq ptr {known}, %func')}"), "count", "next")
    f.label("next")
    f.do("%i1 = add i64 %i, 1")
    f.do("br label %probe")
    f.label("count")
    increment(f, entry, CALLEE.count)
    f.do("ret void")
    f.label("lost")
    increment(f, table, -8)
    f.do("ret void")
    return str(f)
