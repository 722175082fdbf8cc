"""The contract on its toy model, item by item, with the kernels of both semantics."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import checks
import ctcdyn.kernels
from chance import seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.toy import pages, toy
from ctcdyn.model.expr import parse
from ctcdyn.model.network import Observable, Treatment
from drive import Drive
from flow import flow
from mutants import PATIENTS, subject
from networks import network
from replay import CLOCKS, replay

NET, DAYS = toy(), 9.0
GRID = np.linspace(0.0, DAYS, 91)
SOLVERS = ("direct", "next_reaction", "logarithmic_direct", "tsit5", "rodas5p")


@pytest.fixture(scope="module")
def module() -> Any:
    return {method: link(NET, method).compile().module for method in SOLVERS}


def test_contract_is_what_the_emitter_writes() -> None:
    folder = Path(ctcdyn.kernels.__path__[0])
    written = pages()
    assert {f"toy/{file.name}" for file in (folder / "toy").glob("*.py")} == written.keys() - {"contract.py"}
    for place, text in written.items():
        assert (folder / place).read_text(encoding="utf-8") == text, place


ALONE = """
import hashlib, importlib, sys
import numpy as np
from ctcdyn.codegen.toy import toy
from drive import Drive
import ctcdyn.kernels.contract as contract, ctcdyn.kernels.lanes as lanes
for name in sys.argv[1:]:
    solver = importlib.import_module("ctcdyn.solvers." + name)
    for source in (contract, lanes):
        for key, value in vars(source).items():
            vars(solver).setdefault(key, value)
    run = Drive(solver, toy(), np.linspace(0.0, 3.0, 31), count=20, seed=5).go()
    print(hashlib.sha256(run.bytes()).hexdigest())
"""


def test_solver_files_run_by_themselves(module: Any) -> None:
    """A solver file, imported as it is, runs on the contract's toy: in plain Python, the bytes of the linked kernel."""
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path}
    command = [sys.executable, "-c", ALONE, *SOLVERS]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    for method, found in zip(SOLVERS, done.stdout.split(), strict=True):
        run = Drive(module[method], NET, np.linspace(0.0, 3.0, 31), count=20, seed=5).go()
        assert found == hashlib.sha256(run.bytes()).hexdigest(), method


def test_schedule_guard_switch_and_scaling_by_lane(module: Any) -> None:
    """Dose days, conditions and switches of their own: every trajectory as the replay with its numbers."""
    net, days = subject("toy")
    for method in CLOCKS:
        checks.check_patients(module[method], net, days, PATIENTS)
        checks.check_caps(module[method], net, days, 300)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_ode_with_treatments_switch_and_passage(module: Any, method: str) -> None:
    """The checks that kill the mutants, then patients whose doses and conditions differ."""
    net, days = subject("toy")
    checks.check_ode(module[method], net, days)
    patients = {"dose_day": [0.7, 2.5, 4.0], "detectable": [15.0, 9.0, 40.0], "holiday": [3.3, 1.0, 50.0]}
    grid = np.linspace(0.0, days, 25)
    run = Drive(module[method], net, grid, count=3, values=patients, rtol=1e-9, atol=1e-9).go()
    for k in range(3):
        truth = flow(net, grid.tolist(), {name: x[k] for name, x in patients.items()})
        assert_allclose(run.state[k], truth.state, rtol=1e-6, atol=1e-6)
        assert_allclose(run.rows[k, :, 2], truth.fluxes[:, 2], rtol=1e-6, atol=1e-6)
        assert_allclose(run.logs(k), truth.log, rtol=1e-6, atol=1e-6)
        assert_allclose(run.passed[k], truth.passed.get("detection", np.inf), rtol=1e-6)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_order_and_dense_output(method: str) -> None:
    """As the mutants of Jacobians and tables are told apart."""
    net, days = subject("kuznetsov_1994")
    kernel = link(net, method).compile().module
    checks.check_ode(kernel, net, days)
    checks.check_order(kernel, net, days, order=5.0, dense=4.0)


