"""Random streams: published vectors, integer implementations, addresses, laws, same bytes without JIT.

Run as a program it prints what its child processes are asked for: `values FILE` or `assembly`.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctcdyn.kernels import streams
from ctcdyn.kernels.contract import W
from ctcdyn.kernels.machine import bits_from_float, kernel, lane
from ctcdyn.kernels.streams import (
    DRAWS,
    EVENTS,
    NOISE,
    SAMPLES,
    TREATMENTS,
    draw_uniform,
    draw_uniforms,
    exponential,
    next_bits,
    philox4x32,
    seed_stream,
    uniform,
)
from lane_probe import QUIET, STRIDE, arithmetic, child, generator, sweep

WORD = 2**32 - 1
LONG = 2**64 - 1
FALSE_ALARM = 1e-6
CELL = 2.0**-52  # of a uniform


@kernel
def fill_bits(v, out):
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[j, i] = next_bits(v, i)


@kernel
def fill_uniform(v, out):
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[j, i] = uniform(v, i)


@kernel
def fill_exponential(v, out):
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[j, i] = exponential(v, i)


@lane
def lane_uniform(w, v, i):
    v[8 * STRIDE + i] = bits_from_float(uniform(v, i))


@lane
def lane_exponential(w, v, i):
    v[8 * STRIDE + i] = bits_from_float(exponential(v, i))


LANES = {"uniform": lane_uniform, "exponential": lane_exponential}


# ---- the same two generators on Python's integers, written from the papers ---------------------------------
def philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    c, k = list(counter), list(key)
    for number in range(10):
        if number:
            k = [(k[0] + 0x9E3779B9) & WORD, (k[1] + 0xBB67AE85) & WORD]
        high0, low0 = divmod(0xD2511F53 * c[0], 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
    return tuple(c)


def xoshiro(state: tuple[int, ...], count: int) -> list[int]:
    def rotate(x: int, k: int) -> int:
        return ((x << k) | (x >> (64 - k))) & LONG

    s, drawn = list(state), []
    for _ in range(count):
        drawn.append((rotate((s[0] + s[3]) & LONG, 23) + s[0]) & LONG)
        t = (s[1] << 17) & LONG
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
    return drawn


def split(x: int) -> tuple[int, int]:
    return x & WORD, x >> 32


def state_of(seed: int, number: int, purpose: int) -> tuple[int, ...]:
    words = [w for half in (0, 1) for w in philox((*split(number), purpose, half), split(seed))]
    return tuple(words[j] | words[j + 1] << 32 for j in range(0, 8, 2))


def call_philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(x) for x in philox4x32(*map(np.uint64, counter), *map(np.uint64, key)))


def lanes_with(states: list[tuple[int, ...]]) -> Any:
    """A generator buffer whose first lanes hold the given states."""
    v = np.ones((4, W), np.uint64)
    v[:, : len(states)] = np.array(states, dtype=np.uint64).T
    return v.ravel()


def seeded(seed: int, numbers: range, purpose: int) -> Any:
    v = np.zeros(4 * W, np.uint64)
    for i, number in enumerate(numbers):
        seed_stream(v, i, np.uint64(seed), number, purpose)
    return v


def seed_for(request: pytest.FixtureRequest) -> int:
    return int(generator(request.node.nodeid).integers(2**63))


# ---- vectors -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((WORD,) * 4, (WORD, WORD), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
    ids=["zeros", "ones", "digits of pi"],
)
def test_philox_known_answers(counter: Any, key: Any, answer: Any) -> None:
    """The three philox4x32 10 lines of Random123's kat_vectors."""
    assert call_philox(counter, key) == answer
    assert philox(counter, key) == answer


def test_philox_equals_the_integer_implementation(request: pytest.FixtureRequest) -> None:
    for words in generator(request.node.nodeid).integers(2**32, size=(200, 6)).tolist():
        assert call_philox(tuple(words[:4]), tuple(words[4:])) == philox(tuple(words[:4]), tuple(words[4:]))


def test_xoshiro_known_answers() -> None:
    """State 1, 2, 3, 4 as in the tests of rand_xoshiro; state 0, 0, 0, 1 as in those of xoshiro-fortran."""
    first = [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
        14011001112246962877,
        12406186145184390807,
        15849039046786891736,
        10450023813501588000,
    ]
    second = [0x800000, 0x800011, 0x2200000800011, 0x2200044000020, 0x22000448008A1, 0x1102100802208A0]
    second += [0x114002284200880, 0x402896644A64095, 0x8A14A0A244ACC891, 0x8C88BA4680B20495]
    out = np.zeros((10, W), np.uint64)
    fill_bits(lanes_with([(1, 2, 3, 4), (0, 0, 0, 1)]), out)
    assert out[:, 0].tolist() == first
    assert out[:, 1].tolist() == second


