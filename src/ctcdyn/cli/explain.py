"""`ctcdyn check --explain`: what every number became, where it is from, and which solver follows from it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ctcdyn.cli.screen import number, show_table
from ctcdyn.model.colony import lesion_network
from ctcdyn.model.expr import Call, Expr, Name, Number, substitute, text
from ctcdyn.model.lesion import READING
from ctcdyn.model.pages import ASSUMED, is_assumed

if TYPE_CHECKING:
    from ctcdyn.config import Study
    from ctcdyn.config.interventions import Event, Treatment
    from ctcdyn.model.network import Network, Observable, Parameter
    from ctcdyn.model.resolve import Resolved


def explain_model(network: Network) -> None:
    """Print species, parameters, reactions, observables and conservation laws of a model."""
    if network.title:
        print(network.title)
    for line in network.notes:
        print(line)
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
            [(o.name, _reading(o), o.unit) for o in network.observables],
        )
    explain_lesions(network)
    laws = network.conservation()
    for law in laws:
        print("conserved:  " + " + ".join(f"{c} {s}" if c != 1 else s for s, c in law.items()))
    if not laws:
        print("conserved:  nothing")
    if not network.units_checked:
        print('units:      not checked (the model says units = "none")')


def explain_assumed(network: Network, sources: bool = False) -> None:
    """Print which parameters nobody has measured, with `sources` why each has its value."""
    found = [p for p in network.parameters if is_assumed(p.source)]
    if not found:
        return
    head = f"assumed:    {len(found)} of {len(network.parameters)} parameters"
    if sources:
        print(head)
        for p in found:
            print(f"            {p.name}{p.source[len(ASSUMED):]}")
        return
    names = textwrap.wrap(", ".join(p.name for p in found), 98, break_long_words=False)
    print("\n            ".join([f"{head}:", *names]))


def explain_lesions(network: Network) -> None:
    """Print what founds lesions, what they begin with, and what happens in one."""
    lesion = network.lesion
    if lesion is None:
        return
    rules = [
        (x.name, x.organ or "-", ", ".join(f"{text(e)} {name}" for name, e in x.begins)) for x in lesion.rules
    ]
    show_table("lesions are founded by", ("reaction", "organ", "with"), rules)
    inner = lesion_network(network)
    reactions = [(r.name, r.equation, text(r.propensity("jump", inner))) for r in inner.reactions]
    show_table("reactions in each lesion", ("name", "equation", "propensity (1/d)"), reactions)
    if lesion.detection is not None:
        print(f"detected:   when {text(lesion.detection)}")


def _reading(observable: Observable) -> str:
    if observable.use == READING:
        return f"of the lesions: {observable.doc}"
    if observable.realised == "sample" and observable.expr is not None:
        return f"count found where {_shown(observable, observable.expr)} are expected{_spread(observable)}"
    return text(observable.expr) if observable.expr is not None else str(observable.use)


def _shown(observable: Observable, e: Expr) -> str:
    """An expression with the numbers of an observable in it."""
    numbers = observable.options.get("numbers", ())
    assert isinstance(numbers, tuple)
    return text(substitute(e, {name: Number(x) for name, x in numbers}))


def _spread(observable: Observable) -> str:
    dispersion = observable.options["dispersion"]
    assert isinstance(dispersion, Call | Name | Number)
    return "" if dispersion == Number(0.0) else f", dispersion {_shown(observable, dispersion)}"


def explain_study(resolved: Resolved, study: Study) -> None:
    """Print the model as this study sets it, its draws, time scales and the solver with its reasons."""
    from ctcdyn.codegen.choose import choose

    network = resolved.network
    explain_model(network)
    if network.lesion is not None:
        reaching = ", ".join(x.name for x in lesion_network(network).treatments[1:])
        print(f"lesions:    each run with {study.lesion.method}; treatments that reach them: {reaching or 'none'}")
    explain_interventions(study)
    explain_importance(network)
    choice = choose(network, study)
    if choice.scales:
        print(
            f"scales:     {' to '.join(number(days) for days in choice.scales)} days (of the rate equations)"
        )
    print(f"solver:     {choice.method}")
    for reason in choice.reasons:
        print(f"            {reason}")
    pinned = [s.name for s in network.species if s.continuous]
    if pinned and choice.method not in ("first_order_leap", "hybrid", "backward", "moments"):
        print(f"continuous: {', '.join(pinned)}: no effect with this solver")


def explain_interventions(study: Study) -> None:
    """Print treatments, arms and events in words."""
    if study.treatment:
        given = {
            x.name: [arm for arm, row in zip(study.arms, study.given, strict=True) if row[k]]
            for k, x in enumerate(study.treatment)
        }
        rows = [(x.name, _when(x), _what(x), ", ".join(given[x.name]) or "no arm") for x in study.treatment]
        show_table("treatments", ("name", "given", "effect", "in arms"), rows)
        alike = ": the same patients and the same chance in each" if len(study.arms) > 1 else ""
        print(f"{'arms' if alike else 'arm'}:".ljust(12) + ", ".join(study.arms) + alike)
    for arm in study.arm:
        for x in study.treatment:
            if x.name in arm.treatments and x.after in {y.name for y in study.treatment} - set(arm.treatments):
                print(f"            {arm.name}: {x.name} counts from when {x.after} would have been given")
    if study.event:
        rows = [(x.name, x.when, _clock(x), "the trajectory ends" if x.stop else "it goes on") for x in study.event]
        show_table("events", ("name", "first time of", "measured from", "then"), rows)


def explain_importance(network: Network) -> None:
    """Print which fates are drawn from another law, and what that leaves to the others."""
    for place, tilt in enumerate(network.tilts):
        parts = []
        for r, q in tilt.drawn:
            often = number(network.parameters[q].value)
            parts.append(f"{network.reactions[r].name} is drawn {often} times as often as it happens")
        share = number(network.parameters[tilt.share].value)
        parts.append(f"every other fate of {network.species[tilt.species].name} {share} times")
        print(("importance: " if place == 0 else " " * 12) + ", ".join(parts))


def _when(x: Treatment) -> str:
    """When a treatment is given, in words."""
    if x.after is not None:
        first = f"after {x.after}"
    elif isinstance(x.when, str) and any(sign in x.when for sign in "<>="):
        first = f"each time {x.when} becomes true" if x.repeat else f"once {x.when}"
    else:
        first = f"day {number(x.when)}" if isinstance(x.when, float) else f"at {x.when}"
    if x.delay:
        first = f"{number(x.delay)} days {first}" if x.after is not None else f"{number(x.delay)} days after {first}"
    if x.jitter:
        first += f" (scatters by {number(x.jitter)} days)"
    if x.every is not None:
        often = f"{x.cycles} times" if x.cycles is not None else "to the end"
        often = f"for {number(x.stop)} days" if x.stop is not None and x.cycles is None else often
        first += f", every {number(x.every)} days, {often}"
    if x.stop is not None and (x.repeat or x.cycles is not None):
        first += f", at most for {number(x.stop)} days"
    first += f", until {x.stop_if}" if x.stop_if is not None else ""
    return first + (f", each taken with a chance of {100 * x.adherence:g} %" if x.adherence is not None else "")


def _what(x: Treatment) -> str:
    """What one application does, in words."""
    changes = [f"{name} becomes {value}" for name, value in x.set.items()]
    lasting = f" for {number(x.duration)} days" if x.duration is not None else ""
    if x.duration is None and (x.every is not None or x.repeat):
        lasting = " for good, and again each time"
    changes += [f"{name} times {value}{lasting}" for name, value in x.scale.items()]
    return ", ".join(changes)


def _clock(x: Event) -> str:
    """What an event is measured from and waits for, in words."""
    start = x.clock if x.clock is not None else "the start"
    return start if x.after in (None, x.clock) else f"{start}, not before {x.after}"


def _initial(initial: Expr, value: float) -> str:
    return number(value) if isinstance(initial, Number) else f"{text(initial)} = {number(value)}"


def _derived(parameter: Parameter) -> str:
    assert parameter.expr is not None
    return f"= {text(parameter.expr)}; {parameter.source}"


def _bounds(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f"{number(bounds[0])} to {number(bounds[1])}"
