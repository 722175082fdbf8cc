"""Progress reports: what a log, a portal and nobody get to read."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import pytest

from ctcdyn import progress


class Clock:
    """A clock that a test moves by hand (s)."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run_through(reporter: progress.Progress, clock: Clock, total: int, seconds: float, steps: int) -> None:
    """A run at a steady pace that reports `steps` times, the last time with a failure."""
    reporter.start(total)
    for step in range(1, steps + 1):
        clock.now += seconds / steps
        reporter.advance(total // steps, failed=int(step == steps))
    reporter.finish()


def shares(text: str) -> list[float]:
    return [float(line.split("%")[0]) for line in text.splitlines() if "%" in line]


def test_a_fast_run_gets_a_line_at_each_share_and_no_more() -> None:
    stream, clock = io.StringIO(), Clock()
    run_through(progress.Plain(stream, clock), clock, total=1000, seconds=1.0, steps=1000)
    assert shares(stream.getvalue()) == [1, 2, 5, *range(10, 101, 10)]


def test_a_slow_run_gets_a_line_at_least_every_thirty_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    run_through(progress.Plain(stream, clock), clock, total=36 * 10**5, seconds=3600.0, steps=3600)
    lines = stream.getvalue().splitlines()
    spoken = [0.0, *(share * 36.0 for share in shares(stream.getvalue()))]
    # shares are printed to 0.1 %, which is 3.6 s of this hour, and reports come every second
    assert all(late - early <= 30.0 + 3.6 + 1.0 for early, late in pairwise(spoken))
    assert len(lines) <= 3600 / 30 + len(progress.SHARES) + 1
    assert "1000 trajectories/s" in lines[-1]
    assert "failed 1" in lines[-1]
    assert "1 h 00 min" in lines[-1]
    assert "left" not in lines[-1]
    assert "30 min 00 s left" in next(line for line in lines if line.startswith(" 50.0 %"))


def test_compile_time_is_told_apart_from_run_time() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = progress.Plain(stream, clock)
    reporter.compiling(cached=False)
    clock.now += 6.2
    reporter.start(10)
    assert stream.getvalue().splitlines() == ["compiling kernel … (cached next time)", "compiled in 6.2 s"]


def test_each_of_two_kernels_has_a_name_and_a_time() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = progress.Plain(stream, clock)
    for kernel, seconds in (("kernel of the patient", 6.2), ("kernel of a lesion", 3.0)):
        reporter.compiling(False, kernel)
        clock.now += seconds
    reporter.start(10)
    assert stream.getvalue().splitlines() == [
        "compiling kernel of the patient … (cached next time)",
        "compiled in 6.2 s",
        "compiling kernel of a lesion … (cached next time)",
        "compiled in 3.0 s",
    ]
    portal = io.StringIO()
    progress.JsonLines(portal, clock).compiling(False, "kernel of a lesion")
    assert json.loads(portal.getvalue())["kernel"] == "kernel of a lesion"


def test_a_cached_kernel_needs_no_word() -> None:
    stream = io.StringIO()
    reporter = progress.Plain(stream, Clock())
    reporter.compiling(cached=True)
    reporter.start(10)
    assert stream.getvalue() == ""


def test_json_lines_are_objects_with_all_events() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = progress.JsonLines(stream, clock)
    reporter.note('seed "42"')
    reporter.compiling(cached=True)
    run_through(reporter, clock, total=100, seconds=2.0, steps=2)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    said = " ".join(event["event"] for event in events)
    assert said == "note compiling start advance advance finish"
    assert events[-2] == {"event": "advance", "seconds": 2.0, "done": 100, "failed": 1, "total": 100}


def test_auto_is_a_bar_at_a_terminal_and_lines_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(progress.show("auto"), progress.Plain)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert isinstance(progress.show("auto"), progress.Bar)
    with pytest.raises(ValueError, match="one of auto, plain, json, none"):
        progress.show("verbose")


def test_the_bar_reports_on_stderr_and_leaves_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = progress.Bar()
    reporter.note("seed 42 [not markup]")
    reporter.compiling(cached=False)
    run_through(reporter, Clock(), total=100, seconds=1.0, steps=4)
    reporter.finish()
    said = capsys.readouterr()
    assert said.out == ""
    assert "seed 42 [not markup]" in said.err
    assert "100/100" in said.err
    assert "failed 1" in said.err


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = progress.show("none")
    reporter.note("x")
    reporter.compiling(cached=False)
    run_through(reporter, Clock(), total=10, seconds=1.0, steps=2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599.6, "1 h 00 min"), (90_061, "25 h 01 min")],
)
def test_spans_are_written_as_people_say_them(seconds: float, text: str) -> None:
    assert progress.clock_text(seconds) == text
