"""The statistical assertions catch the error they declare and let a correct program pass."""

import numpy as np
import pytest
from scipy import stats

from chance import (
    MISS,
    SMALLEST,
    assert_cdf,
    assert_fraction,
    assert_mean,
    assert_same_law,
    assert_variance,
    cdf_size,
    fraction_size,
    law_size,
    mean_size,
    seed_of,
    variance_size,
)

REPEATS = 200
# More escapes among REPEATS than this have probability 1e-6 if each has probability MISS.
ESCAPES = int(stats.binom.isf(1e-6, REPEATS, MISS))


def normal(mean, sd):
    return lambda seed, n: np.random.default_rng(seed).normal(mean, sd, n)


def exponential(scale):
    return lambda seed, n: np.random.default_rng(seed).exponential(scale, n)


def coin(p):
    return lambda seed, n: np.random.default_rng(seed).random(n) < p


def poisson(mean):
    return lambda seed, n: np.random.default_rng(seed).poisson(mean, n)


def shifted(gap):
    """The unit normal law with mass moved: its distribution function is `gap` too high just below zero."""

    def draw(seed, n):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=n)
        return np.where((x > 0) & (rng.random(n) < 2 * gap), -1e-9, x)

    return draw


# name: (assertion with its right value, size it takes, a correct sampler, one wrong by the declared error)
CASES = {
    "mean": (
        lambda s, **k: assert_mean(s, 5.0, sd=2.0, detect=0.25, **k),
        mean_size(2.0, 0.25),
        normal(5, 2),
        normal(5.25, 2),
    ),
    "mean of a skewed law": (
        lambda s, **k: assert_mean(s, 1.0, sd=1.0, detect=0.1, **k),
        mean_size(1.0, 0.1),
        exponential(1.0),
        exponential(1.1),
    ),
    "variance": (
        lambda s, **k: assert_variance(s, 4.0, detect=0.15, **k),
        variance_size(0.15),
        normal(0, 2),
        normal(0, 2 * np.sqrt(1.15)),
    ),
    "variance of a skewed law": (
        lambda s, **k: assert_variance(s, 1.0, detect=0.3, kurtosis=9.0, **k),
        variance_size(0.3, 9.0),
        exponential(1.0),
        exponential(np.sqrt(1.3)),
    ),
    "fraction": (
        lambda s, **k: assert_fraction(s, 0.3, detect=0.05, **k),
        fraction_size(0.3, 0.05),
        coin(0.3),
        coin(0.35),
    ),
    "rare fraction": (
        lambda s, **k: assert_fraction(s, 0.01, detect=0.01, **k),
        fraction_size(0.01, 0.01),
        coin(0.01),
        coin(0.02),
    ),
    "distribution": (
        lambda s, **k: assert_cdf(s, stats.norm.cdf, detect=0.1, **k),
        cdf_size(0.1),
        normal(0, 1),
        shifted(0.1),
    ),
    "distribution with steps": (
        lambda s, **k: assert_cdf(s, stats.poisson(3).cdf, detect=0.1, **k),
        cdf_size(0.1),
        poisson(3),
        poisson(3.47),
    ),
    "same law": (
        lambda s, **k: assert_same_law(s, normal(0, 1), detect=0.12, **k),
        law_size(0.12),
        normal(0, 1),
        shifted(0.12),
    ),
}


def failures(check, draw, count, **options):
    """How often the assertion fails over `count` independent samples, each drawn with a label of its own."""
    failed = 0
    for number in range(count):
        try:
            check(lambda seed, n, number=number: draw((seed, number), n), **options)
        except AssertionError:
            failed += 1
    return failed


@pytest.mark.parametrize("name", CASES)
def test_a_correct_sampler_passes(name):
    check, _, right, _ = CASES[name]
    assert failures(check, right, REPEATS) == 0


@pytest.mark.parametrize("name", CASES)
def test_the_declared_error_is_caught(name):
    check, _, _, wrong = CASES[name]
    assert failures(check, wrong, REPEATS) >= REPEATS - ESCAPES


@pytest.mark.parametrize("name", CASES)
def test_the_size_asked_for_is_the_size_drawn(name):
    check, size, right, _ = CASES[name]
    drawn = []

    def draw(seed, n):
        drawn.append(n)
        return right(seed, n)

    check(draw)
    assert drawn[0] == size


@pytest.mark.parametrize("name", CASES)
def test_a_level_is_the_declared_one(name):
    """At a level of 5 %, which can be counted, no more than that fail; of mean and variance, not fewer."""
    check, _, right, _ = CASES[name]
    count, level = 300, 0.05
    failed = failures(check, right, count, false_alarm=level)
    assert failed <= stats.binom.isf(1e-6, count, level)
    if name.startswith(("mean", "variance")):
        assert failed >= stats.binom.ppf(1e-6, count, level)


def test_a_sample_that_is_too_small_fails():
    n = mean_size(1.0, 0.05)
    with pytest.raises(AssertionError, match=f"cannot show the declared error: it takes {n}"):
        assert_mean(np.zeros(n - 1), 0.0, sd=1.0, detect=0.05)


def test_a_mean_with_a_wrong_declared_spread_fails():
    with pytest.raises(AssertionError, match="declared 1"):
        assert_mean(normal(0, 3), 0.0, sd=1.0, detect=0.1)


def test_a_sample_that_is_not_finite_fails():
    with pytest.raises(AssertionError, match="not finite"):
        assert_mean(lambda seed, n: np.full(n, np.nan), 0.0, sd=1.0, detect=0.1)


def test_a_constant_sample_has_no_error_to_hide_behind():
    assert_mean(lambda seed, n: np.full(n, 3.0), 3.0, sd=1.0, detect=0.1)
    with pytest.raises(AssertionError, match="expected 3"):
        assert_mean(lambda seed, n: np.full(n, 3.001), 3.0, sd=1.0, detect=0.1)


def test_a_fraction_holds_zeros_and_ones():
    with pytest.raises(AssertionError, match="zeros and ones"):
        assert_fraction(lambda seed, n: np.full(n, 2), 0.5, detect=0.1)


def test_a_certain_event_is_exact():
    assert_fraction(lambda seed, n: np.ones(n, bool), 1.0, detect=0.01)
    with pytest.raises(AssertionError, match="expected a fraction 1"):
        assert_fraction(lambda seed, n: np.arange(n) > 0, 1.0, detect=0.01)


def test_a_distribution_is_judged_on_both_sides_of_a_step():
    """Half the mass lies below the law's first step."""
    with pytest.raises(AssertionError, match="apart at"):
        assert_cdf(lambda seed, n: np.where(np.arange(n) % 2, 0.5, 1.0), stats.bernoulli(1.0).cdf, detect=0.1)


def test_small_samples_are_not_trusted_to_the_central_limit():
    assert mean_size(1.0, 10.0) == variance_size(10.0) == SMALLEST


def test_a_seed_comes_from_the_test_and_the_label():
    assert seed_of() == seed_of() != seed_of("other")
    assert 0 <= seed_of() < 2**48


SEEDS = set()


@pytest.mark.parametrize("case", [1, 2, 3])
def test_seeds_differ_between_tests(case):
    assert seed_of() not in SEEDS
    SEEDS.add(seed_of())
