"""Never a count below zero: a few of the thousand generated networks that `law_record.py` can run, in plain Python."""

from __future__ import annotations

import pytest

import wilds


@pytest.mark.parametrize("method", wilds.METHODS)
def test_no_count_of_generated_networks_is_ever_negative(method: str) -> None:
    """Twelve networks, looked at after every sweep."""
    found = wilds.in_plain_python(method, 0, 3, 200.0)
    assert found["networks"] == 12
    assert found["sweeps"] > 20
