"""Find plug-ins: a solver, an observable, a mechanism, a model or a kind of picture is ONE file, built in or at a path.

There is no registry and no list: what lies in the folder of its kind exists. A path works wherever a name
does: `method = "./my_solver.py"`. A text with a slash or the kind's file ending is a path; anything else is
a name.

Importing a Python plug-in runs it, so a path in a study is code that its owner chose to run; names never are.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from ctcdyn.errors import CtcError, Place, Problem, nearest

Kind = Literal["mechanism", "model", "observable", "picture", "solver"]

_FOLDERS: dict[str, tuple[str, str]] = {
    "mechanism": ("mechanisms", ".py"),
    "model": ("models", ".toml"),
    "observable": ("observables", ".py"),
    "picture": ("plots", ".py"),
    "solver": ("solvers", ".py"),
}
_BESIDE = {"solver": ("ode",)}  # names that stand for a choice among the files of a kind
_EXACT = ("gillespie", "gillespie_direct", "ssa", "exact", "stochastic", "kmc", "ctmc")
_HOME = Path(__file__).resolve().parent


def available(kind: Kind) -> tuple[str, ...]:
    """Names of the built-in plug-ins of a kind, sorted; files that begin with an underscore are parts of
    others.
    """
    folder, ending = _FOLDERS[kind]
    found = (_HOME / folder).glob(f"*{ending}")
    return tuple(sorted(file.stem for file in found if not file.name.startswith("_")))


def is_path(kind: Kind, name_or_path: str) -> bool:
    """Whether a text means a file of the user's and not a built-in name."""
    return "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith(_FOLDERS[kind][1])


def is_built_in(path: Path) -> bool:
    """Whether a plug-in's file is one of the package."""
    return path.resolve().is_relative_to(_HOME)


def find(
    kind: Kind, name_or_path: str | Path, folder: str | Path = ".", place: Place | None = None, key: str = ""
) -> Path:
    """The file of a plug-in. `folder` is where relative paths start (that of the study). Raises CtcError
    C112.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or is_path(kind, text):
        path = Path(folder, text)
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # a name of 5000 characters, a NUL byte
            pass
        near = nearest(path.stem, available(kind))
        fix = f'built in is "{near}": write it without a path' if near else "check the path"
        raise CtcError(
            Problem(
                "C112",
                f"no {kind} file {text[:200]!r}",
                place,
                key,
                fix,
                why="relative paths start at the folder of the file that names them",
                word=text[:200],
            )
        )
    names = available(kind)
    if text in names:
        home, ending = _FOLDERS[kind]
        return _HOME / home / f"{text}{ending}"
    names = (*_BESIDE.get(kind, ()), *names)
    near = nearest(text, names)
    fix = (
        f'did you mean "{near}"?'
        if near
        else f"built in: {', '.join(names) or 'none'}; or give a path, ./my_{kind}"
    )
    if not near:
        fix += _FOLDERS[kind][1]
    if kind == "solver" and text.casefold().replace("-", "_") in _EXACT:
        fix = f'the exact method of Gillespie is "direct"; built in: {", ".join(names)}'
    raise CtcError(Problem("C112", f'there is no {kind} "{text[:200]}"', place, key, fix, word=text[:200]))


def constants(path: Path, needs: Iterable[str], also: Iterable[str] = ()) -> dict[str, Any]:
    """Literal constants at the top level of a .py plug-in, read without running it: those that it `needs`, and of
    `also` those that it has. C113 if one is missing."""
    needs = tuple(needs)
    wanted = {*needs, *also}
    try:
        assigned = _assigned(path.read_text(encoding="utf-8"), str(path))
        found = {name: ast.literal_eval(assigned[name]) for name in wanted & assigned.keys()}
    except (SyntaxError, ValueError, OSError) as error:
        what = f"plug-in {path.name} cannot be read: {error}"
        raise CtcError(
            Problem("C113", what, Place(str(path), 1), fix="constants must be literals")
        ) from error
    missing = [name for name in needs if name not in found]
    if missing:
        what = f"plug-in {path.name} does not define {', '.join(missing)}"
        raise CtcError(
            Problem("C113", what, Place(str(path), 1), fix="copy a built-in file of its kind and change it")
        )
    return found


@functools.lru_cache(maxsize=64)
def _assigned(text: str, file: str) -> dict[str, ast.expr]:
    """What stands behind `name =` at the top level of a text, the last of each name."""
    body = ast.parse(text, filename=file).body
    pairs = ((node.targets[0], node.value) for node in body if isinstance(node, ast.Assign))
    return {target.id: value for target, value in pairs if isinstance(target, ast.Name)}


def import_plugin(path: Path, needs: Iterable[str] = ()) -> ModuleType:
    """The module of a .py plug-in; raises CtcError C113 if it cannot be imported or lacks one of `needs`."""
    path = path.resolve()
    try:
        if is_built_in(path):
            dotted = ".".join(("ctcdyn", *path.relative_to(_HOME).with_suffix("").parts))
            module = importlib.import_module(dotted)
        else:
            module = _import_file(path)
    except Exception as error:  # the user's code may raise anything
        what = f"plug-in {path.name} cannot be imported: {type(error).__name__}: {error}"
        raise CtcError(
            Problem("C113", what, Place(str(path), 1), fix="run the file by itself to see where it fails")
        ) from error
    missing = [name for name in needs if not hasattr(module, name)]
    if missing:
        what = f"plug-in {path.name} does not define {', '.join(missing)}"
        raise CtcError(
            Problem("C113", what, Place(str(path), 1), fix="copy a built-in file of its kind and change it")
        )
    return module


def _import_file(path: Path) -> ModuleType:
    # the name tells the content: two versions of one file in one process are two modules
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    name = f"ctcdyn_plugin_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
