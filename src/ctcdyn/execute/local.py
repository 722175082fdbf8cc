"""Threads over kernels that release the GIL. Knows no model: it is handed a function and its arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Span = TypeVar("Span")
Result = TypeVar("Result")


def usable_threads() -> int:
    """Cores this process may use: what SLURM grants, else the affinity mask, else all."""
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if granted.isdigit() and int(granted) > 0:
        return int(granted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def execute(
    run: Callable[[Span], Result], spans: Sequence[Span], threads: int, stop: Callable[[], None]
) -> Iterator[Result]:
    """Results of run(span) as they are done, at most `threads` at a time and few more waiting to be taken.

    `stop()` is called when the caller gives up (Ctrl-C, a full disk): it makes running kernels return soon.
    """
    if threads == 1 or len(spans) == 1:
        yield from map(run, spans)
        return
    with ThreadPoolExecutor(min(threads, len(spans)), thread_name_prefix="ctcdyn") as pool:
        running: set[Future[Result]] = set()
        try:
            for span in spans:
                running.add(pool.submit(run, span))
                if len(running) > threads:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            stop()
            raise
