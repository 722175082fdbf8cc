"""Studies: defaults, times, inheritance, overrides, lines of keys; every problem of any mixture at once."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ctcdyn.config import json_schema, load_study
from ctcdyn.errors import CtcError
from ctcdyn.model.load import prepare
from ctcdyn.places import index_lines, parse_document
from test_wrong_input import write
from wrong_inputs import MODEL, STUDY

SMALL = 'schema = 1\n[model]\nuse = "ctc_linear"\n[simulate]\nt_end = "10 days"\n'
ROOT = Path(__file__).parent.parent


def study_of(folder: Path, text: str, *overrides: str, name: str = "study.toml"):  # type: ignore[no-untyped-def]
    (folder / name).write_text(text, encoding="utf-8")
    return load_study(folder / name, overrides)


def test_defaults(tmp_path: Path) -> None:
    study = study_of(tmp_path, SMALL)
    assert (study.simulate.method, study.simulate.rtol, study.simulate.atol) == ("ode", 1e-6, 1e-6)
    assert (study.count, study.kept, study.arms, study.ensemble.seed) == (1, 1, ("control",), None)
    assert study.output.file == "study.h5"
    assert len(study.simulate.times) == 101
    assert study.limits.max_failed_fraction == 0
    assert study.text == SMALL
    assert study.model.location == "ctc_linear"


@pytest.mark.parametrize(
    "simulate, count, first, second",
    [
        ('t_end = "10 years"\nsave = { every = "1 month" }', 121, 0.0, 30.4375),
        ('t_end = "1 day"\nsave = { every = "1 h" }', 25, 0.0, 1 / 24),
        ('t_end = "1 day"\nsave = { every = "1 min" }', 1441, 0.0, 1 / 1440),
        ("t_end = 10\nsave = { every = 3 }", 5, 0.0, 3.0),
        ("t_end = 10\nsave = { every = 30 }", 2, 0.0, 10.0),
        ("t_start = 4\nt_end = 10\nsave = { every = 3 }", 3, 4.0, 7.0),
        ('t_end = "2 weeks"\nsave = { at = [0, 3, "13 days"] }', 4, 0.0, 3.0),
        ("t_end = 5\nsave = { at = [2, 5] }", 3, 0.0, 2.0),
        ("t_end = 5\nsave = { n = 6 }", 6, 0.0, 1.0),
        ("t_end = 0.3\nsave = { every = 0.1 }", 4, 0.0, 0.1),
    ],
)
def test_times(simulate: str, count: int, first: float, second: float, tmp_path: Path) -> None:
    study = study_of(tmp_path, SMALL.replace('t_end = "10 days"', simulate))
    times = study.simulate.times
    assert times.dtype == np.float64
    assert len(times) == count
    assert times[0] == first == study.simulate.t_start
    assert times[1] == pytest.approx(second, rel=1e-14)
    assert times[-1] == study.simulate.t_end
    assert (np.diff(times) > 0).all()


@given(st.integers(1, 5000), st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_every_divides_the_horizon_into_whole_steps(n: int, every: float, start: float) -> None:
    from ctcdyn.config import Save, Simulate

    simulate = Simulate(t_start=start, t_end=start + n * every, save=Save(every=every))
    times = simulate.times
    assert len(times) == n + 1
    assert times[-1] == simulate.t_end


@pytest.mark.parametrize(
    "keep, trajectories, kept",
    [
        ("", 1000, 1000),
        ("", 1001, 0),
        ('keep = "all"', 5000, 5000),
        ("keep = 7", 5, 5),
        ('keep = "none"', 5, 0),
    ],
)
def test_kept(keep: str, trajectories: int, kept: int, tmp_path: Path) -> None:
    text = f"{SMALL}[ensemble]\ntrajectories = {trajectories}\n[output]\n{keep}\n"
    assert study_of(tmp_path, text).kept == kept


def test_extends_merges_tables_replaces_lists_and_clears(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = STUDY.replace("toy.model.toml", "models/toy.model.toml")
    (tmp_path / "base" / "parent.toml").write_text(base, encoding="utf-8")
    child = study_of(
        tmp_path,
        """schema = 1
