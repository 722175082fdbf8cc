"""The house rules that a program can check. `docs/design.md` says why they are there."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ctcdyn"
SOURCES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
CODE = SOURCES + TESTS + sorted((ROOT / "benchmarks").rglob("*.py"))
BUILT = {".git", ".venv", "build", "dist", "__pycache__", ".hypothesis"}

LINES = 400
SAY_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common", "core", "base", "manager"}
HEAVY = {"numba", "llvmlite", "scipy.stats", "h5py", "sympy", "pint", "matplotlib"}
# The one place that turns generated text into code: it registers the module that Numba then caches.
MAY_EXECUTE = {"codegen/link.py"}

# A library that can be replaced by changing one file; `doctor` asks for versions.
KNOWN_IN = {
    "distributed": ("execute/cluster.py",),
    "h5py": ("store", "cli/health.py"),
    "matplotlib": ("plots/",),
    "pint": (),
    "sympy": ("codegen/",),
    "typer": ("cli/",),
}

# Spelled in pieces, so that this file does not break the rules it states.
UNFINISHED = re.compile("TO" + "DO|FIX" + "ME|XX" + "X\\b|NotImplemented" + "Error|pragma: no" + " cover")
SKIPPED = re.compile(r"pytest\." + r"skip|mark\." + r"skip|mark\." + r"xfail|importor" + "skip")
# what needs software that is not in the test extra, with its name as the reason
MAY_SKIP = {"test_readers.py"}
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/" + "(?:ho" + "me|ro" + "ot|Us" + "ers|wo" + r"rk|mn" + r"t)/\w")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the tree, built and hidden folders left out (but for .ci and the root's own)."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if not path.is_file() or BUILT & set(parts) or (parts[0].startswith(".") and parts[0] != ".ci"):
            continue
        if any(part.endswith(("_cache", ".egg-info")) for part in parts):
            continue
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_file_is_short_and_finished(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LINES
    found = UNFINISHED.search(text)
    assert found is None, f"unfinished: {found}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_name_says_something(path: Path) -> None:
    names = set(path.relative_to(SOURCE).with_suffix("").parts)
    assert not names & SAY_NOTHING


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_only_the_linker_executes_text(path: Path) -> None:
    calls = [
        f"{node.func.id} in line {node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"eval", "exec", "sympify", "parse_expr"}
    ]
    assert not calls or path.relative_to(SOURCE).as_posix() in MAY_EXECUTE, calls


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_fastmath_and_no_contraction(path: Path) -> None:
    """The promise of identical bytes rests on it."""
    used = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword)
        and node.arg == "fastmath"
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]
    assert not used


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_library_is_known_in_one_place(path: Path) -> None:
    home = path.relative_to(SOURCE).as_posix()
    strange = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        found = {name.partition(".")[0] for name in names} & set(KNOWN_IN)
        strange += [f"{name} in line {node.lineno}" for name in found if not home.startswith(KNOWN_IN[name])]
    assert not strange


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_no_code_is_kept_in_comments(path: Path) -> None:
    """A comment that parses as an assignment, a call or an import is code that somebody did not delete."""
    kept = []
    with io.StringIO(path.read_text(encoding="utf-8")) as stream:
        for token in tokenize.generate_tokens(stream.readline):
            alone = token.line.lstrip().startswith("#")
            if token.type == tokenize.COMMENT and alone and _is_code(token.string.lstrip("# ")):
                kept.append(f"line {token.start[0]}: {token.string}")
    assert not kept


LIKE_CODE = re.compile(
    r"(from [\w.]+ )?import [\w., ]+|return \w.*\(.*\)|[\w.]+\(.*\)|[\w.\[\]]+ [-+*/]?= [\w.(].*"
)


def _is_code(text: str) -> bool:
    if LIKE_CODE.fullmatch(text):
        try:
            return bool(ast.parse(text).body)
        except SyntaxError:
            return False
    return False


def asserting(tree: ast.AST) -> set[str]:
    """Names of functions of a module that assert, call pytest.raises or warns, or call one of those."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    known = brought = imported_asserting(tree)
    while True:
        found = brought | {f.name for f in functions if any(asserts(node, known) for node in ast.walk(f))}
        if found == known:
            return known
        known = found


