"""A study meets a model: names, units and bounds are compared, values and draws are put in base units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from ctcdyn import plugins
from ctcdyn.config import Study
from ctcdyn.config.tables import QUANTILES
from ctcdyn.errors import CtcError, Place, Problem
from ctcdyn.model.cohort import Cohort, read_cohort
from ctcdyn.model.colony import FOUNDING, lesion_problems, no_founders
from ctcdyn.model.definitions import check_initial_unit, read_parameter_value, shown_unit
from ctcdyn.model.drawing import read_draw
from ctcdyn.model.expr import Expr, Number, derivative, evaluate
from ctcdyn.model.fates import with_fates
from ctcdyn.model.figures import Figure, read_figures
from ctcdyn.model.fluctuations import noise_problems
from ctcdyn.model.importance import method_problems, read_tilted, share_problems
from ctcdyn.model.interventions import read_interventions
from ctcdyn.model.network import Network, first_of_group, unknown_name
from ctcdyn.model.quantiles import Draw
from ctcdyn.model.rates import parts_of_cells
from ctcdyn.model.reader import Reader
from ctcdyn.units import UnitError, parse_quantity, parse_unit


@dataclass(frozen=True, slots=True)
class Resolved:
    """What runs: the network with the study's numbers, its patients, and the draws of lesions."""

    network: Network
    cohort: Cohort = field(default_factory=Cohort)
    lesion_draws: tuple[Draw, ...] = ()  # of each lesion, in the place of its patient's
    figures: tuple[Figure, ...] = ()  # of the literature, and how they are computed


def resolve(network: Network, study: Study) -> Resolved:
    """The network with the study's parameters and initial values, and its draws. Raises CtcError with all
    problems.
    """
    resolved, problems = read_resolved(network, study)
    if problems:
        raise CtcError(problems)
    return resolved


def read_resolved(network: Network, study: Study) -> tuple[Resolved, list[Problem]]:
    """Like `resolve`, but hands the problems over; what they concern keeps the model's value."""
    reader = Reader(study.document)
    by_name = {item.name: item for item in network.parameters}
    parameters = {}
    for name in study.parameters:
        value = read_parameter_value(reader, ("parameters", name), name, by_name)
        if value is not None:
            parameters[name] = value
    initial = {}
    for name in study.initial:
        tree = _initial(reader, name, network)
        if tree is not None:
            initial[first_of_group(name, network)] = tree
    changed = network.with_values(parameters, initial)
    if study.output.fates:
        changed, problems = with_fates(changed, study.place("output", "fates"))
        reader.problems += problems
    changed = _pin(reader, study, changed)
    changed, cohort = read_cohort(reader, study, changed)
    of_lesions = []
    for name, distribution in study.lesion.draw.items():
        draw = read_draw(reader, ("lesion", "draw", name), distribution, changed)
        if draw is not None:
            of_lesions.append(draw)
    if study.lesion != type(study.lesion)() and network.lesion is None:
        what = f"the model {network.name} declares no lesions"
        fix = "remove [lesion], or declare them in the model file"
        reader.note("M334", what, ("lesion",), fix)
    _check_derived(reader, changed, parameters)
    changed = read_interventions(reader, study, changed)
    changed = _tilted(reader, study, changed)
    _check_method(reader, study, changed)
    if changed.lesion is not None:
        _check_lesions(reader, study, changed)
    if study.output.lesions and network.lesion is None:
        what = f"output.lesions: {network.name} declares no lesions, so there is no table of them"
        reader.note("C119", what, ("output", "lesions"), "leave it out, or take a model with [lesion]")
    of_lesions.sort(key=lambda draw: draw.parameter)
    figures = read_figures(reader, study, changed, _semantics(study))
    return Resolved(changed, cohort, tuple(of_lesions), figures), reader.problems


def _tilted(reader: Reader, study: Study, network: Network) -> Network:
    """The network with the fates that the study draws more often than they happen."""
    places = {name: study.place("importance", name) for name in study.importance}
    made, problems = read_tilted(network, study.importance, places)
    reader.problems += problems or share_problems(made, made.parameter_values()[None, :], places)
    if study.importance and study.output.quantiles != QUANTILES:
        what = "[importance] and output.quantiles exclude each other: bins count trajectories, not their weights"
        reader.note("C107", what, ("output", "quantiles"), "leave quantiles out; means and chances are weighted")
    return made


