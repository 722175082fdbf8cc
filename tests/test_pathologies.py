"""Models that go wrong end with the right status on every solver, and soon: no hang, no number where there is none.

In plain Python, by the source that is compiled elsewhere: a kernel takes longer to compile than all of this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pathologies
from ctcdyn.codegen.kernel import link
from ctcdyn.errors import CtcError, Status
from instances import SOLVERS, semantics

FINE = {int(Status.OK), int(Status.EXTINCT)}
EXPLODED = {int(s) for s in (
    Status.NOT_FINITE, Status.STEP_UNDERFLOW, Status.STEP_LIMIT, Status.EVENT_LIMIT, Status.OVERFLOW
)}  # fmt: skip
ODE = tuple(method for method in SOLVERS if semantics(method) == "ode")
LANGEVIN = tuple(method for method in SOLVERS if semantics(method) == "langevin")
CELLS = tuple(method for method in SOLVERS if method not in (*ODE, *LANGEVIN))


@pytest.fixture(scope="module")
def ends() -> dict[str, dict[str, dict[str, Any]]]:
    return pathologies.in_plain_python(list(SOLVERS), 200.0)


@pytest.mark.parametrize("method", SOLVERS)
def test_what_goes_wrong_ends_with_the_right_status(ends: dict[str, Any], method: str) -> None:
    """Nothing, extinction, absorption, a supply of one day, blow-up, and rates that are no rates."""
    status = {name: set(case["status"]) for name, case in ends[method].items()}
    state = {name: np.array(case["state"], dtype=float) for name, case in ends[method].items()}
    for name in ("nothing at all", "nothing happens", "extinction", "absorption", "supply for a day"):
        assert status[name] <= FINE, (name, status)
    assert status["explosion"] <= EXPLODED, status
    assert status["no number"] == status["an infinite rate"] == {int(Status.NOT_FINITE)}, status
    # for rate equations a supply below zero is a drain
    assert status["a negative rate"] == ({0} if method in ODE else {int(Status.NOT_FINITE)}), status
    for name in ("explosion", "no number", "an infinite rate"):
        assert np.isnan(state[name][:, -1]).all()
    assert (state["nothing at all"] == 0.0).all()
    assert (state["nothing happens"] == [5.0, 0.0, 0.0]).all()
    assert (state["supply for a day"][:, 1] == 0.0).all()  # nothing comes before its day
    if method in CELLS:
        assert (state["extinction"][:, -1] == 0.0).all()
        assert (state["absorption"][:, -1] == [0.0, 12.0, 0.0]).all()
        assert (state["supply for a day"][:, -1] == 0.0).all()
        assert state["supply for a day"][:, 2].max() > 0.0


@pytest.mark.parametrize("method", SOLVERS)
def test_a_rate_that_jumps_to_and_fro(ends: dict[str, Any], method: str) -> None:
    """Cells are replaced while there are fewer than twenty: they stay about there; an ODE has no solution beyond."""
    if method == pathologies.REFUSED:
        with pytest.raises(CtcError, match="jumps where z passes a count") as told:
            link(pathologies.frail(), method)
        assert [problem.code for problem in told.value.problems] == ["M318"]
        return
    case = ends[method]["a rate that jumps to and fro"]
    assert set(case["status"]) == ({int(Status.STEP_LIMIT)} if method in ODE else {0})
    if method not in ODE:
        z = np.array(case["state"], dtype=float)[:, 2:, 2]
        assert z.min() >= 15.0
        assert z.max() <= 26.0
