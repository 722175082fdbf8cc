"""Whole runs from the command line: file, picture, summary, exit codes; and what is done with a result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import command, small_study
from ctcdyn.cli.studies import templates
from ctcdyn.errors import Exit


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    return small_study(tmp_path)


def test_a_run_leaves_a_file_a_picture_and_a_summary(study_file: Path, tmp_path: Path) -> None:
    result, picture = tmp_path / "small.h5", tmp_path / "small.png"
    code, out, err = command("run", study_file, "--progress", "plain")
    assert code == 0, err
    assert "of 40 trajectories" in out
    assert str(result) in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "100.0 %" in err
    assert "seed 42" in out

    before = result.read_bytes()
    code, out, err = command("run", study_file)
    assert (code, out) == (int(Exit.OUTPUT), "")
    assert "error[R502]" in err
    assert result.read_bytes() == before

    code, _, _ = command("run", study_file, "--seed", "43", "-o", tmp_path / "other.h5", "--progress", "none")
    assert code == 0
    code, _, err = command("run", study_file, "--overwrite", "--threads", "2")
    assert code == 0, err
    again = tmp_path / "again.h5"
    assert command("run", study_file, "-o", again, "--progress", "none")[2] == f"next     {_next(again)}\n"

    code, out, _ = command("compare", result, again)
    assert code == 0
    code, out, _ = command("compare", result, tmp_path / "other.h5")
    assert code == Exit.NO

    code, out, _ = command("inspect", result)
    assert code == 0
    assert "Birth, death and immigration" in out
    assert "seed 42" in out
    code, out, _ = command("inspect", result, "--json")
    assert json.loads(out)
    drawn = tmp_path / "paths.svg"
    code, _, _ = command("plot", result, "--kind", "paths", "-o", drawn)
    assert code == 0
    assert "<svg" in drawn.read_text(encoding="utf-8")


def _next(path: Path) -> str:
    return f"ctcdyn inspect {path}   ctcdyn plot {path} --kind paths"


def test_too_many_failures_are_exit_4_and_the_file_is_whole(study_file: Path, tmp_path: Path) -> None:
    limit = ["-s", "limits.max_events_per_trajectory=3", "--progress", "none"]
    code, out, err = command("run", study_file, *limit)
    assert code == Exit.FAILURES
    assert "error[S601]" in err
    assert "event_limit" in err
    assert "failed " in out
    code, out, _ = command("inspect", tmp_path / "small.h5", "--failures")
    assert code == 0
    assert "event" in out

    allowed = ["-s", "limits.max_failed_fraction=1.0", "--overwrite"]
    code, _, err = command("run", study_file, *limit, *allowed)
    assert code == 0
    assert "warning[S602]" in err


@pytest.mark.parametrize("kind", ["ode", "population"])
def test_templates_run(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "out.h5"
    less = ["-s", "population.patients=20"] if kind == "population" else []
    code, out, err = command("run", templates()[kind], "-o", target, "-s", "simulate.t_end=10 days", *less)
    assert code == 0, err
    assert target.exists()
    assert "failed 0" in out


def test_selftest_passes_here() -> None:
    code, out, err = command("selftest")
    assert code == 0, out + err
    assert out.count("\nok") >= 10
