"""Modules of one shape and any size, in the binary format: what `test_linear` loads at two sizes, and `test_limits` at the limits.

Every function here gives the bytes of a valid module that has `n` of something, unless it says otherwise.
"""
from pyjit_wasm.binary.encode import MAGIC, SECTIONS, custom_section, name, section, sized, sleb, uleb, vector

I32, I64, F64, V128, FUNCREF, EXTERNREF, EMPTY = b"\x7F", b"\x7E", b"\x7C", b"\x7B", b"\x70", b"\x6F", b"\x40"
BLOCK, LOOP, IF, ELSE, TRY, CATCH_ALL, END = (bytes([code]) for code in (0x02, 0x03, 0x04, 0x05, 0x06, 0x19, 0x0B))
NOP, DROP, RETURN, CALL, I32_ADD = b"\x01", b"\x1A", b"\x0F", b"\x10", b"\x6A"
ZERO = b"\x41\x00"                      # i32.const 0
LOCAL, SET, TEE = b"\x20\x00", b"\x21\x00", b"\x22\x00"     # of local 0
NO_LIMITS = b"\x00\x00"                 # at least 0
NOTHING = b"\x60\x00\x00"               # func
TO_I32 = b"\x60\x00\x01\x7F"            # func (result i32)
I32_TO_I32 = b"\x60\x01\x7F\x01\x7F"
EXPORT_F = vector([name("f") + b"\x00\x00"])


def module(**sections):
    """A module of encoded sections by the names of `encode.SECTIONS`, and `customs`, encoded."""
    customs = sections.pop("customs", b"")
    return MAGIC + b"".join(section(code, sections[title]) for title, code in SECTIONS.items() if title in sections) + customs


def repeated(n, item):
    """A vector of `n` equal items."""
    return uleb(n) + item * n


def body(code, locals_=b"\x00"):
    """An entry of the code section; `locals_` is a vector."""
    return sized(locals_ + code + END)


def function(code, type=TO_I32, locals_=b"\x00", **sections):
    """A module whose only function, exported as `f`, has these instructions."""
    return module(type=vector([type]), func=b"\x01\x00", export=EXPORT_F, code=vector([body(code, locals_)]), **sections)


# --- types

def equal_types(n):
    return module(type=repeated(n, I32_TO_I32))


def different_types(n):
    """Every one with 17 parameters, as a number of which each parameter is a digit."""
    digits = (I32, I64, b"\x7D", F64)
    return module(type=vector([b"\x60\x11" + b"".join([digits[i >> 2 * d & 3] for d in range(17)]) + b"\x00" for i in range(n)]))


def types_with_references(n):
    """Each refers to the one before."""
    return module(type=vector([NOTHING] + [b"\x60\x01\x63" + sleb(i) + b"\x00" for i in range(n)]))


def recursive_groups(n):
    """Of two types that refer to each other and to those before."""
    def group(i):
        first = 2 * i
        return (b"\x4E\x02\x5F\x02\x63" + sleb(first + 1) + b"\x00\x63" + sleb(max(first - 1, 0)) + b"\x00"
                + b"\x5F\x01\x63" + sleb(first) + b"\x01")
    return module(type=vector([group(i) for i in range(n)]))


def one_recursive_group(n):
    """Each type refers to the next one and the one before."""
    types = [b"\x5F\x02\x63" + sleb((i + 1) % n) + b"\x00\x63" + sleb(i - 1 if i else n - 1) + b"\x01" for i in range(n)]
    return module(type=b"\x01\x4E" + vector(types))


def equal_groups(n):
    return module(type=repeated(n, b"\x4E\x01\x5F\x01\x7F\x00"))


def subtypes(n):
    """Chains of 32 types, each of which has the one before as its supertype."""
    return module(type=vector([b"\x50" + (b"\x01" + uleb(i - 1) if i % 32 else b"\x00") + b"\x5F\x00" for i in range(n)]))


def siblings(n):
    """Subtypes of one type."""
    return module(type=vector([b"\x50\x00\x5F\x01\x7F\x00"] + [b"\x50\x01\x00\x5F\x02\x7F\x00\x7F" + bytes([i & 1]) for i in range(n)]))


