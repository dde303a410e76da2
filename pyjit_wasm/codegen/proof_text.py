"""LLVM IR of a proof, at a loop's entry: whether no access of its groups can trap in any iteration.

Everything is computed in i64, without overflow for a loop that passes: there are 2^32 iterations at most, and steps are below
2^30. An i32 address that stays between 0 and the memory's size is what the sum is modulo 2^32, so nothing wraps.
"""
from pyjit_wasm.codegen.linear import signed
from pyjit_wasm.codegen.proofs import MAX_STEP, MAX_TRIPS, wide


class Proof:
    """Writes a proof into a function body `f`. `last`: the name of the number of the loop's last iteration."""

    def __init__(self, f, plan):
        self._f, self._plan, self._checks = f, plan, []

    def write(self):
        """(the i1 that says whether it holds; of each group the pointer in the first iteration, if the step is constant)."""
        last = self.last = self._last_iteration()
        pointers = [self._group(group, last) for group in self._plan.groups]
        proven = "true"
        for check in self._checks:
            proven = check if proven == "true" else self._let(f"and i1 {proven}, {check}")
        return proven, pointers

    def _let(self, expression):
        return self._f.let(expression)

    def _must(self, comparison):
        self._checks.append(self._let(f"icmp {comparison}"))

    def form(self, form):
        """The value of a form now."""
        f, type = self._f, f"i{form.bits}"
        total = str(form.signed)
        for index, coefficient in form.terms:
            value, own = f.load(f.local_types[index], f.local(index)), f.local_types[index]
            if own != type:
                value = f.let(f"trunc {own} {value} to {type}")
            if coefficient != 1:
                value = f.let(f"mul {type} {value}, {signed(coefficient, form.bits)}")
            total = value if total == "0" else f.let(f"add {type} {total}, {value}")
        return total

    def _wide_step(self, step):
        """A step as i64: an int if it is constant."""
        if not step.terms:
            return step.signed
        value = self.form(step)
        if step.bits == 32:
            value = self._let(f"sext i32 {value} to i64")
        self._must(f"ult i64 {self._let(f'add i64 {value}, {MAX_STEP - 1}')}, {2 * MAX_STEP - 1}")
        return value

    # --- how often

    def _last_iteration(self):
        """Number of the iteration in which the loop's condition fails, from 0 on, as i64."""
        relation, is_signed, value, limit, step = self._plan.count
        advance = self._wide_step(step)
        first, limit = self.form(value), self.form(limit)
        if relation == "ne":
            return self._until_equal(value.bits, advance, first, limit)
        return self._until_passed(value.bits, advance, is_signed, relation, first, limit)

    def _until_equal(self, bits, advance, first, limit):
        ends = (limit, first) if advance > 0 else (first, limit)
        distance = self._unsigned(bits, self._let(f"sub i{bits} {ends[0]}, {ends[1]}"))
        size = abs(advance)
        trips = distance if size == 1 else self._let(f"udiv i64 {distance}, {size}")
        if size & size - 1 == 0:
            if size > 1:
                self._must(f"eq i64 {self._let(f'and i64 {distance}, {size - 1}')}, 0")
        else:
            self._must(f"eq i64 {self._let(f'mul i64 {trips}, {size}')}, {distance}")
        if bits == 64:
            self._must(f"ule i64 {trips}, {MAX_TRIPS}")
        return trips

    def _unsigned(self, bits, value):
        return value if bits == 64 else self._let(f"zext i32 {value} to i64")

    def _until_passed(self, bits, advance, is_signed, relation, first, limit):
        """Iterations until an inequality fails: none if it does at once; the value must get there without wrapping around."""
        sign, up = "s" if is_signed else "u", relation in ("lt", "le")
        holds = self._let(f"icmp {sign}{relation} i{bits} {first}, {limit}")
        ends = (limit, first) if up else (first, limit)
        gap = self._unsigned(bits, self._let(f"sub i{bits} {ends[0]}, {ends[1]}"))
        equal_too = relation in ("le", "ge")
        if isinstance(advance, int):
            size, more = abs(advance), abs(advance) - 1 + equal_too
        else:
            self._must(f"sgt i64 {advance}, 0")
            size = self._let(f"call i64 @llvm.umax.i64(i64 {advance}, i64 1)")
            more = size if equal_too else self._let(f"sub i64 {size}, 1")
        rounded = gap if more == 0 else self._let(f"add i64 {gap}, {more}")
        trips = rounded if size == 1 else self._let(f"udiv i64 {rounded}, {size}")
        trips = self._let(f"select i1 {holds}, i64 {trips}, i64 0")
        self._stays_in_range(bits, is_signed, up, size, equal_too, first, limit, gap, trips)
        return trips

    def _stays_in_range(self, bits, is_signed, up, size, equal_too, first, limit, gap, trips):
        """The value in the last iteration is one that its type has."""
        if bits == 32:
            if size == 1 and not equal_too:
                return
            extend = "sext" if is_signed else "zext"
            start = self._let(f"{extend} i32 {first} to i64")
            way = self._let(f"mul i64 {trips}, {size}")
            last = self._let(f"{'add' if up else 'sub'} i64 {start}, {way}")
            lowest, highest = (-1 << 31, (1 << 31) - 1) if is_signed else (0, (1 << 32) - 1)
            self._must(f"sle i64 {last}, {highest}" if up else f"sge i64 {last}, {lowest}")
            return
        # of 64 bits, whose steps are constant: the limit stays away from the end of the type
        self._must(f"ule i64 {trips}, {MAX_TRIPS}")
        margin = size - 1 + equal_too
        if margin:
            self._must(f"sge i64 {gap}, 0")     # it was rounded up without overflow
            lowest, highest = (-1 << 63, (1 << 63) - 1) if is_signed else (0, -1)
            sign = "s" if is_signed else "u"
            self._must(f"{sign}le i64 {limit}, {highest - margin}" if up else f"{sign}ge i64 {limit}, {lowest + margin}")

    # --- how far

    def _group(self, group, last):
        f = self._f
        bytes_ = f.load("i64", f.memory_size_local(group.memory))
        start = self.form(group.start)
        if wide(f.module, group.memory):
            self._must(f"ule i64 {start}, {bytes_}")
        else:
            start = self._unsigned(32, start)
        step = self._wide_step(group.step)
        trips = last if group.whole else self._let(f"sub i64 {last}, 1")
        low, high = self._travel(step, trips)
        if low is not None or group.low:
            bottom = start if low is None else self._let(f"add i64 {start}, {low}")
            self._must(f"sge i64 {bottom}, {-group.low}")
        top = start if high is None else self._let(f"add i64 {start}, {high}")
        self._must(f"sle i64 {top}, {self._let(f'sub i64 {bytes_}, {group.high}')}")
        return self._pointer(group.memory, start) if isinstance(step, int) else None

    def _pointer(self, memory, start):
        """Made of a number, so that LLVM takes each group's pointer for one of an object of its own: its checks whether
        groups overlap otherwise compare accesses of one group with each other too, which overlap."""
        base = self._let(f"ptrtoint ptr %mem{memory} to i64")
        return self._let(f"inttoptr i64 {self._let(f'add i64 {base}, {start}')} to ptr")

    def _travel(self, step, trips):
        """How far down and up the pointer gets from where it starts: names of i64, or None for 0."""
        if step == 0:
            return None, None
        way = self._let(f"mul i64 {step}, {trips}")
        if isinstance(step, int):
            return (None, way) if step > 0 else (way, None)
        return tuple(self._let(f"call i64 @llvm.s{which}.i64(i64 {way}, i64 0)") for which in ("min", "max"))
