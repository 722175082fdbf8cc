"""Fates counted: of all cells shed, how many were killed by what, slept, founded a metastasis.

A reaction has a `fate` (hazards of mechanisms their own name). Each fate gets a species `fate_NAME` that only adds up,
a product of every reaction of that fate, so that every method counts it as it counts any other product. What is counted
is cells: as many as the reaction takes (`cells` of a cluster), or, where it takes none (shedding), as many as it makes.
What happens inside lesions is not counted: a lesion is the end of the way that its founder went.
"""

from __future__ import annotations

from dataclasses import replace

from ctcdyn.errors import Place, Problem
from ctcdyn.model.expr import Number, names
from ctcdyn.model.network import Network, Reaction, Species
from ctcdyn.units import DIMENSIONLESS

PREFIX = "fate_"


def fates_of(network: Network) -> tuple[str, ...]:
    """The fates that reactions of a network have, each once, in order of reactions."""
    return tuple(dict.fromkeys(reaction.fate for reaction in network.reactions if reaction.fate))


def with_fates(network: Network, place: Place | None = None) -> tuple[Network, list[Problem]]:
    """The network that counts its fates, and why some cannot be counted (C122, at `place`, where a study asks for it).

    >>> from ctcdyn.model.load import load_model
    >>> counting, _ = with_fates(load_model("human_breast_min"))
    >>> counting.species_names[-1], counting.reactions[2].equation
    ('fate_died_asleep', '-> blood + shed_cells + fate_shed')
    """
    fates, problems = fates_of(network), []
    key = "output.fates"
    if not fates:
        what, fix = f"no reaction of {network.name} has a fate", 'give reactions fate = "..." in the model file'
        return network, [Problem("C122", what, place, key, fix)]
    taken = {*network.species_names, *network.parameter_names, *network.observable_names}
    for fate in fates:
        if PREFIX + fate in taken:
            what, fix = f"{PREFIX}{fate} is taken: it would be the species that counts a fate", "rename one of the two"
            problems.append(Problem("C122", what, place, key, fix))
    tallies = _tallies(network)
    first = len(network.species)
    reactions = []
    for reaction in network.reactions:
        if not reaction.fate:
            reactions.append(reaction)
            continue
        number = cells_of(reaction, network, tallies)
        if number == 0:
            what = f"{reaction.name} has the fate {reaction.fate}, and takes and makes no cells"
            problems.append(Problem("C122", what, place, key, "give the fate to a reaction of cells"))
            continue
        reactions.append(_counting(reaction, first + fates.index(reaction.fate), number))
    species = tuple(
        Species(PREFIX + fate, str(DIMENSIONLESS), Number(0.0), False, DIMENSIONLESS, f"cells so far: {fate}")
        for fate in fates
    )
    counting = replace(network, species=(*network.species, *species), reactions=tuple(reactions), fates=fates)
    return (network if problems else counting), problems


def cells_of(reaction: Reaction, network: Network, tallies: frozenset[int]) -> int:
    """Cells that a reaction takes; where it takes none, that it makes; `tallies` are species that only count."""
    change = [(s, n * network.species[s].cells) for s, n in reaction.change if _counts_cells(network.species[s])]
    gone = -sum(n for _, n in change if n < 0)
    made = sum(n for s, n in change if n > 0 and s not in tallies)
    return gone or made or max((n for _, n in change), default=0)


def _counts_cells(species: Species) -> bool:
    return species.dimension == DIMENSIONLESS


def _tallies(network: Network) -> frozenset[int]:
    """Species that only add up and that no rate looks at: no cells, but what was counted (`shed_cells`)."""
    felt = {s for reaction in network.reactions for s, _ in reaction.reactants}
    read = frozenset[str]().union(*(names(reaction.propensity("jump", network)) for reaction in network.reactions))
    return frozenset(s for s, x in enumerate(network.species) if s not in felt and x.name not in read)


def _counting(reaction: Reaction, tally: int, number: int) -> Reaction:
    """The reaction with so many more of the species that counts its fate."""
    term = PREFIX + reaction.fate if number == 1 else f"{number} {PREFIX}{reaction.fate}"
    left, _, right = (part.strip() for part in reaction.equation.partition("->"))
    equation = f"{left} -> {right + ' + ' if right not in ('', '0') else ''}{term}".strip()
    return replace(reaction, equation=equation, products=(*reaction.products, (tally, number)))
