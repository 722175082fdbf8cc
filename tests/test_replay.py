"""The exact process against a naive replay of the same draws: the same path, not only the same law."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import checks
from chance import seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.toy import toy
from ctcdyn.model.network import Network
from drive import Drive
from instances import WRITTEN
from networks import dimers, rhythm, small_instance
from replay import CLOCKS, Stream, philox, replay

MODELS = sorted(WRITTEN)
SMALL = {"toy": (toy(), 9.0), "dimers": (dimers(), 6.0), "rhythm": (rhythm(), 3.0)}


def instance(name: str) -> tuple[Network, float]:
    return SMALL[name] if name in SMALL else small_instance(name)


@pytest.mark.parametrize("method", CLOCKS)
@pytest.mark.parametrize("name", [*SMALL, *MODELS])
def test_same_path(name: str, method: str) -> None:
    net, days = instance(name)
    module = link(net, method).compile().module
    checks.check_replay(module, net, days, seed_of())
    checks.check_grid(module, net, days, seed_of())
    checks.check_independent(module, net, days, seed_of())
    if not net.treatments:
        checks.check_jumps(module, net, days, seed_of())


def test_every_reaction_of_every_model_is_replayed() -> None:
    """A reaction that never fires on the naive paths would leave its code unseen."""
    for name in MODELS:
        net, days = small_instance(name)
        fired, seed = np.zeros(len(net.reactions)), 0
        while seed < 8 and not fired.all():
            fired += replay(net, days, seed, 0).fired
            seed += 1
        silent = [r.name for r, n in zip(net.reactions, fired, strict=True) if n == 0]
        assert not silent, f"{name}: {silent} never fire"


def test_naive_generators_are_the_published_ones() -> None:
    """Known answers: Random123 kat_vectors; the reference code of xoshiro256++ from state 1 2 3 4."""
    ones, digits = 2**32 - 1, (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    assert philox((0, 0, 0, 0), (0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox((ones,) * 4, (ones,) * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert philox(digits, (0xA4093822, 0x299F31D0)) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]
    stream = Stream(0, 0)
    stream.s = [1, 2, 3, 4]
    first = [41943041, 58720359, 3588806011781223, 3591011842654386]
    assert [stream.uniform() for _ in first] == [(x >> 12) * 2.0**-52 for x in first]


def test_arms_of_a_patient_share_a_stream() -> None:
    """The stream of id belongs to id // arms, so arms without an effect have one path."""
    net, days = instance("toy")
    module = link(net, "direct").compile().module
    seed = seed_of()
    run = Drive(module, net, np.linspace(0.0, days, 20), count=6, arms=2, first=10, seed=seed).go()
    for k in range(0, 6, 2):
        assert_array_equal(run.rows[k], run.rows[k + 1])
        path = replay(net, days, seed, (10 + k) // 2)
        assert_array_equal(run.state[k], path.at(run.grid))


def test_seeds_are_64_bits_wide() -> None:
    net, days = instance("dimers")
    module = link(net, "direct").compile().module
    grid = np.linspace(0.0, days, 20)
    for seed in (2**64 - 1, 2**63, 2**32, 2**32 - 1):
        run = Drive(module, net, grid, count=2, first=2**40, seed=seed).go()
        for k in range(2):
            assert_array_equal(run.state[k], replay(net, days, seed, 2**40 + k).at(grid))


@pytest.mark.parametrize("method", CLOCKS)
@pytest.mark.parametrize("window", [0.01, 0.3, 7.0])
def test_windows_of_thinning(window: float, method: str) -> None:
    """Any window gives an exact path; the windows are anchored at multiples, so the replay follows."""
    net, days = instance("rhythm")
    module = link(net, method).compile().module
    seed, grid = seed_of(), np.linspace(0.0, days, 40)
    run = Drive(module, net, grid, count=4, seed=seed, window=window).go()
    for k in range(4):
        path = replay(net, days, seed, k, window, method)
        assert_array_equal(run.state[k], path.at(grid))
        assert run.work[k] == sum(path.fired)
