"""`ctcdyn check --explain`: what every number became, where it is from, and which solver follows from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ctcdyn.cli.screen import number, show_table
from ctcdyn.model.expr import Expr, Number, text

if TYPE_CHECKING:
    from ctcdyn.config import Study
    from ctcdyn.model.load import Draw, Resolved
    from ctcdyn.model.network import Network, Parameter


def explain_model(network: Network) -> None:
    """Print species, parameters, reactions, observables and conservation laws of a model."""
    if network.title:
        print(network.title)
    values = network.initial_values()
    show_table(
        "species",
        ("name", "initial", "unit", "what"),
        [
            (s.name, _initial(s.initial, float(x)), s.unit, s.doc + (" (continuous)" if s.continuous else ""))
            for s, x in zip(network.species, values, strict=True)
        ],
    )
    show_table(
        "parameters",
        ("name", "value", "unit", "bounds", "source"),
        [
            (p.name, number(p.value), p.unit, _bounds(p.bounds), p.source if p.expr is None else _derived(p))
            for p in network.parameters
        ],
    )
    show_table(
        "reactions",
        ("name", "equation", "propensity (1/d)"),
        [(r.name, r.equation, text(r.propensity("jump", network))) for r in network.reactions],
    )
    if network.observables:
        show_table(
            "observables",
            ("name", "reading", "unit"),
            [(o.name, text(o.expr) if o.expr is not None else o.use, o.unit) for o in network.observables],
        )
    laws = network.conservation()
    for law in laws:
        print("conserved:  " + " + ".join(f"{c} {s}" if c != 1 else s for s, c in law.items()))
    if not laws:
        print("conserved:  nothing")
    if not network.units_checked:
        print('units:      not checked (the model says units = "none")')


def explain_study(resolved: Resolved, study: Study) -> None:
    """Print the model as this study sets it, its draws, time scales and the solver with its reasons."""
    from ctcdyn.codegen.choose import choose

    network = resolved.network
    explain_model(network)
    if resolved.draws:
        rows = [(network.parameters[d.parameter], d) for d in resolved.draws]
        show_table(
            "drawn for each patient", ("name", "law", "unit"), [(p.name, _law(d), p.unit) for p, d in rows]
        )
    choice = choose(network, study)
    if choice.scales:
        print(
            f"scales:     {' to '.join(number(days) for days in choice.scales)} days (of the rate equations)"
        )
    print(f"solver:     {choice.method}")
    for reason in choice.reasons:
        print(f"            {reason}")
    pinned = [s.name for s in network.species if s.continuous]
    if pinned:
        print(f"continuous: {', '.join(pinned)}: no effect with this solver")


def _law(draw: Draw) -> str:
    """A distribution in the parameter's own unit."""
    if draw.dist == "normal":
        return f"normal, mean {number(draw.a)}, sd {number(draw.b)}"
    if draw.dist == "lognormal":
        return f"lognormal, median {number(math.exp(draw.a))}, sigma of the logarithm {number(draw.b)}"
    if draw.dist == "uniform":
        return f"uniform, {number(draw.a)} to {number(draw.b)}"
    return f"loguniform, {number(math.exp(draw.a))} to {number(math.exp(draw.b))}"


def _initial(initial: Expr, value: float) -> str:
    return number(value) if isinstance(initial, Number) else f"{text(initial)} = {number(value)}"


def _derived(parameter: Parameter) -> str:
    assert parameter.expr is not None
    return f"= {text(parameter.expr)}; {parameter.source}"


def _bounds(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f"{number(bounds[0])} to {number(bounds[1])}"
