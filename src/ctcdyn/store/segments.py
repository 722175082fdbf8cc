"""The form of a segment: finished leaves as the bytes of an HDF5 file that was built in memory, and back.

Ordinary I/O writes it to a temporary name, syncs and renames it: HDF5 never has a file open that could be lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.reduction import LeafNode, Placed, Sparse
from ctcdyn.store.layout import ROW_NAMES, SCHEMA_VERSION, Array, Schema
from ctcdyn.store.manifest import Entry, sync_folder
from ctcdyn.store.paths import Packed, PathCoder

_NODE = ("n", "mean", "m2", "zeros")


def image(schema: Schema, parts: Sequence[Packed]) -> bytes:
    """The bytes of a segment, an HDF5 file."""
    import h5py

    coder = PathCoder(schema)
    with h5py.File("segment", "w", driver="core", backing_store=False, libver=("earliest", "v108")) as file:
        file.attrs["ctcdyn_segment"] = SCHEMA_VERSION
        results: list[Any] = [packed.result for packed in parts]
        file["runs"] = np.array([(result.first, len(result.status)) for result in results], np.int64)
        present = schema.variables()
        for name in ROW_NAMES:
            if name in present:
                file[name] = np.concatenate([getattr(result, name) for result in results])
        coder.write(file, parts)
        nodes = [node for result in results for node in result.nodes]
        file["node_place"] = np.array([(level, position) for level, position, _ in nodes], np.int64).reshape(-1, 2)
        for name in _NODE:
            if nodes:
                file[f"node_{name}"] = np.stack([getattr(node, name) for *_, node in nodes])
        sketches = [result.sketch for result in results if result.sketch is not None]
        file["sketch_lengths"] = np.array([len(sketch.index) for sketch in sketches], np.int64)
        if sketches:
            # neighbouring bins are filled: differences of their numbers are small and take a tenth of the space
            index = np.concatenate([np.diff(sketch.index, prepend=np.uint32(0)) for sketch in sketches])
            count = np.concatenate([sketch.count for sketch in sketches])
            for name, values in (("sketch_index", index), ("sketch_count", count)):
                file.create_dataset(name, data=values, shuffle=len(values) > 0, compression=1 if len(values) else None)
        file.flush()
        return bytes(file.id.get_file_image())


@dataclass(frozen=True)
class Piece:
    """Neighbouring trajectories of a segment, as the ensemble gave them; `columns` by name."""

    first: int
    columns: Mapping[str, Array]
    kept_ids: Array

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
    return data if len(data) == entry.size and hashlib.sha256(data).hexdigest() == entry.sha256 else None


def parse(schema: Schema, data: bytes) -> Segment:
    """A segment from its bytes, which `read_checked` has found to be those that were written."""
    import h5py

    coder = PathCoder(schema)
    with h5py.File(io.BytesIO(data), "r") as file:
        rows = {name: file[name][...] for name in ROW_NAMES if name in file}
        pieces, start = [], 0
        for first, count in file["runs"][...].tolist():
            here = {name: values[start : start + count] for name, values in rows.items()}
            start += count
            kept = np.arange(first, max(first, min(first + count, schema.first + schema.kept)), dtype=np.int64)
            here |= coder.placeholders(len(kept))
            pieces.append((Piece(first, here, kept), len(kept)))
        packed = coder.read(file, pieces)
        places = file["node_place"][...].tolist()
        moments = [file[f"node_{name}"][...] for name in _NODE] if places else []
        nodes = [(level, at, LeafNode(*(m[k] for m in moments))) for k, (level, at) in enumerate(places)]
        sketches = []
        if "sketch_index" in file:
            ends = np.cumsum(file["sketch_lengths"][...])[:-1]
            steps, counts = (np.split(file[name][...], ends) for name in ("sketch_index", "sketch_count"))
            sketches = [Sparse(np.cumsum(step, dtype=np.uint32), count) for step, count in zip(steps, counts)]
    return Segment(packed, nodes, sketches)


def write_durably(path: Path, data: bytes) -> None:
    """A file that is whole under its name, or not there. Raises OSError, and leaves nothing then."""
    draft = path.with_name(f"{path.name}.tmp")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        try:
            view, done = memoryview(data), 0
            while done < len(data):
                done += os.write(handle, view[done:])
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
