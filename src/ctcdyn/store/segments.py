"""The form of a segment: finished leaves as bytes, and back.

A segment is its body and its tail. The body is a small HDF5 file, built in memory, that says which trajectories follow,
then their rows and those of their lesions, column by column, and the chunks of kept paths, which go to the disk from
where they were computed.
The tail is another HDF5 file, with the nodes of the reduction tree and the parts of the histogram. HDF5 never writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.errors import Status
from ctcdyn.reduction import LeafNode, Placed, Sparse
from ctcdyn.slabs import whole_pages
from ctcdyn.store import lesions
from ctcdyn.store.disk import Window
from ctcdyn.store.files import Data, hash_of
from ctcdyn.store.layout import LESIONS, ROW_NAMES, SCHEMA_VERSION, Array, Schema
from ctcdyn.store.manifest import Entry
from ctcdyn.store.paths import Packed, PathCoder

_NODE = ("n", "mean", "m2", "zeros")
_Types = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]


def body(schema: Schema, parts: Sequence[Packed]) -> Iterator[Data]:
    """What the body of a segment is made of, in order: an HDF5 file that says what is in it, rows, chunks of paths."""
    results: list[Any] = [packed.result for packed in parts]
    tables = [lesions.given(schema, result) for result in results]
    with _memory_file() as file:
        file.attrs["ctcdyn_segment"] = SCHEMA_VERSION
        file["runs"] = np.array([(result.first, len(result.status)) for result in results], np.int64)
        chunks, size = PathCoder(schema).write(file, parts)
        founded = sum(map(lesions.count, tables))
        if schema.lesions:
            file["lesions"] = np.array([lesions.count(table) for table in tables], np.int64)
        rows = sum(_row_bytes(schema)) * sum(len(result.status) for result in results)
        rows = whole_pages(rows + founded * lesions.ROW_BYTES)
        file.attrs["rows_from_end"] = rows + size
        file.flush()
        head = bytes(file.id.get_file_image())
    yield head.ljust(whole_pages(len(head)), b"\0")
    for name, (shape, dtype) in _columns(schema).items():
        for result in results:
            yield np.ascontiguousarray(getattr(result, name), dtype).reshape(-1).view(np.uint8)
            rows -= len(result.status) * int(np.prod(shape)) * dtype.itemsize
    for name in LESIONS if schema.lesions else ():
        for table in tables:
            yield table[name].view(np.uint8)
    yield bytes(rows - founded * lesions.ROW_BYTES)
    yield from chunks


def failures(parts: Sequence[Packed]) -> tuple[tuple[int, int], ...]:
    """(status, how many) of the trajectories in them that have no answer."""
    results: list[Any] = [packed.result for packed in parts]
    many = np.bincount(np.concatenate([result.status for result in results]), minlength=256)
    return tuple((int(s), int(many[s])) for s in Status if many[s] and not s.ok)


def _columns(schema: Schema) -> _Types:
    """Shape and type of what is in a row, by name."""
    present, sizes = schema.variables(), schema.sizes
    return {
        name: (tuple(sizes[axis] for axis in present[name].axes[1:]), np.dtype(present[name].dtype).newbyteorder("<"))
        for name in ROW_NAMES
        if name in present
    }


def _row_bytes(schema: Schema) -> list[int]:
    return [int(np.prod(shape)) * dtype.itemsize for shape, dtype in _columns(schema).values()]


def tail(nodes: Sequence[Placed], sketches: Sequence[Sparse]) -> bytes:
    """Sums as an HDF5 file."""
    with _memory_file() as file:
        file["node_place"] = np.array([(level, position) for level, position, _ in nodes], np.int64).reshape(-1, 2)
        for name in _NODE:
            if nodes:
                file[f"node_{name}"] = np.stack([getattr(node, name) for *_, node in nodes])
        file["sketch_lengths"] = np.array([len(sketch.index) for sketch in sketches], np.int64)
        if sketches:
            # neighbouring bins are filled: differences of their numbers are small and take a tenth of the space
            index = np.concatenate([np.diff(sketch.index, prepend=np.uint32(0)) for sketch in sketches])
            count = np.concatenate([sketch.count for sketch in sketches])
            for name, values in (("sketch_index", index), ("sketch_count", count)):
                file.create_dataset(name, data=values, shuffle=len(values) > 0, compression=1 if len(values) else None)
        file.flush()
        return bytes(file.id.get_file_image())


def _memory_file() -> Any:
    import h5py

    return h5py.File("segment", "w", driver="core", backing_store=False, libver=("earliest", "v108"))


@dataclass(frozen=True)
class Piece:
    """Neighbouring trajectories of a segment, as the ensemble gave them; `columns` by name, and those of lesions."""

    first: int
    columns: Mapping[str, Array]
    kept_ids: Array
    lesions: Mapping[str, Array] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Array:
        try:
            return self.columns[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True)
class Segment:
    """One segment, read: pieces with their encoded paths, nodes of the reduction tree, parts of the histogram."""

    pieces: list[Packed]
    nodes: list[Placed]
    sketches: list[Sparse]


def read_checked(folder: Path, entry: Entry) -> bytes | None:
    """The bytes of a segment if they are what was committed, else None. HDF5 sees no others."""
    try:
        data = (folder / entry.name).read_bytes()
    except OSError:
        return None
    if len(data) != entry.size:
        return None
    view = memoryview(data)
    good = hash_of(view[: entry.body]) == entry.body_hash and hash_of(view[entry.body :]) == entry.tail_hash
    return data if good else None


def parse(schema: Schema, entry: Entry, data: bytes) -> Segment:
    """A segment from its bytes, which `read_checked` has found to be those that were written."""
    view = memoryview(data)
    nodes, sketches = parse_tail(view[entry.body :])
    return Segment(parse_body(schema, view[: entry.body]), nodes, sketches)


def parse_body(schema: Schema, body: memoryview) -> list[Packed]:
    """Pieces with their encoded paths."""
    import h5py

    coder = PathCoder(schema)
    with h5py.File(Window(body), "r") as file:
        runs = file["runs"][...].tolist()
        founded = file["lesions"][...].tolist() if schema.lesions else [0] * len(runs)
        data = body[len(body) - int(file.attrs["rows_from_end"]) :]
        rows, end = _table(_columns(schema), data, sum(count for _, count in runs))
        table, _ = _table(lesions.TYPES if schema.lesions else {}, data[end:], sum(founded))
        pieces, start, row = [], 0, 0
        for (first, count), lesion_rows in zip(runs, founded, strict=True):
            here = {name: values[start : start + count] for name, values in rows.items()}
            theirs = {name: values[row : row + lesion_rows] for name, values in table.items()}
            start, row = start + count, row + lesion_rows
            kept = np.arange(first, max(first, min(first + count, schema.first + schema.kept)), dtype=np.int64)
            here |= coder.placeholders(len(kept))
            pieces.append((Piece(first, here, kept, theirs), len(kept)))
        return coder.read(file, body, pieces)


def _table(columns: _Types, data: memoryview, count: int) -> tuple[dict[str, Array], int]:
    """Columns of `count` rows, which begin where `data` does, and where they end."""
    found: dict[str, Array] = {}
    at = 0
    for name, (shape, dtype) in columns.items():
        number = count * int(np.prod(shape))
        found[name] = np.frombuffer(data, dtype, number, at).reshape(count, *shape)
        at += number * dtype.itemsize
    return found, at


def parse_tail(data: memoryview) -> tuple[list[Placed], list[Sparse]]:
    """Nodes of the reduction tree, parts of the histogram."""
    import h5py

    with h5py.File(Window(data), "r") as file:
        places = file["node_place"][...].tolist()
        moments = [file[f"node_{name}"][...] for name in _NODE] if places else []
        nodes = [(level, at, LeafNode(*(m[k] for m in moments))) for k, (level, at) in enumerate(places)]
        sketches = []
        if "sketch_index" in file:
            ends = np.cumsum(file["sketch_lengths"][...])[:-1]
            steps, counts = (np.split(file[name][...], ends) for name in ("sketch_index", "sketch_count"))
            sketches = [Sparse(np.cumsum(step, dtype=np.uint32), count) for step, count in zip(steps, counts)]
    return nodes, sketches
