"""A real SLURM of one node: with a task that is requeued half-way, one whose time is up and one that is cancelled, the
result has the bytes of one machine. Skipped where SLURM is not installed; docs/clusters.md has the record of a run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from commands import command
from ctcdyn import submission
from ctcdyn.store.content import content_hash
from slurm import node, queued, until, written

__all__ = ["node"]


def test_slurm_with_a_requeued_task_gives_the_bytes_of_one_machine(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One task is requeued by the scheduler, one is told that its time is up, one is cancelled and submitted again."""
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, patients=1536, t_end=80)
    assert command("run", file, "-o", "whole.h5", "--progress", "none")[0] == 0
    code, _, err = command("submit", file, "--shards", 4, "--time", "10")
    assert code == 0, err
    folder = file.with_suffix(".jobs")
    array = (folder / "jobs").read_text().strip()

    def some(shard: int) -> bool:
        item = submission.status(folder)["shards"][shard - 1]
        return bool(item["state"] == "running" and item["committed"])

    def tell(*line: str) -> None:
        subprocess.run(line, check=True, capture_output=True)

    def requeued(shard: int) -> bool:
        state = subprocess.run(
            ["scontrol", "show", "job", f"{array}_{shard}"], capture_output=True, text=True, check=True
        ).stdout
        return "JobState=PENDING" in state and "Restarts=1" in state

    assert until(lambda: some(1), 60), submission.status(folder)
    tell("scontrol", "requeue", f"{array}_1")
    assert until(lambda: requeued(1), 60), queued()
    tell("scontrol", "update", f"jobid={array}_1", "starttime=now")  # not after two minutes
    assert until(lambda: some(3), 60), submission.status(folder)
    tell("scancel", "--batch", "--signal=USR1", f"{array}_3")
    assert until(lambda: requeued(3), 60), queued()
    tell("scontrol", "update", f"jobid={array}_3", "starttime=now")
    assert until(lambda: some(4), 60), submission.status(folder)
    tell("scancel", f"{array}_4")
    assert until(lambda: not queued(), 120), queued()
    found = submission.status(folder)
    assert found["total"] | {"done": 3, "unfinished": 1} == found["total"]
    assert found["next"].endswith("bash submit.sh 4")
    subprocess.run(["bash", "-c", found["next"]], check=True, capture_output=True)
    assert until(lambda: not queued(), 120), queued()
    assert until(lambda: submission.status(folder)["merged"], 10), [p.read_text() for p in folder.glob("logs/*")]
    assert content_hash(folder / 'its "odd" $name `here`.h5') == content_hash(tmp_path / "whole.h5")
    assert "requeued 1 times before" in (folder / "logs" / f"my__own__study__HOME-{array}_3.out").read_text()
