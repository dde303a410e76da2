"""Profiles as text: a table for people, and the lines that WAMR prints."""
from pyjit_wasm.profiling.places import readable

MILLISECONDS = 1e-6     # in a nanosecond
SECONDS = 1e-9
DONE = {"translate": "translated", "compile": "compiled"}


def text(profile):
    """The lines of WAMR's `wasm_runtime_dump_perf_profiling`."""
    lines = [_line(profile, row) for row in profile.functions if row.place.kind != "python" and (row.calls or row.samples)]
    return "\n".join(["Performance profiler data:", *lines, ""])


def text_file(profile):
    """`text` as bytes."""
    return text(profile).encode()


def _line(profile, row):
    parts = [f"  func {readable(row.place.name) or row.place.funcidx}"]
    if profile.samples:
        parts.append(f"execution time: {row.total_ns * MILLISECONDS:.3f} ms")
    if row.calls is not None:
        parts.append(f"execution count: {row.calls} times")
    if profile.samples:
        parts.append(f"children execution time: {(row.total_ns - row.self_ns) * MILLISECONDS:.3f} ms")
    return ", ".join(parts)


def table(profile, top=20):
    """What was measured, in lines; the `top` functions and instructions."""
    parts = [_heading(profile), _functions(profile, top)]
    if profile.counts:
        parts += [_opcodes(profile.counts.opcodes or {}, top), _events(profile.counts.events)]
    return "\n\n".join(filter(None, parts)) + "\n"


def table_file(profile):
    """The table of all functions, as bytes."""
    return table(profile, None).encode()


def _heading(profile):
    samples = profile.samples
    if samples is None:
        calls = sum(row.calls or 0 for row in profile.functions)
        return f"{number_of(calls, 'call')} of {number_of(len(profile.functions), 'function')}"
    threads = len({thread for _, thread, _, _ in samples.samples})
    return (f"{number_of(len(samples.samples), 'sample')}, one each {samples.period * MILLISECONDS:g} ms "
            f"({samples.clock} clock): {samples.tree.total_ns * SECONDS:.3f} s in {number_of(threads, 'thread')}")


def _functions(profile, top):
    rows, columns = profile.functions[:top], []
    if profile.samples:
        whole = profile.samples.tree.total_ns
        columns += [("self ms", _milliseconds), ("%", lambda row: percent(row.self_ns, whole)),
                    ("total ms", lambda row: f"{row.total_ns * MILLISECONDS:,.1f}"),
                    ("%", lambda row: percent(row.total_ns, whole))]
    if profile.counts:
        columns += [("calls", lambda row: "" if row.calls is None else f"{row.calls:,}")]
    columns += [("runs in", lambda row: runner(row.place, row.tiers)), ("function", lambda row: row.place.label)]
    if not rows:
        return ""
    cells = [[title for title, _ in columns]] + [[cell(row) for _, cell in columns] for row in rows]
    lines = _aligned(cells, left=2)
    hidden = len(profile.functions) - len(rows)
    return "\n".join(lines + ([f"and {number_of(hidden, 'more function')}"] if hidden else []))


def _milliseconds(row):
    return f"{row.self_ns * MILLISECONDS:,.1f}"


def runner(place, tiers):
    """What runs a function: "python", "host", "jit"; "jit 90% interp 10%" of its time if that were several tiers."""
    ran = sorted(((time, tier) for tier, time in tiers.items() if tier), reverse=True)
    whole = sum(time for time, _ in ran)
    if len(ran) < 2 or not whole:
        return " ".join([tier for _, tier in ran]) or place.kind
    return " ".join([f"{tier} {time / whole:.0%}" for time, tier in ran])


def _opcodes(opcodes, top):
    whole = sum(opcodes.values())
    rows = sorted(opcodes.items(), key=lambda item: (-item[1], item[0]))[:top]
    if not rows:
        return ""
    cells = [("executed", "%", "instruction")] + [(f"{number:,}", percent(number, whole), name) for name, number in rows]
    return "\n".join(_aligned(cells, left=1))


def _events(events):
    lines = []
    for kind, done in DONE.items():
        found = [event for event in events if event.kind == kind]
        if found:
            lines.append(f"{number_of(sum(len(event.functions) for event in found), 'function')} {done} in "
                         f"{sum(event.seconds for event in found):.3f} s: {sum(event.bytes for event in found):,} bytes, "
                         f"{sum(event.from_cache for event in found)} of {len(found)} from the cache")
    return "\n".join(lines)


def number_of(number, what):
    """`1 thread`, `2 threads`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def percent(part, whole):
    """The part in per cent, as a number; nothing if there is no whole."""
    return f"{part / whole:.1%}".rstrip("%") if whole else ""


def _aligned(rows, left):
    """Lines of rows of texts: the last `left` columns to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    first_left = len(widths) - left
    return ["  ".join(cell.ljust(width) if index >= first_left else cell.rjust(width)
                      for index, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
