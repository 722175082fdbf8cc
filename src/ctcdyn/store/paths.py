"""Full paths as the chunks that HDF5 stores: encoded once, on the thread that computed them, copied ever after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctcdyn.store.chunks import encode
from ctcdyn.store.layout import LEAF, PATH_NAMES, ROW_NAMES, Array, Schema, Variable

_PATH_CHUNK = 2 << 20  # bytes of one chunk: the time axis is split beyond it

Key = tuple[str, int, int]  # array, first row in the file, first time


@dataclass(frozen=True, slots=True)
class Packed:
    """A range of trajectories with its full paths compressed: bytes by array, first row and first time of the chunk."""

    result: Any
    chunks: dict[Key, bytes]

    @property
    def size(self) -> int:
        """Bytes of rows and paths."""
        rows: int = sum(getattr(self.result, name).nbytes for name in ROW_NAMES)
        return rows + sum(map(len, self.chunks.values()))


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
        """Compress the full paths of a range, those of whole leaves; zlib lets go of Python's lock.

        7 kB of path take 0.1 ms.
        """
        chunks: dict[Key, bytes] = {}
        for start, length, paths in self.runs(result):
            for row in range(-(-start // LEAF) * LEAF, start + length, LEAF):
                stop = min(row + LEAF, self.schema.kept)
                if stop <= start + length:
                    whole = {name: values[row - start : stop - start] for name, values in paths.items()}
                    chunks.update(self.encode(row, whole))
        return Packed(result, chunks)

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

    def write(self, file: Any, parts: Sequence[Packed]) -> None:
        """The paths of some results as datasets of a segment, leaf after leaf, and where each leaf belongs."""
        leaves = sorted({row for packed in parts for _, row, _ in packed.chunks})
        if not leaves:
            return
        file["path_rows"] = np.array(leaves, np.int64)
        place = {row: number for number, row in enumerate(leaves)}
        for name in self.names:
            whole, shape, dtype, fill = self._shapes[name]
            size = (len(leaves) * shape[0], *whole[1:])
            filters = {"shuffle": True, "compression": 1} if self.schema.compressed else {}
            file.create_dataset(name, size, dtype, fillvalue=fill, chunks=shape, **filters)
        for packed in parts:
            for (name, row, time), data in packed.chunks.items():
                at = (place[row] * self._shapes[name][1][0], time, 0)
                file[name].id.write_direct_chunk(at, data)

    def read(self, file: Any, pieces: Sequence[tuple[Any, int]]) -> list[Packed]:
        """Each piece (result, kept rows) with its chunks from a segment."""
        rows = file["path_rows"][...].tolist() if "path_rows" in file else []
        chunks: dict[int, dict[Key, bytes]] = {row: {} for row in rows}
        for name in self.names if rows else ():
            whole, shape, *_ = self._shapes[name]
            for number, row in enumerate(rows):
                for time in range(0, whole[1], shape[1]):
                    _, data = file[name].id.read_direct_chunk((number * shape[0], time, 0))
                    chunks[row][name, row, time] = data
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
