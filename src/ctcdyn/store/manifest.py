"""What is committed: one line for each segment, appended and synced, each with its checksum.

A line is `crc32 json`. The first says what the run is, and so does one more, since all would be lost with it; the
others name a segment file with the hash and size of its two parts and the runs of trajectories in it. One that was made
of others names these too, in two copies of its line, and they no longer count. A torn last line was never committed and
is cut off; any other line that does not match its checksum is damage, and what it named is computed again.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctcdyn.errors import CtcError, Exit, Problem

NAME = "manifest.jsonl"
_COPIES = 2  # of a line with which more than one segment would be lost


@dataclass(frozen=True)
class Entry:
    """One committed segment: `runs` are (first id, count) of neighbouring trajectories.

    `lesions`: the rows that each run has in the table of lesions, where it is stored. `failed`: (status, how many) of
    trajectories without an answer.
    The file is `body` bytes of rows and paths, then `tail` bytes of sums, each with its hash.
    """

    name: str
    body: int
    body_hash: str
    tail: int
    tail_hash: str
    runs: tuple[tuple[int, int], ...]
    lesions: tuple[int, ...] = ()
    failed: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        return self.body + self.tail

    @property
    def rows(self) -> int:
        return sum(count for _, count in self.runs)


@dataclass
class Manifest:
    """The manifest of a folder of segments, read whole.

    `damaged`: numbers of lines that cannot be believed; `replaced`: names of segments that no longer count, and may
    still be there.
    """

    path: Path
    header: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)

    @classmethod
    def create(cls, folder: Path, header: dict[str, Any], entries: Sequence[Entry] = ()) -> Manifest:
        """Begin one in place of any other, durable when this returns."""
        manifest = cls(folder / NAME, header, list(entries))
        draft = manifest.path.with_suffix(".tmp")
        with draft.open("wb") as file:
            file.write(b"\n".join([_line(header)] * _COPIES))  # an empty line: no flipped bit can join them
            file.writelines(map(_line_of, entries))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(manifest.path)
        sync_folder(folder)
        return manifest

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises CtcError (R511) where there is none, or nothing says what the run is."""
        path = folder / NAME
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            what = f"{path} cannot be read: {os.strerror(error.errno or 0)}"
            raise CtcError(Problem("R511", what), Exit.OUTPUT) from None
        headers: list[dict[str, Any]] = []
        entries: list[Entry] = []
        damaged: list[int] = []
        replaced: set[str] = set()
        for number, line in enumerate(lines[:-1], 1):  # what has no end of line was not committed
            found = _parse(line)
            entry = _entry(found)
            if entry is not None:
                assert found is not None
                here = {str(name) for name in found.get("replaces", ())}
                replaced |= here
                entries = [other for other in entries if other.name not in here and other != entry]
                entries.append(entry)
            elif found is not None and "identity" in found:
                headers.append(found)
            elif line:
                damaged.append(number)
        if not headers:
            fix = f"what the run was cannot be known: remove {folder} and begin again"
            raise CtcError(Problem("R511", f"{path} is damaged in its first lines", fix=fix), Exit.OUTPUT)
        if len(headers) < _COPIES and not damaged:
            damaged.append(_COPIES)
        return cls(path, headers[0], entries, damaged, replaced)

    def append(self, entry: Entry, replaces: Sequence[Entry] = ()) -> None:
        """Commit a segment whose file is durable already, and which holds all that is in those it `replaces`."""
        copies = [_line_of(entry, [other.name for other in replaces])] * (_COPIES if replaces else 1)
        line = b"\n".join(copies)
        handle = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            end = self._cut(handle)
            done = 0
            while done < len(line):
                done += os.pwrite(handle, line[done:], end + done)
            os.fsync(handle)
        finally:
            os.close(handle)
        self.entries = [*(other for other in self.entries if other not in replaces), entry]

    def rewrite(self, entries: list[Entry]) -> None:
        """Replace the list of segments at once, as after damage."""
        self.entries, self.damaged = Manifest.create(self.path.parent, self.header, entries).entries, []

    def _cut(self, handle: int) -> int:
        """Where the next line goes: behind the last whole one."""
        size = os.fstat(handle).st_size
        end = size
        while end and os.pread(handle, 1, end - 1) != b"\n":
            end -= 1
        if end < size:
            os.ftruncate(handle, end)
        return end


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where the file system can."""
    import errno

    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(handle)


def _line(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    return b"%08x " % zlib.crc32(text) + text + b"\n"


def _line_of(entry: Entry, replaces: Sequence[str] = ()) -> bytes:
    runs = [list(run) for run in entry.runs]
    found = {"body": [entry.body, entry.body_hash], "tail": [entry.tail, entry.tail_hash], "runs": runs}
    found |= {"lesions": list(entry.lesions)} if entry.lesions else {}
    found |= {"failed": [list(pair) for pair in entry.failed]} if entry.failed else {}
    return _line({"segment": entry.name} | found | ({"replaces": list(replaces)} if replaces else {}))


def _parse(line: bytes) -> dict[str, Any] | None:
    check, _, text = line.partition(b" ")
    try:
        if int(check, 16) != zlib.crc32(text) or len(check) != 8:
            return None
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _entry(found: dict[str, Any] | None) -> Entry | None:
    try:
        assert found is not None
        runs = tuple((int(first), int(count)) for first, count in found["runs"])
        (body, body_hash), (tail, tail_hash) = found["body"], found["tail"]
        lesions = tuple(map(int, found.get("lesions", ())))
        failed = tuple((int(status), int(many)) for status, many in found.get("failed", ()))
        name, hashes = str(found["segment"]), (str(body_hash), str(tail_hash))
        return Entry(name, int(body), hashes[0], int(tail), hashes[1], runs, lesions, failed)
    except (AssertionError, KeyError, TypeError, ValueError):
        return None
