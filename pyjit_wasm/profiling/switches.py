"""Switches what tools of the system are told of generated code: of the functions there are, and of those that come.

It is the process's, as the code is. Nothing is imported, kept or written before something is switched on.
"""
from __future__ import annotations

import os
from _thread import RLock
from importlib import import_module

from pyjit_wasm import config, forks
from pyjit_wasm.runtime import arrivals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    Folder = Union[str, os.PathLike[str]]

TOOLS = {"map": "perf_map.PerfMap", "jitdump": "jitdump.JitDump", "gdb": "gdb_jit.GdbJit"}

_on: dict[str, _Tool] = {}
_lock, _hooked = forks.kept(RLock(), "switches"), []


def perf(*, map: bool | None = None, jitdump: bool | Folder | None = None, gdb: bool | None = None) -> dict[str, str]:
    """Tell tools of the system the names of generated functions: those of guests, the interpreter's handlers, trampolines.

    map      write /tmp/perf-<pid>.map, for `perf report`
    jitdump  write .debug/jit/.../jit-<pid>.dump, with code and source lines, for `perf inject --jit` and `perf annotate`; in a
             folder, or if True in $JITDUMPDIR, else in the home directory. perf has to record with `-k mono`
    gdb      describe functions to gdb's JIT interface, lines and stack frames included

    True switches on, False off, None leaves things as they are, and so does True for what is on. Child processes that are forked
    get files of their own. The files of perf stay when the process ends. Returns {name: path} of what is on now. Raises OSError
    if a file cannot be made, PermissionError for a map that is somebody else's; if writing fails later, that is a RuntimeWarning
    and the end of it.
    """
    with _lock:
        for name, wanted in (("map", map), ("jitdump", jitdump), ("gdb", gdb)):
            if wanted and name not in _on:
                _hook()
                _on[name] = _Tool(name, *([] if wanted is True else [wanted]))
            elif wanted is not None and not wanted and name in _on:
                _on[name].stop()
        return {name: tool.writer.path for name, tool in _on.items()}


def from_environment() -> None:
    """Switch on what `$PYJIT_PERF` names, with commas between. What cannot be is a RuntimeWarning: no program should end for it."""
    names = {name.strip() for name in os.environ.get(config.PERF_VARIABLE, "").split(",")} - {""}
    for name in sorted(names):
        try:
            if name not in TOOLS:
                raise ValueError(f"{name!r} is none of {', '.join(TOOLS)}")
            perf(**{name: True})
        except (ValueError, OSError) as error:
            import warnings

            warnings.warn(f"{config.PERF_VARIABLE}: {error}", RuntimeWarning, stacklevel=2)


class _Tool:
    """One that is on."""

    def __init__(self, name, *arguments):
        module, _, kind = TOOLS[name].partition(".")
        self._name, self._started = name, False
        self.writer = getattr(import_module(f"{__package__}.{module}"), kind)(*arguments)
        try:
            arrivals.listen(self._add)
        except Exception:
            self.writer.close()
            raise
        self._started = True

    def _add(self, loaded):
        try:
            self.writer.add(loaded)
        except Exception as error:
            if not self._started:
                raise
            self.stop()
            self._warn(error)   # only: the code is needed whether tools know it or not

    def stop(self):
        if self._leave():
            self.writer.close()

    def restart(self):
        """In a child after a fork."""
        try:
            self.writer.restart()
            arrivals.replay(self._add)
        except OSError as error:
            self._leave()   # what is open is still the parent's
            self._warn(error)

    def _leave(self):
        """Whether it was on."""
        was_on = _on.pop(self._name, None)
        if was_on:
            arrivals.dismiss(self._add)
        return was_on

    def _warn(self, error):
        import warnings

        warnings.warn(f"perf tool {self._name!r} is switched off: {error}", RuntimeWarning, stacklevel=2)


def _hook():
    """Look after what is on when the process forks and when it ends."""
    if not _hooked:
        import atexit

        _hooked.append(True)
        os.register_at_fork(after_in_child=_after_fork)
        atexit.register(perf, jitdump=False)


def _after_fork():
    for tool in list(_on.values()):
        tool.restart()