def test_clearance_is_scaled_three_times(module: Any) -> None:
    """Effective-parameter rows: 1.5 ** 3 after three daily doses, seen in the steady blood count of the ODE."""
    values = {"swing": 0.0, "detectable": 1e6, "holiday": 1e6}
    run = Drive(module["rodas5p"], NET, [0.0, 1.99, 60.0], count=1, values=values, rtol=1e-9, atol=1e-9).go()
    start = 24.0 - 4.0 * np.exp(-2.5 * 1.99)  # 60 / (2 + 0.5), from 20
    assert_allclose(run.state[0, 1, 0], start, rtol=1e-7)
    assert_allclose(run.state[0, 2, 0], 60.0 / (2.0 * 1.5**3 + 0.5), rtol=1e-7)
    assert_allclose(run.logs(0), [(2.0, 0.0, 0.0), (3.0, 0.0, 0.0), (4.0, 0.0, 0.0)], rtol=1e-14)


@pytest.mark.parametrize("method", SOLVERS)
def test_halt_and_re_entry_change_no_byte(module: Any, method: str) -> None:
    """The halt word ends a call within a time slice; the next call goes on as if nothing had been."""
    kernel = module[method]
    count = 3000 if method not in CLOCKS else 400  # enough sweeps to be polled
    seed = seed_of()
    whole = Drive(kernel, NET, GRID[::10], count=count, seed=seed).go()
    halted = Drive(kernel, NET, GRID[::10], count=count, seed=seed)
    halted.halt[0] = 1
    codes = [halted.call()]
    assert codes[0] == kernel.HALTED
    assert 255 in halted.status
    while codes[-1] != kernel.DONE:
        halted.halt[0] = len(codes) % 3 > 0
        codes.append(halted.call())
    assert codes.count(kernel.HALTED) > 2
    assert halted.bytes() == whole.bytes()


def test_patience_slices_time(module: Any) -> None:
    """A call also returns after so many polls, with the halt word clear."""
    run = Drive(module["direct"], NET, GRID, count=400, seed=seed_of())
    whole = Drive(module["direct"], NET, GRID, count=400, seed=seed_of()).go()
    calls = 0
    while True:
        run.task[run.module.PATIENCE] = 1
        if run.call() == run.module.DONE:
            break
        calls += 1
    assert calls > 3
    assert run.bytes() == whole.bytes()


def test_first_passage_and_censoring(module: Any) -> None:
    """Observed at the event that makes it true, inf where it never is, and at the start where it holds already."""
    seed = seed_of()
    values = {"detectable": np.array([5.0, 12.0, 3.0, 1e6])}
    run = Drive(module["direct"], NET, GRID, count=4, seed=seed, values=values).go()
    for k, threshold in enumerate(values["detectable"]):
        path = replay(NET.with_values({"detectable": threshold}), DAYS, seed, k)
        assert run.passed[k, 0] == pytest.approx(path.passed.get("detection", np.inf), rel=1e-12)
    assert run.passed[2, 0] == 0.0
    assert run.passed[3, 0] == np.inf
    assert_array_equal(run.ended, DAYS)


@pytest.mark.parametrize("method", ["direct", "tsit5"])
def test_log_is_capped_and_says_so(module: Any, method: str) -> None:
    """64 entries are held; one more is a status, and the first 64 are still there. Doses by the clock fill half."""
    lots = {"dose__every": 0.1, "dose__cycles": np.array([3.0, 3.0, 64.0]), "dose__x_clearance": 1.001}
    lots |= {"detectable": np.array([1e6, 0.5, 1e6]), "extravasation": np.array([0.5, 20.0, 0.5])}
    run = Drive(module[method], NET, GRID, count=3, seed=seed_of(), values=lots).go()
    assert run.status.tolist() == [0, 7, 0]
    assert run.logged.tolist() == [3, 65, 32]
    assert_allclose([t for t, _, _ in run.logs(2)], 2.0 + 0.1 * np.arange(32), rtol=1e-12)
    assert len(run.logs(1)) == 64
    assert np.isnan(run.rows[1, -1]).all()
    assert np.isnan(run.final[1]).all()
    assert not np.isnan(run.rows[[0, 2]]).any()


def test_event_cap_is_noticed_at_the_same_event(module: Any) -> None:
    """Also in windows so wide that nothing but the poll looks at a lane: two widths, the same bytes."""
    narrow = link(NET, "direct", width=16).compile().module
    kernels = (module["direct"], narrow)
    runs = [
        Drive(m, NET, [0.0, DAYS], count=100, seed=seed_of(), max_events=300, window=7.0).go()
        for m in kernels
    ]
    assert 5 in runs[0].status
    assert runs[0].bytes() == runs[1].bytes()


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_step_cap(module: Any, method: str) -> None:
    run = Drive(module[method], NET, GRID, count=3, max_steps=12).go()
    assert run.status.tolist() == [4, 4, 4]
    assert run.work.tolist() == [13, 13, 13]
    assert np.isnan(run.rows[:, -1]).all()


