"""The `name` section from symbolic identifiers and `(@name ...)` annotations (spec appendix)."""
from pyjit_wasm.binary import encode

# subsections of the `name` section by index space (its appendix, and the extended names proposal)
NAME_SUBSECTIONS = {"func": 1, "type": 4, "table": 5, "memory": 6, "global": 7, "elem": 8, "data": 9, "tag": 11}
INDIRECT_SUBSECTIONS = {"local": 2, "field": 10}


def name_map(names):
    return encode.vector([encode.uleb(index) + encode.name(name) for index, name in sorted(names.items())])


def indirect_name_map(maps):
    return encode.vector([encode.uleb(index) + name_map(names) for index, names in sorted(maps.items())])


def name_section(module, names, indirect):
    """The `name` section, empty where nothing has a name. `module`: its name or None; `names`: by kind of
    `NAME_SUBSECTIONS` a mapping from indices; `indirect`: by kind of `INDIRECT_SUBSECTIONS` a mapping from
    function or type indices to such mappings."""
    subsections = {0: encode.name(module)} if module is not None else {}
    for kind, code in NAME_SUBSECTIONS.items():
        if names[kind]:
            subsections[code] = name_map(names[kind])
    for kind, code in INDIRECT_SUBSECTIONS.items():
        if indirect[kind]:
            subsections[code] = indirect_name_map(indirect[kind])
    contents = b"".join(encode.section(code, subsections[code]) for code in sorted(subsections))
    return encode.custom_section("name", contents) if contents else b""
