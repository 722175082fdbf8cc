"""The source of another commit: unpacked from a checkout, asked for its kernels, and whether ours can call them."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ctcdyn.errors import CtcError, Exit, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ctcdyn.cli.workloads import Piece
    from ctcdyn.codegen.kernel import Kernel

# What the driver and a kernel agree on besides the names of parameters and species: positions in arrays that both know
# (kernels/lanes.py), lengths of rows, and what a call says when it comes back.
AGREED = frozenset({
    "COUNT", "FIRST", "ARMS", "SEED", "ASKED", "SWEEPS", "IDLE", "SLOTS", "STEP_CAP", "EVENT_CAP", "PATIENCE",
    "START", "END", "RTOL", "ATOL", "WINDOW", "FIRST_STEP", "LONGEST_STEP", "LEAP_CHANGE", "SWITCH_UP", "SWITCH_DOWN",
    "LEAF", "DONE", "LEAF_READY", "HALTED", "PARAMETERS", "SPECIES", "READINGS", "SHOWN", "PASSAGES", "LOGS",
})  # fmt: skip


def unpacked(commit: str, folder: Path) -> Path:
    """The source folder of a commit of this checkout, put into `folder`. Raises CtcError (S607, exit 6)."""
    here = Path(__file__).parent
    try:
        top = _git(here, "rev-parse", "--show-toplevel").decode().strip()
        _git(here, "ls-files", "--error-unmatch", Path(__file__).name)
    except CtcError:
        fix = "run it in a clone of the repository, with the package installed from there (pip install -e .)"
        raise CtcError(Problem("S607", f"{here} is no checkout: it has no commits", fix=fix), Exit.OUTPUT) from None
    packed = _git(Path(top), "archive", "--format=tar", "--end-of-options", f"{commit}^{{commit}}", "src", "configs")
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    return folder / "src"


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise CtcError(Problem("S607", f"git cannot be run: {error.strerror}"), Exit.OUTPUT) from None
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        problem = Problem("S607", f"git {arguments[0]}: {told}", fix="name a commit of this checkout that has src/")
        raise CtcError(problem, Exit.OUTPUT)
    return done.stdout


class Server:
    """A process that does the work of `ctcdyn bench` by some source (`served.py`). Raises CtcError S607 (exit 6)."""

    def __init__(self, source: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("served.py"))],
            env=os.environ | {"PYTHONPATH": str(source)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.work: list[dict[str, str]] = self._told()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # its stdin ends, and so does it

    def number(self, name: str) -> int | None:
        """The place of a piece of work; None: that source has none of this name."""
        return next((k for k, one in enumerate(self.work) if one["name"] == name), None)

    def run(self, number: int) -> float:
        """CPU seconds of a unit of that piece of work."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        told = self._told()
        return float(told["seconds"]) / float(told["units"])

    def _told(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.communicate()
            fix = "compare with a later commit: this one has no `ctcdyn bench`, or cannot run here"
            problem = Problem("S607", "the source of that commit cannot do the work of `ctcdyn bench`", fix=fix)
            raise CtcError(problem, Exit.OUTPUT)
        return json.loads(line)


def kernel_of(piece: Piece, source: str, key: str) -> tuple[Kernel, bool]:
    """Another kernel in the place of the piece's own, and whether its machine code is what the other source made.

    Raises CtcError (S607) where our driver cannot call it, or gets a wrong answer.
    """
    from dataclasses import replace

    from ctcdyn.codegen import cache
    from ctcdyn.codegen.kernel import entries

    reason = next(disagreements(source, piece.kernel.source), None)
    if reason is not None:
        raise CtcError(Problem("S607", reason))
    as_made = (cache.cache_folder() / key / f"run{cache.CODE}").is_file()
    own = key if as_made else None  # else it would be found as that commit's machine code
    kernel = replace(piece.kernel, source=source, module=cache.load(source, entries, None, own))
    found, allowed = piece.check(kernel)
    if not found <= allowed:
        raise CtcError(Problem("S607", f"by this driver its answer is {found:.3g} off, allowed is {allowed:g}"))
    return kernel, as_made


def disagreements(one: str, other: str) -> Iterator[str]:
    """Why the driver of the kernel with text `other` cannot call the one with text `one`."""
    for (what, a), (_, b) in zip(_contract(one), _contract(other), strict=True):
        if a != b:
            differing = sorted(map(str, set(a) ^ set(b)))
            yield f"{what} differ: {', '.join(differing[:4]) or 'in order'}"


def _contract(text: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Arguments of the entry point, rows by name in order, and what is in AGREED with its value."""
    tree = ast.parse(text)
    run = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run"]
    names: list[str] = []
    values: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            told = target.elts if isinstance(target, ast.Tuple) else [target]
            for place, name in enumerate(one.id for one in told if isinstance(one, ast.Name)):
                names.append(name)
                if name in AGREED:
                    values[name] = f"{name} = {ast.unparse(node.value)}[{place}]"
    return [
        ("arguments of the entry point", tuple(one.arg for node in run for one in node.args.args)),
        ("parameters", tuple(name for name in names if name.startswith("Q_"))),
        ("species", tuple(name for name in names if name.startswith("X_"))),
        ("positions in shared arrays", tuple(sorted(values.values()))),
    ]
