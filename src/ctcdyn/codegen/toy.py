"""The toy model behind `ctcdyn/kernels/contract.py`: at least one of everything that a model can ask of a kernel.

`python -m ctcdyn.codegen.toy` writes contract.py and its pages, one for each kind of algebra, again after a change of
the emitter; a test compares them.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

from ctcdyn.codegen.emit import ALGEBRA, emit
from ctcdyn.model.expr import Number, parse
from ctcdyn.model.network import Network, Observable, Parameter, Reaction, Species, Treatment
from ctcdyn.units import DIMENSIONLESS, parse_unit

WIDTH = 16
LINE = 110
_SHARED = {  # what the pages take from elsewhere
    "ctcdyn.kernels.lanemath": ("cos_", "exp_", "log_", "pow_", "sin_"),
    "ctcdyn.kernels.machine": ("block", "lane", "pick", "term"),
    "ctcdyn.kernels.normals": ("polar",),
    "ctcdyn.kernels.philox": ("draw_at",),
    "ctcdyn.kernels.samples": ("sampled",),
}

DOC = '''"""The interface that every solver imports, as a working toy model. Generated: python -m ctcdyn.codegen.toy

A solver runs by itself on this model; `ctcdyn.codegen.link` puts the algebra of another in its place. Names in kernels:
`i` lane, `s` species, `r` reaction, `q` parameter, `j` save, `k` trajectory of the range, `t` time in days; `w` work
buffer, `v` generator buffer, `n` lane bookkeeping. The toy: a tumour sheds cells into blood, more of them at one time of
day than at another; they are cleared or go into tissue. A dose multiplies clearance, surgery takes the tissue cells.
"""'''  # noqa: E501


def toy() -> Network:
    """The toy network; its figures are assumed and mean nothing."""
    rate = parse_unit("1/day").dimension

    def parameter(name: str, value: float) -> Parameter:
        return Parameter(name, value, "1/d", rate, (0.0, 1e9), "assumed: a toy")

    def reaction(
        name: str, equation: str, takes: tuple[int, ...], gives: tuple[int, ...], k: str
    ) -> Reaction:
        terms = (tuple((s, 1) for s in takes), tuple((s, 1) for s in gives))
        mass_action = parse(k)
        return Reaction(name, equation, *terms, k=mass_action, rate=None)

    return Network(
        name="toy",
        title="The toy model of the contract",
        doc="",
        time_unit="day",
        species=(
            Species("blood", "cells", Number(20.0), False, DIMENSIONLESS),
            Species("tissue", "cells", parse("seeded"), False, DIMENSIONLESS),
        ),
        parameters=(
            parameter("shedding", 60.0),
            parameter("clearance", 2.0),
            parameter("extravasation", 0.5),
            parameter("death", 0.1),
            Parameter("swing", 0.5, "1", DIMENSIONLESS, (0.0, 1.0), "assumed: a toy"),
            Parameter("seeded", 3.0, "1", DIMENSIONLESS, (0.0, 1e9), "assumed: a toy"),
            Parameter("detectable", 40.0, "1", DIMENSIONLESS, (0.0, 1e9), "assumed: a toy"),
            Parameter("dose_day", 2.0, "d", DIMENSIONLESS, (0.0, 1e9), "assumed: a toy"),
            Parameter("holiday", 6.0, "d", DIMENSIONLESS, (0.0, 1e9), "assumed: a toy"),
        ),
        reactions=(
            reaction(
                "shed",
                "-> blood",
                (),
                (0,),
                "shedding * (1 + swing * sin(2 * pi * t)) * (1 - 0.5 * step(t - holiday))",
            ),
            reaction("clear", "blood ->", (0,), (), "clearance"),
            reaction("leave", "blood -> tissue", (0,), (1,), "extravasation"),
            reaction("die", "tissue ->", (1,), (), "death"),
        ),
        observables=(
            Observable("load", parse("blood + tissue"), None, {}, "cells"),
            Observable("arrivals", None, "flux", {"reaction": "leave"}, "cells", realised="counter"),
            Observable(
                "detection",
                None,
                "first_passage",
                {"when": parse("tissue >= detectable")},
                "d",
                realised="passage",
            ),
        ),
        treatments=(
            Treatment("dose", parse("dose_day"), scale=((1, 1.5),), every=1.0, cycles=3),
            Treatment("surgery", parse("tissue >= detectable"), set=((1, parse("tissue / 10")),), repeat=True),
        ),
    )


def pages() -> dict[str, str]:
    """The texts of contract.py and of the pages that it names, by their places in `ctcdyn/kernels`."""
    told: dict[str, str] = {}  # part -> page
    for k, kind in enumerate(("stops", *ALGEBRA)):
        parts = emit(toy(), "jump", ALGEBRA[:k], WIDTH).parts
        told |= {name: kind for name in parts if name not in told}
    parts = emit(toy(), "jump", ALGEBRA, WIDTH).parts
    told |= {"layout": "layout"}
    bodies: dict[str, list[str]] = {"layout": []}
    for name, text in parts.items():
        if name != "head":
            bodies.setdefault(told[name], []).append(text)
    trees = {page: ast.parse("\n".join(body)) for page, body in bodies.items()}
    owner = {name: page for page, tree in trees.items() for node in tree.body for name in _defined(node)}
    owner |= {name: module for module, names in _SHARED.items() for name in names}
    found = {}
    for page, body in bodies.items():
        used = {n.id for n in ast.walk(trees[page]) if isinstance(n, ast.Name) and owner.get(n.id, page) != page}
        text = "\n\n\n".join(body)
        head = "import numpy as np\n" * ("np." in text)
        numbers = [name for name in ("int64", "uint64") if re.search(rf"\b{name}\(", text)]
        head += f"from numba import {', '.join(numbers)}\n" * bool(numbers)
        head += "\n" * bool(head) + _imports({name: owner[name] for name in used})
        doc = f'"""The toy model of the contract: {page}. Generated: python -m ctcdyn.codegen.toy"""'
        found[f"toy/{page}.py"] = doc + "\n\n" + (f"{head}\n\n" if head else "") + f"{text}\n"
    found["toy/__init__.py"] = '"""The pages of `ctcdyn.kernels.contract`. Generated: python -m ctcdyn.codegen.toy"""\n'
    names = {name: page for name, page in owner.items() if page in bodies}
    exports = _filled(f'"{name}"' for name in sorted(names))
    shared = _imports({name: module for module, many in _SHARED.items() for name in many})
    found["contract.py"] = f"{DOC}\n\n{shared}{_imports(names)}\n__all__ = [\n{exports},\n]\n"
    return found


def _filled(names: Iterable[str]) -> str:
    return textwrap.fill(", ".join(names), LINE, initial_indent="    ", subsequent_indent="    ")


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]


def _imports(owner: dict[str, str]) -> str:
    """Import statements of these names from their pages or modules."""
    lines = []
    for module in sorted(set(owner.values())):
        names = ", ".join(sorted(name for name in owner if owner[name] == module))
        whole = f"from {module if '.' in module else f'ctcdyn.kernels.toy.{module}'} import "
        if len(whole + names) > LINE:
            lines.append(f"{whole}(\n{_filled(names.split(', '))},\n)\n")
        else:
            lines.append(f"{whole}{names}\n")
    return "".join(lines)


if __name__ == "__main__":
    for place, text in pages().items():
        file = Path(__file__).parents[1] / "kernels" / place
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
