"""The network of one lesion, made of its patient's: what it follows by itself, how treatments reach it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ctcdyn.errors import Place, Problem
from ctcdyn.model.expr import Call, Expr, Name, Number, names
from ctcdyn.model.lesion import BEGINS, DETECTED
from ctcdyn.model.network import Network, Observable, Terms, Treatment
from ctcdyn.model.readings import CONDITIONS

FOUNDING = ("jump", "mixed", "hybrid")  # semantics with events of single cells


def copied_species(network: Network) -> tuple[int, ...]:
    """Species of the patient that a lesion follows by itself: on which its rates depend, and on which those do."""
    assert network.lesion is not None
    rates = [item.k if item.k is not None else item.rate for item in network.lesion.reactions]
    wanted = set().union(*(names(e) for e in rates if e is not None)) & set(network.species_names)
    found: set[int] = set()
    while wanted:
        s = network.species_names.index(wanted.pop())
        found.add(s)
        for reaction in network.reactions:
            if s in dict(reaction.change):
                law = reaction.propensity("ode", network)
                wanted |= {x for x in names(law) & set(network.species_names) if network.index(x) not in found}
    return tuple(sorted(found))


def no_founders(method: str, key: str, place: Place | None = None) -> Problem:
    """The problem of a method that cannot found lesions, or run them."""
    what = f'the method "{method}" has no single cells, and lesions are founded by them'
    fix = "take first_order_leap, hybrid, direct, next_reaction, tau_leap or implicit_tau"
    return Problem("M333", what, place, key, fix)


def lesion_problems(network: Network, semantics: Sequence[str] = ()) -> list[Problem]:
    """Why the lesions of a network cannot run apart from their patient (M330, M331, M332).

    `semantics`: of the patient's and the lesions' method, as far as they are known.
    """
    lesion = network.lesion
    assert lesion is not None
    told = []
    noisy = {x.species for x in network.noises}
    copied = copied_species(network)
    if copied and "jump" in semantics:
        shown = ", ".join(network.species[s].name for s in copied)
        what = f"a rate of a lesion depends on {shown}, and a method that takes all species as counts does not pin it"
        fix = "take first_order_leap or hybrid for the patient, and for the lesions"
        told.append(Problem("M331", what, lesion.place, "lesion", fix))
    for o in network.observables:
        if o.options.get("stop"):
            what = f"{o.name} ends the patient, and its lesions, which run afterwards, would not end with it"
            fix = "remove stop: what came later can be left out by its time"
            told.append(Problem("M330", what, o.place, o.name, fix))
    own = {*network.species_names} - {network.species[s].name for s in copied}
    for x in network.treatments:
        felt = {n for s, e in x.set if s in copied for n in names(e) & own}
        if felt:
            what = f"{x.name} sets what lesions follow from {min(felt)}, which they do not know"
            told.append(Problem("M332", what, lesion.place, "lesion", "set it from parameters and pinned species"))
    for s in copied:
        item = network.species[s]
        if not item.continuous or s in noisy:
            what = f"a rate of a lesion depends on {item.name}, which is left to chance in the patient"
            why = "lesions run after their patient, and see of it only parameters, time and pinned species"
            fix = f"pin {item.name} with continuous = true, or let the rate depend on parameters and time"
            told.append(Problem("M331", what, lesion.place, "lesion", fix, why))
    for x in _reaching(network):
        if x.repeat or x.stop_if:
            key = "repeat" if x.repeat else "stop_if"
            what = f"{x.name} reaches lesions, and they cannot follow its {key}"
            fix = f"remove {key}, or let it change only what lesions do not depend on"
            told.append(Problem("M332", what, lesion.place, "lesion", fix))
    return told


def _reaching(network: Network) -> list[Treatment]:
    """Treatments that change something for lesions, and those that these come after."""
    lesion = network.lesion
    assert lesion is not None
    copied = copied_species(network)
    flows = [r for r in network.reactions if {s for s, _ in r.change} & set(copied)]
    laws = [e for r in (*lesion.reactions, *flows) for e in (r.k, r.rate) if e is not None]
    laws += [lesion.detection] if lesion.detection is not None else []
    laws += [e for x in network.treatments for _, e in x.lesion_set]
    used = set().union(*(names(e) for e in laws))
    for q in reversed(network.derived_order()):
        item = network.parameters[q]
        if item.name in used and item.expr is not None:
            used |= names(item.expr)
    by_name = {x.name: x for x in network.treatments}
    found: dict[str, Treatment] = {}
    scaled = {q for q, item in enumerate(network.parameters) if item.name in used}
    queue = [
        x
        for x in network.treatments
        if x.lesion_set or {s for s, _ in x.set} & set(copied) or set(dict(x.scale)) & scaled
    ]
    while queue:
        x = queue.pop()
        found.setdefault(x.name, x)
        if x.after in by_name and x.after not in found:
            queue.append(by_name[x.after])
    return [x for x in network.treatments if x.name in found]


def told_times(network: Network) -> tuple[tuple[str, str], ...]:
    """Treatments that must be told their time in lesions, each with that of the patient, or the event, that says it."""
    if network.lesion is None:
        return ()
    events = {o.name for o in network.observables if o.realised == "passage"}
    return tuple((x.name, _source(x, events)) for x in _reaching(network) if _source(x, events))


def _source(x: Treatment, events: set[str]) -> str:
    """Whose first time in the patient says when a treatment begins; empty where the treatment knows by itself."""
    if x.after:
        return x.after if x.after in events else ""
    return "" if isinstance(x.at, float | int) or x.at is None or not _is_condition(x.at) else x.name


def _is_condition(e: Expr) -> bool:
    return isinstance(e, Call) and e.op in CONDITIONS


def lesion_network(network: Network) -> Network:
    """The network of one lesion: the patient's parameters, treatments as they reach it, no cells until its founding."""
    lesion = network.lesion
    assert lesion is not None
    copied = copied_species(network)
    place = {s: len(lesion.species) + k for k, s in enumerate(copied)}
    species = tuple(replace(x, initial=Number(0.0)) for x in lesion.species)
    species += tuple(network.species[s] for s in copied)
    flows = tuple(
        replace(r, reactants=_moved(r.reactants, place), products=_moved(r.products, place))
        for r in network.reactions
        if {s for s, _ in r.change} & set(copied)
    )
    events = {o.name for o in network.observables if o.realised == "passage"}
    begins = tuple((k, Name(f"{BEGINS}_{x.name}")) for k, x in enumerate(lesion.species))
    numbers = tuple((f"{BEGINS}_{x.name}", 0.0) for x in lesion.species)
    treatments = [Treatment(BEGINS, 0.0, begins, numbers=numbers)]
    for x in _reaching(network):
        own = tuple((lesion.names.index(name), value) for name, value in x.lesion_set)
        changes = own + tuple((place[s], value) for s, value in x.set if s in place)
        told = _source(x, events)
        at = x
        if told == x.name:  # a time that has its delay, and by how much it scatters, in it
            at = replace(x, at=0.0, delay=None, jitter=None)
        elif told:
            at = replace(x, at=0.0, after="")
        treatments.append(replace(at, set=changes, lesion_set=()))
    owned = {r.name for r in lesion.reactions}
    founders = tuple((f"founded_{x.reaction}", k) for k, x in enumerate(lesion.rules) if x.reaction in owned)
    observables = [
        Observable(name, None, "flux", {"reaction": lesion.rules[k].reaction}, "1", realised="counter")
        for name, k in founders
    ]
    if lesion.detection is not None:
        options: dict[str, object] = {"when": lesion.detection, "stop": False}
        observables.append(Observable(DETECTED, None, "event", options, "d", realised="passage"))
    return replace(
        network,
        name=f"{network.name}_lesion",
        species=species,
        reactions=(*lesion.reactions, *flows),
        observables=tuple(observables),
        treatments=tuple(treatments),
        noises=(),
        tilts=(),
        fates=(),
        published=(),
        founders=founders,
        lesion=None,
        founded=True,
    )


def _moved(terms: Terms, place: dict[int, int]) -> Terms:
    return tuple((place[s], n) for s, n in terms if s in place)

