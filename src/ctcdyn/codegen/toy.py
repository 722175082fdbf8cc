"""The toy model behind `ctcdyn/kernels/contract.py`: at least one of everything that a model can ask of a kernel.

`python -m ctcdyn.codegen.toy` writes contract.py again after a change of the emitter; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path

from ctcdyn.codegen.emit import ALGEBRA, emit
from ctcdyn.model.expr import Number, parse
from ctcdyn.model.network import Network, Observable, Parameter, Reaction, Species, Treatment
from ctcdyn.units import DIMENSIONLESS, parse_unit

WIDTH = 16

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


def contract() -> str:
    """The text of contract.py."""
    emission = emit(toy(), "jump", ALGEBRA, WIDTH)
    parts = "\n\n\n".join(text for name, text in emission.parts.items() if name != "head")
    return f"""{DOC}

import numpy as np
from numba import int64

from ctcdyn.kernels.lanemath import exp_, log_, pow_, sin_, cos_
from ctcdyn.kernels.machine import block, lane, pick, term
from ctcdyn.kernels.normals import polar

{parts}
"""


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("kernels", "contract.py").write_text(contract(), encoding="utf-8")
