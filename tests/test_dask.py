"""Dask: the same bytes from a cluster, also when a worker is killed; what cannot be used is told at once."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import command
from ctcdyn import __version__, study
from ctcdyn.distribution import joined
from ctcdyn.ensemble import Range
from ctcdyn.errors import CtcError, Exit
from ctcdyn.execute import cluster
from ctcdyn.store.content import content_hash

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what Dask imports
    import distributed

# Dask leaves sockets and event loops to the collector when a connection ends.
narrow = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning",
    "ignore:.*[Ee]vent loop.*:DeprecationWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)

STUDY = """schema = 1
[model]
use = "ctc_linear"
[population]
patients = 20300
[population.draw]
clearance = { dist = "lognormal", median = "16 /day", sigma = 0.3 }
[simulate]
method = "direct"
t_end = "6 days"
save = { every = "12 hours" }
[ensemble]
seed = 3
[output]
file = "whole.h5"
keep = 600
picture = false
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of 20 300 trajectories, 80 leaves, and a few seconds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path / "s.toml"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def processes() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `dask` commands and ends them."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, path: str = "") -> subprocess.Popen[bytes]:
        environment = os.environ | ({"PYTHONPATH": path} if path else {})
        line = [sys.executable, "-m", "dask", *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        begun.append(subprocess.Popen(line, env=environment, start_new_session=True, **quiet))  # type: ignore[call-overload]
        return begun[-1]

    try:
        yield start
    finally:
        for one in begun:
            with contextlib.suppress(ProcessLookupError):
                one.kill()
            one.wait()


def worker(start: Any, address: str, path: str = "") -> subprocess.Popen[bytes]:
    options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", "20")
    return start("worker", address, *options, path=path)  # type: ignore[no-any-return]


def until(there: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """The address of a scheduler of its own on loopback, and what starts processes beside it."""
    port = free_port()
    with processes() as start:
        start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(answers)
        yield f"tcp://127.0.0.1:{port}", start


@narrow
def test_a_killed_worker_changes_no_byte(written: Path, scheduler: tuple[str, Any]) -> None:
    """Two workers, one killed by SIGKILL when the first results are there."""
    address, start = scheduler
    one, _ = worker(start, address), worker(start, address)

    class Killing(study.Silent):
        notes: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.notes.append(text)

        def advance(self, done: int, failed: int) -> None:
            if one.poll() is None and len(distributed_workers(address)) == 2:
                os.kill(one.pid, signal.SIGKILL)

    reporter = Killing()
    with study.run(
        str(written), executor="dask", scheduler=address, progress=reporter, interruption=None
    ) as results:
        assert results.schema.count == 20300
    assert one.wait(5) == -signal.SIGKILL
    assert any("is gone; what it was running is run again" in text for text in reporter.notes)
    code, _, err = command("run", written, "--progress", "none", "-o", "local.h5")
    assert code == 0, err
    assert content_hash("local.h5") == content_hash("whole.h5")


def distributed_workers(address: str) -> dict[str, int]:
    with distributed.Client(address, timeout=5, set_as_default=False) as client:
        return dict(client.nthreads())


@narrow
def test_a_worker_of_another_version_is_refused_before_anything_is_written(
    written: Path, scheduler: tuple[str, Any], tmp_path: Path
) -> None:
    address, start = scheduler
    fake = tmp_path / "fake" / "numba-0.1.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: numba\nVersion: 0.1\n", encoding="utf-8")
    worker(start, address, path=str(fake.parent))
    until(lambda: bool(distributed_workers(address)))
    code, out, err = command("run", written, "--executor", "dask", "--scheduler", address)
    assert (code, out) == (int(Exit.RESOURCES), "")
    assert re.search(r"S606.*has other versions than this machine: numba 0\.1 instead of", err)
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.is_file()) == [".toml"]


@narrow
def test_a_scheduler_that_is_not_there_is_told_within_seconds(written: Path) -> None:
    begun = time.monotonic()
    address = f"tcp://127.0.0.1:{free_port()}"
    code, out, err = command("run", written, "--executor", "dask", "--scheduler", address)
    assert time.monotonic() - begun < 15.0
    assert (code, out) == (int(Exit.RESOURCES), "")
    assert f"error[S606]: no Dask scheduler answers at {address}" in err
    assert "Traceback" not in err
    assert [path.name for path in written.parent.iterdir()] == ["s.toml"]
    assert "S606" in command("run", written, "--executor", "dask", "--scheduler", "nonsense://x")[2]


