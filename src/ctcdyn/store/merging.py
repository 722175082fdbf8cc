"""Shards become one result: the same rows, and by the nodes of the reduction tree the same summary, bit for bit.

Full paths stay in the shards, where the result reads them (`ctcdyn.store.virtual`), or are copied chunk by chunk.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.reduction import LeafNode, Sketch, Tree
from ctcdyn.store.disk import check_target
from ctcdyn.store.identity import differences, identity
from ctcdyn.store.layout import BLOCK, LEAF, PATH_NAMES, ROW_NAMES, Array, Schema
from ctcdyn.store.paths import Key, Packed, PathCoder, chunk_shape
from ctcdyn.store.reader import FileArrays, ResultFile, damage_reported
from ctcdyn.store.segments import Piece
from ctcdyn.store.verification import verify
from ctcdyn.store.virtual import ENTRY, Part, layouts, parts_of, written
from ctcdyn.store.writer import Store

_OWN = ("first", "count")  # what shards differ in
_SLAB = 64 << 20  # bytes of paths in memory at once


@dataclass(frozen=True)
class Shard:
    """A result file that is a part of another; `needed`: the files that it reads full paths from itself; `lesions`: the
    rows of its table of lesions.
    """

    path: Path
    schema: Schema
    needed: tuple[Part, ...]
    lesions: int

    @property
    def stop(self) -> int:
        return self.schema.first + self.schema.count

    @property
    def sha256(self) -> str:
        """Hash of its content as noted when it was written."""
        return str(self.schema.provenance.get("content_sha256", ""))

    def sources(self, folder: Path) -> Iterator[Part]:
        """The files that its full paths are in, as seen from a folder: itself, or its own shards."""
        if not self.needed:
            yield Part(_seen(self.path, folder), self.schema.first, self.schema.count, self.sha256)
        for part in parts_of(self.schema.provenance) if self.needed else ():
            yield replace(part, file=_seen(self.path.parent / part.file, folder))


def merge(
    target: str | os.PathLike[str],
    shards: Sequence[str | os.PathLike[str]],
    overwrite: bool = False,
    copy: bool = False,
) -> Schema:
    """One result file from all shards of a study, given in any order; the schema of what was made.

    Full paths stay where they are, and the result finds them relative to its own folder; with `copy` they are copied.
    Raises CtcError, all at once: exit 7 (R515) for shards of different studies, models or seeds, gaps, overlaps;
    exit 6 for a shard that is damaged (R505), or a target that is there (R502).
    """
    parts = sorted((_open(Path(path)) for path in shards), key=lambda part: part.schema.first)
    _check(parts)
    out = Path(target)
    check_target(out, overwrite)
    _check_content(parts, out)
    whole = replace(parts[0].schema, first=0, count=parts[0].schema.total)
    whole = replace(whole, provenance={k: v for k, v in whole.provenance.items() if k not in (ENTRY, "shard")})
    sources = [source for part in parts for source in part.sources(out.parent)]
    virtual = {} if copy else layouts(whole, sources)
    tree, counts, row = Tree(-(-whole.count // LEAF)), None, 0
    with Store.open(out, whole, overwrite, virtual=virtual, lesions=sum(part.lesions for part in parts)) as store:
        for part in parts:
            for piece in _pieces(part, whole, not virtual):
                store.append(piece)
            for start, columns in _lesions(part):
                store.append_lesions(row + start, columns)
            row += part.lesions
            counts = _add_summary(part.path, tree, counts)
        sketch = None if counts is None or whole.bin_edges is None else Sketch(counts, whole.bin_edges)
        end = datetime.now(UTC).isoformat(timespec="seconds")
        store.finish(tree.root(), sketch, {"end": end, ENTRY: written(sources)})
    return whole


def ranges(numbers: Sequence[int]) -> str:
    """Rising numbers as SLURM's --array takes them.

    >>> ranges([1, 2, 3, 5, 8, 9])
    '1-3,5,8-9'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _seen(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _open(path: Path) -> Shard:
    arrays = FileArrays(path)
    try:
        schema = arrays.schema()
        return Shard(path, schema, tuple(arrays.shards()), arrays.lesions(schema).rows if schema.lesions else 0)
    finally:
        arrays.close()


def _check(parts: Sequence[Shard]) -> None:
    told: list[Problem] = []
    if not parts:
        raise CtcError(Problem("R515", "no shards were given"), Exit.USAGE)
    lead, expected = parts[0], 0
    same = {name: value for name, value in identity(lead.schema).items() if name not in _OWN}
    gaps = []
    for part in parts:
        mine = {name: value for name, value in identity(part.schema).items() if name not in _OWN}
        told += [Problem("R515", f"{part.path} and {lead.path}: {line}") for line in differences(same, mine)]
        if part.schema.first > expected:
            gaps.append((expected, part.schema.first))
        elif part.schema.first < expected:
            what = f"{part.path} holds trajectories {part.schema.first} to {min(expected, part.stop) - 1} again"
            told.append(Problem("R515", what, fix="give each shard once"))
        expected = max(expected, part.stop)
    total = lead.schema.total
    gaps += [(expected, total)] if expected < total else []
    for start, stop in gaps:
        what = f"trajectories {start} to {stop - 1} of {total} are in no shard that was given"
        fix = _again(parts) if (start, stop) == gaps[-1] else ""  # one command for all gaps
        told.append(Problem("R515", what, fix=fix))
    if told:
        raise CtcError(told, Exit.NO)


def _again(parts: Sequence[Shard]) -> str:
    """The command that makes the shards that were not given."""
    lead = parts[0]
    numbers = [str(part.schema.provenance.get("shard", "")).partition("/") for part in parts]
    many = {n for _, _, n in numbers}
    # as it was given, without the file and the shard that it was given for
    command = re.sub(r"\s(--shard|-o|--output)[ =]\S+", "", str(lead.schema.provenance.get("command", "")))
    found = re.search(r"\S+\.toml.*", command)
    study = found[0] if found else "STUDY.toml"
    if len(many) != 1 or not min(many):
        return f"run the missing shard (ctcdyn run {study} --shard i/N), or give its file too"
    n = int(min(many))
    missing = sorted(set(range(1, n + 1)) - {int(i) for i, *_ in numbers})
    if (lead.path.parent / "submit.sh").is_file():
        return f"cd {shlex.quote(str(lead.path.parent))} && bash submit.sh {ranges(missing)}"
    if len(missing) == 1:
        return f"ctcdyn run {study} --shard {missing[0]}/{n}, or give its file too"
    listed = " ".join(map(str, missing))
    return f"for i in {listed}; do ctcdyn run {study} --shard $i/{n}; done, or give their files too"


def _check_content(parts: Sequence[Shard], target: Path) -> None:
    """The target is none of the shards, and each of these is what was written: a result says so of itself for good."""
    told = []
    for part in parts:
        files = [part.path, *(part.path.parent / needed.file for needed in part.needed)]
        told += [
            Problem("R515", f"{target} is the shard {file} itself", fix="give the result another name")
            for file in files
            if target.exists() and file.exists() and target.samefile(file)
        ]
    if told:
        raise CtcError(told, Exit.NO)
    for part in parts:
        try:
            verify(part.path)
        except CtcError as error:
            told += error.problems
    if told:
        raise CtcError(told, Exit.OUTPUT)


def _pieces(part: Shard, whole: Schema, with_paths: bool) -> Iterator[Packed]:
    """The rows of a shard in order, block by block, its paths as the chunks that it stores where that is possible."""
    arrays, schema, coder = FileArrays(part.path), part.schema, PathCoder(whole)
    rows = [name for name in ROW_NAMES if name in arrays]
    width = len(schema.times) * (len(schema.species) + len(schema.observables)) * 8
    with_paths = with_paths and schema.kept > 0
    step = min(BLOCK, max(1, _SLAB // max(1, width * LEAF)) * LEAF) if with_paths else BLOCK
    try:
        for start in range(0, schema.count, step):
            stop = min(start + step, schema.count)
            last = min(stop, schema.kept) if with_paths else start
            kept = np.arange(schema.first + start, schema.first + max(start, last), dtype=np.int64)
            columns: dict[str, Array] = {name: arrays.rows(name, start, stop) for name in rows}
            columns |= coder.placeholders(len(kept))
            chunks = _chunks(arrays, whole, schema.first, start, start + len(kept))
            if len(kept) and not chunks:
                columns |= {name: arrays.rows(name, start, start + len(kept)) for name in coder.names}
            yield Packed(Piece(schema.first + start, columns, kept), chunks)
    finally:
        arrays.close()


def _lesions(part: Shard) -> Iterator[tuple[int, dict[str, Array]]]:
    """The table of lesions of a shard, block by block: its first row, and columns."""
    arrays = FileArrays(part.path)
    try:
        for start in range(0, part.lesions, BLOCK):
            yield start, arrays.lesions(part.schema).given(start, start + BLOCK)
    finally:
        arrays.close()


def _chunks(arrays: FileArrays, whole: Schema, first: int, start: int, stop: int) -> dict[Key, bytes]:
    """Rows of paths as a shard stores them, by their place in the whole; none where the whole has other chunks."""
    found: dict[Key, bytes] = {}
    sizes = whole.sizes
    for name, variable in whole.variables().items() if start < stop else ():
        if name in PATH_NAMES:
            shape = chunk_shape(variable, tuple(sizes[axis] for axis in variable.axes))
            if arrays.chunk_shape(name) != shape:
                return {}
            for row in range(start, stop, shape[0]):
                for time in range(0, sizes["time"], shape[1]):
                    found[name, first + row, time] = arrays.chunk(name, row, time)
    return found


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
