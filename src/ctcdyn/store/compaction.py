"""Small segments become one, so that a run of many hours does not fill the disk with sums.

Each segment has its own part of the histogram, which does not depend on how few trajectories are in it: a slow model
that commits once a second would write the same hundreds of kilobytes all night. What is in the segments stays as it is,
to the last bit of every row; only nodes and counts are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ctcdyn.reduction import Sparse, Tree
from ctcdyn.store import lesions
from ctcdyn.store.files import write_durably
from ctcdyn.store.layout import LEAF, ROW_NAMES, Schema
from ctcdyn.store.manifest import Entry
from ctcdyn.store.paths import Packed
from ctcdyn.store.segments import Piece, body, failures, parse_body, parse_tail, read_checked, tail

MANY = 64  # small segments that may be there before they are merged
SMALL = 1 << 20  # bytes of rows and paths; what is larger has enough of them for its sums


def candidates(entries: Sequence[Entry]) -> list[Entry]:
    """Segments that are to become one now, in order; none while there are fewer than `MANY` small ones."""
    small = [entry for entry in entries if entry.body < SMALL]
    if len(small) < MANY:
        return []
    sizes = np.cumsum([entry.body for entry in small])
    return small[: int(np.searchsorted(sizes, 2 * SMALL, side="right"))]


def most(size: int) -> int:
    """How many segments there may be at most, of `size` bytes of rows and paths together."""
    return MANY + size // SMALL


def merge_segments(folder: Path, name: str, schema: Schema, entries: Sequence[Entry]) -> Entry | None:
    """Write one durable segment `name` with all that is in others; None, and nothing written, where one is damaged.

    It counts when the manifest says so. Raises OSError.
    """
    pieces: list[Packed] = []
    tree = Tree(-(-schema.total // LEAF))
    counts = _Counts()
    for entry in entries:
        data = read_checked(folder, entry)
        if data is None:
            return None
        pieces += parse_body(schema, memoryview(data)[: entry.body])
        nodes, sketches = parse_tail(memoryview(data)[entry.body :])
        tree.add_all(nodes)
        counts.add(sketches)
    joined = _joined(pieces)
    runs = tuple((packed.result.first, len(packed.result.status)) for packed in joined)
    sums = tail(tree.waiting(), counts.all())
    rows, rest = write_durably(folder / name, (body(schema, joined), [sums]))
    founded = lesions.counts(schema, joined)
    return Entry(name, rows.size, rows.hash, rest.size, rest.hash, runs, founded, failures(joined))


def _joined(pieces: Sequence[Packed]) -> list[Packed]:
    """Pieces in order of id, neighbours as one."""
    groups: list[list[Packed]] = []
    end = -1
    for packed in sorted(pieces, key=lambda packed: packed.result.first):
        if packed.result.first != end:
            groups.append([])
        groups[-1].append(packed)
        end = packed.result.first + len(packed.result.status)
    return [_as_one(group) if len(group) > 1 else group[0] for group in groups]


def _as_one(group: Sequence[Packed]) -> Packed:
    results = [packed.result for packed in group]
    names = [name for name in ROW_NAMES if name in results[0].columns]  # paths are chunks
    columns = {name: np.concatenate([result.columns[name] for result in results]) for name in names}
    kept = np.concatenate([result.kept_ids for result in results])
    table = {name: np.concatenate([result.lesions[name] for result in results]) for name in results[0].lesions}
    chunks = {key: data for packed in group for key, data in packed.chunks.items()}
    return Packed(Piece(results[0].first, columns, kept, table), chunks)


class _Counts:
    """Sum of parts of a histogram, which are told by their bins."""

    def __init__(self) -> None:
        self._dense = np.zeros(0, np.uint32)  # pages without counts are never touched

    def add(self, parts: Sequence[Sparse]) -> None:
        for part in parts:
            size = int(part.index[-1]) + 1 if len(part.index) else 0
            if size > len(self._dense):
                longer = np.zeros(max(size, 2 * len(self._dense)), np.uint32)
                longer[: len(self._dense)] = self._dense
                self._dense = longer
            self._dense[part.index] += part.count  # an index occurs once

    def all(self) -> list[Sparse]:
        index = np.flatnonzero(self._dense)
        return [Sparse(index.astype(np.uint32), self._dense[index])] if len(self._dense) else []
