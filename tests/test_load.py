"""Model files: units, every built-in model, rates that are right, equations, draws against closed forms."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctcdyn import plugins
from ctcdyn.config import load_study
from ctcdyn.errors import CtcError
from ctcdyn.model.drawing import support
from ctcdyn.model.equation import parse_equation
from ctcdyn.model.expr import evaluate, text
from ctcdyn.model.load import check_rates, load_model, prepare, resolve
from test_wrong_input import write
from wrong_inputs import CLEAR, MODEL, STUDY

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", plugins.available("model"))
def test_built_in_models_are_sound(name: str) -> None:
    model = load_model(name)
    check_rates(model)
    assert model.name == name
    assert model.tests["t_end"] > 0  # type: ignore[operator]
    assert all(item.source for item in model.parameters)
    assert np.isfinite(model.parameter_values()).all()
    weights = np.zeros((len(model.species), 0))
    for law in model.conservation():
        column = [[law.get(species, 0)] for species in model.species_names]
        weights = np.hstack([weights, np.array(column)])
    assert not (weights.T @ model.stoichiometry()).any()
    # the small instance is a valid setting of the same model
    model.with_values(model.tests["parameters"], model.tests["initial"])  # type: ignore[arg-type]


@pytest.mark.parametrize("study", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_studies_are_sound(study: Path) -> None:
    plan, resolved = prepare(study)
    assert plan.count >= 1
    assert len(resolved.network.species) >= 1


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write(tmp_path)


def test_numbers_are_in_base_units(toy: Path) -> None:
    model = load_model(toy.parent / "toy.model.toml")
    values = dict(zip(model.parameter_names, model.parameter_values(), strict=True))
    assert values["death"] == 12.0  # 0.5 /h
    assert values["blood"] == 5000.0  # 5 L
    assert values["life"] == 1 / 12
    units = {item.name: (item.unit, item.declared) for item in model.parameters}
    assert units["death"] == ("1/d", "1/h")
    assert units["blood"] == ("mL", "L")
    assert units["growth"] == ("1/d", "1/d")
    assert model.parameters[0].bounds == (0.0, 2.0)
    assert model.initial_values().tolist() == [100.0, 0.0, 2.0]
    assert [item.continuous for item in model.species] == [True, False, False]
    assert evaluate(model.observables[0].expr, {**values, "ctc": 2000.0}) == 3.0  # type: ignore[arg-type]
    assert model.tests == {"t_end": 10.0, "parameters": {"shed": 0.2}, "initial": {"ctc": 3.0}, "not_for": {}}
    assert (model.published[0].time, model.published[0].used_for) == (3.0, "prediction")


def test_observables_are_in_the_unit_they_declare(tmp_path: Path) -> None:
    model = MODEL.replace("per_tube = {", 'litres = { expr = "blood", unit = "L" }\nper_tube = {')
    loaded = load_model(write(tmp_path, STUDY, model).parent / "toy.model.toml")
    litres = loaded.observables[loaded.index("litres")]
    assert litres.unit == "L"
    assert litres.expr is not None
    assert evaluate(litres.expr, {"blood": 5000.0}) == 5.0


def test_places_are_lines_of_the_file(toy: Path) -> None:
    model = load_model(toy.parent / "toy.model.toml")
    lines = MODEL.split("\n")
    for item in (*model.species, *model.parameters, *model.observables):
        assert item.place is not None
        assert lines[item.place.line - 1].startswith(item.name)
    for reaction in model.reactions:
        assert reaction.place is not None
        assert lines[reaction.place.line - 1].startswith(("k", "rate"))


def test_units_none_turns_checks_off(tmp_path: Path) -> None:
    model = MODEL.replace('time_unit = "day"', 'units = "none"').replace(
        CLEAR, 'rate = "ctc * (tube + death)"'
    )
    loaded = load_model(write(tmp_path, STUDY, model).parent / "toy.model.toml")
    assert not loaded.units_checked
    assert text(loaded.reactions[2].rate) == "ctc * (tube + death)"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rate",
    [
        "death * ctc",
        "death * ctc * ctc / (ctc + 1)",
        "death * where(ctc > 0, ctc, 0)",
        "death * min(ctc, 5)",
        "death * hill(ctc, 10, 2)",
        "death * ctc * step(t - 3) * (1 + sin(2 * pi * t / life))",
        "death * (1 - exp(-ctc))",
        "death * (ctc * start - start * ctc / 2)",
        "death * sqrt(ctc)",
        "death * ((ctc + start) ** 2 - start ** 2) / start",
        "death * log(1 + ctc) * exp(-dormant)",
        "death * ctc / max(ctc + dormant, 1e-300)",
        "0 * ctc",
        "death * (ctc > 3)",
    ],
)
def test_rates_that_vanish_are_accepted(rate: str, tmp_path: Path) -> None:
    model = MODEL.replace(CLEAR, f'rate = "{rate}"')
    if rate == "0 * ctc":
        model = model.replace(f'rate = "{rate}"', 'rate = "0 * death * ctc"')
    assert len(load_model(write(tmp_path, STUDY, model).parent / "toy.model.toml").reactions) == 4


def test_a_pair_needs_a_rate_that_vanishes_at_one(tmp_path: Path) -> None:
    model = MODEL.replace('k = "pair"', 'rate = "pair * ctc * (ctc - 1)"')
    path = write(tmp_path, STUDY, model).parent / "toy.model.toml"
    assert (
        text(load_model(path).reactions[3].propensity("jump", load_model(path))) == "pair * ctc * (ctc - 1)"
    )


@pytest.mark.parametrize(
    "equation, reactants, products",
    [
        ("A -> B", ((0, 1),), ((1, 1),)),
        ("2 A + B -> C", ((0, 2), (1, 1)), ((2, 1),)),
        ("2A+B->C", ((0, 2), (1, 1)), ((2, 1),)),
        ("2*A -> B", ((0, 2),), ((1, 1),)),
        ("A + A -> B", ((0, 2),), ((1, 1),)),
        ("-> A", (), ((0, 1),)),
        ("0 -> A", (), ((0, 1),)),
        ("A ->", ((0, 1),), ()),
        ("A -> A + B", ((0, 1),), ((0, 1), (1, 1))),
        ("C + A -> 3 C", ((0, 1), (2, 1)), ((2, 3),)),
    ],
)
def test_equations(equation: str, reactants: object, products: object) -> None:
    assert parse_equation(equation, {"A": 0, "B": 1, "C": 2}, None, "") == (reactants, products)


@pytest.mark.parametrize("equation", ["D -> 2 D", "D + A -> D + E + D", "D = D + E"])
def test_a_name_that_is_wrong_on_both_sides_is_told_once(equation: str) -> None:
    with pytest.raises(CtcError) as caught:
        parse_equation(equation, {"A": 0}, None, "")
    words = [problem.word for problem in caught.value.problems if problem.code == "M302"]
    assert words == sorted(set(words))


def test_draws_are_in_base_units_and_in_order(toy: Path) -> None:
    _, resolved = prepare(toy)
    growth, death, capacity = resolved.cohort.draws
    names = [resolved.network.parameters[draw.parameter].name for draw in resolved.cohort.draws]
    assert names == ["growth", "death", "capacity"]
    assert (growth.dist, growth.a, growth.b) == ("uniform", 0.05, 0.2)
    assert death.dist == "lognormal"
    assert math.exp(death.a) == pytest.approx(9.6, rel=1e-15)  # 0.4 /h
    assert (capacity.a, capacity.b) == (math.log(1e5), math.log(1e7))


@pytest.mark.parametrize("spread, sigma", [("gsd = 2.5", math.log(2.5)), ("sigma = 0.7", 0.7)])
def test_lognormal_spreads(spread: str, sigma: float, tmp_path: Path) -> None:
    _, resolved = prepare(write(tmp_path, STUDY.replace("cv = 0.5", spread)))
    assert resolved.cohort.draws[1].b == sigma


@pytest.mark.parametrize("cv", [0.1, 0.5, 1.2])
def test_cv_is_the_coefficient_of_variation(cv: float, tmp_path: Path) -> None:
    _, resolved = prepare(write(tmp_path, STUDY.replace("cv = 0.5", f"cv = {cv}")))
    draw = resolved.cohort.draws[1]
    z, step = np.linspace(-12, 12, 20_001, retstep=True)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * step
    x = np.exp(draw.a + draw.b * z)
    mean = float(np.sum(x * density))
    sd = math.sqrt(float(np.sum((x - mean) ** 2 * density)))
    assert sd / mean == pytest.approx(cv, rel=1e-9)


def test_a_normal_is_allowed_where_bounds_hold_every_draw(tmp_path: Path) -> None:
    study = STUDY.replace(
        "[population.draw]", '[population.draw]\nstart = { dist = "normal", mean = 100, sd = 11 }'
    )
    _, resolved = prepare(write(tmp_path, study))
    draw = next(draw for draw in resolved.cohort.draws if draw.dist == "normal")
    low, high = support(draw)
    assert (draw.a, draw.b) == (100.0, 11.0)
    assert 1 <= low < high <= 1e6


def test_infinite_bounds_hold_any_lognormal(tmp_path: Path) -> None:
    model = MODEL.replace('["0 /day", "2 /day"]', '["0 /day", inf]')
    growth = 'growth = { dist = "uniform", low = "0.05 /day", high = "0.2 /day" }'
    study = STUDY.replace(growth, 'growth = { dist = "lognormal", median = "1 /day", sigma = 9 }')
    _, resolved = prepare(write(tmp_path, study, model))
    assert resolved.network.parameters[0].bounds == (0.0, math.inf)


def test_resolve_takes_values_of_the_study(tmp_path: Path) -> None:
    study = STUDY.replace('shed = "0.02 /day"', 'shed = "0.5 /h"\nblood = "4 L"\ntube = 8\ngrowth = 0.3')
    study = study.replace("ctc = 5", 'ctc = "2 * start"\ndormant = "7 cells"')
    path = write(tmp_path, study)
    resolved = resolve(load_model(path.parent / "toy.model.toml"), load_study(path))
    values = {item.name: item.value for item in resolved.network.parameters}
    assert (values["shed"], values["blood"], values["tube"], values["growth"]) == (12.0, 4000.0, 8.0, 0.3)
    assert resolved.network.initial_values().tolist() == [100.0, 200.0, 7.0]


def test_problems_of_a_missing_model_name_what_exists() -> None:
    with pytest.raises(CtcError, match="ctc_linear"):
        load_model("ctc_linea")


def test_reading_imports_nothing_heavy(toy: Path) -> None:
    script = (
        "import sys; from ctcdyn.model.load import prepare; prepare(sys.argv[1]);"
        "print(*sorted({'numba', 'scipy.stats', 'h5py', 'sympy', 'matplotlib'} & set(sys.modules)), sep=',')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(toy)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_the_exact_process_refuses_parts_of_cells_where_they_were_set(toy: Path) -> None:
    """`check` and `run` refuse the same, at the line or option that gave the value."""
    toy.write_text(STUDY.replace('"ode"', '"direct"').replace("ctc = 5", "ctc = 5.5"), encoding="utf-8")
    with pytest.raises(CtcError) as caught:
        prepare(toy)
    (problem,) = caught.value.problems
    assert problem.place is not None
    assert (problem.code, problem.key, problem.place.text) == ("M313", "initial.ctc", "ctc = 5.5")
    with pytest.raises(CtcError) as caught:
        prepare(toy, ["initial.ctc=7.25"])
    (problem,) = caught.value.problems
    assert problem.place is not None
    assert (problem.place.file, problem.key) == ("--set", "initial.ctc")
    assert "7.25" in problem.what
    assert prepare(toy, ["initial.ctc=7"])[0].simulate.method == "direct"
    assert prepare(toy, ["simulate.method=ode"])[0].initial["ctc"] == 5.5


@pytest.mark.parametrize(
    "value, right", [("shed=0.2 days", ("5 /d", "3.466 /d")), ("shed=12 h", ("2 /d", "1.386 /d"))]
)
def test_a_time_for_a_rate_is_told_as_a_rate(toy: Path, value: str, right: tuple[str, str]) -> None:
    """A mean time T is the rate 1/T: the number that was given is wrong with any unit of a rate."""
    with pytest.raises(CtcError) as caught:
        prepare(toy, [f"parameters.{value}"])
    (problem,) = caught.value.problems
    assert problem.code == "U201"
    assert all(f'"{text}"' in problem.fix for text in right), problem.fix
    for number in right:
        prepare(toy, [f"parameters.shed={number}"])


def test_rates_are_tried_although_another_reaction_is_wrong(tmp_path: Path) -> None:
    model = MODEL.replace(CLEAR, 'rate = "shed"').replace('"tumor -> ctc"', '"tumr => cct"')
    toy = write(tmp_path, STUDY, model.replace('unit = "day", source', 'unit = "mL", source'))
    with pytest.raises(CtcError) as caught:
        prepare(toy)
    told = sorted(problem.code for problem in caught.value.problems)
    assert told == ["M302", "M302", "M303", "M310", "U205"]


def test_a_solver_that_is_not_there_is_answered_with_those_that_are(toy: Path) -> None:
    for name, answer in (("ssa", '"direct"'), ("Gillespie", '"direct"'), ("Ode", 'did you mean "ode"')):
        with pytest.raises(CtcError) as caught:
            prepare(toy, [f"simulate.method={name}"])
        (problem,) = caught.value.problems
        assert problem.code == "C112"
        assert answer in problem.fix
    with pytest.raises(CtcError, match=r"built in: ode, backward, direct, .*rodas5p, .*tsit5"):
        prepare(toy, ["simulate.method=xyz"])


def test_a_model_for_a_study_is_one_error(toy: Path) -> None:
    with pytest.raises(CtcError) as caught:
        prepare(toy.parent / "toy.model.toml", ["simulate.t_end=3", "ensemble.seed=1"])
    (problem,) = caught.value.problems
    assert "is a model" in problem.what
    assert "ctcdyn check" in problem.fix
    assert 'file = "toy.model.toml"' in problem.fix


def test_a_bare_initial_value_where_the_model_uses_another_unit_is_refused(tmp_path: Path) -> None:
    """5 what? The model says nM, and the base unit is a thousand times another."""
    (tmp_path / "drug.model.toml").write_text(
        'schema = 1\nname = "drug"\n[species]\ndrug = { initial = 5, unit = "nM", continuous = true }\n'
        '[parameters]\nloss = { value = "0.2 /day", source = "assumed: a test" }\n'
        '[[reaction]]\nname = "clear"\nequation = "drug ->"\nk = "loss"\n',
        encoding="utf-8",
    )
    study = tmp_path / "s.toml"
    text = '[initial]\ndrug = INITIAL\n[simulate]\nmethod = "ode"\nt_end = "3 days"\nsave = { every = "1 day" }\n'
    text = f'schema = 1\n[model]\nfile = "drug.model.toml"\n{text}[output]\nfile = "d.h5"\n'

    def start(initial: str) -> float:
        study.write_text(text.replace("INITIAL", initial), encoding="utf-8")
        value = prepare(study)[1].network.species[0].initial
        return float(value.value)  # type: ignore[union-attr]

    assert start('"5 nM"') == load_model(tmp_path / "drug.model.toml").species[0].initial.value  # type: ignore[union-attr]
    assert start("0") == 0.0
    for bare in ("5", '"5"', "0.005"):
        with pytest.raises(CtcError, match=r"U203.*drug is given in nM by the model") as caught:
            start(bare)
        assert caught.value.problems[0].fix.endswith('nM"')
