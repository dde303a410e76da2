"""Profiles. `pyjit_wasm.profile` is a function, that of `profile.session`, and it is this package once something in it has
been imported: so the package can be called too."""
import sys
import types


class _Callable(types.ModuleType):
    """A package that is called as its function is."""

    def __call__(self, *arguments, **settings):
        from pyjit_wasm.profile.session import profile

        return profile(*arguments, **settings)


sys.modules[__name__].__class__ = _Callable
