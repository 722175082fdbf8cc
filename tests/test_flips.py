"""Damage to segments and manifest: named before HDF5 opens it, and only what was damaged is computed again."""

from __future__ import annotations

import random

import pytest

import strikes
from commands import command
from ctcdyn.errors import CtcError, Exit
from ctcdyn.store import assembly
from scenes import Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("flips"))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.nodeid)


def test_flips_and_cuts(scene: Scene, rng: random.Random) -> None:
    assert strikes.by_flips(scene, 60, 30, 5, rng)["resumed"] >= 3


@pytest.mark.faults
def test_flips_and_cuts_often(scene: Scene, rng: random.Random) -> None:
    assert strikes.by_flips(scene, 1000, 200, 120, rng)["resumed"] >= 100


@pytest.mark.parametrize("name", ["000003.h5", "manifest.jsonl"])
def test_verify_names_what_is_damaged(scene: Scene, rng: random.Random, name: str) -> None:
    place = scene.unfinished()
    assert command("verify", place.target)[0] == 0
    strikes.damage(place.parts / name, rng, flip=True)
    code, out, err = command("verify", place.target)
    assert code == Exit.NO, err
    assert name.partition(".")[0] in out
    strikes.repaired(scene, place, place, name)
    assert command("verify", place.target)[0] == 0


def test_a_result_is_not_made_where_the_manifest_has_lost_trajectories(scene: Scene) -> None:
    place = scene.unfinished()
    manifest = place.parts / "manifest.jsonl"
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(CtcError, match="R505"):
        assembly.write_result(place.parts, place.target, {}, False)
    assert not place.target.exists()
    scene.goes_on(place)


@pytest.mark.parametrize("which", range(3))
def test_no_single_flip_loses_what_the_run_is(scene: Scene, which: int) -> None:
    place = scene.unfinished()
    manifest = place.parts / "manifest.jsonl"
    data = bytearray(manifest.read_bytes())
    ends = [at for at, byte in enumerate(data) if byte == ord("\n")]
    data[ends[which]] ^= 1
    manifest.write_bytes(data)
    code, out, err = command("verify", place.target)
    assert (code, "manifest" in out) == (Exit.NO, True), out + err
    strikes.repaired(scene, place, place, manifest.name)
