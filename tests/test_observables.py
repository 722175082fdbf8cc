"""Observables that the kernel keeps while it runs: cumulative flux and first passage, from a model file."""

from pathlib import Path

import numpy as np
import pytest

from chance import assert_mean
from ctcdyn import load_model
from ctcdyn.errors import CtcError, Status
from ctcdyn.plugins import available

GROWTH = """
schema = 1
name = "growth"
[species]
tumor = { unit = "cells", initial = 10 }
[parameters]
birth = { value = "0.5 /day", source = "assumed: a test" }
loss = { value = "0.1 /day", source = "assumed: a test" }
size = { value = 30, source = "assumed: a test" }
[observables]
OBSERVABLES
[[reaction]]
name = "divide"
equation = "tumor -> 2 tumor"
k = "birth"
[[reaction]]
name = "die"
equation = "tumor ->"
k = "loss"
"""
BOTH = """
born = { use = "flux", reaction = "divide", unit = "cells" }
twice = { expr = "2 * tumor", unit = "cells" }
large = { use = "first_passage", when = "tumor >= size", unit = "day" }
"""


def model_of(folder: Path, observables: str) -> Path:
    file = folder / "growth.model.toml"
    file.write_text(GROWTH.replace("OBSERVABLES", observables), encoding="utf-8")
    return file


def test_available() -> None:
    assert available("observable") == ("first_passage", "flux", "sample")


@pytest.mark.parametrize(("method", "error"), [("tsit5", 1e-5), ("rodas5p", 1e-5)])
def test_ode(tmp_path: Path, method: str, error: float) -> None:
    """x = 10 exp(0.4 t): the flux is 0.5 times its integral, x = 30 at log(3) / 0.4."""
    found = load_model(model_of(tmp_path, BOTH)).simulate([0.0, 1.0, 5.0], method=method)
    cells = 10 * np.exp(0.4 * np.array([0.0, 1.0, 5.0]))
    assert found.observable == ("born", "twice")
    assert found.observables[0, :, 1] == pytest.approx(2 * cells, rel=error)
    assert found.observables[0, :, 0] == pytest.approx(0.5 * (cells - 10) / 0.4, rel=error, abs=1e-9)
    assert found.event_kind == ("large",)
    assert found.event_observed[0, 0] == 1
    assert found.event_time[0, 0] == pytest.approx(np.log(3) / 0.4, rel=error)


def test_jump(tmp_path: Path) -> None:
    """Births minus deaths is the change of the count in every trajectory, and mean births follow the integral."""
    model = load_model(model_of(tmp_path, BOTH))

    def births_of(seed: int, n: int) -> np.ndarray:
        found = model.simulate([0.0, 5.0], method="direct", n=n, seed=seed)
        births, cells = found.observables[:, -1, 0], found.state[:, -1, 0]
        late, seen = found.event_time[:, 0], found.event_observed[:, 0] == 1
        assert np.all(births >= cells - 10)
        assert np.all(late[~seen] == 5.0)
        assert np.all((late[seen] > 0) & (late[seen] <= 5.0))
        assert np.all(seen[cells >= 30])
        assert np.all(births[seen] >= 20)
        return births

    mean = 0.5 * 10 * (np.exp(2.0) - 1) / 0.4
    assert_mean(births_of, mean, sd=35.0, detect=1.5)


@pytest.mark.parametrize("method", ["direct", "tsit5", "rodas5p"])
def test_stop(tmp_path: Path, method: str) -> None:
    """A trajectory ends at its passage: status stopped, saves after it missing, the time of the event kept."""
    line = 'large = { use = "first_passage", when = "tumor >= size", stop = true, unit = "day" }'
    times = np.linspace(0.0, 5.0, 11)
    found = load_model(model_of(tmp_path, line)).simulate(times, method=method, n=300, seed=3)
    stopped = found.status == Status.STOPPED
    assert stopped.any()
    for k in range(300):
        end = found.event_time[k, 0]
        assert found.event_observed[k, 0] == stopped[k]
        assert np.array_equal(np.isnan(found.state[k, :, 0]), (times >= end) & stopped[k])
        assert found.final_state[k, 0] == pytest.approx(30.0, rel=1e-6) or not stopped[k]
    assert np.array_equal(found.n_valid[0], (~np.isnan(found.state[:, :, 0])).sum(axis=0))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('born = { use = "flux" }', "M314"),
        ('born = { use = "flux", reaction = "divde" }', "C102"),
        ('born = { use = "fluxx", reaction = "divide" }', "C112"),
        ('born = { use = "flux", reaction = "divide", at = 3 }', "C102"),
        ('late = { use = "first_passage", when = "tumor" }', "M314"),
        ('late = { use = "first_passage", when = "tumor > 3", stop = 1 }', "C104"),
        ('late = { use = "first_passage", when = "tumour > 3" }', "X408"),
        ('late = { use = "first_passage", when = "birth > 3" }', "U204"),
    ],
)
def test_wrong(tmp_path: Path, line: str, code: str) -> None:
    with pytest.raises(CtcError) as caught:
        load_model(model_of(tmp_path, line))
    problem = caught.value.problems[0]
    assert problem.code == code
    assert problem.place is not None
    assert problem.fix
