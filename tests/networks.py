"""Small networks for tests, written as in a model file without units; test instances of shipped models."""

from __future__ import annotations

from collections.abc import Mapping

from ctcdyn.model.equation import parse_equation
from ctcdyn.model.expr import parse
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network, Observable, Parameter, Reaction, Species, Treatment
from ctcdyn.units import DIMENSIONLESS


def network(
    name: str,
    species: Mapping[str, float | str],
    parameters: Mapping[str, float],
    reactions: Mapping[str, tuple[str, str]],
    observables: tuple[Observable, ...] = (),
    treatments: tuple[Treatment, ...] = (),
) -> Network:
    """Species with initial values, reactions as name: (equation, k); a k that starts with "=" is a rate."""
    place = {s: at for at, s in enumerate(species)}
    made = []
    for label, (equation, law) in reactions.items():
        terms = parse_equation(equation, place, None, label)
        k, rate = (None, parse(law[1:])) if law.startswith("=") else (parse(law), None)
        made.append(Reaction(label, equation, *terms, k=k, rate=rate))
    return Network(
        name=name, title=name, doc="", time_unit="day",
        species=tuple(Species(s, "1", parse(str(x)), False, DIMENSIONLESS) for s, x in species.items()),
        parameters=tuple(
            Parameter(q, float(x), "1", DIMENSIONLESS, None, "assumed: a test") for q, x in parameters.items()
        ),
        reactions=tuple(made), observables=observables, treatments=treatments,
    )  # fmt: skip


def dimers(a: int = 11, b: int = 3) -> Network:
    """Two bimolecular reactions and one back: A pairs up, A and B make C, C falls apart into three."""
    return network(
        "dimers", {"A": float(a), "B": float(b), "C": 0.0}, {"pair": 0.05, "join": 0.04, "part": 0.6},
        {"pair_up": ("2 A -> B", "pair"), "join_up": ("A + B -> C", "join"), "fall": ("C -> 3 A", "part")},
    )  # fmt: skip


def rhythm() -> Network:
    """Immigration with a rhythm and a step, death one by one: the count is Poisson at all times."""
    law = "source * (1 + swing * sin(2 * pi * t)) * where(t < change, 1, factor)"
    return network(
        "rhythm", {"cells": 0.0}, {"source": 40.0, "swing": 0.8, "change": 0.85, "factor": 0.3, "loss": 1.7},
        {"arrive": ("-> cells", law), "vanish": ("cells ->", "loss")},
    )  # fmt: skip


def relapse() -> Network:
    """The toy set of science T5 and T6: shed for ten days, asleep or growing, detected by chance."""
    detection = Observable(
        "relapse", None, "first_passage", {"when": parse("seen >= 1"), "stop": False}, "d", realised="passage"
    )
    return network(
        "relapse", {"B": 0.0, "T": 0.0, "D": 0.0, "G": 0.0, "seen": 0.0},
        {"s": 2.0, "k_ext": 0.5, "d_B": 1.5, "k_TD": 0.3, "k_TG": 0.1, "d_T": 0.6, "k_R": 0.05, "d_D": 0.02, "b": 0.5,
         "d": 0.3, "k_GD": 0.1, "eta": 0.02},
        {"shed": ("-> B", "s * step(10 - t)"), "leave": ("B -> T", "k_ext"), "clear": ("B ->", "d_B"),
         "sleep": ("T -> D", "k_TD"), "settle": ("T -> G", "k_TG"), "die": ("T ->", "d_T"), "wake": ("D -> G", "k_R"),
         "lose": ("D ->", "d_D"), "divide": ("G -> 2 G", "b"), "wither": ("G ->", "d"), "resleep": ("G -> D", "k_GD"),
         "detect": ("G -> G + seen", "eta")},
        observables=(detection,),
    )  # fmt: skip


def seeding() -> Network:
    """Cells come for ten days and end in one of three ways, all of them by day 60; where there is a metastasis."""
    found = Observable(
        "found", None, "first_passage", {"when": parse("settled >= 1"), "stop": False}, "d", realised="passage"
    )
    return network(
        "seeding", {"tissue": 0.0, "settled": 0.0}, {"arrivals": 0.3, "p": 1e-6, "stay": 2.0},
        {"arrive": ("-> tissue", "arrivals * step(10 - t)"), "settle": ("tissue -> settled", "p / stay"),
         "leave": ("tissue ->", "0.25 * (1 - p) / stay"), "die": ("tissue ->", "0.75 * (1 - p) / stay")},
        observables=(found,),
    )  # fmt: skip


def mutation() -> Network:
    """Luria and Delbrueck: mutants from a population exp(growth t), neutral, observed at the first one."""
    when = Observable(
        "first", None, "first_passage", {"when": parse("mutants >= 1")}, "d", realised="passage"
    )
    return network(
        "mutation", {"mutants": 0.0}, {"rate": 0.0, "growth": 1.0},
        {"mutate": ("-> mutants", "rate * exp(growth * t)"), "divide": ("mutants -> 2 mutants", "growth")},
        observables=(when,),
    )  # fmt: skip


def small_instance(name: str) -> tuple[Network, float]:
    """A shipped model as its [test] table has it, and how many days it runs."""
    model = load_model(name)
    tests = dict(model.tests)
    return model.with_values(tests["parameters"], tests["initial"]), float(tests["t_end"])  # type: ignore[arg-type]
