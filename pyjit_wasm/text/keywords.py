"""Every keyword of the text format and of test scripts, to tell the unknown from the misplaced."""
from pyjit_wasm.binary.encode import HEAP_TYPES, NUMBER_TYPES, PACKED_TYPES, REFERENCE_SHORTHANDS
from pyjit_wasm.opcodes import BY_NAME

# lanes of the vector shapes: bits per lane by shape
SHAPES = {"i8x16": 8, "i16x8": 16, "i32x4": 32, "i64x2": 64, "f32x4": 32, "f64x2": 64}

MODULE = """module type rec sub final struct array field mut func param result local import export table memory
    global tag elem item declare data offset start ref null shared then do catch_ref catch_all_ref""".split()
SCRIPT = """binary quote definition instance register invoke get either input output script assert_return
    assert_trap assert_exhaustion assert_malformed assert_malformed_custom assert_invalid assert_invalid_custom
    assert_unlinkable assert_exception ref.extern ref.host ref.struct ref.array ref.any
    nan:canonical nan:arithmetic""".split()

KEYWORDS = frozenset([*BY_NAME, *MODULE, *SCRIPT, *SHAPES, *HEAP_TYPES, *NUMBER_TYPES, *PACKED_TYPES,
                      *REFERENCE_SHORTHANDS])