def _pin(reader: Reader, study: Study, network: Network) -> Network:
    """The network with the species that the study pins as continuous."""
    given, method = study.simulate.continuous, study.simulate.method
    for name in given:
        if name not in network.species_names:
            place = study.place("simulate", "continuous")
            known = network.species_names
            reader.problems.append(unknown_name("species", name, known, place, "simulate.continuous"))
    if given and _semantics(study) not in ("", "mixed", "hybrid", "backward", "moments"):
        what = f'continuous: the method "{method}" takes all species alike'
        fix = "leave it out, or take hybrid, first_order_leap, backward or moments"
        reader.note("C107", what, ("simulate", "continuous"), fix)
    return replace(
        network, species=tuple(replace(s, continuous=s.continuous or s.name in given) for s in network.species)
    )


def _initial(reader: Reader, name: str, network: Network) -> Expr | None:
    path = ("initial", name)
    name = first_of_group(name, network)
    if name not in network.species_names:
        place = reader.document.place(*path)
        reader.problems.append(unknown_name("species", name, network.species_names, place, f"initial.{name}"))
        return None
    species = network.species[network.index(name)]
    value = reader.value(path)
    if isinstance(value, str):
        try:
            number, unit = parse_quantity(value)
        except UnitError as error:
            if error.problems[0].code == "C106" or (
                error.problems[0].code == "U202" and " " in value.strip()
            ):
                reader.adopt(error, path, "write a finite number")
                return None
            tree = reader.expression(path, network.parameter_names, "only parameters")
            if tree is not None and network.units_checked:
                dimensions = {item.name: item.dimension for item in network.parameters}
                check_initial_unit(reader, path, tree, species, dimensions)
            return tree
        if unit is not None and unit.dimension != species.dimension:
            what = f'{name} has {shown_unit(species.dimension)}, but "{value}" was given'
            reader.note("U201", what, path, f"write {number:g}")
            return None
        start = unit.to_base(number) if unit is not None else number
    else:
        number, unit = float(value), None
        start = number
    if unit is None and number != 0.0 and parse_unit(species.declared).factor != 1.0:
        what = f"{name} is given in {species.declared} by the model, and {number:g} has no unit"
        reader.note("U203", what, path, f'write "{number:g} {species.declared}"')
        return None
    if start < 0 or start > 2.0**53:
        fault = "negative" if start < 0 else "above 2**53, where counts are no longer exact"
        reader.note(
            "M313", f"the initial value of {name} is {fault}: {start:g}", path, "write a value from 0 to 9e15"
        )
        return None
    return Number(start)


def _check_derived(reader: Reader, network: Network, given: dict[str, float]) -> None:
    """Derived parameters follow their inputs: out of their bounds, or into infinity."""
    for item in network.parameters if given else ():
        if item.expr is None:
            continue
        low, high = item.bounds or (-math.inf, math.inf)
        if not (math.isfinite(item.value) and low <= item.value <= high):
            what = f"{item.name} becomes {item.value:g} {item.unit} with these parameters"
            what += f", outside its bounds {low:g} to {high:g}" if item.bounds else ""
            reader.note("M306", what, ("parameters",), f"change what {item.name} is derived from", word="")


def semantics_of(study: Study, method: str = "") -> str:
    """What the study's method, or another in its place, simulates: "ode", "jump", "mixed", ..."""
    method = method or study.simulate.method
    if method == "ode":
        return "ode"
    solver = plugins.find("solver", method, Path(study.path).parent)
    return str(plugins.constants(solver, ("SEMANTICS",))["SEMANTICS"])


def _semantics(study: Study) -> str:
    """`semantics_of`; empty for "auto", and where there is no such method, which is told elsewhere."""
    try:
        return semantics_of(study) if study.simulate.method != "auto" else ""
    except CtcError:
        return ""


