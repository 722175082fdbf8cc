"""What a running study tells the person who waits, and how it is shown: bar, lines, JSON lines or nothing.

Everything here goes to stderr; stdout is for data. A study reports to an object with the methods of
`Progress` and knows nothing of terminals, so that a notebook or a portal can hand in an object of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

MODES = ("auto", "plain", "json", "none")

# In a log file a line is due this often (s), and whenever one of these shares (%) is passed.
SECONDS_BETWEEN_LINES = 30.0
SHARES = (1, 2, 5, *range(10, 101, 10))


class Progress(Protocol):
    """What a study calls while it runs."""

    def note(self, text: str) -> None:
        """One line worth reading: estimate, seed, a warning."""

    def compiling(self, cached: bool, kernel: str = "") -> None:
        """A kernel is now being compiled, or loaded from the cache; `kernel`: which, where there are several."""

    def start(self, total: int) -> None:
        """The kernel is ready and `total` trajectories begin."""

    def advance(self, done: int, failed: int) -> None:
        """`done` more trajectories are finished, `failed` of them without an answer."""

    def finish(self) -> None:
        """Nothing follows, whether the run was complete or not."""


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None: ...
    def compiling(self, cached: bool, kernel: str = "") -> None: ...
    def start(self, total: int) -> None: ...
    def advance(self, done: int, failed: int) -> None: ...
    def finish(self) -> None: ...


class _Compiling:
    """What lines in a log and a bar say of kernels: which is compiled, and how long each took."""

    def __init__(self, note: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._note, self._clock = note, clock
        self._since: float | None = None

    def begin(self, cached: bool, kernel: str) -> None:
        self.end()
        if not cached:
            self._since = self._clock()
            self._note(f"compiling {kernel or 'kernel'} … (cached next time)")

    def end(self) -> None:
        """What was being compiled is ready."""
        if self._since is not None:
            self._note(f"compiled in {self._clock() - self._since:.1f} s")
            self._since = None


class Plain:
    """Full lines for log files: at 1, 2, 5, 10, 20 ... % and at least every 30 s while results arrive."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._total = self._done = self._failed = 0
        self._began = self._last = clock()
        self._kernels = _Compiling(self.note, clock)
        self._passed = 0  # how many of SHARES lie behind

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def compiling(self, cached: bool, kernel: str = "") -> None:
        self._kernels.begin(cached, kernel)

    def start(self, total: int) -> None:
        self._kernels.end()
        now = self._clock()
        self._total, self._done, self._failed, self._passed = total, 0, 0, 0
        self._began = self._last = now

    def advance(self, done: int, failed: int) -> None:
        self._done += done
        self._failed += failed
        now = self._clock()
        passed = sum(100 * self._done >= share * self._total for share in SHARES)
        if passed == self._passed and now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._passed, self._last = passed, now
        self._tell(now)

    def _tell(self, now: float) -> None:
        done = self._done
        seconds = now - self._began
        rate = done / seconds if seconds > 0 else 0.0
        rest = ""
        if 0 < done < self._total and rate > 0:
            rest = f", {clock_text((self._total - done) / rate)} left"
        share = 100.0 * done / self._total if self._total else 100.0
        self.note(
            f"{share:5.1f} %  {done} of {self._total}  {rate_text(rate)} trajectories/s"
            f"  failed {self._failed}  {clock_text(seconds)}{rest}"
        )

    def finish(self) -> None: ...


class JsonLines:
    """One JSON object a line, for portals and schedulers."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._began = clock()
        self._total = self._done = self._failed = 0

    def _say(self, event: str, **fields: object) -> None:
        seconds = round(self._clock() - self._began, 3)
        print(json.dumps({"event": event, "seconds": seconds, **fields}), file=self._stream, flush=True)

    def note(self, text: str) -> None:
        self._say("note", text=text)

    def compiling(self, cached: bool, kernel: str = "") -> None:
        self._say("compiling", cached=cached, **({"kernel": kernel} if kernel else {}))

    def start(self, total: int) -> None:
        self._total, self._done, self._failed = total, 0, 0
        self._say("start", total=total)

    def advance(self, done: int, failed: int) -> None:
        self._done += done
        self._failed += failed
        self._say("advance", done=self._done, failed=self._failed, total=self._total)

    def finish(self) -> None:
        self._say("finish")


class Bar:
    """One bar with rate, time left and failures, for a person at a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._bar: RichProgress | None = None
        self._kernels = _Compiling(self.note, time.monotonic)
        self._began = 0.0
        self._done = self._failed = 0

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def compiling(self, cached: bool, kernel: str = "") -> None:
        self._kernels.begin(cached, kernel)

    def start(self, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._kernels.end()
        self._bar = RichProgress(
            TextColumn("running"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}/s  failed {task.fields[failed]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._bar.add_task("run", total=total, rate="-", failed=0)
        self._bar.start()
        self._began = time.monotonic()
        self._done = self._failed = 0

    def advance(self, done: int, failed: int) -> None:
        self._done += done
        self._failed += failed
        if self._bar is not None:
            rate = self._done / max(time.monotonic() - self._began, 1e-9)
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self._done, failed=self._failed, rate=rate_text(rate))

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def show(mode: str = "auto") -> Progress:
    """The implementation for one of MODES; "auto" is a bar at a terminal and lines in a log.

    Raises ValueError for any other word.
    """
    if mode not in MODES:
        raise ValueError(f"progress is one of {', '.join(MODES)}, not {mode!r}")
    if mode == "none":
        return Silent()
    if mode == "json":
        return JsonLines()
    if mode == "auto" and sys.stderr.isatty():
        return Bar()
    return Plain()


def rate_text(rate: float) -> str:
    """A rate with three digits and no exponent.

    >>> rate_text(0.01234), rate_text(81234.5)
    ('0.0123', '81234')
    """
    return f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}"


def clock_text(seconds: float) -> str:
    """A span as people say it: "12 s", "3 min 05 s", "2 h 07 min".

    >>> clock_text(185.2)
    '3 min 05 s'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
