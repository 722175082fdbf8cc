"""The full cascade as a problem: `cascade_human` of ctcdyn, its rates written out for every tool.

Whatever is made of parameters alone becomes one parameter, so no tool computes it again and again; where a rate is then
one number times its reactants, it is mass action. 32 years from the first cell on; some rates differ by patient.
"""

from __future__ import annotations

from ctcdyn.model.expr import Call, Expr, Name, Number, evaluate, names, text
from ctcdyn.model.load import load_model
from problems import Problem, Reaction

YEARS = 32
VARIED = ("primary_growth_growth", "anoikis_kill_rate", "t_cells_contraction", "metastasis_growth_growth")
WIDTH = 0.1  # of the lognormal factors, assumed


def cascade_human() -> Problem:
    network = load_model("cascade_human")
    nominal = dict(zip(network.parameter_names, network.parameter_values().tolist(), strict=True))
    known: dict[str, float] = {}  # the parameters of the problem
    folded: dict[str, str] = {}  # text of what is made of parameters -> name

    def fold(given: Expr) -> Expr:
        read = names(given)
        if isinstance(given, Number) or not read:
            return Number(evaluate(given, {}))
        if isinstance(given, Name):
            if given.id in nominal:
                known[given.id] = nominal[given.id]
            return given
        if read <= set(nominal):
            name = folded.setdefault(text(given), f"c{len(folded)}")
            known[name] = evaluate(given, nominal)
            return Name(name)
        return Call(given.op, tuple(fold(arg) for arg in given.args))

    reactions = []
    for reaction in network.reactions:
        given = reaction.k if reaction.rate is None else reaction.rate
        sides = [
            {network.species_names[place]: number for place, number in side}
            for side in (reaction.reactants, reaction.products)
        ]
        rate = fold(given)
        constant = rate.id if isinstance(rate, Name) and rate.id in known and reaction.rate is None else ""
        written = text(rate)
        if reaction.rate is None:
            written = " * ".join([written if constant else f"({written})", *sides[0]])
        reactions.append(Reaction(reaction.name, sides[0], sides[1], written, constant))
    start = network.initial_values()
    return Problem(
        "cascade",
        "the full cascade of a human tumour: 28 species, 146 reactions, 32 years from the first cell",
        dict(zip(network.species_names, start.tolist(), strict=True)),
        known,
        tuple(reactions),
        tuple(365.25 * YEARS * save / 128 for save in range(129)),
        VARIED,
        WIDTH,
    )
