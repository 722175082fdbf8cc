"""A linked, compiled kernel and its work space: what Python needs to call it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from ctcdyn import plugins
from ctcdyn.codegen import cache
from ctcdyn.codegen.emit import ALGEBRA, Emission, emit
from ctcdyn.codegen.link import assemble
from ctcdyn.codegen.notes import noted
from ctcdyn.errors import CtcError, Problem
from ctcdyn.model.colony import FOUNDING, lesion_network, lesion_problems, no_founders
from ctcdyn.model.fluctuations import noise_problems
from ctcdyn.model.network import Network, Semantics
from ctcdyn.model.rates import parts_of_cells

FACTS = ("SEMANTICS", "ALGEBRA", "GRID_FREE", "ORDER", "SOURCE", "WIDTHS")


@dataclass(frozen=True)
class Kernel:
    """One model and one solver, compiled. Columns of `values`: the parameters, then `layout.extra_values`."""

    method: str
    emission: Emission
    source: str
    module: ModuleType
    lesion: Kernel | None = None  # of the lesions that its firings found


@dataclass(frozen=True)
class Linked:
    """The text of one model with one solver, before it is compiled."""

    method: str
    network: Network
    solver: Path
    facts: Mapping[str, Any]
    emission: Emission
    lesion: Linked | None = None  # of the lesions that its firings found

    @property
    def text(self) -> str:
        """All that is compiled: the module, and that of its lesions behind it."""
        return self.source if self.lesion is None else f"{self.source}\n\n{self.lesion.source}"

    @cached_property
    def identity(self) -> str:
        """Hash of all that is compiled."""
        return self.key if self.lesion is None else cache.key_of(self.text)

    @cached_property
    def source(self) -> str:
        """The self-contained module."""
        text = self.solver.read_text(encoding="utf-8")
        inputs = "module", str(self.solver), text, self.emission.source
        return noted(lambda: assemble(self.emission, self.solver), *inputs)

    @cached_property
    def key(self) -> str:
        """Hash of what the kernel does, and its place in the cache."""
        return cache.key_of(self.source)

    def compile(self, say: Callable[[bool, str], None] | None = None) -> Kernel:
        """Compiled, or loaded from the cache; `say(cached, kernel)` is called before, `kernel`: which, where there are
        two. CtcError for a file of the user's that numba refuses."""
        kernel = "kernel of a lesion" if self.network.founded else "kernel of the patient" if self.lesion else ""
        told = None if say is None else lambda cached: say(cached, kernel)
        try:
            module = cache.load(self.source, entries, told, self.key)
        except Exception as error:
            if plugins.is_built_in(self.solver):
                raise
            what = f"the kernel of {self.solver.name} does not compile: {_reason(error)}"
            problem = Problem("S605", what, fix="run the solver file by itself on the toy model")
            raise CtcError(problem) from error
        lesion = self.lesion.compile(say) if self.lesion is not None else None
        return Kernel(self.method, self.emission, self.source, module, lesion)


def link(
    network: Network, method: str, folder: str | Path = ".", width: int | None = None, lesion_method: str = "hybrid"
) -> Linked:
    """Algebra of the network in the place of the contract in the solver `method` (a name, or a path to a file).

    Lesions, where the network founds any, are linked with `lesion_method`.
    """
    solver = plugins.find("solver", method, folder)
    facts = solver_facts(solver)
    problems = noise_problems(network, method, facts["SEMANTICS"])
    if problems:
        raise CtcError(problems)
    if facts["SEMANTICS"] in ("jump", "mixed", "backward"):
        problems = parts_of_cells(network, pinned=facts["SEMANTICS"] != "jump")
        if problems:
            raise CtcError(problems)
    lesion = None
    if network.lesion is not None or network.founded:
        key = "lesion.method" if network.founded else "simulate.method"
        problems = [] if facts["SEMANTICS"] in FOUNDING else [no_founders(method, key)]
        if network.lesion is not None:
            inner = solver_facts(plugins.find("solver", lesion_method, folder))["SEMANTICS"]
            problems += lesion_problems(network, (facts["SEMANTICS"], inner))
        if problems:
            raise CtcError(problems)
    if network.lesion is not None:
        lesion = link(lesion_network(network), lesion_method, folder)
    if width is None and len(facts["WIDTHS"]) > 1:
        probe = emit(network, facts["SEMANTICS"], facts["ALGEBRA"], 16)
        width = _width(facts["WIDTHS"], probe.rows)
    elif width is None:
        width = facts["WIDTHS"][0][0]
    emission = emit(network, facts["SEMANTICS"], facts["ALGEBRA"], width)
    return Linked(method, network, solver, facts, emission, lesion)


def solver_facts(solver: Path) -> dict[str, Any]:
    """What a solver file says of itself, read without importing it."""
    facts = plugins.constants(solver, FACTS)
    known = {"SEMANTICS": get_args(Semantics), "ALGEBRA": ALGEBRA}
    for name, allowed in known.items():
        given = facts[name]
        wrong = [x for x in (given if name == "ALGEBRA" else (given,)) if x not in allowed]
        if wrong:
            what, fix = f"{solver.name}: {name} = {given!r}", f"there is {', '.join(allowed)}"
            raise CtcError(Problem("C113", what, fix=fix))
    return facts


def _reason(error: Exception) -> str:
    """The line that says something: numba begins with the pass that failed, and colours what it says."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()]
    told = [line for line in lines if line and not line.startswith("Failed in ")]
    return told[0] if told else type(error).__name__


def _width(widths: tuple[tuple[int, int], ...], rows: int) -> int:
    """The first width whose limit on rows holds: what a sweep touches should stay in the first-level cache."""
    for width, limit in widths:
        if rows <= limit:
            return width
    return widths[-1][0]


def entries(_module: ModuleType) -> dict[str, Any]:
    """Signature of `run`: see kernels/lanes.py."""
    from numba import types

    f1, f2 = types.float64[::1], types.float64[:, ::1]
    i1, u1, u8 = types.int64[::1], types.uint64[::1], types.uint8[::1]
    arguments = (f1, u1, i1, f1, i1, f1, f2, f1, f1, i1, i1, i1, u8, i1, f2, f2, f1, f2, i1, i1)
    return {"run": arguments}
