"""Samples: how many cells a tube holds where so many are expected, and that only seed, patient and time decide it."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_array_equal
from scipy import stats

from arms import of_arm, prepared
from chance import assert_fraction, assert_mean, assert_variance, fraction_size, seed_of, variance_size
from commands import command
from ctcdyn.codegen.kernel import link
from ctcdyn.config import load_study
from ctcdyn.ensemble import Range
from ctcdyn.errors import CtcError
from ctcdyn.kernels.samples import sampled
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.replay import replay
from ctcdyn.study import run
from instances import SOLVERS, Content, content, differing, semantics
from replay import philox

MODEL = """schema = 1
name = "tubes"
[species]
tumor = { unit = "cells", initial = 4000, continuous = true }
blood = { unit = "cells", initial = 10 }
[parameters]
growth = { value = "0 /day", source = "assumed: a test" }
shedding = { value = "0.02 /day", source = "assumed: a test" }
clearance = { value = "8 /day", source = "assumed: a test" }
drawn = { value = "2500 mL", source = "assumed: a test" }
volume = { value = "5 L", source = "assumed: a test" }
seen = { value = 0.8, source = "assumed: a test" }
[observables]
expected = { expr = "blood * drawn / volume", unit = "cells" }
tube = { use = "sample", expr = "blood * drawn / volume", unit = "cells" MORE }
[[reaction]]
name = "grow"
equation = "tumor -> 2 tumor"
k = "growth"
[[reaction]]
name = "shed"
equation = "tumor -> tumor + blood"
k = "shedding"
[[reaction]]
name = "clear"
equation = "blood ->"
k = "clearance"
"""
STUDY = """schema = 1
[model]
file = "tubes.model.toml"
[simulate]
method = "{method}"
t_end = {days}
save = {save}
[ensemble]
trajectories = {n}
seed = {seed}
[output]
file = "x.h5"
keep = "all"
picture = false
{tables}
"""
PARTS = ", recovery = 0.9, visibility = 'seen', dispersion = 0.2"
BLIND = """[[treatment]]
name = "blind"
at = 0
scale = { seen = 0.5 }
[[arm]]
name = "as it is"
treatments = []
[[arm]]
name = "blind"
treatments = ["blind"]
"""


def write(
    folder: Path, more: str = "", method: str = "direct", n: int = 200, seed: int = 3, days: float = 4.0,
    save: str = "{ n = 5 }", tables: str = "", model: str = MODEL,
) -> Path:  # fmt: skip
    (folder / "tubes.model.toml").write_text(model.replace("MORE", more), encoding="utf-8")
    text = STUDY.format(method=method, n=n, seed=seed, days=days, save=save, tables=tables)
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


def carry_out(
    folder: Path, *words: str, plain: bool = True, spans: list[Range] | None = None, **form: object
) -> Content:
    with np.errstate(all="ignore"):
        kernel, ensemble = prepared(write(folder, *words, **form), plain)  # type: ignore[arg-type]
        return content(kernel, ensemble, 1, spans)


@njit
def many(mean: np.ndarray, dispersion: float, when: float, key: float, out: np.ndarray) -> None:
    for k in range(len(out)):
        out[k] = sampled(mean[k], dispersion, float(k), when, key)


def counts(mean: np.ndarray | float, dispersion: float, n: int, seed: int, when: float = 1.0) -> np.ndarray:
    out = np.empty(n)
    many(np.broadcast_to(np.asarray(mean, float), n).copy(), dispersion, when, 0.5 + (seed % 2**40) * 2.0**-41, out)
    return out


T16 = [(0.5, 0.3935, 0.0002), (1, 0.6321, 0.0037), (3, 0.9502, 0.1847), (5, 0.9933, 0.5595), (10, 1.0, 0.9707)]


@pytest.mark.parametrize(("mean", "one", "five"), T16)
def test_cells_in_a_tube(mean: float, one: float, five: float) -> None:
    """Science T16: the chance of at least one, and of at least five, where so many are expected."""
    law = stats.poisson(mean)
    assert (law.sf(0), law.sf(4)) == pytest.approx((one, five), abs=5e-5)
    n = max(fraction_size(float(law.sf(4)), detect=max(0.2 * five, 2e-4)), 20_000)
    found = counts(mean, 0.0, n, seed_of())
    assert_fraction(found >= 1, float(law.sf(0)), detect=0.03)
    assert_fraction(found >= 5, float(law.sf(4)), detect=max(0.2 * five, 2e-4))


@pytest.mark.parametrize(("mean", "dispersion"), [(3.0, 0.3), (0.8, 2.5), (400.0, 0.05)])
def test_a_dispersion_adds_its_variance(mean: float, dispersion: float) -> None:
    """Variance m + d m^2, and the chance of none: the law is negative binomial with 1 / d."""
    law = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    variance, kurtosis = mean + dispersion * mean**2, float(law.stats("k")) + 3.0
    n = variance_size(0.1, kurtosis)
    found = counts(mean, dispersion, n, seed_of())
    assert_mean(found, mean, sd=variance**0.5, detect=0.1 * variance**0.5)
    assert_variance(found, variance, kurtosis=kurtosis, detect=0.1)
    for k in (float(law.ppf(0.1)), float(law.ppf(0.7))):
        assert_fraction(found <= k, float(law.cdf(k)), detect=0.03)


def test_what_is_no_mean_is_no_count() -> None:
    found = counts(np.array([0.0, -1e-9, np.nan, np.inf, 2e18]), 0.0, 5, 1)
    assert found[:2].tolist() == [0.0, 0.0]
    assert np.isnan(found[2])
    assert found[3:].tolist() == [np.inf, 2e18]
    assert counts(0.0, 3.0, 9, 1).tolist() == [0.0] * 9


def documented(seed: int, name: str, number: int, t: float) -> float:
    """The uniform of a sample's count, from docs/reproducibility.md."""

    def words(x: float) -> list[int]:
        bits = int(np.float64(x).view(np.uint64))
        return [bits & 0xFFFFFFFF, bits >> 32]

    own = 2 * (int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big") >> 1) + 1
    block = philox([0, 0, 4 | 1 << 31, own], [seed, 0])
    key = ((block[0] | block[1] << 32) >> 12) * 2.0**-52 + 2.0**-53
    block = philox(philox([*words(float(number)), *words(t)], words(key)), [0, 0])
    bits = block[0] | block[1] << 32
    tail = ((bits >> 11 & 2**52 - 1) + ((bits & 2047) + 0.5) / 2048) / 2**53
    return 1.0 - tail if bits >> 63 else tail


@pytest.mark.parametrize("method", SOLVERS)
def test_draws_are_as_documented(method: str, tmp_path: Path) -> None:
    """In rate equations a sample is drawn as well: from what they expect."""
    step = MODEL.replace("MORE", ", recovery = 0.5")
    path = write(tmp_path, method=method, n=5, model=step, days=0.5, save="{ n = 4 }")
    if semantics(method) == "langevin":
        path.write_text(path.read_text().replace("t_end", 'step = "0.05 days"\nt_end'))
    with np.errstate(all="ignore"):
        found = content(*prepared(path, plain=True))
    for k in range(5):
        for j, t in enumerate(np.linspace(0.0, 0.5, 4)):
            mean = max(0.5 * found["observables"][k, j, 0], 0.0)
            assert found["observables"][k, j, 1] == stats.poisson(mean).ppf(documented(3, "tube", k, t))


@pytest.fixture(scope="module")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> Content:
    n = variance_size(0.1)
    return carry_out(tmp_path_factory.mktemp("tubes"), PARTS, plain=False, n=n, tables=BLIND)


def test_a_sample_of_a_random_count(tmp_path: Path) -> None:
    """Blood is Poisson; of half of it a sample has the variance of both draws: m (1 + 1/2)."""
    n, all_seen = variance_size(0.1), PARTS.replace("0.9", "1").replace("0.2", "0")
    tables = BLIND + "[parameters]\nseen = 1\n"
    found = carry_out(tmp_path, all_seen, plain=False, n=n, seed=seed_of() % 2**62, tables=tables)
    found = of_arm(found, 0, 2)
    tube = found["observables"][:, -1, 1]
    assert_mean(found["final_state"][:, 1], 10.0, sd=10**0.5, detect=0.4)
    assert_mean(tube, 5.0, sd=7.5**0.5, detect=0.3)
    assert_variance(tube, 7.5, kurtosis=3.5, detect=0.12)
    between = np.corrcoef(tube, found["observables"][:, -2, 1])[0, 1]
    assert abs(between) < 5 / n**0.5  # another day, another draw


def test_recovery_visibility_and_dispersion(tubes: Content) -> None:
    """Two arms, of which one sees half: means, variances, and no count of it above that of the other."""
    whole, half = of_arm(tubes, 0, 2)["observables"], of_arm(tubes, 1, 2)["observables"]
    assert_array_equal(whole[:, :, 0], half[:, :, 0])  # the same blood
    assert (half[:, :, 1] <= whole[:, :, 1]).all()
    assert (half[:, :, 1] < whole[:, :, 1]).any()
    for found, share in ((whole, 0.72), (half, 0.36)):
        mean = 5 * share
        variance = mean + 0.2 * share**2 * (2.5 + 25) + share**2 * 2.5
        assert_mean(found[:, -1, 1], mean, sd=variance**0.5, detect=0.3)
        assert_variance(found[:, -1, 1], variance, kurtosis=4.5, detect=0.15)


def test_nothing_else_moves_a_draw(tubes: Content, tmp_path: Path) -> None:
    """Other save times, ranges, observables beside it; arms that do nothing are the same bytes."""
    few = {"n": 300, "plain": False}
    same = of_arm(tubes, 0, 2)
    alone = carry_out(tmp_path, PARTS, tables=BLIND, save="{ at = [0, 2, 2.5, 4] }", **few)  # type: ignore[arg-type]
    kept = of_arm(alone, 0, 2)["observables"]
    assert_array_equal(kept[:, [0, 1, 3], 1], same["observables"][:300, [0, 2, 4], 1])
    parts = carry_out(tmp_path, PARTS, tables=BLIND, spans=[Range(256, 344), Range(0, 256)], **few)  # type: ignore[arg-type]
    assert_array_equal(of_arm(parts, 0, 2)["observables"], same["observables"][:300])
    null = carry_out(tmp_path, PARTS, tables=BLIND.replace("0.5", "1.0"), **few)  # type: ignore[arg-type]
    assert differing(of_arm(null, 0, 2), of_arm(null, 1, 2)) == []


def test_another_observable_moves_none(tmp_path: Path) -> None:
    again = 'again = { use = "sample", expr = "0.5 * blood", unit = "cells" }\n[[reaction]]'
    other = MODEL.replace("[[reaction]]", again, 1)
    one = carry_out(tmp_path, method="tsit5", n=60)
    two = carry_out(tmp_path, method="tsit5", n=60, model=other)
    assert_array_equal(one["observables"][:, :, 1], two["observables"][:, :, 1])
    assert abs(np.corrcoef(two["observables"][:, 1:, 1].ravel(), two["observables"][:, 1:, 2].ravel())[0, 1]) < 0.35


def test_draws_go_on_where_nothing_happens(tmp_path: Path) -> None:
    """When all cells are gone a reader still finds what looks like one; after an event that ends all, nothing."""
    still = MODEL.replace("blood * drawn / volume", "blood + 2 * seen").replace("4000", "0")
    found = carry_out(tmp_path, n=100, model=still, days=40.0)
    assert (found["status"] == 1).all()
    assert len(set(found["observables"][:, -1, 1].tolist())) > 2
    late = '[[event]]\nname = "end"\nwhen = "t >= 2.5"\nstop = true\n'
    found = carry_out(tmp_path, n=20, tables=late)
    assert_array_equal(np.isnan(found["observables"][:, :, 1]), np.tile([False, False, False, True, True], (20, 1)))


def test_numbers_compile_nothing(tmp_path: Path) -> None:
    keys = set()
    for more in (PARTS, PARTS.replace("0.9", "0.3").replace("0.2", "1")):
        study = load_study(write(tmp_path, more))
        keys.add(link(resolve(load_model(study.model), study).network, "direct").key)
    assert len(keys) == 1


@pytest.mark.parametrize("method", ["moments", "backward"])
def test_methods_without_paths_refuse(method: str, tmp_path: Path) -> None:
    event = '[[event]]\nname = "any"\nwhen = "blood >= 1"\n' if method == "backward" else ""
    code, _, err = command("check", write(tmp_path, method=method, tables=event), "--explain")
    assert code == 3
    assert "M324" in err


def test_nothing_waits_for_a_sample(tmp_path: Path) -> None:
    code, _, err = command("check", write(tmp_path, tables='[[event]]\nname = "any"\nwhen = "tube >= 5"\n'))
    assert code == 3
    assert "X408" in err
    assert "tube is drawn at saves" in err


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (", recovery = 1.2", "C105"),
        (", recovery = -1", "C105"),
        (", visibility = 'volume'", "U205"),
        (", visibility = 'sene'", "X408"),
        (", dispersion = -0.1", "C105"),
        (", dispersion = true", "C104"),
        (", spread = 1", "C102"),
    ],
)
def test_wrong(more: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(CtcError) as caught:
        load_model(str(write(tmp_path, more).with_name("tubes.model.toml")))
    assert [p.code for p in caught.value.problems] == [expected]


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ('unit = "cells" MORE', 'unit = "mL" MORE', "U205"),
        ('"sample", expr = "blood * drawn / volume"', '"sample"', "M314"),
        ('"sample", expr = "blood * drawn / volume"', '"sample", expr = "blood * drawn"', "U205"),
        ('"sample", expr', '"flux", reaction = "shed", expr', "M314"),
    ],
)
def test_wrong_means(right: str, wrong: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(CtcError) as caught:
        load_model(str(write(tmp_path, model=MODEL.replace(right, wrong)).with_name("tubes.model.toml")))
    assert [p.code for p in caught.value.problems] == [expected]


def test_a_file_with_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its column is one of counts, a member is drawn again bit for bit, and `check` says what is drawn."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, PARTS, tables=BLIND, n=40)
    with run(path) as results:
        assert "tube" in results.schema.whole
        column = results.observable.index("tube")
        assert results["obs_quantile" if "obs_quantile" in results else "obs_mean"].shape[0] == 2
        found = results.observables[:, :, column]
        assert (found == np.floor(found)).all()
    again = replay("x.h5", 13)
    assert again.differing == ()
    code, out, err = command("check", path, "--explain")
    assert code == 0, err
    words = " ".join(out.split())
    assert "count found where blood * drawn / volume * 0.9 * seen are expected, dispersion 0.2" in words
