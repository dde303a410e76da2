"""Fuzzing: random input against models, each case in a forked child (see docs/security.md).

    python -m tests.fuzz --help
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # what tests share: modes, generators
