"""Emitted algebra + solver -> one self-contained module on disk -> import, compile, cache.

A solver file is ordinary Python that imports the contract's toy model. Here the emitted algebra takes the contract's
place: the transitive closure of the solver's imports from `ctcdyn.kernels` and `ctcdyn.solvers` is found with `ast`,
definitions that nothing reaches are left out, and a call of a kernel factory (`run = loop(begin, ...)`) is written out
with its arguments in place, because numba's cache never hits for functions that are closed over.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ctcdyn.codegen.emit import Emission
from ctcdyn.errors import CtcError, Exit, Place, Problem

LINKED = ("ctcdyn.kernels", "ctcdyn.solvers")
TOY = "ctcdyn.kernels.toy."  # pages of the contract, in whose place the emitted algebra comes
EXTERNAL = ("numpy", "numba", "llvmlite")


@dataclass
class _Piece:
    """One top-level statement of the linked module."""

    text: str
    defines: tuple[str, ...]
    uses: frozenset[str]


@dataclass
class _Text:
    """A file, or what was emitted for a model."""

    path: Path
    tree: ast.Module
    lines: list[str]
    pieces: dict[ast.stmt, _Piece] = field(default_factory=dict)

    def piece(self, node: ast.stmt) -> _Piece:
        """A statement at the top, taken apart once."""
        if node not in self.pieces:
            parts = list(ast.walk(node))
            for inner in parts:
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    what, fix = "imports inside a function", "import at the top of the file"
                    raise _refusal(self, inner, what, fix)
            self.pieces[node] = _piece(node, self.lines, _used(parts))
        return self.pieces[node]


@dataclass
class _Module:
    text: _Text
    wanted: frozenset[str] | None = None  # of a solver that another is composed of: what is imported from it


def assemble(emission: Emission, solver: Path) -> str:
    """The text of the self-contained module of one model and one solver."""
    emitted = ast.parse(emission.source)
    modules, contract = _closure(solver, _used(ast.walk(emitted))), _file(f"{LINKED[0]}.contract")
    header: dict[str, None] = {}
    pieces: list[_Piece] = []
    factories: dict[str, ast.FunctionDef] = {}
    for module in modules:
        if module.text.path == contract:
            own = _Text(module.text.path, emitted, emission.source.splitlines())
            pieces += _pieces(own, header, factories)
        else:
            found = _pieces(module.text, header, factories)
            pieces += found if module.wanted is None else _reachable(found, module.wanted)
    _refuse_doubles(pieces, solver)
    if not any("run" in piece.defines for piece in pieces):
        raise _refusal(modules[-1].text, None, "defines no `run`", "end it as a built-in solver: run = loop(...)")
    pieces = _fold(pieces, _flags(emitted))
    kept = _reachable(pieces, {"run", "ROWS", "WORDS", *_constants(pieces)})
    doc = ast.get_docstring(emitted, clean=False)
    first = f'"""{doc}"""' if doc else ""
    return "\n".join([first, "", *header, "", *(piece.text for piece in kept), ""])


def library(*names: str) -> str:
    """The text of some modules of `ctcdyn.kernels` that belong to no model, as one self-contained module."""
    header: dict[str, None] = {}
    pieces: list[_Piece] = []
    done: set[Path] = set()
    for name in names:
        for module in _closure(_file(f"{LINKED[0]}.{name}")):
            if module.text.path not in done:
                done.add(module.text.path)
                pieces += _pieces(module.text, header, {})
    roots = {
        n.name
        for name in names
        for n in ast.parse(_file(f"{LINKED[0]}.{name}").read_text("utf-8")).body
        if isinstance(n, ast.FunctionDef) and "kernel" in [ast.unparse(d) for d in n.decorator_list]
    }
    kept = _reachable(pieces, roots | {"DRAWS", "TREATMENTS", "SAMPLES"})
    return "\n".join(
        ['"""Reduction and draws: the same for every model."""', "", *header, "", *(p.text for p in kept), ""]
    )


def _closure(solver: Path, emitted: frozenset[str] = frozenset()) -> list[_Module]:
    """Modules in the order in which they can be written out. Of a solver that another imports from, only what is
    imported and what that needs: its hooks have the names of those of the composed one. Of what the contract imports,
    only what names that were `emitted` need."""
    done: dict[Path, _Module] = {}
    contract = _file(f"{LINKED[0]}.contract")

    def visit(path: Path, wanted: frozenset[str] | None = None) -> None:
        if path in done:
            return
        text = _parsed(path, path.read_text(encoding="utf-8"))
        done[path] = _Module(text, wanted)  # a circle ends here; order below is by completion
        used = emitted if path == contract else None
        if wanted is not None:
            kept = _reachable([text.piece(n) for n in text.tree.body if _defined(n)], set(wanted))
            used = frozenset(name for piece in kept for name in piece.uses)
        for node in text.tree.body:
            toy = path == contract and str(node.module if isinstance(node, ast.ImportFrom) else "").startswith(TOY)
            if isinstance(node, ast.ImportFrom) and _is_linked(node.module) and not toy:
                names = frozenset(x.name for x in node.names)
                if used is None or names & used:
                    composed = str(node.module).startswith(f"{LINKED[1]}.")
                    visit(
                        _file(str(node.module)),
                        (names & used if used is not None else names) if composed else None,
                    )
        done[path] = done.pop(path)

    visit(_file(f"{LINKED[0]}.machine"))
    visit(_file(f"{LINKED[0]}.lanemath"))
    visit(solver)
    return list(done.values())


@functools.lru_cache(maxsize=128)
def _parsed(path: Path, text: str) -> _Text:
    """A file of that text: a process links many kernels of the same few dozen files."""
    return _Text(path, ast.parse(text, filename=str(path)), text.splitlines())


def _file(module: str) -> Path:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # a module inside something that is no package
        spec = None
    if spec is None or spec.origin is None:
        raise CtcError(Problem("C113", f"a solver imports {module}, which is not there"), Exit.CONFIG)
    return Path(spec.origin)


def _pieces(text: _Text, header: dict[str, None], factories: dict[str, ast.FunctionDef]) -> list[_Piece]:
    found = []
    for node in text.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            _import(node, text, header)
        elif isinstance(node, ast.FunctionDef) and _is_factory(node):
            factories[node.name] = node
        elif isinstance(node, ast.Assign) and _is_expansion(node, factories):
            assert isinstance(node.value, ast.Call)
            assert isinstance(node.value.func, ast.Name)
            assert isinstance(node.targets[0], ast.Name)
            found += _expand(node.targets[0].id, factories[node.value.func.id], *node.value.args)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        elif isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            continue
        else:
            found.append(text.piece(node))
    return found


def _import(node: ast.Import | ast.ImportFrom, text: _Text, header: dict[str, None]) -> None:
    """Imports of others stay at the head of the kernel; for ours, the definitions are in the kernel itself."""
    if isinstance(node, ast.ImportFrom):
        if node.module == "__future__":
            return
        if _is_linked(node.module):
            for name in node.names:
                if name.asname or name.name == "*":
                    fix = "import each definition by its own name, without `as` or `*`"
                    raise _refusal(text, node, "renames a definition of the kernel", fix)
            return
    roots = [node.module or "."] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
    for root in roots:
        if root.split(".")[0] not in EXTERNAL:
            fix = "a solver imports only numpy, numba, llvmlite, and from ctcdyn.kernels and ctcdyn.solvers"
            raise _refusal(text, node, f"imports {root}, which a kernel cannot contain", fix)
    header[ast.unparse(node)] = None


def _is_linked(module: str | None) -> bool:
    """Whether definitions of a module of that name go into the kernel."""
    return module is not None and module.startswith(tuple(f"{package}." for package in LINKED))


def _refusal(text: _Text, node: ast.stmt | None, what: str, fix: str) -> CtcError:
    line = node.lineno if node is not None else 1
    place = Place(str(text.path), line, text.lines[line - 1] if text.lines else "")
    return CtcError(Problem("S603", f"{text.path.name} {what}", place, fix=fix), Exit.CONFIG)


def _flags(emitted: ast.Module) -> dict[str, bool]:
    """Constants of the model that are True or False."""
    return {
        node.targets[0].id: node.value.value
        for node in emitted.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, bool)
    }


class _Fold(ast.NodeTransformer):
    """Leaves out branches that a flag of the model, or a literal, rules out: numba need not type them."""

    def __init__(self, flags: dict[str, bool]) -> None:
        self.flags = flags
        self.folded = False

    def known(self, node: ast.expr) -> bool | None:
        """The truth of a flag or a literal; None of anything else."""
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.Name):
            value = self.flags.get(node.id)
        return value if isinstance(value, bool) else None

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        decides = isinstance(node.op, ast.Or)  # the truth that ends the chain
        left = [value for value in node.values if self.known(value) is not (not decides)]
        if any(self.known(value) is decides for value in left):
            left = [ast.Constant(decides)]
        self.folded |= len(left) < len(node.values)
        node.values = left
        return node if len(left) > 1 else left[0] if left else ast.Constant(not decides)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        value = self.known(node.operand)
        if not isinstance(node.op, ast.Not) or value is None:
            return node
        self.folded = True
        return ast.Constant(not value)

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt]:
        self.generic_visit(node)
        value = self.known(node.test)
        if value is None:
            return node
        self.folded = True
        return (node.body if value else node.orelse) or [ast.Pass()]

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        value = self.known(node.test)
        if value is None:
            return node
        self.folded = True
        return node.body if value else node.orelse


class _Select(ast.NodeTransformer):
    """Conditional expressions of lane functions as calls of `pick`: the same values, no branch for numba to type."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        return ast.Call(ast.Name("pick", ast.Load()), [node.test, node.body, node.orelse], [])


