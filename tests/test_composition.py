"""[mechanisms]: what a composed model is, by texts alone and by numpy; no kernel is compiled here but one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ctcdyn
from ctcdyn.config import load_study
from ctcdyn.errors import CtcError
from ctcdyn.model.expr import evaluate, text
from ctcdyn.model.load import load_model, prepare
from ctcdyn.model.network import Network

MODEL = """
schema = 1
name = "base"
[species]
tumor = { unit = "cells", stage = "primary", initial = 100, continuous = true }
blood = { unit = "cells", stage = "blood" }
pair = { unit = "cells", stage = "cluster", cells = 2 }
five = { unit = "cells", stage = "cluster", cells = 5 }
two = { unit = "cells", stage = "arrested_cluster", cells = 2 }
many = { unit = "cells", stage = "arrested_cluster", cells = 5 }
arrested = { unit = "cells", stage = "arrested" }
[parameters]
birth = { value = "0.2 /day", source = "assumed: a test" }
capacity = { value = 1000, source = "assumed: a test" }
shedding = { value = "3 /day", source = "assumed: a test" }
arrest = { value = "18 /day", source = "assumed: a test" }
exit = { value = "0.1 /day", source = "assumed: a test" }
[observables]
circulating = { expr = "blood + cluster" }
[[reaction]]
name = "grow"
equation = "primary -> 2 primary"
k = "birth * max(1 - tumor / capacity, 0)"
[[reaction]]
name = "shed"
equation = "primary -> primary + blood"
k = "shedding"
[[reaction]]
name = "arrest"
equation = "blood -> arrested"
k = "arrest"
[[reaction]]
name = "stick"
equation = "cluster -> arrested_cluster"
k = "arrest * members"
[[reaction]]
name = "leave"
equation = "arrested ->"
k = "exit"
"""
STUDY = """
schema = 1
[model]
file = "base.model.toml"
[simulate]
t_end = "2 days"
"""
FLAGS = '''
"""Two flags and a hazard."""
NUMBER = 11
ACTS_ON = ("blood",)
MODEL = """
[options]
kind = ["weak", "strong"]

[parameters]
kill = { value = "8 /day", source = "assumed: a test" }
cover = { value = "20 /day", source = "assumed: a test" }
shield = { value = 0.2, source = "assumed: a test", if = { kind = "weak" } }
shield = { value = 0.1, source = "assumed: a test" }
soft = { value = 0.25, bounds = [0, 1], source = "assumed: a test" }

[[hazard]]
name = "nk"
at = { blood = "kill", primary = "division / 10" }

[stage.cluster]
like = "blood"
factors = { nk = "0.5" }

[scale]
leave = "2"

[flag.cloaked]
at = ["blood"]
gain = { blood = "cover" }
loss = "cover / 10"
factors = { nk = "shield", arrest = "1.5" }