def imported_asserting(tree: ast.AST) -> set[str]:
    """What a test module imports from modules beside it that asserts there."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            there = asserting_in(node.module or "")
            names |= {alias.asname or alias.name for alias in node.names if alias.name in there}
        elif isinstance(node, ast.Import):
            names = names.union(*(asserting_in(alias.name) for alias in node.names))
    return names


def asserting_in(module: str) -> set[str]:
    """Functions that assert in a module of the tests' folder; none for any other module."""
    path = ROOT / "tests" / f"{module}.py"
    return asserting(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else set()


def asserts(node: ast.AST, known: set[str]) -> bool:
    if isinstance(node, ast.Assert):
        return not (isinstance(node.test, ast.Constant) and node.test.value)
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    # assert_mean and its kin live in modules of their own; raises and warns assert by being there
    return name.startswith("assert_") or name in {"raises", "warns"} or name in known


@pytest.mark.parametrize("path", [p for p in TESTS if p.name.startswith("test_")], ids=relative)
def test_every_test_asserts_and_none_is_skipped(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    tests = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test")}
    assert tests, "a test file without a test"
    assert tests <= asserting(tree), f"without an assertion: {sorted(tests - asserting(tree))}"
    assert path.name in MAY_SKIP or not SKIPPED.search(text)


def test_the_check_for_assertions_sees_an_empty_test() -> None:
    tree = ast.parse(
        "def check(x):\n    assert x\n"
        "def test_direct():\n    assert f()\n"
        "def test_through_a_function():\n    check(1)\n"
        "def test_empty():\n    f()\n"
        "def test_tautology():\n    assert 1\n"
    )
    assert asserting(tree) == {"check", "test_direct", "test_through_a_function"}


def test_the_check_for_kept_code_tells_code_from_prose() -> None:
    assert _is_code("x = f(y)")
    assert _is_code("import numpy")
    assert not _is_code("the mean of x = 3 cells")
    assert not _is_code("import of numba costs 250 ms")


def test_no_path_of_one_machine_and_no_large_file() -> None:
    found = [
        f"{relative(path)}: {hit.group(0)}"
        for path, text in texts()
        for hit in [MACHINE_PATH.search(text)]
        if hit is not None
    ]
    assert not found
    large = [relative(path) for path, text in texts() if len(text) > 2**20]
    assert not large


def test_layers_are_kept() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or "lint-imports"
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


IMPORT_LIGHT = """
import sys
{action}
heavy = {heavy!r}
print("heavy:", *sorted(name for name in heavy if name in sys.modules))
"""
HELP = """
from ctcdyn.cli import app
try:
    app(["--help"])
except SystemExit as end:
    assert not end.code
"""


@pytest.mark.parametrize("action", ["import ctcdyn", HELP], ids=["import", "help"])
def test_import_and_help_are_light(action: str) -> None:
    text = IMPORT_LIGHT.format(action=action, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].strip() == "heavy:"


def test_public_names_are_found_and_no_others() -> None:
    import ctcdyn

    assert all(getattr(ctcdyn, name) is not None for name in ctcdyn.__all__)
    assert set(dir(ctcdyn)) == set(ctcdyn.__all__)
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        ctcdyn.simulate  # noqa: B018


README = ROOT / "README.md"


def test_readme_names_every_command_and_no_other() -> None:
    from ctcdyn.cli import app

    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    pages = [README, *sorted((ROOT / "docs").glob("*.md"))]
    documents = "".join(path.read_text(encoding="utf-8") for path in pages)
    named = set(re.findall(r"(?:`|\$ |&& |^)ctcdyn ([a-z]+)", documents, flags=re.MULTILINE))
    assert known <= named, f"not in the documents: {sorted(known - named)}"
    assert named <= known, f"documented, but no command: {sorted(named - known)}"


def test_ci_runs_the_readmes_own_test_command() -> None:
    command = re.search(r"python -m pip install [^&\n]*&& pytest", README.read_text(encoding="utf-8"))
    assert command is not None
    assert command.group(0) in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_relative_links_of_the_documents_lead_somewhere() -> None:
    broken = []
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        targets = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
        broken += [
            f"{relative(path)}: {target}"
            for target in targets
            if "://" not in target and not (path.parent / target).exists()
        ]
    assert not broken


def test_every_error_code_is_explained_and_used() -> None:
    from ctcdyn.errors import CODES

    explained = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert not [code for code in CODES if code not in explained]
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    unknown = set(re.findall(r'"([CUMXRSB]\d{3})"', source)) - set(CODES)
    assert not unknown
