"""Files that are whole under their name or not there: a temporary name, sync, rename, sync of the folder.

What begins and ends at a page of memory is written past the page cache where the system can (O_DIRECT): on Linux the
copy into the cache costs thirty times as much CPU as the transfer itself. All else goes through one small buffer.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from ctcdyn import slabs
from ctcdyn.store.manifest import sync_folder

Data = bytes | memoryview | np.ndarray[Any, Any]

_BUFFER = 1 << 20
_STRAIGHT = 64 << 10  # bytes from which a piece is written from where it is


def hash_of(data: Data) -> str:
    """xxh3 with 128 bits, 32 hexadecimal digits: it tells damage, ten times as fast as a hash that stops a forger."""
    return str(xxhash.xxh3_128_hexdigest(view_of(data)))


def view_of(data: Data) -> memoryview:
    return (data.data if isinstance(data, np.ndarray) else memoryview(data)).cast("B")


def size_of(data: Data) -> int:
    return data.nbytes if isinstance(data, np.ndarray | memoryview) else len(data)


def positions(pieces: Sequence[Data], start: int = 0) -> tuple[list[int], int]:
    """Where in a file each piece begins that is written after `start` bytes, and where the last one ends.

    What is written from where it is begins at a page, and takes whole pages.
    """
    found, at = [], start
    for piece in pieces:
        whole = _straight(piece)
        if whole is not None:
            at = slabs.whole_pages(at)
        found.append(at)
        at += size_of(piece) if whole is None else len(whole)
    return found, at


def _straight(piece: Data) -> slabs.Slab | None:
    return slabs.pages_of(piece) if size_of(piece) >= _STRAIGHT else None


@dataclass(frozen=True)
class Part:
    """A part of a file that was written: its bytes, and their hash."""

    size: int
    hash: str


def write_durably(path: Path, parts: Iterable[Iterable[Data]]) -> list[Part]:
    """A file that is whole under its name, or not there; each part ends at a page. OSError leaves nothing behind."""
    draft = path.with_name(f"{path.name}.tmp")
    told = []
    stream = _Stream(draft)
    try:
        try:
            for pieces in parts:
                for piece in pieces:
                    stream.put(piece)
                told.append(stream.end())
            os.fsync(stream.handle)
        finally:
            stream.close()
        draft.replace(path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return told


@dataclass
class _Stream:
    """A file that is written from its beginning to its end."""

    path: Path
    handle: int = -1
    direct: int = getattr(os, "O_DIRECT", 0)
    used: int = 0  # bytes that wait in the buffer
    size: int = 0  # of this part
    buffer: slabs.Slab = field(default_factory=lambda: slabs.take(_BUFFER))
    digest: Any = field(default_factory=xxhash.xxh3_128)

    def __post_init__(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            self.handle = os.open(self.path, flags | self.direct, 0o666)
        except OSError as error:
            if not self.direct or error.errno != errno.EINVAL:
                raise
            self.direct = 0  # a file system that has no such thing
            self.handle = os.open(self.path, flags, 0o666)

    def put(self, piece: Data) -> None:
        whole = _straight(piece)
        if whole is not None:
            self._flush()
            self._write(whole)
            return
        data = view_of(piece)
        done = 0
        while done < len(data):
            size = min(len(data) - done, len(self.buffer) - self.used)
            self.buffer[self.used : self.used + size] = np.frombuffer(data[done : done + size], np.uint8)
            done, self.used = done + size, self.used + size
            if self.used == len(self.buffer):
                self._flush()

    def end(self) -> Part:
        """Fill the last page of this part."""
        self._flush()
        part = Part(self.size, self.digest.hexdigest())
        self.size, self.digest = 0, xxhash.xxh3_128()
        return part

    def close(self) -> None:
        os.close(self.handle)
        slabs.give(self.buffer)

    def _flush(self) -> None:
        if self.used:
            size = slabs.whole_pages(self.used)
            self.buffer[self.used : size] = 0
            self.used = 0
            self._write(self.buffer[:size])

    def _write(self, data: slabs.Slab) -> None:
        """All of it; a short write leaves a place that only an ordinary write can go on from."""
        self.digest.update(data.data)
        self.size += len(data)
        view, done = data.data, 0
        while done < len(view):
            try:
                done += os.write(self.handle, view[done:])
            except OSError as error:
                if not self.direct or error.errno != errno.EINVAL:
                    raise
                self._use_cache()
                continue
            if done % slabs.PAGE and self.direct:
                self._use_cache()

    def _use_cache(self) -> None:
        import fcntl

        self.direct, plain = 0, fcntl.fcntl(self.handle, fcntl.F_GETFL) & ~self.direct
        fcntl.fcntl(self.handle, fcntl.F_SETFL, plain)
