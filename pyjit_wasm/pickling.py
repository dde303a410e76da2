"""What cannot be pickled says so, and what to pickle instead."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def refuse(thing: object, protocol: object = None) -> NoReturn:
    """The `__reduce_ex__` of objects that live in this process only: TypeError."""
    raise TypeError(f"a wasm {type(thing).__name__} cannot be pickled or copied: "
                    "pickle the Module and instantiate it where it is needed")
