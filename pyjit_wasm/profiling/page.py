"""A profile as a page of HTML that needs nothing else: the flame graph, and tables of all that was measured."""
import html

from pyjit_wasm.profiling import flamegraph
from pyjit_wasm.profiling.flamegraph import asset, milliseconds
from pyjit_wasm.profiling.texts import number_of, percent, runner
from pyjit_wasm.profiling.places import readable

MOST_ROWS = 2000        # of functions
NUMBER = ' class="number"'
BAR = 74                # pixels, of the whole


def write(profile):
    """Bytes of the page. Its scripts sort the table of functions by columns, and find a function in the graph."""
    parts = [_graph(profile.samples) if profile.samples else "", _functions(profile)]
    if profile.counts:
        parts += [_opcodes(profile.counts.opcodes or {}), _events(profile.counts.events)]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Profile</title>
<style>{asset("flamegraph.css")}{asset("page.css")}</style>
</head>
<body>
<h1>Profile</h1>
<p>{html.escape(_facts(profile))}</p>
{"".join(parts)}
<script>
{asset("flamegraph.js")}{asset("page.js")}</script>
</body>
</html>
""".encode()


def _facts(profile):
    if profile.samples:
        return flamegraph.facts(profile.samples)
    return f"{number_of(len(profile.functions), 'function')}, counted"


def _graph(samples):
    drawn = flamegraph.boxes(samples.tree)
    if not drawn:
        return ""
    legend = "".join([f'<span class="{kind}"><i></i>{name} {share:.1%}</span>'
                      for kind, name, share in flamegraph.shares(samples)])
    return f"""<div class="bar"><div class="legend">{legend}</div>
<div class="tools"><output></output><input type="search" placeholder="search: regular expression" aria-label="search">
<button disabled>Reset zoom</button></div></div>
<figure>{flamegraph.graph(samples, drawn, 'width="100%"')}</figure>
<div id="details"></div>
"""


def _functions(profile):
    rows = profile.functions[:MOST_ROWS]
    titles = ["self", "%", "total", "%"] * bool(profile.samples) + ["calls"] * bool(profile.counts)
    titles += ["runs in", "function", "in"]
    hidden = len(profile.functions) - len(rows)
    return _table("Functions", titles, [_function_cells(profile, row) for row in rows], "functions") + (
        f"<p>and {hidden:,} more</p>" if hidden else "")


def _function_cells(profile, row):
    cells = []
    if profile.samples:
        whole = profile.samples.tree.total_ns
        for time in row.self_ns, row.total_ns:
            cells += [_number(time, milliseconds(time)), _share(time, whole)]
    if profile.counts:
        cells.append(_number(row.calls or 0, "" if row.calls is None else f"{row.calls:,}"))
    return [*cells, _text(runner(row.place, row.tiers)), _name(row.place.name), _text(readable(row.place.source))]


def _opcodes(opcodes):
    whole = sum(opcodes.values())
    rows = sorted(opcodes.items(), key=lambda item: (-item[1], item[0]))
    return _table("Instructions executed", ["number", "%", "instruction"], [
        [_number(number, f"{number:,}"), _share(number, whole), _text(name)] for name, number in rows])


def _events(events):
    return _table("Code made", ["at", "", "took", "bytes", "from cache", "functions", "reason"], [
        [_number(event.time, milliseconds(event.time)), _text(event.kind),
         _number(event.seconds, milliseconds(event.seconds * 1e9)), _number(event.bytes, f"{event.bytes:,}"),
         _text("yes" if event.from_cache else ""),
         _name(", ".join(event.functions)), _text(readable(event.reason))] for event in events])


def _table(title, titles, rows, name=""):
    if not rows:
        return ""
    head = "".join([f"<th{NUMBER * cell.startswith(f'<td{NUMBER}')}>{column}</th>" for column, cell in zip(titles, rows[0])])
    body = "\n".join([f"<tr>{''.join(cells)}</tr>" for cells in rows])
    return (f'<section><h2>{title}</h2><table{name and f" id={name}"}><thead><tr>{head}</tr></thead>\n'
            f"<tbody>{body}</tbody></table></section>\n")


def _number(value, text):
    return f'<td{NUMBER} data-value="{value}">{text}</td>'


def _share(part, whole):
    bar = BAR * part / whole if whole else 0
    return f'<td class="share" data-value="{part}"><b style="width:{bar:.1f}px"></b>{percent(part, whole)}</td>'


def _name(name):
    return f'<td class="name">{html.escape(readable(name))}</td>'


def _text(text):
    return f"<td>{html.escape(text)}</td>"
