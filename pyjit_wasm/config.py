"""Every limit and threshold, once. Sizes in bytes unless the name says otherwise."""

MODES = ("interp", "jit", "tiered")
PLAIN, CALLS, OPCODES, STEPPING = "", "calls", "opcodes", "stepping"  # variants of a module's code

PAGE = 65536                            # a WebAssembly page
DEFAULT_STACK_SIZE = 1 << 20            # exec_env stack buffer when the caller names none
WAMR_STACK_SIZE = 64 << 10              # the same for instances of pyjit_wasm.wamr, as in iwasm
NATIVE_STACK_RESERVE = 256 << 10        # machine stack left for host code below guest frames, half of a smaller stack
STACK_PROBE = 1 << 10                   # frames from this size on are checked when they are made
SMALLEST_STACK = 32 << 10               # machine stack of a thread that may run wasm
SMALL_STACK = 256 << 10                 # on smaller ones no modules are imported
RANGES = 1 << 18                        # memories with guard pages that there can be: address space has room for fewer
SIGNAL_STACK = 128 << 10                # of a thread that runs wasm, for handlers of faults,
SIGNAL_STACK_GUARD = 4 << 10            # and inaccessible bytes below it
NATIVE_STACK_LIMIT = 64 << 20           # at most so much machine stack is used by guest code
MEMORY_RESERVATION = (8 << 30) + PAGE   # index + offset is 33 bits; one access may reach past it
MAX_PAGES = 65536                       # of a 32-bit memory
GUARD_BELOW = PAGE                      # inaccessible bytes below a memory's base
RESERVATIONS_BELOW = 1 << 40            # address space between generated code and memories, for whatever else is mapped
MAX_PAGES_64 = 1 << 20                  # of a 64-bit memory here: 64 GiB of address space
MAX_VALUES = 1_000                      # parameters or results of a function
OVERFLOW = 16 * (MAX_VALUES + 1)        # bytes for those that do not fit registers; a status comes behind results
MAX_TABLE = 10_000_000                  # elements
TABLE_IN_HEAP = 8_192                   # a table with a maximum up to this lies in the C library's heap
CODE_ARENA = 1 << 30                    # address space for each kind of generated code

# How much of what a module may have, as in wasmtime and V8, where those differ the smaller number. Index spaces include
# imports, locals parameters. docs/limits.md lists them.
LIMITS = {
    "bytes in a module": 1 << 30,
    "types": 1_000_000,
    "types in a recursive group": 1_000_000,
    "supertypes above a type": 63,
    "parameters": MAX_VALUES,
    "results": MAX_VALUES,
    "fields": 10_000,
    "imports": 1_000_000,
    "functions": 1_000_000,
    "tables": 100,
    "memories": 100,
    "tags": 1_000_000,
    "globals": 1_000_000,
    "exports": 1_000_000,
    "element segments": 100_000,
    "elements in a segment": 10_000_000,
    "data segments": 100_000,
    "bytes in a name": 100_000,
    "bytes in a function body": 7_654_321,
    "locals": 50_000,
    "targets of a br_table": 65_520,
    "clauses of a try_table": 10_000,
}

MAX_FRAME_SLOTS = 30_000                # above, operands do not fit signed 16-bit slot numbers
MAX_TRACE = 128                         # innermost frames kept of a trap
THROW_TRACE = 33                        # words noted of an exception that wasm throws: it, and innermost frames
TRACEBACK_INNERMOST = 24                # of them that a Python traceback shows,
TRACEBACK_OUTERMOST = 8                 # and outermost ones

DEBUG_READS = 4_000_000                 # of debug information, for one source position: up to half a minute
DEBUG_FILE_SIZE = 1 << 28               # of a file beside a module that has its debug information or source map

COUNTED_CALLEES = 1 << 16               # pairs of indirect call and callee that a counting profile has room for
SAMPLE_DEPTH = 512                      # words of the innermost stacks in a sample
PYTHON_STACKS = 100_000                 # different ones that are remembered from one profile to the next
SAMPLE_RING = 1 << 20                   # buffer for the samples of a thread
SAMPLE_RINGS = 64                       # threads that are sampled at once
LISTED_MODULE = 32 << 20                # functions of larger modules are not printed for perf and gdb

TIER_UP_THRESHOLD = 2_000               # calls plus loop iterations before a function is hot
TIER_UP_RETRY = 1_000_000               # events between two looks whether compiled code has come, should its news get lost
COPIED_LOOP = 1_000                     # wasm instructions of a loop that there are two copies of (codegen.proofs)
PROVEN_GROUPS = 16                      # of accesses in such a loop
COMPILE_SECONDS = 20.0                  # of processor time for one unit, where an Engine names none,
COMPILE_MEMORY = 2 << 30                # and bytes
COMPILED_INSTRUCTIONS = 100_000         # of a function that is compiled at all,
COMPILED_BYTES = 1 << 19                # and bytes
SOON_TEXT = 1 << 20                     # a unit of more characters of IR text is compiled in another process,
SOON_BRANCHES = 2_000                   # or of more targets of branches
UNIT_INSTRUCTIONS = 6_000               # wasm instructions compiled together when tiering up
BULK_VALIDATION = 256 << 10             # modules from this size on are validated by native kernels
KEPT_CODE = 256 << 10                   # of modules from this size on, what runs have made is kept as a whole,
KEPT_MOST = 64 << 20                    # as long as it has no more bytes, native and threaded code each
EXACT_ERRORS = 1 << 20                  # of several faults in a larger one, that in a function may not be the one reported
MODULE_UNIT_INSTRUCTIONS = 15_000       # jit mode: modules up to this size are one unit
JIT_UNIT_INSTRUCTIONS = 3_000           # jit mode: size of a lazily compiled unit of larger modules

BATCH_ELEMENTS = 1_000                  # of arrays, before the loop over them is compiled
BATCH_INLINE = 300                      # wasm instructions of a function that is inlined into it in any case

HELD_EXCEPTIONS = 10_000                # exceptions that wasm took a reference to, between two collections

HOST_FUNCTION_WEIGHT = 16               # a host function that Python gave to wasm counts as so many of them

COPY_WITHOUT_GIL = 1 << 20              # copies between Python and a memory from this size on release the GIL

CHUNK = 8 << 20                         # bulk memory operations look for signals so often

BRIEF_INSTRUCTIONS = 4_000              # a call certain to execute fewer keeps the GIL

CACHE_LIMIT = 512 << 20                 # object cache on disk
CACHE_VARIABLE = "PYJIT_WASM_CACHE"     # a directory, or "off"
DEBUG_VARIABLE = "PYJIT_DEBUG"          # "poison": what is freed is overwritten and protected (runtime.freed)
PERF_VARIABLE = "PYJIT_PERF"            # what `profiling.switches` switches on

WASI_DESCRIPTORS = 4_096                # that one Wasi has open at once
WASI_DIRECT = 256                       # descriptors below this number are read and written without Python
WASI_DIRECT_IOVECS = 16                 # with so many buffers at most
WASI_DIRECT_RANDOM = 256                # random bytes without Python: the system gives so many at once
WASI_TREE_SIZE = 1 << 30                # of a MemoryTree that names no limit