def _is_lane(tree: ast.Module) -> bool:
    function = tree.body[0] if tree.body else None
    return isinstance(function, ast.FunctionDef) and any(
        isinstance(d, ast.Name) and d.id in ("lane", "term") for d in function.decorator_list
    )


def _fold(pieces: list[_Piece], flags: dict[str, bool]) -> list[_Piece]:
    known = tuple(sorted(flags.items()))
    done = []
    for piece in pieces:
        asked = piece.uses & flags.keys()
        folded = _folded(piece.text, tuple(pair for pair in known if pair[0] in asked))
        done.append(piece if folded is None else _Piece(folded[0], piece.defines, folded[1]))
    return done


@functools.lru_cache(maxsize=1024)
def _folded(text: str, flags: tuple[tuple[str, bool], ...]) -> tuple[str, frozenset[str]] | None:
    """Text and uses of a piece without what flags rule out and with calls of `pick`; None: it stays as it is."""
    fold = _Fold(dict(flags))
    tree = ast.parse(text)
    if tree.body and isinstance(tree.body[0], ast.FunctionDef):
        tree = fold.visit(tree)
    selects = _is_lane(tree) and any(isinstance(node, ast.IfExp) for node in ast.walk(tree))
    if selects:
        tree = _Select().visit(tree)
    if not fold.folded and not selects:
        return None
    return f"\n\n{ast.unparse(ast.fix_missing_locations(tree))}\n", _used(ast.walk(tree))


