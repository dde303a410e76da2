"""Types in text (spec 6.4) to their binary form, and type uses (spec 6.6.4).

Types stay encoded: two value types are equal where their bytes are. A signature is a pair of tuples of
encoded value types.
"""
from pyjit_wasm.binary import encode
from pyjit_wasm.text.spaces import Space, Unreferenced

VALUE_TYPES = encode.NUMBER_TYPES | encode.REFERENCE_SHORTHANDS
STORAGE_TYPES = VALUE_TYPES | encode.PACKED_TYPES
IMMUTABLE, MUTABLE = b"\0", b"\1"


class Types:
    """The type section in the making, and the parser of everything made of types.

    `signatures` and `fields` have for every type index a signature and a Space of fields, or None;
    `plain` maps signatures to the least index of a type that is that function type and nothing else.

    Types that type uses define come last, so one may be used by its number before it is there: `forward`
    notes that. Who assembles the module once more then knows its signatures: those `foreseen`.
    """

    def __init__(self, tokens, foreseen=None):
        self.tokens = tokens
        self.space = Space("type")
        self.entries, self.signatures, self.fields = [], [], []
        self.plain = {}
        self.foreseen, self.forward = foreseen, False

    # definitions

    def define(self, positions):
        """A recursive group, `positions` after the identifiers of its types."""
        group = []
        for position in positions:
            self.tokens.position = position
            group.append(self.sub_type())
        self.entries.append(group[0] if len(group) == 1 else encode.REC + encode.vector(group))
        if len(group) == 1 and self.signatures[-1] and group[0] == function_type(self.signatures[-1]):
            self.plain.setdefault(self.signatures[-1], len(self.signatures) - 1)

    def sub_type(self):
        """A sub type up to the parenthesis that closes the definition, final without supertypes unless it
        says otherwise."""
        tokens = self.tokens
        if not tokens.open("sub"):
            encoded = self.composite_type()
        else:
            final = tokens.take("final")
            supers = []
            while tokens.at_index():
                supers.append(encode.uleb(self.space.index(tokens)))
            composite = self.composite_type()
            tokens.close()
            code = encode.SUB_FINAL if final else encode.SUB
            encoded = composite if final and not supers else code + encode.vector(supers) + composite
        tokens.close()
        return encoded

    def composite_type(self):
        tokens = self.tokens
        tokens.expect("(")
        parse = _COMPOSITE.get(tokens.peek())
        if parse is None:
            raise tokens.unexpected()
        tokens.next()
        encoded = parse(self)
        tokens.close()
        return encoded

    def function(self):
        signature = self.signature(Unreferenced("local"))
        self.signatures.append(signature)
        self.fields.append(None)
        return function_type(signature)

    def struct(self):
        tokens, types = self.tokens, []
        fields = Space("field")
        self.signatures.append(None)
        self.fields.append(fields)
        while tokens.open("field"):
            types += self.named(fields, self.field_type)
        return encode.STRUCT + encode.vector(types)

    def array(self):
        self.signatures.append(None)
        self.fields.append(None)
        return encode.ARRAY + self.field_type()

    def field_type(self):
        if not self.tokens.open("mut"):
            return self.storage_type() + IMMUTABLE
        storage = self.storage_type()
        self.tokens.close()
        return storage + MUTABLE

    # uses

    def value_type(self):
        return self.one_of(VALUE_TYPES) or self.reference_type()

    def storage_type(self):
        return self.one_of(STORAGE_TYPES) or self.reference_type()

    def reference_type(self):
        nullable, heap = self.reference()
        if not nullable:
            return encode.REF + heap
        return heap if heap in _ABSTRACT else encode.REF_NULL + heap

    def one_of(self, codes):
        """The code of the next token, None where it has none."""
        code = codes.get(self.tokens.peek())
        if code is not None:
            self.tokens.next()
        return code

    def reference(self):
        """A reference type as nullability and encoded heap type."""
        tokens = self.tokens
        shorthand = self.one_of(encode.REFERENCE_SHORTHANDS)
        if shorthand:
            return True, shorthand
        if not tokens.open("ref"):
            raise tokens.unexpected()
        nullable = tokens.take("null")
        heap = self.heap_type()
        tokens.close()
        return nullable, heap

    def heap_type(self):
        return self.one_of(encode.HEAP_TYPES) or encode.sleb(self.space.index(self.tokens))

    def named(self, space, parse):
        """The rest of `(param ...)`, `(local ...)`, `(field ...)`: one item with a name or many without; their
        types as a list."""
        tokens, types = self.tokens, []
        if space.name_follows(tokens):
            space.bind(tokens)
            types.append(parse())
        else:
            while tokens.peek() != ")":
                space.anonymous()
                types.append(parse())
        tokens.close()
        return types

    def signature(self, params=None):
        """`(param ...)* (result ...)*`; parameters are bound in the Space `params`, and without one have no names."""
        tokens = self.tokens
        parameters, results = [], []
        while tokens.open("param"):
            parameters += self.list_to_close() if params is None else self.named(params, self.value_type)
        while tokens.open("result"):
            results += self.list_to_close()
        if tokens.at_open("param"):
            raise tokens.unexpected()
        return tuple(parameters), tuple(results)

    def list_to_close(self):
        types = []
        while not self.tokens.take(")"):
            types.append(self.value_type())
        return types

    def use(self, params=None):
        """The index of a type use. Parameters are bound in the Space `params` if there is one."""
        tokens = self.tokens
        if not tokens.open("type"):
            return self.implicit(self.signature(params))
        at = tokens.position
        index = self.space.index(tokens)
        tokens.close()
        signature = self.signature(params)
        known, declared = self.declared(index)
        if signature == ((), ()):
            for _ in declared[0] if declared and params is not None else ():
                params.anonymous()
        elif not known and self.foreseen is not None:
            raise tokens.error("unknown type", at)
        elif known and signature != declared:
            raise tokens.error("inline function type", at)
        return index

    def declared(self, index):
        """Whether a type is known, and its signature, None where it is no function type."""
        signatures = self.signatures if index < len(self.signatures) else self.foreseen or ()
        if index < len(signatures):
            return True, signatures[index]
        self.forward = True
        return False, None

    def implicit(self, signature):
        """The index of a function type that is defined at the end if there is none."""
        if signature not in self.plain:
            self.plain[signature] = len(self.signatures)
            self.signatures.append(signature)
            self.fields.append(None)
            self.entries.append(function_type(signature))
        return self.plain[signature]

    def block_type(self):
        if self.tokens.at_open("type"):
            return encode.sleb(self.use())
        signature = params, results = self.signature()
        if params or len(results) > 1:
            return encode.sleb(self.implicit(signature))
        return results[0] if results else encode.EMPTY_BLOCK


_ABSTRACT = frozenset(encode.HEAP_TYPES.values())
_COMPOSITE = {"func": Types.function, "struct": Types.struct, "array": Types.array}


def function_type(signature):
    """The encoded composite type of a signature."""
    params, results = signature
    return encode.FUNC + encode.vector(params) + encode.vector(results)
