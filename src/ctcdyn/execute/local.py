"""Threads over kernels that release the GIL. Knows no model: it is handed a function and its arguments."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

Span = TypeVar("Span")
Result = TypeVar("Result")

_LOOK = 0.1  # s between looks at whether the caller has given up


def usable_threads() -> int:
    """Cores this process may use: what SLURM grants, else the affinity mask, else all."""
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if granted.isdigit() and int(granted) > 0:
        return int(granted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def execute(
    run: Callable[[Span], Iterable[Result]],
    spans: Sequence[Span],
    threads: int,
    stop: Callable[[], None],
) -> Iterator[Result]:
    """What run(span) gives for all spans, as it comes; a few results at most wait to be taken.

    `stop()` is called when the caller gives up (Ctrl-C, a full disk): it makes running kernels return soon.
    """
    if threads == 1 or len(spans) == 1:
        for span in spans:
            yield from run(span)
        return
    crew: _Crew[Span, Result] = _Crew(run, spans, min(threads, len(spans)))
    try:
        yield from crew.results()
    except BaseException:
        stop()
        raise
    finally:
        crew.dismiss()


class _Crew(Generic[Span, Result]):
    """Threads that take spans from one list and put results into one short queue."""

    def __init__(self, run: Callable[[Span], Iterable[Result]], spans: Sequence[Span], size: int) -> None:
        self._run, self._spans = run, iter(spans)
        self._taking, self._given_up = threading.Lock(), threading.Event()
        # one result, or the exception that ended a thread, or None at its end
        self._queue: queue.Queue[list[Result] | BaseException | None] = queue.Queue(2 * size)
        self._threads = [threading.Thread(target=self._work, name=f"ctcdyn-{k}") for k in range(size)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        try:
            while not self._given_up.is_set():
                with self._taking:
                    span = next(self._spans, None)
                if span is None:
                    break
                for result in self._run(span):
                    self._put([result])
        except BaseException as error:  # noqa: BLE001 (handed to the caller, who raises it)
            self._put(error)
        self._put(None)

    def _put(self, what: list[Result] | BaseException | None) -> None:
        while not self._given_up.is_set():
            try:
                self._queue.put(what, timeout=_LOOK)
                return
            except queue.Full:
                continue

    def results(self) -> Iterator[Result]:
        at_work = len(self._threads)
        while at_work:
            what = self._queue.get()
            if isinstance(what, list):
                yield from what
            elif what is None:
                at_work -= 1
            else:
                raise what

    def dismiss(self) -> None:
        self._given_up.set()
        for thread in self._threads:
            thread.join()
