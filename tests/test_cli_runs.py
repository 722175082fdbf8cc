"""Whole runs from the command line: file, picture, summary, exit codes; and what is done with a result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ctcdyn
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


def test_a_picture_is_never_replaced_unasked(study_file: Path, tmp_path: Path) -> None:
    result, bands, paths = (tmp_path / f"small{ending}" for ending in (".h5", ".png", ".paths.png"))
    assert command("run", study_file, "--progress", "none")[0] == 0
    drawn = bands.read_bytes()
    code, out, _ = command("plot", result, "--kind", "paths")
    assert (code, out) == (0, f"{paths}\n")
    assert bands.read_bytes() == drawn
    for kind, picture in (("bands", bands), ("paths", paths)):
        picture.write_bytes(b"mine")
        code, out, err = command("plot", result, "--kind", kind)
        assert (code, out) == (int(Exit.OUTPUT), "")
        assert f"error[R502]: {picture} exists" in err
        assert picture.read_bytes() == b"mine"
        assert command("plot", result, "--kind", kind, "--overwrite")[0] == 0
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_next_names_only_what_will_work(study_file: Path, tmp_path: Path) -> None:
    quiet = ["--keep", "none", "--progress", "none", "-o"]
    first, second = tmp_path / "first.h5", tmp_path / "second one.h5"
    assert command("run", study_file, *quiet, first)[2] == f"next     ctcdyn inspect {first}\n"
    err = command("run", study_file, *quiet, second, "-s", "output.picture=false")[2]
    assert err == f"next     ctcdyn inspect '{second}'   ctcdyn plot '{second}'\n"


def test_first_passages_are_told(tmp_path: Path) -> None:
    """In the summary with share and median, in `inspect` by name, and `plot` says what they are."""
    model = (Path(ctcdyn.__file__).parent / "models" / "birth_death_immigration.toml").read_text(encoding="utf-8")
    passage = '[observables]\nlarge = { use = "first_passage", when = "colony >= 8", unit = "day" }\n'
    assert "[observables]\n" in model
    (tmp_path / "own.model.toml").write_text(model.replace("[observables]\n", passage), encoding="utf-8")
    study = tmp_path / "own.toml"
    study.write_text(
        'schema = 1\n[model]\nfile = "own.model.toml"\n[simulate]\nmethod = "direct"\nt_end = "3 h"\n'
        "[initial]\ncolony = 7\n[ensemble]\ntrajectories = 300\nseed = 5\n",
        encoding="utf-8",
    )
    result = tmp_path / "own.h5"
    code, out, err = command("run", study, "-o", result, "--progress", "plain")
    assert code == 0, err
    assert "300 trajectories of " in err
    assert "3 hours" in err
    assert "at 3 hours" in out
    with ctcdyn.open(result) as found:
        happened = found.event_observed[:, 0] == 1
        median = 24 * float(np.median(found.event_time[happened, 0]))
    line = next(line for line in out.splitlines() if line.startswith("  large")).split()
    share = happened.mean()
    assert float(line[1]) == pytest.approx(100 * share, abs=0.05)
    assert float(line[3]) == pytest.approx(100 * (share * (1 - share) / 300) ** 0.5, rel=0.05)
    assert line[-2:] == [f"{median:.3g}", "hours"]
    assert "events      large (in event_time, event_observed)" in command("inspect", result)[1]
    code, _, err = command("plot", result, "--species", "large", "-o", tmp_path / "x.png")
    assert code == Exit.USAGE
    assert "'large' is a first passage" in err


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
