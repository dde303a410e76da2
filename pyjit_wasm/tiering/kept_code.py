"""What earlier runs made of a large module's functions, kept on disk as a whole: a program that is run again starts with it.

An entry of the cache has the units of one module that were compiled with the same settings, another one the threaded code
that was translated for one kind of handlers (`tiering.kept_threaded`). The first instance takes in all of it, so both have
only functions that were called in some run. What is new is added when the ModuleCode dies, or at exit, until an entry is as
large as it may be. (Objects of units are in the cache one by one too: that is for functions that no run has called, and for
runs that end by a signal.)
"""
import marshal
import weakref

from pyjit_wasm import config
from pyjit_wasm.codegen import cache, objects
from pyjit_wasm.runtime.elf import Object


class Kept:
    """The entry `name`; `new` is added to what is there already by `add`, a function of both."""

    def __init__(self, code, kind, identity, add, *arguments):
        self.name, self.new, self._taken = objects.entry(kind, identity), [], False
        weakref.finalize(code, _finish, add, self.name, self.new, *arguments)

    def take(self):
        """What is kept, the first time; None later and if there is nothing."""
        if self._taken:
            return None
        self._taken = True
        return read(self.name)


def _finish(add, name, new, *arguments):
    if new:
        add(name, new, *arguments)


def read(name):
    """The content of an entry, or None."""
    data = cache.fetch(name)
    return None if data is None else marshal.loads(data)


def write(name, content):
    """Replace an entry, unless it would be too large."""
    data = marshal.dumps(content)
    if len(data) <= config.KEPT_MOST:
        cache.store(name, data)


class KeptNative(Kept):
    """Compiled units. The entry: (plan as ModuleCode.unit takes it, the reason, the fields of the elf.Object) of each. `new` has
    such too."""

    def __init__(self, code):
        super().__init__(code, "native", code.native_identity, _add)

    def recall(self):
        """[(plan, reason, elf.Object)] of what is kept."""
        return [(plan, reason, Object(*fields)) for plan, reason, fields in self.take() or ()]


def _add(name, new):
    kept = read(name) or []
    known = {plan for plan, _, _ in kept}
    new = [unit for unit in new if unit[0] not in known]
    if new:
        write(name, kept + new)
