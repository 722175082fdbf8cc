"""Stiff problems of the literature through rodas5p: correct digits, steps, conservation."""

from types import ModuleType

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ctcdyn.codegen.kernel import link
from drive import Drive
from problems import STIFF, eight_states, solve_stiff, three_states

STEPS = {  # at rtol 1e-6 and 1e-10, measured 2026-11-23: a change of the step control shows here
    "ROBER": (421, 3535),
    "OREGO": (1181, 12928),
    "VDPOL": (702, 9177),
    "HIRES": (222, 2777),
}


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    return {n.name: link(n, "rodas5p").compile().module for n in (three_states(), eight_states())}


@pytest.mark.parametrize("name", STIFF)
def test_reference_is_the_published_one(name: str) -> None:
    problem = STIFF[name]
    rtol = 1e-9
    run = solve_ivp(
        problem.slope, (0.0, problem.end), problem.start, "Radau", rtol=rtol, atol=rtol * problem.absolute
    )
    np.testing.assert_allclose(run.y[:, -1], problem.reference, rtol=1e-9)


@pytest.mark.parametrize("rtol, digits", [(1e-6, 4.0), (1e-10, 8.0)])
@pytest.mark.parametrize("name", STIFF)
def test_correct_digits(modules: dict[str, ModuleType], name: str, rtol: float, digits: float) -> None:
    reached, steps = solve_stiff(name, modules[STIFF[name].network().name], rtol)
    assert reached >= digits
    assert steps <= 1.25 * STEPS[name][rtol < 1e-8]


def test_error_falls_with_the_tolerance(modules: dict[str, ModuleType]) -> None:
    for name, problem in STIFF.items():
        digits = [solve_stiff(name, modules[problem.network().name], 10.0**-k)[0] for k in range(4, 11)]
        assert np.polyfit(range(4, 11), digits, 1)[0] == pytest.approx(1.0, abs=0.35), (name, digits)


def test_robertson_conserves_mass(modules: dict[str, ModuleType]) -> None:
    network = three_states()
    start = {"y1__initial": 1.0}
    times = [0.0, *np.geomspace(1e-5, 1e11, 33)]
    for rtol in (1e-4, 1e-8):
        run = Drive(
            modules["three_states"],
            network,
            times,
            1,
            values={**STIFF["ROBER"].values, **start},
            rtol=rtol,
            atol=rtol * 1e-8,
        ).go()
        assert np.max(np.abs(run.state[0].sum(axis=1) - 1.0)) <= 10.0 * rtol
        assert run.state.min() >= -rtol * 1e-8
        assert np.all(np.diff(run.state[0, :, 0]) <= 0.0)
