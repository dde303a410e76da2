"""Arithmetic quiets signalling NaNs, also where a compiler would leave the operation out: x * 1, x + -0, x - 0, x / 1."""
import pytest

CASES = {  # an expression of $x; $c is the constant
    "direct": "({op} (local.get $x) (local.get $c))",
    "a local": "(local.set $c ({t}.const {c})) ({op} (local.get $x) (local.get $c))",
    "a block": "({op} (local.get $x) (block (result {t}) ({t}.const {c})))",
    "a select": "({op} (local.get $x) (select ({t}.const {c}) ({t}.const {c}) (local.get $i)))",
    "an argument": "(call ${t} (local.get $x) ({t}.const {c}))",
    "a branch": "({op} (local.get $x) (if (result {t}) (local.get $i) (then ({t}.const {c})) (else ({t}.const {c}))))",
}
OPERATIONS = (("mul", "1"), ("mul", "-1"), ("div", "1"), ("add", "-0"), ("add", "0"), ("sub", "0"), ("sub", "-0"))
SIGNALLING = {"f32": (0x7FA00001, 0x7FE00001, 0x80000000), "f64": (0x7FF4 << 48 | 1, 0x7FFC << 48 | 1, 1 << 63)}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name, constant", OPERATIONS)
@pytest.mark.parametrize("t", SIGNALLING)
def test_signalling(load, t, name, constant, case):
    body = CASES[case].format(op=f"{t}.{name}", t=t, c=constant)
    inst = load(f"""(module
      (func ${t} (param $x {t}) (param $c {t}) (result {t}) ({t}.{name} (local.get $x) (local.get $c)))
      (func (export "f") (param $x {t}) (param $c {t}) (param $i i32) (result {t}) {body}))""")
    signalling, quiet, sign = SIGNALLING[t]
    [found] = inst.exports.f.call_bits([signalling, 0x3F800000 if t == "f32" else 0x3FF << 52, 1])
    assert found & ~sign == quiet
