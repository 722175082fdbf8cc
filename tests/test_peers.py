"""Benchmarks beside other tools: what an answer should be, who is refused, what a record says. No tool is started."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
EXACT_MEANS = (124.61, 5.638, 51.89, 4.497)  # B, E, Q, G at day 100, from an independent calculation
EXACT_SPREADS = (11.16, 2.375, 7.203, 3.648)


def told(text: str) -> dict:
    """What a program among the benchmarks prints: its modules have names that tests have too."""
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=BENCHMARKS, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found() -> dict:
    return told("""
import json
import numpy as np
from curves import Row, cost, standings
from problems import PROBLEMS, conjugates, few_cells, moments_of, organs, first_order, _propagated, error, solution
from tools import peers
from versus import LADDERS, judged
linear = PROBLEMS["linear"]()
mean, variance = moments_of(linear)
said = {"mean": mean[-1].tolist(), "sd": np.sqrt(variance[-1]).tolist()}
small = organs(24)
exact = solution(small, 1)[0]
nominal = np.array(list(small.parameters.values()))
said["propagated"] = error(_propagated(small, nominal, np.array(small.times)), first_order(small)[0])
few, spread = few_cells(conjugates(), 60)
said["conjugates"] = (few[:, 1] + few[:, 2]).tolist()
paths = np.random.default_rng(1).normal(mean, np.sqrt(variance), (400, *mean.shape))
said["right"] = judged("jump", paths, [mean, variance])[0]
for name, wrong in (("shifted", paths + 0.5 * np.sqrt(variance)), ("narrow", mean + 0.7 * (paths - mean))):
    try:
        judged("jump", wrong, [mean, variance])
        said[name] = ""
    except RuntimeError as refused:
        said[name] = str(refused)
try:
    judged("ode", np.full((1, 2, 1), np.nan), [np.ones((1, 2, 1))])
except RuntimeError as refused:
    said["nan"] = str(refused)
said["off"] = judged("ode", np.full((1, 2, 1), 1.01), [np.ones((1, 2, 1))])[0]
said["peers"] = {name: [list(peer.packages), sorted(peer.solves)] for name, peer in peers().items()}
said["kinds"] = sorted(LADDERS)
rows = [
    Row("ctcdyn", "ode", 1e-4, error=1e-4, seconds=[1.0, 1.0, 1.0], pace=[1.0, 1.0, 1.0]),
    Row("ctcdyn", "ode", 1e-6, error=1e-6, seconds=[4.0, 4.0, 4.0], pace=[1.0, 1.0, 1.0]),
    Row("slow", "it", 1e-4, error=1e-5, seconds=[8.0, 4.0, 16.0], pace=[2.0, 1.0, 4.0]),
    Row("wild", "it", 1e-4, error=1e-2, seconds=[0.1] * 3, pace=[1.0] * 3),
    Row("gone", "it", 1e-4, skipped="not installed"),
]
said["cost"] = cost(rows[:2], 1e-5).tolist()
said["standings"] = [
    [one.peer, one.ratio, one.why] for one in standings(rows, "ode") if one.level == 1e-5
]
print(json.dumps(said))
""")


def test_the_law_of_the_linear_problem(found):
    assert [float(f"{x:.{n}g}") for x, n in zip(found["mean"], (5, 4, 4, 4), strict=True)] == list(EXACT_MEANS)
    assert [float(f"{x:.4g}") for x in found["sd"]] == list(EXACT_SPREADS)


def test_means_of_many_sites_are_the_same_by_both_ways(found):
    assert found["propagated"] < 1e-11


def test_no_killer_is_lost_in_conjugates(found):
    np.testing.assert_allclose(found["conjugates"], 10.0, rtol=1e-9)


def test_an_exact_method_with_another_law_is_refused(found):
    assert found["right"] == 0.0
    assert "not the exact law" in found["shifted"]
    assert "not the exact law" in found["narrow"]


def test_numbers_that_are_none_are_refused_and_errors_told(found):
    assert found["nan"] == "numbers that are not finite"
    assert found["off"] == pytest.approx(0.01 / 1.01)


def test_heads_of_peers_say_what_they_do(found):
    assert {"ctcdyn", "numbalsoda", "scipy", "heyoka", "libroadrunner", "copasi", "diffrax"} <= set(found["peers"])
    assert {"bioscrape", "desolve", "cpp"} <= set(found["peers"])
    for name, (packages, kinds) in found["peers"].items():
        assert set(kinds) <= set(found["kinds"]), name
        assert all("==" in package for package in packages[:1]), name


def test_costs_are_compared_at_the_same_error_and_pace(found):
    # halfway in logarithms between 1 s at 1e-4 and 4 s at 1e-6; whoever is too wrong has no ratio
    np.testing.assert_allclose(found["cost"], 2.0)
    told = {peer: (ratio, why) for peer, ratio, why in found["standings"]}
    np.testing.assert_allclose(told["slow"][0], 2.0)
    assert told["wild"] == ([], "no better than 0.01")
    assert told["gone"] == ([], "not installed")


def test_rates_are_spelled_in_c_and_sbml():
    said = told("""
import json
import sys
sys.path.insert(0, "peers")
from dataclasses import asdict
import numpy as np
from frame import Task, spelled
from problems import PROBLEMS
from sbml import sbml
given = PROBLEMS["surveillance"]()
task = Task(asdict(given), "", 1e-6, given.draws(3), 1, True)
space = {}
exec(task.python("slope(state_, given_)", "return [{}]"), space)
slope = space["slope"](task.start, list(given.parameters.values()))
k, (E, T) = given.parameters, task.start
by_hand = [
    k["s"] + k["p"] * E * T / (k["g"] + T) - k["m"] * E * T - k["d"] * E,
    k["a"] * T * (1 - k["b"] * T) - k["n"] * E * T,
]
text = sbml(asdict(given))
print(json.dumps({
    "slope": slope, "by_hand": by_hand,
    "c": spelled("max(a, 1) ** -x / 2", power="pow({}, {})", greatest="fmax({}, {})"),
    "reactions": text.count("<reaction "), "E": text.count('<modifierSpeciesReference species="E"/>'),
}))
""")
    np.testing.assert_allclose(said["slope"], said["by_hand"], rtol=1e-14)
    assert said["c"] == "((pow(fmax(a, 1.0), (-x))) / 2.0)"
    assert said["reactions"] == 6
    assert said["E"] == 2  # what recruits and what kills reads effector cells and takes none
