"""Lesions as objects: what is founded, by which firings, and what becomes of one; the [lesion] of a model.

A reaction of the patient, or of a lesion, that a rule names founds one lesion with each firing. A lesion is a reaction
network of its own with the patient's parameters: it begins at its founding, reaches its patient by what it sheds alone
(by rules of its own), and the treatments that reach the patient reach it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ctcdyn.errors import Place, Problem
from ctcdyn.model.expr import Call, Expr, Number, dimension, names
from ctcdyn.model.network import Network, Observable, Reaction, Species, unknown_name
from ctcdyn.model.reactions import read_reactions, read_species
from ctcdyn.model.reader import Reader
from ctcdyn.model.readings import CONDITIONS
from ctcdyn.places import Document, KeyPath, describe
from ctcdyn.units import Dimension, UnitError

BEGINS = "lesion__begins"  # the treatment that puts the first cells where none were
DETECTED = "lesion__detected"  # the first passage of a lesion
ALIVE, SEEN = "lesions", "lesions_detected"  # readings of a patient
READING = "lesion"  # `use` of what is filled in after the patient's own run


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to found a lesion: each firing of `reaction`, of the patient or of a lesion, begins one.

    `begins` gives species of the lesion, by name, their counts: expressions of the patient's parameters.
    """

    name: str
    reaction: str
    organ: str
    begins: tuple[tuple[str, Expr], ...]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Lesion:
    """What becomes of one lesion. `size`: the species that is its size; detected when `detection` becomes true."""

    species: tuple[Species, ...]
    reactions: tuple[Reaction, ...]
    rules: tuple[Rule, ...]
    size: str
    detection: Expr | None
    place: Place | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Its species."""
        return tuple(item.name for item in self.species)


def read_lesion(
    reader: Reader, network: Network, taken: dict[str, str], founding: set[str], checked: bool
) -> Network:
    """`network` with the [lesion] of its file, and what is read of it: counters and readings.

    `founding`: the patient's reactions that found lesions.
    """
    table = reader.table(("lesion",))
    inside = _inside(reader)
    inside.keys((), ("doc", "size", "detection", "species", "reaction", "founder"))
    species = read_species(inside, taken)
    for name in inside.table(("species",)):
        if isinstance(table["species"][name], dict) and "initial" in table["species"][name]:
            fix = "write it in the rule: [[lesion.founder]] begins = { ... }"
            inside.note("C107", f"{name} begins with what its founder says", ("species", name, "initial"), fix)
    own = {item.name: item.dimension for item in species}
    own |= {item.name: item.dimension for item in network.parameters}
    known = own | {item.name: item.dimension for item in network.species}
    by_lesions: set[str] = set()
    reactions = read_reactions(inside, species, known, checked, by_lesions)
    both = {item.name for item in network.reactions} & {item.name for item in reactions}
    for r, item in enumerate(reactions):
        if item.name in both:
            what = f'"{item.name}" is a reaction of the patient too'
            inside.note("M301", what, ("reaction", r, "name"), "rename one of the two", word=item.name)
    size = inside.text(("size",), default=species[0].name if species else "")
    if species and size not in {item.name for item in species}:
        place = reader.document.place("lesion", "size")
        problem = unknown_name("species", size, [x.name for x in species], place, "size")
        inside.problems.append(problem)
    detection = _detection(inside, own, checked) if "detection" in table else None
    everything = [x.name for x in (*network.reactions, *reactions)]
    order = [name for name in everything if name in founding | by_lesions]
    rules = _rules(inside, network, order, everything, {item.name: item for item in species}, size, checked)
    for name in (ALIVE, SEEN, *(f"lesion_{x.name}" for x in species), *(f"founded_{x.reaction}" for x in rules)):
        if name in taken:
            what = f'"{name}" is what a model with lesions reads off them, and here {taken[name]} has that name'
            reader.note("M301", what, ("lesion",), f"rename the {taken[name]}", word=name)
    late = {*(x.name for x in species), ALIVE, SEEN, *(f"lesion_{x.name}" for x in species)}
    reader.problems[:] = [_too_early(p) if p.code == "X408" and p.word in late else p for p in reader.problems]
    reader.problems += [replace(p, key=f"lesion.{p.key}" if p.key else "lesion") for p in inside.problems]
    reader.broken |= inside.broken
    used = {name for r in reactions for e in (r.k, r.rate) if e is not None for name in names(e)}
    noises = reader.value(("noise",))
    for k, noise in enumerate(noises if isinstance(noises, list) else ()):
        target = noise.get("parameter") if isinstance(noise, dict) else None
        if target in used:
            what = f"{target} fluctuates in the patient, and lesions run with its mean"
            fix = "let rates of lesions use another parameter, or leave the noise out"
            reader.note("M331", what, ("noise", k, "parameter"), fix)
    lesion = Lesion(species, reactions, rules, size, detection, reader.document.place("lesion"))
    return with_lesion(network, lesion) if not inside.problems else network


def _too_early(problem: Problem) -> Problem:
    """A name of the lesions where the patient does not know them yet."""
    what = f'"{problem.word}" belongs to lesions, which run when their patient is through'
    why = "the patient and its lesions are not advanced together: they act on it by the lesions that they found"
    fix = "let the rate depend on what the patient knows, or make the growing cells a species of the patient"
    return replace(problem, code="M335", what=what, why=why, fix=fix)


def _inside(reader: Reader) -> Reader:
    document = reader.document
    places = {path[1:]: place for path, place in document.places.items() if path[:1] == ("lesion",)}
    return Reader(Document(document.path, document.text, document.data["lesion"], places))


def _detection(inside: Reader, known: dict[str, Dimension], checked: bool) -> Expr | None:
    tree = inside.expression(("detection",), known, "species of the lesion and parameters")
    if tree is None:
        return None
    if not isinstance(tree, Call) or tree.op not in CONDITIONS:
        inside.note("C118", "detection is not a condition", ("detection",), 'write detection = "cells >= 1e9"')
        return None
    try:
        if checked and not names(tree) & inside.broken:
            dimension(tree, known)
    except UnitError as error:
        inside.adopt(error, ("detection",), "make the units of both sides agree")
        return None
    return tree


def _rules(
    inside: Reader,
    network: Network,
    founding: list[str],
    everything: list[str],
    species: dict[str, Species],
    size: str,
    checked: bool,
) -> tuple[Rule, ...]:
    """The rules, one for each of the reactions `founding`, in their order; `everything`: names of all reactions."""
    tables = inside.value(("founder",))
    example = 'write [[lesion.founder]] with reaction = "settle" and begins = { cells = 1 }'
    if not isinstance(tables, list | None):
        inside.note("C104", f"founder must be a list of tables, not {describe(tables)}", ("founder",), example)
        return ()
    if not founding:
        fix = 'write `lesion` behind the arrow of one: equation = "tissue -> lesion"'
        inside.note("M309", "no reaction founds a lesion", (), fix)
    found: list[Rule] = []
    dimensions = {item.name: item.dimension for item in network.parameters}
    for k, table in enumerate(tables or ()):
        path = ("founder", k)
        if not isinstance(table, dict):
            inside.note("C104", f"a founder must be a table, not {describe(table)}", path, example)
            continue
        inside.keys(path, ("name", "reaction", "organ", "begins", "doc"))
        reaction = inside.text((*path, "reaction"))
        place = inside.document.place(*path)
        if reaction not in founding:
            inside.problems.append(_founds_nothing(inside, (*path, "reaction"), reaction, founding, everything))
            continue
        if reaction in {rule.reaction for rule in found}:
            fix = "one rule for each reaction: give the other way a reaction of its own"
            inside.note("M301", f'two rules name the reaction "{reaction}"', (*path, "reaction"), fix, word=reaction)
            continue
        begins = []
        told = inside.table((*path, "begins")) or {size: None}
        for name, value in told.items():
            here = (*path, "begins", name)
            if name not in species:
                inside.problems.append(
                    unknown_name("species", name, species, inside.document.place(*here), f"founder.{k}.begins.{name}")
                )
                continue
            tree = Number(1.0) if value is None else inside.expression(here, dimensions, "only parameters")
            if tree is None:
                continue
            least = 1.0 if name == size else 0.0
            if isinstance(tree, Number) and not (least <= tree.value < 2.0**53 and tree.value.is_integer()):
                fix = f"write a whole number from {least:g} on"
                inside.note("M313", f"{name} begins with {tree.value:g}", here, fix)
            elif checked and not isinstance(tree, Number):
                _check_unit(inside, here, tree, species[name], dimensions)
            begins.append((name, tree))
        name = inside.text((*path, "name"), default=reaction)
        found.append(Rule(name, reaction, inside.text((*path, "organ")), tuple(begins), place))
    named = {rule.reaction for rule in found}
    found += [Rule(name, name, "", ((size, Number(1.0)),)) for name in founding if name not in named]
    if len(found) > 255:
        inside.note("M315", f"{len(found)} reactions found lesions", ("founder",), "write at most 255")
    return tuple(sorted(found, key=lambda rule: founding.index(rule.reaction)))


def _founds_nothing(
    inside: Reader, path: KeyPath, reaction: str, founding: list[str], everything: list[str]
) -> Problem:
    """The problem of a rule for a reaction that is not there, or is there and founds no lesion."""
    place, key = inside.document.place(*path), ".".join(map(str, path))
    if reaction not in everything:
        return unknown_name("reaction", reaction, founding, place, key)
    fix = f"write `lesion` behind its arrow, or name one that founds: {', '.join(founding)}"
    return Problem("C102", f'the reaction "{reaction}" founds no lesion', place, key, fix, word=reaction)


def _check_unit(
    inside: Reader, path: KeyPath, tree: Expr, species: Species, known: dict[str, Dimension]
) -> None:
    try:
        found = dimension(tree, known)
    except UnitError as error:
        inside.adopt(error, path, "make the units agree")
        return
    if found != species.dimension and tree != Number(0.0):
        what = f"{species.name} begins with what is no count of {species.unit}"
        inside.note("U205", what, path, f"give an expression in {species.declared}")


def with_lesion(network: Network, lesion: Lesion) -> Network:
    """`network` with lesions: counters of the firings that found them, and readings that are filled in afterwards."""
    names_ = {item.name for item in network.reactions}
    founders = tuple(
        (f"founded_{rule.reaction}", k) for k, rule in enumerate(lesion.rules) if rule.reaction in names_
    )
    counters = tuple(
        Observable(name, None, "flux", {"reaction": lesion.rules[k].reaction}, "1", "lesions founded so far",
                   lesion.rules[k].place, "counter")
        for name, k in founders
    )  # fmt: skip
    told = {ALIVE: ("1", "lesions with a cell"), SEEN: ("1", "lesions detected so far")} if lesion.detection else {
        ALIVE: ("1", "lesions with a cell")
    }  # fmt: skip
    told |= {f"lesion_{x.name}": (x.declared, f"{x.name} of all lesions") for x in lesion.species}
    readings = tuple(
        Observable(name, Number(0.0), READING, {}, unit, doc, lesion.place) for name, (unit, doc) in told.items()
    )
    kept = tuple(o for o in network.observables if o.use != READING and o.name not in dict(founders))
    return replace(network, observables=(*kept, *counters, *readings), founders=founders, lesion=lesion)