@functools.cache
def content_of(study: str, *more: str) -> str:
    """The content hash of a run of its own of this study in this process, made in the folder of who asks first."""
    Path("alone.toml").write_text(study, encoding="utf-8")
    code, _, err = command("run", "alone.toml", "-o", "alone.h5", *more, "--progress", "none")
    assert code == 0, err
    return content_hash("alone.h5")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_run_on_a_local_cluster_is_stopped_and_goes_on_without_one(written: Path, sign: signal.Signals) -> None:
    """The signal goes to the whole group, as from a terminal: no traceback of anybody, no process is left."""
    program = [sys.executable, "-c", "from ctcdyn.cli import main; main()", "run", str(written), "-o", "half.h5"]
    many = "population.patients=40300"
    run = subprocess.Popen(
        [*program, "--executor", "dask", "--threads", "2", "-s", many, "--progress", "plain"],
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: len(list(Path("half.h5.parts").glob("0*.h5"))) > 0 or run.poll() is not None)
    assert run.poll() is None
    os.killpg(run.pid, sign)
    err = run.communicate(timeout=30)[1]
    assert run.returncode == Exit.INTERRUPTED, err
    assert "Traceback" not in err
    stopped = re.search(r"stopped: (\d+) of 40300 trajectories are committed", err)
    assert stopped is not None, err
    assert int(stopped[1]) < 40300
    until(lambda: not left_of_group(run.pid), 10.0)
    assert command("run", written, "-o", "half.h5", "-s", many, "--resume", "--progress", "none")[0] == 0
    assert content_hash("half.h5") == content_of(STUDY, "-s", many)


def left_of_group(group: int) -> bool:
    """Whether a process of this group is alive; one that nobody has collected yet is not."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return any(int(pgid) == group and not stat.startswith("Z") for pgid, stat in rows)


class Failing:
    """A function that ends with an error of ours."""

    def __call__(self, spans: Sequence[int], halt: np.ndarray[Any, Any]) -> list[int]:
        raise CtcError(cluster.Problem("S602", "as asked"))


@narrow
def test_an_error_of_a_task_is_told_as_it_is() -> None:
    with pytest.raises(CtcError, match="as asked"):
        list(
            cluster.execute(
                Failing(), range(3), most=1, workers=1, scheduler=None, halted=lambda: False, say=print
            )
        )


def test_a_cancelled_task_sets_its_word() -> None:
    """Dask lets running tasks run: the worker looks at the state of the task."""

    class Task:
        state = "executing"

    class Worker:
        class state:  # noqa: N801
            tasks = {"key": Task()}  # noqa: RUF012

    halt, over = np.zeros(1, np.int64), threading.Event()
    watch = threading.Thread(target=cluster._watch, args=(Worker, "key", halt, over))
    watch.start()
    time.sleep(0.5)
    assert halt[0] == 0
    Worker.state.tasks["key"].state = "cancelled"
    watch.join(5.0)
    assert halt[0] == 1


def test_a_worker_that_joins_later_with_other_versions_refuses_the_task() -> None:
    load = cluster.zlib.compress(cluster.pickle.dumps((cluster._here() | {"ctcdyn": "9.9"}, len)))
    with pytest.raises(CtcError, match=f"S606.*ctcdyn {re.escape(__version__)} instead of 9.9"):
        cluster._unpacked(load)


def test_without_dask_it_is_told_what_to_install(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, out, err = command("run", written, "--executor", "dask")
    assert (code, out) == (int(Exit.RESOURCES), "")
    assert "error[S606]: Dask is not installed" in err
    assert "pip install 'ctcdyn[cluster]'" in err
    assert [path.name for path in written.parent.iterdir()] == ["s.toml"]


@pytest.mark.parametrize(("executor", "address"), [("ray", None), ("local", "tcp://127.0.0.1:1")])
def test_an_executor_that_is_not_there(written: Path, executor: str, address: str | None) -> None:
    with pytest.raises(CtcError, match=f"S606.*executor '{executor}'"):
        study.run(str(written), executor=executor, scheduler=address)


def test_neighbouring_spans_become_one_range() -> None:
    spans = [Range(0, 256), Range(256, 256), Range(1024, 256), Range(1280, 20)]
    assert joined(spans) == [Range(0, 512), Range(1024, 276)]
    assert joined([]) == []
