"""Control variates: exact chances correct a sampled mean without bias, and by as much as theory says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

import ctcdyn
import recurrence
from chance import assert_mean, seed_of
from ctcdyn.controls import controlled, regression
from ctcdyn.errors import CtcError
from ctcdyn.results import Results
from ctcdyn.simulation import Model

DAYS = [0.0, 10.0, 20.0]
SAMPLED, TRIAL = 20_000, 20  # patients, and those of a small trial
Vector = NDArray[np.float64]


@pytest.fixture(scope="module")
def toy() -> Model:
    return Model(recurrence.network(removal=10.0))


@pytest.fixture(scope="module")
def cohort(toy: Model) -> tuple[Results, Results]:
    """The toy set with a shedding that differs between patients: so many sampled, twice as many known exactly."""
    shedding = 4.0 * np.exp(np.random.default_rng(7).normal(0.0, 1.0, 2 * SAMPLED))
    given = recurrence.TOY | {"shedding": shedding[:SAMPLED]}
    sampled = toy.simulate(DAYS, method="direct", parameters=given, seed=11, keep="none", quantiles=())
    exact = toy.simulate(
        DAYS, method="backward", parameters=recurrence.TOY | {"shedding": shedding}, rtol=1e-4, quantiles=()
    )
    return sampled, exact


def columns(cohort: tuple[Results, Results]) -> tuple[Vector, Vector, Vector]:
    """Whether there was a relapse by day 10, by day 20 less its chance, and that chance, of all that are known."""
    sampled, exact = cohort
    seen, day = sampled.event_observed[:, 0] == 1, sampled.event_time[:, 0]
    p = exact.values("chance_relapse")[:, 2:].astype(np.float64)
    return (seen & (day <= 10.0)).astype(np.float64), (seen & (day <= 20.0))[:, None] - p[:SAMPLED], p


def test_small_trials_have_no_bias(cohort: tuple[Results, Results]) -> None:
    """1000 trials of 20 patients, weights fitted in each: what they give differs from the truth by chance alone.

    The truth is a mean over all patients, so the exact mean of each trial's own 40 is taken off: its mean is the truth.
    """
    y, noise, p = columns(cohort)
    early = cohort[1].values("chance_relapse")[:, 1].astype(np.float64)
    apart = []
    for start in range(0, SAMPLED, TRIAL):
        own, more = slice(start, start + TRIAL), slice(SAMPLED + start, SAMPLED + start + TRIAL)
        found = regression(y[own], noise[own], p[own], p[more])
        apart.append(found.value - np.concatenate([early[own], early[more]]).mean())
    assert_mean(np.array(apart), 0.0, sd=0.09, detect=0.025)


def test_the_variance_falls_as_theory_says(cohort: tuple[Results, Results]) -> None:
    """Relapse by day 10 with that by day 20 as control: all covariances follow from the exact chances.

    Of a patient cov(I10, I20) = p10 (1 - p20); between patients it is that of the chances.
    """
    sampled, exact = cohort
    outcome = columns(cohort)[0]
    found = controlled(sampled, exact, outcome, "relapse")
    early, late = exact.values("chance_relapse")[:, 1:].T
    within = np.mean(early * (1.0 - late)) ** 2 / np.mean(late * (1.0 - late))
    between = np.cov(early, late)[0, 1] ** 2 / late.var()
    whole = early.mean() * (1.0 - early.mean())
    n, m = SAMPLED, 2 * SAMPLED
    theory = (whole - within - between) / n + between / m
    assert (found.patients, found.known) == (n, m)
    assert_allclose(found.plain_error**2, whole / n, rtol=0.08)  # of 20 000 values such a variance is known to 1.5 %
    assert_allclose(found.error**2, theory, rtol=0.08)
    assert_allclose(found.gain, whole / n / theory, rtol=0.08)
    assert found.gain > 1.2
    assert abs(found.value - early.mean()) < 5.0 * found.error
    assert_mean(outcome, float(early[:SAMPLED].mean()), sd=0.4, detect=0.03)
    both = controlled(sampled, exact, outcome, "relapse", times=[10.0, 20.0])
    assert_allclose(both.value, early.mean(), rtol=1e-9)  # the outcome is a control: no chance is left
    assert_allclose(both.error, early.std(ddof=1) / np.sqrt(m), rtol=0.02)
    assert str(found).startswith(f"{found.value:.4g} ± ")


def study(file: Path, method: str, patients: int) -> str:
    """The toy set in two arms, the tumour taken out of both on day 10, as a cohort whose shedding differs."""
    text = recurrence.text(file, [10.0, 80.0], 1e-3, 0.2, 1e-4, removal=10.0)
    text = text.replace('method = "backward"', f'method = "{method}"').replace("trajectories = 2\n", "")
    fixed = {k: v for k, v in recurrence.TOY.items() if k not in ("shedding", "metastasis_growth")}
    more = "".join(f"{name} = {value!r}\n" for name, value in fixed.items())
    more += f"[population]\npatients = {patients}\n[population.draw]\n"
    more += 'shedding = { dist = "lognormal", median = 0.7, cv = 1 }\n'
    return text.replace("[[treatment]]", more + "[[treatment]]", 1).replace('= ["resection"', '= ["removal"')


def test_the_event_itself_is_its_exact_mean_in_both_arms(tmp_path: Path) -> None:
    """Two files of one study, and the difference of its arms, patient by patient."""
    results = []
    for method, patients in (("direct", 64), ("backward", 400)):
        path = tmp_path / f"{method}.toml"
        path.write_text(study(tmp_path / f"{method}.h5", method, patients), encoding="utf-8")
        results.append(ctcdyn.run(str(path), threads=1))
    sampled, exact = results
    chance = exact.values("chance_relapse")[:, -1].reshape(-1, 2).astype(np.float64)
    for arms, expected in ((("surgery", None), chance[:, 0]), (("both", "surgery"), chance[:, 1] - chance[:, 0])):
        found = controlled(sampled, exact, "relapse", "relapse", arm=arms[0], against=arms[1])
        assert (found.patients, found.known) == (64, 400)
        assert_allclose(found.value, expected.mean(), rtol=1e-6)
        assert found.error < 0.6 * found.plain_error
        assert expected.mean() != 0.0
    with pytest.raises(CtcError) as told:
        controlled(sampled, exact, "relapse", "relapse", times=[10.0])
    assert told.value.problems[0].code == "R509"
    assert "watch" in told.value.problems[0].what
    for result in results:
        result.close()


def test_two_results_that_do_not_belong_together(toy: Model) -> None:
    def pair(
        n: int, m: int, clearance: float = 2.0, keep: str = "all", end: float = 20.0
    ) -> tuple[Results, Results]:
        shedding = np.linspace(0.5, 2.0, 400)
        given = recurrence.TOY | {"shedding": shedding[:n]}
        other = recurrence.TOY | {"shedding": shedding[:m], "clearance": clearance}
        sampled = toy.simulate([0.0, 20.0], method="direct", parameters=given, seed=seed_of())
        return sampled, toy.simulate([0.0, end], method="backward", parameters=other, rtol=1e-4, keep=keep)

    def told(one: Results, other: Results, *what: object, **named: object) -> str:
        with pytest.raises(CtcError) as error:
            controlled(one, other, *what, **named)  # type: ignore[arg-type]
        (problem,) = error.value.problems
        return f"{problem.code} {problem.what} {problem.fix}"

    good = pair(100, 200)
    assert controlled(*good, "relapse", "relapse").gain > 1.0
    assert "not all sampled" in told(*pair(100, 60), "relapse", "relapse")
    assert "other parameters" in told(*pair(100, 200, clearance=3.0), "relapse", "relapse")
    assert "full paths of 0 of 200" in told(*pair(100, 200, keep="none"), "relapse", "relapse")
    assert "they end on days 20 and 30" in told(*pair(100, 200, end=30.0), "relapse", "relapse")
    assert "25 patients for 2 controls" in told(*pair(25, 200), "relapse", "relapse")
    assert "after 20" in told(*good, "relapse", "relapse", times=[25.0])
    assert told(*good, "relapse", "relapse", times=[7.0]).startswith("R509 day 7 was not saved")
    assert told(*good, "relaps", "relapse").startswith("R509")
    assert "shape (3,)" in told(*good, [1.0, 2.0, 3.0], "relapse")
    assert 'did you mean "control"' in told(*good, "relapse", "relapse", arm="contro")
    rows = {name: good[0][name] for name in ("status", "params", "event_time", "event_observed")}
    weight = np.linspace(0.0, 2.0, 100)
    weighed = Results.from_arrays(replace(good[0].schema, weighted=True, quantiles=()), rows | {"weight": weight})
    assert controlled(weighed, good[1], "relapse", "relapse").plain == (weight * rows["event_observed"][:, 0]).mean()
    alone = pair(100, 100)  # nobody else: what differs within a patient is corrected all the same
    found = controlled(*alone, "relapse", "relapse")
    assert found.known == 100
    p = alone[1].values("chance_relapse")[:, -1]
    assert_allclose(found.value, p.mean(), rtol=1e-9)
    assert_allclose(found.error, p.std(ddof=1) / 10.0, rtol=1e-6)
