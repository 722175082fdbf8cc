"""`method = "ode"` picks a solver with reasons, and the right one, counted in evaluations."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcdyn import plugins
from ctcdyn.codegen.choose import choose, choose_ode
from ctcdyn.codegen.kernel import link
from ctcdyn.config import load_study
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from drive import Drive

ROOT = Path(__file__).parents[1]
STUDIES = sorted((ROOT / "configs").glob("*.toml"))
STAGES = {"tsit5": 6, "rodas5p": 8}  # evaluations of a step; the last stage of tsit5 is the first of the next
DAYS = {
    "birth_death_immigration": 5.0,
    "ctc_five": 3650.0,
    "ctc_linear": 100.0,
    "de_pillis_2005": 40.0,
    "experimental_metastasis": 14.0,
    "haeno_michor_iwasa": 3652.5,
    "human_breast_min": 3652.5,
    "kirschner_panetta_1998": 300.0,
    "kuznetsov_1994": 3652.5,
}


def test_every_model_has_its_days() -> None:
    """The horizon of the study that ships with each model; those with lesions have no rate equations."""
    models = {name: load_model(name) for name in plugins.available("model")}
    founding = {name for name, model in models.items() if model.lesion is not None}
    founding |= {name for name, model in models.items() if "tsit5" in model.tests["not_for"]}  # stiff by far
    assert set(DAYS) == set(models) - founding
    for file in STUDIES:
        study = load_study(str(file))
        assert study.model.use in {*DAYS, *founding}
        assert study.treatment or study.simulate.t_end <= DAYS[study.model.use]


@pytest.mark.parametrize("name", DAYS)
def test_the_choice_is_at_most_twice_the_work_of_the_other(name: str) -> None:
    model = load_model(name)
    chosen = choose_ode(model, 0.0, DAYS[name])
    assert chosen.method in STAGES
    assert len(chosen.reasons) == 3
    assert chosen.method in chosen.reasons[-1]
    evaluations = {}
    for method, stages in STAGES.items():
        module = link(model, method).compile().module
        run = Drive(module, model, [0.0, DAYS[name]], 1, rtol=1e-6, atol=1e-6, max_steps=10**6).go()
        assert run.status[0] == 0
        evaluations[method] = int(run.work[0]) * stages
    assert evaluations[chosen.method] <= 2 * min(evaluations.values()), evaluations


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_choice_of_a_study(file: Path) -> None:
    study = load_study(str(file))
    choice = choose(resolve(load_model(study.model), study).network, study)
    if study.simulate.method == "ode":
        assert choice == choose_ode(resolve(load_model(study.model), study).network, 0.0, study.simulate.t_end)
    elif study.simulate.method != "auto":
        assert choice.method == study.simulate.method
        assert study.simulate.method in choice.reasons[0]
    assert all(scale > 0.0 for scale in choice.scales)
