"""Wrong inputs: each is refused with its code, its line and a way out, before any file exists (bar F8)."""

from __future__ import annotations

import hashlib
import random
import re
import sys
from pathlib import Path

import pytest

from ctcdyn.errors import CODES, CtcError, Exit
from ctcdyn.model.load import prepare
from wrong_inputs import MODEL, STUDY, Case
from wrong_interventions import INTERVENTIONS, RIGHT
from wrong_models import MODEL_KEYS, REACTIONS
from wrong_published import PUBLISHED
from wrong_published import RIGHT as RIGHT_PUBLISHED
from wrong_studies import STUDY_KEYS, STUDY_VALUES, SYNTAX

CASES = [*SYNTAX, *STUDY_KEYS, *STUDY_VALUES, *INTERVENTIONS, *PUBLISHED, *MODEL_KEYS, *REACTIONS]


def write(folder: Path, study: str = STUDY, model: str = MODEL) -> Path:
    (folder / "toy.model.toml").write_text(model, encoding="utf-8")
    (folder / "study.toml").write_text(study, encoding="utf-8")
    return folder / "study.toml"


def refuse(folder: Path, study: str = STUDY, model: str = MODEL) -> CtcError:
    """The error that reading gives; the texts of the lines it names are compared with the files."""
    path = write(folder, study, model)
    with pytest.raises(CtcError) as caught:
        prepare(path)
    assert sorted(file.name for file in folder.iterdir()) == ["study.toml", "toy.model.toml"]
    lines = {file.name: file.read_text("utf-8").split("\n") for file in folder.iterdir()}
    for problem in caught.value.problems:
        assert problem.code in CODES
        assert problem.fix, problem
        assert problem.place is not None, problem
        text = lines[Path(problem.place.file).name][problem.place.line - 1]
        assert problem.place.text == text or problem.place.text == text[:297] + "..."
    return caught.value


def test_the_right_texts_are_right(tmp_path: Path) -> None:
    study, resolved = prepare(write(tmp_path))
    assert study.count == 20
    assert [draw.dist for draw in resolved.cohort.draws] == ["uniform", "lognormal", "loguniform"]


def test_the_right_interventions_are_right(tmp_path: Path) -> None:
    study, resolved = prepare(write(tmp_path, STUDY.replace("[simulate]\n", RIGHT, 1)))
    assert study.count == 40
    assert study.arms == ("surgery", "both")
    assert study.given == ((True, False), (True, True))
    assert [treatment.name for treatment in resolved.network.treatments] == ["resection", "chemo"]
    assert [observable.name for observable in resolved.network.observables][-2:] == ["relapse", "late"]


def test_the_right_figures_are_right(tmp_path: Path) -> None:
    _, resolved = prepare(write(tmp_path, STUDY.replace("[simulate]\n", RIGHT_PUBLISHED, 1)))
    first, second = resolved.figures
    assert [(x.name, x.of, x.at, x.arm, x.event, x.factor) for x in (*first.readings, *second.readings)] == [
        ("early", "per_tube", 3.0, None, False, 1.0),
        ("late", "ctc", None, "control", False, 1.0),
    ]
    assert first.numbers == (("dose", 5.0),)
    assert second.table.counts == (3, 10)


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 250
    assert len({name for name, *_ in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case[0].replace(" ", "-") for case in CASES])
def test_is_refused(case: Case, tmp_path: Path) -> None:
    _, file, right, wrong, code, line = case
    texts = {"study": STUDY, "model": MODEL}
    assert right in texts[file]
    texts[file] = texts[file].replace(right, wrong, 1)
    error = refuse(tmp_path, **texts)
    assert error.exit is Exit.CONFIG
    assert {problem.code for problem in error.problems} == ({code} if isinstance(code, str) else code)
    assert any(line in problem.place.text for problem in error.problems if problem.place is not None)
    report = str(error)
    assert "Traceback" not in report
    assert len(report) < 4000


def test_all_problems_of_both_files_come_at_once(tmp_path: Path) -> None:
    study = STUDY
    model = MODEL
    expected = []
    independent = [
        ("study", "rtol = 1e-6", 'rtol = "1e-6"', "C104"),
        ("study", "seed = 42", "sed = 42", "C102"),
        ("study", 'every = "1 day"', "every = -1", "C114"),
        ("study", "patients = 10", "patients = 0", "C105"),
        ("study", "[limits]", "[cluster]\n[limits]", "C108"),
        ("study", "quantiles = [0.05, 0.5, 0.95]", "quantiles = [0.5, 0.5]", "C105"),
        ("study", 'file = "toy.h5"', 'file = "toy.txt"', "C105"),
        ("study", "cv = 0.5", "cv = -1", "C105"),
        ("model", "initial = 2", "initial = nan", "C106"),
        ("model", ', source = "doi:10.1000/1"', "", "M305"),
        ("model", '"tumor -> ctc"', '"tumr -> ctc"', "M302"),
        ("model", 'rate = "death * ctc"', 'rate = "ctc"', "U205"),
        ("model", 'unit = "day", source', 'unit = "mL", source', "U205"),
        ("model", 't_end = "10 days"', "t_end = 0", "C105"),
    ]
    for file, right, wrong, code in independent:
        expected.append(code)
        if file == "study":
            assert right in study
            study = study.replace(right, wrong, 1)
        else:
            assert right in model
            model = model.replace(right, wrong, 1)
    error = refuse(tmp_path, study, model)
    assert sorted(problem.code for problem in error.problems) == sorted(expected)
    places = [(problem.place.file, problem.place.line) for problem in error.problems if problem.place]
    assert places == sorted(places, key=lambda place: ("model" in place[0], place[1]))


