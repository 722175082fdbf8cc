"""Reaction equations: "2 A + B -> C", "-> A", "A ->", "A -> A + B". Counts are whole numbers; no reversible
arrows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ctcdyn.errors import CtcError, Place, Problem, did_you_mean

MAX_COUNT = 1000  # of one species in one reaction; 1/m! is a normal double up to 170, products may be bursts
MAX_ORDER = (
    16  # reactants that meet at once; nothing in biology is beyond 4, and x**16 of 1e19 is still finite
)

_TERM = re.compile(r"(?:([0-9]+)\s*(?:\*\s*)?)?([A-Za-z_][A-Za-z0-9_]*)")
_ARROWS = {
    "<->": "write two reactions, one for each direction",
    "<=>": "write two reactions, one for each direction",
    "=>": 'write "->"',
    "→": 'write "->"',
    "-->": 'write "->"',
    "<-": 'write "->", reactants on its left',
    "=": 'write "->"',
}
_ADD = {"lesion": "say in [lesion] what becomes of one: [lesion.species] and [[lesion.reaction]]"}

Terms = tuple[tuple[int, int], ...]


def parse_equation(
    text: str, species: Mapping[str, int], place: Place | None, key: str
) -> tuple[Terms, Terms]:
    """Reactants and products as (species index, count), in order of species. Raises CtcError M302, M303,
    M316.
    """
    example = 'write it like "2 A + B -> C"; "-> A" is a source, "A ->" a loss'
    if len(text) > 10_000:
        raise CtcError(Problem("M303", f"the equation has {len(text)} characters", place, key, example))
    sides = text.split("->")
    for arrow, hint in _ARROWS.items():
        if arrow in text and not (arrow == "=" and "->" in text):
            wrong = [Problem("M303", f'"{arrow}" is not an arrow of equations', place, key, hint, word=arrow)]
            beside: list[Problem] = []
            for side in text.split(arrow):
                _side(side, species, place, key, beside)
            raise CtcError([*wrong, *_once(problem for problem in beside if problem.code == "M302")])
    if len(sides) != 2:
        many = "has more than one arrow" if len(sides) > 2 else 'has no "->"'
        raise CtcError(Problem("M303", f'equation "{text[:100]}" {many}', place, key, example))
    problems: list[Problem] = []
    left, right = (_side(side, species, place, key, problems) for side in sides)
    if not problems and left == right:
        empty = not left
        what = "the equation is empty" if empty else f'"{text[:100]}" changes nothing'
        fix = example if empty else "a catalyst needs something else to change: A -> A + B"
        problems.append(Problem("M316", what, place, key, fix))
    if not problems and sum(left.values()) > MAX_ORDER:
        problems.append(
            Problem(
                "M303",
                f"{sum(left.values())} reactants meet at once, the limit is {MAX_ORDER}",
                place,
                key,
                "write the steps between as reactions of their own",
            )
        )
    if problems:
        raise CtcError(_once(problems))
    return tuple(sorted(left.items())), tuple(sorted(right.items()))


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """A name that is wrong on both sides of an arrow is wrong once."""
    return list({(problem.code, problem.what): problem for problem in problems}.values())


def _side(
    side: str, species: Mapping[str, int], place: Place | None, key: str, problems: list[Problem]
) -> dict[int, int]:
    counts: dict[int, int] = {}
    if side.strip() in ("", "0"):
        return counts
    for term in side.split("+"):
        match = _TERM.fullmatch(term.strip())
        if match is None:
            odd = next((c for c in term if ord(c) > 127), "")
            what = f'"{term.strip()[:60]}" is not a species with a count'
            if odd:
                what += f" ({odd!r} is not a plain letter)"
            fix = (
                'counts are whole numbers before the name: "2 A"'
                if term.strip()
                else "remove the + or add a species"
            )
            problems.append(Problem("M303", what, place, key, fix, word=term.strip()[:60]))
            continue
        count, name = (
            int(match.group(1) or 1) if len(match.group(1) or "") < 9 else MAX_COUNT + 1,
            match.group(2),
        )
        if name not in species:
            fix = did_you_mean(name, species) or _ADD.get(name, f"add {name} to [species]")
            problems.append(
                Problem("M302", f'unknown species "{name}" in the equation', place, key, fix, word=name)
            )
        elif not 1 <= count <= MAX_COUNT:
            what = f"a count must be 1 to {MAX_COUNT}, not {match.group(1)[:20]}"
            problems.append(
                Problem("M303", what, place, key, "leave the species out, or write a smaller count")
            )
        else:
            counts[species[name]] = counts.get(species[name], 0) + count
    return counts
