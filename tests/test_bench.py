"""`ctcdyn bench`: records, facts, and whether a slowdown is told from a machine that drifts. No time is asserted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands import command
from ctcdyn.cli import bench, facts, timings, workloads
from ctcdyn.cli.timings import Entry, Record
from ctcdyn.codegen import executed
from ctcdyn.codegen.vectors import TARGET
from ctcdyn.errors import CtcError, Exit
from test_vectors import ASSEMBLY

ENTRIES = 7
ABOVE = 8.0  # per cent


def record(seed: int, slower: float = 1.0) -> Record:
    """Seven entries on a machine whose speed moves by 40 %: entry 3 takes `slower` times as long.

    What the pace does not see: 4 % from round to round, and in one round of ten 30 % more.
    """
    rng = np.random.default_rng(seed)
    entries = []
    for k in range(ENTRIES):
        speed = rng.uniform(1.0, 1.4) * rng.uniform(1.0, 1.1, bench.ROUNDS)
        own = np.exp(rng.normal(0.0, 0.04, bench.ROUNDS)) * np.where(rng.random(bench.ROUNDS) < 0.1, 1.3, 1.0)
        times = 10.0 * (k + 1) * speed * own * (slower if k == 3 else 1.0)
        entries.append(Entry(f"entry {k}", "us per step", tuple(times), tuple(0.01 * speed), {"events": 7}))
    return Record({"date": "2026-11-28"}, tuple(entries))


def slow(before: Record, now: Record) -> list[str]:
    return [one.name for one in timings.ratios(before, now) if one.slower_than(ABOVE)]


def test_no_more_than_three_rounds_of_ten_are_left_out() -> None:
    entry = Entry("a", "s per run", (9.0, 1.0, 2.0, 5.0, 3.0, 4.0, 8.0, 6.0, 7.0, 10.0), (1.0,) * 10)
    assert entry.relative.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert replace(entry, times=(2.0, 1.0, 3.0), pace=(1.0,) * 3).relative.tolist() == [1.0, 2.0, 3.0]


def test_a_fifth_slower_is_seen_in_19_of_20_trials() -> None:
    found = [slow(record(2 * k), record(2 * k + 1, slower=1.2)) for k in range(20)]
    assert sum("entry 3" in names for names in found) >= 19
    assert not {name for names in found for name in names} - {"entry 3"}


def test_what_has_not_changed_is_called_slower_in_no_more_than_1_of_50() -> None:
    assert sum(bool(slow(record(1000 + 2 * k), record(1001 + 2 * k))) for k in range(50)) <= 1


def test_a_ratio_is_that_of_medians_inside_its_interval_and_the_same_each_time() -> None:
    before, now = record(1), record(2, slower=1.5)
    first, again = list(timings.ratios(before, now)), list(timings.ratios(before, now))
    assert first == again
    one = first[3]
    assert one.ratio == np.median(now.entries[3].relative) / np.median(before.entries[3].relative)
    assert one.low < one.ratio < one.high
    assert one.low > 1.3
    assert not list(timings.ratios(before, replace(now, entries=(Entry("entry 3", "us per step"),))))


def test_counts_may_not_differ_and_costs_may_grow_by_what_is_allowed() -> None:
    facts = {"events": 100, "scalar": 50, "packed": 40, "bytes": 1000, "fused": 0}
    before = Record({}, (Entry("a", "ns per event", facts=facts), Entry("gone", "ns per event")))
    now = Record({}, (Entry("a", "ns per event", facts={"events": 99, "scalar": 56, "packed": 80, "bytes": 1050,
                                                        "fused": 1}),))  # fmt: skip
    found = {one.fact: one for one in timings.changes(before, now)}
    assert [one.fact for one in found.values() if one.forbidden(10.0)] == ["events", "scalar", "fused"]
    assert [one.fact for one in found.values() if one.forbidden(None)] == ["events"]
    assert [one.fact for one in found.values() if one.forbidden(2.0)] == ["events", "scalar", "bytes", "fused"]
    assert timings.missing(before, now) == ["gone"]
    assert timings.missing(now, Record({}, (Entry("a", "ns per event"),))) == ["events of a", "bytes of a"]
    assert not list(timings.changes(before, before))


def test_what_depends_on_versions_is_compared_between_equal_ones_alone(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"events": 7, "packed": 8, "packed, drift, loop 1": 4, "packed, drift, loop 2": 4, "instructions": 1000}
    about = {"python": "3.11.7", "numba_version": "0.68.1"}
    before = Record(about, (Entry("a", "ns per event", facts=facts),))
    fewer = {"events": 7, "packed": 4, "packed, drift, loop 1": 4, "instructions": 1011}
    now = Record(about | {"python": "3.11.9"}, (replace(before.entries[0], facts=fewer),))
    assert [one.fact for one in timings.changes(before, now) if one.forbidden(1.0)] == ["packed", "instructions"]
    assert timings.missing(before, now) == ["packed, drift, loop 2 of a"]
    other = Record(about | {"numba_version": "0.69.0"}, now.entries)
    assert timings.other_makers(before, other) == ["numba_version was 0.68.1, is 0.69.0"]
    assert bench.compared(before, other, 1.0) == []
    out = capsys.readouterr().out
    assert "counts   of events, steps and trajectories all equal\n" in out
    assert "note     nothing else is compared, it depends on versions: numba_version was 0.68.1" in out
    changed = Record(other.about, (replace(before.entries[0], facts=fewer | {"events": 8}),))
    assert bench.compared(before, changed, 1.0) == ["events of a 7 to 8"]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    timings.save(record(5), path)
    assert timings.load(path) == record(5)
    assert [one.name for one in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 10**5, "{}", '{"format": "ctcdyn bench 2"}', "times", "pace", "facts"], ids=range(8)
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    if text in ("times", "pace", "facts"):
        told = json.loads(record(5).text())
        told["entries"][0][text] = {"events": float("inf")} if text == "facts" else [0.0] * 5
        text = json.dumps(told)
    path.write_text(text, encoding="utf-8")
    code, out, err = command("bench", "--compare", path)
    assert (code, out) == (Exit.OUTPUT, "")
    assert err.startswith("error[R504]")


def test_bad_options_are_refused_before_any_work(tmp_path: Path) -> None:
    there = tmp_path / "there.json"
    there.write_text("mine", encoding="utf-8")
    assert command("bench", "--fail-above", 5)[0] == Exit.USAGE
    assert command("bench", "--overwrite")[0] == Exit.USAGE
    assert command("bench", "--compare", there, "--fail-above", -1)[0] == Exit.USAGE
    for path, problem in ((there, "R502"), (tmp_path / "no folder" / "x.json", "R503"), (tmp_path, "R502")):
        code, out, err = command("bench", "--save", path)
        assert (code, out) == (Exit.OUTPUT, "")
        assert problem in err
    assert there.read_text(encoding="utf-8") == "mine"
    facts = tmp_path / "facts.json"
    timings.save(Record({}, (Entry("a", "s per run", facts={"events": 1}),)), facts)
    code, out, err = command("bench", "--compare", facts)
    assert (code, out) == (Exit.OUTPUT, "")
    assert "error[R509]" in err


def test_the_exact_mean_of_sleeping_cells_is_that_of_cells_asleep_at_once() -> None:
    from ctcdyn.model.load import load_model

    network = load_model("human_breast_min")
    p = {one.name: one.value for one in network.parameters}
    growth, loss = p["size_exponent"] * p["tumor_growth"], p["dormancy_exit"] + p["dormant_death"]
    days = np.log(workloads.RESECTED) / p["tumor_growth"]
    # as if a cell were asleep when it is shed: it is three days late, beside years
    asleep = p["shedding"] * p["p_extravasate"] * p["p_dormant"] * (np.exp(growth * days) - np.exp(-loss * days))
    asleep *= np.exp(-loss * workloads.TWO_YEARS) / (growth + loss)
    assert workloads.asleep(network) == pytest.approx(asleep, rel=1e-3)


@pytest.fixture
def one_small(monkeypatch: pytest.MonkeyPatch) -> workloads.Workload:
    """The shortest piece of work, small, and two rounds of it."""
    small = workloads._kernel("colonies", "us per trajectory", "direct", workloads._colony(16), workloads._law)
    monkeypatch.setattr(workloads, "workloads", lambda: [small])
    monkeypatch.setattr(bench, "ROUNDS", 2)
    return small


def test_bench_checks_times_saves_and_compares(
    one_small: workloads.Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    code, out, err = command("bench", "--save", path)
    assert (code, err) == (0, "")
    assert "every answer is right; 2 rounds" in out
    before = timings.load(path)
    entry = before.entries[0]
    assert (len(entry.times), len(entry.pace), entry.facts["trajectories"]) == (2, 2, 16)
    assert entry.facts["events"] > 100_000
    assert {"date", "cpu_name", "numba_version"} <= before.about.keys()

    # machine-independent figures alone, in this process; instructions are counted in tests/test_regressions.py
    monkeypatch.setenv("NUMBA_CPU_NAME", TARGET)
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    monkeypatch.setattr(executed, "machine_code", lambda _: executed.MachineCode(ASSEMBLY, b"", "run", ()))
    monkeypatch.setattr(executed, "why_not", lambda: "not here")
    packed = {"packed": 3, "scalar": 1, "fused": 1, "packed, drift, loop 1": 2}
    facts = {**entry.facts, **packed}
    timings.save(replace(before, entries=(replace(entry, facts=facts),)), path)
    code, out, err = command("bench", "--facts", "--compare", path)
    assert (code, err) == (0, "")
    assert "facts    all equal" in out
    assert "note     no instructions were counted: not here" in out
    assert "ratio" not in out
    timings.save(replace(before, entries=(replace(entry, facts=facts | {"events": 1}),)), path)
    code, out, _ = command("bench", "--facts", "--compare", path)
    assert code == Exit.NO
    assert f"colonies: events 1 before, {entry.facts['events']} now" in out
    fast = replace(entry, times=tuple(1e-9 * t for t in entry.times), facts=facts)
    timings.save(replace(before, entries=(fast,)), path)
    code, out, _ = command("bench", "--compare", path, "--fail-above", 10)
    assert code == Exit.NO
    assert "worse    colonies is at least" in out
    assert command("bench", "--compare", path)[0] == 0


def test_a_processor_is_fixed_by_its_name_and_its_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name alone numba would compile for it with the features of this one."""
    monkeypatch.setattr(facts, "_x86", lambda: True)
    monkeypatch.setenv("NUMBA_CPU_NAME", TARGET)
    monkeypatch.delenv("NUMBA_CPU_FEATURES", raising=False)
    assert not facts.fixed()
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    assert facts.fixed()


