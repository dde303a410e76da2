"""Options that several benchmarks have."""
import argparse
from pathlib import Path
from typing import Callable


def names_argument(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Parses comma-separated names of `known` things."""
    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
        return names

    return parse


def package_argument(text: str) -> Path:
    """Parses the directory of a checkout."""
    directory = Path(text).resolve()
    if not (directory / "pyjit_wasm").is_dir():
        raise argparse.ArgumentTypeError(f"{text} has no pyjit_wasm")
    return directory


def add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--package", type=package_argument, metavar="DIR",
                        help="a checkout whose pyjit_wasm runs too, as `before`, in processes of its own")