extends = "base/parent.toml"
[parameters]
start = 7
[population]
patients = 3
draw = "none"
[simulate]
save = { n = 4 }
[output]
quantiles = [0.5]
""",
    )
    assert child.parameters == {"shed": "0.02 /day", "start": 7.0}
    assert child.population is not None
    assert (child.population.patients, child.population.draw) == (3, {})
    assert (child.simulate.save.n, child.simulate.save.every) == (4, None)
    assert child.output.quantiles == (0.5,)
    assert (child.ensemble.seed, child.limits.memory) == (42, 8 * 10**9)
    assert Path(child.model.location) == tmp_path / "base" / "models" / "toy.model.toml"
    assert child.place("parameters", "shed").file.endswith("parent.toml")
    assert child.place("parameters", "start").line == 4


def test_a_model_replaces_the_inherited_one(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text(STUDY, encoding="utf-8")
    child = study_of(tmp_path, 'extends = "parent.toml"\n[model]\nuse = "ctc_linear"\n')
    assert child.model.location == "ctc_linear"


@pytest.mark.parametrize(
    "text", ['extends = "study.toml"', 'extends = "./nowhere.toml"', 'extends = "other.toml"']
)
def test_extends_that_leads_nowhere(text: str, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('extends = "study.toml"\n', encoding="utf-8")
    with pytest.raises(CtcError) as caught:
        study_of(tmp_path, f"schema = 1\n{text}\n")
    assert [problem.code for problem in caught.value.problems] == ["C109"]


def test_a_problem_of_a_parent_names_the_parent(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text(SMALL.replace("10 days", "10 mL"), encoding="utf-8")
    with pytest.raises(CtcError) as caught:
        study_of(tmp_path, 'extends = "parent.toml"\n[output]\nkeep = -1\n')
    found = [(p.place.file.split("/")[-1], p.place.line, p.code) for p in caught.value.problems if p.place]
    assert sorted(found) == [("parent.toml", 5, "U201"), ("study.toml", 3, "C105")]


def test_overrides(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        SMALL,
        "simulate.t_end=2 weeks",
        "simulate.save={ every = 1 }",
        "parameters.division=0.5 /day",
        'parameters.shedding = "10 cells/day"',
        "ensemble.trajectories=20",
        "output.keep=all",
        "output.picture=false",
    )
    assert len(study.simulate.times) == 15
    assert study.parameters == {"division": "0.5 /day", "shedding": "10 cells/day"}
    assert (study.count, study.kept, study.output.picture) == (20, 20, False)


def test_a_study_is_frozen(tmp_path: Path) -> None:
    study = study_of(tmp_path, SMALL)
    with pytest.raises(ValidationError):
        study.simulate.t_end = 3.0


def test_resolved_is_json_and_complete(tmp_path: Path) -> None:
    shown = json.loads(json.dumps(study_of(tmp_path, STUDY).resolved()))
    assert shown["schema"] == 1
    assert shown["simulate"]["t_end"] == 30.0
    assert shown["count"] == 20
    assert shown["population"]["draw"]["death"]["median"] == "0.4 /h"


def test_schema_knows_every_key_and_requires_few() -> None:
    schema = json_schema()
    assert set(schema["required"]) == {"schema", "model", "simulate"}
    assert {"extends", "parameters", "population", "output"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Output"].get("required", []) == []


INDEPENDENT = [
    ("rtol = 1e-6", 'rtol = "1e-6"', "C104"),
    ("atol = 1e-6", "atol = 0", "C105"),
    ('every = "1 day"', 'every = "1 dy"', "U202"),
    ("seed = 42", "sed = 42", "C102"),
    ("replicates = 2", "replicates = true", "C104"),
    ("patients = 10", "patients = 0", "C105"),
    ('design = "random"', 'design = "lhs"', "C105"),
    ("cv = 0.5", "cv = nan", "C106"),
    ('high = "0.2 /day"', 'high = "9 /day"', "M306"),
    ("low = 1e5", "low = -1", "C115"),
    ('shed = "0.02 /day"', 'shd = "0.02 /day"', "C102"),
    ("ctc = 5", "ctc = -5", "M313"),
    ("[limits]", "[cluster]\n[limits]", "C108"),
    ('memory = "8 GB"', "memory = []", "C104"),
    ("max_failed_fraction = 0.01", "max_failed_fraction = 2", "C105"),
    ("quantiles = [0.05, 0.5, 0.95]", "quantiles = [0.5, 0.5]", "C105"),
    ("picture = false", 'picture = "off"', "C105"),
    ('file = "toy.h5"', 'file = "toy.txt"', "C105"),
    ('method = "ode"', 'method = "tau_lep"', "C112"),
]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, len(INDEPENDENT) - 1), min_size=1))
def test_any_mixture_of_problems_is_reported_whole(chosen: set[int]) -> None:
    text, expected = STUDY, []
    for position in sorted(chosen):
        right, wrong, code = INDEPENDENT[position]
        assert right in text
        text = text.replace(right, wrong, 1)
        expected.append(code)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), text, MODEL)
        with pytest.raises(CtcError) as caught:
            prepare(path)
    assert sorted(problem.code for problem in caught.value.problems) == sorted(expected)


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("configs/*.toml"), *ROOT.glob("src/ctcdyn/*/*.toml")]),
    ids=lambda path: path.stem,
)
def test_every_key_of_shipped_files_has_its_line(path: Path) -> None:
    text = path.read_text("utf-8")
    document = parse_document(text, str(path))
    found = set(_paths(document.data))
    assert found == set(document.places)
    lines = text.split("\n")
    for keys, place in document.places.items():
        assert place.text == lines[place.line - 1][:297] + (
            "..." if len(lines[place.line - 1]) > 300 else lines[place.line - 1][297:]
        )
        if isinstance(keys[-1], str):
            assert keys[-1] in lines[place.line - 1]


def _paths(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [at] if at else []
    for key, inner in items:
        found += _paths(inner, (*at, key))
    return found


AWKWARD = '''
a.b.c = [ { x = 1, "y z" = [1,
  2, [3]] }, {q.r = """
