"""The quickstart's cohort beside the backward equation: the same patients, their chances without sampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ctcdyn
from ctcdyn.config import load_study
from ctcdyn.followup import event_index
from ctcdyn.results import Results

QUICKSTART = Path(__file__).parent.parent / "configs/quickstart.toml"
PATIENTS = 1000


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Results]:
    """(sampled, computed) of 1000 patients in both arms."""
    folder = tmp_path_factory.mktemp("cohort")
    both = []
    for method in ("auto", "backward"):
        changes = [f"simulate.method={method}", f"population.patients={PATIENTS}", f"output.file={folder}/{method}.h5"]
        changes += ["output.keep=all", 'simulate.save.every="9 years"']
        both.append(ctcdyn.run(load_study(str(QUICKSTART), changes)))
    return both[0], both[1]


@pytest.mark.parametrize("arm", [0, 1])
def test_as_many_relapse_as_the_backward_equation_says(pair: tuple[Results, Results], arm: int) -> None:
    """Each patient relapses with a chance of his own: the number of relapses has mean sum p, variance sum p (1 - p)."""
    sampled, computed = pair
    mine = np.asarray(sampled["arm_index"][:]) == arm
    assert np.array_equal(np.asarray(sampled.params)[mine], np.asarray(computed.params)[mine])
    chance = np.asarray(computed.values("chance_relapse"))[mine]
    stopped = np.isnan(np.asarray(sampled.values("dormant"))[mine])  # from the relapse on
    observed = np.asarray(sampled.event_observed)[mine, event_index(sampled, "relapse")]
    assert np.array_equal(stopped[:, -1], observed == 1)
    for p, happened in zip(chance.T[1:], stopped.T[1:], strict=True):  # by 9, 18, 27 and 32 years
        assert 0.01 < p.mean() < 0.4
        assert abs(happened.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


def test_therapy_puts_relapses_off_and_pairing_saves_patients(pair: tuple[Results, Results]) -> None:
    sampled, computed = pair
    chance = np.asarray(computed.values("chance_relapse"))[:, -1].reshape(PATIENTS, 2)
    assert (chance[:, 1] <= chance[:, 0] + 1e-9).all()  # nobody fares worse
    gained = sampled.survival("relapse", by="arm").restricted_mean_difference("surgery + endocrine", "surgery", 7305.0)
    assert gained.value > 2 * gained.error
    assert gained.gain > 3  # as many patients would two separate groups need
