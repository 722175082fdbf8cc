"""Species that only pass, in `hybrid`: which they are, and the law of what they bring and of what is saved of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import ctcdyn
from commands import command
from ctcdyn.codegen.choose import choose_any
from ctcdyn.codegen.passing import passing_species, with_passing
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network, Treatment

HEAD = 'schema = 1\nname = "m"\ntime_unit = "day"\nunits = "none"\n'
MODEL = HEAD + """
[species]
tumor   = { initial = 1e6, continuous = true }
blood   = { initial = 0 }
tissue  = { initial = 0 }
dormant = { initial = 0 }
growing = { initial = 0 }

[parameters]
shed  = { value = 0.02, source = "assumed: a test" }
sleep = { value = 0.001, source = "assumed: a test" }
out   = { value = 1, source = "assumed: a test" }

[[reaction]]
name = "shrink"
equation = "tumor -> "
k = "0.01"
[[reaction]]
name = "enter"
equation = "tumor -> tumor + blood"
k = "shed"
[[reaction]]
name = "clear"
equation = "blood -> "
k = "20 * out"
[[reaction]]
name = "leave"
equation = "blood -> tissue"
k = "out"
[[reaction]]
name = "die"
equation = "tissue -> "
k = "1"
[[reaction]]
name = "settle"
equation = "tissue -> dormant"
k = "sleep"
[[reaction]]
name = "lose"
equation = "dormant -> "
k = "0.004"
[[reaction]]
name = "wake"
equation = "dormant -> growing"
k = "0.001"
[[reaction]]
name = "divide"
equation = "growing -> 2 growing"
rate = "0.2 * growing * max(1 - growing / 1e6, 0)"
[[reaction]]
name = "end"
equation = "growing -> "
k = "0.1"
"""
TIMES = np.array([0.0, 50.0, 100.0])


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return written(tmp_path_factory.mktemp("m"), MODEL)


def written(folder, text: str) -> Network:  # type: ignore[no-untyped-def]
    path = folder / "m.toml"
    path.write_text(text)
    return load_model(str(path))


def passing(net: Network, gap: float = 50.0) -> set[str]:
    """Passing species where every species stands at its start, or at one cell."""
    states = np.maximum(net.initial_values(), 1.0)[None, :]
    return set(passing_species(net, np.zeros(1), states, gap).stays)


def test_what_passes(network: Network) -> None:
    """Not what stays for years, divides by its number, or is pinned; and nothing that is seen twice."""
    assert passing(network) == {"blood", "tissue"}
    assert passing(network, gap=12.0) == {"blood", "tissue"}  # a cell of tissue stays for a day
    assert passing(network, gap=5.0) == {"blood"}
    assert passing(network, gap=0.1) == set()


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ("blood   = { initial = 0 }", "blood   = { initial = 100 }", set()),  # a known number is no Poisson number
        ('k = "20 * out"', 'k = "20 + blood / 1e6"', set()),  # cells that matter to each other
        ('"dormant -> growing"', '"dormant -> growing + blood"', set()),  # who is seen to wake has sent a cell
        ('"blood -> tissue"', '"blood -> blood + tissue"', set()),  # who sends is still there
        ('"blood -> tissue"', '"blood -> 5 tissue"', {"blood", "tissue"}),  # lumps of little effect
    ],
)  # fmt: skip
def test_what_does_not_pass(old: str, new: str, left: set[str], tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert MODEL.count(old) == 1
    found = passing(written(tmp_path, MODEL.replace(old, new)))
    assert found == left or (not left and "blood" not in found)


def test_lumps_that_matter_are_not_taken_apart(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Five cells that come together and mostly fall asleep: the variance is nearly five times as large."""
    text = MODEL.replace('"blood -> tissue"', '"blood -> 5 tissue"')
    net = written(tmp_path, text.replace("value = 0.001, source", "value = 9, source"))
    assert passing(net) == {"blood"}
    mild = written(tmp_path, text.replace("value = 0.001, source", "value = 0.25, source"))
    found = passing_species(mild, np.zeros(1), np.ones((1, 5)), 50.0)
    # of five that stay equally long two on average are there, and each has four sisters; a fifth of them settle
    assert found.lumped == {"tissue": pytest.approx(3.0), "dormant": pytest.approx(1 + 4 * 0.2)}


