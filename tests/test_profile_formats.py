"""What profiles say and what is written of them, read by parsers that nobody here wrote, or compared with plain Python."""
import json
import os
import pstats
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

import pyjit_wasm as wasm
from profile_samples import (FIB, FIB_INTERP, HOSTILE, LOG, MAIN, MILLISECOND, MODULE, START, TOTAL, WORKER, counted,
                             guest, hostile, profile, sampled, wandering)
from pyjit_wasm.profiling.counts import Counts
from pyjit_wasm.profiling.places import Place
from pyjit_wasm.profiling.samples import Samples, nodes

SVG = "{http://www.w3.org/2000/svg}"
STACK_FORMATS = ("collapsed", "speedscope", "firefox", "svg")


# --- places and sums

def test_places():
    place = guest("f", 3, "jit", 12)
    assert place.function == guest("f", 3, "jit")._replace(file="src/prog.c") and place.function.function == place.function
    assert place.definition == place.function._replace(tier=None)
    assert place.engine == "wasm jit" and place.label == "f (prog.c)" and Place("host", "log").label == "log"
    assert len({place, guest("f", 3, "jit", 12), guest("f", 3, "jit", 13)}) == 2


def by_hand(samples):
    """The sums, the slow way: of every sample."""
    functions, edges = {}, {}
    for _, _, stack, weight in samples.samples:
        chain = [place.definition for place in stack]
        pairs = list(zip(chain, chain[1:]))
        for table, keys, last in ((functions, chain, chain[-1:]), (edges, pairs, pairs[-1:])):
            for key in set(keys):
                total, own, count = table.get(key, (0, 0, 0))
                table[key] = total + weight, own + weight * (key in last), count + 1
    return functions, edges


@pytest.mark.parametrize("seed", range(8))
def test_sums(seed):
    samples = wandering(400, seed)
    functions, edges = by_hand(samples)
    for table, expected in ((samples.functions, functions), (samples.edges, edges)):
        assert {key: (times.total_ns, times.self_ns, times.samples) for key, times in table.items()} == expected
    for definition, tiers in samples.tiers.items():
        assert sum(tiers.values()) == functions[definition][1]


