"""Element and data segments (spec 6.6.10, 6.6.11)."""
from pyjit_wasm.binary import encode
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.text.typedefs import VALUE_TYPES

FUNCREF = VALUE_TYPES["funcref"]
CONST = {addr: encode.opcode(BY_NAME[f"{addr}.const"].code) for addr in ("i32", "i64")}
REF_FUNC = encode.opcode(BY_NAME["ref.func"].code)
# flags of element segments
NOT_ACTIVE, EXPLICIT, EXPRESSIONS = 1, 2, 4   # EXPLICIT: table index if active, else declarative


def zero_offset(addr):
    """The constant expression 0 as an address."""
    return CONST[addr] + b"\0" + encode.END


def offset(module):
    """`(offset expr)` or a single folded instruction."""
    if not module.tokens.open("offset"):
        return module.expression(folded=True)
    expression = module.expression()
    module.tokens.close()
    return expression


def at_offset(tokens):
    """Whether an active segment's offset comes next, rather than a reference type or an item."""
    return tokens.peek() == "(" and tokens.peek(1) != "ref"


def elem(module):
    """The field `(elem ...)` after its identifier."""
    tokens = module.tokens
    if tokens.take("declare"):
        return elem_segment(NOT_ACTIVE | EXPLICIT, 0, b"", *elem_list(module))
    if not tokens.at_natural() and not at_offset(tokens):
        return elem_segment(NOT_ACTIVE, 0, b"", *elem_list(module))
    may_abbreviate = not tokens.at_open("table")
    table = target(module, "table")
    head = offset(module)
    abbreviated = may_abbreviate and (tokens.at_index() or tokens.peek() == ")")
    items = (None, function_indices(module)) if abbreviated else elem_list(module)
    return elem_segment(0, table, head, *items)


def target(module, kind):
    """The index in `(table x)` or `(memory x)`, 0 where that is absent. Older texts write the number alone."""
    tokens = module.tokens
    if not tokens.open(kind):
        return tokens.natural() if tokens.at_natural() else 0
    index = module.spaces[kind].index(tokens)
    tokens.close()
    return index


def elem_segment(flags, table, head, reftype, items):
    """`reftype` None: `items` are function indices, otherwise expressions."""
    kind = b"\0"
    if reftype is not None:
        flags |= EXPRESSIONS
        kind = reftype
    if not flags & NOT_ACTIVE:
        if table or reftype not in (None, FUNCREF):
            flags |= EXPLICIT
            head = encode.uleb(table) + head
        else:
            kind = b""
    return encode.uleb(flags) + head + kind + encode.vector(items)


def elem_list(module):
    """`func x*` or `reftype expr*`: the reference type, None for `func`, and the items."""
    if module.tokens.take("func"):
        return None, function_indices(module)
    reftype = module.types.reference_type()
    return reftype, elem_expressions(module)


def function_indices(module):
    items = []
    while module.tokens.peek() != ")":
        items.append(encode.uleb(module.spaces["func"].index(module.tokens)))
    return items


def elem_expressions(module):
    items, tokens = [], module.tokens
    while tokens.peek() != ")":
        if tokens.open("item"):
            items.append(module.expression())
            tokens.close()
        else:
            items.append(module.expression(folded=True))
    return items


def inline_elem(module, table, addr, reftype):
    """`(elem ...)` inside a table: the segment and how many items it has."""
    tokens = module.tokens
    if not tokens.open("elem"):
        raise tokens.unexpected()
    if tokens.peek() == "(":
        items = elem_expressions(module)
    else:
        items = function_indices(module)
        if reftype == FUNCREF:
            reftype = None
        else:
            items = [REF_FUNC + item + encode.END for item in items]
    tokens.close()
    return elem_segment(0, table, zero_offset(addr), reftype, items), len(items)


def data(module):
    """The field `(data ...)` after its identifier."""
    tokens = module.tokens
    if not tokens.at_natural() and tokens.peek() != "(":
        return b"\1" + encode.sized(tokens.strings())
    memory = target(module, "memory")
    return active_data(memory, offset(module), tokens.strings())


def active_data(memory, head, contents):
    prefix = b"\2" + encode.uleb(memory) if memory else b"\0"
    return prefix + head + encode.sized(contents)