def _piece(node: ast.stmt, lines: list[str], uses: frozenset[str]) -> _Piece:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1
    text = "\n".join(lines[first - 1 : node.end_lineno])
    if text == "LINKED = False" or text.startswith("LINKED = False "):
        text = text.replace("False", "True", 1)
    gap = "\n\n" if isinstance(node, ast.FunctionDef | ast.If) else ""
    return _Piece(gap + text + gap[:1], _defined(node), uses)


def _is_factory(node: ast.FunctionDef) -> bool:
    """A function without decorator that defines functions and returns one of them."""
    last = node.body[-1]
    inner = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    return not node.decorator_list and bool(inner) and isinstance(last, ast.Return)


def _is_expansion(node: ast.Assign, factories: dict[str, ast.FunctionDef]) -> bool:
    call = node.value
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in factories


@functools.lru_cache(maxsize=128)
def _expand(target: str, factory: ast.FunctionDef, *arguments: ast.expr) -> list[_Piece]:
    """The factory's inner functions, its parameters replaced by what was passed; the one it returns is `target`."""
    left_out = len(factory.args.args) - len(arguments)
    given = [*arguments, *factory.args.defaults[len(factory.args.defaults) - left_out :]]
    passed = dict(zip((a.arg for a in factory.args.args), given, strict=True))

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return passed.get(node.id, node)

    last = factory.body[-1]
    assert isinstance(last, ast.Return)
    assert isinstance(last.value, ast.Name)
    result = last.value.id
    found = []
    for inner in factory.body:
        if isinstance(inner, ast.FunctionDef):
            copy = ast.parse(ast.unparse(inner)).body[0]
            assert isinstance(copy, ast.FunctionDef)
            copy.name = target if inner.name == result else inner.name
            text = ast.unparse(ast.fix_missing_locations(Replace().visit(copy)))
            found.append(_Piece(f"\n\n{text}\n", (copy.name,), _used(ast.walk(ast.parse(text).body[0]))))
    return found


def _defined(node: ast.stmt) -> tuple[str, ...]:
    names: list[str] = []
    if isinstance(node, ast.FunctionDef):
        names = [node.name]
    elif isinstance(node, ast.Assign):
        names = [n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    elif isinstance(node, ast.If):
        names = [d for part in (*node.body, *node.orelse) for d in _defined(part)]
    return tuple(dict.fromkeys(names))


def _used(parts: Iterable[ast.AST]) -> frozenset[str]:
    return frozenset(n.id for n in parts if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))


def _constants(pieces: Iterable[_Piece]) -> list[str]:
    """Numbers are kept all: rows, sizes and indices are what a reader of the kernel, and Python, look up."""
    return [name for piece in pieces for name in piece.defines if name.isupper()]


def _reachable(pieces: list[_Piece], roots: Iterable[str]) -> list[_Piece]:
    by_name = {name: piece for piece in pieces for name in piece.defines}
    wanted, queue = set(), [by_name[name] for name in sorted(roots) if name in by_name]
    while queue:
        piece = queue.pop()
        if id(piece) not in wanted:
            wanted.add(id(piece))
            queue += [by_name[name] for name in sorted(piece.uses) if name in by_name]
    return [piece for piece in pieces if id(piece) in wanted]


def _refuse_doubles(pieces: list[_Piece], solver: Path) -> None:
    seen: set[str] = set()
    for piece in pieces:
        double = seen & set(piece.defines)
        if double:
            what = f"{solver.name}: the name {min(double)} is defined twice in the linked kernel"
            raise CtcError(Problem("S605", what, fix="rename it in the solver"), Exit.CONFIG)
        seen |= set(piece.defines)
