"""The structs that Python and generated code share: offsets are computed here and nowhere else.

All fields are eight bytes, so a struct is a list of names. `EXEC_ENV.top` is the byte offset of the
field, `EXEC_ENV.size` the struct's size in bytes.
"""
import types


class Struct:
    """Byte offsets of eight-byte fields as attributes."""

    def __init__(self, *fields):
        self.fields = fields
        for index, name in enumerate(fields):
            setattr(self, name, 8 * index)
        self.size = 8 * len(fields)


# What executes wasm needs one: first parameter of every native frame (WAMR: WASMExecEnv).
EXEC_ENV = Struct(
    "jmp",            # jmp_buf of the innermost entry from Python
    "native_limit",   # guest code traps when the machine stack pointer is below
    "stack",          # stack buffer: first byte,
    "stack_end",      # and first byte past it
    "top",            # where the next interpreter activation may put frames
    "exit_fp",        # frame through which the innermost interpreter activation called out
    "activation",     # innermost ACTIVATION, 0 without
    "entry_fp",       # machine frame of the innermost entry from Python: stack walks end there
    "status",         # why the entry was left by longjmp: a trap code, or PYTHON_EXCEPTION
    "thread",         # THREAD that runs this exec_env, 0 when idle
    "owner",          # where the THREAD stands that may run it, 0 when idle, 1 while a signal handler interrupts it:
    "owned",          # here, unless it is shared with other exec_envs (runtime.ownership)
    "tstate",         # PyThreadState while the GIL is released, else 0
    "trace",          # code addresses taken by the last trap: array of MAX_TRACE words,
    "trace_len",      # how many are filled
    "request",        # the number of the call that is running once somebody wants to interrupt it, else 0 (codegen.threads)
    # how an interpreter activation goes on when its outermost frame made a tail call to native code:
    "next_entry",     # what calls it with the arguments of a frame,
    "next_func",      # its FUNC,
    "next_fp",        # and that frame
    "exception",      # EXN that is on its way
    "frame",          # the innermost BUFFER_FRAME
    "pending",        # 1 while a failed call from C waits to be reported; `owner` points here then
    "step_limit",     # code for single steps asks `step` before each instruction in frames up to this address
)
PYTHON_EXCEPTION = 0xFFFF

# One for each thread that ran wasm, found by pthread_getspecific.
THREAD = Struct(
    "env", "native_limit",
    "interrupted",    # a signal came where it could not be acted on: look at it soon
    "id",             # its pthread_t,
    "native_id",      # and its id in the system
    "next", "previous",  # of the list of them all
    "tries",          # how often to look yet whether it has entered guest code since SIGINT came
    "batch_failed",   # a loop over arrays failed: its exception may still be set
    # while guest code waits for the host:
    "outside",        # machine frame that called out, else 0,
    "func",           # FUNC of the host function, 0 of a service
    "entry",          # the innermost ENTRY
    "python",         # number of the Python stack below the innermost entry, 0 until it is wanted (runtime.samples)
    "ring",           # RING that its samples go to,
    "session",        # as long as that is RUNTIME.session,
    "looks",          # 1 while Python has been told to look at its stack
    "overflow",       # arguments and results that do not fit registers: 16 bytes each
)

# Those that live: a list by `next`, and the pthread_mutex_t without which nobody looks at it (8 words)
THREADS = Struct("first", "mutex")
MUTEX_WORDS = 8

# What an entry that wasm waits for, in the same thread, keeps of that: see EXEC_ENV and THREAD
ENTRY = Struct("previous", "env", "activation", "exit_fp", "entry_fp", "outside", "func", "python")

# What an export calls: exec_env, function, 1 when the GIL is kept; for callers from numba the trampoline `njit_enter`,
# 0 until there is one.
CALL_SITE = Struct("env", "func", "keep_gil", "njit_enter")

# The same for loops over arrays (codegen.batch).
BATCH = Struct(
    *CALL_SITE.fields,
    "code",           # native code of a loop, 0: each element is a call
    "left",           # elements until `prepare_batch` is asked for code
)

# A function instance (spec 4.2.6). `entry` and `ip` are the only links between tiers.
FUNC = Struct(
    "entry",          # native code, C calling convention: (nest FUNC, exec_env, instance, params...)
    "ip",             # threaded code
    "inst",           # INSTANCE block
    "type_id",        # types.DefType.id
    "counter",        # calls and loop iterations until tier-up is asked for
    "host",           # host functions: PyObject * or C function pointer; else funcidx
    # the same two for callers whose module has exceptions, 0 until `status_entry` provides them:
    "status_entry",   # returns a status behind the results: 0, or the EXN that is thrown
    "status_ip",
)

# The FUNC of a WASI function that generated code answers (codegen.wasi_calls).
WASI_FUNC = Struct(
    *FUNC.fields,
    "memory",         # the caller's MEM, 0 if it exports none or Python has to be asked
    "descriptors",    # DIRECT of each descriptor below config.WASI_DIRECT
    "python",         # the entry that asks Python, `py_host`, for whatever is unusual
)

# A descriptor of a WASI guest that is read and written without Python.
DIRECT = Struct(
    "read", "write",  # the host descriptor plus 1, 0 where Python has to be asked
    "calls",          # how many are using it now: its object is not released before they have ended
    "object",         # PyObject * of the descriptor, whose host descriptor is open as long as it is here
)

MEM = Struct("base", "bytes", "max_pages", "guarded", "shared", "object")
TABLE = Struct("elems", "length", "max", "object")
TAG = Struct("held", "object")  # how many exceptions of it are held, the TagInst
EXN = Struct("tag", "held", "next")  # the payload follows; `next` of those that are held
HELD, KEEPS_PYTHON = 1, 2    # `held`: wasm has a reference to it; freeing it takes Python
SPAN = Struct("base", "length")  # data and element segments: length in bytes, in elements

