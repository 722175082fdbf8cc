"""Another commit's kernels beside ours, and instructions counted: no time is asserted, and little is compiled."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import llvmlite.binding as llvm
import numpy as np
import pytest

from commands import command
from ctcdyn.cli import against, another, facts, timings, workloads
from ctcdyn.cli.against import Rival
from ctcdyn.codegen import executed
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.vectors import TARGET
from ctcdyn.errors import CtcError, Exit
from ctcdyn.model.load import load_model

# the entry point of a kernel by numba's convention: result, error, and seven words for each array; doubles n numbers
ENTRY = """
define i32 @"run"(ptr %result, ptr %error, i64 %m, i64 %p, i64 %n, i64 %s, ptr %x, i64 %length, i64 %stride) {
begin:
  br label %next
next:
  %k = phi i64 [0, %begin], [%more, %next]
  %at = getelementptr i64, ptr %x, i64 %k
  %old = load volatile i64, ptr %at
  %new = shl i64 %old, 1
  store volatile i64 %new, ptr %at
  %more = add i64 %k, 1
  %go = icmp slt i64 %more, %length
  br i1 %go, label %next, label %end
end:
  store i64 7, ptr %result
  ret i32 0
}
"""


def calls() -> list[executed.Call]:
    """Of that entry point, with 1000, 2000 and 1000 numbers."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(codemodel="large", cpu=TARGET)
    elf = bytes(machine.emit_object(llvm.parse_assembly(ENTRY)))
    made = executed.MachineCode("", elf, "run", ("no_such_name",))
    return [executed.Call(made, [np.arange(n)]) for n in (1000, 2000, 1000)]


