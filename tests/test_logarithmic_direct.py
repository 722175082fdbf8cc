"""The exact method of large networks: its path by a naive replay, its law by closed forms, its choice, its tree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.linalg import expm

import checks
import oracles
from chance import assert_cdf, cdf_size, seed_of
from ctcdyn.codegen.choose import choose_any
from ctcdyn.codegen.dependency import FAN, MOST_FLAT, MOST_TOPS, Graph
from ctcdyn.codegen.exact import exact_method
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.toy import toy
from ctcdyn.model.network import Network
from drive import Drive
from networks import dimers, network, rhythm

SITES = 300


def ring(sites: int, cells: float = 4.0) -> Network:
    """Cells go round both ways, each alone, a third of the sites twice as quickly: twice as many reactions as sites."""
    species = {f"x{k}": cells * (k % 3) for k in range(sites)}
    rates = {f"on{k}": 1.0 + (k % 3 == 0) for k in range(sites)} | {f"back{k}": 0.3 for k in range(sites)}
    moves = {f"forth{k}": (f"x{k} -> x{(k + 1) % sites}", f"on{k}") for k in range(sites)}
    moves |= {f"return{k}": (f"x{k} -> x{k - 1 if k else sites - 1}", f"back{k}") for k in range(sites)}
    return network("ring", species, rates, moves)


def kinds() -> Network:
    """Rates of every form: constant, literal, a product, a pair of one kind, a quotient, one that could be negative."""
    return network(
        "kinds", {"a": 6.0, "b": 4.0, "c": 2.0}, {"k": 0.7, "slow": 0.05, "room": 20.0},
        {"come": ("-> a", "2 * k"), "go": ("a ->", "0.4"), "meet": ("a + b -> c", "slow"), "pair": ("2 a -> b", "slow"),
         "part": ("c -> a + b", "=0.3 * c"), "grow": ("b -> 2 b", "=k * b * max(1 - b / room, 0)"),
         "fade": ("b ->", "=k * b ** 2 / (room + b)"), "rest": ("c ->", "=k * (3 - 2) * c - 0.1 * c")},
    )  # fmt: skip


@pytest.mark.parametrize(
    "net, days", [(dimers(), 6.0), (kinds(), 12.0), (rhythm(), 2.0), (toy(), 5.0), (ring(12), 3.0)],
    ids=lambda x: getattr(x, "name", ""),
)  # fmt: skip
def test_path_is_that_of_a_naive_replay(net: Network, days: float) -> None:
    """Every state, reading and event: with sums that are recomputed where the tree has them, and bounds over time."""
    checks.check_replay(link(net, "logarithmic_direct").compile().module, net, days, seed=seed_of(net.name))


def test_a_ring_of_600_reactions_has_its_closed_law() -> None:
    """Cells are independent: at each site a sum of Bernoulli numbers, with the chances of a cell's random walk."""
    net, days, n = ring(SITES), 2.0, 4096
    kernel = link(net, "logarithmic_direct").compile().module
    assert kernel.LEVELS == 2
    run = Drive(kernel, net, [0.0, days], count=n, seed=seed_of()).go()
    assert set(run.status) == {0}
    start = net.initial_values()
    flow = np.zeros((SITES, SITES))
    for k in range(SITES):
        forth = 1.0 + (k % 3 == 0)
        flow[k, (k + 1) % SITES] += forth
        flow[k, k - 1] += 0.3
        flow[k, k] -= forth + 0.3
    chance = expm(flow * days)
    mean, variance = start @ chance, start @ (chance * (1.0 - chance))
    seen = run.state[:, 1]
    assert_allclose(seen.sum(axis=1), start.sum())
    far = (seen.mean(axis=0) - mean) / np.sqrt(variance / n)
    assert stats.chi2(SITES - 1).sf((far**2).sum()) > 1e-6
    assert np.abs(far).max() < stats.norm.isf(1e-6 / SITES)
    kurtosis = 3.0 + 1.0 / variance.min()  # of a sum of Bernoulli numbers, at most
    spread = (seen.var(axis=0) / variance - 1.0) / np.sqrt((kurtosis - 1.0) / n)
    assert np.abs(spread).max() < stats.norm.isf(1e-6 / SITES)
    assert abs(spread.mean()) < stats.norm.isf(1e-6) / np.sqrt(SITES)