# What the interpreter leaves behind in machine frames: native_to_interp's local.
ACTIVATION = Struct("previous", "frame", "exit_fp")

# An interpreter frame: fp points at this header, parameters and results lie below it,
# locals and operands above. All slots are eight bytes; a v128 takes two.
FRAME = Struct("return_ip", "caller_fp")

# The EXN that the interpreter looks for who catches it, and the frame and its INSTANCE where it is thrown, then where it is caught.
UNWINDING = Struct("fp", "inst", "exception")

# A frame of a compiled function in the stack buffer, where those are wanted: `offset`, of its last call
BUFFER_FRAME = Struct("previous", "inst", "funcidx", "offset")

# Process-wide words that generated code reads; the loader gives them addresses.
RUNTIME = Struct("guest_lo", "guest_hi", "handlers_lo", "handlers_hi", "vectors_lo", "vectors_hi",
                 "checked_lo", "checked_hi", "checked_vectors_lo", "checked_vectors_hi",  # handlers with explicit bounds
                 "ranges", "range_count", "thread_key", "service",
                 "actions",        # struct sigaction by signal: what our handlers chain to
                 "retry_timer", "main_thread",
                 "main_id",        # native id of the main thread
                 "threads",        # THREADS
                 "held",           # EXNs that native code has noted as held: a list by `next`,
                 "held_count",     # how many since the last collection,
                 "held_limit",     # after how many the next is due
                 "crossings",      # where the number of entries is that have references on their way (runtime.crossings),
                 "open_crossings",  # and the number of Python functions
                 "frame",          # functions: `rt_frame`,
                 "note_held",      # `rt_note_held`,
                 "add",            # `rt_add`,
                 "scan",           # `rt_scan`,
                 "stack",          # `rt_stack`
                 "thread_begins",  # `rt_thread_begins`,
                 "reach",          # `rt_reach`,
                 "living",         # `rt_living`
                 "rings",          # the first of SAMPLE_RINGS,
                 "session",        # during which samples are taken, 0: none are,
                 "sample_python",  # whether with Python stacks,
                 "python_looks")   # and whether Python's handler of their signal is there

# What `rt_scan` looks for, and where: `numbers`, ascending, and a byte of `marks` for each that is found; `ranges` of words
# (first, end), EXEC_ENVs at `envs` with what is used of their stack buffers, and this thread's machine stack up to `stack_end`.
# An EXEC_ENV that another thread than `thread` runs forbids it, and so do crossings.
SCAN = Struct("numbers", "number_count", "marks", "ranges", "range_count", "stack_end", "envs", "env_count", "thread")

# Where a thread's samples go: its native id, words written and read so far, samples lost; the samples follow
RING = Struct("thread", "head", "tail", "lost")
# A sample: words, state of the thread, si_code of the signal, nanoseconds (CLOCK_MONOTONIC), number of the Python stack that
# called the wasm, if that runs; code addresses follow, as `rt_outer` writes them
SAMPLE = Struct("length", "where", "reason", "time", "python")
SAMPLED = types.SimpleNamespace(outside=0, interpreted=1, native=2, runtime=3)  # SAMPLE.where

# What generated code asks of Python, through one door (runtime.services).
SERVICES = ("prepare", "tier_up", "new_thread", "memory_grow", "table_grow", "trap_error", "raise_arity",
            "raise_in_use", "raise_requested", "to_ref", "to_checked_ref", "from_ref", "matches_type", "unwind",
            "exception_error", "take_exception", "drop_exception", "collect_exceptions",
            "status_entry", "keep_pending", "prepare_batch", "memory_wait32", "memory_wait64", "memory_notify",
            "python_stack", "step", "add_traceback")
SERVICE = {name: number for number, name in enumerate(SERVICES)}


# The header of an INSTANCE: the ModuleInstance, whether its module has exceptions, its counters (runtime.counts)
INSTANCE_OBJECT, INSTANCE_STATUS, INSTANCE_COUNTS, FIRST_MEMORY = 0, 8, 16, 32

# How often an indirect call, by the place of its counter, has called a FUNC
CALLEE = Struct("site", "func", "count")


class InstanceLayout:
    """Byte offsets inside the INSTANCE block of one module.

    memories[i] (base, MEM *), tables[i] (TABLE *), globals[i] (16-byte cell of a defined global, or
    pointer to the cell of an imported one), type_ids[i] (DefType.id), tags[i] (TagInst), datas[i] and elems[i] (SPAN),
    imports[i] (FUNC * of imported functions), funcs[i] (FUNC of functions, imported ones unused).
    """

    def __init__(self, module):
        self.offset = FIRST_MEMORY
        imported = len(module.globals) - len(module.global_defs)
        self.memories = self._array(len(module.mems), 16)
        self.tables = self._array(len(module.tables), 8)
        self.globals = self._array(imported, 8)
        self.offset = (self.offset + 15) & ~15
        self.globals += self._array(len(module.global_defs), 16)
        self.type_ids = self._array(len(module.types), 8)
        self.tags = self._array(len(module.tags), 8)
        self.datas = self._array(len(module.datas), SPAN.size)
        self.elems = self._array(len(module.elems), SPAN.size)
        self.imports = self._array(module.imported_funcs, 8)
        self.first_func = self.offset
        self.funcs = [0] * module.imported_funcs + self._array(len(module.codes), FUNC.size)
        self.size = self.offset

    def _array(self, count, stride):
        start, self.offset = self.offset, self.offset + count * stride
        return [start + i * stride for i in range(count)]


