"""What a model or a study says of lesions and cannot be: refused with its line, before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import ctcdyn
from colonies import BIRTH_DEATH, CASCADE, HEAD, RULES, SEED, model
from ctcdyn.cli import app
from ctcdyn.cli.cohorts import explain_patients
from ctcdyn.cli.explain import explain_study
from ctcdyn.codegen import cache
from ctcdyn.codegen.kernel import link
from ctcdyn.errors import CtcError
from ctcdyn.model.load import prepare
from ctcdyn.preparation import ensemble_of, schema_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lesion = BIRTH_DEATH | {"detect": ("cells -> cells + found", "hazard * cells")}
    folder = tmp_path_factory.mktemp("wrong")
    model(folder, "blood = {}\ntissue = {}", SEED, CASCADE, lesion, RULES, "cells = {}\nfound = {}")
    return folder


LATE = '[[treatment]]\nname = "late"\nstart = { after = "relapse" }\nscale = { b = 0.5 }\n'
AGAIN = '[[treatment]]\nname = "again"\nat = "tissue >= 4"\nrepeat = true\nscale = { b = 0.5 }\n'
WRONG = {
    "M333": ("ode", ""),
    "M330": ("direct", LATE),
    "M332": ("direct", AGAIN),
    "M330-stop": ("direct", '[[event]]\nname = "death"\nwhen = "tissue >= 9"\nstop = true\n'),
    "C118-sum": ("direct", '[[event]]\nname = "burden"\nwhen = "lesion_cells >= 1e6"\n'),
    "C118": ("direct", '[[event]]\nname = "burden"\nwhen = "lesions_detected > 1"\n'),
}


@pytest.mark.parametrize("code", WRONG)
def test_what_lesions_cannot_do_is_refused(folder: Path, code: str) -> None:
    method, more = WRONG[code]
    head = 'schema = 1\n[model]\nfile = "colonies.toml"\n[[event]]\nname = "relapse"\nwhen = "lesions_detected >= 1"\n'
    path = folder / f"wrong-{code}.toml"
    rest = f'[simulate]\nmethod = "{method}"\nt_end = 5\n[output]\nfile = "{folder / "never.h5"}"\n'
    path.write_text(head + more + rest)
    with pytest.raises(CtcError) as caught:
        ctcdyn.run(path)
    assert [problem.code for problem in caught.value.problems] == [code[:4]]
    assert not (folder / "never.h5").exists()


def test_what_lesions_follow_is_set_from_what_they_know(tmp_path: Path) -> None:
    """The dose of a drug that lesions follow may depend on parameters, not on cells that only the patient counts."""
    lesion = {"divide": ("cells -> 2 cells", "b * cells"), "die": ("cells ->", "drug * cells")}
    patient = {"clear": ("drug ->", "0.1 * drug"), "settle": ("tissue -> lesion", "stay * tissue")}
    made = model(tmp_path, "drug = { continuous = true }\ntissue = {}", SEED, patient, lesion, "[lesion]\n")
    study = 'schema = 1\n[model]\nfile = "colonies.toml"\n[[treatment]]\nname = "dose"\nat = "1 day"\n'
    rest = '[simulate]\nmethod = "first_order_leap"\nt_end = 5\n'
    path = tmp_path / "dose.toml"
    path.write_text(f'{study}set = {{ drug = "stay" }}\n{rest}')
    link(prepare(path)[1].network, "first_order_leap", lesion_method="hybrid")
    path.write_text(f'{study}set = {{ drug = "stay * tissue" }}\n{rest}')
    with pytest.raises(CtcError) as caught:
        ctcdyn.run(path)
    (problem,) = caught.value.problems
    assert problem.code == "M332"
    assert problem.what == "dose sets what lesions follow from tissue, which they do not know"
    assert made.network.lesion is not None


def test_a_rate_of_a_lesion_on_what_is_left_to_chance_is_refused(tmp_path: Path) -> None:
    lesion = {"divide": ("cells -> 2 cells", "b * cells / (1 + blood)")}
    made = model(tmp_path, "blood = {}\ntissue = {}", SEED, CASCADE, lesion, "[lesion]\n")
    with pytest.raises(CtcError, match="M331"):
        made.simulate([0.0, 1.0], method="direct")


def test_a_pinned_species_is_not_followed_by_a_method_that_counts_it(tmp_path: Path) -> None:
    lesion = {"divide": ("cells -> 2 cells", "b * cells"), "die": ("cells ->", "drug * cells")}
    species = "drug = { initial = 0.4, continuous = true }\ntissue = {}"
    patient = {"clear": ("drug ->", "0.1 * drug"), "settle": ("tissue -> lesion", "stay * tissue")}
    made = model(tmp_path, species, SEED, patient, lesion, "[lesion]\n")
    for methods in ({"method": "direct"}, {"method": "first_order_leap", "lesion_method": "direct"}):
        with pytest.raises(CtcError, match=r"M331|M313"):
            made.simulate([0.0, 1.0], **methods)  # type: ignore[arg-type]


def test_a_patient_that_depends_on_its_lesions_is_refused_with_the_reason(tmp_path: Path) -> None:
    patient = CASCADE | {"shed": ("-> blood", "shed / (1 + lesion_cells)")}
    with pytest.raises(CtcError) as caught:
        model(tmp_path, "blood = {}\ntissue = {}", SEED, patient, BIRTH_DEATH, "[lesion]\n")
    (problem,) = caught.value.problems
    assert problem.code == "M335"
    assert "advanced together" in problem.why


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[[lesion.founder]]\nreaction = "clear"\n', "C102"),  # founds nothing
        ('[[lesion.founder]]\nreaction = "settle"\nbegins = { blood = 1 }\n', "C102"),
        ('[[lesion.founder]]\nreaction = "settle"\nbegins = { cells = -1 }\n', "M313"),
        ('[lesion]\ndetection = "cells + 1"\n', "C118"),
        ('[lesion]\nsize = "blood"\n', "C102"),
        ("[lesion]\nspeed = 1\n", "C102"),
    ],
)
def test_what_is_wrong_in_a_lesion_is_told_with_its_line(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(CtcError) as caught:
        model(tmp_path, "blood = {}\ntissue = {}", SEED, CASCADE, BIRTH_DEATH, text)
    (problem,) = caught.value.problems
    assert problem.code == code
    assert problem.key.startswith("lesion.")
    assert problem.place is not None
    assert problem.place.line > HEAD.count("\n")


def test_a_rule_for_a_reaction_that_founds_nothing_says_so_and_not_that_it_is_unknown(tmp_path: Path) -> None:
    told = {}
    for name in ("clear", "setle"):
        text = f'[[lesion.founder]]\nreaction = "{name}"\n'
        with pytest.raises(CtcError) as caught:
            model(tmp_path, "blood = {}\ntissue = {}", SEED, CASCADE, BIRTH_DEATH, text)
        (told[name],) = caught.value.problems
    assert told["clear"].what == 'the reaction "clear" founds no lesion'
    assert "`lesion` behind its arrow" in told["clear"].fix
    assert told["setle"].what == 'unknown reaction "setle"'
    assert told["setle"].fix == 'did you mean "settle"?'
    assert {problem.place.text for problem in told.values() if problem.place} == {
        f'reaction = "{name}"' for name in told
    }  # the line of the name, not of its table


def test_lesion_in_an_equation_of_a_model_without_lesions_says_where_to_declare_them(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    path.write_text(
        'schema = 1\nname = "none"\nunits = "none"\n[species]\ncells = {}\n'
        '[[reaction]]\nname = "settle"\nequation = "cells -> lesion"\nk = "1"\n'
    )
    with pytest.raises(CtcError) as caught:
        ctcdyn.load_model(path)
    (problem,) = caught.value.problems
    assert (problem.code, problem.word) == ("M302", "lesion")
    assert "[lesion]" in problem.fix


@pytest.mark.parametrize(("text", "codes"), [("[lesion]\n", {"M309"}), ("lesion = 3\n", {"C104"})])
def test_a_table_of_lesions_that_says_nothing_is_told(tmp_path: Path, text: str, codes: set[str]) -> None:
    head, _, rest = HEAD.partition("units")
    path = tmp_path / "empty.toml"
    body = '[species]\ncells = {}\n[[reaction]]\nname = "die"\nequation = "cells ->"\nk = "1"\n'
    top, bottom = ("", text) if text.startswith("[") else (text, "")
    path.write_text(f"{head}{top}units{rest}{body}{bottom}")
    with pytest.raises(CtcError) as caught:
        ctcdyn.load_model(path)
    told = [problem.code for problem in caught.value.problems]
    assert codes <= set(told)
    assert len(told) == len({(problem.code, problem.what) for problem in caught.value.problems})


def test_both_kernels_are_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "printed.toml"
    path.write_text('schema = 1\n[model]\nfile = "colonies.toml"\n[simulate]\nmethod = "direct"\nt_end = 5\n')
    with pytest.raises(SystemExit) as ended:
        app(["codegen", str(path)])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert told.count("NUMBERED = ") == 2
    with pytest.raises(SystemExit):
        app(["codegen", str(path), "--part", "lesion.guard_jump"])
    assert "def guard_jump(w, i, t)" in capsys.readouterr().out


def test_both_kernels_are_named_while_they_are_compiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "named.toml"
    path.write_text('schema = 1\n[model]\nfile = "colonies.toml"\n[simulate]\nmethod = "direct"\nt_end = 5\n')
    network, told = prepare(path)[1].network, []
    monkeypatch.setattr(cache, "load", lambda _text, _entries, say, _key: say(False))
    link(network, "direct").compile(lambda _cached, kernel: told.append(kernel))
    link(replace(network, lesion=None, founders=(), observables=()), "direct").compile(
        lambda _cached, kernel: told.append(kernel)
    )
    assert told == ["kernel of the patient", "kernel of a lesion", ""]


def test_what_is_a_whole_number_is_known_of_every_column(folder: Path) -> None:
    path = folder / "whole.toml"
    head = 'schema = 1\n[model]\nfile = "colonies.toml"\n[simulate]\nt_end = 5\n'
    more = 'both = { expr = "2 * blood + tissue" }\nshare = { expr = "blood / 2" }\nrate = { expr = "b * blood" }\n'
    model_file = (folder / "colonies.toml").read_text()
    (folder / "read.toml").write_text(model_file.replace("[species]", f"[observables]\n{more}[species]", 1))
    path.write_text(head.replace("colonies", "read") + 'method = "direct"\n')
    study, resolved = prepare(path)
    whole = {"blood", "tissue", "both", "founded_settle", "lesions", "lesions_detected"}
    for inner, cells in (("direct", {"lesion_cells", "lesion_found"}), ("hybrid", set())):
        linked = link(resolved.network, "direct", lesion_method=inner)
        made = schema_of(study, linked, ensemble_of(study, resolved))
        assert set(made.whole) == whole | cells
    assert set(link(resolved.network, "hybrid").emission.whole) == {"lesions", "lesions_detected"}


def test_check_explains_lesions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "told.toml"
    draw = '[lesion.draw]\nb = { dist = "uniform", low = 0.4, high = 0.5 }\n'
    head = f'schema = 1\n[model]\nfile = "colonies.toml"\n{draw}'
    more = '[[treatment]]\nname = "drug"\nat = "3 days"\nscale = { d = 2 }\n[simulate]\nmethod = "direct"\nt_end = 5\n'
    path.write_text(head + more)
    study, resolved = prepare(path)
    explain_study(resolved, study)
    explain_patients(resolved, study)
    told = capsys.readouterr().out
    for part in ("lesions are founded by", "1 cells", "wither", "d * cells", "detected:   when found >= 1",
                 "drawn for each lesion", "each run with hybrid", "reach them: drug", "of the lesions: "):  # fmt: skip
        assert part in told, part
