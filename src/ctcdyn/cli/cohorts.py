"""`ctcdyn check`: how the patients of a study differ, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ctcdyn.cli.screen import number, show_table

if TYPE_CHECKING:
    from ctcdyn.config import Study
    from ctcdyn.model.network import Network
    from ctcdyn.model.quantiles import Draw
    from ctcdyn.model.resolve import Resolved


def explain_patients(resolved: Resolved, study: Study) -> None:
    """Print what is drawn for each patient and lesion, what a table gives, the design and correlations."""
    network, cohort, population = resolved.network, resolved.cohort, study.population
    show_draws("drawn for each patient", network, cohort.draws)
    show_draws("drawn for each lesion", network, resolved.lesion_draws)
    if population is None:
        return
    for one in population.correlation:
        pairs = ", ".join(f"{a} and {b} {number(rho)}" for (a, b), rho in one.pairs.items())
        print(f"correlated: {pairs} (of the normals behind them)")
    if cohort.draws and cohort.design != "random":
        uneven = cohort.design == "sobol" and cohort.patients & (cohort.patients - 1)
        near = 2 ** round(math.log2(cohort.patients))
        print(
            f"design:     {cohort.design}" + (f", even for a power of two: {near} patients" if uneven else "")
        )
    if cohort.columns:
        names = ", ".join(network.parameters[q].name for q in cohort.columns)
        rows, patients = len(cohort.table), cohort.patients
        taken = (
            f"the first {patients}" if patients < rows else f"taken again and again for {patients} patients"
        )
        print(f"table:      {names} of {rows} patients" + (f", {taken}" if patients != rows else ""))


def show_draws(title: str, network: Network, draws: tuple[Draw, ...]) -> None:
    """Print distributions in the base unit of their parameter; nothing where there are none."""
    rows = [(network.parameters[d.parameter], d) for d in draws]
    if rows:
        show_table(title, ("name", "law", "unit"), [(p.name, law(d), p.unit) for p, d in rows])


def law(draw: Draw) -> str:
    """A distribution in the parameter's own unit."""
    if draw.dist == "uniform":
        return f"uniform, {number(draw.a)} to {number(draw.b)}"
    if draw.dist == "loguniform":
        return f"loguniform, {number(math.exp(draw.a))} to {number(math.exp(draw.b))}"
    if draw.dist == "beta":
        return (
            f"beta, shapes {number(draw.a)} and {number(draw.b)}, {number(draw.low)} to {number(draw.high)}"
        )
    if draw.dist == "normal":
        told = f"normal, mean {number(draw.a)}, sd {number(draw.b)}"
    elif draw.dist == "lognormal":
        told = f"lognormal, median {number(math.exp(draw.a))}, sigma of the logarithm {number(draw.b)}"
    else:
        told = f"gamma, shape {number(draw.a)}, mean {number(draw.a * draw.b)}"
    for word, end in (("from", draw.low), ("to", draw.high)):
        told += f", {word} {number(end)}" if math.isfinite(end) else ""
    return told