def test_pairs_are_the_master_equation() -> None:
    """2 A -> B, A + B -> C, C -> 3 A: the joint law of all three counts on a box that loses nothing."""
    box = (14, 8, 6)

    def propensity(x: tuple[int, ...]) -> list[float]:
        a, b, c = x
        return [0.05 * a * (a - 1) / 2.0, 0.04 * a * b, 0.6 * c]

    law, lost = oracles.master_equation([(-2, 1, 0), (-1, -1, 1), (3, 0, -1)], propensity, (7, 2, 0), box, [6.0])
    assert lost < 1e-9
    net = dimers(7, 2)
    kernel = link(net, "logarithmic_direct").compile().module
    run = Drive(kernel, net, [0.0, 6.0], count=cdf_size(0.006), seed=seed_of()).go()
    joint = np.ravel_multi_index(tuple(run.state[:, 1].astype(int).T), box)
    cdf = np.concatenate([[0.0], np.cumsum(law[0].ravel())])
    assert_cdf(joint, lambda x: cdf[np.clip(np.floor(np.asarray(x)).astype(int) + 1, 0, len(cdf) - 1)], detect=0.006)


@pytest.mark.parametrize("sites", [3, MOST_FLAT, MOST_FLAT + 1, FAN * MOST_TOPS, FAN * MOST_TOPS + 1])
def test_a_plan_reaches_every_sum_above_what_it_changes(sites: int) -> None:
    """Flat, with one level and with two; each group has its sums, each level its place in the room of a lane."""
    graph = Graph(Layout(ring(sites), "jump"))
    assert len(graph.levels) == (0 if sites <= MOST_FLAT else 1 if sites <= FAN * MOST_TOPS else 2)
    assert sorted(graph.slots.values()) == list(range(2 * sites))
    ends = [0, graph.sums, *(at for at, _ in graph.levels), graph.room]
    assert ends == sorted(ends)
    assert graph.room % (2 * FAN) == FAN  # an odd number of lines
    for slot in (min(graph.slots), max(graph.slots)):
        plan = graph.plan(slot)
        assert plan[0] == 2  # one cell less here, one more there
        assert plan[5:7] == [0, 0]  # no part depends on a count
        assert graph.work(slot) >= 4 + len(graph.levels)


def test_a_factor_is_the_species_that_changes_most() -> None:
    """Of a product the part that stays: cells meet a drug that is given and cleared alone."""
    made = {f"kill{k}": (f"x{k} + drug -> drug", "k") for k in range(4)}
    made |= {f"move{k}": (f"x{k} -> x{(k + 1) % 4}", "k") for k in range(4)}
    net = network("doses", {**{f"x{k}": 5.0 for k in range(4)}, "drug": 1.0}, {"k": 0.1}, made)
    graph = Graph(Layout(net, "jump"))
    assert graph.factors == [0, 1, 2, 3, 0, 1, 2, 3]
    assert [graph.work(slot) for slot in sorted(graph.slots)][1] == 4  # a move: two counts, two groups


def test_auto_takes_it_where_an_event_would_look_at_many_reactions() -> None:
    assert exact_method(ring(20)).method == "direct"
    large = exact_method(ring(100))
    assert large.method == "logarithmic_direct"
    assert "200 reactions, and an event changes on average 5.13 of the numbers" in large.reason
    choice = choose_any(ring(100), 0.0, 5.0, 500.0, 1.0)
    assert choice.method == "logarithmic_direct"
    assert choice.reasons[-1] == large.reason
    few = replace(ring(100), reactions=ring(100).reactions[:20])
    assert exact_method(few).method == "direct"
