"""What is compiled together, and which functions are certain to finish soon."""
from pyjit_wasm import config
from pyjit_wasm.binary.bulk import function_indices


class Brief:
    """Which functions cannot run long: no loops, nothing indirect or bulk, and only calls of such functions or imports,
    with a bounded total of instructions. They keep the GIL, if what they import is Python, which releases it by
    itself."""

    def __init__(self, module, facts):
        self._module, self._facts, self._cost, self._reaching = module, facts, {}, set()

    def get(self, funcidx):
        """Of a brief function whether it reaches imports, None of others."""
        _cost(self._module, self._facts, funcidx, self._cost, self._reaching)
        return funcidx in self._reaching if self._cost[funcidx] <= config.BRIEF_INSTRUCTIONS else None


def _cost(module, facts, start, cost, reaching):
    """Fill in `cost` (instructions at most, or infinity) and `reaching` (those that reach imports) for
    `start` and what it calls, depth first."""
    first, stack = module.imported_funcs, [start]
    while stack:
        funcidx = stack[-1]
        fact = facts[funcidx - first]
        if funcidx in cost and cost[funcidx] is not None:
            stack.pop()
        elif fact.has_loop or fact.indirect or fact.bulk or fact.instructions > config.BRIEF_INSTRUCTIONS:
            cost[funcidx] = float("inf")
        elif funcidx not in cost:
            cost[funcidx] = None  # being computed
            callees = [c for c in fact.calls if c >= first]
            if any(c in cost and cost[c] is None for c in callees):
                cost[funcidx] = float("inf")  # recursion
            stack += [c for c in callees if c not in cost]
        else:
            if any(c < first or c in reaching for c in fact.calls):
                reaching.add(funcidx)
            callees = [cost.get(c) for c in fact.calls if c >= first]
            recursive = any(c is None for c in callees)
            # a call site may stand in a function many times: each instruction could be one
            cost[funcidx] = float("inf") if recursive else fact.instructions * (1 + max(callees, default=0))


def escaping(module):
    """Defined functions that may be called from outside their module or through a reference."""
    found = {e.index for e in module.exports if e.kind == "func"} | set(module.declared)
    for elem in module.elems:
        found.update(function_indices(elem.inits))
    if module.start is not None:
        found.add(module.start)
    return {f for f in found if f >= module.imported_funcs}


def reachable(code, funcidx, budget, without=()):
    """`funcidx` and functions called from it, directly or not, nearest first, within `budget` instructions;
    `without` those."""
    first, found, queue = code.first, {funcidx}, [funcidx]
    budget -= code.facts[funcidx - first].instructions
    for current in queue:
        for callee in sorted(code.facts[current - first].calls):
            size = code.facts[callee - first].instructions if callee >= first else 0
            if callee >= first and callee not in found and size <= budget and callee not in without:
                budget -= size
                found.add(callee)
                queue.append(callee)
    return found


def around(code, funcidx):
    """Plan for a hot function: it and what it calls. (members, entries, functions entered at loops)"""
    members = reachable(code, funcidx, config.UNIT_INSTRUCTIONS)
    return members, [f for f in members if f not in code.native], ()


def inside(code, funcidx):
    """Plan for a function that is hot inside a loop: what takes over there, and what it calls. The
    function itself only if that calls it again; otherwise it is compiled when it is called often."""
    members = reachable(code, funcidx, config.UNIT_INSTRUCTIONS)
    if not any(funcidx in code.facts[m - code.first].calls for m in members):
        members.discard(funcidx)
    return members, [f for f in members if f not in code.native], (funcidx,)


def over_arrays(code, funcidx):
    """Plan for the loop that calls a function for the elements of arrays: it and what it calls."""
    return reachable(code, funcidx, config.UNIT_INSTRUCTIONS), (), (), (funcidx,)


def partition(code):
    """{funcidx: (members, entries)} of all functions: what jit mode compiles together, whatever is called first. A small
    module is one unit, whose functions that only direct calls reach need no entry. A large one is divided into
    neighbourhoods, from functions that no other calls on, exports first, so that callers come before what they call."""
    everything = range(code.first, len(code.module.funcs))
    if code.facts.instructions <= config.MODULE_UNIT_INSTRUCTIONS:
        return dict.fromkeys(everything, (frozenset(everything), sorted(escaping(code.module))))
    called = frozenset().union(*[fact.calls for fact in code.facts])
    exported = {e.index for e in code.module.exports if e.kind == "func"}
    placed = {}
    for root in sorted(everything, key=lambda funcidx: (funcidx in called, funcidx not in exported, funcidx)):
        _divide(code, root, placed)
    return placed


def _divide(code, root, placed):
    """Put `root` and all functions that it calls, directly or not, into units."""
    waiting = [root]
    for funcidx in waiting:
        if funcidx < code.first or funcidx in placed:
            continue
        members = reachable(code, funcidx, config.JIT_UNIT_INSTRUCTIONS, placed)
        unit = frozenset(members), sorted(members)
        placed.update(dict.fromkeys(members, unit))
        waiting += sorted({callee for member in members for callee in code.facts[member - code.first].calls})


def lazy(code, funcidx):
    """Plan for jit mode, when `funcidx` is first called: its unit of the partition. Where that has no entry for it, because
    only direct calls reach it, the mode has changed while its caller was running: a neighbourhood without what is compiled."""
    members, entries = code.partition[funcidx]
    if funcidx not in entries:
        members = reachable(code, funcidx, config.JIT_UNIT_INSTRUCTIONS, code.native)
        entries = sorted(members)
    return members, entries, ()
