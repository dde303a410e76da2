"""The engines that tests run under: three modes, and both ways of checking memory bounds."""
import pyjit_wasm as wasm

SETTINGS = {
    "interp": {"mode": "interp"},
    "jit": {"mode": "jit"},
    "tiered": {"mode": "tiered", "tier_up_threshold": 1, "background": False},
}
MODES = tuple(SETTINGS)
BOUNDS = ("guard", "explicit")


def engine(mode, bounds="guard", **settings):
    return wasm.Engine(**{**SETTINGS[mode], "memory_bounds": bounds, **settings})
