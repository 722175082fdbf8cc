"""Treatments, events and their clocks against closed forms, and what their words mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ctcdyn
from arms import carry_out as carry_out_compiled
from arms import of_arm, times_of, write
from chance import assert_fraction, fraction_size, seed_of
from commands import command
from ctcdyn.analysis import event_difference, event_share
from ctcdyn.errors import Status
from instances import Content, differing

R, S = 0.4, 0.5  # growth and shedding of the model, per day
TIGHT = {"rtol": 1e-10}
RESECTION = '[[treatment]]\nname = "resection"\nat = "tumor >= 60 cells"\nset = { tumor = "0.1 * tumor" }\n'
TWO = '[[arm]]\nname = "without"\ntreatments = []\n[[arm]]\nname = "with"\ntreatments = ["NAME"]\n'
MEETS = float(np.log(60 / 20)) / R  # the day on which 20 exp(R t) is 60


def carry_out(folder: Path, more: str, method: str, **form: float) -> Content:
    """What a study gives in plain Python: most studies of this page are another kernel each."""
    return carry_out_compiled(folder, more, method, plain=True, **form)  # type: ignore[arg-type]


def two(name: str) -> str:
    return TWO.replace("NAME", name)


def event(name: str, when: str, **more: str) -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[[event]]\nname = "{name}"\nwhen = "{when}"\n{lines}'


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_condition_against_the_closed_form(method: str, tmp_path: Path) -> None:
    """A tumour that is cut to a tenth once, where it meets 60; the same as a volume with its unit; and by its day."""
    grid = np.linspace(0.0, 8.0, 17)
    exact = 20 * np.exp(R * grid) * np.where(grid < MEETS, 1.0, 0.1)
    again = event("again", "tumor >= 30", clock='"resection"') + event("large", "tumor >= 60")
    found = carry_out(tmp_path, RESECTION + again, method, **TIGHT)
    assert_allclose(found["state"][0, :, 0], exact, rtol=1e-8)
    assert_allclose(times_of(found)[0], [np.log(30 / 6) / R, 1], rtol=1e-8)
    assert_allclose(times_of(found, 1)[0], [MEETS, 1], rtol=1e-8)
    volume = RESECTION.replace("tumor >= 60 cells", "volume >= 6e-5 uL")
    assert_allclose(carry_out(tmp_path, volume, method, **TIGHT)["state"][0, :, 0], exact, rtol=1e-8)
    known = RESECTION.replace('"tumor >= 60 cells"', f'"{MEETS!r} days"')
    assert_allclose(carry_out(tmp_path, known, method, **TIGHT)["state"][0, :, 0], exact, rtol=1e-8)


def test_doses_against_the_closed_form(tmp_path: Path) -> None:
    """Growth halved for half a day, each day, three times, from a day after the operation; then as before, to a bit."""
    chemo = (
        '[[treatment]]\nname = "chemo"\nstart = { after = "resection", delay = "1 day" }\nevery = "1 day"\n'
        'cycles = 3\nduration = "12 h"\nscale = { growth = 0.5 }\n'
    )
    found = carry_out(tmp_path, RESECTION + chemo, "tsit5", **TIGHT)
    grid = np.linspace(0.0, 8.0, 17)
    held = sum(np.clip(grid - (MEETS + 1 + k), 0.0, 0.5) for k in range(3))
    exact = 20 * np.exp(R * (grid - 0.5 * held)) * np.where(grid < MEETS, 1.0, 0.1)
    assert_allclose(found["state"][0, :, 0], exact, rtol=1e-8)
    endless = chemo.replace("cycles = 3\n", "")
    found = carry_out(tmp_path, RESECTION + endless, "tsit5", **TIGHT)
    held = sum(np.clip(grid - (MEETS + 1 + k), 0.0, 0.5) for k in range(9))
    exact = 20 * np.exp(R * (grid - 0.5 * held)) * np.where(grid < MEETS, 1.0, 0.1)
    assert_allclose(found["state"][0, :, 0], exact, rtol=1e-8)
    lasting = chemo.replace('duration = "12 h"\n', "")  # each dose halves what is left, for good
    found = carry_out(tmp_path, RESECTION + lasting, "tsit5", **TIGHT)
    spans = np.array([np.clip(grid - (MEETS + 1 + k), 0.0, 1.0 if k < 2 else np.inf) for k in range(3)])
    slower = (spans.T * (1 - 0.5 ** np.arange(1, 4))).sum(axis=1)
    exact = 20 * np.exp(R * (grid - slower)) * np.where(grid < MEETS, 1.0, 0.1)
    assert_allclose(found["state"][0, :, 0], exact, rtol=1e-8)


def test_derived_parameters_follow_and_overlapping_treatments_multiply(tmp_path: Path) -> None:
    """blood' = S tumor - leaving blood, leaving = 1 / stay: a stay of twice the length from day 1 on, a third drug on
    leaving itself from day 2 to 3, against the solution in pieces.
    """
    drugs = (
        '[[treatment]]\nname = "slow"\nat = "1 day"\nscale = { stay = 2 }\n'
        '[[treatment]]\nname = "fast"\nat = "2 days"\nduration = "1 day"\nscale = { leaving = 3 }\n'
    )
    found = carry_out(tmp_path, drugs, "tsit5", days=4.0, saves=5, **TIGHT)
    blood = 0.0
    for day, k in enumerate((2.0, 1.0, 3.0, 1.0)):
        start = 20 * np.exp(R * day)
        gain = S * start / (R + k)
        blood = gain * np.exp(R) + (blood - gain) * np.exp(-k)
        assert found["state"][0, day + 1, 1] == pytest.approx(blood, rel=1e-8)


def test_a_patients_own_day_and_factor(tmp_path: Path) -> None:
    """A time and a factor can be expressions of parameters, which differ between patients."""
    cut = (
        '[[treatment]]\nname = "cut"\nat = "2 * surgery_day"\nset = { tumor = 1 }\n'
        'scale = { growth = "p_settle / 0.4" }\n[population]\npatients = 6\n[population.draw]\n'
        'surgery_day = { dist = "uniform", low = "1 day", high = "3 days" }\n'
        "[ensemble]\nseed = 4\n"
    )
    found = carry_out(tmp_path, cut, "tsit5", **TIGHT)
    day = 2 * found["params"][:, 5]
    assert day.min() > 2.0
    assert len(set(day.tolist())) == 6
    assert_allclose(found["final_state"][:, 0], np.exp(0.5 * R * (8.0 - day)), rtol=1e-8)


def test_clocks_and_censoring(tmp_path: Path) -> None:
    """A clock runs from the moment of a treatment, in arms that go without it as well; what never begins is 0 long."""
    events = (
        event("since", "tumor >= 200", clock='"resection"')
        + event("never", "tumor >= 1e6", clock='"resection"')
        + event("true_before", "tumor >= 25", clock='"resection"')
        + event("unstarted", "tumor >= 1", clock='"late"')
        + event("plain", "tumor >= 40")
        + event("second", "tumor >= 25", clock='"since"')
        + event("waits", "tumor >= 25", after='"since"')
    )
    late = '[[treatment]]\nname = "late"\nat = "tumor >= 1e7"\nset = { tumor = 0 }\n'
    found = carry_out(tmp_path, RESECTION + late + two("resection") + events, "tsit5", **TIGHT)
    without, treated = found["event_time"]
    hit = np.log(10.0) / R
    assert_allclose(without, [hit - MEETS, 8 - MEETS, 0, 0, np.log(2) / R, 0, hit], rtol=1e-8)
    assert found["event_observed"][0].tolist() == [1, 0, 1, 0, 1, 1, 1]
    back = np.log(25 / 6) / R  # days after the operation: never again 200 in time
    assert_allclose(treated, [8 - MEETS, 8 - MEETS, back, 0, np.log(2) / R, 0, 8], rtol=1e-8)
    assert found["event_observed"][1].tolist() == [0, 0, 1, 0, 1, 0, 0]
    assert np.isfinite(found["event_time"]).all()


def test_a_stop_ends_the_trajectory_before_what_comes_with_it(tmp_path: Path) -> None:
    """Status 8, missing rows from there, the last state is that of the event; other kinds are censored there."""
    events = event("stop", "tumor >= 60", stop="true") + event("other", "tumor >= 1e6")
    found = carry_out(tmp_path, RESECTION + events, "tsit5", **TIGHT)
    assert found["status"].tolist() == [Status.STOPPED]
    assert found["final_state"][0, 0] == pytest.approx(60, rel=1e-8)
    assert_allclose(found["event_time"][0], [MEETS, MEETS], rtol=1e-8)
    assert found["event_observed"].tolist() == [[1, 0]]
    there = np.linspace(0.0, 8.0, 17) < MEETS
    assert np.array_equal(~np.isnan(found["state"][0, :, 0]), there)
    assert np.array_equal(found["root_n"][0], there)


def test_chains_repetition_and_an_end_by_an_event(tmp_path: Path) -> None:
    """What comes after at once, at the same moment; a condition once or each time; no doses after an event."""
    follow = '[[treatment]]\nname = "follow"\nstart = { after = "resection" }\nset = { tumor = "tumor + 9" }\n'
    found = carry_out(tmp_path, follow + RESECTION, "tsit5", **TIGHT)  # in whatever order they stand
    assert found["final_state"][0, 0] == pytest.approx(15 * np.exp(R * (8 - MEETS)), rel=1e-8)
    late = follow.replace("tumor + 9", "15").replace('after = "resection"', 'after = "cut", delay = "0 days"')
    found = carry_out(tmp_path, late + RESECTION + event("cut", "tumor < 10"), "tsit5", **TIGHT)
    assert found["final_state"][0, 0] == pytest.approx(15 * np.exp(R * (8 - MEETS)), rel=1e-8)
    deep = RESECTION.replace("0.1 * tumor", "0.5 * tumor")
    once = carry_out(tmp_path, deep, "tsit5", **TIGHT)
    assert once["final_state"][0, 0] == pytest.approx(30 * np.exp(R * (8 - MEETS)), rel=1e-8)
    each = carry_out(tmp_path, deep + "repeat = true\n", "tsit5", **TIGHT)
    again = (8 - MEETS) % (np.log(2) / R)
    assert each["final_state"][0, 0] == pytest.approx(30 * np.exp(R * again), rel=1e-8)
    doses = (
        '[[treatment]]\nname = "doses"\nat = 0\nevery = "1 day"\nstop_if = "large"\nset = { tumor = "2 * tumor" }\n'
        + event("large", "tumor >= 100")
    )
    found = carry_out(tmp_path, doses, "tsit5", **TIGHT)  # 40 on day 0, 119 on day 1 by the second dose, no third
    assert found["final_state"][0, 0] == pytest.approx(80 * np.exp(R * 8), rel=1e-8)
    assert found["event_time"].tolist() == [[1.0]]


def test_the_time_in_a_condition_is_a_stop_of_the_exact_process(tmp_path: Path) -> None:
    """`t >= 2.5` is the same as "2.5 days", to a byte, and an event of the time alone is exact."""
    cut = '[[treatment]]\nname = "cut"\nat = AT\nset = { tumor = 3, blood = "blood / 2" }\n'
    cut += "[ensemble]\ntrajectories = 7\nseed = 2\n"
    by_day = carry_out(tmp_path, cut.replace("AT", '"2.5 days"'), "direct", days=3.5)
    for text in ('"t >= 2.5"', '"t >= surgery_day"', '"surgery_day"', '"60 h"'):
        assert differing(carry_out(tmp_path, cut.replace("AT", text), "direct", days=3.5), by_day) == [], text
    late = event("late", "t >= 3 and tumor >= 0") + event("settled_late", "t >= 3 and settled >= 1")
    found = carry_out(tmp_path, cut.replace("AT", "1") + late, "direct", days=3.5)
    assert (found["event_time"][:, 0] == 3.0).all()
    assert found["event_time"][:, 1].min() == 3.0
    assert found["event_observed"][:, 0].all()


def test_the_exact_process_acts_at_the_event(tmp_path: Path) -> None:
    """The count is 60 at the operation, never more; the rows after it show what was set."""
    cut = RESECTION.replace("0.1 * tumor", "0.033 * tumor") + event("there", "tumor >= 0", clock='"resection"')
    seen = event("at_sixty", "tumor >= 60") + event("over", "tumor >= 61")
    seen += event("low", "tumor == 2", clock='"resection"') + "[ensemble]\ntrajectories = 30\nseed = 9\n"
    found = carry_out(tmp_path, cut + seen, "direct", days=3.5)
    operated = found["event_observed"][:, 1] == 1
    assert 0.5 < operated.mean() < 1.0
    assert np.array_equal(found["event_observed"][:, 0], found["event_observed"][:, 1])
    assert (found["event_time"][operated, 0] == 0.0).all()
    assert (found["event_observed"][operated, 3] == 1).all()
    assert (found["event_time"][operated, 3] == 0.0).all()  # 0.033 * 60 is 1.98, two cells
    short = found["event_time"][operated, 2] > found["event_time"][operated, 1]
    assert short.all()


def test_dosed_deaths_of_the_exact_process(tmp_path: Path) -> None:
    """Blood cells that leave at 2 /day, three times as fast for half of each day: the chance that one stays a day."""
    stop = (
        '[parameters]\ngrowth = 0\nshedding = 0\n[initial]\nblood = 1\ntumor = 0\n'
        '[[treatment]]\nname = "drug"\nat = 0\nevery = "1 day"\nduration = "12 h"\nscale = { leaving = 3 }\n'
    )
    p = float(np.exp(-2.0 * (0.5 * 3 + 0.5)))
    n = fraction_size(p, detect=0.01)
    many = f"[ensemble]\ntrajectories = {n}\nseed = {seed_of()}\n"
    found = carry_out_compiled(tmp_path, stop + many, "direct", days=1.0, saves=2)
    assert_fraction(found["final_state"][:, 1] == 1.0, p, detect=0.01)


def test_shares_and_differences_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the summary, `inspect` and ctcdyn.analysis say, against the rows; a null arm differs by exactly nothing."""
    monkeypatch.chdir(tmp_path)
    text = (
        RESECTION.replace("0.1 * tumor", "0.9 * tumor").replace("60 cells", "450 cells")
        + '[[treatment]]\nname = "null"\nat = 1\nscale = { growth = 1 }\n'
        + two("resection") + '[[arm]]\nname = "null"\ntreatments = ["null"]\n'
        + event("many", "settled >= 120", clock='"resection"') + "[ensemble]\ntrajectories = 300\nseed = 8\n"
    )  # fmt: skip
    code, out, err = command("run", write(tmp_path, text, "next_reaction"), "--progress", "none")
    assert code == 0, err
    with ctcdyn.open("x.h5") as results:
        seen = results.event_observed.reshape(300, 3)
        followed = (seen == 1) | (results.event_time.reshape(300, 3) > 0)
        both = followed[:, 0] & followed[:, 1]
        pairs = seen[both, 1].astype(float) - seen[both, 0]
        found = event_difference(results, "many", "with")
        assert found.n == both.sum() < 300
        assert found.value == pytest.approx(pairs.mean(), abs=1e-15)
        assert found.error == pytest.approx(pairs.std(ddof=1) / np.sqrt(len(pairs)), rel=1e-12)
        apart = seen[both, 1].var(ddof=1) + seen[both, 0].var(ddof=1)
        assert found.gain == pytest.approx(apart / pairs.var(ddof=1), rel=1e-12)
        share = event_share(results, "many", "with")
        assert (share.n, share.value) == (followed[:, 1].sum(), seen[followed[:, 1], 1].mean())
        null = event_difference(results, "many", "null")
        assert (null.value, null.error, null.gain) == (0.0, 0.0, np.inf)
    assert "events up to day 8" in out
    assert "days after resection (of" in out
    assert "days after resection was due (of" in out  # in the arm that does without it
    assert f"(of the {share.n} with resection)" in out
    assert "no pair is unlike another" in out
    assert "times the patients" in out
    code, told, err = command("inspect", "x.h5")
    assert code == 0, err
    assert f"many {100 * share.value:.3g} ± {100 * share.error:.2g} % (with)" in " ".join(told.split())