def test_names_are_compared_although_the_study_has_other_problems(tmp_path: Path) -> None:
    study = STUDY.replace('t_end = "30 days"\n', "").replace("shed =", "sehd =").replace("ctc = 5", "cct = 5")
    codes = sorted(problem.code for problem in refuse(tmp_path, study).problems)
    assert codes == ["C102", "C102", "C103"]


def test_a_broken_parameter_is_reported_once(tmp_path: Path) -> None:
    model = MODEL.replace('"0.5 /h"', '"0.5 /hr2x"')
    error = refuse(tmp_path, STUDY, model)
    assert len(error.problems) == 1


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"a = 1\nb = '\xe9'\n", b"\x00", b"[", b"=", b"\xef\xbb\xbf["]
)
def test_bytes_that_are_no_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(CtcError) as caught:
        prepare(path)
    assert {problem.code for problem in caught.value.problems} == {"C101"}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    large = tmp_path / "large.toml"
    large.write_bytes(b"# " + b"x" * 10_000_001)
    for path in (tmp_path / "absent.toml", tmp_path, large, Path("a\0b.toml"), Path("x" * 5000)):
        with pytest.raises(CtcError) as caught:
            prepare(path)
        assert [problem.code for problem in caught.value.problems] == ["C100"]
        assert caught.value.problems[0].fix


@pytest.mark.parametrize(
    "override, code",
    [
        ("nothing", "C110"),
        ("=3", "C110"),
        ("a b = 3", "C110"),
        ("simulate.t_end.x=3", "C110"),
        ("simulate.t_end=-3 days", "C105"),
        ("simulate.method=elastic", "C112"),
        ("ensemble.seed=1.5", "C104"),
        ("ensmble.seed=1", "C102"),
        ("parameters.sehd=1", "C102"),
        ("parameters.blood=5", "U203"),
        ("population.patients=true", "C104"),
        ("population.draw.death.cv=0", "C105"),
        ("a.a.a.a.a.a.a.a.a=1", "C110"),
        ("simulate.t_end=" + "[" * 5000, "U203"),
        ("x=1\ny=2", "C110"),
        ("simulate.window=1e-12", "C105"),
        ("simulate.method=gillespie", "C112"),
    ],
)
def test_overrides_are_checked_like_the_file(override: str, code: str, tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(CtcError) as caught:
        prepare(path, [override])
    problem = caught.value.problems[0]
    assert [p.code for p in caught.value.problems] == [code]
    assert problem.place is not None
    assert problem.place.file == "--set"
    assert problem.fix


def test_the_command_ends_with_code_3_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctcdyn.cli import main

    path = write(tmp_path, STUDY.replace("seed = 42", "seed = -42"))
    for command in (["check", str(path)], ["run", str(path), "--progress", "none"]):
        monkeypatch.setattr(sys, "argv", ["ctcdyn", *command])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 3
        shown = capsys.readouterr().err
        assert "error[C105]" in shown
        assert f"study.toml:{STUDY[: STUDY.index('seed = 42')].count(chr(10)) + 1}" in shown
        assert "Traceback" not in shown
    assert sorted(file.name for file in tmp_path.iterdir()) == ["study.toml", "toy.model.toml"]


VALUES = [
    *("nan", "inf", "-1", "0", "1e308", "5e-324", "100000000000000000000", "true", "1979-05-27", "07:32:00"),
    *('"x"', '""', '"none"', '"t"', '"ctc"', '"life"', '"exp(1e9)"', '"1e308 * 1e308"', '"A -> B"'),
    *(
        "[]",
        "[[]]",
        "[nan, inf]",
        '[1, "a"]',
        "{}",
        '{ value = 1, source = "x" }',
        '{ expr = "k", use = "b" }',
    ),
]


def mutate(text: str, dice: random.Random) -> str:
    """`text` with one to three slips: another value, a line lost, doubled or moved, a character mistyped."""
    lines = text.split("\n")
    for _ in range(dice.randint(1, 3)):
        i, j = dice.randrange(len(lines)), dice.randrange(len(lines))
        kind, line = dice.randrange(5), lines[i]
        if kind == 0:
            lines[i] = re.sub(
                r"= *(\"[^\"]*\"|\[[^\]]*\]|[^\s,}{]+)", lambda _: "= " + dice.choice(VALUES), line
            )
        elif kind == 1:
            lines[i] = ""
        elif kind == 2:
            lines.insert(j, line)
        elif kind == 3:
            lines[i], lines[j] = lines[j], line
        elif line:
            place = dice.randrange(len(line))
            lines[i] = line[:place] + dice.choice('abc"[]{}=.#,\0\u00e9\n 1') + line[place + 1 :]
    return "\n".join(lines)


def test_slips_of_any_kind_give_an_answer_or_a_report(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    dice = random.Random(hashlib.sha256(request.node.nodeid.encode()).digest())
    answers = reports = 0
    for _ in range(300):
        path = write(tmp_path, mutate(STUDY, dice), mutate(MODEL, dice))
        try:
            prepare(path)
        except CtcError as error:
            reports += all(p.fix and p.place is not None and p.code in CODES for p in error.problems)
        else:
            answers += 1
    assert answers + reports == 300
    assert reports > 200
