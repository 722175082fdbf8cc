"""One hash over threads, shards, executors and kills: every combination gives the content of one uninterrupted run."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import runs
from ctcdyn.store.content import content_hash
from ctcdyn.store.merging import merge
from runs import Run, Server
from scenes import Place, entries, write_study

COUNT = 3000  # twelve leaves, so that there are ten shards


def by_matrix(
    folder: Path,
    rng: random.Random,
    threads: Sequence[int] = (1, 2, 7),
    shards: Sequence[int] = (1, 3, 10),
    executors: Sequence[str] = ("local", "dask"),
    kills: Sequence[int] = (0, 3),
) -> Counter[str]:
    """Run all combinations; with kills, each shard is killed so often at operations drawn at random, and resumed."""
    told: Counter[str] = Counter()
    study = write_study(folder / "study.toml", COUNT)
    server = Server("run", write_study(folder / "warm.toml"), "--progress", "none", load=["distributed"])
    try:
        whole = Place(folder / "whole")
        assert server.run(Run([*_words(study, whole), "--threads", 2]))[0].code == 0
        wanted = content_hash(whole.target)
        for executor in executors:
            for many in threads:
                with _options(executor, many) as options:
                    for parts in shards:
                        for times in kills:
                            name = f"{executor}-{many}-{parts}-{times}"
                            found = _combination(server, study, folder / name, parts, times, options, rng, told)
                            assert found == wanted, f"{name}: another content"
                            told[f"{executor}: combinations"] += 1
    finally:
        server.close()
    return told


def _combination(
    server: Server,
    study: Path,
    folder: Path,
    parts: int,
    kills: int,
    options: Sequence[object],
    rng: random.Random,
    told: Counter[str],
) -> str:
    targets = []
    for i in range(1, parts + 1):
        place = Place(folder / str(i))
        words = [*_words(study, place), *options, *(["--shard", f"{i}/{parts}"] if parts > 1 else [])]
        for _ in range(kills):
            before = entries(place.parts)
            at = rng.randint(6, 16)
            (ended,) = server.run(Run([*words, "--resume"], place.plan("run", at, "kill")))
            assert ended.code == -9, f"operation {at} of {words}: {ended}"
            assert not runs.left_alive(ended.mark), words
            assert set(before) <= set(entries(place.parts)), f"committed and lost: {words}"
            told["killed"] += 1
        (ended,) = server.run(Run([*words, "--resume"]))
        assert ended.code == 0, f"{words}: {ended}"
        assert "Traceback" not in ended.err, ended
        assert not runs.left_alive(ended.mark), words
        assert place.left() == ["out.h5"], words
        targets.append(place.target)
    if parts == 1:
        return content_hash(targets[0])
    rng.shuffle(targets)
    hashes = set()
    for copy in (False, True):
        merge(folder / f"merged{copy}.h5", targets, copy=copy)
        hashes.add(content_hash(folder / f"merged{copy}.h5"))
        told["mergers"] += 1
    assert len(hashes) == 1, f"{folder.name}: the copy has another content than the virtual file"
    return hashes.pop()


def _words(study: Path, place: Place) -> list[object]:
    return ["run", study, "-o", place.target, "--progress", "plain"]


@contextlib.contextmanager
def _options(executor: str, many: int) -> Iterator[list[object]]:
    """Words for so many threads of this machine, or workers of a Dask cluster on loopback."""
    if executor == "local":
        yield ["--threads", many]
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    begun: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object) -> None:
        line = [sys.executable, "-m", "dask", *map(str, arguments)]
        quiet = subprocess.DEVNULL
        begun.append(subprocess.Popen(line, env=os.environ, start_new_session=True, stdout=quiet, stderr=quiet))

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        address = f"tcp://127.0.0.1:{port}"
        for _ in range(many):
            start("worker", address, "--no-nanny", "--nthreads", 1, "--no-dashboard", "--death-timeout", 120)
        _await_workers(address, many, end)
        yield ["--executor", "dask", "--scheduler", address]
    finally:
        for one in begun:
            with contextlib.suppress(ProcessLookupError):
                one.kill()
            one.wait()


def _await_workers(address: str, many: int, end: float) -> None:
    """In a process of its own: a client leaves threads and sockets behind, and this process forks no more then."""
    program = "import sys, distributed as d; d.Client(sys.argv[1], timeout=60).wait_for_workers(int(sys.argv[2]))"
    left = max(1.0, end - time.monotonic())
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, address, str(many)], check=True, timeout=60 + left)