def test_xoshiro_equals_the_integer_implementation(request: pytest.FixtureRequest) -> None:
    states = [
        tuple(s)
        for s in generator(request.node.nodeid).integers(2**64, size=(W, 4), dtype=np.uint64).tolist()
    ]
    out = np.zeros((50, W), np.uint64)
    fill_bits(lanes_with(states), out)
    assert out.T.tolist() == [xoshiro(s, 50) for s in states]


# ---- addresses ---------------------------------------------------------------------------------------------
def test_seed_stream_writes_its_lane_only() -> None:
    seed, number = 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210
    v = np.full(12 * W, 7, np.uint64)
    seed_stream(v, 3, np.uint64(seed), np.uint64(number), NOISE)
    seed_stream(v, 3 + 8 * W, np.uint64(seed), np.uint64(number), TREATMENTS)  # the third stream
    rows = v.reshape(12, W)
    assert tuple(rows[:4, 3].tolist()) == state_of(seed, number, NOISE)
    assert tuple(rows[8:, 3].tolist()) == state_of(seed, number, TREATMENTS)
    rows[:4, 3] = rows[8:, 3] = 7
    assert (rows == 7).all()


def test_signed_and_unsigned_numbers_name_the_same_stream() -> None:
    v = np.zeros(4 * W, np.uint64)
    seed_stream(v, 0, np.int64(5), np.int64(2**40 + 1), EVENTS)
    seed_stream(v, 1, np.uint64(5), np.uint64(2**40 + 1), EVENTS)
    assert (v.reshape(4, W)[:, 0] == v.reshape(4, W)[:, 1]).all()


def test_neighbouring_streams_share_no_word() -> None:
    numbers = [0, 1, 2, 3, 255, 256, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**33, 2**63]
    seeds = [0, 1, 2, 2**31, 2**32, 2**32 + 1, 2**63]
    purposes = [EVENTS, NOISE, DRAWS, TREATMENTS, SAMPLES]
    words = []
    v = np.zeros(4 * W, np.uint64)
    for seed, number, purpose in product(seeds, numbers, purposes):
        seed_stream(v, 0, np.uint64(seed), np.uint64(number), purpose)
        words += v[::W].tolist()
    assert len(set(purposes)) == 5
    assert len(words) == 4 * 7 * 12 * 5
    assert len(set(words)) == len(words)


def test_addressed_draws(request: pytest.FixtureRequest) -> None:
    seed = seed_for(request)
    out = np.zeros((40, 5))
    draw_uniforms(np.uint64(seed), 2**32 - 20, DRAWS, out)  # the numbers cross a word
    for j, q in product(range(40), range(5)):
        low, high, _, _ = philox((*split(2**32 - 20 + j), DRAWS | 2**31, q), split(seed))
        assert out[j, q] == ((low | high << 32) >> 12) * CELL + CELL / 2
    tail = np.zeros((10, 3))
    draw_uniforms(np.uint64(seed), 2**32 - 20 + 30, DRAWS, tail)
    assert (tail == out[30:, :3]).all()
    assert draw_uniform(np.uint64(seed), 2**32 - 15, DRAWS, 4) == out[5, 4]
    draw_uniforms(np.uint64(seed), 2**32 - 20, SAMPLES, tail)
    assert not (tail == out[:10, :3]).any()


# ---- laws --------------------------------------------------------------------------------------------------
def test_extreme_draws() -> None:
    """All bits 0 and all bits 1: uniform stays below 1, exponential stays finite and positive."""
    states = [(0, 1, 1, 0), (0, 1, 1, LONG)]
    assert [xoshiro(s, 1)[0] for s in states] == [0, LONG]
    u, e = np.zeros((1, W)), np.zeros((1, W))
    fill_uniform(lanes_with(states), u)
    fill_exponential(lanes_with(states), e)
    assert u[0, :2].tolist() == [0.0, 1.0 - CELL]
    assert e[0, 0] == pytest.approx(53 * np.log(2), rel=1e-15)
    assert e[0, 1] == 2.0**-53


