"""Signals at any moment: out within seconds, no traceback, nobody left, and the run goes on to the same bytes."""

from __future__ import annotations

import random
import signal

import pytest

import strikes
from ctcdyn.store.content import content_hash
from scenes import Scene

LONG = 30_000  # trajectories: seconds of work
STOPS = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("signals"), LONG)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.nodeid)


@pytest.mark.parametrize("number", STOPS[:3])
def test_a_signal_stops_a_run(scene: Scene, rng: random.Random, number: signal.Signals) -> None:
    assert strikes.by_signals(scene, [number], 1, rng, 2.0, cold=False).total()


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]], ids=["one", "two"])
def test_a_signal_stops_a_compilation(scene: Scene, rng: random.Random, numbers: list[int]) -> None:
    assert strikes.by_signals(scene, numbers, 1, rng, 4.0, cold=True).total()


@pytest.mark.faults
@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
@pytest.mark.parametrize("number", STOPS[:2])
def test_signals_at_random_moments(
    scene: Scene, rng: random.Random, number: signal.Signals, cold: bool
) -> None:
    times, longest = (25, 6.0) if cold else (75, 2.5)
    assert strikes.by_signals(scene, [number], times, rng, longest, cold).total() >= times


@pytest.mark.faults
def test_a_second_signal_at_random_moments(scene: Scene, rng: random.Random) -> None:
    assert strikes.by_signals(scene, [signal.SIGTERM, signal.SIGINT], 50, rng, 2.5, cold=False).total() >= 50


def test_a_run_that_was_stopped_before_it_had_anything_is_not_in_the_way(scene: Scene) -> None:
    place = scene.place()
    assert scene.run(place, plan=place.plan("run", 11, "kill")).code == -signal.SIGKILL
    assert (place.parts / "manifest.jsonl").exists()
    assert scene.run(place).code == 0
    assert (content_hash(place.target), place.left()) == (scene.hash, ["out.h5"])
