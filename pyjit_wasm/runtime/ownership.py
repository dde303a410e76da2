"""Which exec_envs one thread at a time may run: those of instances that can reach each other's mutable state.

An Owner is the word that entries check (EXEC_ENV.owner). Instances that share a function, a table, a mutable global or an
unshared memory share their Owner. An instance whose memory is shared is made for threads: each of its exec_envs has an
owner of its own.
"""
import ctypes
import weakref

from pyjit_wasm.errors import InUseError
from pyjit_wasm.runtime import freed, process
from pyjit_wasm.runtime.store import FuncInst, GlobalInst, MemoryInst, TableInst


class Owner:
    """A word, `word[0]`: the THREAD that may run the exec_envs in `envs`, or 0. `joined`: the Owner that took its place."""

    def __init__(self):
        self.word = freed.words(1)
        self.envs = weakref.WeakSet()
        self.joined = None

    def resolve(self):
        """The Owner that stands for this one now."""
        owner = self
        while owner.joined is not None:
            owner = owner.joined
        return owner

    def admit(self, env):
        self.envs.add(env)
        env.set_owner(ctypes.addressof(self.word))
        env.keeps = self

    def join(self, other):
        """Take the place of `other`, which must not be running in another thread."""
        for env in list(other.envs):
            self.admit(env)
        other.joined = self


def of_instance(instance, imports):
    """The Owner that an instance with these imports gets; None for one that is made for threads. InUseError if one that
    it is to share is running in another thread."""
    shared = [item for item in imports if _is_mutable(item)]
    if not shared and any(memory.type.shared for memory in instance.memories):
        return None
    owner = _join([item.ownership.resolve() for item in shared if item.ownership is not None])
    for item in (*shared, *instance.memories, *instance.tables, *instance.globals):
        if not isinstance(item, FuncInst) and _is_mutable(item):
            item.ownership = owner
    return owner


def _join(owners):
    """The Owner that takes the place of all these."""
    mine = process.this_thread() or 0
    if any(owner.word[0] not in (0, mine) for owner in owners):
        raise InUseError("an instance that is imported from is running in another thread")
    result, *others = sorted(set(owners), key=lambda owner: owner.word[0] == 0) or [Owner()]
    for owner in others:
        result.join(owner)
    return result


def _is_mutable(item):
    if isinstance(item, GlobalInst):
        return item.type.mutable
    if isinstance(item, MemoryInst):
        return not item.type.shared
    return isinstance(item, (FuncInst, TableInst))
