"""`Model.simulate`, `ctcdyn.run` and `ctcdyn.open`: shapes, seeds, mistakes, nothing that grows call by call."""

from __future__ import annotations

import gc
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctcdyn
import recurrence
from chance import assert_mean, seed_of
from commands import small_study
from ctcdyn.config import load_study
from ctcdyn.errors import CtcError, Exit, Status
from ctcdyn.simulation import Model
from test_numbers_compile_nothing import compilations

TIMES = [0.0, 1.0, 2.5]


@pytest.fixture(scope="module")
def model() -> Model:
    return ctcdyn.load_model("birth_death_immigration")


def test_shapes_names_and_types(model: Model) -> None:
    found = model.simulate(TIMES, method="direct", n=7, seed=seed_of())
    assert found.state.shape == (7, 3, 1)
    assert found["observables"].shape == (7, 3, 1)
    assert found["params"].shape == (7, 3)
    assert found["final_state"].shape == (7, 1)
    assert found.mean.shape == found.var.shape == (1, 3, 1)
    assert found["quantiles"].shape[-1] == 1
    assert found.state.dtype == np.float64
    assert found.time.tolist() == TIMES
    assert found.schema.species == ("colony",)
    assert found.schema.method == "direct"
    assert found.path is None
    assert np.array_equal(found.state[:, -1], found["final_state"])
    assert np.array_equal(found["observables"], (1.0 + 0.8) * found.state)
    assert np.array_equal(found.values("colony"), found.state[:, :, 0])
    assert np.array_equal(found.state[:, 0, 0], np.zeros(7))
    assert set(found["status"]) <= {Status.OK, Status.EXTINCT}
    assert repr(model) == "<ctcdyn.Model birth_death_immigration: 1 species, 3 reactions>"


@pytest.mark.parametrize("n", [100, 600])  # one leaf, and more
def test_quantiles_of_counts_are_counts(model: Model, n: int) -> None:
    found = model.simulate(TIMES, method="direct", n=n, seed=seed_of(), parameters={"immigration": 30.0})
    assert found.schema.whole == ("colony",)  # the observable of this model is no count
    exact = np.quantile(found.state, found.quantile, axis=0, method="inverted_cdf")
    assert exact.max() < 256
    np.testing.assert_array_equal(found.quantiles[:, 0], exact)


def test_one_trajectory_unless_arrays_or_n_say_otherwise(model: Model) -> None:
    assert model.simulate(TIMES, method="direct").state.shape == (1, 3, 1)
    for rows in (
        {"birth": [0.1, 0.2, 0.3]},
        {"birth": (0.1, 0.2, 0.3), "death": 2.0},
        {"birth": np.float32([1, 2, 3])},
    ):
        assert model.simulate(TIMES, method="direct", parameters=rows).state.shape == (3, 3, 1)
    found = model.simulate(TIMES, method="direct", n=2, parameters={"birth": 0.5})
    assert found["params"].tolist() == [[0.5, 0.5, 0.8]] * 2


def test_a_row_of_an_array_is_a_call_of_its_own(model: Model) -> None:
    """Trajectory k sees its own parameters and draws by its number: row k does not depend on the other rows."""
    birth = np.linspace(0.1, 1.5, 9)
    together = model.simulate(
        TIMES, method="direct", parameters={"birth": birth, "immigration": 20.0}, seed=seed_of()
    )
    assert together["params"][:, 1].tolist() == birth.tolist()
    fewer = model.simulate(
        TIMES,
        method="direct",
        parameters={"birth": birth[:4], "immigration": np.full(4, 20.0)},
        seed=seed_of(),
    )
    assert np.array_equal(fewer.state, together.state[:4])
    ode = model.simulate(TIMES, method="ode", parameters={"birth": birth, "immigration": 20.0}, rtol=1e-9)
    assert ode.schema.method in ("tsit5", "rodas5p")  # "ode" is a question, and this the answer
    growth = (birth - 0.8)[:, None]
    exact = 20.0 * np.expm1(growth * np.array(TIMES)) / growth
    np.testing.assert_allclose(ode.state[:, :, 0], exact, rtol=1e-7, atol=1e-6)


