"""`ctcdyn check`: how the patients of a study differ, in words."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from ctcdyn.cli.screen import number, show_table

if TYPE_CHECKING:
    from ctcdyn.config import Study
    from ctcdyn.model.network import Network
    from ctcdyn.model.quantiles import Draw
    from ctcdyn.model.resolve import Resolved
    from ctcdyn.model.sweeping import Sweep


def explain_patients(resolved: Resolved, study: Study) -> None:
    """Print what is drawn for each patient and lesion, what a table gives, the design and correlations."""
    network, cohort, population = resolved.network, resolved.cohort, study.population
    _explain_sweep(network, cohort.sweep, study)
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


def _explain_sweep(network: Network, sweep: Sweep | None, study: Study) -> None:
    """Print which points a sweep has."""
    if sweep is None:
        return
    told = []
    for axis in sweep.axes:
        p = network.parameters[axis.parameter]
        ends = (axis.values[0], axis.values[-1]) if axis.values else (axis.low, axis.high)
        how = f"{len(axis.values)} values" if axis.values else "in ratios" if axis.log else "evenly"
        told.append((p.name, f"{number(ends[0])} to {number(ends[1])}", how, p.unit))
    show_table(f"swept: {sweep.count} points ({sweep.design})", ("name", "range", "how", "unit"), told)
    each = study.population.patients if study.population is not None else 1
    print(f"each point: {each} patients, {study.replicates} replicates, {len(study.arms)} arms")


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


def show_sweep(file: Path, points: str | None, sensitivity: str | None, as_json: bool) -> None:
    """Print an outcome at each point of a sweep, in each arm, or what it depends on."""
    from ctcdyn.alignment import aligned
    from ctcdyn.results import open_results
    from ctcdyn.sweeps import told

    plain: dict[str, object] = {}
    with open_results(file) as results:
        for arm in results.arm:
            if len(results.arm) > 1 and not as_json:
                print(arm)
            if sensitivity is not None:
                found = results.sensitivity(sensitivity, arm=arm)
                plain[arm] = found.plain()
                text = str(found)
            else:
                whole = results.points
                rows = told(whole.outcome(str(points), arm=arm), whole)
                plain[arm] = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
                text = "\n".join(aligned(rows))
            if not as_json:
                print(text)
    if as_json:
        print(json.dumps(plain, indent=2))
