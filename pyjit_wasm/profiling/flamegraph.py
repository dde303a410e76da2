"""Flame graphs: SVG that needs nothing else, with a script for looking closer."""
from __future__ import annotations

import functools
import html
import zlib
from importlib import resources
from typing import NamedTuple

from pyjit_wasm.profiling.places import readable
from pyjit_wasm.profiling.samples import Node, nodes
from pyjit_wasm.profiling.texts import number_of

LEAST = 1e-4            # of the whole width: what is narrower is left out
MOST = 20_000           # frames that browsers draw in no time: of more the narrowest are left out
WIDTH = 1200            # pixels, for which names are shortened; the graph itself is as wide as the window
CHARACTER, PADDING = 7.25, 5    # pixels: width of a character, and what is free beside a name
FRAME, GAP = 18, 1      # pixels: height of a frame, and between two
TOP = 96                # pixels above the frames: title, legend and what the mouse is at
MARGIN = 1.0            # per cent of the width beside the frames
TONES = 4               # of a colour, to tell neighbours apart
ROOT = "all"

# what runs the functions, `Place.engine`, in the order of the legend: (class of the frames, name)
ENGINES = {"python": ("python", "Python"), "wasm interp": ("interp", "wasm interpreted"),
           "wasm jit": ("jit", "wasm compiled"), "wasm": ("wasm", "wasm"), "host": ("host", "host")}


class Box(NamedTuple):
    """A frame of the graph: its `node`, how many are above it, and `left` edge and `width` as parts of the whole."""

    node: Node
    depth: int
    left: float
    width: float


def write(profile):
    """Bytes of the SVG. Widths are times; callers are above what they call, the longest on the left; frames below a ten
    thousandth of the whole are left out, and the narrowest of very many. Works without its script, which shows details, zooms
    and searches."""
    samples = profile.sampled
    drawn = boxes(samples.tree)
    height = TOP + graph_height(drawn) + 12
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="{height}" class="page">
<style>{asset("flamegraph.css")}</style>
<rect class="paper" width="100%" height="100%"/>
<text class="title" x="{MARGIN}%" y="28">Flame graph</text>
<text class="facts" x="{MARGIN}%" y="48">{html.escape(facts(samples))}</text>
{_legend(samples)}
<text id="details" class="facts" x="{MARGIN}%" y="{TOP - 9}">{"" if drawn else "no samples"}</text>
{graph(samples, drawn, f'x="{MARGIN}%" y="{TOP}" width="{100 - 2 * MARGIN}%"')}
<script><![CDATA[
{asset("flamegraph.js")}]]></script>
</svg>
""".encode()


@functools.cache
def asset(name):
    """The text of a style sheet or script of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def boxes(tree):
    """The Boxes of a call tree that are wide enough, callers before callees; none if there is no time in it."""
    found, pending = [], [Box(tree, 0, 0.0, 1.0)] if tree.total_ns > 0 else []
    while pending:
        box = pending.pop()
        found.append(box)
        left, below = box.left, []
        for node in box.node.ordered():
            width = node.total_ns / tree.total_ns
            if width < LEAST:
                break
            below.append(Box(node, box.depth + 1, left, width))
            left += width
        pending.extend(reversed(below))
    return found if len(found) <= MOST else _widest(found)


def _widest(found):
    """The MOST widest Boxes at most. No frame is wider than its caller, so those stay."""
    least = sorted([box.width for box in found], reverse=True)[MOST]
    return [box for box in found if box.width > least]


def graph_height(drawn):
    """The height of the frames in pixels."""
    return FRAME * (max((box.depth for box in drawn), default=0) + 1)


def facts(samples):
    """What was measured, in a line."""
    threads = len({thread for _, thread, _, _ in samples.samples})
    return (f"{number_of(len(samples.samples), 'sample')} of {number_of(threads, 'thread')}, "
            f"{milliseconds(samples.tree.total_ns)}, one each {samples.period / 1e6:g} ms of {samples.clock} time")


def milliseconds(nanoseconds):
    """A time for people."""
    return f"{nanoseconds / 1e6:,.1f} ms"


def shares(samples):
    """[(class of frames, name of what ran, part of all time in its functions themselves)] of what there is."""
    sums = {}
    for node in nodes(samples.tree):
        sums[node.place.engine] = sums.get(node.place.engine, 0) + node.self_ns
    return [(*ENGINES[engine], sums[engine] / (samples.tree.total_ns or 1)) for engine in ENGINES if engine in sums]


def _legend(samples):
    parts, left = [], 0
    for kind, name, share in shares(samples):
        text = f"{name} {share:.1%}"
        parts.append(f'<svg class="frame {kind}" x="{left}" width="13" height="13"><rect width="13" height="13" rx="2"/></svg>'
                     f'<text class="facts" x="{left + 19}" y="11">{text}</text>')
        left += 19 + CHARACTER * len(text) + 18
    return f'<svg class="legend" x="{MARGIN}%" y="57" width="98%" height="16">{"".join(parts)}</svg>'


def graph(samples, drawn, place):
    """The element with all frames; `place` has attributes that say where it is."""
    frames = "\n".join([_frame(box, samples.tree) for box in drawn])
    return f'<svg id="graph" {place} height="{graph_height(drawn)}">\n{frames}\n</svg>'


def _frame(box, tree):
    name = readable(box.node.place.name) if box.node.place else ROOT
    text = html.escape(_fitting(name, box.width * WIDTH * (1 - MARGIN / 50)))
    return (f'<svg class="frame {_classes(box.node.place)}" x="{_percent(box.left)}" y="{box.depth * FRAME}" '
            f'width="{_percent(box.width)}" height="{FRAME - GAP}"><title>{html.escape(_description(box.node, name, tree))}'
            f'</title><rect width="100%" height="{FRAME - GAP}" rx="2"/><text x="{PADDING}" y="12.5">{text}</text></svg>')


def _classes(place):
    if place is None:
        return "root"
    kind, _ = ENGINES.get(place.engine, ENGINES["host"])
    return f"{kind} tone{zlib.crc32(place.label.encode()) % TONES}"


def _description(node, name, tree):
    place = node.place
    where = f"{place.engine}, {readable(place.source)}" if place and place.source else place.engine if place else ""
    times = [f"{what} {milliseconds(time)}, {time / tree.total_ns:.2%}" for what, time in (
        ("total", node.total_ns), ("self", node.self_ns))]
    return "\n".join([name, *filter(None, [where, *times, number_of(node.samples, "sample")])])


def _fitting(name, pixels):
    """As much of a name as is readable in so many pixels."""
    characters = int((pixels - 2 * PADDING) / CHARACTER)
    if len(name) <= characters:
        return name
    return f"{name[:characters - 1]}\N{HORIZONTAL ELLIPSIS}" if characters > 2 else ""


def _percent(part):
    return f"{part * 100:.5f}".rstrip("0").rstrip(".") + "%"
