"""Full paths that a merged result does not hold but reads from its shards: HDF5 virtual datasets, checked before use.

HDF5 opens the sources of a virtual dataset by itself, and gives fill values, without a word, where one is missing. So
ctcdyn never reads through HDF5's mapping: it opens each shard as a result of its own, makes sure that it is the one
that was merged, and takes the rows from there. Other readers (xarray, h5py, R) use the mapping.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.store.layout import PATH_NAMES, Array, Schema

ENTRY = "parent_files"  # of the provenance: the shards as JSON


@dataclass(frozen=True, slots=True)
class Part:
    """A shard of a merged result: its file relative to the folder of the result, its ids, the sha256 of its content."""

    file: str
    first: int
    count: int
    sha256: str

    def kept(self, keep: int) -> int:
        """How many of its trajectories are stored as full paths, where ids below `keep` are."""
        return min(max(keep - self.first, 0), self.count)


def written(parts: Sequence[Part]) -> str:
    """Parts as the entry of the provenance."""
    return json.dumps([asdict(part) for part in parts])


def parts_of(provenance: Mapping[str, str | int | float]) -> tuple[Part, ...]:
    """The shards that a result was merged of, none where it was not. ValueError, TypeError where that is damaged."""
    return tuple(Part(**entry) for entry in json.loads(str(provenance.get(ENTRY, "[]"))))


def layouts(schema: Schema, parts: Sequence[Part]) -> dict[str, Any]:
    """How HDF5 finds the paths of the whole in its parts, which follow one another: name to h5py.VirtualLayout."""
    import h5py

    sizes, found = schema.sizes, {}
    for name, variable in schema.variables().items():
        if name in PATH_NAMES:
            shape = tuple(sizes[axis] for axis in variable.axes)
            layout = h5py.VirtualLayout(shape, variable.dtype)
            for start, stop, part in _spans(schema.keep, parts):
                # HDF5 takes % for the beginning of a pattern
                source = h5py.VirtualSource(part.file.replace("%", "%%"), name, (stop - start, *shape[1:]))
                layout[start:stop] = source
            found[name] = layout
    return found


def dataset_of(file: Any, name: str, folder: Path) -> Any:
    """A dataset of a result in `folder`: as h5py gives it, or what is read from shards."""
    dataset = file[name]
    return Joined(file, name, folder) if dataset.is_virtual else dataset


class Joined:
    """A virtual dataset, (kept, T, C), that reads its rows from the shards, each checked. Slices of rows only."""

    def __init__(self, file: Any, name: str, folder: Path) -> None:
        dataset = file[name]
        self.name, self.folder = name, folder
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype, self.size, self.chunks = dataset.dtype, dataset.size, None
        self.keep = int(file.attrs["keep"])
        self.parts = _parts_in(file)
        spans = [(start, part.file.replace("%", "%%")) for start, _, part in _spans(self.keep, self.parts)]
        sources = [(s.vspace.get_select_bounds()[0][0], s.file_name) for s in dataset.virtual_sources()]
        if spans != sources or sum(part.kept(self.keep) for part in self.parts) != len(self):
            raise ValueError(f"{name} is read from other files than the shards that were merged")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | tuple[()]) -> Array:
        start, stop, _ = (slice(None) if rows == () else rows).indices(len(self))  # type: ignore[union-attr]
        found = np.empty((max(stop - start, 0), *self.shape[1:]), self.dtype)
        for first, end, part in _spans(self.keep, self.parts):
            low, high = max(start, first), min(stop, end)
            if low < high:
                found[low - start : high - start] = self._read(part, low - first, high - first)
        return found

    def _read(self, part: Part, start: int, stop: int) -> Array:
        from ctcdyn.store.reader import ResultFile, damage_reported

        problem = trouble(part, self.folder)
        if problem is not None:
            raise CtcError(problem, Exit.OUTPUT)
        path = self.folder / part.file
        with damage_reported(path), ResultFile(path) as file:
            dataset = file[self.name]
            if dataset.is_virtual or dataset.shape[1:] != self.shape[1:] or dataset.dtype != self.dtype:
                raise ValueError(f"{self.name} is not what was merged")
            return np.asarray(dataset[start:stop])


def shards_needed(file: Any) -> tuple[Part, ...]:
    """The shards that a result reads full paths from; none where it holds all itself."""
    if not any(name in file and file[name].is_virtual for name in PATH_NAMES):
        return ()
    keep = int(file.attrs["keep"])
    return tuple(part for part in _parts_in(file) if part.kept(keep))


def trouble(part: Part, folder: Path) -> Problem | None:
    """What is wrong with a shard that a result in `folder` reads: not there, not readable, or not the one merged."""
    from ctcdyn.store.reader import ResultFile, damage_reported

    path = folder / part.file
    whose = f"holds the full paths of trajectories {part.first} to {part.first + part.count - 1}"
    fix = "put it back, or run that shard again: the same study gives the same bytes; means, events and parameters "
    fix += "are in the merged file itself"
    if Path(part.file).is_absolute():
        return Problem("R519", f"{path} {whose}, but is not named relative to the result", fix=fix)
    try:
        with damage_reported(path), ResultFile(path) as file:
            noted = str(file["provenance"].attrs.get("content_sha256", ""))
            same = (int(file.attrs["first"]), int(file.attrs["count"]), noted) == (part.first, part.count, part.sha256)
    except CtcError as error:
        return Problem("R519", f"{error.problems[0].what}; it {whose}", fix=fix)
    return None if same else Problem("R519", f"{path} {whose}, but is not the file that was merged", fix=fix)


def _parts_in(file: Any) -> tuple[Part, ...]:
    group = file["provenance"]
    return parts_of({ENTRY: group[ENTRY].asstr()[()] if ENTRY in group else group.attrs.get(ENTRY, "[]")})


def _spans(keep: int, parts: Sequence[Part]) -> Iterator[tuple[int, int, Part]]:
    """Rows of full paths, from and to, and the part they are in."""
    start = 0
    for part in parts:
        rows = part.kept(keep)
        if rows:
            yield start, start + rows, part
        start += rows
