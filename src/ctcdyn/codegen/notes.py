"""Texts that were worked out once and are read when they are wanted again: notes beside the cache of kernels.

Which solver a model takes, the text of its kernel and the hash of that are functions of texts alone; to work them out
is half a second of every start. A note is named after the hash of all that it is a function of, the program's own
sources and the versions of what it calls among them, holds a hash of its name and its text, so that none is taken for
another, and is used only where this user alone can write to it. A note that is missing, damaged or cannot be written
costs the work, nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MOST = 256  # notes that are kept: the oldest go first
_HASH = 64  # characters of a sha256
_BEGUN = time.time_ns()  # sources that changed later may not be what this process runs


def root() -> Path:
    """Where kernels and notes are kept: $CTCDYN_CACHE, or ctcdyn under the user's cache folder."""
    given = os.environ.get("CTCDYN_CACHE")
    if given:
        return Path(given)
    caches = os.environ.get("XDG_CACHE_HOME")
    if caches:
        return Path(caches) / "ctcdyn"
    try:
        return Path.home() / ".cache" / "ctcdyn"
    except RuntimeError:  # a user without a home, as containers have them
        return Path(tempfile.gettempdir()) / f"ctcdyn-{os.getuid()}"


def noted(make: Callable[[], str], *inputs: str | bytes) -> str:
    """What `make()` gives, from its note where there is one. `inputs`: all that it depends on but our own sources."""
    own = _own()
    if own is None:
        return make()
    sums = (hashlib.sha256(x.encode() if isinstance(x, str) else x).digest() for x in inputs)
    name = hashlib.sha256(b"".join([own.encode(), *sums])).hexdigest()
    file = root() / "notes" / name
    found = _read(file)
    if found is None:
        found = make()
        with contextlib.suppress(OSError):
            _write(file, found)
    return found


@functools.cache
def _own() -> str | None:
    """Hash of our own sources that write, link and choose, and the version of Python. None: they changed after this
    process began, as under an open notebook, and what it runs is not what a hash of the files would say."""
    package = Path(__file__).parents[1]
    files = [file for part in ("codegen", "kernels", "model", "solvers") for file in package.glob(f"{part}/**/*.py")]
    whole = hashlib.sha256(platform.python_version().encode())
    for file in sorted(files):
        if file.stat().st_ctime_ns > _BEGUN:
            return None
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def _read(file: Path) -> str | None:
    try:
        with file.open("rb") as stream:
            told = os.fstat(stream.fileno())
            if told.st_uid != os.getuid() or told.st_mode & 0o022 or not stat.S_ISREG(told.st_mode):
                return None
            data = stream.read()
    except OSError:
        return None
    return data[_HASH:].decode() if _sum(file, data[_HASH:]) == data[:_HASH] else None


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    there = sorted(file.parent.iterdir(), key=lambda old: old.lstat().st_mtime_ns)
    for old in there[: max(0, len(there) + 1 - MOST)]:
        old.unlink(missing_ok=True)
    handle, draft = tempfile.mkstemp(dir=file.parent)  # only this user can read or write it
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(_sum(file, text.encode()) + text.encode())
        Path(draft).replace(file)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise


def _sum(file: Path, data: bytes) -> bytes:
    return hashlib.sha256(file.name.encode() + data).hexdigest().encode()
