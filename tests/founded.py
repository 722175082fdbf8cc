"""Made-up patients with lesions for the tests of their table: no model, no kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.reduction import LeafNode, Tree
from ctcdyn.store import PathCoder, begin, claim
from ctcdyn.store.assembly import write_result
from ctcdyn.store.journal import Journal
from ctcdyn.store.layout import LEAF
from synthetic import Cohort, schema
from synthetic import Range as Rows

COUNT = 6 * LEAF - 100
PLAN: dict[str, Any] = {
    "arms": ("surgery", "surgery and chemo"),
    "replicates": 2,
    "times": np.linspace(0.0, 60.0, 4),
    "quantiles": (),
    "bin_edges": None,
    "keep": 300,
    "founder_rules": ("lung_single", "lung_cluster", "bone"),
    "organs": ("lung", "lung", "bone marrow"),
    "lesions": True,
}


@dataclass(frozen=True)
class Range(Rows):
    nodes: Sequence[Any]
    lesions: Mapping[str, NDArray[Any]]
    sketch: Any = None


class Patients:
    """A study in memory, cut into ranges as the ensemble would hand them over."""

    def __init__(self, rng: np.random.Generator, founded: Sequence[int] | None = None, **changes: Any) -> None:
        """`founded`: lesions of each trajectory; else most have none and some have many."""
        self.schema = schema(**({"count": COUNT} | PLAN | changes))
        self.cohort = Cohort(self.schema, rng)
        K = self.schema.count
        self.founded = rng.poisson(rng.exponential(3.0, K)) if founded is None else np.asarray(founded)
        n = int(self.founded.sum())
        self.ends = np.cumsum(self.founded)
        number = np.arange(n) - np.repeat(self.ends - self.founded, self.founded)
        seen = rng.random(n) < 0.4
        self.table = {
            "trajectory": np.repeat(np.arange(K), self.founded) + self.schema.first,
            "lesion": number.astype(np.int32),
            "parent": (rng.integers(0, number + 1) - 1).astype(np.int32),
            "rule": rng.integers(0, 3, n).astype(np.uint8),
            "founder_time": rng.uniform(0.0, 60.0, n),
            "founders": rng.integers(1, 12, n).astype(np.float64),
            "detection_time": np.where(seen, rng.uniform(0.0, 60.0, n), np.nan),
            "size": np.where(seen, rng.lognormal(15, 3, n), 0.0),
            "status": np.where(seen, 0, 1).astype(np.uint8),
        }

    def cut(self, start: int, stop: int) -> Range:
        a, b = (int(self.ends[k - 1]) if k else 0 for k in (start, stop))
        mine = {name: values[a:b] for name, values in self.table.items()}
        leaves = range(start // LEAF, -(-stop // LEAF))
        tree = Tree(-(-self.schema.total // LEAF))
        for leaf in leaves:
            tree.add(self.schema.first // LEAF + leaf, self._node(leaf))
        return Range(**vars(self.cohort.cut(start, stop)), nodes=tree.waiting(), lesions=mine)

    def _node(self, leaf: int) -> LeafNode:
        values = self.cohort.columns[leaf * LEAF : (leaf + 1) * LEAF]
        arms = [values[k::2] for k in (0, 1)]
        n = np.array([[len(arm)] * values.shape[1] for arm in arms], np.uint64)
        mean, m2 = (np.stack([f(arm, axis=0) for arm in arms]) for f in (np.mean, np.var))
        zeros = np.stack([(arm == 0).sum(axis=0) for arm in arms]).astype(np.uint64)
        return LeafNode(n, mean, m2 * n[..., None], zeros)

    def part(self, first: int, stop: int) -> Patients:
        """A shard of this study."""
        made = object.__new__(Patients)
        made.schema = replace(self.schema, first=first, count=stop - first)
        made.cohort = object.__new__(Cohort)
        made.cohort.schema = made.schema
        for name, values in vars(self.cohort).items():
            if name != "schema":
                setattr(made.cohort, name, values[first:stop])
        made.founded = self.founded[first:stop]
        made.ends = np.cumsum(made.founded)
        rows = slice(*np.searchsorted(self.table["trajectory"], [first, stop]))
        made.table = {name: values[rows] for name, values in self.table.items()}
        return made

    def journal(self, path: Path, resume: bool = False) -> Journal:
        return begin(path, self.schema, claim(path), resume=resume)

    def write(self, path: Path, groups: Sequence[Sequence[tuple[int, int]]] | None = None) -> Path:
        """The result of ranges that are committed in these groups, in this order."""
        with self.journal(path) as journal:
            for group in groups or [[(0, self.schema.count)]]:
                commit(self, journal, group)
            write_result(journal.folder, path, {"end": "2026-11-27T10:00:00Z"}, False)
            journal.remove()
        return path


def commit(patients: Patients, journal: Journal, cuts: Sequence[tuple[int, int]]) -> None:
    coder = PathCoder(patients.schema)
    for start, stop in cuts:
        journal.add(coder.pack(patients.cut(start, stop)))
    journal.commit()


def leaves(count: int = COUNT) -> list[tuple[int, int]]:
    return [(start, min(start + LEAF, count)) for start in range(0, count, LEAF)]


def root(patients: Patients) -> LeafNode:
    tree = Tree(-(-patients.schema.total // LEAF))
    tree.add_all(patients.cut(0, patients.schema.count).nodes)
    return tree.root()