[flag.soft]
at = ["blood", "arrested"]
share = { shed = "soft" }
factors = { arrest = "0.1" }
"""
'''.replace('shield = { value = 0.1, source = "assumed: a test" }\n', "")


def write(folder: Path, mechanisms: str = "", study: str = "", flags: str = FLAGS, model: str = MODEL) -> Path:
    (folder / "base.model.toml").write_text(f"{model}\n[mechanisms]\n{mechanisms}\n", encoding="utf-8")
    (folder / "flags.py").write_text(flags, encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(STUDY + study, encoding="utf-8")
    return path


def composed(folder: Path, **texts: str) -> Network:
    return prepare(write(folder, **texts))[1].network


def rates(network: Network) -> dict[str, str]:
    return {r.name: f"{r.equation} : {text(r.k if r.k is not None else r.rate)}" for r in network.reactions}


def test_a_model_without_mechanisms_is_its_own_text(tmp_path: Path) -> None:
    network = composed(tmp_path)
    assert network.species_names == ("tumor", "blood", "pair", "five", "two", "many", "arrested")
    assert rates(network)["stick_pair"] == "pair -> two : arrest * 2"
    assert rates(network)["stick_five"] == "five -> many : arrest * 5"
    assert not network.notes[1:]


def test_flags_hazards_and_shares_are_written_out(tmp_path: Path) -> None:
    network = composed(tmp_path, mechanisms='flags = "./flags.py"')
    found = rates(network)
    assert [s for s in network.species_names if s.startswith("blood")] == [
        "blood_plain", "blood_cloaked", "blood_soft", "blood_cloaked_soft",
    ]  # fmt: skip
    assert [s for s in network.species_names if s.startswith("arrested")] == ["arrested_plain", "arrested_soft"]
    assert found["shed_soft"] == "tumor -> tumor + blood_soft : shedding * flags_soft"
    assert found["shed_plain"] == "tumor -> tumor + blood_plain : shedding * (1 - flags_soft)"
    assert found["arrest_blood_cloaked_soft"] == "blood_cloaked_soft -> arrested_soft : arrest * 1.5 * 0.1"
    assert found["nk_blood_cloaked"] == "blood_cloaked -> : flags_kill * flags_shield"
    assert found["nk_pair"] == "pair -> : flags_kill * 0.5"
    assert found["leave_arrested_soft"] == "arrested_soft -> : exit * 2"
    assert found["cloaked_blood_soft"] == "blood_soft -> blood_cloaked_soft : flags_cover"
    assert found["cloaked_loss_blood_cloaked"] == "blood_cloaked -> blood_plain : flags_cover / 10"
    assert found["nk_tumor"].endswith(": birth * max(1 - tumor / capacity, 0) / 10")
    assert {r.fate for r in network.reactions if r.name.startswith("nk")} == {"nk"}
    readings = {o.name: text(o.expr) for o in network.observables if o.expr is not None}
    assert readings["circulating"] == "blood_plain + blood_cloaked + blood_soft + blood_cloaked_soft + (pair + five)"
    assert "stage" not in network.source_text.split("[parameters]")[1]


def test_the_composed_text_is_the_model(tmp_path: Path) -> None:
    """Read by itself, the text that a result file holds gives the same network."""
    network = composed(tmp_path, mechanisms='flags = "./flags.py"')
    alone = tmp_path / "alone.toml"
    alone.write_text(network.source_text, encoding="utf-8")
    assert load_model(alone) == network


def test_variants_that_nothing_reaches_are_left_out(tmp_path: Path) -> None:
    given = FLAGS.replace('share = { shed = "soft" }', "")
    network = composed(tmp_path, mechanisms='flags = "./flags.py"', flags=given)
    assert [s for s in network.species_names if "soft" in s] == []
    assert any("blood_cloaked_soft" in line and "left out" in line for line in network.notes)


def test_flags_that_exclude_each_other(tmp_path: Path) -> None:
    given = FLAGS.replace("[flag.soft]", '[flag.soft]\nwithout = ["cloaked"]')
    network = composed(tmp_path, mechanisms='flags = "./flags.py"', flags=given)
    assert [s for s in network.species_names if s.startswith("blood")] == ["blood_plain", "blood_cloaked", "blood_soft"]
    assert [x for x in rates(network) if x.startswith("cloaked_")] == [
        "cloaked_blood_plain", "cloaked_loss_blood_cloaked",
    ]  # fmt: skip


def test_too_many_flags_are_refused_before_they_are_written_out(tmp_path: Path) -> None:
    many = "".join(f'[flag.f{k}]\nat = ["blood"]\ngain = "cover"\n' for k in range(40))
    given = FLAGS.replace("[flag.cloaked]", f"{many}[flag.cloaked]")
    path = write(tmp_path, mechanisms='flags = "./flags.py"', flags=given)
    with pytest.raises(CtcError) as caught:
        prepare(path)
    assert [p.code for p in caught.value.problems] == ["M315"]


SHAPES = [
    ("hazard without a name", '[[hazard]]\nname = "nk"', "[[hazard]]", "C103"),
    ("hazard of one bracket", '[[hazard]]\nname = "nk"', '[hazard]\nname = "nk"', "C104"),
    ("hazard at a text", 'at = { blood = "kill", primary = "division / 10" }', 'at = "blood"', "C104"),
    ("key of a flag", 'gain = { blood = "cover" }', 'gian = { blood = "cover" }', "C102"),
    ("flag at a text", 'at = ["blood"]', 'at = "blood"', "C104"),
    ("flag nowhere", 'at = ["blood"]', 'at = ["bluud"]', "C102"),
    ("flag without itself", 'at = ["blood"]', 'at = ["blood"]\nwithout = ["cloaked"]', "C104"),
    ("without a number", 'at = ["blood"]', 'at = ["blood"]\nwithout = 3', "C104"),
    ("factors as a text", 'factors = { arrest = "0.1" }', 'factors = "0.1"', "C104"),
    ("share as a text", 'share = { shed = "soft" }', 'share = "soft"', "C104"),
    ("flag named plain", "[flag.soft]", "[flag.plain]", "M307"),
    ("number as a text", "NUMBER = 11", 'NUMBER = "x"', "C113"),
    ("acts on a text", 'ACTS_ON = ("blood",)', 'ACTS_ON = "blood"', "C113"),
]


@pytest.mark.parametrize("case", SHAPES, ids=[case[0].replace(" ", "-") for case in SHAPES])
def test_parts_of_another_form_are_refused(case: tuple[str, str, str, str], tmp_path: Path) -> None:
    _, right, wrong, code = case
    assert right in FLAGS
    path = write(tmp_path, mechanisms='flags = "./flags.py"', flags=FLAGS.replace(right, wrong, 1))
    with pytest.raises(CtcError) as caught:
        prepare(path)
    assert code in {p.code for p in caught.value.problems}
    assert all(p.fix for p in caught.value.problems)


def test_a_misspelt_switch_is_refused(tmp_path: Path) -> None:
    """`false` for what is no mechanism would leave the right one on."""
    with pytest.raises(CtcError) as caught:
        prepare(write(tmp_path, study="[mechanisms]\nnk_cels = false\n"))
    assert [p.code for p in caught.value.problems] == ["C112"]
    assert prepare(write(tmp_path, study="[mechanisms]\nnk_cells = false\n"))[1].network == composed(tmp_path)


def test_one_line_switches_narrows_and_sets(tmp_path: Path) -> None:
    mine = 'flags = { file = "./flags.py", kill = "9 /day", at = ["blood"] }'
    study = '[mechanisms.flags]\ncover = { value = "30 /day", source = "doi:10.1000/1" }\nkind = "strong"\n'
    network = composed(tmp_path, mechanisms=mine, study=study, flags=FLAGS.replace('shield", arrest', '1", arrest'))
    by_name = {p.name: p for p in network.parameters}
    assert by_name["flags_kill"].value == 9.0
    told = "assumed: set in base.model.toml, in the place of 8 /day (assumed: a test)"
    assert by_name["flags_kill"].source == told  # not what the mechanism says of its own figure
    assert (by_name["flags_cover"].value, by_name["flags_cover"].source) == (30.0, "doi:10.1000/1")
    assert "flags_shield" not in by_name  # it stands under kind = "weak" alone
    assert [s for s in network.species_names if s.startswith("arrested")] == ["arrested"]
    bare = composed(tmp_path)
    assert composed(tmp_path, mechanisms=mine, study="[mechanisms]\nflags = false\n") == bare


def test_a_bare_number_is_in_the_unit_of_the_mechanism(tmp_path: Path) -> None:
    network = composed(tmp_path, mechanisms='flags = { file = "./flags.py", kill = 7 }')
    assert {p.name: p.value for p in network.parameters}["flags_kill"] == 7.0
    with pytest.raises(CtcError) as caught:
        composed(tmp_path, mechanisms='flags = { file = "./flags.py", kill = "7 days" }')
    assert [p.code for p in caught.value.problems] == ["U201"]
    assert "flags_kill has unit" in caught.value.problems[0].what


def test_the_order_of_mechanisms_changes_nothing(tmp_path: Path) -> None:
    two = FLAGS.replace("NUMBER = 11", "NUMBER = 12").replace("flag.", "flag.other_")
    two = two.replace('name = "nk"', 'name = "t"')
    two = two.replace("[stage.cluster]", "[stage.nowhere]")
    (tmp_path / "two.py").write_text(two, encoding="utf-8")
    lines = ['flags = "./flags.py"', 'two = "./two.py"']
    first = composed(tmp_path, mechanisms="\n".join(lines))
    assert composed(tmp_path, mechanisms="\n".join(lines[::-1])) == first


def test_a_mistake_in_a_mechanism_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, mechanisms='flags = "./flags.py"', flags=FLAGS.replace('"kill"', '"kil"'))
    with pytest.raises(CtcError) as caught:
        prepare(path)
    problem = next(p for p in caught.value.problems if p.code == "X408")
    assert problem.place is not None
    assert Path(problem.place.file).name == "flags.py"
    line = (tmp_path / "flags.py").read_text(encoding="utf-8").splitlines()[problem.place.line - 1]
    assert line == "[[hazard]]"


def test_a_rate_of_flagged_cells_is_refused(tmp_path: Path) -> None:
    wrong = MODEL.replace('k = "arrest"\n', 'rate = "arrest * blood"\n')
    path = write(tmp_path, mechanisms='flags = "./flags.py"', model=wrong)
    with pytest.raises(CtcError) as caught:
        prepare(path)
    assert [p.code for p in caught.value.problems if p.code == "M340"] == ["M340"]


def test_a_group_stands_for_its_sum_in_a_study(tmp_path: Path) -> None:
    study = """
