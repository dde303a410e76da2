"""Validation (spec chapter 3)."""
from pyjit_wasm.valid.function import Facts
from pyjit_wasm.valid.module import validate

__all__ = ["Facts", "validate"]
