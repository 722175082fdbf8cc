"""What studies and models ask of mechanisms, where they ask for what is not there; no kernel is compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcdyn.errors import CtcError, Problem
from ctcdyn.model.expr import evaluate
from ctcdyn.model.load import load_model, prepare
from ctcdyn.model.network import Network

STUDY = 'schema = 1\n[model]\nuse = "cascade_human"\n[simulate]\nt_end = "30 days"\n'


def read(folder: Path, text: str = "", study: str = STUDY) -> Network:
    (folder / "study.toml").write_text(study + text, encoding="utf-8")
    return prepare(folder / "study.toml")[1].network


def refused(folder: Path, text: str, study: str = STUDY) -> list[Problem]:
    with pytest.raises(CtcError) as caught:
        read(folder, text, study)
    return list(caught.value.problems)


def line(problem: Problem) -> str:
    assert problem.place is not None
    return problem.place.text


def test_a_law_that_a_study_switches_off_is_told_once(tmp_path: Path) -> None:
    found = refused(tmp_path, "[mechanisms]\nintravasation = false\n")
    assert [p.code for p in found] == ["M341"]
    assert "intravasation_shedding" in found[0].what
    assert found[0].fix == 'write intravasation = true or clusters = { law = "own" }'
    network = read(tmp_path, '[mechanisms]\nintravasation = false\nclusters = { law = "own" }\n')
    shed = [r.name for r in network.reactions if r.fate == "shed"]
    assert shed == [x for x in shed if x.startswith("shed_cluster")]
    assert len(shed) >= 3


def test_settings_are_told_where_they_stand(tmp_path: Path) -> None:
    text = '[mechanisms.clusters]\nlaw = "power"\nshare = 2\n'
    assert [(p.code, line(p)) for p in refused(tmp_path, text)] == [("M306", "share = 2")]
    text = '[mechanisms.clusters]\nlaw = "pow"\nshare = 0.1\nshar = 2\n'
    assert sorted((p.code, line(p)) for p in refused(tmp_path, text)) == [("C102", "shar = 2"), ("C105", 'law = "pow"')]


def test_a_regimen_without_its_mechanism_is_told_once(tmp_path: Path) -> None:
    found = refused(tmp_path, '[[treatment]]\nuse = "resection"\n')
    assert [(p.code, line(p)) for p in found] == [("C112", 'use = "resection"')]
    assert "resection = true in [mechanisms]" in found[0].fix


def test_a_study_changes_entries_of_a_regimen(tmp_path: Path) -> None:
    text = '[mechanisms]\nresection = true\n[[treatment]]\nuse = "resection"\n'

    def given(more: str) -> dict[str, float]:
        network = read(tmp_path, text + more)
        (treatment,) = network.treatments
        values = {x.name: x.value for x in network.parameters} | dict.fromkeys(network.species_names, 50.0)
        values |= dict(treatment.numbers)
        return {network.species_names[s]: float(evaluate(e, values)) for s, e in treatment.set}

    whole = {"tumor_plain": 0, "tumor_mesenchymal": 0, "open_vessels": 1, "surgical_stress": 1}
    assert given("") == whole
    assert given("set = { tumor = 10 }\n") == whole | {"tumor_plain": 5, "tumor_mesenchymal": 5}
    assert given('set = { open_vessels = "none", dormant = 3 }\n') == (
        {k: x for k, x in whole.items() if k != "open_vessels"} | {"dormant": 3}
    )


def test_a_model_without_stages_is_told_how_to_get_them(tmp_path: Path) -> None:
    nk = "[mechanisms]\nnk_cells = true\n"
    (problem,) = refused(tmp_path, nk, STUDY.replace("cascade_human", "human_breast_min"))
    assert problem.code == "M341"
    assert 'blood = { unit = "cells", stage = "blood" }' in problem.fix
    text = Path(load_model("human_breast_min").path).read_text(encoding="utf-8")  # what --source prints
    copy = text.replace('blood      = { unit = "cells"', 'blood = { unit = "cells", stage = "blood"')
    (tmp_path / "my.model.toml").write_text(copy, encoding="utf-8")
    study = STUDY.replace('use = "cascade_human"', 'file = "my.model.toml"')
    network = read(tmp_path, nk, study)
    assert {"nk_blood": "blood ->"}.items() <= {r.name: r.equation for r in network.reactions}.items()
