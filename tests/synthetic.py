"""Made-up ranges, roots and sketches for the tests of store, results and plots: no model, no kernel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.store import Schema, Store

# Below zero, zero, (0, 2**-4), 8 bins an octave up to 2**40, above.
EDGES = np.concatenate(
    [[-np.inf, 0.0, 0.0], *(2.0**e * (1 + np.arange(8) / 8) for e in range(-4, 40)), [2.0**40, np.inf]]
)


def seeded(test_id: str) -> np.random.Generator:
    """A generator whose seed is the hash of the test's id: nobody picked it."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(test_id.encode()).digest()[:8], "little"))


@dataclass(frozen=True)
class Range:
    first: int
    status: NDArray[Any]
    n_steps: NDArray[Any]
    n_reactions: NDArray[Any]
    params: NDArray[Any]
    final_state: NDArray[Any]
    event_time: NDArray[Any]
    event_observed: NDArray[Any]
    kept_ids: NDArray[Any]
    state: NDArray[Any]
    observables: NDArray[Any]


@dataclass(frozen=True)
class Root:
    n: NDArray[Any]
    mean: NDArray[Any]
    m2: NDArray[Any]
    zeros: NDArray[Any]


@dataclass(frozen=True)
class Sketch:
    counts: NDArray[Any]
    bin_edges: NDArray[Any]
    places: None = None


def schema(count: int = 1000, keep: int = 300, **changes: Any) -> Schema:
    """Three species, one observable, four parameters, one kind of event, 21 times in 60 days."""
    settings: dict[str, Any] = {
        "species": ("tumor", "ctc", "drug"),
        "species_units": ("1", "1", "nmol/mL"),
        "observables": ("burden",),
        "observable_units": ("1/mL",),
        "parameters": ("birth", "death", "shed", "clear"),
        "parameter_units": ("1/d", "1/d", "1/d", "1/h"),
        "times": np.linspace(0.0, 60.0, 21),
        "count": count,
        "total": count,
        "keep": keep,
        "event_kinds": ("relapse",),
        "quantiles": (0.025, 0.25, 0.5, 0.75, 0.975),
        "method": "direct",
        "bin_edges": EDGES,
        "provenance": {
            "seed": 2**63 + 5,
            "config_toml": "schema = 1\nname = 'é'\n",
            "ctcdyn_version": "0.1.0",
        },
        "title": "synthetic cohort",
    }
    return Schema(**(settings | changes))


class Cohort:
    """The whole study in memory, from which any range can be cut, and what its summary must be."""

    def __init__(self, plan: Schema, rng: np.random.Generator) -> None:
        self.schema = plan
        K, T, P = plan.count, len(plan.times), len(plan.parameters)
        self.params = np.tile(np.arange(1.0, P + 1), (K, 1))
        self.params[:, 1] = rng.lognormal(0, 1, K)
        growth = rng.normal(0.05, 0.05, (K, 1, 1)) * np.arange(1, 4)
        scale = np.array([1000.0, 8.0, 0.5])
        paths = np.exp(growth * plan.times[:, None]) * scale * rng.lognormal(0, 0.3, (K, 1, 3))
        paths[:, :, 1] = rng.poisson(np.minimum(paths[:, :, 1], 1e6))
        paths[rng.random(K) < 0.2, T // 2 :, 1] = 0
        self.state = paths[:, :, : len(plan.species)]
        self.observables = (paths[:, :, :1] + paths[:, :, 1:2]) / 7.5
        self.status = rng.choice(np.array([0, 0, 0, 1, 8], dtype=np.uint8), K)
        self.n_steps = rng.poisson(300, K).astype(np.uint32)
        self.n_reactions = rng.integers(0, 2**60, K).astype(np.uint64)
        self.event_time = rng.uniform(0, 60, (K, len(plan.event_kinds)))
        self.event_observed = (self.event_time < 40).astype(np.uint8)

    def cut(self, start: int, stop: int) -> Range:
        """Rows `start` to `stop - 1` as the range that the ensemble would hand over."""
        rows, kept = slice(start, stop), slice(start, max(start, min(stop, self.schema.kept)))
        return Range(
            self.schema.first + start,
            self.status[rows],
            self.n_steps[rows],
            self.n_reactions[rows],
            self.params[rows],
            self.state[rows, -1],
            self.event_time[rows],
            self.event_observed[rows],
            np.arange(kept.start, kept.stop) + self.schema.first,
            self.state[kept],
            self.observables[kept],
        )

    @property
    def columns(self) -> NDArray[np.float64]:
        """Species, then observables: (K, T, C)."""
        return np.concatenate([self.state, self.observables], axis=2)

    def root(self) -> Root:
        n = np.full((1, len(self.schema.times)), self.schema.count, dtype=np.uint64)
        mean = self.columns.mean(axis=0)[None]
        m2 = ((self.columns - mean) ** 2).sum(axis=0)[None]
        return Root(n, mean, m2, (self.columns == 0).sum(axis=0)[None].astype(np.uint64))

    def sketch(self) -> Sketch:
        """Bin b from edge b to edge b + 1; zero has its own."""
        values = self.columns
        bins = np.searchsorted(EDGES[2:], values, side="right") + 1
        bins = np.where(values == 0, 1, np.where(values < 0, 0, bins))
        counts = np.zeros((1, *values.shape[1:], len(EDGES) - 1), dtype=np.uint32)
        for t in range(values.shape[1]):
            for c in range(values.shape[2]):
                counts[0, t, c] = np.bincount(bins[:, t, c], minlength=len(EDGES) - 1)
        return Sketch(counts, EDGES)

    def write(self, path: Path, cuts: list[tuple[int, int]] | None = None, **options: Any) -> Path:
        """A result file of this cohort, handed over in the given cuts, in that order."""
        with Store.open(path, self.schema, **options) as store:
            for start, stop in cuts or [(0, self.schema.count)]:
                store.append(self.cut(start, stop))
            store.finish(self.root(), self.sketch(), {"end": "2026-11-23T10:00:00Z"})
        return path
