"""What "the same bytes" means: the content hash of a result, and how two results differ.

Content is every dataset outside /provenance and /summary_state, except wall_time (docs/reproducibility.md). Of
each dataset, in order of path, the hash takes path, type, shape and values, as little-endian bytes in C
order; text as UTF-8 with its length in front. Chunking, compression, attributes and dates do not count. What is left
out there has a hash of its own, which belongs to one file and not to its content: `verify` looks at both.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.store.layout import BLOCK, Array
from ctcdyn.store.reader import ResultFile, damage_reported, read_provenance
from ctcdyn.store.virtual import dataset_of

_OUTSIDE = ("provenance", "summary_state")
_HASHES = ("content_sha256", "rest_sha256")  # attributes of /provenance
_SLAB = 4 << 20  # bytes of a dataset that are in memory at once


@dataclass(frozen=True, slots=True)
class Difference:
    """One dataset that differs: `elements` of `size`, by at most `absolute`, `relative` (to the larger)."""

    path: str
    what: str
    elements: int = 0
    size: int = 0
    absolute: float = 0.0
    relative: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two results side by side; `provenance` has the entries that differ as (in the first, in the second)."""

    first: Path
    second: Path
    first_hash: str
    second_hash: str
    differences: tuple[Difference, ...]
    provenance: dict[str, tuple[str | int | float | None, str | int | float | None]]

    @property
    def same(self) -> bool:
        """Whether the contents are the same bytes."""
        return self.first_hash == self.second_hash


def content_hash(path: str | os.PathLike[str]) -> str:
    """sha256 of the content of a result file, as 64 hexadecimal digits."""
    with damage_reported(Path(path)), ResultFile(Path(path)) as file:
        return hash_of(file, Path(path).parent)


def compare(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> Comparison:
    """How two result files differ: content dataset by dataset, provenance entry by entry."""
    one, two = Path(first), Path(second)
    with damage_reported(one), ResultFile(one) as a, damage_reported(two), ResultFile(two) as b:
        hashes = hash_of(a, one.parent), hash_of(b, two.parent)
        differences = [] if hashes[0] == hashes[1] else list(_differences(_datasets(a, one), _datasets(b, two)))
        before, after = read_provenance(a), read_provenance(b)
    names = sorted((set(before) | set(after)) - {"rest_sha256"})
    provenance = {
        name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    }
    return Comparison(one, two, *hashes, tuple(differences), provenance)


def _paths(file: Any, rest: bool = False) -> list[str]:
    import h5py

    found: list[str] = []

    def visit(name: str, item: Any) -> None:
        outside = name.partition("/")[0] in _OUTSIDE or name == "wall_time"
        if isinstance(item, h5py.Dataset) and outside is rest:
            found.append(name)

    file.visititems(visit)
    return sorted(found, key=lambda name: name.encode())


def _kind(dataset: Any) -> str:
    return "text" if dataset.dtype.kind == "O" else str(dataset.dtype.newbyteorder("<").str)


def hash_of(file: Any, folder: Path) -> str:
    """`content_hash` of an h5py file that is open and whose shards, if it has any, are found from `folder`."""
    return str(_hash(file, folder, _paths(file)).hexdigest())


def rest_of(file: Any) -> str:
    """sha256 of what an open result holds beside its content: how it was made, the state of its summaries, times."""
    digest = _hash(file, Path(), _paths(file, rest=True))
    for group in ("/", "provenance"):
        for name, value in sorted(file[group].attrs.items()):
            if name not in _HASHES:
                digest.update(f"{group}\0{name}\0{np.asarray(value).tolist()!r}\0".encode())
    return str(digest.hexdigest())


def _hash(file: Any, folder: Path, paths: list[str]) -> Any:
    digest = hashlib.sha256()
    for path in paths:
        dataset = dataset_of(file, path, folder)
        shape = ",".join(str(n) for n in dataset.shape)
        digest.update(f"{path}\0{_kind(dataset)}\0{shape}\0".encode())
        for _, values in _slabs(dataset):
            if values.dtype.kind == "O":
                for text in values.reshape(-1):
                    encoded = text if isinstance(text, bytes) else str(text).encode()
                    digest.update(len(encoded).to_bytes(8, "little") + encoded)
            else:
                digest.update(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).data)
    return digest


def _slabs(dataset: Any) -> Iterator[tuple[int, Array]]:
    """The values in pieces along the first axis, aligned with chunks."""
    if not dataset.shape or not dataset.size:
        yield 0, np.asarray(dataset[()])
        return
    row = max(1, dataset.size // len(dataset) * dataset.dtype.itemsize)
    unit = dataset.chunks[0] if dataset.chunks else min(BLOCK, len(dataset))
    step = unit * max(1, _SLAB // (row * unit))
    for start in range(0, len(dataset), step):
        yield start, np.asarray(dataset[start : start + step])


def _datasets(file: Any, path: Path) -> dict[str, Any]:
    return {name: dataset_of(file, name, path.parent) for name in _paths(file)}


def _differences(a: dict[str, Any], b: dict[str, Any]) -> Iterator[Difference]:
    for path in sorted(a | b):
        if path not in b:
            yield Difference(path, "only in the first file")
        elif path not in a:
            yield Difference(path, "only in the second file")
        elif _kind(a[path]) != _kind(b[path]):
            yield Difference(path, f"type {_kind(a[path])} and {_kind(b[path])}")
        elif a[path].shape != b[path].shape:
            yield Difference(path, f"shape {a[path].shape} and {b[path].shape}")
        else:
            found = _difference(path, a[path], b[path])
            if found is not None:
                yield found


def _difference(path: str, a: Any, b: Any) -> Difference | None:
    elements, absolute, relative = 0, 0.0, 0.0
    for (_, one), (_, two) in zip(_slabs(a), _matching_slabs(a, b)):
        if one.dtype.kind == "O":
            elements += int((one != two).sum())
            continue
        bits = f"V{one.dtype.itemsize}"
        differs = np.ascontiguousarray(one).view(bits) != np.ascontiguousarray(two).view(bits)
        elements += int(differs.sum())
        x, y = one[differs].astype(np.float64), two[differs].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            gap = np.abs(x - y)
            larger = np.maximum(np.abs(x), np.abs(y))
            # 0 and -0 are different bytes, but no distance apart
            ratio = np.where(gap == 0, 0.0, gap / larger)
        absolute = max(absolute, _largest(gap))
        relative = max(relative, _largest(ratio))
    if not elements:
        return None
    what = "text differs" if a.dtype.kind == "O" else "values differ"
    return Difference(path, what, elements, a.size, absolute, relative)


def _matching_slabs(a: Any, b: Any) -> Iterator[tuple[int, Array]]:
    """Pieces of `b` with the boundaries of the pieces of `a`, whose chunks may differ."""
    for start, values in _slabs(a):
        yield start, np.asarray(b[start : start + len(values)] if values.ndim else b[()])


def _largest(values: Array) -> float:
    """Largest element; NaN (a number against none) counts as infinite distance."""
    if not values.size:
        return 0.0
    return float("inf") if np.isnan(values).any() else float(values.max())
