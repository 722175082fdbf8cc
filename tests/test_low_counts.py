"""Where a Langevin equation is not that of the cells, `check` and the result say so, species by species."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from commands import command
from ctcdyn import load_model
from ctcdyn import open as open_results
from ctcdyn.analysis import low_shares
from ctcdyn.codegen.choose import LOW_COUNT
from ctcdyn.errors import CtcError
from ctcdyn.summary import summary

STUDY = """schema = 1
[model]
use = "birth_death_immigration"
[initial]
colony = 100
[simulate]
method = "euler_maruyama"
t_end = "4 days"
step = "0.01 day"
save = { n = 5 }
[ensemble]
trajectories = 300
seed = 3
[output]
keep = "all"
file = "x.h5"
"""


def test_shares_below_the_count_are_those_of_the_paths() -> None:
    model = load_model("birth_death_immigration")
    found = model.simulate([0.0, 1.0, 2.0], method="euler_maruyama", n=400, initial={"colony": 110}, step=0.02, seed=4)
    below = (found.state < LOW_COUNT).mean(axis=0)
    assert 0.1 < below[1:].mean() < 0.9
    assert_allclose(found["p_low"][0], below, atol=1e-12)
    assert_allclose(low_shares(found)["colony"], below.mean(), rtol=1e-12)
    assert "too few for a Langevin equation: colony" in summary(found, model.network)
    many = model.simulate([0.0, 1.0], method="euler_maruyama", n=50, initial={"colony": 1e5}, step=0.02)
    assert (many["p_low"] == 0.0).all()
    assert "too few" not in summary(many, model.network)
    exact = model.simulate([0.0, 1.0], method="direct", n=50)
    assert "p_low" not in exact
    assert low_shares(exact) == {}


def test_check_run_and_inspect_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(STUDY, encoding="utf-8")
    code, out, _ = command("check", "study.toml", "--explain")
    assert code == 0
    assert "1 independent noises of 3 reactions" in out
    assert "fewer than 128 cells on the nominal path: colony (100)" in out
    code, out, _ = command("run", "study.toml", "--progress", "none")
    assert code == 0
    assert "fewer than 128 cells, too few for a Langevin equation: colony" in out
    code, out, _ = command("inspect", "x.h5")
    assert code == 0
    assert "under 128 cells: colony" in out
    with open_results("x.h5") as results:
        assert results.schema.low_count == LOW_COUNT
        assert_allclose(results["p_low"][0, :, 0], (results.state[:, :, 0] < LOW_COUNT).mean(axis=0), atol=1e-12)
        assert results["p_low"][0, 0, 0] == 1.0


def test_a_step_is_asked_for_with_a_proposal_and_refused_where_it_would_do_nothing(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY.replace('step = "0.01 day"\n', ""), encoding="utf-8")
    code, _, err = command("check", str(study))
    assert code == 3
    assert "C103" in err
    assert "needs a step" in err
    assert "is a tenth of the shortest time scale" in err
    study.write_text(STUDY.replace("euler_maruyama", "direct"), encoding="utf-8")
    code, _, err = command("check", str(study))
    assert code == 3
    assert "C107" in err
    assert "chooses its own steps" in err
    study.write_text(STUDY.replace("0.01 day", "1e-8 day"), encoding="utf-8")
    code, _, err = command("check", str(study))
    assert code == 3
    assert "C105" in err
    assert "max_steps_per_trajectory" in err
    model = load_model("birth_death_immigration")
    for given in ({}, {"step": -1.0}, {"step": np.inf}, {"step": 1e-9}):
        with pytest.raises(CtcError):
            model.simulate([0.0, 1.0], method="euler_maruyama", **given)
    with pytest.raises(CtcError, match="chooses its own steps"):
        model.simulate([0.0, 1.0], method="direct", step=0.1)
