"""Finished trajectories on disk before the run is over: segments, each durable before it counts.

While a run into `NAME.h5` is not finished there is a folder `NAME.h5.parts` beside it, with a lock, a manifest and the
segments. A segment counts when its file is synced and has its name, its folder is synced, and the manifest names it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ctcdyn import slabs
from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.reduction import Tree
from ctcdyn.store import compaction, ending, lesions
from ctcdyn.store.disk import check_target, failure
from ctcdyn.store.files import write_durably
from ctcdyn.store.identity import as_json, differences, identity
from ctcdyn.store.layout import LEAF, Schema
from ctcdyn.store.lock import GUARD, Lock
from ctcdyn.store.lock import NAME as LOCK
from ctcdyn.store.manifest import NAME as MANIFEST
from ctcdyn.store.manifest import Entry, Manifest
from ctcdyn.store.paths import Packed
from ctcdyn.store.reader import FileArrays
from ctcdyn.store.segments import body, failures, read_checked, tail

SUFFIX = ".parts"
SECONDS = 1.0  # between commits: what a kill may cost of finished leaves
BYTES = 96 << 20  # of rows and paths in one segment
ROWS = 4 << 20  # of rows alone: a quick small model makes 35 MB of them in a second, and memory is to stay flat
_NAME = re.compile(r"\d{6,}\.h5(\.tmp)?")


def folder_of(path: str | os.PathLike[str]) -> Path:
    """Where the segments of an unfinished result are."""
    return Path(os.fspath(path) + SUFFIX)


class Journal:
    """The segments of one run that this process writes; `add` and `commit` are for one thread."""

    def __init__(self, path: Path, lock: Lock, manifest: Manifest, schema: Schema) -> None:
        self.path, self.folder, self.schema = path, manifest.path.parent, schema
        self.manifest = manifest
        self._lock = lock
        self._waiting: list[Packed] = []
        self._bytes = self._rows = 0
        self._last = time.monotonic()
        numbers = [int(name.partition(".")[0]) for name in segments_in(self.folder)]
        self._next = max(numbers, default=0) + 1
        self.signal = ""  # that asked the run to stop

    @property
    def rows(self) -> int:
        """Trajectories that are committed."""
        return sum(entry.rows for entry in self.manifest.entries)

    def missing(self) -> NDArray[np.int64]:
        """Numbers of the leaves of this result that are not committed, rising."""
        found = np.zeros(-(-self.schema.count // LEAF), dtype=np.bool_)
        for entry in self.manifest.entries:
            for first, count in entry.runs:
                start = (first - self.schema.first) // LEAF
                found[start : start + -(-count // LEAF)] = True
        return np.flatnonzero(~found) + self.schema.first // LEAF

    def add(self, packed: Packed) -> None:
        """Take finished leaves; they are committed with others about once a second."""
        self._waiting.append(packed)
        self._bytes += packed.size
        self._rows += packed.rows
        if self._bytes > BYTES or self._rows > ROWS or time.monotonic() - self._last > SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make durable what was added. A full disk is a CtcError, exit 5; what was committed stays."""
        if self._waiting:
            name = f"{self._next:06d}.h5"
            self._next += 1
            self._waiting.sort(key=lambda packed: packed.result.first)
            results: list[Any] = [packed.result for packed in self._waiting]
            runs = tuple((result.first, len(result.status)) for result in results)
            sketches = [result.sketch for result in results if result.sketch is not None]
            tree = Tree(-(-self.schema.total // LEAF))
            tree.add_all(node for result in results for node in result.nodes)
            sums = tail(tree.waiting(), sketches)
            try:
                rows, rest = write_durably(self.folder / name, (body(self.schema, self._waiting), [sums]))
                founded = lesions.counts(self.schema, self._waiting)
                parts = rows.size, rows.hash, rest.size, rest.hash
                self.manifest.append(Entry(name, *parts, runs, founded, failures(self._waiting)))
            except OSError as error:
                raise failure(error, self.folder, self._bytes) from None
            for packed in self._waiting:
                packed.release()
            self._waiting, self._bytes, self._rows = [], 0, 0
            self._compact()
        self._last = time.monotonic()

    def _compact(self) -> None:
        """Make one of many small segments. A crash leaves what counted before, or the one; the rest is cleared."""
        small = compaction.candidates(self.manifest.entries)
        if len(small) < 2:
            return
        name = f"{self._next:06d}.h5"
        self._next += 1
        try:
            one = compaction.merge_segments(self.folder, name, self.schema, small)
            if one is not None:  # else it is damaged: this is told when the result is made
                self.manifest.append(one, replaces=small)
                for entry in small:
                    (self.folder / entry.name).unlink(missing_ok=True)
        except OSError as error:
            raise failure(error, self.folder, sum(entry.size for entry in small)) from None

    def remove(self) -> None:
        """The result has its name: the segments are no longer needed."""
        _empty(self.folder)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            with contextlib.suppress(CtcError):
                self.commit()
        if not self.manifest.entries:  # nothing to go on from
            _empty(self.folder)
        elif kind is not None:
            ending.put_down(self.folder, error, self.signal)
        self._lock.release()
        slabs.drop()


def claim(path: str | os.PathLike[str], overwrite: bool = False) -> Lock:
    """The right to write a result at `path`, before anything is computed. CtcError (exit 6): R502, R503, R510."""
    target, folder = Path(path), folder_of(path)
    for attempt in range(3):
        check_target(target, overwrite)
        try:
            folder.mkdir(exist_ok=True)
            return Lock(folder)
        except FileNotFoundError as error:  # another run has just ended and removed its folder
            if attempt == 2:
                raise failure(error, target) from None
        except OSError as error:
            raise failure(error, target) from None
    raise AssertionError


def is_finished(path: str | os.PathLike[str], schema: Schema, lock: Lock) -> bool:
    """Whether the result of this very run is there already; segments that were left over are removed then.

    Raises CtcError (exit 6, R513) where there is a result of another run, and no unfinished one that is to replace it.
    """
    if not Path(path).exists():
        return False
    folder, mine = folder_of(path), _plain(identity(schema))
    try:
        arrays = FileArrays(path)
        try:
            told = differences(_plain(identity(arrays.schema())), mine)
        finally:
            arrays.close()
        if told and (folder / MANIFEST).exists() and Manifest.read(folder).header["identity"] == mine:
            return False
        if told:
            raise CtcError([Problem("R513", f"{path} is of another run: {line}") for line in told], Exit.OUTPUT)
        _empty(folder)
    except BaseException:
        lock.release()
        raise
    lock.release()
    return True


def seed_of(path: str | os.PathLike[str]) -> int | None:
    """The seed of the run into `path`, an unfinished one first; None where there is none."""
    if (folder_of(path) / MANIFEST).exists():
        return int(Manifest.read(folder_of(path)).header["identity"]["seed"])
    if not Path(path).exists():
        return None
    arrays = FileArrays(path)
    try:
        return int(arrays.provenance()["seed"])
    finally:
        arrays.close()


def _plain(found: dict[str, Any]) -> Any:
    return json.loads(json.dumps(found))


def begin(
    path: str | os.PathLike[str], schema: Schema, lock: Lock, *, overwrite: bool = False, resume: bool = False
) -> Journal:
    """The journal of a run into `path`, which `lock` gives the right to: a new one, or with `resume` the one there.

    Raises CtcError (exit 6): R502 where the result exists; R512 where an unfinished run lies there and neither `resume`
    nor `overwrite` says what to do with it; R513 where that run was of another model, study, seed or version.
    """
    try:
        check_target(Path(path), overwrite)
        manifest = _manifest(Path(path), schema, overwrite, resume)
    except OSError as error:
        lock.release()
        raise failure(error, folder_of(path)) from None
    except BaseException:
        lock.release()
        raise
    ending.forget(manifest.path.parent)
    return Journal(Path(path), lock, manifest, schema)


def _manifest(path: Path, schema: Schema, overwrite: bool, resume: bool) -> Manifest:
    folder = folder_of(path)
    there = (folder / MANIFEST).exists()
    if there and not resume and not overwrite and segments_in(folder):
        what = f"{folder} holds an unfinished run into {path}"
        fix = "go on with --resume, or begin again with --overwrite"
        raise CtcError(Problem("R512", what, fix=fix), Exit.OUTPUT)
    if not (there and resume):
        _clear(folder, frozenset())
        return Manifest.create(folder, {"identity": identity(schema), "schema": as_json(schema)})
    manifest = Manifest.read(folder)
    told = differences(manifest.header["identity"], _plain(identity(schema)))
    if told:
        raise CtcError([Problem("R513", f"{folder} cannot be resumed: {line}") for line in told], Exit.OUTPUT)
    _repair(folder, manifest)
    return manifest


def _repair(folder: Path, manifest: Manifest) -> None:
    """Set aside what is damaged, so that it is computed again; remove what was never committed."""
    good = [entry for entry in manifest.entries if read_checked(folder, entry) is not None]
    for entry in manifest.entries:
        if entry not in good:
            with contextlib.suppress(OSError):
                (folder / entry.name).rename(folder / f"{entry.name}.damaged")
    if len(good) < len(manifest.entries) or manifest.damaged:
        manifest.rewrite(good)
    _clear(folder, frozenset(entry.name for entry in good))


def segments_in(folder: Path) -> set[str]:
    """Names of segments in a folder, whole or begun, committed or not."""
    return {found.name for found in folder.iterdir() if _NAME.fullmatch(found.name)}


def _empty(folder: Path) -> None:
    """Remove what a run has put into its folder except the lock, the manifest last; what cannot be removed stays."""
    for found in sorted(folder.glob("*"), key=lambda path: path.name == MANIFEST):
        if found.name not in (LOCK, GUARD):
            with contextlib.suppress(OSError):
                found.unlink()


def _clear(folder: Path, known: frozenset[str]) -> None:
    """Remove what was begun and never committed."""
    for found in sorted(folder.iterdir()):
        orphan = _NAME.fullmatch(found.name) and found.name not in known
        if orphan or found.suffix in (".part", ".tmp"):
            found.unlink()
