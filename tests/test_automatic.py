"""`method = "auto"`: the rules, each with its reason, and what `check`, `run` and `simulate` do with the choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands import command
from ctcdyn.codegen.choose import choose_any
from ctcdyn.model.expr import parse
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Observable
from ctcdyn.simulation import Model
from networks import dimers, network


@pytest.mark.parametrize(
    "name, days, method, reason",
    [
        ("birth_death_immigration", 5.0, "direct", "events for the nominal patient"),
        ("ctc_linear", 100.0, "first_order_leap", "growing: divides"),
        ("experimental_metastasis", 14.0, "first_order_leap", "cells are independent of one another"),
        ("human_breast_min", 3652.5, "first_order_leap", "tumor: pinned: an ODE"),
        ("human_breast_lesions", 3652.5, "first_order_leap", "lesions, each founded by one event"),
        ("de_pillis_2005", 40.0, "hybrid", "rates for each cell depend on counts (cd8, nk, tumor)"),
        ("ctc_five", 3650.0, "hybrid", "tumor: pinned: rate equations"),
        ("kuznetsov_1994", 1000.0, "tsit5", "no species that matters has fewer than 10000 cells"),
    ],
)
def test_each_shipped_model_has_its_documented_method(name: str, days: float, method: str, reason: str) -> None:
    choice = choose_any(load_model(name), 0.0, days, 500.0, days / 100)
    assert choice.method == method
    assert any(reason in line for line in choice.reasons)


def test_pairs_that_meet_are_for_the_hybrid_method_and_each_species_has_its_reason() -> None:
    choice = choose_any(dimers(20_000, 3), 0.0, 30.0, 500.0, 0.3)
    assert choice.method == "hybrid"
    told = "\n".join(choice.reasons)
    assert 'reaction "pair_up" uses up 2 A at once' in told
    assert "A: counted below 500 cells, for" in told
    assert "C: " in told
    assert "jumps for the nominal patient" in told


@pytest.mark.parametrize(
    "initial, rate, reason",
    [("2.5", "loss", "x starts with 2.5"), ("3", "=2 - x", "the rate of fall falls below zero")],
)
def test_amounts_are_for_rate_equations(initial: str, rate: str, reason: str) -> None:
    made = network("amount", {"x": initial}, {"loss": 0.1}, {"fall": ("x ->", rate)})
    choice = choose_any(made, 0.0, 5.0, 500.0, 0.05)
    assert choice.method in ("tsit5", "rodas5p")
    assert any(reason in line for line in choice.reasons)


def test_a_species_that_only_adds_up_decides_nothing() -> None:
    """It starts at none, and no rate and no condition depends on it."""
    made = network("gone", {"x": 1e8, "dead": 0.0}, {"loss": 0.1}, {"die": ("x -> dead", "loss")})
    assert choose_any(made, 0.0, 5.0, 500.0, 0.05).method in ("tsit5", "rodas5p")
    seen = Observable("few", None, "first_passage", {"when": parse("dead >= 3")}, "d", realised="passage")
    assert choose_any(replace(made, observables=(seen,)), 0.0, 5.0, 500.0, 0.05).method == "first_order_leap"


def test_a_solution_that_explodes_ends_the_search_and_not_the_program() -> None:
    made = network("burst", {"x": 30.0}, {"k": 1.0}, {"burst": ("2 x -> 3 x", "k")})
    assert choose_any(made, 0.0, 5.0, 500.0, 0.05).method == "hybrid"


def test_check_and_run_say_what_was_taken_and_why(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(
        'schema = 1\n[model]\nuse = "birth_death_immigration"\n[simulate]\nmethod = "auto"\nt_end = "2 days"\n'
        '[ensemble]\ntrajectories = 30\nseed = 1\n[output]\nfile = "out.h5"\n',
        encoding="utf-8",
    )
    code, out, err = command("check", str(study))
    assert (code, err) == (0, "")
    assert "method direct (auto)" in out
    assert "the same" not in out
    code, out, err = command("run", str(study), "-o", str(tmp_path / "out.h5"))
    assert code == 0, err
    assert "auto takes direct:" in err
    assert "colony (down to 0)" in err


def test_simulate_takes_the_same_method() -> None:
    model = Model(load_model("birth_death_immigration"))
    grid = np.array([0.0, 2.0])
    found = [model.simulate(grid, method=method, n=20, seed=3).state for method in ("auto", "direct")]
    assert found[0].tobytes() == found[1].tobytes()
