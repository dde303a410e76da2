"""WASI preview 1: arguments, environment, standard streams, clocks, randomness, polling and exit."""
from .host import Wasi

__all__ = ["Wasi"]
