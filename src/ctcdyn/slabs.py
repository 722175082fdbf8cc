"""Memory that is used again and again: on Linux a page that the system has to find and zero costs more than its use.

Paths wait in slabs from the moment a leaf is finished until it is committed; a slab that was given back is taken by the
next leaf. Slabs begin at a page and are whole pages long, so that they can be written past the page cache.
"""

from __future__ import annotations

import contextlib
import mmap
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAGE = 4096

Slab = NDArray[np.uint8]

_free: dict[int, list[Slab]] = {}
_lock = threading.Lock()


def whole_pages(size: int) -> int:
    """`size` bytes, rounded up to pages."""
    return -(-size // PAGE) * PAGE


def take(size: int) -> Slab:
    """At least `size` bytes, shape (whole pages,); what is in them is not defined, but was written by this process."""
    size = whole_pages(size)
    with _lock:
        waiting = _free.get(size)
        if waiting:
            return waiting.pop()
    return aligned(size, PAGE)


def give(slab: Slab) -> None:
    """Nobody needs what is in a slab any more. It must have come from `take`, and comes back once."""
    with _lock:
        _free.setdefault(len(slab), []).append(slab)


def drop() -> None:
    """Let the system have what waits to be taken."""
    with _lock:
        _free.clear()


def aligned(size: int, boundary: int) -> Slab:
    """Zeros that begin at a multiple of `boundary`."""
    raw = np.zeros(size + boundary, np.uint8)
    start = -raw.__array_interface__["data"][0] % boundary
    return raw[start : start + size]


def hollow(size: int) -> Slab:
    """`size` bytes of which only the pages that are written to take memory: small ones, where the system has large."""
    held = mmap.mmap(-1, max(whole_pages(size), PAGE))
    with contextlib.suppress(AttributeError, OSError):  # a system without large pages, or that does not say
        held.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(held, np.uint8)[:size]


def pages_of(data: Any) -> Slab | None:
    """The whole pages that an array lies in, where it begins at one and its memory goes to the end of the last.

    None for all else: what is in no array, or lies anyhow.
    """
    if not isinstance(data, np.ndarray) or data.ctypes.data % PAGE or not data.flags.c_contiguous:
        return None
    owner: Any = data if data.base is None else data.base
    if not isinstance(owner, np.ndarray) or owner.dtype != np.uint8 or owner.ndim != 1:
        return None
    start = data.ctypes.data - owner.ctypes.data
    stop = start + whole_pages(data.nbytes)
    return owner[start:stop] if stop <= len(owner) else None
