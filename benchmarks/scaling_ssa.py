"""What an event of the exact methods costs as networks grow: ns of CPU time, and seconds to make a kernel.

    python benchmarks/scaling_ssa.py [--rounds 5] [--events 400000] [--quick]

Three families: cells that go round a ring of sites, divide and die, all of first order (`organs` of problems.py); moves
both ways round a ring; and random pairs, A + B -> C + D, a third to a fifth as many species as reactions, 20 of each.
Methods take turns in each round, medians of rounds are printed. Before it is timed the mean number of each species of a
ring lies within 6 standard errors of its closed form, and of the pairs the methods agree as closely with one another.
`--quick` leaves out networks of more than 300 reactions.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

import problems

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ctcdyn.codegen.exact import exact_method
from ctcdyn.codegen.kernel import link
from ctcdyn.model.network import Network
from drive import Drive
from networks import network

METHODS = ("direct", "next_reaction", "logarithmic_direct")
COUNT = 128  # trajectories of a run
AGREE = 6.0  # standard errors


@dataclass
class Made:
    """A kernel, and what it took to make it in CPU seconds: text, then machine code; no cache is asked."""

    module: ModuleType
    text: float
    code: float


def organs(reactions: int) -> Network:
    """The network of `problems.organs`."""
    problem = problems.organs(reactions)
    laws = {r.name: (f"{_side(r.reactants)} -> {_side(r.products)}", r.constant) for r in problem.reactions}
    return network("organs", dict(problem.species), dict(problem.parameters), laws)


def _side(counts: dict[str, int]) -> str:
    return " + ".join(name if n == 1 else f"{n} {name}" for name, n in counts.items())


def moves(reactions: int) -> Network:
    """A ring of half as many sites, from each of which cells go either way."""
    sites = reactions // 2
    rates = {f"on{k}": 1.0 + 0.1 * (k % 7) for k in range(sites)} | {f"off{k}": 0.8 for k in range(sites)}
    laws = {f"forth{k}": (f"x{k} -> x{(k + 1) % sites}", f"on{k}") for k in range(sites)}
    laws |= {f"back{k}": (f"x{k} -> x{(k - 1) % sites}", f"off{k}") for k in range(sites)}
    return network("moves", {f"x{k}": 20.0 for k in range(sites)}, rates, laws)


def pairs(reactions: int) -> Network:
    """Reactants and products drawn at random, four different species for each reaction."""
    species = {10: 6, 30: 10, 100: 30, 300: 60, 1000: 200}[reactions]
    rng = np.random.default_rng(reactions)
    rates = {f"k{k}": float(0.01 * (1.0 + rng.random())) for k in range(reactions)}
    chosen = [rng.choice(species, 4, replace=False) for _ in range(reactions)]
    laws = {f"r{k}": (f"x{a} + x{b} -> x{c} + x{d}", f"k{k}") for k, (a, b, c, d) in enumerate(chosen)}
    return network("pairs", {f"x{s}": 20.0 for s in range(species)}, rates, laws)


FAMILIES = {
    "organs": (organs, (9, 30, 99, 150, 300, 999)),
    "moves": (moves, (10, 30, 100, 150, 300, 1000)),
    "pairs": (pairs, (10, 30, 100, 300, 1000)),
}


def made(net: Network, method: str) -> Made:
    """A kernel of the network."""
    start = time.process_time()
    linked = link(net, method)
    _ = linked.key
    text = time.process_time()
    module = linked.compile().module
    return Made(module, text - start, time.process_time() - text)


def timed(made: Made, net: Network, days: float, seed: int) -> tuple[float, Drive]:
    """ns of CPU time an event, and the run."""
    run = Drive(made.module, net, [0.0, days], count=COUNT, seed=seed)
    start = time.process_time()
    run.go()
    spent = time.process_time() - start
    if (run.status > 1).any():
        raise SystemExit("scaling_ssa: a trajectory failed")
    return spent / float(run.work.sum()) * 1e9, run


def closed_means(net: Network, days: float) -> np.ndarray:
    """Of a network of first order; scipy's matrix exponential."""
    from scipy.linalg import expm

    values = dict(zip(net.parameter_names, net.parameter_values().tolist(), strict=True))
    flow = np.zeros((len(net.species), len(net.species)))
    for reaction in net.reactions:
        ((s, _),) = reaction.reactants
        for z, change in reaction.change:
            flow[z, s] += change * values[str(reaction.k.id)]
    return np.asarray(expm(flow * days) @ net.initial_values())


def check(runs: dict[str, Drive], net: Network, days: float) -> None:
    """The right answer first."""
    ends = {method: run.state[:, -1] for method, run in runs.items()}
    linear = all(len(r.reactants) == 1 for r in net.reactions)
    first = next(iter(ends.values()))
    exact = closed_means(net, days) if linear else first.mean(axis=0)
    for method, state in ends.items():
        if not linear and state is first:
            continue
        error = np.sqrt(state.var(axis=0) * (1.0 if linear else 2.0) / COUNT) + 1.0 / COUNT
        far = np.abs(state.mean(axis=0) - exact) / error
        if far.max() > AGREE:
            raise SystemExit(f"scaling_ssa: {method} is {far.max():.1f} errors away")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=float, default=400_000.0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    given = parser.parse_args()
    shown = [f"{m} ns" for m in given.methods] + [f"{m} s" for m in given.methods]
    print("| network | reactions | species | " + " | ".join(shown) + " | auto takes |")
    print("|---" * (len(shown) + 4) + "|")
    for name, (make, sizes) in FAMILIES.items():
        for size in sizes:
            if given.quick and size > 300:
                continue
            net = make(size)
            kernels = {method: made(net, method) for method in given.methods}
            _, probe = timed(kernels[given.methods[-1]], net, 0.05, 1)
            days = 0.05 * given.events / max(float(probe.work.sum()), 1.0)
            times: dict[str, list[float]] = {method: [] for method in given.methods}
            for turn in range(given.rounds):
                runs = {}
                for method in given.methods[:: 1 if turn % 2 == 0 else -1]:
                    each, runs[method] = timed(kernels[method], net, days, 2 + turn)
                    times[method].append(each)
                if turn == 0:
                    check(runs, net, days)
            told = [f"{np.median(times[method]):.1f}" for method in given.methods]
            told += [f"{kernels[method].text + kernels[method].code:.1f}" for method in given.methods]
            line = f"| {name} | {len(net.reactions)} | {len(net.species)} | " + " | ".join(told)
            print(f"{line} | `{exact_method(net).method}` |", flush=True)


if __name__ == "__main__":
    main()
