"""What is provably there: a result whose every chunk can be read, or an unfinished run, segment by segment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from ctcdyn.errors import CtcError, Exit, Problem, Status
from ctcdyn.store.content import hash_of, rest_of
from ctcdyn.store.identity import from_json
from ctcdyn.store.journal import SUFFIX, folder_of, segments_in
from ctcdyn.store.manifest import Manifest
from ctcdyn.store.reader import FileArrays, ResultFile, damage_reported
from ctcdyn.store.segments import parse_body, read_checked

_LOOKS = 5  # at a run that goes on, which makes one segment of some about once a minute


@dataclass(frozen=True)
class Unfinished:
    """An unfinished run: trajectories that are committed, of how many, what is damaged; how many failed, by status."""

    folder: Path
    rows: int
    count: int
    segments: int
    size: int
    damaged: tuple[str, ...]
    header: dict[str, object]
    failed: dict[int, int] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return not self.damaged


@dataclass(frozen=True)
class Whole:
    """A finished result that was read from end to end."""

    path: Path
    count: int
    hash: str


def unfinished(path: str | os.PathLike[str], check: bool = True) -> Unfinished | None:
    """The unfinished run into `path` (or in that folder), None where there is none; `check`: every segment's sha256."""
    given = Path(path)
    folder = given if given.suffix == SUFFIX else folder_of(given)
    if not folder.is_dir():
        return None
    for _ in range(_LOOKS):
        there = segments_in(folder)
        manifest = Manifest.read(folder)
        bad = [f"manifest line {number}" for number in manifest.damaged]
        # one may be there without its line, where a process is about to write it or was killed before
        if not bad and len(there - manifest.replaced - {entry.name for entry in manifest.entries}) > 1:
            bad = [f"the end of {manifest.path.name}"]
        if check:
            bad += [entry.name for entry in manifest.entries if read_checked(folder, entry) is None]
        if not bad or Manifest.read(folder).entries == manifest.entries:
            break  # else a run that goes on has made one segment of some meanwhile
    good = [entry for entry in manifest.entries if entry.name not in bad]
    identity = manifest.header["identity"]
    size = sum(entry.size for entry in good)
    rows = sum(entry.rows for entry in good)
    failed: dict[int, int] = {}
    for status, many in (pair for entry in good for pair in entry.failed):
        failed[status] = failed.get(status, 0) + many
    return Unfinished(folder, rows, int(identity["count"]), len(good), size, tuple(bad), manifest.header, failed)


def failed_rows(found: Unfinished, limit: int) -> Iterator[tuple[int, int, int, list[float]]]:
    """(id, status, steps, parameters) of the first `limit` trajectories that failed, in order of id, from the segments
    that hold some; one that is damaged is passed over."""
    schema = from_json(cast(dict[str, Any], found.header["schema"]))
    rows = []
    for entry in Manifest.read(found.folder).entries:
        data = read_checked(found.folder, entry) if entry.failed else None
        for packed in parse_body(schema, memoryview(data)[: entry.body]) if data is not None else ():
            piece: Any = packed.result
            bad = np.isin(piece.status, [int(s) for s in Status if not s.ok])
            for row in np.flatnonzero(bad)[:limit].tolist():
                values = piece.params[row].tolist() if "params" in piece.columns else []
                rows.append((piece.first + row, int(piece.status[row]), int(piece.n_steps[row]), values))
    yield from sorted(rows)[:limit]


def verify(path: str | os.PathLike[str]) -> Whole | Unfinished:
    """Read all that is there. Raises CtcError (exit 6) for a result that is damaged or not there."""
    given = Path(path)
    if given.is_file():
        with damage_reported(given), ResultFile(given) as file:
            digest, rest = hash_of(file, given.parent), rest_of(file)
        arrays = FileArrays(given)
        try:
            schema = arrays.schema()
            noted = schema.provenance.get("content_sha256")
            missing = int((arrays["status"] == 255).sum())
        finally:
            arrays.close()
        if noted is not None and noted != digest:
            what = f"{given} is damaged: its content is not what was written (sha256 {digest}, not {noted})"
            raise CtcError(Problem("R505", what, fix="make it again from the study"), Exit.OUTPUT)
        if schema.provenance.get("rest_sha256", rest) != rest:
            what = f"{given} is damaged: its content is what was written, but not how it was made or the state of its "
            what += "summaries, which `merge` reads"
            raise CtcError(Problem("R505", what, fix="make it again from the study"), Exit.OUTPUT)
        if missing:
            what = f"{given} is whole, but {missing} of its trajectories were never run"
            raise CtcError(Problem("R505", what), Exit.OUTPUT)
        return Whole(given, schema.count, digest)
    found = unfinished(given)
    if found is None:
        raise CtcError(Problem("R504", f"{given} does not exist, and no unfinished run into it"), Exit.OUTPUT)
    return found
