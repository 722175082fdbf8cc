"""A run that is struck anywhere goes on to the same bytes, and computes nothing twice that was committed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import strikes
from ctcdyn.errors import Exit
from ctcdyn.store.content import content_hash
from faults import WAYS
from scenes import COUNT, Scene, entries, write_study


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("resume"))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.nodeid)


def test_a_run_has_the_operations_that_are_struck(scene: Scene) -> None:
    place = scene.place()
    assert scene.run(place, plan=place.plan()).code == 0
    names = [what.split()[0] for what in place.operations("run")]
    assert {"open", "write", "fsync", "replace", "pwrite", "link", "unlink", "mkdir", "rmdir"} <= set(names)
    assert names.count("pwrite") == 5  # each leaf is a commit here
    assert {"pwrite", "ftruncate", "fsync", "link"} <= {what.split()[0] for what in place.operations("assembly")}


def test_killed_at_an_operation(scene: Scene, rng: random.Random) -> None:
    numbers = rng.sample(range(1, scene.operations), 6)
    assert strikes.at_operations(scene, "run", "kill", numbers).total() == 6


@pytest.mark.parametrize("how", WAYS[2:])
def test_struck_at_an_operation(scene: Scene, rng: random.Random, how: str) -> None:
    numbers = rng.sample(range(1, scene.operations), 2)
    assert strikes.at_operations(scene, "run", how, numbers).total() == 2


@pytest.mark.parametrize("how", WAYS[1:])
def test_struck_while_the_result_is_written(scene: Scene, rng: random.Random, how: str) -> None:
    numbers = [rng.randint(1, scene.sizes["assembly"])]
    assert strikes.at_operations(scene, "assembly", how, numbers).total() == 1


@pytest.mark.faults
@pytest.mark.parametrize("how", WAYS[1:])
def test_struck_at_every_operation_while_the_result_is_written(scene: Scene, how: str) -> None:
    """Those of the run itself: tests/test_compaction.py."""
    last = scene.sizes["assembly"]
    assert strikes.at_operations(scene, "assembly", how, range(1, last + 1)).total() == last


def test_killed_at_random_moments(scene: Scene, rng: random.Random) -> None:
    assert strikes.at_random(scene, 2, rng, 0.4)["runs"] == 2


@pytest.mark.faults
def test_killed_at_random_moments_often(scene: Scene, rng: random.Random) -> None:
    assert strikes.at_random(scene, 200, rng, 0.4)["runs"] == 200


def test_a_limit_of_the_system_on_file_size(scene: Scene) -> None:
    assert strikes.by_limits(scene, [1_000, 20_000, 150_000]).total() >= 3


@pytest.mark.faults
def test_limits_of_the_system_on_file_size(scene: Scene, rng: random.Random) -> None:
    assert strikes.by_limits(scene, [int(10 ** rng.uniform(3.2, 5.2)) for _ in range(60)]).total() >= 60


def test_a_file_system_that_fills_up(scene: Scene, rng: random.Random) -> None:
    assert strikes.by_full_disks(scene, 2, rng)


@pytest.mark.faults
def test_a_file_system_that_fills_up_often(scene: Scene, rng: random.Random) -> None:
    assert strikes.by_full_disks(scene, 100, rng)


def test_an_unfinished_run_is_not_begun_again_unasked(scene: Scene) -> None:
    place = scene.unfinished()
    before = {path: path.read_bytes() for path in place.parts.iterdir() if path.name != "lock"}
    ended = scene.run(place)
    assert (ended.code, "R512" in ended.err) == (Exit.OUTPUT, True), ended
    assert "--resume" in ended.err
    assert {path: path.read_bytes() for path in place.parts.iterdir() if path.name != "guard"} == before
    assert scene.run(place, "--overwrite").code == 0
    assert (content_hash(place.target), place.left()) == (scene.hash, ["out.h5"])


def test_resume_without_anything_there_runs_and_then_computes_nothing(scene: Scene) -> None:
    place = scene.place()
    assert scene.run(place, "--resume").code == 0
    before = (place.target.read_bytes(), place.target.stat().st_mtime_ns)
    again = scene.run(place, "--resume", plan=place.plan())
    assert again.code == 0, again
    assert not [what for what in place.operations("run") if ".h5.tmp" in what]
    assert (place.target.read_bytes(), place.target.stat().st_mtime_ns) == before
    assert place.left() == ["out.h5"]


@pytest.mark.parametrize(
    "change, named",
    [
        (["--seed", 43], "ensemble.seed"),
        (["-s", "simulate.t_end='21 days'"], "simulate.t_end"),
        (["-s", "model.use='ctc_linear'", "-s", "initial={}"], "model"),
        (["-s", "parameters.birth='0.8 /day'"], "parameters"),
        (["-s", "initial.colony=6"], "initial.colony"),
        (["-s", "output.keep=599"], "output.keep"),
        (["-s", "output.quantiles=[0.1]"], "output.quantiles"),
        (["-s", "ensemble.trajectories=1101"], "ensemble.trajectories"),
        (["-s", "limits.max_events_per_trajectory=1000000"], "limits.max_events_per_trajectory"),
    ],
)
def test_another_run_is_refused_and_the_difference_named(scene: Scene, change: list[object], named: str) -> None:
    place = scene.unfinished()
    before = entries(place.parts)
    ended = scene.run(place, "--resume", *change)
    assert (ended.code, "R513" in ended.err) == (Exit.OUTPUT, True), ended
    assert named in ended.err
    assert entries(place.parts) == before
    scene.goes_on(place)
    ended = scene.run(place, "--resume", *change)
    assert (ended.code, "R513" in ended.err) == (Exit.OUTPUT, True), ended
    assert content_hash(place.target) == scene.hash


def test_what_changes_no_number_may_change(scene: Scene) -> None:
    place = scene.unfinished()
    free = ["-s", "output.picture=true", "-s", "limits.max_failed_fraction=0.5", "--threads", 1]
    assert scene.run(place, "--resume", *free).code == 0
    assert content_hash(place.target) == scene.hash
    assert place.left() == ["out.h5", "out.png"]


def test_without_a_seed_the_first_one_stays(scene: Scene) -> None:
    place = scene.place()
    scene_study = scene.study
    try:
        scene.study = write_study(place.folder / "seedless.toml", seed="")
        assert scene.run(place, plan=place.plan("run", 30, "kill")).code == -9
        header = json.loads((place.parts / "manifest.jsonl").read_bytes().split(b"\n")[0][9:])
        assert scene.run(place, "--resume").code == 0
        other = scene.place()
        assert scene.run(other, "--seed", header["identity"]["seed"]).code == 0
        assert content_hash(place.target) == content_hash(other.target)
        assert scene.run(place, "--resume").code == 0
    finally:
        scene.study = scene_study


def test_a_run_that_replaces_another_result_can_be_resumed(scene: Scene) -> None:
    place = scene.place()
    assert scene.run(place, "--seed", 7).code == 0
    old = content_hash(place.target)
    assert scene.run(place, "--overwrite", plan=place.plan("run", 40, "kill")).code == -9
    assert content_hash(place.target) == old
    ended = scene.run(place, "--resume")
    assert (ended.code, "R502" in ended.err) == (Exit.OUTPUT, True), ended
    assert content_hash(place.target) == old
    left = 5 - len(entries(place.parts))
    assert 0 < left < 5
    assert scene.run(place, "--resume", "--overwrite", plan=place.plan()).code == 0
    assert (content_hash(place.target), place.left()) == (scene.hash, ["out.h5"])
    assert sum(".h5.tmp" in what and what.startswith("open") for what in place.operations("run")) == left
    assert sum(entry.rows for entry in entries(place.attic)) == COUNT


def test_a_result_is_never_made_of_half_a_manifest(scene: Scene, tmp_path: Path) -> None:
    place = scene.unfinished()
    manifest = place.parts / "manifest.jsonl"
    lines = manifest.read_bytes().split(b"\n")
    manifest.write_bytes(b"\n".join([*lines[:4], lines[4][:9] + b"x" + lines[4][10:], *lines[5:]]))
    ended = scene.run(place, "--resume", plan=place.plan("run", 8, "kill"))  # while the manifest is written anew
    assert ended.code == -9
    assert len(entries(place.parts)) == 4
    assert [what.split()[0] for what in place.operations("run")].count("pwrite") == 0
    scene.goes_on(place)
