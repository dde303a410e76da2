"""The house: where files are, what may import what, what is documented, which tables agree."""
import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import pyjit_wasm
from pyjit_wasm.codegen import function
from pyjit_wasm.frames import operands, walk
from pyjit_wasm.frames.forms import FORMS, vector_forms
from pyjit_wasm.interp import special, vectors
from pyjit_wasm.opcodes import BY_NAME, ROWS, gc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pyjit_wasm"
FILES = sorted(PACKAGE.rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "RATIONALE.md", *sorted((ROOT / "docs").glob("*.md"))]

# Imports point up this list: a file imports what stands on its own line or above. Whatever is not named
# is the public API and the command line, level 10.
LEVELS = {
    "errors": 0, "config": 0, "types": 0, "files": 0, "large_stacks": 0, "forks": 0,
    "opcodes": 1, "module": 1,
    "binary": 2, "text": 2,
    "valid": 3,
    "frames": 3.5,
    "source": 3.7,
    "runtime": 4,
    "codegen": 5,
    "interp": 6,
    "tiering": 7,
    "profiling": 8,
    "wasi": 9,
}
TOP = 10

# runtime/layout.py is nothing but byte offsets and imports nothing: frames may know where a header's words are
MODULES = {"runtime.layout": 1}

LINES = 400
# files that may be longer: how long at most, and why
LONG = {}
BAD_NAMES = re.compile(r"(utils?|common|helpers?|misc)$")

# rows without a body that no tier executes yet, besides all of `opcodes.gc`
PENDING = {"br_on_cast", "br_on_cast_fail"}  # the collected heap


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def part_of(module):
    """The level's name of `pyjit_wasm.<name>...`."""
    words = module.split(".")
    return words[1] if len(words) > 1 else "__init__"


def level_of(module):
    for name, level in MODULES.items():
        if f"{module}.".startswith(f"{PACKAGE.name}.{name}."):
            return level
    return LEVELS.get(part_of(module), TOP)


def module_of(path):
    return ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))


def imports(path):
    """Absolute names of the modules that a file imports, in functions too."""
    package = module_of(path).split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            # `from package import name`: the name may be a module of the package
            for alias in node.names:
                inner = PACKAGE.parent / source.replace(".", "/") / alias.name
                is_module = inner.with_suffix(".py").exists() or inner.is_dir()
                yield f"{source}.{alias.name}" if is_module else source


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_up(path):
    mine = level_of(module_of(path))
    down = {source for source in imports(path)
            if source.split(".")[0] == PACKAGE.name and level_of(source) > mine}
    assert not down


def test_every_folder_has_a_level():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders <= {*LEVELS, "cli", "wamr"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "codegen").glob("*.py")), ids=name_of)
def test_codegen_does_not_import_the_interpreter(path):
    assert not [source for source in imports(path) if source.startswith("pyjit_wasm.interp")]


def test_one_file_imports_llvmlite():
    assert [name_of(p) for p in FILES if any(i.split(".")[0] == "llvmlite" for i in imports(p))] == ["codegen/llvm.py"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_names(path):
    assert not BAD_NAMES.search(path.stem)
    classes = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    assert not [name for name in classes if name.endswith("Manager")]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_length(path):
    most, _ = LONG.get(name_of(path), (LINES, ""))
    assert len(path.read_text().splitlines()) < most


def test_length_exceptions_are_needed():
    assert not [name for name in LONG if len((PACKAGE / name).read_text().splitlines()) < LINES]


# --- one table

BODYLESS = {op.mnemonic for op in ROWS if op.ir is None}


def test_both_tiers_implement_the_same_bodyless_rows():
    assert operands.IMPLEMENTED == function.IMPLEMENTED == set(walk.RULES)


@pytest.mark.parametrize("tier", [operands.Operands, function.Function])
def test_tiers_have_a_method_for_every_rule(tier):
    assert not [name for name in (*walk.RULES.values(), "numeric", "access") if not callable(getattr(tier, name, None))]


def test_implemented_and_pending_rows_are_all_bodyless_rows():
    later = PENDING | {op.mnemonic for op in gc.ROWS if op.ir is None}
    assert operands.IMPLEMENTED <= BODYLESS
    assert PENDING <= set(BY_NAME)
    assert later - operands.IMPLEMENTED == BODYLESS - operands.IMPLEMENTED
    assert not PENDING & operands.IMPLEMENTED


def test_interpreter_has_a_handler_for_every_special_form():
    assert set(special.SPECIAL) == {name for name, form in FORMS.items() if form.op is None}
    assert set(vectors.SPECIAL) == {name for name, form in vector_forms().items() if form.op is None}


def test_every_row_with_a_body_has_a_form():
    forms = *FORMS.values(), *vector_forms().values()
    with_forms = {form.op.mnemonic for form in forms if form.op is not None}
    assert with_forms == {op.mnemonic for op in ROWS if op.ir is not None}


# --- documentation

def members(thing):
    """(name, object with a docstring) of a class's own public methods and properties."""
    for name, value in vars(thing).items():
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, (property, staticmethod))):
            yield name, value


@pytest.mark.parametrize("name", pyjit_wasm.__all__)
def test_api_has_docstrings(name):
    thing = getattr(pyjit_wasm, name)
    assert vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    if inspect.isclass(thing):
        assert not [member for member, value in members(thing) if not value.__doc__]


@pytest.mark.parametrize("path", [p for p in FILES if p.read_text().strip()], ids=name_of)
def test_files_have_docstrings(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def links(document):
    """Targets of a document's links to files, resolved."""
    for target in LINK.findall(document.read_text()):
        if not re.match(r"\w+:|#", target):
            yield (document.parent / target.split("#")[0]).resolve()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_exist(document):
    assert not [str(target) for target in links(document) if not target.exists()]


def test_architecture_names_every_file():
    linked = set(links(ROOT / "docs" / "architecture.md"))
    assert not [name_of(p) for p in FILES if p.read_text().strip() and p not in linked]


def test_architecture_is_in_reading_order():
    """Sections of the file list follow the levels."""
    found = [LEVELS.get(part_of(module_of(t)), TOP) for t in dict.fromkeys(links(ROOT / "docs" / "architecture.md"))
             if t.suffix == ".py" and PACKAGE in t.parents]
    assert found == sorted(found)


PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@pytest.mark.parametrize("name", ["README.md", "docs/embedding.md", "docs/wamr.md"])
def test_examples_run(name, monkeypatch, capsys, tmp_path):
    """The Python of a document, block after block in one namespace, in a folder that has the examples."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "example"}
    for block in PYTHON_BLOCK.findall((ROOT / name).read_text()):
        exec(compile(block, name, "exec"), namespace)


def test_documented_settings_exist():
    """Every keyword of Engine is in README."""
    parameters = inspect.signature(importlib.import_module("pyjit_wasm.engine").Engine).parameters
    text = (ROOT / "README.md").read_text()
    assert not [name for name in parameters if f"`{name}" not in text]