def test_counts_that_are_no_numbers_are_a_status(module: Any) -> None:
    """A negative or missing parameter, and a count beyond 2**53, end a trajectory; its neighbours go on."""
    values = {"seeded": np.array([3.0, 2.0**60, 3.0, np.nan]), "death": np.array([0.1, 0.1, -0.1, 0.1])}
    run = Drive(
        module["direct"], NET, GRID, count=4, seed=seed_of(), values=values | {"detectable": 1e300}
    ).go()
    assert run.status.tolist() == [0, 6, 2, 2]
    assert np.isnan(run.rows[1:]).all()


def test_stop_flag(module: Any) -> None:
    """Bit 2 of `apply` ends a lane there with status 8: rows up to the stop stay, later ones are missing."""
    source = link(NET, "direct", width=16).source
    start = source.index("def apply(")
    marked = source[start:].replace("return changed", "return changed | (2 if w[TIME + i] >= 3.0 else 0)", 1)
    command = [sys.executable, "-c", STOPPED]
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path}
    done = subprocess.run(command, input=source[:start] + marked, capture_output=True, text=True,
                          env=environment, check=True)  # fmt: skip
    assert done.stdout.split() == ["8", "8", "True", "True", "False"]


STOPPED = """
import sys
import numpy as np
from types import ModuleType
from ctcdyn.codegen.toy import toy
from drive import Drive
m = ModuleType("stopped")
exec(sys.stdin.read(), m.__dict__)
run = Drive(m, toy(), np.linspace(0.0, 9.0, 91), count=2, seed=3).go()
known = ~np.isnan(run.rows[:, :, 0])
print(*run.status, known[:, :30].all(), np.isnan(run.rows[:, 45:]).all(), np.isnan(run.final).any())
"""


def test_a_condition_that_its_treatment_does_not_end() -> None:
    """It counts again each time it becomes true, whoever made it false; in an arm that goes without it as well."""
    dose, surgery = NET.treatments
    net = replace(NET, treatments=(dose, replace(surgery, set=((1, parse("tissue + 0")),))))
    net = net.with_values({"detectable": 9.0, "death": 1.1})
    kernel = link(net, "direct").compile().module
    given = {"surgery__given": np.array([1.0, 0.0, 1.0, 0.0])}
    run = Drive(kernel, net, [0.0, 3.0], count=4, arms=2, seed=seed_of(), values=given).go()
    for k in range(4):
        path = replay(net, 3.0, seed_of(), k // 2)
        operations = [line for line in path.log if line[1] == 1.0]
        assert_allclose([line for line in run.logs(k) if line[1] == 1.0], operations, rtol=1e-12)
        assert len(operations) > 1
        assert run.status[k] == 0


def test_treatment_at_a_fixed_time_sets_a_species() -> None:
    """A time given as a number is data as well; a save at a stop shows the state after it; a passage that a
    treatment makes true is passed at its time.
    """
    net = network(
        "reset", {"a": 50.0}, {"loss": 1.0}, {"go": ("a ->", "loss")},
        treatments=(Treatment("refill", 0.5, set=((0, parse("a + 100")),), every=0.25, cycles=2),),
        observables=(
            Observable("full", None, "first_passage", {"when": parse("a >= 120")}, "d", realised="passage"),
        ),
    )  # fmt: skip
    kernel = link(net, "direct").compile().module
    grid = np.linspace(0.0, 1.0, 41)
    run = Drive(kernel, net, grid, count=6, seed=seed_of()).go()
    for k in range(6):
        path = replay(net, 1.0, seed_of(), k)
        assert_array_equal(run.state[k], path.at(grid))
        assert_allclose(run.logs(k), path.log, rtol=1e-12)
        assert [t for t, _, _ in run.logs(k)] == [0.5, 0.75]
        assert run.passed[k, 0] == path.passed["full"]
        assert run.passed[k, 0] in (0.5, 0.75)
