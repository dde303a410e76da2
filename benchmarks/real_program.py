#!/usr/bin/env python3
"""A real C program, native and as WebAssembly: cmark-gfm, GitHub's Markdown converter (about 30,000 lines of C).

    python benchmarks/real_program.py [directory]      fetch, build, and compare the two under wasmtime

The source comes from the sdist of the PyPI package `cmarkgfm`; `ziglang` compiles it both ways. The program reads
Markdown from standard input and writes to standard output; it needs no file system:

    cmark-gfm.wasm -t html -e table -e strikethrough -e autolink -e tasklist -e footnotes --smart < document.md
"""
import argparse
import hashlib
import itertools
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Iterator

PACKAGE, VERSION = "cmarkgfm", "2024.11.20"
SDIST = f"{PACKAGE}-{VERSION}"
SHA256 = "5dd01cf61975a8a57213cdef5ed870e936032f13fe93d60ddf659ffb9cf73c6a"
FORMATS = ("html", "xml", "man", "commonmark", "plaintext", "latex")
EXTENSIONS = ("table", "strikethrough", "autolink", "tasklist", "footnotes")
ZIG = [sys.executable, "-m", "ziglang", "cc", "-O2", "-s"]
DEFINES = ["-DCMARK_GFM_STATIC_DEFINE", "-DCMARK_GFM_EXTENSIONS_STATIC_DEFINE"]
FOLDERS = ("third_party/cmark/src", "third_party/cmark/extensions")

WORDS = (
    "stack", "frame", "trap", "*module*", "**memory**", "`i32.add`", "~~label~~", '"table"', "caf\u00e9", "&copy;",
    '[link](https://example.org/a?b=1 "title")', "https://example.org/auto", "<em>raw</em>", "dash -- dash...",
    "\\*escaped\\*", "![image](/i.png)", "[ref][one]", "note[^1]", "\u6f22\u5b57", "***both***",
)


def fetch(directory: Path) -> Path:
    """The unpacked sdist."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", PACKAGE]
    subprocess.run([*command, "--dest", str(directory), f"{PACKAGE}=={VERSION}"], check=True)
    archive = directory / f"{SDIST}.tar.gz"
    if (digest := hashlib.sha256(archive.read_bytes()).hexdigest()) != SHA256:
        raise RuntimeError(f"{archive.name} has SHA-256 {digest}, not {SHA256}")
    with tarfile.open(archive) as tar:
        tar.extractall(directory, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return directory / SDIST


def build(source: Path, target: Path, flags: list[str]) -> Path:
    includes = [f"-I{source / folder}" for folder in ("generated/unix", *FOLDERS)]
    files = [str(path) for folder in FOLDERS for path in sorted((source / folder).glob("*.c"))]
    subprocess.run([*ZIG, *flags, *DEFINES, *includes, *files, "-o", str(target)], check=True)
    return target


def fetch_and_build(directory: Path) -> tuple[Path, Path]:
    """(native program, WebAssembly program), both in `directory`; a second call finds them there."""
    native, wasm = directory / "cmark-gfm", directory / "cmark-gfm.wasm"
    if not (native.exists() and wasm.exists()):
        source = fetch(directory)
        build(source, native, [])
        build(source, wasm, ["-target", "wasm32-wasi"])
    return native, wasm


def arguments(output_format: str) -> list[str]:
    flags = [flag for extension in EXTENSIONS for flag in ("-e", extension)]
    return ["-t", output_format, *flags, "--smart", "--unsafe"]


def section(number: int, words: Iterator[str]) -> str:
    """One of everything: heading, paragraph, list, quotation, code, table."""
    def text(count: int) -> str:
        return " ".join(itertools.islice(words, count))

    return "\n".join([
        f"{'#' * (1 + number % 4)} Section {number}: {text(3)}", "", f"{text(40)}  ", f"{text(23)}", "",
        f"1. {text(4)}", f"   - [x] {text(5)}", f"   - [ ] {text(6)}", f"     > {text(9)}", f"2. {text(3)}", "",
        f"> {text(11)}", f"> > {text(7)}", "", "```c", f"int f{number}(void) {{ return {number} < 2; }}", "```", "",
        "| left | right |", "|:-----|------:|", *(f"| {text(2)} | {row} |" for row in range(number % 5 + 1)), "", "",
    ])


def document(sections: int) -> bytes:
    """A Markdown text, the same every time, of about 1.5 KB a section."""
    words = itertools.cycle(WORDS)
    ending = "[one]: https://example.org/one 'One'\n\n[^1]: A footnote.\n"
    return ("".join(section(number, words) for number in range(sections)) + ending).encode()


def run_native(program: Path, output_format: str, text: bytes) -> bytes:
    return subprocess.run([program, *arguments(output_format)], input=text, capture_output=True, check=True).stdout


def run_wasmtime(program: Path, output_format: str, text: bytes) -> bytes:
    import wasmtime

    with tempfile.TemporaryDirectory() as directory:
        source, output = Path(directory, "in"), Path(directory, "out")
        source.write_bytes(text)
        wasi = wasmtime.WasiConfig()
        wasi.argv = [program.name, *arguments(output_format)]
        wasi.stdin_file, wasi.stdout_file = str(source), str(output)
        store = wasmtime.Store()
        store.set_wasi(wasi)
        linker = wasmtime.Linker(store.engine)
        linker.define_wasi()
        instance = linker.instantiate(store, wasmtime.Module.from_file(store.engine, str(program)))
        instance.exports(store)["_start"](store)
        return output.read_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch and build cmark-gfm; compare native and wasm (wasmtime).")
    parser.add_argument("directory", nargs="?", type=Path, default=Path(__file__).resolve().parent / "build")
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    native, wasm = fetch_and_build(directory)
    text, different = document(400), 0
    for output_format in FORMATS:
        expected = run_native(native, output_format, text)
        same = run_wasmtime(wasm, output_format, text) == expected
        different += not same
        digest = hashlib.sha256(expected).hexdigest()[:16]
        print(f"{output_format}: {len(text)} -> {len(expected)} bytes, {digest}, {'equal' if same else 'DIFFERENT'}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
