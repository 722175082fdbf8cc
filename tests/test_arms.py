"""Arms share patients and chance: a treatment that changes nothing changes no byte, for every shipped solver."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ctcdyn
from arms import Halting, carry_out, of_arm, prepared, write
from commands import command
from ctcdyn.codegen.kernel import link
from ctcdyn.config import load_study
from ctcdyn.errors import Interrupted, Status
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.replay import replay
from ctcdyn.store.content import content_hash
from ctcdyn.study import run
from instances import SOLVERS, Content, differing, seed_for

TREATMENTS = """
[[treatment]]
name = "resection"
at = "tumor >= {limit}"
set = {{ tumor = "tumor * {rest}", settled = "settled" }}
[[treatment]]
name = "chemo"
start = {{ after = "resection", delay = "0.5 days", jitter = "0.4 days" }}
every = "1 day"
cycles = 3
duration = "0.75 days"
stop = "2.5 days"
adherence = 0.8
scale = {{ stay = {stay}, growth = {growth} }}
[[treatment]]
name = "diet"
at = "surgery_day"
scale = {{ shedding = {shedding} }}
[[event]]
name = "relapse"
when = "settled >= 12"
clock = "resection"
[[event]]
name = "large"
when = "tumor >= 50"
"""
REAL = TREATMENTS.format(limit="60", rest=0.1, stay=0.5, growth=0.7, shedding=1.5)
NULL = TREATMENTS.format(limit="60", rest=1.0, stay=1, growth=1.0, shedding=1)
ALL = '["resection", "chemo", "diet"]'


def arms(**given: str) -> str:
    return "".join(f'[[arm]]\nname = "{name}"\ntreatments = {which}\n' for name, which in given.items())


def population(pairs: int, seed: int, more: str = "") -> str:
    """So many patients in two replicates, who differ in their growth."""
    draw = 'growth = { dist = "lognormal", median = "0.4 /day", gsd = 1.2 }\n'
    return (
        f"[population]\npatients = {pairs // 2}\n{more}[population.draw]\n{draw}"
        f"[ensemble]\nreplicates = 2\nseed = {seed}\n"
    )


@pytest.fixture(scope="module", params=SOLVERS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def three(method: str, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """Control, one treatment of three, and all of them: 120 pairs."""
    some = arms(control="[]", some='["diet"]', all=ALL)
    return carry_out(tmp_path_factory.mktemp("three"), REAL + some + population(120, seed_for(method)), method)


def test_a_null_treatment_changes_no_byte(method: str, three: Content, tmp_path: Path) -> None:
    """Given or not, for good or for a time; and the same study with other numbers does change them."""
    text = NULL + arms(control="[]", null=ALL, some='["chemo"]') + population(120, seed_for(method))
    null = carry_out(tmp_path, text, method)
    first = of_arm(null, 0, 3)
    assert {"state", "final_state", "event_time", "event_observed", "status", "n_steps"} <= set(first)
    assert differing(of_arm(null, 1, 3), first) == []
    assert differing(of_arm(null, 2, 3), first) == []
    assert differing(of_arm(three, 0, 3), first) == []
    for arm in (1, 2):
        assert {"state", "final_state"} <= set(differing(of_arm(three, arm, 3), first))
    assert np.isin(null["status"], [Status.OK, Status.EXTINCT]).all()
    assert null["event_observed"].mean(axis=0).min() > 0.1


def test_an_arm_is_the_same_alone_and_in_any_order(method: str, three: Content, tmp_path: Path) -> None:
    """Rows of an arm know nothing of the others; where a row stands follows from the order."""
    patients = population(120, seed_for(method))
    alone = carry_out(tmp_path, REAL + arms(all=ALL) + patients, method)
    assert differing(of_arm(alone, 0, 1), of_arm(three, 2, 3)) == []
    without = carry_out(tmp_path, REAL + patients, method)  # no [[arm]]: every treatment is given
    assert differing(without, alone) == []
    turned = carry_out(tmp_path, REAL + arms(all=ALL, control="[]", some='["diet"]') + patients, method)
    for here, there in ((0, 2), (1, 0), (2, 1)):
        assert differing(of_arm(turned, here, 3), of_arm(three, there, 3)) == []


def test_arms_agree_until_the_first_treatment(method: str, three: Content) -> None:
    """Patients, draws and paths are those of the control up to the day of the diet."""
    control, some = of_arm(three, 0, 3), of_arm(three, 1, 3)
    assert differing(control, some, ["params"]) == []
    before = np.linspace(0.0, 8.0, 17) < 2.5
    assert control["state"][:, before].tobytes() == some["state"][:, before].tobytes()
    assert control["state"][:, ~before].tobytes() != some["state"][:, ~before].tobytes()


def test_threads(method: str, tmp_path: Path) -> None:
    text = REAL + arms(control="[]", all=ALL) + population(600, seed_for(method))
    one = carry_out(tmp_path, text, method)
    assert differing(carry_out(tmp_path, text, method, threads=3), one) == []


def test_numbers_of_treatments_and_arms_compile_nothing(tmp_path: Path) -> None:
    """Times, doses, thresholds, and who gets what are data."""
    keys = set()
    for text in (REAL, NULL, REAL.replace("60", "1e3").replace("0.5 days", "3 h").replace("cycles = 3", "cycles = 9")):
        for which in (arms(a="[]"), arms(a=ALL, b="[]"), ""):
            study = load_study(write(tmp_path, text + which, "direct"))
            keys.add(link(resolve(load_model(study.model), study).network, "direct").key)
    assert len(keys) == 1


def test_files_of_two_arms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards give the content of the whole; keep = 10 keeps both arms of ten; a replay knows its arm."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, REAL + arms(control="[]", all=ALL) + population(700, 11), "direct")
    text = path.read_text(encoding="utf-8").replace('keep = "all"', "keep = 10")
    path.write_text(text, encoding="utf-8")
    with run(path, threads=2, overwrite=True) as results:
        whole = content_hash(results.path)
        assert results.schema.count == 1400
        assert results.arm == ("control", "all")
        assert results["arm_index"].tolist() == [0, 1] * 700
        assert np.array_equal(results["patient_id"], np.repeat(np.arange(350), 4))
        assert results.kept.tolist() == list(range(20))
        assert results["kept_arm"].tolist() == [0, 1] * 10
        assert results.mean.shape == (2, 17, 3)
        assert results.n_valid.tolist() == [[700] * 17] * 2
        dataset = results.to_xarray()
        assert dataset["mean"].sel(arm="all", species="tumor").shape == (17,)
    again = replay("x.h5", 13)
    assert again.differing == ()
    assert "state" in again.compared
    assert again.results.arm == ("control", "all")
    assert again.results["arm_index"].tolist() == [1]
    for part in (1, 2, 3):
        command("run", path, "--shard", f"{part}/3", "-o", f"part{part}.h5", "--progress", "none")
    code, _, err = command("merge", "merged.h5", "part1.h5", "part2.h5", "part3.h5", "--copy")
    assert code == 0, err
    assert content_hash("merged.h5") == whole
    with ctcdyn.open("part2.h5") as part:
        assert part.schema.first % 2 == 0


def test_a_run_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two arms, halted and resumed with another number of threads: the content of the whole."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, REAL + arms(control="[]", all=ALL) + population(700, 11), "direct")
    with run(path) as results:
        whole = content_hash(results.path)
    Path("x.h5").unlink()
    halting = Halting()
    with pytest.raises(Interrupted):
        run(path, threads=2, progress=halting, interruption=halting)  # type: ignore[arg-type]
    assert not Path("x.h5").exists()
    with run(path, threads=1, resume=True) as results:
        assert content_hash(results.path) == whole


def test_a_wrong_set_ends_a_trajectory(tmp_path: Path) -> None:
    """Less than nothing is no count: status 2, in the arm that gives it alone."""
    text = '[[treatment]]\nname = "cut"\nat = 3\nset = { tumor = "tumor - 1e6" }\n' + arms(none="[]", cut='["cut"]')
    for method in ("direct", "tsit5"):
        found = carry_out(tmp_path, text + "[ensemble]\ntrajectories = 20\nseed = 3\n", method)
        assert (found["status"][1::2] == Status.NOT_FINITE).all()
        assert np.isin(found["status"][::2], [Status.OK, Status.EXTINCT]).all()
        assert np.isnan(found["final_state"][1::2]).all()


def test_a_kernel_of_arms_is_that_of_its_study(tmp_path: Path) -> None:
    """The ensemble hands each arm its own column of ones and noughts."""
    path = write(tmp_path, REAL + arms(control="[]", some='["diet"]', all=ALL), "direct")
    _, ensemble = prepared(path)
    assert ensemble.arms == 3
    assert ensemble.given is not None
    assert ensemble.given.tolist() == [[False] * 3, [False, False, True], [True] * 3]