def fields(n):
    """Structures of 1,000 fields, n in all."""
    return module(type=vector([b"\x5F" + repeated(1_000, I32 + bytes([i & 1])) for i in range(n // 1_000)]))


def block_types(n):
    """A function with blocks of different types, each a type of its own."""
    types = [b"\x60\x00\x01\x63" + sleb(i) for i in range(n)]
    return module(type=vector([NOTHING, *types]), func=b"\x01\x00", code=vector([body(b"".join(
        [BLOCK + sleb(i + 1) + b"\xD0" + sleb(i) + END + DROP for i in range(n)]))]))


# --- imports, exports and index spaces

def imported_functions(n):
    return module(type=vector([NOTHING]), **{"import": repeated(n, name("m") + name("f") + b"\x00\x00")})


def imported_globals(n):
    return module(**{"import": repeated(n, name("m") + name("g") + b"\x03" + I32 + b"\x00")})


def exported_functions(n):
    """One function by many names."""
    return module(type=vector([TO_I32]), func=b"\x01\x00", code=vector([body(ZERO)]),
                  export=vector([name(f"f{i}") + b"\x00\x00" for i in range(n)]))


def functions(n):
    """Of which each is exported."""
    return module(type=vector([TO_I32]), func=repeated(n, b"\x00"), code=repeated(n, body(ZERO)),
                  export=vector([name(f"f{i}") + b"\x00" + uleb(i) for i in range(n)]))


def callers(n):
    """Functions of which the first calls all the others."""
    return module(type=vector([TO_I32]), func=repeated(n, b"\x00"), export=EXPORT_F,
                  code=vector([body(b"".join([CALL + uleb(i) + DROP for i in range(1, n)]) + ZERO), *[body(ZERO)] * (n - 1)]))


def chain_of_calls(n):
    """Each function calls the next one; exported is the last, which calls nothing."""
    return module(type=vector([TO_I32]), func=repeated(n, b"\x00"), export=vector([name("f") + b"\x00" + uleb(n - 1)]),
                  code=vector([*[body(CALL + uleb(i)) for i in range(1, n)], body(ZERO)]))


def defined_globals(n):
    """The value of each is that of the one before."""
    first = I32 + b"\x00" + ZERO + END
    return module(**{"global": vector([first, *[I32 + b"\x00\x23" + uleb(i) + END for i in range(n - 1)]])})


def mutable_globals(n):
    return module(**{"global": repeated(n, FUNCREF + b"\x01\xD0\x70" + END)}, export=vector(
        [name(f"g{i}") + b"\x03" + uleb(i) for i in range(min(n, 100_000))]))


def tags(n):
    return module(type=vector([NOTHING]), tag=repeated(n, b"\x00\x00"))


def function_indices(n):
    """In one element segment."""
    return module(type=vector([NOTHING]), func=b"\x01\x00", code=vector([body(b"")]),
                  table=vector([FUNCREF + b"\x00" + uleb(n)]), elem=b"\x01\x00" + ZERO + END + repeated(n, b"\x00"))


def element_expressions(n):
    """In one element segment."""
    return module(type=vector([NOTHING]), func=b"\x01\x00", code=vector([body(b"")]),
                  table=vector([FUNCREF + b"\x00" + uleb(n)]), elem=b"\x01\x04" + ZERO + END + repeated(n, b"\xD2\x00" + END))


def element_segments(n):
    return module(type=vector([NOTHING]), func=b"\x01\x00", code=vector([body(b"")]),
                  table=vector([FUNCREF + b"\x00\x01"]), elem=repeated(n, b"\x00" + ZERO + END + b"\x01\x00"))


def passive_segments(n):
    return module(type=vector([NOTHING]), func=b"\x01\x00", code=vector([body(b"")]), elem=repeated(n, b"\x01\x00\x01\x00"))


def data_segments(n):
    return module(memory=b"\x01\x00\x01", data=repeated(n, b"\x00" + ZERO + END + b"\x01a"))


def passive_data(n):
    return module(datacount=uleb(n), data=repeated(n, b"\x01\x01a"))


def data_expressions(n):
    """Data segments whose offset is a global, in memory 0 by number."""
    return module(memory=b"\x01\x00\x01", data=repeated(n, b"\x02\x00\x23\x00" + END + b"\x01a"),
                  **{"global": vector([I32 + b"\x00" + ZERO + END])})


# --- custom sections

def customs(n):
    return module(customs=custom_section("c", b"") * n)


def function_names(n):
    """Of functions that there are not."""
    names = vector([uleb(i) + name(f"n{i}") for i in range(n)])
    return function(ZERO, customs=custom_section("name", b"\x01" + sized(names)))


def local_names(n):
    """Of the same local in many functions."""
    names = vector([uleb(i) + b"\x01\x00" + name("l") for i in range(n)])
    return function(ZERO, customs=custom_section("name", b"\x02" + sized(names)))


# --- function bodies

def nested_blocks(n):
    return function((BLOCK + EMPTY) * n + END * n + ZERO)


def nested_blocks_with_results(n):
    return function((BLOCK + I32) * n + ZERO + END * n)


def nested_loops(n):
    return function((LOOP + EMPTY) * n + END * n + ZERO)


def loops(n):
    return function((LOOP + EMPTY + END) * n + LOCAL, I32_TO_I32)


def ifs(n):
    """An `if` behind the other."""
    return function((LOCAL + IF + EMPTY + LOCAL + b"\x41\x01" + I32_ADD + SET + END) * n + LOCAL, I32_TO_I32)


def nested_ifs(n):
    return function((LOCAL + IF + I32) * n + LOCAL + (ELSE + ZERO + END) * n, I32_TO_I32)


def br_tables(n):
    """One with n targets."""
    return function(BLOCK + EMPTY + LOCAL + b"\x0E" + repeated(n, b"\x00") + b"\x00" + END + LOCAL, I32_TO_I32)


def br_table_of_blocks(n):
    """One, each of whose targets is a block of its own."""
    targets = vector([uleb(i) for i in range(n)])
    return function((BLOCK + EMPTY) * (n + 1) + LOCAL + b"\x0E" + targets + uleb(n) + END * (n + 1) + LOCAL, I32_TO_I32)


def branches_out(n):
    """Nested blocks, from the innermost of which branches lead to each."""
    return function((BLOCK + EMPTY) * n + b"".join([LOCAL + b"\x0D" + uleb(i) for i in range(n)]) + END * n + LOCAL, I32_TO_I32)


def operands(n):
    """Deep on the stack, below as many blocks: half of n each."""
    half = n // 2
    return function(LOCAL * half + (BLOCK + EMPTY + END) * half + I32_ADD * (half - 1), I32_TO_I32)


def operands_below_sets(n):
    """Deep on the stack, below as many writes of another local."""
    half = n // 2
    return function(LOCAL * half + (LOCAL + b"\x21\x01") * half + I32_ADD * (half - 1), I32_TO_I32, b"\x01\x01" + I32)


def operands_below_calls(n):
    half = n // 2
    return function(LOCAL * half + (LOCAL + CALL + b"\x00" + DROP) * half + I32_ADD * (half - 1), I32_TO_I32)


def runs_of_locals(n):
    """Declarations of one local each."""
    return function(ZERO, locals_=vector([b"\x01" + (I32, I64)[i & 1] for i in range(n)]))


def empty_runs_of_locals(n):
    """Declarations of no local."""
    return function(ZERO, locals_=repeated(n, b"\x00" + I32))


def functions_with_locals(n):
    """Small functions with 20,000 locals each, 1/100 of n."""
    return module(type=vector([NOTHING]), func=repeated(n // 100, b"\x00"),
                  code=repeated(n // 100, body(b"", b"\x01" + uleb(20_000) + I32)))


def uninitialized_locals(n):
    """That have no default, each of which is set in a block."""
    locals_ = vector([uleb(n) + b"\x64\x70"])
    code = b"".join([BLOCK + EMPTY + b"\xD2\x00\x21" + uleb(i) + b"\x20" + uleb(i) + DROP + END for i in range(n)])
    return function(code + ZERO, TO_I32, locals_)


def instructions(n):
    return function((LOCAL + SET) * n + LOCAL, I32_TO_I32)


def unreachable_code(n):
    return function(LOCAL + RETURN + (BLOCK + EMPTY + END) * n, I32_TO_I32)


def nested_tries(n):
    return function((b"\x1F" + EMPTY + b"\x00") * n + END * n + ZERO)


def older_tries(n):
    """One `try` behind the other, of the older instructions."""
    return function((TRY + EMPTY + NOP + CATCH_ALL + END) * n + ZERO)


def nested_older_tries(n):
    return function((TRY + EMPTY) * n + (CATCH_ALL + END) * n + ZERO)


def functions_with_older_tries(n):
    code = TRY + EMPTY + (LOCAL + SET) * 60 + CATCH_ALL + END + LOCAL
    return module(type=vector([I32_TO_I32]), func=repeated(n, b"\x00"), code=repeated(n, body(code)))


def catch_clauses(n):
    """Of one `try_table`."""
    return function(BLOCK + EMPTY + b"\x1F" + EMPTY + repeated(n, b"\x02\x00") + END + END + ZERO)


def constants_below(n):
    """An initial value that is a sum of n numbers."""
    return module(**{"global": vector([I32 + b"\x00" + ZERO + (ZERO + I32_ADD) * n + END])})


def parameters(n):
    """Of one function, which returns the first."""
    return function(LOCAL, b"\x60" + repeated(n, I64) + b"\x01" + I64)


def results(n):
    """Of one function, all 0."""
    return function(b"\x42\x00" * n, b"\x60\x00" + repeated(n, I64))
