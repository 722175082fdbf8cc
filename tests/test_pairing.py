"""Arms of a patient share their chance: what `next_reaction` keeps paired after the arms have come to differ."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from chance import seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.toy import toy
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network
from drive import Drive

PATIENTS = 2000


def cascade() -> Network:
    """`ctc_linear` with slower blood: some 2000 events of a patient, 20 growing cells at the end."""
    changed = {"shedding": 20.0, "clearance": 2.0, "extravasation": 0.5, "dormancy_entry": 0.5,
               "colonisation": 0.05, "dormancy_exit": 0.02}  # fmt: skip
    return load_model("ctc_linear").with_values(changed)


def two_arms(method: str) -> tuple[np.ndarray, np.ndarray]:
    """Growing cells on day 40 of each patient in two arms, in the second of which clearance is 5 % faster."""
    net = cascade()
    run = Drive(
        link(net, method).compile().module, net, [0.0, 40.0], count=2 * PATIENTS, arms=2, seed=seed_of(),
        values={"clearance": np.tile([2.0, 2.1], PATIENTS)},
    ).go()  # fmt: skip
    growing = run.state[:, -1, net.index("growing")]
    return growing[0::2], growing[1::2]


def gain(one: np.ndarray, other: np.ndarray) -> float:
    """Variance of the difference of two arms if they were independent, over what it is."""
    return float((one.var() + other.var()) / (one - other).var())


def test_a_small_effect_is_seen_through_less_noise() -> None:
    """Measured with n = 2000: 56 for next_reaction, 6 for direct, whose arms part at their first difference."""
    assert gain(*two_arms("next_reaction")) > 25.0
    assert gain(*two_arms("direct")) < 12.0


def test_pairing_changes_no_arm() -> None:
    """Each arm alone is the path that it is beside the other."""
    net, grid, seed = cascade(), [0.0, 10.0, 40.0], seed_of()
    module = link(net, "next_reaction").compile().module
    both = {"clearance": np.tile([2.0, 2.1], 20)}
    pairs = Drive(module, net, grid, count=40, arms=2, seed=seed, values=both).go()
    for arm, value in enumerate((2.0, 2.1)):
        alone = Drive(module, net, grid, count=20, seed=seed, values={"clearance": [value] * 20}).go()
        assert_array_equal(pairs.rows[arm::2], alone.rows)


def test_draws_of_one_reaction_do_not_move_another() -> None:
    """The toy with another death rate: blood, which no death touches, keeps its path bit for bit."""
    net, grid, seed = toy(), np.linspace(0.0, 9.0, 181), seed_of()
    module = link(net, "next_reaction").compile().module
    unwatched = {"detectable": [1e9] * 8}
    slow = Drive(module, net, grid, count=8, seed=seed, values=unwatched | {"death": [0.1] * 8}).go()
    fast = Drive(module, net, grid, count=8, seed=seed, values=unwatched | {"death": [0.7] * 8}).go()
    blood, tissue = (net.index(name) for name in ("blood", "tissue"))
    gap = np.abs(slow.state[:, :, blood] - fast.state[:, :, blood])
    assert (gap > 0).mean() < 1e-3  # budgets spent in more pieces: an event within a rounding of a save
    assert (slow.state[:, :, tissue] != fast.state[:, :, tissue]).mean() > 0.5