def test_call_tree():
    root = sampled().tree
    assert (root.place, root.total_ns, root.samples) == (None, TOTAL * MILLISECOND, TOTAL)
    module, = root.ordered()
    assert module.place == MODULE.function and module.total_ns == root.total_ns      # lines 3 and 5 are one function
    assert [(node.place, node.total_ns // MILLISECOND) for node in module.ordered()[0].ordered()] == [
        (FIB, 40), (FIB_INTERP, 16)]
    assert sum(node.self_ns for node in nodes(root)) == root.total_ns


def test_rows():
    rows = {row.place.name: row for row in profile().functions}
    fib = rows["fib"]
    assert fib.place == FIB.definition and fib.calls == 177 and fib.samples == 56
    assert (fib.self_ns, fib.total_ns) == (51 * MILLISECOND, 56 * MILLISECOND)      # recursion counts once
    assert fib.tiers == {"jit": 45 * MILLISECOND, "interp": 6 * MILLISECOND}
    assert rows["callback"].calls is None and rows["<module>"].self_ns == 0
    assert [row.self_ns for row in profile().functions] == sorted((row.self_ns for row in rows.values()), reverse=True)


def test_rows_of_one_half():
    assert {row.place: row.calls for row in wasm.Profile(None, counted()).functions} == {
        FIB.definition: 177, START.definition: 2, LOG: 1}
    assert all(row.calls is None for row in wasm.Profile(sampled()).functions)


# --- text

def test_text_as_wamr_prints_it():
    """Lines as of core/iwasm/interpreter/wasm_runtime.c; functions of Python are none of the guest's."""
    assert profile().text() == """Performance profiler data:
  func fib, execution time: 56.000 ms, execution count: 177 times, children execution time: 5.000 ms
  func _start, execution time: 60.000 ms, execution count: 2 times, children execution time: 56.000 ms
  func log, execution time: 5.000 ms, execution count: 1 times, children execution time: 5.000 ms
"""
    assert wasm.Profile(None, Counts({START: 3, FIB: 0})).text() == (
        "Performance profiler data:\n  func _start, execution count: 3 times\n")


def test_table():
    text = profile().table(2)
    lines = text.splitlines()
    assert lines[0] == "60 samples, one each 1 ms (wall clock): 0.060 s in 2 threads"
    assert lines[2].split() == ["self", "ms", "%", "total", "ms", "%", "calls", "runs", "in", "function"]
    assert lines[3].split() == ["51.0", "85.0", "56.0", "93.3", "177", "jit", "88%", "interp", "12%", "fib", "(prog.wasm)"]
    assert lines[5] == "and 3 more functions"
    assert "local.get" in text and "2 functions translated in 0.001 s: 640 bytes, 0 of 1 from the cache" in text
    assert "1 function compiled in 0.025 s: 2,048 bytes, 1 of 1 from the cache" in text
    assert len({len(line) - len(line.lstrip()) + len(line.split()[0]) for line in lines[3:5]}) == 1     # aligned


# --- files

def test_json_is_read_back(tmp_path):
    for made in (profile(), hostile(), wasm.Profile(wandering(50)), wasm.Profile(None, counted()), wasm.Profile()):
        made.save(tmp_path / "p.json")
        assert wasm.Profile.load(tmp_path / "p.json") == made


def damaged(content):
    """Records with each value replaced by others."""
    record = json.loads(content)
    others = (None, -1, 10**9, 1.5, "x", [], {}, True, [[]])
    places = [(record, key) for key in record]
    for part in ("samples", "counts"):
        places += [(record[part], key) for key in record[part]]
    places += [(record["samples"]["stacks"], key) for key in ("frame", "prefix")]
    for column in (record["places"], record["places"][0], record["samples"]["time"], record["samples"]["stack"],
                   record["samples"]["stacks"]["prefix"], record["samples"]["stacks"]["frame"], record["counts"]["calls"],
                   record["counts"]["calls"][0], record["counts"]["events"][0], record["samples"]["threads"]):
        places += [(column, 0)]
    for container, key in places:
        original = container[key]
        for other in others:
            container[key] = other
            yield json.dumps(record)
        container[key] = original


def test_damaged_json(tmp_path):
    """A profile or a ValueError that names the file."""
    profile().save(tmp_path / "p.json")
    content, refused = (tmp_path / "p.json").read_text(), 0
    texts = [*damaged(content), *(content[:size] for size in range(0, len(content), 97)), "[]", "1", "null", "[" * 99999]
    for text in texts:
        (tmp_path / "p.json").write_text(text)
        try:
            assert isinstance(wasm.Profile.load(tmp_path / "p.json").table(), str)
        except ValueError as error:
            assert "p.json: not a profile that was saved as json, or damaged" in str(error)
            refused += 1
    assert refused > len(texts) * 3 // 4


def test_suffixes_and_formats(tmp_path):
    suffixes = {"a.txt": "text", "a.json": "json", "a.pstats": "pstats", "a.prof": "pstats", "a.folded": "collapsed",
                "a.collapsed": "collapsed", "a.speedscope.json": "speedscope", "a.firefox.json": "firefox", "a.SVG": "svg",
                "a.html": "html", "a.table": "table"}
    assert set(suffixes.values()) == set(wasm.Profile.formats)
    for name, format in suffixes.items():
        profile().save(tmp_path / name)
        profile().save(str(tmp_path / "any"), format)
        assert (tmp_path / name).read_bytes() == (tmp_path / "any").read_bytes() == profile().written(format)
    with pytest.raises(ValueError, match="a.out: the suffix names no format of profiles; there are .table, .txt, .json"):
        profile().save(tmp_path / "a.out")
    with pytest.raises(ValueError, match="no format of profiles is called 'png'; there are table, text, json"):
        profile().save(tmp_path / "a.svg", "png")
    with pytest.raises(FileNotFoundError):
        profile().save(tmp_path / "absent" / "a.svg")


@pytest.mark.parametrize("format", STACK_FORMATS)
def test_stacks_are_needed(tmp_path, format):
    """Nothing is written then."""
    (tmp_path / "kept").write_text("before")
    with pytest.raises(ValueError, match="this profile has no samples, it only counted"):
        wasm.Profile(None, counted()).save(tmp_path / "kept", format)
    assert (tmp_path / "kept").read_text() == "before" and os.listdir(tmp_path) == ["kept"]


def test_output_is_deterministic():
    """Sets and the seeds of hashes do not show."""
    code = ("import hashlib, profile_samples as s\n"
            "for p in (s.profile(), s.hostile(), s.Profile(s.wandering(300))):\n"
            "    for f in p.formats: print(f, hashlib.sha256(p.written(f)).hexdigest())")
    paths = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    outputs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
                              env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed}).stdout for seed in "0123"}
    assert len(outputs) == 1


