"""A run that writes the table of lesions and is killed, or whose disk is full: what was committed is in the result."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest

from ctcdyn.errors import CtcError
from ctcdyn.store import compaction
from ctcdyn.store.assembly import write_result
from ctcdyn.store.content import content_hash
from faults import Plan, arm
from founded import Patients, commit, leaves
from synthetic import seeded


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return seeded(request.node.nodeid)


def test_a_run_that_was_killed_goes_on_and_keeps_every_row(tmp_path: Path, rng: np.random.Generator) -> None:
    """Half is committed; then the process is gone, in the middle of a segment. A damaged one is computed again."""
    patients, path = Patients(rng), tmp_path / "a.h5"
    whole = content_hash(patients.write(tmp_path / "whole.h5"))
    before = patients.journal(path)
    for cut in (leaves()[4], leaves()[1], leaves()[2]):
        commit(patients, before, [cut])
    first = before.manifest.entries[0]
    (before.folder / "000004.h5.tmp").write_bytes(b"half a segment")
    before._lock.release()
    data = bytearray((before.folder / first.name).read_bytes())
    data[first.body - 5000] ^= 4
    (before.folder / first.name).write_bytes(data)
    with patients.journal(path, resume=True) as journal:
        assert journal.missing().tolist() == [0, 3, 4, 5]
        for leaf in journal.missing().tolist():
            commit(patients, journal, [leaves()[leaf]])
        write_result(journal.folder, path, {}, False)
    assert content_hash(path) == whole


def attempt(patients: Patients, path: Path, plan: Plan) -> int:
    """A process commits leaf by leaf, each merged with what is there, and meets what is planned: its wait status."""
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(CtcError):
            arm(plan)
            with patients.journal(path, resume=True) as journal:
                for leaf in journal.missing().tolist()[::-1]:
                    commit(patients, journal, [leaves()[leaf]])
            code = 0
        os._exit(code)
    return os.waitpid(child, 0)[1]


def strike(patients: Patients, folder: Path, whole: str, at: int, how: str) -> int:
    """What was committed before an operation that killed the process or failed is there and goes into the result."""
    path, log = folder / "root" / "a.h5", folder / "log"
    path.parent.mkdir(parents=True)
    ended = attempt(patients, path, Plan(str(path.parent), str(log), "run", at, how))
    assert ended in ((0,) if how == "count" else (9,) if how in ("kill", "torn") else (0, 256))
    operations = log.read_text(encoding="utf-8").splitlines()
    commits = sum("fsync" in line and "manifest.jsonl" in line for line in operations[:-1])
    with patients.journal(path, resume=True) as journal:
        assert len(journal.missing()) <= 6 - (commits // 2 if how != "count" else 6)
        for leaf in journal.missing().tolist():
            commit(patients, journal, [leaves()[leaf]])
        write_result(journal.folder, path, {}, False)
        journal.remove()
    assert content_hash(path) == whole
    return len(operations)


@pytest.mark.parametrize("how", ["kill", "torn", "enospc"])
@pytest.mark.parametrize("points", [1, pytest.param(0, marks=pytest.mark.faults)], ids=["some", "every"])
def test_no_operation_of_a_run_costs_a_committed_row(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, how: str, points: int
) -> None:
    monkeypatch.setattr(compaction, "MANY", 2)
    patients = Patients(rng, keep=0)
    whole = content_hash(patients.write(tmp_path / "whole.h5"))
    number = strike(patients, tmp_path / "count", whole, 0, "count")
    for at in rng.permutation(np.arange(1, number))[: points or None].tolist():
        assert strike(patients, tmp_path / str(at), whole, at, how) <= number
