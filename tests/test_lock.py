"""One writer for each result: of eight starters one wins; a dead holder is taken over, one that may live is not."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

import strikes
from ctcdyn.errors import Exit
from scenes import Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("lock"))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.nodeid)


@pytest.mark.parametrize("fresh", [True, False], ids=["new interpreters", "forks"])
def test_of_eight_starters_one_wins(scene: Scene, fresh: bool) -> None:
    assert strikes.by_starters(scene, 1 if fresh else 2, fresh)["won"]


@pytest.mark.faults
@pytest.mark.parametrize("fresh", [True, False], ids=["new interpreters", "forks"])
def test_of_eight_starters_one_wins_often(scene: Scene, fresh: bool) -> None:
    assert strikes.by_starters(scene, 50 if fresh else 150, fresh)["won"]


def test_a_killed_holder_is_taken_over_by_one(scene: Scene, rng: random.Random) -> None:
    assert strikes.by_takers(scene, 1, rng)["taken over"] == 1


@pytest.mark.faults
def test_a_killed_holder_is_taken_over_by_one_often(scene: Scene, rng: random.Random) -> None:
    assert strikes.by_takers(scene, 50, rng)["taken over"] == 50


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.mark.parametrize("who", ["alive", "on another host", "in another container", "unreadable"])
def test_a_holder_that_may_live_is_respected(scene: Scene, who: str) -> None:
    place = scene.place()
    dead = ended_process()
    if who == "alive":
        strikes.hold(place)
    elif who == "on another host":
        strikes.hold(place, host="elsewhere", pid=dead)
    elif who == "in another container":
        strikes.hold(place, space="pid:[1]", pid=dead)
    else:
        strikes.hold(place)
        (place.parts / "lock").write_bytes(b"{")
    held = (place.parts / "lock").read_bytes()
    for more in ([], ["--resume"], ["--overwrite"]):
        ended = scene.run(place, *more)
        assert (ended.code, "R510" in ended.err) == (Exit.OUTPUT, True), ended
        assert f"rm {place.parts / 'lock'}" in ended.err
    assert (place.parts / "lock").read_bytes() == held
    assert not place.target.exists()


@pytest.mark.parametrize("who", ["ended", "of an earlier start", "replaced", "a zombie"])
def test_a_dead_holder_is_taken_over(scene: Scene, who: str) -> None:
    place = scene.place()
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.read()  # it has ended, or is about to, and nobody has waited for it
        if who == "a zombie":
            strikes.until_zombie(child.pid)
            strikes.hold(place, pid=child.pid)
        elif who == "ended":
            strikes.hold(place, pid=ended_process())
        elif who == "of an earlier start":
            strikes.hold(place, boot="another")
        else:
            strikes.hold(place, start="1")
        assert scene.run(place).code == 0
    finally:
        child.communicate()
    assert place.left() == ["out.h5"]


def test_a_second_starter_is_refused_before_models_are_imported(scene: Scene) -> None:
    """What it must import is what it costs: numba and the readers of models are most of a start."""
    place = scene.place()
    strikes.hold(place)
    words = [str(word) for word in scene.words(place)]
    told = f"import sys; from ctcdyn.cli import main; sys.argv[1:] = {words!r}\n"
    told += "try: main()\nfinally: print(sorted({'numba', 'ctcdyn.model.load'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False)
    assert (done.returncode, "R510" in done.stderr) == (Exit.OUTPUT, True), done.stderr
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("wrong", ["model", "output"])
def test_a_wrong_study_is_told_as_if_nothing_had_been_claimed(scene: Scene, wrong: str) -> None:
    """The lock that was taken first is given up with its folder; that a result is there is said after what is wrong."""
    place = scene.place()
    extra = ["--set", "model.use=no_such_model"]
    if wrong == "output":
        place.target.write_bytes(b"somebody's")
    ended = scene.run(place, *extra)
    assert (ended.code, "no_such_model" in ended.err, "R502" in ended.err) == (Exit.CONFIG, True, False), ended
    assert place.left() == (["out.h5"] if wrong == "output" else [])
    if wrong == "output":
        ended = scene.run(place)
        assert (ended.code, "R502" in ended.err) == (Exit.OUTPUT, True), ended
        assert place.left() == ["out.h5"]
