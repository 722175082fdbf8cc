"""What `inspect` says of a run that is not finished: how far it is, what failed, and why it ended."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands import command
from ctcdyn.errors import CtcError, Interrupted, Problem, Status
from ctcdyn.remains import failures, unfinished, unfinished_text
from ctcdyn.store import begin, claim
from ctcdyn.store.journal import Journal, folder_of
from ctcdyn.store.layout import LEAF
from ctcdyn.store.manifest import Manifest
from founded import Patients, commit
from synthetic import seeded

FAILED = {3: Status.STEP_LIMIT, 300: Status.NOT_FINITE, 301: Status.STEP_LIMIT, 900: Status.STEP_LIMIT}


@pytest.fixture
def patients(request: pytest.FixtureRequest) -> Patients:
    made = Patients(seeded(request.node.nodeid), keep=0)
    for row, status in FAILED.items():
        made.cohort.status[row] = status
    return made


def left(patients: Patients, target: Path, error: BaseException | None, signal: str = "") -> Path:
    """A run into `target` of which two segments of one leaf are committed when `error` ends it."""
    kind = type(error) if error is not None else CtcError
    with pytest.raises(kind), begin(target, patients.schema, claim(target)) as journal:  # noqa: PT012
        for start in (0, LEAF):
            commit(patients, journal, [(start, start + LEAF)])
        journal.signal = signal
        raise error if error is not None else CtcError(Problem("R507", "the disk is full"))
    return target


def test_failures_are_counted_and_listed(patients: Patients, tmp_path: Path) -> None:
    target = left(patients, tmp_path / "a.h5", None)
    found = unfinished(target)
    assert found is not None
    assert found["failed"] == {"not_finite": 1, "step_limit": 2}
    (line,) = (line for line in unfinished_text(found).splitlines() if line.startswith("failed of these: "))
    assert set(line.removeprefix("failed of these: ").removesuffix(" (--failures shows which)").split(", ")) == {
        "1 not finite", "2 step limit"
    }  # fmt: skip
    told = failures(target)
    assert told is not None
    assert told["failed"] == 3
    assert [(x["trajectory"], x["status"]) for x in told["trajectories"]] == [
        (row, FAILED[row].meaning) for row in (3, 300, 301)
    ]
    names = patients.schema.parameters
    assert told["trajectories"][1]["parameters"] == dict(zip(names, patients.cohort.params[300].tolist(), strict=True))
    assert [x["trajectory"] for x in (failures(target, 2) or {})["trajectories"]] == [3, 300]
    code, out, _ = command("inspect", target, "--failures")
    assert (code, out.splitlines()[0]) == (0, "3 failed")
    assert "step_limit" in out
    assert json.loads(command("inspect", target, "--json")[1])["failed"] == found["failed"]


def test_segments_that_became_one_know_their_failures(
    patients: Patients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctcdyn.store.compaction.MANY", 2)
    target = left(patients, tmp_path / "a.h5", None)
    (entry,) = Manifest.read(folder_of(target)).entries
    assert dict(entry.failed) == {int(Status.STEP_LIMIT): 2, int(Status.NOT_FINITE): 1}


@pytest.mark.parametrize(
    ("error", "signal", "why"),
    [
        (CtcError(Problem("R507", "the disk is full")), "", "error[R507]: the disk is full, 2"),
        (Interrupted("512 of 1436"), "SIGTERM", "it was asked to stop (SIGTERM), 2"),
        (KeyboardInterrupt(), "", "it was asked to stop (a signal), 2"),
        (ZeroDivisionError("by\nzero"), "", "a fault of ctcdyn, ZeroDivisionError: by zero, 2"),
    ],
)
def test_why_it_ended_is_told(
    patients: Patients, tmp_path: Path, error: BaseException, signal: str, why: str
) -> None:
    found = unfinished(left(patients, tmp_path / "a.h5", error, signal))
    assert found is not None
    assert found["running"] is None
    assert found["ended"].startswith(why)
    assert f"ended: {why}" in unfinished_text(found)


def test_a_process_that_died_left_no_word_and_one_that_lives_needs_none(patients: Patients, tmp_path: Path) -> None:
    target = left(patients, tmp_path / "a.h5", None)
    folder = folder_of(target)
    lock = claim(target, overwrite=True)
    running = unfinished(target)
    assert running is not None
    assert (running["ended"], running["running"] is None) == (None, False)
    assert "ended" not in unfinished_text(running)
    held = json.loads((folder / "lock").read_text())
    lock.release()
    (folder / "lock").write_text(json.dumps(held | {"pid": 2**22 + 5, "start": "1"}))  # nobody has this number
    dead = unfinished(target)
    assert dead is not None
    assert "died without a word" in dead["ended"]
    (folder / "lock").unlink()
    (folder / "ended.json").unlink()
    mute = unfinished(target)
    assert mute is not None
    assert mute["ended"] == "it was stopped at once, and left no word"


def test_a_run_that_goes_on_forgets_why_it_ended(patients: Patients, tmp_path: Path) -> None:
    target = left(patients, tmp_path / "a.h5", None)
    assert (folder_of(target) / "ended.json").exists()
    journal: Journal = begin(target, patients.schema, claim(target), resume=True)
    with journal:
        assert not (folder_of(target) / "ended.json").exists()
        assert journal.rows == 2 * LEAF
    np.testing.assert_array_equal(journal.missing()[:1], [2])
