"""Table instructions of random functions."""


def change(body):
    """One of the instructions that write to a table."""
    tables = body.generator.tables
    number = body.choices.below(len(tables))
    address, t = tables[number]
    same = [n for n, table in enumerate(tables) if table.type == t]
    other = body.choices.of(same)
    least = "i32" if "i32" in (address, tables[other].address) else "i64"
    return body.choices.of((set_, copy, fill, init, grow, elem_drop))(body, number, other, least)


def set_(body, number, other, least):
    address, t = body.generator.tables[number]
    return f"(table.set $table{number} {body.index(address)} {body.clean(t)})"


def copy(body, number, other, least):
    tables = body.generator.tables
    return (f"(table.copy $table{number} $table{other} {body.index(tables[number].address)} "
            f"{body.index(tables[other].address)} {body.index(least)})")


def fill(body, number, other, least):
    address, t = body.generator.tables[number]
    return f"(table.fill $table{number} {body.index(address)} {body.clean(t)} {body.index(address)})"


def init(body, number, other, least):
    address = body.generator.tables[number].address
    return f"(table.init $table{number} $elem{other} {body.index(address)} {body.index('i32')} {body.index('i32')})"


def grow(body, number, other, least):
    address, t = body.generator.tables[number]
    count = f"({address}.and {body.expression(address)} ({address}.const 1))"
    return f"(drop (table.grow $table{number} {body.clean(t)} {count}))"


def elem_drop(body, number, other, least):
    return f"(if {body.condition()} (then (elem.drop $elem{number})))"


def size(body, t, depth):
    found = [n for n, table in enumerate(body.generator.tables) if table.address == t]
    return (f"(table.size $table{body.choices.of(found)})" if found else body.leaf(t)), ""


def is_null(body, t, depth):
    if t != "i32":
        return body.leaf(t), ""
    return f"(ref.is_null {body.clean(body.generator.reference(), depth)})", ""


STATEMENTS = (change, change)
SIZES = (size, is_null)
