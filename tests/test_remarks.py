"""What is said below a summary: rates below zero, with day and reaction; pools at the capacity of their brake."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network
from ctcdyn.remarks import TOLD, remarks
from ctcdyn.results import Results
from ctcdyn.store.layout import Schema

MODEL = """
schema = 1
name = "braked"
[species]
soft = { unit = "cells", initial = 10, group = "cells" }
stiff = { unit = "cells", group = "cells" }
lost = { unit = "cells" }
[parameters]
growth = { value = "0.5 /day", source = "assumed: a test" }
room = { value = "50 cells", source = "assumed: a test" }
capacity = { expr = "2 * room", source = "derived: a test" }
[[reaction]]
name = "grow"
equation = "soft -> 2 soft"
k = "growth * LAW"
[[reaction]]
name = "lose"
equation = "stiff -> lost"
k = "growth"
"""
TIMES = np.array([0.0, 1.0, 2.0])


def model(folder: Path, law: str) -> Network:
    (folder / "braked.toml").write_text(MODEL.replace("LAW", law), encoding="utf-8")
    return load_model(str(folder / "braked.toml"))


def results(soft: list[list[float]], rooms: list[float], method: str = "tsit5") -> Results:
    """Trajectories of `soft` at TIMES, (N, 3), with 10 stiff cells, each with a `room` of its own."""
    n = len(soft)
    schema = Schema(
        species=("soft", "stiff", "lost"), species_units=("1",) * 3, observables=(), observable_units=(),
        parameters=("room",), parameter_units=("1",), times=TIMES, count=n, total=n, keep=n, method=method,
        state_dtype="f8",
    )  # fmt: skip
    state = np.zeros((n, 3, 3))
    state[:, :, 0], state[:, :, 1] = soft, 10.0
    arrays = {"params": np.array(rooms)[:, None], "state": state, "mean": state.mean(axis=0)[None]}
    return Results.from_arrays(schema, arrays | {"n_valid": np.full((1, 3), n, np.uint64)})


def test_a_rate_below_zero_is_told_with_its_reaction_and_day(tmp_path: Path) -> None:
    network = model(tmp_path, "(1 - cells / capacity)")
    found = results([[10, 80, 130], [10, 40, 60]], [50, 20])  # capacities 100 and 40: -4 at day 1 in the second
    text = remarks(found, network)
    assert "NEGATIVE RATES" in text
    assert "grow: -5 /d, below 0 from day 1 on in 2 of 2 trajectories" in text  # 0.5 * 40 * (1 - 50 / 40)
    assert remarks(results([[10, 80, 130]], [100]), network) == ""
    assert remarks(found, network, ["room"]) == ""  # scaled for days that no result holds
    assert "NEGATIVE" not in remarks(results([[10, 80, 130]], [50], "direct"), network)  # ended as not_finite there
    assert remarks(found, model(tmp_path, "max(1 - cells / capacity, 0)")) == ""


def test_what_an_ode_leaves_below_zero_is_no_negative_rate(tmp_path: Path) -> None:
    assert remarks(results([[10, -1e-9, -1e-7]], [50]), model(tmp_path, "(1 - cells / capacity)")) == ""


def test_many_rates_below_zero_are_counted(tmp_path: Path) -> None:
    one = '[[reaction]]\nname = "r{0}"\nequation = "soft ->"\nk = "growth * (1 - soft / room * {0})"\n'
    more = "".join(one.format(k) for k in range(5))
    (tmp_path / "many.toml").write_text(MODEL.replace("LAW", "1") + more, encoding="utf-8")
    text = remarks(results([[10, 60, 60]], [50]), load_model(str(tmp_path / "many.toml")))
    assert len(text.splitlines()) == 2 + TOLD
    assert "below 0 from day 1 on in the trajectory" in text
    assert "and 1 reactions more" in text  # with a factor of 0 it is not below zero


def test_a_pool_at_its_capacity_is_told(tmp_path: Path) -> None:
    for law in ("max(1 - cells / capacity, 0)", "max(log(capacity / max(cells, 1)), 0)"):
        network = model(tmp_path, law)
        for method in ("tsit5", "direct"):
            text = remarks(results([[10, 80, 89]], [50], method), network)
            assert text.startswith("  FULL: cells is at 99 % of capacity = 100 at 48 hours;")
        assert remarks(results([[10, 80, 84]], [50]), network) == ""  # 94 %
