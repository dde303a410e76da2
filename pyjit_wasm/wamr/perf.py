"""Times and counts of functions."""
from __future__ import annotations

from pyjit_wasm.wamr.state import of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyjit_wasm.instance import Instance

_MILLISECONDS = 1e-6    # in a nanosecond


def start_perf_profiling(module_inst: Instance) -> None:
    """Begin to sample times and to count calls of an instance, until the next of the functions below. WAMR always does, where
    it is built so (WAMR_BUILD_PERF_PROFILING). RuntimeError if another profile is being taken."""
    from pyjit_wasm.profiles import profile

    _report(module_inst)
    profiling = profile(module_inst, counts=True, python=False)
    profiling.__enter__()
    of(module_inst).profiling = profiling


def _report(module_inst: Instance) -> Any:
    """The last Profile that was taken of an instance, ended if it is being taken; None if none ever was."""
    state = of(module_inst)
    if state.profiling is not None:
        profiling, state.profiling = state.profiling, None
        profiling.__exit__(None, None, None)
        state.report = profiling.report
    return state.report


def _functions(module_inst):
    """Rows of the instance's wasm functions."""
    report = _report(module_inst)
    return [row for row in report.functions if row.place.kind == "wasm"] if report is not None else []


def dump_perf_profiling(module_inst: Instance) -> None:
    """Print the functions that ran: total time, calls, and time in what they called. Recursion counts once."""
    report = _report(module_inst)
    print("Performance profiler data:\n" if report is None else report.text(), end="")


def sum_wasm_exec_time(module_inst: Instance) -> float:
    """Milliseconds in wasm functions."""
    return sum(row.self_ns for row in _functions(module_inst)) * _MILLISECONDS


def get_wasm_func_exec_time(module_inst: Instance, func_name: str) -> float:
    """Milliseconds in a function, without what it called, by its export or name; -1 if it has not run."""
    found = [row.self_ns for row in _functions(module_inst) if row.place.name == func_name]
    return sum(found) * _MILLISECONDS if found else -1.0