multi [ = {
""" , s=2} ]
'k' = 'it # is'  # not a ] comment
[t."u.v".w]
z = [
  1, # c ] }
  2,
]
[[arr]]
n = 1
[arr.sub]
m = "a \\" quote"
[[arr]]
n = {a={b={c=1}}, d=[]}
[[arr.in]]
o = \'\'\'
x = 3
\'\'\'
p = 2026-01-01T10:00:00Z
'''


def test_lines_of_awkward_texts() -> None:
    lines = index_lines(AWKWARD)
    assert set(lines) == set(_paths(parse_document(AWKWARD, "x").data))
    wanted = {
        ("a", "b", "c", 0, "y z", 1): 3,
        ("a", "b", "c", 1, "s"): 5,
        ("k",): 6,
        ("t", "u.v", "w", "z", 1): 10,
        ("arr", 0, "sub", "m"): 15,
        ("arr", 1, "n", "a", "b", "c"): 17,
        ("arr", 1, "in", 0, "p"): 22,
    }
    assert {path: lines[path] for path in wanted} == wanted


@given(st.text(alphabet="ab.=[]{}\"'#\n ,1", max_size=60))
def test_any_text_gives_a_document_or_an_error(text: str) -> None:
    try:
        document = parse_document(text, "x")
    except CtcError as error:
        found = [(problem.code, problem.place is not None) for problem in error.problems]
    else:
        found = [("C101", set(_paths(document.data)) == set(document.places))]
    assert found == [("C101", True)]


def test_an_entry_of_treatments_is_set_by_its_name() -> None:
    """[[treatment]] endocrine and its duration, wherever it stands in the list; what it inherits stays."""
    study = load_study(str(ROOT / "configs/quickstart.toml"), ['treatment.endocrine.duration="10 years"'])
    assert [x.duration for x in study.treatment] == [None, pytest.approx(3652.5)]
    assert study.treatment[1].scale == {"metastasis_growth": 0.6, "dormancy_exit": 0.5}
    halved = load_study(str(ROOT / "configs/quickstart.toml"), ["treatment.endocrine.scale.dormancy_exit=0.25"])
    assert halved.treatment[1].scale == {"metastasis_growth": 0.6, "dormancy_exit": 0.25}
    for wrong in ("treatment.endo.duration=3", "treatment.endocrine=3"):
        with pytest.raises(CtcError, match=r"treatment\.resection, treatment\.endocrine"):
            load_study(str(ROOT / "configs/quickstart.toml"), [wrong])