@pytest.mark.parametrize("found", [1.5, float("nan")])
def test_a_wrong_answer_is_not_timed(
    one_small: workloads.Workload, monkeypatch: pytest.MonkeyPatch, found: float
) -> None:
    wrong = replace(one_small, check=lambda: (found, 1.0), run=lambda: pytest.fail("it was run"))
    monkeypatch.setattr(workloads, "workloads", lambda: [wrong])
    code, out, err = command("bench")
    assert (code, out) == (Exit.NO, "")
    assert "error[B901]: colonies: the answer is" in err


def test_a_law_that_is_not_kept_is_seen() -> None:
    ensemble = workloads._colony(4096)
    # mean: 20 000 + (10 000 - 20 000) exp(-0.6); variance of a birth-death process with arrivals, by quadrature
    t = np.linspace(0.0, 3.0, 30_001)
    mean = 20_000.0 - 10_000.0 * np.exp(-0.2 * t)
    flow = (2.2 * mean + 4000.0) * np.exp(-0.4 * (3.0 - t))
    exact, spread = mean[-1], float(np.sqrt(1e-4 * (flow.sum() - 0.5 * (flow[0] + flow[-1]))))
    z = np.random.default_rng(1).standard_normal((4096, 1))
    right = np.repeat((exact + spread * z)[:, None], 4, axis=1)
    assert workloads._law(ensemble, right)[0] < 1.0
    assert workloads._law(ensemble, right + spread)[0] > 1.0
    assert workloads._law(ensemble, exact + 1.5 * (right - exact))[0] > 1.0


