"""What some tests need beside Python: skipped where it is absent, and a failure where it was promised."""

from __future__ import annotations

import pytest
from _pytest.outcomes import Failed, Skipped

from needs import PROMISED, absent


def test_what_is_absent_skips_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROMISED, "r")
    with pytest.raises(Skipped, match="no SLURM here"):
        absent("slurm", "no SLURM here")


def test_what_was_promised_fails_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROMISED, "slurm,r")
    with pytest.raises(Failed, match="promises slurm: no SLURM here"):
        absent("slurm", "no SLURM here")
