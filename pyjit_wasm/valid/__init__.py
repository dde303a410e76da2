"""Validation (spec chapter 3)."""
from pyjit_wasm.valid.facts import Facts
from pyjit_wasm.valid.module import validate

__all__ = ["Facts", "validate"]
