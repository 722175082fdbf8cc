"""Small instances of the shipped models, by the [test] tables of their files, and all that a run gives.

Run as a program it compiles kernels into the session's cache (`compile`), so that two cores share that work,
or runs small cases in plain Python and writes what came out (`plain`, with NUMBA_DISABLE_JIT set).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import recurrence
from ctcdyn import plugins
from ctcdyn.codegen.cache import cache_folder
from ctcdyn.codegen.kernel import Kernel, link, solver_facts
from ctcdyn.codegen.toy import toy
from ctcdyn.ensemble import Ensemble, Range, plan, run_range
from ctcdyn.execute import local
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network
from ctcdyn.model.resolve import fastest_loss

MODELS = plugins.available("model")
# composed of mechanisms, each of which has tests of its own; their [test] says which methods leave them out
COMPOSED = tuple(x for x in MODELS if "\n[mechanisms]\n" in plugins.find("model", x).read_text(encoding="utf-8"))
WRITTEN = tuple(x for x in MODELS if x not in COMPOSED)
FACTS = {name: solver_facts(plugins.find("solver", name)) for name in plugins.available("solver")}
# of any model; the others refuse what they cannot answer: they have pages of their own, and a model in test_same_bits
SOLVERS = tuple(name for name, facts in FACTS.items() if facts["SEMANTICS"] not in ("backward", "moments"))
GRID_FREE = {name: bool(facts["GRID_FREE"]) for name, facts in FACTS.items()}
Content = dict[str, NDArray[Any]]


@cache
def semantics(method: str) -> str:
    """What a shipped solver simulates."""
    return str(FACTS[method]["SEMANTICS"])


def seed_for(name: str) -> int:
    """A seed that nobody picked: the hash of what is run."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest(), "big")


@cache
def small(name: str) -> tuple[Network, float]:
    """(network, days) of the small instance of a shipped model, of the contract's toy, or of human_breast_min with a
    resection at 30 cells, a later treatment and the event of a relapse."""
    if name == "toy":
        return toy(), 8.0
    network = recurrence.network(0.04) if name == "recurrence" else load_model(name)
    tests: Mapping[str, Any] = network.tests
    return network.with_values(tests["parameters"], tests["initial"]), float(tests["t_end"])


@cache
def compiled(name: str, method: str, width: int | None = None) -> Kernel:
    """The kernel of a small instance; numbers are data, so it is that of the whole model."""
    return link(small(name)[0], method, width=width).compile()


def spread(network: Network, count: int, seed: int, sigma: float = 0.3) -> NDArray[np.float64]:
    """Parameters (count, P) whose rates and times are lognormal about their values, inside their bounds.

    Row k does not depend on count.
    """
    rows = np.repeat(network.parameter_values()[None, :], count, axis=0)
    noise = np.exp(sigma * np.random.default_rng(seed).standard_normal(rows.shape))
    for q in rates(network):
        rows[:, q] *= noise[:, q]
        low, high = network.parameters[q].bounds or (-np.inf, np.inf)
        rows[:, q] = np.clip(rows[:, q], low, high)
    return rows


def rates(network: Network) -> list[int]:
    """Parameters that are rates or times, given and not 0."""
    return [
        q
        for q, p in enumerate(network.parameters)
        if p.unit in ("1/d", "d") and p.expr is None and p.value != 0
    ]


