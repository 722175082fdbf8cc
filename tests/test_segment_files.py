"""How a segment reaches the disk: single precision in one pass, past the page cache or through it, the same bytes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from ctcdyn import slabs
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.store.files import hash_of, positions, size_of, view_of, write_durably
from synthetic import seeded


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return seeded(request.node.nodeid)


@pytest.mark.parametrize("saves", [1, 7, 8, 9, 30])
@pytest.mark.parametrize("shown, read", [(1, 0), (5, 1), (8, 3), (9, 0), (12, 9)])
def test_single_precision_is_what_numpy_makes_of_it(
    rng: np.random.Generator, saves: int, shown: int, read: int
) -> None:
    rows = rng.normal(size=(5, saves * (shown + read))) * 10.0 ** rng.integers(-50, 50, (5, saves * (shown + read)))
    rows[0, 0], rows[1, -1], rows[2, 0] = np.nan, 1e300, -0.0
    state, observables = np.empty((5, saves, shown), np.float32), np.empty((5, saves, read), np.float32)
    leaf_functions().narrow(rows, state, observables)
    with np.errstate(over="ignore"):
        table = rows.reshape(5, saves, shown + read).astype(np.float32)
    assert state.tobytes() == np.ascontiguousarray(table[:, :, :shown]).tobytes()
    assert observables.tobytes() == np.ascontiguousarray(table[:, :, shown:]).tobytes()


def pieces(rng: np.random.Generator) -> list[bytes | np.ndarray]:
    """Small and large ones, in pages of their own and anyhow."""
    slab = slabs.take(300_000)
    slab[:] = rng.integers(0, 256, len(slab), dtype=np.uint8)
    return [rng.bytes(5000), slab[:200_001], rng.bytes(3), slab[4096:180_000], rng.bytes(3 << 20), slab[5:100_000]]


def expected(parts: list[bytes | np.ndarray]) -> bytes:
    starts, end = positions(parts)
    whole = bytearray(slabs.whole_pages(end))
    for start, piece in zip(starts, parts):
        padded = slabs.pages_of(piece) if size_of(piece) >= 65536 else None
        data = bytes(view_of(piece if padded is None else padded))
        whole[start : start + len(data)] = data
    return bytes(whole)


@pytest.mark.parametrize("how", ["as it is", "no O_DIRECT", "refused later", "short"])
def test_a_file_holds_what_was_given_whatever_the_system_can(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    open_, write, calls = os.open, os.write, iter(range(10**6))
    direct = getattr(os, "O_DIRECT", 0)

    def opening(path: str | Path, flags: int, *rest: int, **more: int) -> int:
        if how == "no O_DIRECT" and flags & direct:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return open_(path, flags, *rest, **more)

    def writing(handle: int, data: memoryview) -> int:
        if how == "refused later" and next(calls) == 1:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return write(handle, data[: 1 + len(data) // 3] if how == "short" else data)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "write", writing)
    body, tail = pieces(rng), [rng.bytes(700)]
    told = write_durably(tmp_path / "a", (body, tail))
    monkeypatch.undo()
    data = (tmp_path / "a").read_bytes()
    assert data == expected(body) + tail[0].ljust(4096, b"\0")
    assert [part.size for part in told] == [len(data) - 4096, 4096]
    assert [part.hash for part in told] == [hash_of(data[:-4096]), hash_of(data[-4096:])]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_error_that_stays_leaves_nothing(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int, data: memoryview) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(OSError, match="Invalid"):
        write_durably(tmp_path / "a", (pieces(rng), [b"tail"]))
    assert list(tmp_path.iterdir()) == []


def test_a_slab_that_was_given_back_is_taken_again() -> None:
    slabs.drop()
    first = slabs.take(100_000)
    assert (len(first), first.ctypes.data % slabs.PAGE) == (slabs.whole_pages(100_000), 0)
    slabs.give(first)
    assert slabs.take(99_000) is first
    assert slabs.take(99_000) is not first