def test_lumps_of_lumps_compound(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Two halves of two halves: four cells at once, though each event makes two."""
    halves = MODEL.replace('"blood -> tissue"', '"blood -> 2 half"').replace(
        "[parameters]", "half = { initial = 0 }\n\n[parameters]"
    )
    halves += '[[reaction]]\nname = "halve"\nequation = "half -> 2 tissue"\nk = "1000"\n'
    found = passing_species(written(tmp_path, halves), np.zeros(1), np.ones((1, 6)), 50.0)
    assert found.lumped["tissue"] == pytest.approx(1 + 3 / 2, rel=2e-3)


def test_a_flux_is_counted(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = MODEL + '\n[observables]\ncleared = { use = "flux", reaction = "clear" }\n'
    assert "blood" not in passing(written(tmp_path, text))
    kept = MODEL + '\n[observables]\nslept = { use = "flux", reaction = "settle" }\n'
    assert passing(written(tmp_path, kept)) == {"blood", "tissue"}  # who falls asleep is a count, so that it is made


def test_founders_of_lesions_are_made_by_what_passes() -> None:
    """The cascade with metastases as objects: all of blood, vessels and tissue passes, founding ones too."""
    net = load_model("cascade_human", {"metastasis_growth": {"metastases": "lesions", "brake": "logistic"}})
    found = passing(net, gap=365.25)
    stages = {s.name for s in net.species if s.stage in ("blood", "cluster", "arrested", "arrested_cluster", "tissue")}
    assert net.founders
    assert found >= stages


def test_what_a_treatment_holds_back_does_not_pass(network: Network) -> None:
    """Clearance and exit that are stopped for a while: the cells of one save are those of the next."""
    q = network.parameter_names.index("out")
    held = replace(network, treatments=(Treatment("hold", 5.0, scale=((q, 0.0),), duration=5.0),))
    assert passing(held) == set()


def test_a_condition_on_a_count_keeps_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = MODEL + '\n[observables]\nseen = { use = "first_passage", when = "blood >= 500" }\n'
    assert "blood" not in passing(written(tmp_path, text))


def test_auto_takes_it(network: Network) -> None:
    choice = choose_any(network, 0.0, 100.0, 500.0, 50.0)
    assert choice.method == "hybrid"
    assert choice.passing == ("blood", "tissue")
    assert any(reason.startswith("passing, each cell alone") for reason in choice.reasons)
    assert {s.name for s in choice.taken(network).species if s.passing} == {"blood", "tissue"}
    assert choose_any(network, 0.0, 100.0, 500.0, 0.1).passing == ()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> ctcdyn.Results:
    path = tmp_path_factory.mktemp("r") / "m.toml"
    path.write_text(MODEL)
    model = ctcdyn.load_model(str(path))
    return model.simulate(TIMES, method="auto", n=20_000, seed=7, keep=20_000)


def expected(time: float) -> tuple[float, float, float]:
    """Means of blood, tissue and dormant cells at a time, by the rate equations."""
    net = np.array([[-0.01, 0, 0, 0], [0.02, -21, 0, 0], [0, 1, -1.001, 0], [0, 0, 0.001, -0.005]])
    from scipy.linalg import expm

    _, blood, tissue, dormant = expm(net * time) @ [1e6, 0, 0, 0]
    return float(blood), float(tissue), float(dormant)


def test_saved_counts_are_poisson(results: ctcdyn.Results) -> None:
    """Blood, tissue and sleeping cells of a Poisson source are Poisson numbers, independent of one another."""
    for at, time in enumerate(TIMES[1:], start=1):
        columns = []
        for name, mean in zip(("blood", "tissue", "dormant"), expected(float(time)), strict=True):
            x = np.asarray(results.values(name))[:, at]
            assert np.array_equal(x, np.floor(x))
            n = len(x)
            assert abs(x.mean() - mean) < 4 * np.sqrt(mean / n), name
            # the variance of the sample variance of a Poisson law: (mu4 - s^4) / n, mu4 = m + 3 m^2
            assert abs(x.var(ddof=1) - mean) < 4 * np.sqrt((mean + 2 * mean**2) / n), name
            columns.append(x)
        close = np.corrcoef(columns)[np.triu_indices(3, 1)]
        assert np.abs(close).max() < 4 / np.sqrt(n)
    early, late = (np.asarray(results.values("blood"))[:, at] for at in (1, 2))
    assert abs(np.corrcoef(early, late)[0, 1]) < 4 / np.sqrt(len(early))


def test_the_first_cells_grow_with_the_law_of_their_source(results: ctcdyn.Results) -> None:
    """No growing cell by day 50: exp of minus the integral of wakings times the chance of each to be alive (birth and
    death far below the brake)."""
    from scipy.integrate import quad

    def alive(age: float) -> float:
        grown = np.exp(0.1 * age)
        return float(0.1 * grown / (0.2 * grown - 0.1))

    mean = quad(lambda t: 0.001 * expected(t)[2] * alive(50.0 - t), 0.0, 50.0)[0]
    none = int((np.asarray(results.values("growing"))[:, 1] == 0).sum())
    low, high = stats.binom.interval(0.9999, 20_000, np.exp(-mean))
    assert low <= none <= high


def test_the_same_bits_and_final_counts(results: ctcdyn.Results, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """For any number of threads; the final state is that of the last save."""
    path = tmp_path / "m.toml"
    path.write_text(MODEL)
    again = ctcdyn.load_model(str(path)).simulate(TIMES, method="auto", n=600, seed=7, keep=600, threads=2)
    assert np.array_equal(np.asarray(again.state), np.asarray(results.state)[:600])
    assert np.array_equal(np.asarray(again.final_state), np.asarray(again.state)[:, -1])


def test_pinned_species_do_not_jump(results: ctcdyn.Results) -> None:
    """The tumour follows its equation whatever is shed from it."""
    tumor = np.asarray(results.values("tumor"))
    assert np.ptp(tumor, axis=0).max() <= 1e-6 * 1e6
    assert tumor[0] == pytest.approx(1e6 * np.exp(-0.01 * TIMES), rel=1e-5)


def test_nothing_passes_by_default(network: Network) -> None:
    assert with_passing(network, ()) is network


def test_a_result_is_replayed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.toml").write_text(MODEL)
    (tmp_path / "s.toml").write_text(
        'schema = 1\n[model]\nfile = "m.toml"\n[simulate]\nmethod = "auto"\nt_end = "100 days"\nsave = { n = 3 }\n'
        '[ensemble]\ntrajectories = 20\nseed = 7\n[output]\nfile = "s.h5"\nkeep = "all"\npicture = false\n'
    )
    code, _, err = command("run", "s.toml", "--progress", "none")
    assert code == 0, err
    assert "sampled(" in str(ctcdyn.open("s.h5").provenance["kernel_source"])  # what passes is drawn
    code, _, err = command("replay", "s.h5", "--trajectory", "7")
    assert code == 0, err
