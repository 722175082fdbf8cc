"""Treatments that scatter, are missed, and end: jitter, adherence and stop, their laws and who shares their draws."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from arms import carry_out, of_arm, prepared, uncompiled, write
from chance import assert_cdf, assert_fraction, cdf_size, fraction_size, seed_of
from colonies import model
from commands import command
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.layout import extra_values
from ctcdyn.config import load_study
from ctcdyn.draws import fill
from ctcdyn.ensemble import Ensemble, Range
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network, Treatment
from ctcdyn.model.resolve import resolve
from ctcdyn.preparation import ensemble_of
from instances import SOLVERS, Content, content, differing
from networks import relapse
from replay import philox

STILL = "[parameters]\ngrowth = 0\nshedding = 0\n"  # nothing happens but treatments
DOSES = (
    '[[treatment]]\nname = "doses"\nstart = { at = "2 days", jitter = "0.75 days" }\nevery = "0.5 days"\ncycles = 6\n'
    'adherence = 0.7\nset = { settled = "settled + 1" }\n'
)


def some(n: int, seed: int = 4) -> str:
    return f"[ensemble]\ntrajectories = {n}\nseed = {seed}\n"


def lines(found: Content, k: int) -> np.ndarray:
    """(time, treatment, settled cells) of every application of trajectory k, taken or not."""
    ends = np.cumsum(found["logged"])
    return np.asarray(found["log"][ends[k] - found["logged"][k] : ends[k]])


def with_treatment(treatment: Treatment) -> Network:
    return replace(relapse(), treatments=(treatment,))


def shifts(treatment: Treatment, count: int, seed: int, start: float = 0.0, first: int = 0) -> np.ndarray:
    """Days by which the first application of this treatment is shifted, of pairs from `first` on."""
    network = with_treatment(treatment)
    names = [*network.parameter_names, *extra_values(network)]
    rows = np.zeros((count, len(names)))
    rows[:, : len(network.parameters)] = network.parameter_values()
    fill(network, seed, start, np.arange(first, first + count), rows)
    return np.asarray(rows[:, names.index(f"{treatment.name}__shift")])


def test_the_law_of_the_first_application() -> None:
    """Normal with this deviation, given that it is not before what it follows or the start of the run."""
    n = cdf_size(0.04)
    for after in (Treatment("x", None, after="y", delay=5.0, jitter=2.0), Treatment("x", 6.0, delay=1.0, jitter=2.0)):
        start = 2.0 if after.at is not None else 0.0
        found = shifts(after, n, seed_of(after.after), start)
        assert_cdf(found, stats.truncnorm(-2.5, np.inf, scale=2.0).cdf, detect=0.04)
        assert found.min() >= -5.0
    at_once = shifts(Treatment("x", None, after="y", jitter=2.0), n, seed_of("half"))
    assert_cdf(at_once, stats.halfnorm(scale=2.0).cdf, detect=0.04)
    assert (shifts(Treatment("x", 3.0, jitter=0.0), 9, 1) == 0.0).all()
    never = shifts(Treatment("x", -1e9, jitter=1e-3), 9, 1)  # before the run: not given, and yet a number
    assert np.isfinite(never).all()


def test_draws_are_those_of_a_pair_and_a_name() -> None:
    """Whatever range it is in, and whatever else there is; another name, pair or seed is another draw."""
    x = Treatment("x", 9.0, jitter=1.0)
    whole = shifts(x, 500, 7)
    assert_array_equal(shifts(x, 100, 7, first=300), whole[300:400])
    assert len(set(whole.tolist())) == 500
    for other in (shifts(replace(x, name="y"), 500, 7), shifts(x, 500, 8)):
        assert abs(np.corrcoef(whole, other)[0, 1]) < 0.25
    network = replace(relapse(), treatments=(Treatment("y", 3.0, jitter=2.0, adherence=0.5), x))
    names = [*network.parameter_names, *extra_values(network)]
    rows = np.zeros((500, len(names)))
    fill(network, 7, 0.0, np.arange(500), rows)
    assert_array_equal(rows[:, names.index("x__shift")], whole)


@pytest.fixture(scope="module")
def doses(tmp_path_factory: pytest.TempPathFactory) -> Content:
    return carry_out(tmp_path_factory.mktemp("doses"), STILL + DOSES + some(40), "direct", plain=True)


def test_which_are_taken_is_as_documented(doses: Content) -> None:
    """Each with its own chance; against draws written down anew from docs/reproducibility.md."""
    number = int.from_bytes(blake2b(b"doses", digest_size=4).digest(), "big") >> 1

    def bits(x: float) -> list[int]:
        word = int(np.float64(x).view(np.uint64))
        return [word & 0xFFFFFFFF, word >> 32]

    def uniform(words: list[int]) -> float:
        return ((words[0] | words[1] << 32) >> 12) * 2.0**-52 + 2.0**-53

    key = uniform(philox([0, 0, 3 | 1 << 31, 2 * number + 1], [4, 0]))
    for k in range(40):
        first = stats.norm.isf(stats.norm.sf(-2 / 0.75) * uniform(philox([k, 0, 3 | 1 << 31, 2 * number], [4, 0])))
        told = lines(doses, k)
        assert_allclose(told[:, 0], 2.0 + 0.75 * first + 0.5 * np.arange(6), rtol=1e-12)
        taken = [uniform(philox([*bits(float(k)), *bits(float(m))], bits(key))) < 0.7 for m in range(6)]
        assert told[:, 2].tolist() == np.cumsum(taken).tolist()


@pytest.mark.parametrize("method", SOLVERS)
def test_every_method_has_the_same_schedules(method: str, doses: Content, tmp_path: Path) -> None:
    found = carry_out(tmp_path, STILL + DOSES + some(4), method, plain=True, saves=2)
    for k in range(4):
        assert_array_equal(lines(found, k), lines(doses, k))


def test_the_share_that_is_taken(tmp_path: Path) -> None:
    n = fraction_size(0.7, detect=0.08)
    often = DOSES.replace("cycles = 6", "cycles = 25").replace("0.5 days", "0.1 days")
    found = carry_out(tmp_path, STILL + often + some(n // 25 + 1, seed_of()), "direct", plain=True, days=15.0, saves=2)
    taken = np.diff(found["log"].reshape(-1, 25, 3)[:, :, 2], axis=1, prepend=0.0) == 1.0
    assert_fraction(taken.ravel(), 0.7, detect=0.08)
    pairs = taken[:, 1:] & taken[:, :-1]  # no dose knows of the one before
    assert_fraction(pairs[:, ::2].ravel(), 0.49, detect=0.15)


def test_arms_share_them_and_no_treatment_moves_another(doses: Content, tmp_path: Path) -> None:
    """Given or not: the same times; a null treatment changes no byte; another treatment before it neither."""
    null = '[[treatment]]\nname = "null"\nstart = { after = "doses", jitter = "1 day" }\nevery = "1 day"\n'
    null += 'stop = "2 days"\n'
    null += "adherence = 0.4\nscale = { stay = 1 }\n"
    both = '[[arm]]\nname = "no"\ntreatments = ["doses"]\n[[arm]]\nname = "null"\ntreatments = ["doses", "null"]\n'
    more = STILL + null + DOSES + both + '[[arm]]\nname = "none"\ntreatments = ["null"]\n' + some(40)
    found = carry_out(tmp_path, more, "direct", plain=True)
    assert differing(of_arm(found, 0, 3), of_arm(found, 1, 3)) == []
    assert differing(of_arm(found, 0, 3), of_arm(doses, 0, 1), ["state", "final_state"]) == []
    assert (of_arm(found, 2, 3)["final_state"][:, 2] == 0.0).all()
    for k in range(40):
        mine = [lines(found, 3 * k + arm) for arm in (0, 1, 2)]
        assert_array_equal(mine[0][:, :2], mine[2][:, :2])
        given = mine[0][mine[0][:, 1] == 1.0]
        assert_array_equal(given[:, [0, 2]], lines(doses, k)[:, [0, 2]])


def test_the_same_bits_for_any_ranges(tmp_path: Path) -> None:
    text = STILL + DOSES + "[population]\npatients = 300\n[population.draw]\n" + (
        'surgery_day = { dist = "uniform", low = "1 day", high = "3 days" }\n[ensemble]\nseed = 3\n'
    )  # fmt: skip
    text = text.replace('at = "2 days"', 'at = "surgery_day"')
    kernel, ensemble = prepared(write(tmp_path, text, "direct", saves=3), plain=True)
    with np.errstate(all="ignore"):
        whole = content(kernel, ensemble)
        parts = content(kernel, ensemble, 1, [Range(256, 44), Range(0, 256)])
    assert differing(whole, parts) == []
    first = np.array([lines(whole, k)[0, 0] for k in range(300)])
    assert np.corrcoef(first, whole["params"][:, 5])[0, 1] > 0.4


def test_numbers_compile_nothing(tmp_path: Path) -> None:
    stopped = DOSES.replace("cycles = 6", 'cycles = 6\nstop = "2 days"')
    keys = set()
    for text in (stopped, stopped.replace("0.75", "0.2").replace("0.7", "1.0").replace("2 days", "9 h")):
        study = load_study(write(tmp_path, text, "direct"))
        keys.add(link(resolve(load_model(study.model), study).network, "direct").key)
    assert len(keys) == 1


ENDS = [("1 day", "3 days", 3), ("0.1 days", "1 day", 10), ("1 day", "2.5 days", 3)]


@pytest.mark.parametrize(("every", "stop", "times"), ENDS)
def test_nothing_is_given_after_a_stop(every: str, stop: str, times: int, tmp_path: Path) -> None:
    text = '[[treatment]]\nname = "doses"\nat = "1 day"\nset = { settled = "settled + 1" }\n'
    text += f'every = "{every}"\nstop = "{stop}"\n'
    found = carry_out(tmp_path, STILL + text + some(1), "direct", plain=True)
    assert found["final_state"][0, 2] == times
    assert len(lines(found, 0)) == times
    few = carry_out(tmp_path, STILL + text + "cycles = 2\n" + some(1), "direct", plain=True)
    assert few["final_state"][0, 2] == 2


def test_a_stop_ends_a_scale_and_a_repeated_treatment(tmp_path: Path) -> None:
    """A drug for half of each day, ended within its third half day; an operation each time, for four days."""
    drug = '[[treatment]]\nname = "drug"\nat = "1 day"\nevery = "1 day"\nduration = "12 h"\nstop = "2.25 days"\n'
    found = carry_out(tmp_path, drug + "scale = { growth = 0.5 }\n" + some(1), "tsit5", plain=True, rtol=1e-10)
    assert_allclose(found["final_state"][0, 0], 20 * np.exp(0.4 * (8 - 0.5 * 1.25)), rtol=1e-8)
    cut = '[[treatment]]\nname = "cut"\nat = "tumor >= 30"\nrepeat = true\nset = { tumor = 20 }\nstop = "4 days"\n'
    found = carry_out(tmp_path, cut + some(1), "tsit5", plain=True, rtol=1e-10)
    again = np.log(1.5) / 0.4  # days from 20 to 30
    times = 1 + int(4.0 / again)
    assert_allclose(found["final_state"][0, 0], 20 * np.exp(0.4 * (8 - times * again)), rtol=1e-7)


def test_what_follows_counts_from_a_dose_that_was_missed(tmp_path: Path) -> None:
    """The first application has its time in everybody, as in an arm that goes without it."""
    text = DOSES.replace("adherence = 0.7", "adherence = 0")
    text += '[[treatment]]\nname = "late"\nstart = { after = "doses", delay = "1 day" }\nset = { tumor = 5 }\n'
    found = carry_out(tmp_path, STILL + text + some(30), "direct", plain=True)
    assert (found["final_state"][:, 2] == 0.0).all()
    for k in range(30):
        told = lines(found, k)
        assert_allclose(told[told[:, 1] == 1.0, 0], told[0, 0] + 1.0, rtol=1e-14)


@pytest.mark.parametrize("method", ["moments", "backward"])
def test_methods_without_paths_follow_the_schedule_of_each_patient(method: str, tmp_path: Path) -> None:
    """As if the day that was drawn were in the study."""
    clear = '[[treatment]]\nname = "clear"\nstart = { at = AT }\nduration = "1 day"\nscale = { leaving = 5 }\n'
    clear += "[initial]\nblood = 3\n"
    clear += '[[event]]\nname = "seen"\nwhen = "settled >= 1"\n' if method == "backward" else ""
    scattered = clear.replace("AT", '"2 days", jitter = "1 day"')
    found = carry_out(tmp_path, scattered + some(3), method, plain=True)
    names = ("state", "observables")
    assert len({found["observables"][k].tobytes() for k in range(3)}) == 3
    for k in range(3):
        day = repr(float(lines(found, k)[0, 0]))
        alone = carry_out(tmp_path, clear.replace("AT", day) + some(1), method, plain=True)
        for name in names:
            assert_allclose(found[name][k], alone[name][0], rtol=1e-5, atol=1e-7)


def test_lesions_follow_their_patient(tmp_path: Path) -> None:
    """Every dose that the patient takes adds a cell to its lesion at the same moment, whatever started the doses."""
    patient = {"settle": ("seed -> lesion", "1e3 * seed"), "stand": ("tumor ->", "1e-12 * tumor")}
    rare = {"wither": ("cells ->", "1e-12 * cells")}
    model(tmp_path, "seed = { initial = 1 }\nmarks = {}\ntumor = { initial = 1 }", {"b": 1.0}, patient, rare)
    dose = 'every = "2 days"\nadherence = 0.6\nset = { marks = "marks + 1", cells = "cells + 1" }\n'
    (tmp_path / "study.toml").write_text(
        'schema = 1\n[model]\nfile = "colonies.toml"\n'
        '[[treatment]]\nname = "by_day"\nstart = { at = "3 days", jitter = "1 day" }\nstop = "5 days"\n' + dose +
        '[[treatment]]\nname = "by_state"\nstart = { at = "tumor >= 1", delay = "2 days", jitter = "1 day" }\n' + dose +
        '[[treatment]]\nname = "after"\nstart = { after = "by_state", delay = 1, jitter = 1 }\ncycles = 3\n' + dose +
        '[[treatment]]\nname = "after_event"\nstart = { after = "there", delay = 1, jitter = "1 day" }\ncycles = 3\n' +
        dose + '[[event]]\nname = "there"\nwhen = "t >= 2"\n'
        '[simulate]\nmethod = "direct"\nt_end = 12\nsave = { n = 97 }\n[lesion]\nmethod = "direct"\n'
        '[output]\nkeep = "all"\n' + some(30)
    )  # fmt: skip
    study = load_study(tmp_path / "study.toml")
    resolved = resolve(load_model(study.model), study)
    linked = link(resolved.network, "direct", tmp_path, width=3)
    assert linked.lesion is not None
    kernel = replace(uncompiled(linked, tmp_path), lesion=uncompiled(linked.lesion, tmp_path))
    ensemble: Ensemble = ensemble_of(study, resolved)
    with np.errstate(all="ignore"):
        found = content(kernel, ensemble)
    cells = found["observables"][:, :, kernel.emission.observables.index("lesion_cells")]
    marks = found["state"][:, :, 1]
    born = cells[:, 1:2] - marks[:, 1:2]  # the cell that it begins with
    assert (born == 1.0).all()
    assert_array_equal(cells[:, 1:] - marks[:, 1:], np.ones_like(marks[:, 1:]))
    assert len({row.tobytes() for row in marks}) == 30


def test_check_explains_in_words(tmp_path: Path) -> None:
    text = DOSES.replace("cycles = 6", 'stop = "3 days"')
    code, out, err = command("check", write(tmp_path, text, "direct"), "--explain")
    assert code == 0, err
    words = " ".join(out.split())
    assert "at 2 days (scatters by 0.75 days), every 0.5 days, for 3 days, each taken with a chance of 70 %" in words
