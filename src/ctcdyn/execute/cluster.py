"""Tasks on a Dask cluster. Knows no model: it is handed a function that can be pickled, and its arguments.

Spans are small (a leaf), and as many of them make a task as were measured to take SECONDS: that is what a lost worker
costs. The client sends a few tasks ahead and takes results one by one as they come; a worker keeps nothing.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import pickle
import queue
import signal
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from multiprocessing import resource_tracker
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Exit, Problem

SECONDS = 2.0  # s that a task should take
AHEAD = 2  # tasks for each core: one runs, one waits
ANSWER = 5.0  # s in which a scheduler has to answer
PATIENCE = 60.0  # s without any worker after which a run gives up
FETCHERS = 4  # threads that get results
RETRIES = 2  # of a task that failed with an exception; Dask counts lost workers by itself
CLOSE = 2.0  # s that a connection has to end
VERSIONS = ("ctcdyn", "numba", "llvmlite", "numpy", "scipy")  # what bits depend on

_LOOK = 0.1  # s between looks at whether the caller has given up
_WATCH = 0.2  # s between looks of a worker at whether its task is still wanted

Span = TypeVar("Span")
Result = TypeVar("Result")
# The word becomes 1 when nobody wants the result any more: what runs then returns soon, whatever it gives.
Call = Callable[[Sequence[Span], NDArray[np.int64]], Iterable[Result]]


def execute(
    call: Call[Span, Result],
    spans: Sequence[Span],
    *,
    most: int,
    workers: int,
    scheduler: str | None,
    halted: Callable[[], bool],
    say: Callable[[str], None],
) -> Iterator[Result]:
    """What call(some spans, word) gives for all spans, as it comes; it ends early when `halted()` says so.

    `most`: spans of one task; `workers`: processes of a cluster on this machine, where there is no `scheduler` address;
    `say(line)` tells of workers that were lost. Raises CtcError (exit 5, S606) where the cluster cannot be used.
    """
    if not spans:
        return
    with _connected(scheduler, min(workers, len(spans))) as client:
        run = _Run(client, call, spans, most, halted, say)
        try:
            yield from run.results()
        finally:
            run.dismiss()


def check(scheduler: str | None) -> None:
    """Raise CtcError (exit 5, S606) where Dask is not installed, or the scheduler or its workers cannot be used."""
    _distributed()
    if scheduler is not None:
        with _connected(scheduler, 0) as client:
            _compare(client)


def _refusal(what: str, fix: str, why: str = "") -> CtcError:
    return CtcError(Problem("S606", what, fix=fix, why=why), Exit.RESOURCES)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        fix = "pip install 'ctcdyn[cluster]'"
        raise _refusal(f"Dask is not installed ({error})", fix) from None
    return distributed


@contextmanager
def _connected(scheduler: str | None, workers: int) -> Iterator[Any]:
    """A client of the scheduler at this address, or of a cluster of processes that lives as long as the context."""
    distributed = _distributed()
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        address: Any = scheduler
        if scheduler is None:
            folder = tempfile.TemporaryDirectory(prefix="ctcdyn-dask-", ignore_cleanup_errors=True)
            scratch = stack.enter_context(folder)
            address = cluster = _local_cluster(distributed, workers, scratch)
            stack.callback(_end, cluster)
        try:
            client = distributed.Client(address, timeout=ANSWER, set_as_default=False)
        except (OSError, ValueError) as error:
            what = f"no Dask scheduler answers at {scheduler}"
            raise _refusal(what, "start one with `dask scheduler`", _first_line(error)) from None
        stack.callback(client.close, timeout=CLOSE)
        yield client


def _local_cluster(distributed: Any, workers: int, scratch: str) -> Any:
    """Processes on this machine. Ctrl-C reaches all of a terminal; only the client is to see it."""
    masked = hasattr(signal, "pthread_sigmask")
    if masked:
        resource_tracker.ensure_running()  # it would take the mask away from the thread that starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else set()
    try:
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=scratch,
            silence_logs=logging.CRITICAL,
        )
    except (OSError, RuntimeError) as error:
        fix = "run with --executor local, or give the address of a cluster with --scheduler"
        raise _refusal("no local Dask cluster can be started", fix, _first_line(error)) from error
    finally:
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(cluster: Any) -> None:
    """The processes hold nothing that is needed, and a kernel that LLVM compiles would let them wait: no farewell."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        with suppress(OSError, TypeError):  # it has no process any more
            os.kill(nanny.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    with suppress(OSError):
        cluster.close(timeout=CLOSE)


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask writes many lines to stderr about a connection that ends; what matters is told in our own words."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _compare(client: Any) -> int:
    """The number of workers; none may have other versions than this process."""
    found = client.get_versions(packages=list(VERSIONS))
    mine = found["client"]["packages"]
    problems = []
    for address, worker in found["workers"].items():
        theirs = worker.get("packages", {}) if isinstance(worker, dict) else {}
        told = _differences(mine, theirs)
        if told:
            fix = "install the same versions on all of them"
            what = f"the worker at {address} has other versions than this machine: {told}"
            problems.append(Problem("S606", what, fix=fix, why="the same bytes everywhere need the same versions"))
    if problems:
        raise CtcError(problems, Exit.RESOURCES)
    return len(found["workers"])


def _differences(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {theirs.get(name) or 'missing'} instead of {mine[name]}"
        for name in VERSIONS
        if theirs.get(name) != mine[name]
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class _Run(Generic[Span, Result]):
    """The client's side of one run."""

    def __init__(
        self,
        client: Any,
        call: Call[Span, Result],
        spans: Sequence[Span],
        most: int,
        halted: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._client, self._most, self._halted, self._say = client, most, halted, say
        self._load = zlib.compress(pickle.dumps((_here(), call)))  # goes with each task
        self._spans, self._left = iter(spans), len(spans)
        self._size = 1  # spans of the next task
        self._ended: queue.Queue[Any] = queue.Queue()  # futures with a result, an error or no hope
        self._done: queue.Queue[tuple[Any, Any]] = queue.Queue()  # futures, and what they gave
        for _ in range(FETCHERS):
            threading.Thread(target=self._fetch, name="ctcdyn-fetch", daemon=True).start()
        self._out: dict[str, tuple[Any, list[Span]]] = {}  # what was sent, by the key of its future
        self._workers: dict[str, int] = {}
        self._compared = False
        self._next_look, self._last_seen = 0.0, time.monotonic()

    def results(self) -> Iterator[Result]:
        while (self._left or self._out) and not self._halted():
            self._look()
            self._send()
            with suppress(queue.Empty):
                yield from self._take(*self._done.get(timeout=_LOOK))

    def _look(self) -> None:
        """About once a second: which workers there are."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + 1.0
        try:
            found = dict(self._client.nthreads())
            if found and not self._compared:
                self._compared = _compare(self._client) > 0
        except OSError as error:
            raise _lost(_first_line(error)) from None
        for address in sorted(set(self._workers) - set(found)):
            self._say(f"the worker at {address} is gone; what it was running is run again by another")
        self._workers = found
        if found:
            self._last_seen = now
        elif now - self._last_seen > PATIENCE:
            fix = "start workers with `dask worker ADDRESS`; --resume goes on with what is committed"
            raise _refusal(f"the Dask cluster has had no worker for {PATIENCE:.0f} s", fix)

    def _send(self) -> None:
        """Keep all cores busy; near the end tasks become small, so that they all end together."""
        slots = AHEAD * sum(self._workers.values()) if self._compared else 0
        while self._left and len(self._out) < slots:
            size = max(1, min(self._size, self._most, self._left // slots))
            spans = list(itertools.islice(self._spans, size))
            self._left -= len(spans)
            self._submit(spans)

    def _submit(self, spans: list[Span]) -> None:
        future = self._client.submit(_work, self._load, spans, pure=False, retries=RETRIES)
        self._out[future.key] = future, spans
        future.add_done_callback(self._ended.put)

    def _fetch(self) -> None:
        """Get results. Where a worker died with one, Dask tries to reach it for 30 s: others need not wait for that."""
        while (future := self._ended.get()) is not None:
            found: Any = None
            if future.status == "finished":
                try:
                    found = future.result()
                except BaseException as error:  # noqa: BLE001 (told by the thread that takes it)
                    found = error
            self._done.put((future, found))

    def _take(self, future: Any, found: Any) -> Iterable[Result]:
        _, spans = self._out.pop(future.key)
        if isinstance(found, tuple):
            number, seconds, results = found
            self._size = max(1, int(min(2 * number, number * SECONDS / max(seconds, 1e-3))))
            return results  # type: ignore[no-any-return]
        status = future.status
        if status == "error":
            raise _told(future.exception())
        if status == "cancelled":  # and not by us
            raise _lost("its connection ended")
        if status == "finished" and isinstance(found, BaseException):  # it cannot be brought here
            raise found
        future.cancel()  # the worker was lost after it had finished and before its result was taken
        self._submit(spans)
        return ()

    def dismiss(self) -> None:
        """Nothing that was sent is wanted any more."""
        for _ in range(FETCHERS):
            self._ended.put(None)
        if self._out:
            with suppress(OSError):
                self._client.cancel([future for future, _ in self._out.values()], force=True)


def _lost(why: str) -> CtcError:
    return _refusal("the Dask scheduler is gone", "start it again; --resume goes on with what is committed", why)


def _told(error: BaseException) -> BaseException:
    """What ended a task, as the user should see it."""
    if type(error).__name__ == "KilledWorker":
        fix = "look at the log of a worker (often: not enough memory); --resume goes on with what is committed"
        return _refusal("one task took several Dask workers with it", fix, _first_line(error))
    return error


def _here() -> dict[str, str]:
    return {name: version(name) for name in VERSIONS}


# -- on a worker ---------------------------------------------------------------------------------


def _work(load: bytes, spans: Sequence[Any]) -> tuple[int, float, list[Any]]:
    """Number of spans, seconds, results."""
    call, worker = _unpacked(load), _distributed().get_worker()
    start, over, halt = time.monotonic(), threading.Event(), np.zeros(1, np.int64)
    watch = threading.Thread(target=_watch, args=(worker, worker.get_current_task(), halt, over), daemon=True)
    watch.start()
    try:
        results = list(call(spans, halt))
    finally:
        over.set()
    if halt[0]:  # part of a result must never pass for the whole
        raise RuntimeError("the task was cancelled while it ran")
    return len(spans), time.monotonic() - start, results


@functools.lru_cache(maxsize=4)
def _unpacked(load: bytes) -> Call[Any, Any]:
    """The function of a run, once for each process: it keeps its kernel and buffers."""
    expected, call = pickle.loads(zlib.decompress(load))
    told = _differences(expected, _here())
    if told:  # a worker that came after the first task
        what = f"a worker that joined has other versions than the client: {told}"
        raise _refusal(what, "install the same versions on all of them")
    return call  # type: ignore[no-any-return]


def _watch(worker: Any, key: str, halt: NDArray[np.int64], over: threading.Event) -> None:
    """Set the word when the client, or its death, has cancelled the task: Dask lets running tasks run."""
    while not over.wait(_WATCH):
        task = worker.state.tasks.get(key)
        if task is None or task.state in ("cancelled", "released", "forgotten"):
            halt[0] = 1
            return
