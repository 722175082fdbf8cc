"""Signals that ask a run to stop: it commits what is finished and ends within seconds, whatever it is doing.

    with Interruption() as interruption:
        interruption.stop_by(ensemble.stop)     # how to stop from now on; before, a signal ends the process at once

An exception raised by a handler is lost, or worse, where LLVM calls Python back. So before there is anything to stop,
when nothing is computed that could be lost, the handler ends the process. Python sees a signal only between its own
instructions, so a thread waits on the descriptor that the interpreter writes to when a signal arrives: if the process
is still there after GRACE seconds (LLVM compiles, a disk hangs), or at the second signal, that thread ends it. Nothing
is lost by that: what is committed is on disk. Once the context is left by Interrupted the process is about to end, and
more signals are ignored.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

from ctcdyn.errors import Exit, Interrupted

GRACE = 4.0  # s
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


class Interruption:
    """Handles SIGINT, SIGTERM, SIGHUP and SIGUSR1 (those the system has) while the context lasts; main thread only."""

    def __init__(self) -> None:
        self.asked = ""
        self._last: Callable[[], None] = lambda: None
        self._stop: Callable[[], None] | None = None
        self._before: dict[int, object] = {}
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def at_last(self, last: Callable[[], None]) -> None:
        """What is called before the process is ended by force: it gives up the lock."""
        self._last = last

    def stop_by(self, stop: Callable[[], None]) -> None:
        """How the work that begins now is stopped."""
        self._stop = stop

    def __enter__(self) -> Self:
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._handle)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="ctcdyn-signals", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        ending = kind is not None and issubclass(kind, Interrupted)  # a second signal must not change how it ends
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_IGN if ending else before)  # type: ignore[arg-type]
        os.close(self._write)  # ends the thread

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            return  # the thread that watches has seen it too
        self.asked = signal.Signals(number).name
        if self._stop is None:
            self._leave(Exit.INTERRUPTED, f"{self.asked}: stopped before anything was computed")
        else:
            self._stop()

    def _watch(self) -> None:
        watched = set(self._before)
        while (data := os.read(self._read, 1)) and data[0] not in watched:
            continue
        if data:
            second = threading.Thread(target=self._second, args=(watched,), daemon=True)
            second.start()
            second.join(GRACE)
            if second.is_alive():
                self._leave(Exit.INTERRUPTED, f"{self.asked or 'signal'}: stopped at once")

    def _second(self, watched: set[int]) -> None:
        while data := os.read(self._read, 1):
            if data[0] in watched:
                self._leave(Exit.KILLED, "stopped at once by a second signal")

    def _leave(self, code: Exit, why: str) -> None:
        with contextlib.suppress(OSError):
            self._last()
        with contextlib.suppress(OSError):  # not print: the signal may have come while something was printed
            os.write(2, f"{why}; what was committed is safe, --resume goes on\n".encode())
        os._exit(int(code))
