"""Faults of disks and of users: what stands in the way of a result file, and what is left of it."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from ctcdyn.errors import CtcError, Exit
from ctcdyn.store import Store
from ctcdyn.store.content import content_hash
from synthetic import Cohort, schema, seeded


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return seeded(request.node.nodeid)


def codes(caught: pytest.ExceptionInfo[CtcError]) -> list[str]:
    return [problem.code for problem in caught.value.problems]


def test_existing_output_is_refused_or_replaced_at_the_end(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(), rng)
    path = tmp_path / "a.h5"
    path.write_bytes(b"precious")
    with pytest.raises(CtcError) as caught:
        Store.open(path, cohort.schema)
    assert (caught.value.exit, codes(caught)) == (Exit.OUTPUT, ["R502"])
    with pytest.raises(ZeroDivisionError), Store.open(path, cohort.schema, overwrite=True):
        raise ZeroDivisionError
    assert path.read_bytes() == b"precious"
    cohort.write(path, overwrite=True)
    assert len(content_hash(path)) == 64
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(), rng)
    path = tmp_path / "a.h5"
    with Store.open(path, cohort.schema) as store:
        store.append(cohort.cut(0, 1000))
        path.write_bytes(b"someone else's")
        with pytest.raises(CtcError) as caught:
            store.finish(cohort.root(), cohort.sketch())
    assert codes(caught) == ["R502"]
    assert path.read_bytes() == b"someone else's"
    (saved,) = tmp_path.glob("*.part")
    assert str(saved) in str(caught.value)
    assert len(content_hash(saved)) == 64


@pytest.mark.parametrize(
    "place, code",
    [("missing/a.h5", "R503"), (".", "R503"), ("file/a.h5", "R503"), ("x" * 300 + ".h5", "R503")],
)
def test_places_where_nothing_can_be_written(tmp_path: Path, place: str, code: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CtcError) as caught:
        Store.open(tmp_path / place, schema())
    assert (caught.value.exit, codes(caught)) == (Exit.OUTPUT, [code])


def test_a_read_only_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)  # permission bits do not stop a superuser, a file system does
    with pytest.raises(CtcError, match="Read-only file system") as caught:
        Store.open(tmp_path / "a.h5", schema())
    assert caught.value.exit is Exit.OUTPUT


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("after", [0, 1, 5, 20, 60])
def test_a_full_disk_is_reported_and_cleaned_up(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, reason: int, after: int
) -> None:
    cohort = Cohort(schema(count=3000, keep=3000), rng)
    write, calls = os.pwrite, iter(range(10**9))

    def fill_up(handle: int, data: memoryview, offset: int) -> int:
        if next(calls) >= after:
            raise OSError(reason, os.strerror(reason))
        return write(handle, data[: 1 + len(data) // 2], offset)  # short writes are no errors

    monkeypatch.setattr(os, "pwrite", fill_up)
    with pytest.raises(CtcError, match=r"cannot be written: .*\n.*free some space") as caught:
        cohort.write(tmp_path / "a.h5", [(k, k + 250) for k in range(0, 3000, 250)])
    assert (caught.value.exit, codes(caught)) == (Exit.RESOURCES, ["R507"])
    assert list(tmp_path.iterdir()) == []


def test_short_writes_are_continued(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = Cohort(schema(), rng)
    whole = content_hash(cohort.write(tmp_path / "whole.h5"))
    write = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda handle, data, offset: write(handle, data[: 1 + len(data) // 3], offset)
    )
    assert content_hash(cohort.write(tmp_path / "short.h5")) == whole


def test_an_error_of_the_device_is_not_called_a_full_disk(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    cohort = Cohort(schema(), rng)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CtcError) as caught:
        cohort.write(tmp_path / "a.h5")
    assert (caught.value.exit, codes(caught)) == (Exit.OUTPUT, ["R503"])
    assert list(tmp_path.iterdir()) == []


SMALL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
from pathlib import Path
from synthetic import Cohort, schema, seeded
from ctcdyn.errors import CtcError
try:
    Cohort(schema(count=4000, keep=4000), seeded("small disk")).write(Path(sys.argv[1]))
except CtcError as error:
    print(error)
    sys.exit(int(error.exit))
"""


@pytest.mark.parametrize("limit", [1_000, 20_000, 300_000])
def test_the_kernel_refusing_to_write_ends_with_exit_code_5(tmp_path: Path, limit: int) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SMALL_DISK), str(tmp_path / "a.h5"), str(limit)],
        cwd=Path(__file__).parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (int(Exit.RESOURCES), "")
    assert "error[R507]" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_leaving_without_finishing_is_a_bug_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CtcError, match="before it was finished"), Store.open(tmp_path / "a.h5", schema()):
        pass
    assert list(tmp_path.iterdir()) == []
