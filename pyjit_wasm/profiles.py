"""`profile`: what a program spends its time on, while a `with` block runs."""
from __future__ import annotations

from collections.abc import Iterable

from pyjit_wasm.instance import Instance
from pyjit_wasm.profiling.report import Profile
from pyjit_wasm.tiering import module_code


class Profiling:
    """A profile that is being taken: `report` is the Profile once the block has ended."""

    report: Profile

    def __init__(self, instances, rate, counts, opcodes, python):
        self._instances, self._rate, self._counts, self._opcodes, self._python = instances, rate, counts, opcodes, python
        self._sampler = self._counting = None

    def __enter__(self) -> Profiling:
        if self._counts or self._opcodes:
            from pyjit_wasm.profiling.counters import Counting

            self._counting = Counting(_runtime(self._instances), self._opcodes)
        if self._rate:
            from pyjit_wasm.profiling.sampler import Sampler

            try:
                self._sampler = Sampler(self._rate, self._python)
            except BaseException:
                if self._counting:
                    self._counting.stop()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        samples = self._sampler.stop() if self._sampler else None
        counts = self._counting.stop() if self._counting else None
        self.report = Profile(samples, counts)


def profile(instance: Instance | Iterable[Instance] | None = None, *, rate: float = 1000, counts: bool = False,
            opcodes: bool = False, python: bool = True) -> Profiling:
    """Profile what runs inside a `with` block:

        with wasm.profile(inst, counts=True) as p:
            inst.exports.work()
        print(p.report.table())
        p.report.save("work.html")

    `rate`: samples a second, of wall-clock time, of every thread that runs wasm, whatever instance it runs; 0: none are
    taken. `python`: with the Python code around the wasm. `counts`: the calls of `instance`, or of several, or of all that
    there are, are counted, `opcodes`: executed instructions too; calls that are running already are not.
    ValueError for a rate that is no number from 0 to 20,000. RuntimeError, when the block is entered, if another profile takes
    samples or counts the same instance."""
    if not 0 <= rate <= 20_000:
        raise ValueError(f"samples are taken at 0 to 20,000 hertz, not {rate}")
    if instance is None or isinstance(instance, Instance):
        instances = instance and [instance]
    else:
        instances = list(instance)
    return Profiling(instances, rate, counts, opcodes, python)


def _runtime(instances):
    """The runtime's instances of public ones, all that there are for None."""
    if instances is not None:
        return [instance._inst for instance in instances]
    return [instance for code in list(module_code.live) for instance in list(code.instances)]