def test_means_that_are_off_are_seen_and_steps_may_be_off_by_what_they_do() -> None:
    ensemble = workloads._linear(400)
    exact = workloads.mean_of_linear(ensemble.network, 100.0)
    z = np.random.default_rng(2).standard_normal((400, 1, len(exact)))
    right = exact + 0.1 * exact * z  # standard errors of half a per cent
    steps = replace(ensemble, longest_step=0.01)
    for one, bias, passes in ((ensemble, 1.0, True), (ensemble, 1.04, False), (steps, 1.02, True), (steps, 1.1, False)):
        found, allowed = workloads._near_means(one, bias * right)
        assert (found <= allowed) == passes


def test_sleeping_cells_that_are_off_are_seen() -> None:
    ensemble = workloads._patients(100)
    column = ensemble.network.species_names.index("dormant")
    states = np.zeros((100, 6, len(ensemble.network.species_names)))
    states[:, -5, column] = workloads.asleep(ensemble.network)
    assert workloads._asleep(ensemble, states)[0] < 1e-9
    found, allowed = workloads._asleep(ensemble, 1.03 * states)  # a standard error is 3.2 of 1023 cells
    assert found > allowed


def test_records_of_an_unwritable_place_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(CtcError, match="R503"):
        timings.save(record(1), tmp_path / "no folder" / "x.json")