def _check_lesions(reader: Reader, study: Study, network: Network) -> None:
    """Methods that have single cells, and lesions that can run apart from their patient."""
    known = []
    for table, method in (("simulate", study.simulate.method), ("lesion", study.lesion.method)):
        place, key = reader.document.place(table, "method"), f"{table}.method"
        if method == "auto" and table == "simulate":
            continue
        try:
            semantics = "ode" if method in ("ode", "auto") else semantics_of(study, method)
        except CtcError as error:
            if table == "lesion":  # of the patient's it is told already
                reader.problems += [p.at(place, key) if p.place is None else p for p in error.problems]
            continue
        if semantics not in FOUNDING:
            reader.problems.append(no_founders(method, key, place))
        known.append(semantics)
    reader.problems += lesion_problems(network, known)


def _check_method(reader: Reader, study: Study, network: Network) -> None:
    """The solver is there, and what it simulates can start where the study starts it."""
    method, path = study.simulate.method, ("simulate", "method")
    switch_up = study.simulate.hybrid.switch_up
    if method in ("ode", "auto"):
        if study.importance:
            reader.problems += method_problems(network, method, "ode", switch_up, reader.document.place(*path))
        reader.problems += noise_problems(network, method, "ode")
        if study.simulate.step is not None:
            at = study.place("simulate", "step")
            reader.problems += check_step(network, method, "ode", study.simulate.step, 0.0, 0, at)
        return
    try:
        place = reader.document.place(*path)
        plugins.find("solver", method, Path(study.path).parent, place, "simulate.method")
        semantics = semantics_of(study)
        if semantics in ("jump", "mixed", "backward"):
            given = {name: study.place("initial", name) for name in study.initial}
            reader.problems += parts_of_cells(network, given, semantics != "jump")
        reader.problems += noise_problems(network, method, semantics)
        if study.importance:
            reader.problems += method_problems(network, method, semantics, switch_up, place)
        if semantics == "hybrid":
            given = {name: study.place("initial", name) for name in study.initial}
            reader.problems += parts_of_cells(network, given, True, study.simulate.hybrid.switch_up)
        simulate, cap = study.simulate, study.limits.max_steps_per_trajectory
        length = simulate.t_end - simulate.t_start
        key = "step" if simulate.step is not None else "method"
        at = reader.document.place("simulate", key)
        reader.problems += check_step(network, method, semantics, simulate.step, length, cap, at)
    except CtcError as error:
        reader.problems += error.problems


def check_step(
    network: Network,
    method: str,
    semantics: str,
    step: float | None,
    length: float,
    cap: int,
    place: Place | None = None,
) -> list[Problem]:
    """What is wrong with a step (days), for a run of `length` days of at most `cap` steps."""
    if semantics != "langevin":
        if step is None:
            return []
        what, fix = f'step = {step:g} days: the method "{method}" chooses its own steps', "leave step out"
        return [Problem("C107", what, place, key="simulate.step", fix=fix)]
    if step is None:
        fastest = fastest_loss(network)
        proposed = f"{0.1 / fastest:.2g} days" if fastest > 0 else "a tenth of the shortest time scale"
        what = f'the method "{method}" needs a step'
        fix = f"write step: {proposed} is a tenth of the shortest time scale at the start"
        return [Problem("C103", what, place, key="simulate.step", fix=fix, word="")]
    if length / step > cap:
        what = f"{length / step:.3g} steps of {step:g} days are more than max_steps_per_trajectory = {cap}"
        return [Problem("C105", what, place, key="simulate.step", fix="take a longer step, or raise the limit")]
    return []


def fastest_loss(network: Network) -> float:
    """The largest rate at which a species is lost at the start, per cell and day; 0 where none can be told."""
    values = {p.name: p.value for p in network.parameters}
    start = dict(zip(network.species_names, network.initial_values().tolist(), strict=True))
    rates = [0.0]
    for reaction in network.reactions:
        law = reaction.propensity("ode", network)
        for s, change in reaction.change:
            if change < 0:
                slope = evaluate(derivative(law, network.species[s].name), values | start | {"t": 0.0})
                rates.append(-change * float(slope))
    return max((rate for rate in rates if math.isfinite(rate)), default=0.0)