# --- formats of others

def test_collapsed():
    assert profile().written("collapsed").decode().splitlines() == [
        "<module> (main.py);_start (prog.wasm)_[j] 4000000",
        "<module> (main.py);_start (prog.wasm)_[j];fib (prog.wasm) 6000000",
        "<module> (main.py);_start (prog.wasm)_[j];fib (prog.wasm);fib (prog.wasm)_[j] 10000000",
        "<module> (main.py);_start (prog.wasm)_[j];fib (prog.wasm)_[j] 15000000",
        "<module> (main.py);_start (prog.wasm)_[j];fib (prog.wasm)_[j];fib (prog.wasm)_[j] 20000000",
        "<module> (main.py);_start (prog.wasm)_[j];fib (prog.wasm)_[j];log (env);callback (main.py) 5000000"]


def test_pstats(tmp_path, capsys):
    profile().save(tmp_path / "p.pstats")
    stats = pstats.Stats(str(tmp_path / "p.pstats"))
    fib, start, log = ("prog.wasm", 2, "fib"), ("prog.wasm", 1, "_start"), ("env", 0, "log")
    module, callback = ("/app/main.py", 0, "<module>"), ("/app/main.py", 0, "callback")
    assert set(stats.stats) == {fib, start, log, module, callback}
    primitive, calls, own, total, callers = stats.stats[fib]
    assert (primitive, calls, own, total) == (2, 177, pytest.approx(0.051), pytest.approx(0.056))
    assert callers == {start: (2, 2, pytest.approx(0.021), pytest.approx(0.056)),
                       fib: (175, 175, pytest.approx(0.030), pytest.approx(0.030))}
    assert stats.stats[module][:2] == (TOTAL, TOTAL) and stats.stats[module][4] == {}      # not counted: samples
    assert stats.total_tt == pytest.approx(TOTAL / 1000)
    stats.sort_stats("tottime").print_stats().print_callers().print_callees()
    stats.add(str(tmp_path / "p.pstats"))
    assert "177/2" in capsys.readouterr().out and stats.stats[fib][1] == 354


def test_speedscope():
    """https://www.speedscope.app/file-format-schema.json, by hand."""
    file = json.loads(profile().written("speedscope"))
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = file["shared"]["frames"]
    assert all(isinstance(frame["name"], str) and isinstance(frame.get("file", ""), str) for frame in frames)
    assert {"name": "fib [interp]", "file": "prog.wasm"} in frames and {"name": "<module>", "file": "/app/main.py"} in frames
    assert [entry["name"] for entry in file["profiles"]] == ["MainThread", "worker"]
    for entry, milliseconds, stacks in zip(file["profiles"], (45, 15), (5, 1)):
        assert entry["type"] == "sampled" and entry["unit"] == "nanoseconds"
        assert len(entry["samples"]) == len(entry["weights"]) == stacks      # runs of one stack are one
        assert entry["startValue"] == 0 and entry["endValue"] == sum(entry["weights"]) == milliseconds * MILLISECOND
        assert all(0 <= frame < len(frames) for stack in entry["samples"] for frame in stack)
    assert [frames[frame]["name"] for frame in file["profiles"][0]["samples"][2]] == [
        "<module>", "_start [jit]", "fib [jit]", "fib [jit]"]


def check_table(table, columns):
    """A table of columns: all as long as `length` says."""
    assert set(columns) <= set(table)
    assert {len(column) for column in table.values() if isinstance(column, list)} <= {table["length"]}


