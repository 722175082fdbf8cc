"""Rows that arrive in any order become full chunks, and chunks become the bytes HDF5 stores.

HDF5's own gzip runs under one lock at 30 MB/s. Here a chunk is shuffled and deflated by hand and handed over
with `write_direct_chunk`; any HDF5 reads it back with its built-in filters. Two things make it cheap:

- after the shuffle filter equal bytes of all numbers lie together, and the planes of mantissa noise, which
  nothing can compress, go into "stored" blocks of the deflate stream: zlib only sees planes worth its time;
- a column that is one value throughout (a parameter that is not drawn) is deflated once and remembered.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.store.layout import Array

_STORED = 0xFFFF  # bytes in one stored block of a deflate stream (RFC 1951 section 3.2.4)
_SLICES = 4  # places in a plane that are tried before it is compressed
_SLICE = 256
_WORTHWHILE = 0.92  # of its size: what a sample must shrink to for its plane to be compressed


def encode(chunk: Array) -> bytes:
    """Bytes of one chunk as HDF5's filters shuffle and deflate would leave them (RFC 1950, RFC 1951)."""
    flat = np.ascontiguousarray(chunk).reshape(-1)
    planes = np.ascontiguousarray(flat.view(np.uint8).reshape(flat.size, flat.itemsize).T)
    parts = [b"\x78\x01"]
    plane = 0
    while plane < len(planes):
        stop = plane + 1
        squeeze = _shrinks(planes[plane])
        while stop < len(planes) and _shrinks(planes[stop]) == squeeze:
            stop += 1
        parts.extend(_deflate(planes[plane:stop]) if squeeze else _store(planes[plane:stop]))
        plane = stop
    # an empty last block, then the checksum
    parts.append(b"\x03\x00" + zlib.adler32(planes.data).to_bytes(4, "big"))
    return b"".join(parts)


def _shrinks(plane: NDArray[np.uint8]) -> bool:
    step = len(plane) // _SLICES
    if step <= _SLICE:
        return True
    sample = b"".join(plane[k * step : k * step + _SLICE].tobytes() for k in range(_SLICES))
    return len(zlib.compress(sample, 1)) < _WORTHWHILE * len(sample)


def _deflate(planes: NDArray[np.uint8]) -> list[bytes]:
    machine = zlib.compressobj(1, zlib.DEFLATED, -15, 9)
    return [machine.compress(planes.data), machine.flush(zlib.Z_FULL_FLUSH)]


def _store(planes: NDArray[np.uint8]) -> Iterator[bytes]:
    data = planes.reshape(-1).data
    for start in range(0, len(data), _STORED):
        size = min(_STORED, len(data) - start)
        yield b"\x00" + size.to_bytes(2, "little") + (size ^ _STORED).to_bytes(2, "little")
        yield bytes(data[start : start + size])


class Encoder:
    """`encode` with a memory for columns that hold one value throughout."""

    def __init__(self) -> None:
        self._constant: dict[tuple[str, int, bytes], bytes] = {}

    def column(self, values: Array) -> bytes:
        """Encoded bytes of a one-dimensional, contiguous column."""
        bits = values.view(f"u{values.itemsize}")
        if (bits != bits[0]).any():
            return encode(values)
        key = (values.dtype.str, len(values), bits[0].tobytes())
        if key not in self._constant:
            if len(self._constant) >= 1024:
                self._constant.clear()
            self._constant[key] = encode(values)
        return self._constant[key]


@dataclass(slots=True)
class _Open:
    columns: dict[str, Array]
    seen: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows that fill one chunk (the last block of a table may be shorter)."""

    start: int
    rows: int
    columns: dict[str, Array]


class Rows:
    """Collects rows addressed by number until blocks are full. Memory: blocks that are neither empty nor
    full.
    """

    def __init__(
        self, count: int, block: int, shapes: Mapping[str, tuple[tuple[int, ...], str, float | int]]
    ) -> None:
        self.count, self.block = count, block
        self._shapes = shapes
        self._open: dict[int, _Open] = {}
        self._done = bytearray((count + block - 1) // block if block else 0)

    def add(self, start: int, rows: int, columns: Mapping[str, Array]) -> Iterator[Block]:
        """Take rows `start` to `start + rows - 1`; yield every block they complete. A row may come only
        once.
        """
        if start < 0 or start + rows > self.count:
            raise _bug(f"rows {start} to {start + rows - 1} lie outside a table of {self.count}")
        at = start
        while at < start + rows:
            number = at // self.block
            base = number * self.block
            size = min(self.block, self.count - base)
            stop = min(start + rows, base + size)
            piece = {name: values[at - start : stop - start] for name, values in columns.items()}
            if self._done[number]:
                raise _bug(f"rows {at} to {stop - 1} were handed over twice")
            if stop - at == size and number not in self._open:
                self._done[number] = 1
                yield Block(base, size, piece)
            else:
                opened = self._open.get(number) or self._begin(number, size)
                self._fill(opened, at - base, stop - base, piece)
                if opened.seen.all():
                    self._done[number] = 1
                    del self._open[number]
                    yield Block(base, size, opened.columns)
            at = stop

    def rest(self) -> Iterator[Block]:
        """Blocks that never became full, missing rows holding the fill value."""
        for number in sorted(self._open):
            opened = self._open.pop(number)
            yield Block(number * self.block, len(opened.seen), opened.columns)

    def _begin(self, number: int, size: int) -> _Open:
        columns: dict[str, Array] = {
            name: np.full((size, *shape), fill, dtype=dtype)
            for name, (shape, dtype, fill) in self._shapes.items()
        }
        self._open[number] = _Open(columns, np.zeros(size, dtype=np.bool_))
        return self._open[number]

    @staticmethod
    def _fill(opened: _Open, start: int, stop: int, piece: Mapping[str, Array]) -> None:
        if opened.seen[start:stop].any():
            raise _bug("rows of one block were handed over twice")
        opened.seen[start:stop] = True
        with np.errstate(over="ignore"):  # a count beyond float32 is stored as infinity
            for name, values in piece.items():
                opened.columns[name][start:stop] = values


def _bug(what: str) -> CtcError:
    return CtcError(Problem("B901", what, why="every trajectory id belongs to exactly one range"), Exit.BUG)