@pytest.mark.parametrize(
    ("fill", "law"), [(fill_uniform, "uniform"), (fill_exponential, "expon")], ids=["uniform", "exponential"]
)
def test_law_across_and_along_lanes(fill: Any, law: str, request: pytest.FixtureRequest) -> None:
    """Kolmogorov-Smirnov over 2e5 draws of one long stream, and over the first two draws of 2e4 ids.

    False-alarm rate 1e-6 each. A distance between the laws of 0.011 along and 0.034 across is missed
    once in 10^4 times: critical distance 2.69/sqrt(n), and four standard errors of at most 0.5/sqrt(n).
    """
    from scipy import stats

    seed = seed_for(request)
    along = np.zeros((200_000, 1))
    fill(seeded(seed, range(1), EVENTS), along)
    assert np.isfinite(along).all()
    assert (along >= 0).all()
    assert (along > 0).all() or law == "uniform"
    assert stats.kstest(along.ravel(), law).pvalue > FALSE_ALARM
    across = np.zeros((20_000 // W, 2, W))
    for j in range(across.shape[0]):
        fill(seeded(seed, range(j * W, (j + 1) * W), EVENTS), across[j])
    for draw in (0, 1):
        assert stats.kstest(across[:, draw].ravel(), law).pvalue > FALSE_ALARM


def test_addressed_draws_are_uniform_in_every_direction(request: pytest.FixtureRequest) -> None:
    from scipy import stats

    seed = seed_for(request)
    out = np.zeros((50_000, 3))
    draw_uniforms(np.uint64(seed), 0, DRAWS, out)
    assert ((out > 0) & (out < 1)).all()
    for q in range(3):
        assert stats.kstest(out[:, q], "uniform").pvalue > FALSE_ALARM
    row = np.zeros((1, 50_000))
    draw_uniforms(np.uint64(seed), 0, DRAWS, row)
    assert stats.kstest(row.ravel(), "uniform").pvalue > FALSE_ALARM
    assert abs(np.corrcoef(out.T)[np.triu_indices(3, 1)]).max() < 4 / np.sqrt(len(out))


def test_neighbours_are_uncorrelated(request: pytest.FixtureRequest) -> None:
    """Neighbouring ids, purposes and seeds, and one stream with itself a draw later: |r| < 4/sqrt(n)."""
    seed, n = seed_for(request), 100_000
    names = [
        (seed, 8, EVENTS),
        (seed, 9, EVENTS),
        (seed, 9, NOISE),
        (seed + 1, 9, NOISE),
        (seed + 1, 10, NOISE),
    ]
    v = np.zeros(4 * W, np.uint64)
    for i, (key, number, purpose) in enumerate(names):
        seed_stream(v, i, np.uint64(key), number, purpose)
    u = np.zeros((n, len(names)))
    fill_uniform(v, u)
    pairs = [(u[:, a], u[:, b]) for a, b in pairwise(range(len(names)))] + [(u[1:, 0], u[:-1, 0])]
    for a, b in pairs:
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(n)
        assert abs(np.corrcoef((a - 0.5) ** 2, (b - 0.5) ** 2)[0, 1]) < 4 / np.sqrt(n)


# ---- machine code ------------------------------------------------------------------------------------------
def everything() -> Any:
    """Draws of every kind as words, the same in any process: what JIT must not change."""
    v = seeded(0x0123_4567_89AB_CDEF, range(2**32 - 3, 2**32 - 3 + W), TREATMENTS)
    bits = np.zeros((20, W), np.uint64)
    fill_bits(v, bits)
    results = [bits]
    for fill in (fill_uniform, fill_exponential):
        out = np.zeros((60, W))
        fill(v, out)
        results.append(out.view(np.uint64))
    addressed = np.zeros((100, 4))
    draw_uniforms(np.uint64(2**64 - 1), np.int64(2**40), SAMPLES, addressed)
    return np.concatenate([r.ravel() for r in [*results, v, addressed.view(np.uint64)]])


def test_same_bytes_without_jit(tmp_path: Path) -> None:
    child(__file__, "values", str(tmp_path / "plain.npy"), NUMBA_DISABLE_JIT="1")
    assert np.array_equal(np.load(tmp_path / "plain.npy"), everything())


def test_draws_are_packed_at_every_width() -> None:
    """For AVX2 without host features: only packed arithmetic, nothing fused, in loops of 16, 32, 64 lanes."""
    counts = json.loads(child(__file__, "assembly", NUMBA_CPU_NAME="x86-64-v3", NUMBA_CPU_FEATURES=""))
    assert set(counts) == {f"{name} {width}" for name in LANES for width in (16, 32, 64)}
    for name, count in counts.items():
        assert count["packed"] >= (1 if name.startswith("uniform") else 20), (name, count)
        assert count["scalar"] == 0, (name, count)
        assert count["fused"] == 0, (name, count)


if __name__ == "__main__":
    if sys.argv[1] == "values":
        with np.errstate(**QUIET):
            np.save(sys.argv[2], everything())
    else:
        found = {}
        for name, width in product(LANES, (16, 32, 64)):
            streams.W = width
            found[f"{name} {width}"] = arithmetic(sweep(LANES[name], width))
        print(json.dumps(found))
