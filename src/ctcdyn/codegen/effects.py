"""What a treatment does to a lane where it is given: species set, parameters scaled for good or for a time.

A parameter that is scaled for a time is worked out anew from the value kept for it, never divided back, so that what
wears off leaves no bit behind. Parameters that are derived follow those they are derived from.
"""

from __future__ import annotations

from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import Expr, names


def scaled(layout: Layout) -> list[int]:
    """Parameters that some treatment scales, in order."""
    return sorted({q for x in layout.network.treatments for q, _ in x.scale})


def is_kept(layout: Layout, q: int) -> bool:
    """Whether parameter q needs a row beside its own: its value, or what it is multiplied by if it is derived."""
    windowed = any(x.duration is not None and q in dict(x.scale) for x in layout.network.treatments)
    return windowed or layout.network.parameters[q].expr is not None


def kept(layout: Layout, q: int) -> str:
    """The row of parameter q that treatments for good change."""
    name = layout.network.parameters[q].name
    return f"KEPT_{name}" if is_kept(layout, q) else f"Q_{name}"


def start(layout: Layout) -> list[str]:
    """What is kept, before any treatment."""
    lines = []
    for q in scaled(layout):
        parameter = layout.network.parameters[q]
        if is_kept(layout, q):
            value = "1.0" if parameter.expr is not None else f"w[Q_{parameter.name} + i]"
            lines.append(f"w[{kept(layout, q)} + i] = {value}")
    return lines


def once(layout: Layout, k: int) -> list[str]:
    """An application of treatment k at t: species are set, and parameters scaled for good, where `given`."""
    treatment = layout.network.treatments[k]
    body = Body(layout.symbol)
    changes = []
    for n, (s, value) in enumerate(treatment.set):
        name = layout.species[s]
        cell, new = f"w[X_{name} + i]", f"new_{n}__"
        body.lines.append(f"{new} = {body.value(value)}")
        if layout.is_whole(name):  # cells: the nearest whole number; above 2**52 all are
            body.lines.append(f"{new} = np.floor({new} + 0.5) if abs({new}) < 4503599627370496.0 else {new}")
        elif layout.semantics == "hybrid":
            whole = f"(w[DISCRETE_{name} + i] > 0.0) & (abs({new}) < 4503599627370496.0)"
            body.lines.append(f"{new} = np.floor({new} + 0.5) if {whole} else {new}")
        body.lines.append(f"{new} = {new} if given else {cell}")
        # no number, or less than nothing, where there was not before; a covariance may be that
        wrong = f"not abs({new}) < np.inf"
        if s < len(layout.network.species):
            wrong = f"(({new} < 0.0) & ({cell} >= 0.0)) | ({wrong})"
        body.lines.append(f"changed |= 4 if {wrong} else 0")
        changes.append((cell, new))
    if treatment.duration is None:
        for n, (q, _) in enumerate(treatment.scale, len(treatment.set)):
            cell, new = f"w[{kept(layout, q)} + i]", f"new_{n}__"
            body.lines.append(f"{new} = {cell} * ({_factor(layout, k, q, body)} if given else 1.0)")
            changes.append((cell, new))
    for cell, new in changes:
        body.lines += [f"changed |= 1 if {new} != {cell} else 0", f"{cell} = {new}"]
    return body.lines


def rescale(layout: Layout) -> list[str]:
    """Parameters in force, from what is kept and what works at present; then those derived from them."""
    network = layout.network
    direct = set(scaled(layout))
    derived, moved = [], {network.parameters[q].name for q in direct}
    for q in network.derived_order():
        parameter = network.parameters[q]
        assert parameter.expr is not None
        if q in direct or names(parameter.expr) & moved:
            derived.append(q)
            moved.add(parameter.name)
    given = [q for q in sorted(direct - set(derived)) if is_kept(layout, q)]
    lines = []
    for q in (*given, *derived):
        parameter = network.parameters[q]
        body = Body(layout.symbol)
        factors = [f"w[{kept(layout, q)} + i]"] if q in direct else []
        if parameter.expr is not None:
            factors.insert(0, body.value(parameter.expr, 2))
        for k, treatment in enumerate(network.treatments):
            if treatment.duration is not None and q in dict(treatment.scale):
                factors.append(f"({_factor(layout, k, q, body)} if w[ON_{k} + i] > 0.0 else 1.0)")
        cell, new = f"w[Q_{parameter.name} + i]", f"in_force_{q}__"
        body.lines += [f"{new} = {' * '.join(factors)}", f"changed |= 1 if {new} != {cell} else 0", f"{cell} = {new}"]
        lines += body.lines
    return ["if more:", *("    " + line for line in lines)] if lines else []


def _factor(layout: Layout, k: int, q: int, body: Body) -> str:
    """Source of what treatment k multiplies parameter q with."""
    treatment = layout.network.treatments[k]
    factor: float | Expr = dict(treatment.scale)[q]
    if isinstance(factor, float | int):
        return f"w[Q_{treatment.name}__x_{layout.network.parameters[q].name} + i]"
    return body.local(factor)
