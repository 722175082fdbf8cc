"""How well a kernel was vectorised: packed and scalar floating-point instructions of functions and loops.

The kernel is compiled anew for a fixed CPU target in a process of its own, so the counts are facts about the
source and the compiler's version, the same on every x86-64 machine, whatever its load.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ctcdyn.errors import CtcError, Problem

TARGET = "x86-64-v3"  # AVX2: four doubles in a register

_FUNCTION = re.compile(r"^_ZN(\d+)(\S+):")
_LABEL = re.compile(r"^(\.L\w+):")
_JUMP = re.compile(r"^\s+j\w+\s+(\.L\w+)")
_PACKED = re.compile(r"^\s+v(?:add|sub|mul|div|sqrt|min|max)pd\s.*%ymm")
_SCALAR = re.compile(r"^\s+v(?:add|sub|mul|div|sqrt|min|max)sd\s")
_FUSED = re.compile(r"^\s+vfn?m(?:add|sub)")


@dataclass(frozen=True)
class Count:
    """Floating-point instructions of a stretch of machine code."""

    packed: int  # each works on four lanes
    scalar: int
    fused: int  # multiply-adds: there may be none, they round differently

    @property
    def any(self) -> bool:
        return self.packed + self.scalar + self.fused > 0


@dataclass(frozen=True)
class Function:
    """One compiled function: all of it, and each of its innermost loops that calculates.

    A lane loop that LLVM unrolled in full is no loop any more and counts in `whole` alone. A scalar loop with
    as many instructions as a packed one is its twin for buffers that overlap, chosen when it is entered.
    """

    name: str
    whole: Count
    loops: tuple[Count, ...]


def count_instructions(source: str) -> list[Function]:
    """The functions of a linked module that calculate, in order of the machine code.

    Takes as long as a cold compilation. Raises CtcError (S605) elsewhere than on x86-64, and for a
    module that does not compile.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        what = f"instructions are counted for {TARGET}, which {platform.machine()} cannot compile for"
        raise CtcError(Problem("S605", what, fix="count them on an x86-64 machine"))
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "module.py"
        module.write_text(source, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "ctcdyn.codegen.vectors", str(module)],
            env=os.environ | {"NUMBA_CPU_NAME": TARGET, "NUMBA_CPU_FEATURES": "", "CTCDYN_CACHE": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise CtcError(Problem("S605", f"the kernel does not compile for {TARGET}: {last}"))
    return list(functions(done.stdout))


def functions(assembly: str) -> Iterator[Function]:
    """Functions with arithmetic in a text of machine code (AT&T syntax)."""
    name, lines = "", list[str]()
    for line in [*assembly.splitlines(), "_ZN0end:"]:
        start = _FUNCTION.match(line)
        if start is None:
            lines.append(line)
            continue
        whole = _count(lines)
        if name and whole.any:
            yield Function(name, whole, tuple(loop for loop in map(_count, _loops(lines)) if loop.any))
        name, lines = _python_name(start.group(2)[int(start.group(1)) :]), []


def _loops(lines: list[str]) -> list[list[str]]:
    """Innermost loops: from a label to a later jump back to it, with none inside."""
    labels: dict[str, int] = {}
    found: list[tuple[int, int]] = []
    for here, line in enumerate(lines):
        if label := _LABEL.match(line):
            labels[label.group(1)] = here
        elif (jump := _JUMP.match(line)) and jump.group(1) in labels:
            found.append((labels[jump.group(1)], here))
    return [
        lines[first : last + 1]
        for first, last in found
        if not any(first <= a and b <= last and (a, b) != (first, last) for a, b in found)
    ]


def _count(lines: list[str]) -> Count:
    return Count(*(sum(bool(kind.match(line)) for line in lines) for kind in (_PACKED, _SCALAR, _FUSED)))


def _python_name(mangled: str) -> str:
    """`drift` of `5driftB3v11...`: the name follows its length."""
    length = re.match(r"\d+", mangled)
    return mangled[length.end() : length.end() + int(length.group())] if length else mangled


def _print_assembly(path: str) -> None:
    """What the child process does: compile without a cached kernel and print the machine code."""
    from ctcdyn.codegen.cache import load
    from ctcdyn.codegen.kernel import entries

    run = load(Path(path).read_text(encoding="utf-8"), entries).run
    print(run.inspect_asm(run.signatures[0]))


if __name__ == "__main__":
    _print_assembly(sys.argv[1])
