"""Observables that are drawn: how many cells a sample is expected to hold, and who cannot draw one."""

from __future__ import annotations

from ctcdyn.errors import Problem
from ctcdyn.model.expr import Call, Expr, Name, Number, dimension, names
from ctcdyn.model.network import Network
from ctcdyn.model.reader import Reader
from ctcdyn.places import KeyPath
from ctcdyn.units import DIMENSIONLESS, Dimension, UnitError

KINDS = ("share", "spread")  # of options that may be left out: a number from 0 to 1, or from 0 on; or an expression


def read_amount(
    reader: Reader,
    path: KeyPath,
    kind: str,
    known: set[str],
    dimensions: dict[str, Dimension] | None,
    numbers: dict[str, float],
) -> Expr | None:
    """A share or spread; a number is put into `numbers`, and the name that it has there given. None: it is wrong.

    `dimensions`: of all names, None where the model does not check units.
    """
    value = reader.value(path)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not 0.0 <= value <= (1.0 if kind == "share" else 1e300):
            least = "from 0 to 1" if kind == "share" else "from 0 on"
            reader.note("C105", f"{path[-1]} is {value:g}", path, f"write a number {least}")
            return None
        name = f"{path[-2]}__{path[-1]}"
        numbers[name] = float(value)
        return Name(name)
    tree = reader.expression(path, known, "species, parameters and t")
    if tree is None or dimensions is None or names(tree) & reader.broken:
        return tree
    try:
        found = dimension(tree, dimensions)
    except UnitError as error:
        reader.adopt(error, path, "make the units agree")
        return None
    if found != DIMENSIONLESS:
        reader.note("U205", f"{path[-1]} has unit {found}", path, f"{path[-1]} is a plain number")
        return None
    return tree


def expected(options: dict[str, object], kinds: dict[str, str]) -> Expr | None:
    """The expression among the options, times their shares; None where there is none."""
    mean = options.get("expr")
    if mean is None:
        return None
    assert isinstance(mean, Call | Name | Number)
    for option, kind in kinds.items():
        share = options.get(option)
        if kind == "share" and share != Number(1.0):
            assert isinstance(share, Call | Name | Number)
            mean = Call("*", (mean, share))
    return mean


def sample_problems(network: Network, method: str) -> list[Problem]:
    """A sample where no course is followed; `method` says in words what there is."""
    return [
        Problem(
            "M324",
            f'the observable "{o.name}" is drawn at each save from the course of a patient, and {method}',
            o.place,
            f"observables.{o.name}",
            "write what is expected of it, as expr without use, or take a method that samples",
        )
        for o in network.observables
        if o.realised == "sample"
    ]