def test_instructions_are_counted_to_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if executed.why_not() is None:
        small, large, again = executed.executed(calls())
        each, rest = divmod(large.instructions - small.instructions, 1000)
        assert (again.instructions, rest) == (small.instructions, 0)
        assert 4 <= each <= 8  # load, shift, store, next, compare, jump
        assert small.instructions - 1000 * each < 100
        assert large.arguments[0].tolist() == [2 * k for k in range(2000)]
    fake = tmp_path / "valgrind"
    fake.write_text("#!/bin/sh\necho no luck >&2\nexit 3\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert executed.why_not() is None
    with pytest.raises(CtcError, match="could not be counted: no luck"):
        executed.executed(calls())
    fake.unlink()
    assert executed.why_not() == "valgrind is not installed"


def rounds(seed: int, slower: float) -> tuple[list[list[float]], list[list[float]]]:
    """41 rounds on a machine whose speed wanders by a few per cent from run to run and halves in one round of five."""
    rng = np.random.default_rng(seed)
    speed = rng.uniform(1.0, 1.4, (41, 1)) * np.exp(rng.normal(0.0, 0.04, (41, 4)))
    speed[rng.random(41) < 0.2, rng.integers(4)] *= 2.0
    return speed[:, [0, 3]].tolist(), (slower * speed[:, 1:3]).tolist()


def test_rounds_in_which_the_machine_moved_are_left_out_and_no_more_than_three_of_ten() -> None:
    before, now = [[1.0, 1.0]] * 7 + [[1.0, 3.0]] * 3, [[1.2, 1.2]] * 7 + [[9.0, 1.2]] * 3
    found = timings.paired("a", before, now)
    assert (found.ratio, found.low, found.high) == pytest.approx((1.2, 1.2, 1.2))
    assert timings.paired("a", before[6:], now[6:]).high > 1.5  # 3 of 4 moved: one is left out


def test_a_fifth_slower_is_seen_in_19_of_20_trials_and_nothing_in_49_of_50() -> None:
    assert sum(timings.paired("a", *rounds(k, 1.2)).slower_than(8.0) for k in range(20)) >= 19
    assert sum(timings.paired("a", *rounds(100 + k, 1.0)).slower_than(8.0) for k in range(50)) <= 1


def test_sides_take_turns_and_the_first_runs_are_not_counted() -> None:
    order: list[str] = []

    def side(name: str, time: float) -> object:
        return lambda: order.append(name) or time

    found = against.alternated([Rival("x", "", side("a", 1.0), side("b", 2.0), 2), Rival("y", "", side("A", 1.0), side("B", 2.0), 1)])  # type: ignore[arg-type]  # noqa: E501
    assert "".join(order) == "aabbAABB" + "abba" + "ABBA" + "baab"
    assert (found["x"].before, found["x"].now) == ([(1.0, 1.0)] * 2, [(2.0, 2.0)] * 2)
    assert len(found["y"].before) == 1


def test_what_our_driver_cannot_call_is_told() -> None:
    text = link(load_model("birth_death_immigration"), "direct").source
    assert list(another.disagreements(text, text)) == []
    assert list(another.disagreements(text + "\nMORE = 1\n", text)) == []
    for old, new, told in (
        ("run(w, v, n, book,", "run(w, v, book,", "arguments of the entry point differ: n"),
        ("LEAF = 256", "LEAF = 128", "positions in shared arrays differ"),
        ("Q_birth", "Q_births", "parameters differ: Q_birth, Q_births"),
        ("X_colony", "X_colonies", "species differ: X_colonies, X_colony"),
    ):
        assert old in text
        assert next(another.disagreements(text.replace(old, new), text)).startswith(told)


FAKE = """
from types import SimpleNamespace
print("loaded")
def workloads():
    run = lambda: SimpleNamespace(seconds=3.0, units=2.0)
    texts = {"a": "A", "b": None, "c": "C"}
    return [SimpleNamespace(name=n, unit="ns per event", source=s, run=run) for n, s in texts.items()]
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The source of a commit that has two kernels, `a` and `c`."""
    key = "def key_of(text):\n    return f'key {text}'\n"
    texts = {"cli/workloads.py": FAKE, "codegen/cache.py": key}
    for name, text in texts.items() | {(f"{folder}__init__.py", "") for folder in ("", "cli/", "codegen/")}:
        path = tmp_path / "src" / "ctcdyn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "src"


def test_another_source_does_its_work_when_it_is_asked(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with another.Server(source) as there:
        assert (there.number("a"), there.number("b"), there.number("c")) == (0, None, 1)
        assert there.work[1] == {"name": "c", "unit": "ns per event", "source": "C", "key": "key C"}
        assert there.run(1) == 1.5
    assert there.process.returncode == 0
    assert capfd.readouterr().err == "loaded\n"
    (source / "ctcdyn" / "cli" / "workloads.py").unlink()
    with pytest.raises(CtcError, match="cannot do the work"):
        another.Server(source)


def test_each_piece_of_work_is_compared_as_it_can_be(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(against, "unpacked", lambda commit, folder: source)
    monkeypatch.setattr(against, "PROCESS_ROUNDS", 2)
    real = against.Server
    monkeypatch.setattr(against, "Server", lambda _: real(source))

    def work(name: str, key: str) -> object:
        piece = SimpleNamespace(linked=SimpleNamespace(key=key), kernel=SimpleNamespace(source="def run(w): pass"))
        return workloads.Workload(name, "ns per event", lambda: None, lambda: (0, 1), "", piece=piece)  # type: ignore[arg-type, return-value]

    whole = workloads.Workload("whole", "s", lambda: None, lambda: (0, 1), None, beside=lambda folder: lambda: 3.0 if folder else 6.0)  # type: ignore[arg-type, return-value]  # noqa: E501
    found = against.against("HEAD", [work("a", "key A"), work("c", "another"), work("d", "key D"), whole])  # type: ignore[list-item]
    assert found.notes == [("a", "the same kernel"), ("d", "that commit does not have this work")]
    assert [(x.name, x.ratio, how) for x, how in found.ratios] == [
        ("c", 1.0, "two processes: arguments of the entry point differ: w"),
        ("whole", pytest.approx(2.0), "commands in turn"),
    ]


def test_a_kernel_of_another_text_is_called_in_this_process() -> None:
    piece = workloads._kernel("colonies", "us per trajectory", "tau_leap", workloads._colony(512), workloads._law).piece
    assert piece is not None
    text = piece.kernel.source + "\nCOPY = 1\n"
    kernel, as_made = another.kernel_of(piece, text, "0" * 24)
    assert kernel.module is not piece.kernel.module
    assert not as_made  # no other source has put it there
    found = against.alternated([against.in_one_process(piece, kernel, "one process", 3)])["colonies"]
    assert np.array(found.before).shape == np.array(found.now).shape == (3, 2)
    wrong = replace(piece, judge=lambda *_: (2.0, 1.0))
    with pytest.raises(CtcError, match="its answer is 2 off, allowed is 1"):
        another.kernel_of(wrong, text, "0" * 24)
    code = executed.MachineCode("", b"", "run", ())
    call = facts.first_call(replace(piece, short=replace(piece.short, count=300)), code)
    assert len(call.arguments[12]) == 256  # status: no more than a leaf
    assert facts._allocated(piece)["memory"] > 0


def test_no_commit_and_no_checkout_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(another, "__file__", str(tmp_path / "another.py"))
    with pytest.raises(CtcError, match="is no checkout") as caught:
        another.unpacked("HEAD", tmp_path)
    assert caught.value.exit == Exit.OUTPUT
    somebody = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "another.py"), (*somebody, "commit", "-qm", "a")):
        (tmp_path / "another.py").touch()
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    with pytest.raises(CtcError, match=r"git archive: .*no_such"):
        another.unpacked("no_such", tmp_path)
    with pytest.raises(CtcError, match=r"git archive: .*src"):
        another.unpacked("HEAD", tmp_path)


def test_options_that_exclude_each_other() -> None:
    for other in (("--facts",), ("--save", "x.json")):
        code, _, err = command("bench", "--against", "HEAD", *other)
        assert code == Exit.USAGE
        assert "it times both sides itself" in err
