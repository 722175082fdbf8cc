"""Shards become one result: the same rows, and by the nodes of the reduction tree the same summary, bit for bit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.reduction import LeafNode, Sketch, Tree
from ctcdyn.store.identity import differences, identity
from ctcdyn.store.layout import BLOCK, LEAF, ROW_NAMES, Array, Schema
from ctcdyn.store.paths import PathCoder
from ctcdyn.store.reader import FileArrays, ResultFile, damage_reported
from ctcdyn.store.segments import Piece
from ctcdyn.store.writer import Store

_OWN = ("first", "count")  # what shards differ in
_SLAB = 64 << 20  # bytes of paths in memory at once


@dataclass(frozen=True)
class Shard:
    """A result file that is a part of another."""

    path: Path
    schema: Schema

    @property
    def stop(self) -> int:
        return self.schema.first + self.schema.count


def merge(target: str | os.PathLike[str], shards: Sequence[str | os.PathLike[str]], overwrite: bool = False) -> Schema:
    """One result file from all shards of a study, given in any order; the schema of what was made.

    Raises CtcError (exit 6, R515), all at once: shards of different studies, models or seeds, gaps, overlaps.
    """
    parts = sorted((_open(Path(path)) for path in shards), key=lambda part: part.schema.first)
    _check(parts)
    whole = replace(parts[0].schema, first=0, count=parts[0].schema.total)
    tree, counts = Tree(-(-whole.count // LEAF)), None
    with Store.open(target, whole, overwrite) as store:
        for part in parts:
            for piece in _pieces(part, PathCoder(whole)):
                store.append(piece)
            counts = _add_summary(part.path, tree, counts)
        sketch = None if counts is None or whole.bin_edges is None else Sketch(counts, whole.bin_edges)
        end = datetime.now(UTC).isoformat(timespec="seconds")
        merged = {"end": end, "merged_from": " ".join(part.path.name for part in parts)}
        store.finish(tree.root(), sketch, merged)
    return whole


def _open(path: Path) -> Shard:
    arrays = FileArrays(path)
    try:
        return Shard(path, arrays.schema())
    finally:
        arrays.close()


def _check(parts: Sequence[Shard]) -> None:
    told: list[Problem] = []
    if not parts:
        raise CtcError(Problem("R515", "no shards were given"), Exit.USAGE)
    lead, expected = parts[0], 0
    same = {name: value for name, value in identity(lead.schema).items() if name not in _OWN}
    for part in parts:
        mine = {name: value for name, value in identity(part.schema).items() if name not in _OWN}
        told += [Problem("R515", f"{part.path} and {lead.path}: {line}") for line in differences(same, mine)]
        if part.schema.first > expected:
            told.append(_gap(expected, part.schema.first, lead.schema.total))
        elif part.schema.first < expected:
            what = f"{part.path} holds trajectories {part.schema.first} to {min(expected, part.stop) - 1} again"
            told.append(Problem("R515", what, fix="give each shard once"))
        expected = max(expected, part.stop)
    if expected < lead.schema.total:
        told.append(_gap(expected, lead.schema.total, lead.schema.total))
    if told:
        raise CtcError(told, Exit.OUTPUT)


def _gap(start: int, stop: int, total: int) -> Problem:
    what = f"trajectories {start} to {stop - 1} of {total} are in no shard that was given"
    return Problem("R515", what, fix="run the missing shard (ctcdyn run STUDY.toml --shard i/N), or give its file too")


def _pieces(part: Shard, coder: PathCoder) -> Iterator[Piece]:
    """The rows of a shard in order, block by block; paths are read in slabs of whole leaves."""
    arrays, schema = FileArrays(part.path), part.schema
    paths = [name for name in ("state", "observables") if name in arrays]
    rows = [name for name in ROW_NAMES if name in arrays]
    width = len(schema.times) * (len(schema.species) + len(schema.observables)) * 8
    kept_step = max(1, _SLAB // max(1, width * LEAF)) * LEAF
    step = min(BLOCK, kept_step) if schema.kept else BLOCK
    try:
        for start in range(0, schema.count, step):
            stop = min(start + step, schema.count)
            kept = np.arange(schema.first + start, schema.first + max(start, min(stop, schema.kept)), dtype=np.int64)
            columns: dict[str, Array] = {name: arrays.rows(name, start, stop) for name in rows}
            columns |= coder.placeholders(0)
            if len(kept):
                columns |= {name: arrays.rows(name, start, start + len(kept)) for name in paths}
            yield Piece(schema.first + start, columns, kept)
    finally:
        arrays.close()


def _add_summary(path: Path, tree: Tree, counts: Array | None) -> Array | None:
    """The nodes of a shard into the tree, and its histogram to the counts."""
    with damage_reported(path), ResultFile(path) as file:
        state: Any = file["summary_state"]
        values = [state[f"node_{name}"][...] for name in ("n", "mean", "m2", "zeros")]
        for k, (first, level) in enumerate(zip(state["node_first"][...].tolist(), state["node_level"][...].tolist())):
            tree.add(first >> level, LeafNode(*(value[k] for value in values)), level)
        if "sketch_counts" not in state:
            return counts
        mine: Array = state["sketch_counts"][...]
        return mine if counts is None else counts + mine