def check_firefox(file):
    """src/types/profile.js of github.com/firefox-devtools/profiler, where `meta` says version 48, by hand."""
    meta = file["meta"]
    assert meta["preprocessedProfileVersion"] == 48 and meta["stackwalk"] == 1 and isinstance(meta["product"], str)
    assert all(category["subcategories"][0] == "Other" for category in meta["categories"])
    assert "grey" in {category["color"] for category in meta["categories"]} and file["libs"] == []
    assert [thread["isMainThread"] for thread in file["threads"]] == [True] + [False] * (len(file["threads"]) - 1)
    for thread in file["threads"]:
        strings, categories = thread["stringArray"], len(meta["categories"])
        stacks, frames, functions, samples = (thread[name] for name in ("stackTable", "frameTable", "funcTable", "samples"))
        check_table(stacks, ("frame", "prefix", "category", "subcategory"))
        check_table(frames, ("address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol", "innerWindowID",
                             "implementation", "line", "column"))
        check_table(functions, ("name", "isJS", "relevantForJS", "resource", "fileName", "lineNumber", "columnNumber"))
        check_table(samples, ("stack", "time", "weight"))
        check_table(thread["markers"], ("data", "name", "startTime", "endTime", "phase", "category"))
        check_table(thread["resourceTable"], ("lib", "name", "host", "type"))
        check_table(thread["nativeSymbols"], ("libIndex", "address", "name", "functionSize"))
        assert samples["weightType"] == "tracing-ms" and samples["time"] == sorted(samples["time"])
        assert isinstance(thread["pid"], str) and all(isinstance(string, str) for string in strings)
        assert all(prefix is None or 0 <= prefix < index for index, prefix in enumerate(stacks["prefix"]))
        assert all(0 <= frame < frames["length"] for frame in stacks["frame"])
        assert all(0 <= category < categories for table in (stacks, frames) for category in table["category"])
        assert all(0 <= function < functions["length"] for function in frames["func"])
        assert all(0 <= name < len(strings) for name in functions["name"] + thread["markers"]["name"])
        assert all(stack is None or 0 <= stack < stacks["length"] for stack in samples["stack"])


def firefox_stack(thread, stack):
    """(name, category, line) of a stack of the file, outermost first."""
    found = []
    while stack is not None:
        frame = thread["stackTable"]["frame"][stack]
        function = thread["frameTable"]["func"][frame]
        found.append((thread["stringArray"][thread["funcTable"]["name"][function]], thread["stackTable"]["category"][stack],
                      thread["frameTable"]["line"][frame]))
        stack = thread["stackTable"]["prefix"][stack]
    return found[::-1]


def test_firefox():
    file = json.loads(profile().written("firefox"))
    check_firefox(file)
    names = [category["name"] for category in file["meta"]["categories"]]
    main, worker = file["threads"]
    assert (main["name"], main["tid"], worker["name"], worker["tid"]) == ("MainThread", MAIN, "worker", WORKER)
    stack = [(name, names[category], line) for name, category, line in firefox_stack(main, main["samples"]["stack"][35])]
    assert stack == [("<module>", "Python", 3), ("_start", "Wasm compiled", None), ("fib", "Wasm interpreted", None),
                     ("fib", "Wasm compiled", None)]
    assert firefox_stack(worker, worker["samples"]["stack"][0])[0][2] == 5
    assert worker["samples"]["time"][0] == pytest.approx(45) and sum(main["samples"]["weight"]) == pytest.approx(45)
    assert file["meta"]["interval"] == 1 and file["meta"]["startTime"] == pytest.approx(1.7e12)
    markers = main["markers"]
    assert [main["stringArray"][name] for name in markers["name"]] == ["translate", "compile"]
    assert (markers["startTime"][1], markers["endTime"][1]) == (pytest.approx(9), pytest.approx(34))
    assert markers["data"][1] == {"type": "tier", "functions": "fib", "reason": "hot", "bytes": 2048, "cached": "yes"}
    assert markers["data"][1].keys() - {"type"} == {field["key"] for field in file["meta"]["markerSchema"][0]["data"]}


# --- flame graphs

def drawn(svg):
    """[(name, class, left, top, width)] of the frames of a graph, in per cent and pixels."""
    graph = next(element for element in svg.iter(SVG + "svg") if element.get("id") == "graph")
    return [(frame.find(SVG + "title").text.split("\n")[0], frame.get("class"), float(frame.get("x").rstrip("%")),
             float(frame.get("y")), float(frame.get("width").rstrip("%"))) for frame in graph.iter(SVG + "svg")
            if "frame" in frame.get("class", "")]


def frame_texts(svg):
    return {frame.find(SVG + "title").text.split("\n")[0]: frame.find(SVG + "text").text for frame in svg.iter(SVG + "svg")
            if frame.find(SVG + "title") is not None}


