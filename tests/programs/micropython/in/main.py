# Host functions, generators, closures, exceptions, big integers and floats.
import json
import host


def call(name, *args, **kwargs):
    answer = json.loads(host.call(name, json.dumps({"args": args, "kwargs": kwargs})))
    if not answer["ok"]:
        raise RuntimeError(answer["error"])
    return answer["value"]


class Matrix:
    def __init__(self, rows):
        self.rows = rows

    def __matmul__(self, other):
        columns = list(zip(*other.rows))
        return Matrix([[sum(a * b for a, b in zip(row, column)) for column in columns] for row in self.rows])


def fibonacci(n, one=Matrix([[1, 1], [1, 0]])):
    result = Matrix([[1, 0], [0, 1]])
    while n:
        if n & 1:
            result = result @ one
        one, n = one @ one, n >> 1
    return result.rows[0][1]


def queens(size, row=0, columns=frozenset(), sums=frozenset(), differences=frozenset()):
    if row == size:
        return 1
    return sum(queens(size, row + 1, columns | {c}, sums | {row + c}, differences | {row - c}) for c in range(size)
               if c not in columns and row + c not in sums and row - c not in differences)


print(fibonacci(300), queens(6), call("power", 2, 100), call("join", "a", "b", "c", by="-"))
try:
    call("fail")
except RuntimeError as error:
    print("RuntimeError:", error)
total = 0.0
for i in range(1, 20000):
    total += 1 / i ** 2
print("%.9f" % total, sorted({"x": 1, "y": 2}.items()), bytes(range(65, 70)).decode(), 7 // -2, -7 % 3)
raise SystemExit(3)
