"""Orders: from CSV into SQLite, out as JSON, packed and signed; with what the standard library has."""
import collections
import csv
import dataclasses
import decimal
import fractions
import hashlib
import json
import re
import sqlite3
import sys
import unicodedata
import zlib


@dataclasses.dataclass(order=True)
class Order:
    customer: str
    item: str
    count: int
    price: decimal.Decimal

    @property
    def total(self):
        return self.count * self.price


def orders(path):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Order(row["customer"], row["item"], int(row["count"]), decimal.Decimal(row["price"]))


def totals(rows):
    with sqlite3.connect("/orders.db") as base:
        base.execute("create table orders (customer text, item text, count integer, cents integer)")
        base.executemany("insert into orders values (?, ?, ?, ?)",
                         [(o.customer, o.item, o.count, int(o.price * 100)) for o in rows])
        base.execute("create index customers on orders (customer)")
        return base.execute("""select customer, sum(count * cents), group_concat(distinct item) from orders
                               group by customer having sum(count) > 1 order by 2 desc""").fetchall()


def primes(limit):
    sieve = bytearray([1]) * limit
    for n in range(2, limit):
        if sieve[n]:
            yield n
            sieve[n * n::n] = bytes(len(range(n * n, limit, n)))


rows = sorted(orders("/orders.csv"))
plain = "".join(c for c in unicodedata.normalize("NFD", rows[-1].customer) if not unicodedata.combining(c))
report = {
    "totals": totals(rows),
    "items": collections.Counter(o.item for o in rows).most_common(2),
    "sum": str(sum(o.total for o in rows)),
    "plain": plain,
    "names": re.findall(r"\b\w+(?=,)", open("/orders.csv", encoding="utf-8").read())[:3],
    "harmonic": str(sum(fractions.Fraction(1, n) for n in range(1, 30))),
    "primes": sum(primes(20_000)),
    "pi": f"{sum((-1) ** n / (2 * n + 1) for n in range(5000)) * 4:.12f}",
}
text = json.dumps(report, indent=1, ensure_ascii=False)
packed = zlib.compress(text.encode() * 50, 9)
assert zlib.decompress(packed) == text.encode() * 50
with open("/report.json", "w", encoding="utf-8") as out:
    out.write(text + "\n")
print(hashlib.sha256(text.encode()).hexdigest(), len(rows), sep="\n")
try:
    rows[len(rows)]
except IndexError as error:
    print(error, file=sys.stdout)
sys.exit(len(report))
