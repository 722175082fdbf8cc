"""Conservation laws: integer vectors y with y S = 0, in exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction


def left_null_space(stoichiometry: Sequence[Sequence[int]]) -> list[list[int]]:
    """Integer basis of {y : y S = 0} for S with one row per species and one column per reaction.

    Laws are made non-negative where adding one to another does that (S + P - E becomes S + P + ES).
    """
    width = len(stoichiometry)
    changes = list(dict.fromkeys(zip(*stoichiometry, strict=True)))  # equal columns say the same
    return _without_negatives(_null_space([list(change) for change in changes], width))


def _null_space(rows: list[list[int]], width: int) -> list[list[int]]:
    """Integer basis of {y : row . y = 0 for every row}, by exact elimination to reduced echelon form."""
    matrix: list[list[Fraction]] = []
    pivots: list[int] = []
    for row in rows:
        work = [Fraction(x) for x in row]
        for pivot, done in zip(pivots, matrix, strict=True):
            if work[pivot]:
                work = [a - work[pivot] * b for a, b in zip(work, done, strict=True)]
        lead = next((j for j, x in enumerate(work) if x), None)
        if lead is None:
            continue
        work = [x / work[lead] for x in work]
        matrix = [
            [a - done[lead] * b for a, b in zip(done, work, strict=True)] if done[lead] else done
            for done in matrix
        ]
        matrix.append(work)
        pivots.append(lead)
    basis = []
    for free in (j for j in range(width) if j not in pivots):
        vector = [Fraction(0)] * width
        vector[free] = Fraction(1)
        for pivot, done in zip(pivots, matrix, strict=True):
            vector[pivot] = -done[free]
        scale = math.lcm(*(x.denominator for x in vector))
        basis.append([int(x * scale) for x in vector])
    return basis


def _without_negatives(laws: list[list[int]]) -> list[list[int]]:
    """Adds laws to each other while that removes negative terms: S + P - E becomes S + P + ES."""
    for _ in range(len(laws)):
        for position, law in enumerate(laws):
            for other_position, other in enumerate(laws):
                total = [a + b for a, b in zip(law, other, strict=True)]
                if other_position != position and _negatives(total) < _negatives(law):
                    laws[position] = law = total
    return laws


def _negatives(law: list[int]) -> int:
    return sum(min(c, 0) for c in law) * -1
