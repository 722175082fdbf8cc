"""first_order_leap where rates depend on counts: weak order 2, on logistic growth in plain Python."""

from __future__ import annotations

from chance import seed_of
from logistics import Z, in_plain_python, slope


def test_weak_order_on_logistic_growth() -> None:
    """A hundred times 60 cells, so that few trajectories show the error; of small numbers: docs/record-laws.md."""
    steps = [4, 8, 16]
    bias, error = in_plain_python(steps, [24, 48, 160], seed_of(), 100)
    assert (bias < 0.0).all()  # births are frozen where the brake comes on
    found, spread = slope(steps, bias, error)
    assert spread < 0.2
    assert found - Z * spread > 1.0
    assert abs(found - 2.0) < 0.2 + Z * spread
