"""The file under construction: exclusive, beside its final name, and safe when the disk fills up.

HDF5 ends in a segmentation fault when the disk is full: the failed write comes back when the library cleans
up (reliability.md section 0). Here HDF5 writes through a Python file object that never reports an error to
it: the first one is kept, what could not be written stays in memory, and the store raises the error after
the append, when HDF5 is at rest and can be closed. A side effect is that HDF5 takes no file locks, which
network file systems lack.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.store.manifest import sync_folder

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _Readable(io.RawIOBase):
    """Bytes with a beginning, an end and a place to read from: what HDF5 wants of a file."""

    _size = 0
    _position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = (
            offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        )
        return self._position


class Window(_Readable):
    """A part of memory that HDF5 reads as a file, without a copy of it."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._size = data, len(data)

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._data[self._position : self._position + len(view)]
        if len(data) < len(view):
            raise OSError(errno.EIO, "the file ends too early")
        view[:] = data
        self._position += len(view)
        return len(view)


class PlainFile(_Readable):
    """A file that HDF5 reads through Python: no locks, so that xarray may have it open at the same time."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = os.fstat(self._handle).st_size

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            data = os.pread(self._handle, len(view) - done, self._position + done)
            if not data:
                raise OSError(errno.EIO, "the file ends too early")
            view[done : done + len(data)] = data
            done += len(data)
        self._position += done
        return done

    def close(self) -> None:
        if not self.closed:
            os.close(self._handle)
        super().close()


class DraftFile(io.RawIOBase):
    """A new file `NAME.xxxxxxxx.part` that becomes `NAME` by `publish`, or disappears by `discard`."""

    def __init__(self, path: Path, overwrite: bool, folder: Path | None = None) -> None:
        self.path, self.overwrite = path, overwrite
        self.error: OSError | None = None
        # where and what since the first error: at most one append and the closing
        self._unwritten: list[tuple[int, bytes]] = []
        self._position = 0
        self._size = 0
        check_target(path, overwrite)
        self.draft = (folder or path.parent) / f"{path.name}.{secrets.token_hex(4)}.part"
        try:
            self._handle = os.open(self.draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise failure(error, path) from None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        with contextlib.suppress(OSError):
            data = os.pread(self._handle, len(view), self._position)
            view[: len(data)] = data
        for start, data in self._unwritten:
            low, high = max(start, self._position), min(start + len(data), self._position + len(view))
            if low < high:
                view[low - self._position : high - self._position] = data[low - start : high - start]
        self._position += len(view)
        return len(view)

    def write(self, data: ReadableBuffer) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.error is None:
            try:
                done += os.pwrite(self._handle, view[done:], self._position + done)
            except OSError as error:
                self.error = error
        if done < len(view):
            self._unwritten.append((self._position + done, bytes(view[done:])))
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self._handle, self._size)
            except OSError as error:
                self.error = error
        return self._size

    def check(self) -> None:
        """Raise the first error that HDF5 was not told of."""
        if self.error is not None:
            raise failure(self.error, self.path, self._size)

    def publish(self) -> None:
        """Make the file durable and give it its name. Without `overwrite` an existing file is never
        replaced.
        """
        self.check()
        try:
            os.fsync(self._handle)
            os.close(self._handle)
            self._handle = -1
            if self.overwrite:
                self.draft.replace(self.path)
            else:
                _rename_to_new(self.draft, self.path)
            sync_folder(self.path.parent)
        except FileExistsError:
            what = f"{self.path} appeared while this run was computing; the result is in {self.draft}"
            raise CtcError(Problem("R502", what, fix=f"mv {self.draft} OTHER_NAME"), Exit.OUTPUT) from None
        except OSError as error:
            self.discard()
            raise failure(error, self.path, self._size) from None

    def discard(self) -> None:
        """Remove the draft."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        with contextlib.suppress(OSError):
            self.draft.unlink()


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse a path that cannot become a result file (exit code 6), before anything is computed."""
    try:
        parent_is_there, is_directory, exists = path.parent.is_dir(), path.is_dir(), os.path.lexists(path)
    except OSError as error:
        raise failure(error, path) from None
    if not parent_is_there:
        what = f"{path} cannot be written: {path.parent} is not a directory"
        raise CtcError(Problem("R503", what, fix=f"mkdir -p {path.parent}"), Exit.OUTPUT)
    if is_directory:
        raise CtcError(Problem("R503", f"{path} is a directory", fix="name a file with -o"), Exit.OUTPUT)
    if exists and not overwrite:
        fix = "name another file with -o, or replace it with --overwrite"
        raise CtcError(Problem("R502", f"{path} exists", fix=fix), Exit.OUTPUT)


def _rename_to_new(draft: Path, path: Path) -> None:
    """Rename that fails when `path` exists: a hard link is atomic; without hard links check first."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        draft.replace(path)
    else:
        draft.unlink()


def failure(error: OSError, path: Path, size: int = 0) -> CtcError:
    """What an error of the operating system means for a result: a full disk is exit 5, all else exit 6."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        what = f"{path} cannot be written: {reason} (after {size / 1e6:.1f} MB)"
        fix = "free some space, or write less: --keep none stores no full paths"
        return CtcError(Problem("R507", what, fix=fix), Exit.RESOURCES)
    return CtcError(
        Problem("R503", f"{path} cannot be written: {reason}", fix="name another file with -o"), Exit.OUTPUT
    )
