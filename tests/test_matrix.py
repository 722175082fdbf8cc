"""One content hash over threads, shards, executors and kills: a short version, and all combinations (`-m faults`)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import matrix


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.nodeid)


@pytest.mark.parametrize("threads", [1, 7])
def test_one_hash_for_shards_and_kills(tmp_path: Path, rng: random.Random, threads: int) -> None:
    told = matrix.by_matrix(tmp_path, rng, [threads], [1, 3], ["local"], [3])
    assert (told["local: combinations"], told["killed"], told["mergers"]) == (2, 12, 2)


def test_one_hash_on_a_cluster(tmp_path: Path, rng: random.Random) -> None:
    told = matrix.by_matrix(tmp_path, rng, [2], [3], ["dask"], [1])
    assert (told["dask: combinations"], told["killed"], told["mergers"]) == (1, 3, 2)


@pytest.mark.faults
def test_one_hash_for_all_combinations(tmp_path: Path, rng: random.Random) -> None:
    told = matrix.by_matrix(tmp_path, rng)
    assert told["local: combinations"] == 18
    assert told["dask: combinations"] == 18
