"""Networks: mass action in both semantics, conservation laws in exact arithmetic, values that follow."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcdyn.errors import CtcError
from ctcdyn.model.conservation import left_null_space
from ctcdyn.model.expr import Name, Number, evaluate, parse
from ctcdyn.model.network import Network, Observable, Parameter, Reaction, Species, derived_order
from ctcdyn.units import DIMENSIONLESS, TIME


def network(equations: list[tuple[dict[int, int], dict[int, int]]], species: str = "ABCD") -> Network:
    return Network(
        name="toy",
        title="",
        doc="",
        time_unit="day",
        species=tuple(Species(name, "1", Number(3.0), False, DIMENSIONLESS) for name in species),
        parameters=(Parameter("k", 0.5, "1/d", DIMENSIONLESS / TIME, None, "assumed: test"),),
        reactions=tuple(
            Reaction(f"r{r}", "", tuple(sorted(left.items())), tuple(sorted(right.items())), Name("k"), None)
            for r, (left, right) in enumerate(equations)
        ),
    )


@pytest.mark.parametrize("counts", [(5, 7), (0, 7), (2, 0), (3, 1), (40, 2)])
def test_jump_propensity_counts_the_sets_of_reactants(counts: tuple[int, int]) -> None:
    toy = network([({0: 3, 1: 1}, {2: 1})])
    a, b = counts
    values = {"A": float(a), "B": float(b), "k": 0.5}
    assert evaluate(toy.reactions[0].propensity("jump", toy), values) == 0.5 * math.comb(a, 3) * b


def test_ode_rate_is_the_large_number_limit_of_the_jump_propensity() -> None:
    toy = network([({0: 3, 1: 2}, {2: 1})])
    for n in (1e3, 1e5, 1e7):
        values = {"A": n, "B": 2 * n, "k": 0.5}
        jump = evaluate(toy.reactions[0].propensity("jump", toy), values)
        ode = evaluate(toy.reactions[0].propensity("ode", toy), values)
        assert ode == pytest.approx(0.5 * n**3 * (2 * n) ** 2 / 12, rel=1e-14)
        assert abs(jump / ode - 1) < 4 / n


def test_a_first_order_reaction_is_the_same_in_both_semantics() -> None:
    toy = network([({0: 1}, {1: 1})])
    assert (
        toy.reactions[0].propensity("jump", toy) == toy.reactions[0].propensity("ode", toy) == parse("k * A")
    )


def test_a_source_has_its_coefficient_as_propensity() -> None:
    toy = network([({}, {1: 1})])
    assert toy.reactions[0].propensity("jump", toy) == Name("k")


def test_a_rate_is_taken_as_written() -> None:
    rate = parse("k * A / (A + 1)")
    reaction = Reaction("r", "A ->", ((0, 1),), (), None, rate)
    assert reaction.propensity("jump", network([])) is rate
    assert reaction.propensity("ode", network([])) is rate


def test_change_leaves_catalysts_out() -> None:
    toy = network([({0: 1}, {0: 1, 1: 2}), ({0: 2, 2: 1}, {0: 1})])
    assert toy.reactions[0].change == ((1, 2),)
    assert toy.reactions[1].change == ((0, -1), (2, -1))
    assert toy.stoichiometry().tolist() == [[0, -1], [2, 0], [0, -1], [0, 0]]


def test_conservation_of_an_enzyme_has_no_negative_terms() -> None:
    # E + S <-> C -> E + P
    enzyme = network([({0: 1, 1: 1}, {2: 1}), ({2: 1}, {0: 1, 1: 1}), ({2: 1}, {0: 1, 3: 1})], "ESCP")
    laws = enzyme.conservation()
    assert {"E": 1, "C": 1} in laws
    assert {"S": 1, "C": 1, "P": 1} in laws
    assert len(laws) == 2


def test_what_no_reaction_touches_is_conserved_alone() -> None:
    assert network([({0: 1}, {1: 2})]).conservation() == [{"A": 2, "B": 1}, {"C": 1}, {"D": 1}]


@given(st.lists(st.lists(st.integers(-3, 3), min_size=5, max_size=5), min_size=1, max_size=7))
def test_conservation_laws_are_a_basis(columns: list[list[int]]) -> None:
    stoichiometry = np.array(columns, dtype=np.int64).T
    laws = np.array(left_null_space(stoichiometry.tolist()), dtype=np.int64).reshape(-1, 5)
    assert not (laws @ stoichiometry).any()
    assert len(laws) == 5 - _rank(stoichiometry.tolist())
    assert _rank(laws.tolist()) == len(laws)


def _rank(rows: list[list[int]]) -> int:
    """Rank by elimination over the rationals, written without the code under test."""
    work = [[Fraction(x) for x in row] for row in rows]
    rank = 0
    for column in range(len(work[0]) if work else 0):
        pivot = next((r for r in range(rank, len(work)) if work[r][column]), None)
        if pivot is None:
            continue
        work[rank], work[pivot] = work[pivot], work[rank]
        for r in range(rank + 1, len(work)):
            factor = work[r][column] / work[rank][column]
            work[r] = [a - factor * b for a, b in zip(work[r], work[rank], strict=True)]
        rank += 1
    return rank


def derived() -> Network:
    plain = network([({0: 1}, {1: 1})])
    rate = DIMENSIONLESS / TIME
    parameters = (
        Parameter("double", math.nan, "1/d", rate, None, "derived: twice", expr=parse("2 * half_of_k * 2")),
        Parameter("half_of_k", math.nan, "1/d", rate, None, "derived: half", expr=parse("k / 2")),
        *plain.parameters,
    )
    species = (Species("A", "1", parse("10 * k"), False, DIMENSIONLESS), *plain.species[1:])
    toy = Network("toy", "", "", "day", species, parameters, plain.reactions)
    return toy.with_values({})


def test_derived_parameters_and_initial_values_follow() -> None:
    toy = derived()
    assert toy.parameter_values().tolist() == [1.0, 0.25, 0.5]
    assert toy.initial_values().tolist() == [5.0, 3.0, 3.0, 3.0]
    changed = toy.with_values({"k": 3.0}, {"B": 8.0, "C": parse("k + 1")})
    assert changed.parameter_values().tolist() == [6.0, 1.5, 3.0]
    assert changed.initial_values().tolist() == [30.0, 8.0, 4.0, 3.0]
    assert toy.parameter_values().tolist() == [1.0, 0.25, 0.5]
    assert toy.derived_order() == (1, 0)


def test_derived_parameters_cannot_be_set_and_the_inputs_are_named() -> None:
    with pytest.raises(CtcError) as caught:
        derived().with_values({"double": 1.0, "kk": 2.0}, {"Z": 1.0})
    problems = caught.value.problems
    assert [problem.code for problem in problems] == ["C107", "C102", "C102"]
    assert problems[0].fix == "change k instead"


def test_circles_are_found() -> None:
    order, circle = derived_order({"a": parse("b"), "b": parse("a + c"), "c": None, "d": parse("c")})
    assert order == (3,)
    assert circle == ("a", "b")


def test_index_finds_each_kind() -> None:
    toy = network([({0: 1}, {1: 1})])
    toy = Network(
        "t",
        "",
        "",
        "day",
        toy.species,
        toy.parameters,
        toy.reactions,
        (Observable("o", parse("A"), None, {}, "1"),),
    )
    assert (toy.index("C"), toy.index("k"), toy.index("o"), toy.index("r0")) == (2, 0, 0, 0)
    with pytest.raises(CtcError, match="did you mean"):
        toy.index("kk")


def test_a_network_is_frozen_and_compares_by_content() -> None:
    toy = network([({0: 1}, {1: 1})])
    assert toy == network([({0: 1}, {1: 1})])
    assert toy != toy.with_values({"k": 0.6})
    with pytest.raises(FrozenInstanceError):
        toy.name = "other"  # type: ignore[misc]
