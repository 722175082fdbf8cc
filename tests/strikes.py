"""What is done to runs, a given number of times: each function gives counts of how it ended, and fails at the first
thing that must not be. The tests do it a few times, `fault_record.py` often."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import runs
from ctcdyn.errors import CtcError, Exit
from ctcdyn.store import assembly, segments
from ctcdyn.store.content import content_hash
from ctcdyn.store.files import hash_of
from ctcdyn.store.verification import Unfinished, verify
from runs import LIMIT, Run
from scenes import MAIN, Place, Scene, entries, signalled

Counts = Counter[str]


def at_operations(scene: Scene, role: str, how: str, numbers: Iterable[int]) -> Counts:
    """Strike at these operations of a process, and go on each time."""
    return Counter(f"exit {scene.struck(role, at, how)}" for at in numbers)


def at_random(scene: Scene, times: int, rng: random.Random, longest: float) -> Counts:
    """SIGKILL at random moments, up to three times before the run may end."""
    told: Counts = Counter()
    for _ in range(times):
        place, threads = scene.place(), rng.choice((1, 2, 7))
        for _ in range(rng.randint(1, 3)):
            before = entries(place.parts)
            run = Run(scene.words(place, "--resume", "--threads", threads))
            started = scene.server.start(run)
            handle = os.pidfd_open(started[0]["pid"])
            runs.wait_for(handle, rng.uniform(0, longest))
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
            (ended,) = scene.server.wait(started)
            assert not runs.left_alive(ended.mark)
            if place.target.exists():
                assert content_hash(place.target) == scene.hash
                break
            assert set(before) <= set(entries(place.parts)), "committed and lost"
            told["killed"] += 1
        scene.goes_on(place, threads=threads)
        told["runs"] += 1
    return told


def by_limits(scene: Scene, sizes: Iterable[int]) -> Counts:
    """The system refuses to make any file longer than these sizes (RLIMIT_FSIZE)."""
    told: Counts = Counter()
    for size in sizes:
        place = scene.place()
        ended = scene.run(place, plan=place.plan(), limits={"RLIMIT_FSIZE": size})
        assert ended.code == Exit.RESOURCES, (size, ended)
        assert "R507" in ended.err, (size, ended)
        assert not place.target.exists(), size
        told[f"exit {ended.code}"] += 1
        told["with segments"] += bool(entries(place.parts))
        scene.goes_on(place, f"files of {size} bytes at most")
    return told


def by_full_disks(scene: Scene, times: int, rng: random.Random, size: str = "16m") -> Counts:
    """A real file system (tmpfs) that something else fills at a random moment, up to some last bytes."""
    told: Counts = Counter()
    for _ in range(times):
        place = scene.place()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place.folder], capture_output=True, check=False
        )
        if done.returncode:
            return Counter({"not done, for mounting needs root": 1})
        try:
            place.attic.mkdir()
            place.target.parent.mkdir()
            started = scene.server.start(Run(scene.words(place)))
            handle = os.pidfd_open(started[0]["pid"])
            runs.wait_for(handle, rng.uniform(0, 0.4))
            os.close(handle)
            filler = place.target.parent / "something else"
            left = rng.choice((0, 4096, 1 << 15, 1 << 17))
            with filler.open("wb", buffering=0) as file:
                here = os.statvfs(place.target.parent)
                with contextlib.suppress(OSError):
                    while file.write(bytes(max(0, min(1 << 20, here.f_bavail * here.f_bsize - left)))):
                        here = os.statvfs(place.target.parent)
            (ended,) = scene.server.wait(started)
            assert "Traceback" not in ended.err, ended
            assert not runs.left_alive(ended.mark)
            filler.unlink()
            assert ended.code in (0, Exit.RESOURCES), ended
            assert ended.code == 0 or "R507" in ended.err or "R514" in ended.err, ended
            told[f"exit {ended.code}"] += 1
            told["with segments"] += bool(entries(place.parts))
            assert ended.code or content_hash(place.target) == scene.hash
            scene.goes_on(place, "a full disk")
        finally:
            subprocess.run(["umount", "-l", place.folder], check=False)
    return told


def by_signals(scene: Scene, numbers: list[int], times: int, rng: random.Random, longest: float, cold: bool) -> Counts:
    """Signals at random moments; `cold`: the kernel has to be compiled first."""
    told: Counts = Counter()
    for _ in range(times):
        place = scene.place()
        empty = {"CTCDYN_CACHE": str(place.folder / "cache")} if cold else None
        ended = signalled(scene.words(place), numbers, rng.uniform(0, longest), empty)
        assert "Traceback" not in ended.err, ended
        assert not ended.left, ended
        assert ended.seconds < LIMIT, ended
        if ended.code in (0, -numbers[0]) and place.target.exists():
            # all is done but the last words, and nothing handles signals any more
            assert content_hash(place.target) == scene.hash
            told["finished before"] += 1
            told["finished before, ended by the signal"] += ended.code != 0
            continue
        allowed = {int(Exit.INTERRUPTED)} | ({int(Exit.KILLED)} if len(numbers) > 1 else set())
        assert ended.code in allowed, ended
        assert "--resume" in ended.err, ended
        told[f"exit {ended.code}"] += 1
        told["before anything was computed"] += "before anything" in ended.err
        told["by force after 4 s"] += "stopped at once" in ended.err
        told["with segments"] += bool(entries(place.parts))
        scene.goes_on(place)
    return told


def by_flips(scene: Scene, flips: int, cuts: int, resumed: int, rng: random.Random) -> Counts:
    """Bits flipped in, and ends cut off, segments and manifest; every so often the run goes on."""
    told: Counts = Counter()
    whole = scene.unfinished()
    names = sorted(path.name for path in whole.parts.iterdir() if path.name not in ("lock", "ended.json"))  # a sentence
    every = max(1, (flips + cuts) // max(1, resumed))
    for number in range(flips + cuts):
        place = scene.place()
        shutil.copytree(whole.parts, place.parts)
        name = rng.choice(names)
        path = place.parts / name
        damage(path, rng, flip=number < flips)
        what = "the manifest" if name == "manifest.jsonl" else "segments"
        told[f"{'flips in' if number < flips else 'cuts of'} {what}"] += 1
        found = found_by_verify(place)
        if name != "manifest.jsonl":
            assert found == (name,), (path, found)
        elif not found:  # an end cut off, or a flipped last end of line, is a commit that was never made
            assert entries(place.parts) == entries(whole.parts)[:-1]
            told["cuts that look like a commit that never was"] += 1
        elif found == ("R511",):  # nothing is left that says what the run is
            assert number >= flips
            told["cuts that leave nothing to go on from"] += 1
        if number % every == 0 and found != ("R511",):
            repaired(scene, whole, place, name)
            told["resumed"] += 1
        shutil.rmtree(place.folder)
    return told


def damage(path: Path, rng: random.Random, flip: bool) -> None:
    data = bytearray(path.read_bytes())
    if flip:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    else:
        del data[rng.randrange(len(data)) :]
    path.write_bytes(data)


def found_by_verify(place: Place) -> tuple[str, ...]:
    try:
        found = verify(place.target)
    except CtcError as error:
        return tuple(problem.code for problem in error.problems)
    assert isinstance(found, Unfinished)
    return found.damaged


def repaired(scene: Scene, whole: Place, place: Place, name: str) -> None:
    """Resume: HDF5 sees no damaged segment, what was whole is used as it is, and the result is the same."""
    opened = opened_by_assembly(place)
    good = [entry for entry in entries(place.parts) if segments.read_checked(place.parts, entry) is not None]
    assert name not in {entry.name for entry in good}
    assert opened <= {entry.body_hash + entry.tail_hash for entry in good}
    bytes_before = {entry.name: (whole.parts / entry.name).read_bytes() for entry in good}
    resumed = scene.run(place, "--resume", plan=place.plan())
    assert resumed.code == 0, resumed
    assert content_hash(place.target) == scene.hash
    assert place.left() == ["out.h5"]
    for entry in good:
        assert entry in entries(place.attic)
        assert (place.attic / entry.name).read_bytes() == bytes_before[entry.name]


def opened_by_assembly(place: Place) -> set[str]:
    """What HDF5 is given, as hashes, when a result is made from these segments; a damaged one is refused."""
    seen: set[str] = set()
    parse = segments.parse

    def look(schema: Any, entry: Any, data: bytes) -> Any:
        seen.add(hash_of(data[: entry.body]) + hash_of(data[entry.body :]))
        return parse(schema, entry, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, "parse", look)
        if any(segments.read_checked(place.parts, entry) is None for entry in entries(place.parts)):
            with pytest.raises(CtcError, match="R505"):
                assembly.write_result(place.parts, place.folder / "made.h5", {}, False)
    return seen


def by_starters(scene: Scene, times: int, fresh: bool) -> Counts:
    """Eight starters at once; `fresh`: each a new interpreter, else forks that come closer together."""
    told: Counts = Counter()
    for _ in range(times):
        place = scene.place()
        if fresh:
            began = time.monotonic()
            with ThreadPoolExecutor(8) as pool:
                timed = list(pool.map(_waited, [_started(scene.words(place)) for _ in range(8)]))
            ended = [(code, err) for code, err, _ in timed]
            slowest = max(at - began for code, _, at in timed if code)
            told["slowest refusal, ms"] = max(told["slowest refusal, ms"], round(1000 * slowest))
        else:
            ended = [(e.code, e.err) for e in scene.server.run(*[Run(scene.words(place))] * 8)]
        codes = Counter(code for code, _ in ended)
        assert codes == {0: 1, int(Exit.OUTPUT): 7}, ended
        for code, err in ended:
            assert "Traceback" not in err
            told["R510" if "R510" in err else "R502" if "R502" in err else "won"] += 1
            assert not code or "R510" in err or "R502" in err, err
        assert content_hash(place.target) == scene.hash
        assert place.left() == ["out.h5"]
    return told


def by_takers(scene: Scene, times: int, rng: random.Random) -> Counts:
    """A holder is killed, and eight resume at once: one takes over, and the result is right."""
    told: Counts = Counter()
    for _ in range(times):
        place = scene.place()
        at = rng.randint(6, scene.operations - 12)
        assert scene.run(place, plan=place.plan("run", at, "kill")).code == -signal.SIGKILL
        assert (place.parts / "lock").exists()
        before = entries(place.parts)
        ended = scene.server.run(*[Run(scene.words(place, "--resume"))] * 8)
        codes = Counter(e.code for e in ended)  # who comes late finds the result finished, and says so with 0
        assert set(codes) <= {0, int(Exit.OUTPUT)}, ended
        assert codes[0], ended
        assert not any("Traceback" in e.err for e in ended), ended
        assert content_hash(place.target) == scene.hash, before
        told["taken over"] += 1
        told["refused"] += codes[int(Exit.OUTPUT)]
        assert place.left() == ["out.h5"]
    return told


def _started(words: list[object]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*MAIN, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _waited(child: subprocess.Popen[str]) -> tuple[int, str, float]:
    """Exit code, what it said, and when it had ended."""
    _, err = child.communicate()
    return child.returncode, err, time.monotonic()


def hold(place: Place, **what: object) -> None:
    """A lock in a place, as another holder would have left it; without `what`: of this process, which lives."""
    from ctcdyn.store.lock import Lock

    place.parts.mkdir(exist_ok=True)
    (place.parts / "lock").unlink(missing_ok=True)
    lock = Lock(place.parts)
    held = json.loads(lock.path.read_text(encoding="utf-8"))
    lock.path.write_text(json.dumps(held | what), encoding="utf-8")


def until_zombie(pid: int) -> None:
    """Wait until a child of this process has ended, and leave it unreaped."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