@dataclass
class Case:
    """One model with one solver, its trajectories all different; `days` and `saves` make the grid."""

    model: str
    method: str
    count: int
    saves: int = 33
    shorter: float = 1.0  # part of the instance's horizon
    width: int | None = None
    values: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        if self.method == "backward":
            self.saves = min(self.saves, 9)  # each is an integration of its own
        self.seed = seed_for(f"{self.model} {self.method}")
        self.values = spread(small(self.model)[0], self.count, self.seed)

    @property
    def kernel(self) -> Kernel:
        return compiled(self.model, self.method, self.width)

    @property
    def jumps(self) -> bool:
        """Whether the work of a trajectory is its events, and not steps."""
        return self.kernel.emission.semantics in ("jump", "hybrid") and self.kernel.module.GRID_FREE

    def ensemble(self, **changes: Any) -> Ensemble:
        """The ensemble of the case; another count takes the first rows of the parameters."""
        network, days = small(self.model)
        count = changes.get("count", self.count)
        given: dict[str, Any] = {
            "network": network, "seed": self.seed, "count": count, "keep": count, "state_dtype": "f8",
            "times": np.linspace(0.0, days * self.shorter, self.saves), "values": self.values[:count],
            "max_events": 300_000, "max_steps": 100_000, "switch": (20.0, 8.0),
        }  # fmt: skip
        if semantics(self.method) == "langevin":
            given["longest_step"] = 0.2 / fastest_loss(network)
        given |= changes
        return Ensemble(**(given | {"times": np.ascontiguousarray(given["times"])}))

    def run(self, threads: int = 1, spans: Sequence[Range] | None = None, **changes: Any) -> Content:
        """Everything that the trajectories gave."""
        return content(self.kernel, self.ensemble(**changes), threads, spans)


def content(
    kernel: Kernel, ensemble: Ensemble, threads: int = 1, spans: Sequence[Range] | None = None
) -> Content:
    """All arrays of all trajectories in order of id, the root of the reduction tree and the histogram."""
    tree, parts = ensemble.tree(), []
    histogram = ensemble.histogram(len(ensemble.network.species) + len(kernel.emission.observables))
    spans = plan(ensemble, threads) if spans is None else spans
    for result in local.execute(partial(run_range, kernel, ensemble), spans, threads, ensemble.stop):
        tree.add_all(result.nodes)
        if histogram is not None:
            histogram.add(result.sketch)
        parts.append(result)
    parts.sort(key=lambda part: part.first)
    names = ("status", "n_steps", "n_reactions", "params", "final_state", "event_time", "event_observed")
    arrays: Content = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in (*names, "kept_ids", "state", "observables")
    }
    logs = [entry for part in parts for entry in part.log]
    if logs:
        arrays["log"] = np.concatenate(logs)
        arrays["logged"] = np.array([len(entry) for entry in logs])
    root = tree.root()
    arrays |= {f"root_{name}": getattr(root, name) for name in ("n", "mean", "m2", "zeros")}
    if histogram is not None:
        arrays["counts"] = histogram.sketch().counts
    return arrays


def differing(one: Content, other: Content, names: Iterable[str] | None = None) -> list[str]:
    """Names of arrays that are not the same bytes."""
    return [
        name
        for name in (one.keys() | other.keys() if names is None else names)
        if name not in one or name not in other or _bytes(one[name]) != _bytes(other[name])
    ]


def rows(content: Content, which: Any) -> Content:
    """The arrays that have a row for each trajectory, and of those only some rows."""
    count = len(content["status"])
    return {
        name: array[which]
        for name, array in content.items()
        if len(array) == count and not name.startswith(("root_", "log", "counts"))
    }


def digest(content: Content) -> str:
    """One line for the whole content."""
    found = hashlib.sha256()
    for name in sorted(content):
        found.update(f"{name} {content[name].dtype} {content[name].shape}".encode() + _bytes(content[name]))
    return found.hexdigest()


def _bytes(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def plain_case(model: str, method: str) -> Case:
    """A case that plain Python can run: few trajectories in three lanes, the first part of the horizon."""
    return Case(model, method, count=12, saves=3 if method == "backward" else 5, shorter=0.25, width=3)


def main(task: str, names: Sequence[str]) -> None:
    """`compile model:solver:width ...` or `plain folder model:solver ...`."""
    if task == "compile":
        for name in names:
            model, method, width = name.split(":")
            linked = link(small(model)[0], method, width=int(width) or None)
            if not (cache_folder() / linked.key).is_dir():  # left over by who began at the front
                linked.compile()
        return
    folder = Path(names[0])
    with np.errstate(all="ignore"):
        for name in names[1:]:
            model, method = name.split(":")
            np.savez(folder / f"{model}-{method}.npz", **plain_case(model, method).run())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