[mechanisms]
flags = "./flags.py"
[initial]
blood = 40
[[treatment]]
name = "filter"
at = "blood >= 100"
set = { blood = "blood / 2" }
[[event]]
name = "crowded"
when = "blood >= 50 and arrested > 0"
"""
    network = composed(tmp_path, study=study)
    assert network.initial_values()[network.index("blood_plain")] == 40
    changed = {network.species_names[s]: e for s, e in network.treatments[0].set}
    state = {"blood_plain": 60.0, "blood_cloaked": 30.0, "blood_soft": 10.0, "blood_cloaked_soft": 0.0}
    numbers = dict(network.treatments[0].numbers)
    after = {name: float(evaluate(e, state | numbers)) for name, e in changed.items()}
    assert after == {"blood_plain": 30.0, "blood_cloaked": 15.0, "blood_soft": 5.0, "blood_cloaked_soft": 0.0}
    nothing = dict.fromkeys(state, 0.0)
    assert [float(evaluate(e, nothing | numbers)) for e in changed.values()] == [0.0] * 4


def test_the_sum_of_variants_is_the_species_without_flags(tmp_path: Path) -> None:
    """A flag that changes no rate splits a species and nothing else: the ODE of the sum is that without it."""
    neutral = FLAGS.replace('factors = { nk = "shield", arrest = "1.5" }', "")
    neutral = neutral.replace('factors = { arrest = "0.1" }', "")
    write(tmp_path, mechanisms='flags = "./flags.py"', flags=neutral)
    split = load_study(str(tmp_path / "study.toml"))
    network = load_model(split.model)
    off = load_model(str(tmp_path / "base.model.toml"), {"flags": {"at": []}})
    generator = np.random.default_rng(1)

    def loss(of: Network, state: dict[str, float], name: str) -> float:
        values = {p.name: p.value for p in of.parameters} | state
        return sum(
            float(evaluate(r.propensity("ode", of), values)) * change
            for r in of.reactions
            for s, change in r.change
            if of.species[s].name == name or of.species[s].group == name
        )

    drawn = generator.uniform(1, 50, len(network.species)).tolist()
    state = dict(zip(network.species_names, drawn, strict=True))
    merged = {
        s: sum(x for name, x in state.items() if name == s or name.startswith(f"{s}_")) for s in off.species_names
    }
    for name in off.species_names:
        assert loss(network, state, name) == pytest.approx(loss(off, merged, name), rel=1e-12)


def test_a_regimen_of_a_mechanism(tmp_path: Path) -> None:
    regimen = '[treatment]\nstart = { at = "30 days" }\nevery = "21 days"\ncycles = 6\n'
    regimen += 'scale = { kill = "1 + shield" }\n\n[options]'
    study = '[mechanisms]\nflags = "./flags.py"\n[[treatment]]\nuse = "flags"\nat = "1 day"\ncycles = 2\n'
    path = write(tmp_path, study=study, flags=FLAGS.replace("[options]", regimen))
    network = prepare(path)[1].network
    treatment = network.treatments[0]
    assert (treatment.name, treatment.at, treatment.every, treatment.cycles) == ("flags", 1.0, 21.0, 2)
    assert [network.parameters[q].name for q, _ in treatment.scale] == ["flags_kill"]
    assert "flags_shield" in text(treatment.scale[0][1])
    path = write(tmp_path, study=study, flags=FLAGS)
    with pytest.raises(CtcError) as caught:
        prepare(path)
    assert "has no [treatment]" in str(caught.value)


def test_a_composed_study_runs_and_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ctcdyn.replay import replay

    monkeypatch.chdir(tmp_path)
    study = '[mechanisms]\nflags = { file = "./flags.py", kill = "4 /day" }\n[ensemble]\nseed = 3\n'
    study += '[output]\nfile = "x.h5"\npicture = false\n'
    results = ctcdyn.run(load_study(str(write(tmp_path, study=study))))
    again = replay("x.h5", 0)
    assert again.compared
    assert not again.differing
    blood = results.observable.index("blood")
    parts = [results.species.index(x) for x in ("blood_plain", "blood_cloaked", "blood_soft", "blood_cloaked_soft")]
    assert results.observables[0, -1, blood] == pytest.approx(results.state[0, -1, parts].sum(), rel=1e-12)
