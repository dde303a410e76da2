"""Types and values of random modules, as text (see `generator`), and the choices that modules are grown from.

A reference type is spelled out: `(ref null func)`, `(ref $t2)`. NaN bits are not determined: a value is *dirty* where
it may hold such a NaN, and its dirt is the type or shape of the floats in it.
"""
from oracle import BITS, INF, SIGN, number

SCALARS = ("i32", "i64", "f32", "f64")
NUMBERS = (*SCALARS, "v128")
ADDRESSES = ("i32", "i64")
FUNC, EXN = "(ref null func)", "(ref null exn)"
EDGES = (0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 63, 64, 255, 256, 1000, 4096, 65528, 65535, 65536, 0x7FFFFFFF, 0x80000000,
         0xFFFFFFFF, 0xFFFFFFFE, 0x7F800000, 0x3F800000, 0x7FA00000, 1 << 63, (1 << 64) - 1, (1 << 63) - 1,
         0x3FF << 52, 0x7FF << 52, 0x41DFFFFFFFC00000)


LANES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x3F80, 0x3FF0, 0x7F80, 0x7FF0, 0x280, 0x80FF)    # 16 bits


class Choices:
    """Numbers to decide by: given ones, then random ones while there is a generator, then zeros."""

    def __init__(self, given=(), rng=None):
        self.given, self.rng, self.made = given, rng, []

    def below(self, count):
        if len(self.made) < len(self.given):
            choice = self.given[len(self.made)] % count
        else:
            choice = self.rng.randrange(count) if self.rng else 0
        self.made.append(choice)
        return choice

    def of(self, options):
        return options[self.below(len(options))]

    def chance(self, one_in):
        """False is the simplest."""
        return self.below(one_in) == one_in - 1


def bits(choices):
    """Raw bits of some constant."""
    if choices.chance(4):
        return sum(choices.below(256) << 8 * i for i in range(8))
    return choices.of(EDGES)


def some_constant(choices, t):
    """Of a number; those of v128 are of small lanes or of two large ones."""
    if t != "v128":
        return constant(t, bits(choices))
    if choices.chance(2):
        return constant(t, *(sum(choices.of(LANES) << 16 * i for i in range(4)) for _ in range(2)))
    return constant(t, bits(choices), bits(choices))


# --- references

def is_reference(t):
    return t.startswith("(ref ")


def is_nullable(t):
    return t.startswith("(ref null ")


def heap(t):
    return t.rstrip(")").split()[-1]


def without_null(t):
    return t.replace(" null", "")


def default(t):
    """The simplest value."""
    if is_nullable(t):
        return f"(ref.null {heap(t)})"
    if is_reference(t):
        return "(ref.func $d0)" if heap(t) == "func" else f"(ref.func $d{heap(t)[2:]})"
    return constant(t, 0)


def defaults(types):
    return " ".join(map(default, types))


# --- numbers

def constant(t, low, high=0):
    """Of raw bits; `high` for the other half of a v128."""
    if t == "v128":
        return f"(v128.const i64x2 {low} {high})"
    low &= (1 << BITS[t]) - 1
    if t[0] == "i":
        return f"({t}.const {low})"
    magnitude = low & ~SIGN[t]
    if magnitude > INF[t]:
        text = f"nan:{magnitude - INF[t]:#x}"
    else:
        text = number(t, magnitude).hex()
    return f"({t}.const {'-' if low & SIGN[t] else ''}{text})"


def canonical(dirt, text):
    """A value without the dirt: canonical NaNs for all others."""
    t = "v128" if "x" in dirt else dirt
    same = f"({dirt}.eq (local.get ${t}) (local.get ${t}))"
    if t == "v128":
        return f"(v128.bitselect (local.tee $v128 {text}) ({dirt}.splat ({dirt[:3]}.const nan)) {same})"
    return f"(select (local.tee ${t} {text}) ({t}.const nan) {same})"


def widened(t, text):
    """A value as i64s with its bits; of a reference, whether it is null."""
    if is_reference(t):
        return [f"(i64.extend_i32_u (ref.is_null {text}))"]
    return {"i32": [f"(i64.extend_i32_u {text})"], "i64": [text], "f64": [f"(i64.reinterpret_f64 {text})"],
            "f32": [f"(i64.extend_i32_u (i32.reinterpret_f32 {text}))"],
            "v128": [f"(i64x2.extract_lane {lane} {text})" for lane in (0, 1)]}[t]


def width(t):
    """How many i64s a value is."""
    return 2 if t == "v128" else 1


def narrowed(t, first):
    """The value of a type with the bits of the i64s that are parameters from `first` on."""
    text = f"(local.get {first})"
    if is_reference(t):
        if t == EXN or not is_nullable(t):
            return default(t)
        function = default(without_null(t))
        return f"(select (result {t}) {function} {default(t)} (i32.wrap_i64 {text}))"
    return {"i32": f"(i32.wrap_i64 {text})", "i64": text, "f64": f"(f64.reinterpret_i64 {text})",
            "f32": f"(f32.reinterpret_i32 (i32.wrap_i64 {text}))",
            "v128": f"(i64x2.replace_lane 1 (i64x2.splat {text}) (local.get {first + 1}))"}[t]