def test_check_explains_in_words(tmp_path: Path) -> None:
    chemo = (
        '[[treatment]]\nname = "chemo"\nstart = { after = "resection", delay = "1 day" }\n'
        'every = "7 days"\ncycles = 3\nduration = "2 days"\nstop_if = "relapse"\nscale = { growth = 0.5 }\n'
        '[[arm]]\nname = "chemo alone"\ntreatments = ["chemo"]\n'
    )
    text = RESECTION + chemo + event("relapse", "settled >= 5", clock='"resection"', stop="true")
    code, out, err = command("check", write(tmp_path, text, "direct"), "--explain")
    assert code == 0, err
    words = " ".join(out.split())
    lasting = write(tmp_path, text.replace('duration = "2 days"\n', ""), "direct")
    longer = " ".join(command("check", lasting, "--explain")[1].split())
    assert "growth times 0.5 for good, and again each time" in longer
    for said in (
        "once tumor >= 60 cells",
        "tumor becomes 0.1 * tumor",
        "no arm",
        "1 days after resection, every 7 days, 3 times, until relapse",
        "growth times 0.5 for 2 days",
        "chemo alone: chemo counts from when resection would have been given",
        "the trajectory ends",
    ):
        assert said in words, said


def test_keys_in_another_order_are_the_same_kernel(tmp_path: Path) -> None:
    """So that a file, whose settings are sorted by name, can be run again."""
    both = '[[treatment]]\nname = "cut"\nat = 1\nset = { ORDER }\n[ensemble]\ntrajectories = 5\nseed = 2\n'
    one = carry_out(tmp_path, both.replace("ORDER", 'tumor = "blood", blood = "tumor"'), "direct")
    other = carry_out(tmp_path, both.replace("ORDER", 'blood = "tumor", tumor = "blood"'), "direct")
    assert differing(one, other) == []
    text = both.replace("ORDER", 'tumor = "blood", blood = "tumor"')
    start = carry_out(tmp_path, text.replace("at = 1", "at = 0"), "direct", days=1.0)
    assert start["state"][:, 0, :2].tolist() == [[0.0, 20.0]] * 5  # swapped: each sees the state before


def test_rows_of_an_arm_are_found(tmp_path: Path) -> None:
    """The helper of these tests itself: arms alternate."""
    found = carry_out(tmp_path, RESECTION + two("resection") + "[ensemble]\ntrajectories = 3\nseed = 2\n", "tsit5")
    assert (of_arm(found, 0, 2)["final_state"][:, 0] > of_arm(found, 1, 2)["final_state"][:, 0]).all()
    assert len(of_arm(found, 1, 2)["status"]) == 3