def test_initial_values_and_keep(model: Model) -> None:
    found = model.simulate([0.0, 1e-9], method="direct", n=5, initial={"colony": 12}, keep=2)
    assert found.state[:, 0, 0].tolist() == [12.0, 12.0]
    assert found["final_state"].shape == (5, 1)
    none = model.simulate([0.0, 1e-9], method="direct", n=5, initial={"colony": 12.0}, keep="none")
    assert "state" not in none
    assert none.mean[0, 0, 0] == 12.0
    assert none.counts == {Status.OK: 5}


def test_seeds(model: Model) -> None:
    def states(**given: Any) -> bytes:
        return model.simulate(TIMES, method="direct", n=40, initial={"colony": 50}, **given).state.tobytes()

    assert states() == states(seed=0)
    assert states(seed=1) != states(seed=2)
    assert states(seed=2**64 - 1) == states(seed=np.uint64(2**64 - 1))
    assert states(seed=None) != states(seed=None)
    drawn = model.simulate(TIMES, method="direct", n=40, initial={"colony": 50}, seed=None)
    assert states(seed=int(drawn.schema.provenance["seed"])) == drawn.state.tobytes()


def test_threads_change_no_byte(model: Model) -> None:
    """Of paths, of rows and of the summary, over several leaves."""
    birth = np.random.default_rng(seed_of()).uniform(0.2, 1.2, 3000)

    def everything(threads: int) -> dict[str, bytes]:
        found = model.simulate(
            TIMES, method="direct", parameters={"birth": birth}, initial={"colony": 20}, threads=threads
        )
        return {name: np.asarray(found[name]).tobytes() for name in found.names}

    one = everything(1)
    assert {"state", "mean", "var", "quantiles", "status"} <= set(one)
    assert everything(2) == one
    assert everything(7) == one


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown parameter": ({"parameters": {"brith": 1.0}}, ["brith.*birth"]),
    "unknown species": ({"initial": {"colonies": 1.0}}, ["colonies.*colony"]),
    "two dimensions": ({"parameters": {"birth": np.ones((2, 2))}}, [r"birth has shape \(2, 2\)"]),
    "lengths": ({"parameters": {"birth": [1.0, 2.0], "death": [1.0, 2.0, 3.0]}}, [r"lengths? \[2, 3\]"]),
    "length and n": ({"n": 5, "parameters": {"birth": [1.0, 2.0]}}, [r"n = 5.*\[2\]"]),
    "nan": ({"parameters": {"birth": [1.0, np.nan]}}, ["birth.*not finite"]),
    "inf": ({"parameters": {"birth": np.inf}}, ["birth.*not finite"]),
    "words": ({"parameters": {"birth": "fast"}}, ["birth is not numeric"]),
    "ragged": ({"parameters": {"birth": [[1.0], [1.0, 2.0]]}}, ["birth is not numeric"]),
    "nothing": ({"parameters": {"birth": []}}, ["n = 0"]),
    "nan cells": ({"initial": {"colony": np.nan}}, ["initial value of colony"]),
    "fewer than no cells": ({"initial": {"colony": -1}}, ["initial value of colony: -1"]),
    "half a trajectory": ({"n": 2.5}, ["n = 2.5"]),
    "no trajectory": ({"n": 0}, ["n = 0"]),
    "n of words": ({"n": "many"}, ["n = 'many'"]),
    "true seed": ({"seed": True}, ["seed = True"]),
    "large seed": ({"seed": 2**64}, ["seed = 18446744073709551616"]),
    "keep": ({"keep": "some"}, ["keep = 'some'"]),
    "tolerance": ({"rtol": 0.0, "atol": np.nan}, ["rtol = 0.0", "atol = nan"]),
    "window": ({"window": -1.0}, ["window = -1.0"]),
    "short window": ({"window": 1e-12}, ["C105.*window = 1e-12"]),
    "threads": ({"threads": 0}, ["threads = 0"]),
    "caps": ({"max_steps": 0, "max_events": -1}, ["max_steps = 0", "max_events = -1"]),
    "quantiles": ({"quantiles": (0.5, 1.5)}, ["quantiles contain 1.5"]),
    "one time": ({"times": [1.0]}, [r"times of shape \(1,\)"]),
    "time backwards": ({"times": [0.0, 2.0, 1.0]}, ["strictly rising"]),
    "time twice": ({"times": [0.0, 0.0]}, ["strictly rising"]),
    "nan time": ({"times": [0.0, np.nan]}, ["times"]),
    "times of words": ({"times": ["now", "later"]}, ["times that are no numbers"]),
    "method": ({"method": "dierct"}, ["dierct.*direct"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_what_to_do(case: str, model: Model) -> None:
    given, expected = WRONG[case]
    arguments: dict[str, Any] = {"times": TIMES, "method": "direct"} | given
    with pytest.raises(CtcError) as caught:
        model.simulate(arguments.pop("times"), **arguments)
    assert caught.value.exit == Exit.CONFIG
    text = str(caught.value).replace("\n", " ")
    assert [pattern for pattern in expected if not re.search(pattern, text)] == []
    assert all(problem.fix for problem in caught.value.problems)


@pytest.mark.parametrize("method", ["direct", "ode"])
def test_parts_of_cells_are_refused_by_the_exact_process_each_time(method: str) -> None:
    """The kernel is linked once, but each call brings numbers of its own."""
    model = ctcdyn.load_model("birth_death_immigration")
    model.simulate(TIMES, method=method, initial={"colony": 10})
    if method == "ode":
        assert model.simulate(TIMES, method=method, initial={"colony": 10.5}).state[0, 0, 0] == 10.5
        return
    for _ in range(2):
        with pytest.raises(CtcError, match=r"M313.*starts with 10\.5") as caught:
            model.simulate(TIMES, method=method, initial={"colony": 10.5})
        (problem,) = caught.value.problems
        assert (problem.key, problem.place) == ("initial.colony", None)
    assert model.simulate(TIMES, method=method, initial={"colony": 10.0}).state[0, 0, 0] == 10.0


def test_all_mistakes_come_at_once(model: Model) -> None:
    with pytest.raises(CtcError) as caught:
        model.simulate(
            [0.0], method="direct", n=3, parameters={"brith": 1.0, "death": [1.0, 2.0], "birth": np.nan},
            initial={"colony": -2, "colonies": 1}, seed=-1, keep="few", rtol=np.inf,
        )  # fmt: skip
    told = [problem.what for problem in caught.value.problems]
    for part in ("times", "brith", "birth", "length", "colony", "seed", "keep", "rtol"):
        assert any(part in what for what in told), part


def test_a_thousand_calls_compile_nothing_and_keep_nothing(model: Model) -> None:
    """Facts of the overhead: one kernel, no signature, no miss, no Python object that stays."""
    rng = np.random.default_rng(seed_of())
    rates = rng.uniform(0.1, 2.0, (1100, 3))

    def call(k: int) -> float:
        birth, death, immigration = rates[k]
        found = model.simulate(
            [0.0, 0.1 + birth], method="direct", n=2, seed=k, threads=1, quantiles=(),
            parameters={"birth": birth, "death": death, "immigration": immigration}, initial={"colony": k % 7},
        )  # fmt: skip
        return float(found.state[0, -1, 0])

    for k in range(100):
        call(k)
    kernels = dict(model._kernels)
    before = {key: compilations(kernel.module) for key, kernel in kernels.items()}
    gc.collect()
    tracemalloc.start()
    try:
        first = tracemalloc.get_traced_memory()[0]
        results = [call(k) for k in range(100, 1100)]
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - first
        peak = tracemalloc.get_traced_memory()[1] - first
    finally:
        tracemalloc.stop()
    assert len(set(results)) > 5
    assert model._kernels == kernels
    assert {key: compilations(kernel.module) for key, kernel in kernels.items()} == before
    assert grown < 100_000  # bytes for 1000 calls, the list of results in it: nothing stays of a call
    assert peak < 20e6


def test_a_call_costs_the_same_python_whatever_it_simulates(model: Model) -> None:
    """Function calls of the interpreter: the overhead of a call, counted and not timed."""
    import cProfile
    import pstats

    def calls(n: int, days: float) -> int:
        profile = cProfile.Profile()
        profile.enable()
        model.simulate(
            [0.0, days], method="direct", n=n, seed=3, threads=1, keep="none", initial={"colony": 30}
        )
        profile.disable()
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    calls(1, 1.0)
    least = calls(10, 0.1)
    assert least < 1000
    assert calls(2000, 3.0) < least + 8 * 400  # 8 leaves, each reduced and merged once


def test_the_law_is_right(model: Model) -> None:
    """Mean of the closed form: not only the plumbing."""

    def sample(seed: int, n: int) -> np.ndarray:
        return model.simulate([0.0, 2.0], method="direct", n=n, seed=seed, initial={"colony": 10}).state[
            :, 1, 0
        ]

    growth, t = 0.2, 2.0
    mean = 10 * np.exp(growth * t) + 0.5 * np.expm1(growth * t) / growth
    variance = 10 * (1.8 / growth) * np.exp(growth * t) * np.expm1(growth * t)
    m = 0.5 * np.expm1(growth * t) / growth
    variance += m + m * m * 1.0 / 0.5
    assert_mean(sample, float(mean), sd=float(np.sqrt(variance)), detect=0.25)


def test_a_study_and_a_call_give_the_same_bits(model: Model, tmp_path: Path) -> None:
    """The study's model, numbers and seed through `ctcdyn.run`, its file, and by hand."""
    path = small_study(tmp_path)
    with ctcdyn.run(path, threads=2) as from_run:
        grid = from_run.time
        seed = int(from_run.schema.provenance["seed"])
        by_hand = model.simulate(
            grid, method="direct", n=40, seed=seed, parameters={"birth": 0.9}, initial={"colony": 5}
        )
        assert np.array_equal(from_run["state"], by_hand.state[:3].astype(from_run["state"].dtype))
        for name in ("final_state", "status", "n_reactions", "params", "mean", "var", "quantiles"):
            assert np.array_equal(from_run[name], by_hand[name]), name
        assert from_run.path == tmp_path / "small.h5"
    with ctcdyn.open(str(tmp_path / "small.h5")) as opened:
        assert np.array_equal(opened["final_state"], by_hand["final_state"])
        assert opened.schema.species == ("colony",)
        assert opened.time.tolist() == grid.tolist()


def test_a_study_as_a_model_for_a_loop(tmp_path: Path) -> None:
    """Values, events and the treatments of an arm as in a run: the same bits, arm by arm, of the same patients."""
    saves = [1000.0, 2500.0, 5000.0]
    text = recurrence.text(tmp_path / "x.h5", saves, 15.0, 0.0134, 1e-6)
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    study = load_study(tmp_path / "study.toml")
    with ctcdyn.run(study, threads=1) as whole:
        for row, arm in enumerate(("surgery", "both")):
            model = Model.from_study(study, arm)
            found = model.simulate([0.0, *saves], method="backward", parameters={"clearance": 36.0}, seed=1)
            assert found.observables.tobytes() == whole.observables[row].tobytes()
            bare = model.simulate([0.0, *saves], method="backward", seed=1)
            assert bare.observables.tobytes() == found.observables.tobytes()
    first = Model.from_study(str(tmp_path / "study.toml"))
    assert first._given is not None
    assert first._given.tolist() == [[True, False, False, True]]
    with pytest.raises(CtcError) as told:
        Model.from_study(study, "bth")
    assert told.value.problems[0].code == "C102"
    assert "both" in str(told.value.problems[0].fix)


def test_run_takes_a_path_a_text_and_a_study(tmp_path: Path) -> None:
    path = small_study(tmp_path)
    states = [ctcdyn.run(given, overwrite=True)["final_state"].tobytes() for given in (
        path, str(path), ctcdyn.load_study(path))]  # fmt: skip
    assert len(set(states)) == 1
    with pytest.raises(CtcError, match=r"small\.h5") as caught:
        ctcdyn.run(path)
    assert caught.value.exit == Exit.OUTPUT
    with pytest.raises(CtcError, match="nowhere"):
        ctcdyn.run(tmp_path / "nowhere.toml")
    with pytest.raises(CtcError, match="nowhere"):
        ctcdyn.open(tmp_path / "nowhere.h5")


def test_the_example_of_the_docstring_is_so() -> None:
    import doctest

    from ctcdyn import simulation

    found = doctest.testmod(simulation)
    assert (found.failed, found.attempted) == (0, 2)
