"""Full paths as the chunks that HDF5 stores: encoded once, on the thread that computed them, copied ever after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ctcdyn import slabs
from ctcdyn.store.chunks import encode
from ctcdyn.store.files import Data, positions, size_of, view_of
from ctcdyn.store.layout import LEAF, PATH_NAMES, ROW_NAMES, Array, Schema, Variable

_PATH_CHUNK = 2 << 20  # bytes of one chunk: the time axis is split beyond it

Key = tuple[str, int, int]  # array, first row in the file, first time


@dataclass(frozen=True, slots=True)
class Packed:
    """A range of trajectories with its full paths as chunks: bytes by array, first row and first time of the chunk.

    `slabs`: the memory of chunks that were not copied; to be given back by the last who needs them.
    """

    result: Any
    chunks: Mapping[Key, Data]
    slabs: list[slabs.Slab] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Bytes of rows, those of lesions among them."""
        rows = sum(getattr(self.result, name).nbytes for name in ROW_NAMES if hasattr(self.result, name))
        return int(rows + sum(values.nbytes for values in self.result.lesions.values()))

    @property
    def size(self) -> int:
        """Bytes of rows and paths."""
        return self.rows + sum(map(size_of, self.chunks.values()))

    def release(self) -> None:
        """What is in the chunks is no longer needed."""
        while self.slabs:
            slabs.give(self.slabs.pop())

    def __reduce__(self) -> tuple[Any, ...]:
        return Packed, (self.result, {key: bytes(view_of(data)) for key, data in self.chunks.items()})


def chunk_shape(variable: Variable, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Chunks of full paths, shape (kept, T, C): one leaf."""
    rows = min(LEAF, shape[0])
    times = _PATH_CHUNK // (rows * shape[2] * np.dtype(variable.dtype).itemsize)
    return rows, min(max(times, 1), shape[1]), shape[2]


class PathCoder:
    """Encodes and places the paths of results with one schema. Safe on many threads at once."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        present, sizes = schema.variables(), schema.sizes
        self.names = [name for name in PATH_NAMES if name in present]
        self._shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...], str, float | int]] = {}
        for name in self.names:
            variable = present[name]
            whole = tuple(sizes[axis] for axis in variable.axes)
            self._shapes[name] = whole, chunk_shape(variable, whole), variable.dtype, variable.fill

    def pack(self, result: Any) -> Packed:
        """Full paths of a range as chunks, those of whole leaves; zlib lets go of Python's lock.

        7 kB of path take 0.1 ms to compress. What is not compressed and one chunk already stays where it is.
        """
        chunks: dict[Key, Data] = {}
        if hasattr(result, "paths"):
            return self._packed_leaves(result)
        for start, length, paths in self.runs(result):
            for row in range(-(-start // LEAF) * LEAF, start + length, LEAF):
                stop = min(row + LEAF, self.schema.kept)
                if stop <= start + length:
                    whole = {name: values[row - start : stop - start] for name, values in paths.items()}
                    chunks.update(self.encode(row, whole))
        return Packed(result, chunks)

    def _packed_leaves(self, result: Any) -> Packed:
        chunks: dict[Key, Data] = {}
        used: list[slabs.Slab] = []
        for number, paths in enumerate(result.paths):
            row = result.first - self.schema.first + number * LEAF
            stays = False
            for name in self.names if len(paths.state) else ():
                values = getattr(paths, name)
                _, shape, dtype, _ = self._shapes[name]
                if not self.schema.compressed and values.shape == shape and values.dtype == dtype:
                    chunks[name, row, 0] = values.reshape(-1).view(np.uint8)
                    stays = True
                else:
                    chunks.update(self.encode(row, {name: values}))
            if stays:
                used.append(paths.slab)
            else:
                slabs.give(paths.slab)
        return Packed(replace(result, paths=[]), chunks, used)

    def runs(self, result: Any) -> Iterator[tuple[int, int, dict[str, Array]]]:
        """Kept paths as runs of consecutive rows: first row, length, arrays."""
        if not self.names or not len(result.kept_ids):
            return
        ids = np.asarray(result.kept_ids, dtype=np.int64)
        columns = {name: np.asarray(getattr(result, name)) for name in self.names}
        order = np.argsort(ids, kind="stable")
        breaks = np.flatnonzero(np.diff(ids[order]) != 1) + 1
        for run in np.split(order, breaks):
            whole = len(run) == len(ids) and (np.diff(run) == 1).all()
            piece = columns if whole else {name: values[run] for name, values in columns.items()}
            yield int(ids[run[0]]) - self.schema.first, len(run), piece

    def encode(self, row: int, columns: Mapping[str, Array]) -> Iterator[tuple[Key, bytes]]:
        """Chunks of a leaf of paths that begins at `row`."""
        for name, values in columns.items():
            _, shape, dtype, fill = self._shapes[name]
            for time in range(0, values.shape[1], shape[1]):
                chunk = np.full(shape, fill, dtype=dtype)
                piece = values[:, time : time + shape[1]]
                with np.errstate(over="ignore"):  # a count beyond float32 is stored as infinity
                    chunk[: len(piece), : piece.shape[1]] = piece
                yield (name, row, time), encode(chunk) if self.schema.compressed else chunk.tobytes()

    def write(self, file: Any, parts: Sequence[Packed]) -> tuple[list[Data], int]:
        """Into the head of a segment: where each chunk will be, from the end. The chunks in order, and their bytes."""
        found = sorted(((key, data) for packed in parts for key, data in packed.chunks.items()), key=_place)
        pieces = [data for _, data in found]
        starts, end = positions(pieces)
        end = slabs.whole_pages(end)
        table = [
            (self.names.index(name), row, time, end - start, size_of(data))
            for ((name, row, time), data), start in zip(found, starts)
        ]
        file["path_chunks"] = np.array(table, np.int64).reshape(-1, 5)
        return pieces, end

    def read(self, file: Any, body: memoryview, pieces: Sequence[tuple[Any, int]]) -> list[Packed]:
        """Each piece (result, kept rows) with its chunks from a segment, of which `body` is the whole."""
        chunks: dict[int, dict[Key, Data]] = {}
        for number, row, time, back, size in file["path_chunks"][...].tolist():
            start = len(body) - back
            chunks.setdefault(row, {})[self.names[number], row, time] = body[start : start + size]
        packed = []
        for piece, kept in pieces:
            start = piece.first - self.schema.first
            mine = {key: data for row in range(start, start + kept, LEAF) for key, data in chunks.get(row, {}).items()}
            packed.append(Packed(piece, mine))
        return packed

    def placeholders(self, count: int) -> dict[str, Array]:
        """Stand-ins for the paths of `count` rows, which are there as chunks: they take no memory."""
        return {
            name: np.broadcast_to(np.asarray(fill, dtype=dtype), (count, *whole[1:]))
            for name, (whole, _, dtype, fill) in self._shapes.items()
        }


def _place(item: tuple[Key, Data]) -> tuple[int, str, int]:
    (name, row, time), _ = item
    return row, name, time