def test_flame_graph():
    """Names, widths, places and what runs them."""
    svg = ElementTree.fromstring(profile().written("svg"))
    frames = {(name, kind.split()[1], y // 18): (x, width) for name, kind, x, y, width in drawn(svg)}
    part = 100 / TOTAL
    expected = {
        ("all", "root", 0): (0, 60), ("<module>", "python", 1): (0, 60), ("_start", "jit", 2): (0, 60),
        ("fib", "jit", 3): (0, 40), ("fib", "interp", 3): (40, 16), ("fib", "jit", 4): (0, 20), ("log", "host", 4): (20, 5),
        ("callback", "python", 5): (20, 5)}
    for key, (left, width) in expected.items():
        if key != ("fib", "jit", 4):
            assert frames[key] == (pytest.approx(left * part, abs=1e-4), pytest.approx(width * part, abs=1e-4)), key
    inner = sorted((x, width) for name, kind, x, y, width in drawn(svg) if (name, y) == ("fib", 4 * 18))
    assert inner == [(0, pytest.approx(20 * part, abs=1e-4)), (pytest.approx(40 * part, abs=1e-4),
                                                              pytest.approx(10 * part, abs=1e-4))]
    titles = [title.text for title in svg.iter(SVG + "title")]
    assert "fib\nwasm jit, prog.wasm\ntotal 40.0 ms, 66.67%\nself 15.0 ms, 25.00%\n40 samples" in titles


@pytest.mark.parametrize("seed", range(5))
def test_frames_are_inside_their_callers_and_do_not_overlap(seed):
    samples = wandering(500, seed)
    frames = drawn(ElementTree.fromstring(wasm.Profile(samples).written("svg")))
    rows = {}
    for name, _, x, y, width in frames:
        rows.setdefault(y, []).append((x, x + width))
    assert len(frames) == sum(1 for _ in nodes(samples.tree)) + 1
    for y, spans in rows.items():
        spans.sort()
        assert all(end <= left + 1e-3 for (_, end), (left, _) in zip(spans, spans[1:]))
        assert y == 0 or all(any(left >= a - 1e-3 and right <= b + 1e-3 for a, b in rows[y - 18]) for left, right in spans)


def test_names_that_do_not_fit():
    long = "std::vector<std::pair<int, char const*>>::emplace_back"
    samples = Samples(MILLISECOND, samples=[(i, MAIN, (guest(long, 1) if i % 10 == 0 else guest(f"f{i}", 2),), MILLISECOND)
                                            for i in range(300)])
    texts = frame_texts(ElementTree.fromstring(wasm.Profile(samples).written("svg")))
    assert texts[long].endswith("…") and long.startswith(texts[long][:-1]) and 10 < len(texts[long]) < 20
    assert texts["f1"] is None and texts["all"] == "all"


def test_what_is_too_narrow_is_left_out():
    samples = Samples(MILLISECOND, samples=[(0, MAIN, (guest("long", 1),), 10**9), (1, MAIN, (guest("short", 2),), 10**4)])
    assert [frame[0] for frame in drawn(ElementTree.fromstring(wasm.Profile(samples).written("svg")))] == ["all", "long"]


class Page(HTMLParser):
    """Texts of cells, and tags that would fetch something or run something."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.scripts, self.links, self.open = [], 0, [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        self.links += [value for name, value in attributes if name in ("src", "href") or name.startswith("on")]
        self.open = tag
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open in ("td", "b"):
            self.cells[-1] += data


@pytest.mark.parametrize("make", [profile, hostile])
def test_page(make):
    text = make().written("html").decode()
    page = Page(text)
    assert page.scripts == 1 and page.links == []
    for row in make().functions[:20]:
        if row.place.name.isprintable():
            assert row.place.name in page.cells


def test_page_of_counts():
    cells = Page(wasm.Profile(None, counted()).written("html").decode()).cells
    assert {"177", "fib", "local.get", "compile", "hot"} <= set(cells)


@pytest.mark.parametrize("format", ["svg", "html"])
def test_nothing_is_fetched(format):
    text = profile().written(format).decode()
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xhtml", "")
    assert "@import" not in text and "url(" not in text


# --- hostile and large

@pytest.mark.parametrize("format", wasm.Profile.formats)
def test_hostile_names(format):
    written = hostile().written(format)
    assert written and (format == "pstats" or written.decode())
    if format in ("json", "speedscope", "firefox"):
        json.loads(written)
    if format == "svg":
        names = {name for name, *_ in drawn(ElementTree.fromstring(written))}
        assert {name for name in HOSTILE if name.isprintable()} <= names and "<script>alert(1)</script>" in names
    if format == "firefox":
        check_firefox(json.loads(written))
    if format == "collapsed":
        for line in written.decode().splitlines():
            stack, _, weight = line.rpartition(" ")
            assert 1 <= len(stack.split(";")) <= 3 and int(weight) % MILLISECOND == 0
    if format in ("text", "table"):
        assert all(line.isprintable() for line in written.decode().split("\n"))


def test_hostile_names_in_pstats(tmp_path, capsys):
    hostile().save(tmp_path / "p.prof")
    pstats.Stats(str(tmp_path / "p.prof")).print_stats().print_callers()


@pytest.mark.parametrize("format", wasm.Profile.formats)
@pytest.mark.parametrize("made", [
    wasm.Profile(Samples(MILLISECOND)), wasm.Profile(Samples(MILLISECOND), Counts()),
    wasm.Profile(Samples(MILLISECOND, samples=[(0, MAIN, (), MILLISECOND)])),
    wasm.Profile(Samples(0, samples=[(0, MAIN, (START,), 0)]))], ids=["nothing", "no counts", "empty stack", "no time"])
def test_empty_profiles(made, format):
    written = made.written(format)
    if format == "svg":
        ElementTree.fromstring(written)
    if format == "firefox":
        check_firefox(json.loads(written))


@pytest.mark.parametrize("format", wasm.Profile.formats)
def test_deep_stacks(format, tmp_path):
    stack = tuple(guest(f"f{i % 300}", i % 300) for i in range(1000))
    made = wasm.Profile(Samples(MILLISECOND, samples=[(0, MAIN, stack, 3 * MILLISECOND), (1, MAIN, stack[:700], MILLISECOND)]))
    made.save(tmp_path / "deep", format)
    written = (tmp_path / "deep").read_bytes()
    if format == "svg":
        assert len(drawn(ElementTree.fromstring(written))) == 1001
    if format == "json":
        assert wasm.Profile.load(tmp_path / "deep") == made
    if format == "firefox":
        thread, = json.loads(written)["threads"]
        assert [name for name, *_ in firefox_stack(thread, thread["samples"]["stack"][0])] == [place.name for place in stack]


def test_a_million_samples():
    """In seconds: what takes minutes would be an error. The other formats have every sample."""
    few = wandering(20_000, functions=200, depth=40)
    samples = [(i, thread, stack, weight) for i in range(50) for _, thread, stack, weight in few.samples]
    begun = time.process_time()
    made = wasm.Profile(Samples(MILLISECOND, samples=samples))
    for format in ("table", "text", "pstats", "collapsed", "svg", "html"):
        assert made.written(format)
    assert time.process_time() - begun < 60
    assert made.samples.tree.samples == 1_000_000


# --- in a browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# clicks and keys, each followed by what is to be seen then
ACTIONS = """<script>
const seen = [], frames = [...document.querySelectorAll("#graph .frame")], input = document.querySelector(".tools input");
const named = name => frames.filter(frame => frame.querySelector("title").textContent.startsWith(name + "\\n"));
const see = () => seen.push([frames.filter(frame => frame.style.display !== "none").map(frame => frame.getAttribute("width")),
  location.hash, document.querySelectorAll("#graph .match").length, document.querySelector(".tools output").textContent]);
const click = element => element.dispatchEvent(new MouseEvent("click", {bubbles: true}));
see();
click(named("log")[0].querySelector("rect")); see();
dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"})); see();
input.value = "^fi"; input.dispatchEvent(new Event("input")); see();
input.value = "("; input.dispatchEvent(new Event("input")); see();
click([...document.querySelectorAll("td.name")].find(cell => cell.textContent === "callback")); see();
const first = () => document.querySelector("#functions td.name").textContent;
const heading = text => [...document.querySelectorAll("#functions th")].find(cell => cell.textContent === text);
const sort = (...texts) => { texts.forEach(text => click(heading(text))); seen.push(first()); };
sort(); sort("total"); sort("function", "function");
document.body.textContent = "SEEN" + JSON.stringify(seen) + "SEEN";
</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="no chromium")
def test_scripts_in_a_browser(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(profile().written("html").decode().replace("</body>", ACTIONS))
    done = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/browser",
                           "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
    start, zoomed, back, found, wrong, from_table, *sorted_by = json.loads(done.stdout.split("SEEN")[1])
    assert len(start[0]) == 9 and start[1:] == ["", 0, ""]
    assert zoomed == [["100%"] * 6, "#zoom=5", 0, ""]                   # all, <module>, _start, fib, log, callback
    assert back == start
    assert found[1:] == ["#search=%5Efi", 4, "93.3% matched"]
    assert wrong[1:] == ["#search=%28", 0, ""]
    assert from_table[1:] == ["#search=%5Ecallback%24", 1, "8.3% matched"]
    assert sorted_by == ["fib", "_start", "log"]
