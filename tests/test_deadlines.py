"""A treatment that comes after the end of the run: told by `check` and by a run, and nothing else is."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from commands import command
from ctcdyn.errors import Problem
from ctcdyn.model.deadlines import StudyWarning, never_given
from ctcdyn.model.load import prepare
from ctcdyn.study import forecast

MODEL = """schema = 1
name = "m"
[species]
cells = { unit = "cells", initial = 10 }
[parameters]
birth = { value = "0.1 /day", source = "assumed: a test" }
day   = { value = "40 days", source = "assumed: a test" }
[[reaction]]
name = "grow"
equation = "cells -> 2 cells"
k = "birth"
"""
HEAD = 'schema = 1\n[model]\nfile = "m.toml"\n[simulate]\nmethod = "direct"\nt_end = "30 days"\n'
DRAW = '[population]\npatients = 9\n[population.draw]\nday = { dist = "uniform", low = "20 days", high = "40 days" }\n'


def treatment(name: str, when: str) -> str:
    return f'[[treatment]]\nname = "{name}"\n{when}\nscale = {{ birth = 0.5 }}\n'


def written(folder: Path, more: str) -> Path:
    (folder / "m.toml").write_text(MODEL)
    path = folder / "study.toml"
    path.write_text(f'{HEAD}{more}[output]\nfile = "{folder / "m.h5"}"\n')
    return path


def told(folder: Path, more: str) -> list[Problem]:
    return never_given(*prepare(written(folder, more)))


@pytest.mark.parametrize(
    ("when", "day"),
    [
        ('at = "40 days"', 40),
        ('at = "day"', 40),
        ('start = { at = "25 days", delay = "10 days" }', 35),
        ('start = { at = "cells >= 20", delay = "31 days" }', 31),
        ('start = { after = "first", delay = "30 days" }', 32),
        ('start = { at = "69.2 days", jitter = "4 days" }', 36),  # 8.3 standard deviations before
        ('start = { after = "large", delay = "29 days" }', 31),
    ],
)
def test_what_comes_after_the_end_whatever_the_patient_is_told(tmp_path: Path, when: str, day: int) -> None:
    first = treatment("first", 'at = "2 days"')
    event = '[[event]]\nname = "large"\nwhen = "cells >= 100"\nclock = "first"\n'
    (problem,) = told(tmp_path, first + treatment("late", when) + event)
    assert problem.code == "C121"
    assert f"day {day}," in problem.what
    assert problem.place is not None
    assert problem.place.text == when


@pytest.mark.parametrize(
    "more",
    [
        treatment("at_the_end", 'at = "30 days"'),
        treatment("waits", 'at = "cells >= 1e9"'),
        treatment("again", 'at = "29 days"\nevery = "7 days"'),
        DRAW + treatment("drawn", 'at = "day"'),
        treatment("scatters", 'start = { at = "40 days", jitter = "4 days" }'),
        treatment("first", 'at = "2 days"') + treatment("then", 'start = { after = "first", delay = "28 days" }'),
        treatment("nobody", 'at = "40 days"') + '[[arm]]\nname = "none"\ntreatments = []\n',
    ],
)
def test_what_may_be_given_to_somebody_is_not(tmp_path: Path, more: str) -> None:
    assert told(tmp_path, more) == []


def test_what_waits_for_it_is_named(tmp_path: Path) -> None:
    then = treatment("then", 'start = { after = "late" }')
    event = '[[event]]\nname = "large"\nwhen = "cells >= 100"\nclock = "late"\n'
    late, second = told(tmp_path, treatment("late", 'at = "40 days"') + then + event)
    assert late.why == "then, large wait for it"
    assert second.what == "then is never given: it is due not before day 40, and the run ends on day 30"


def test_check_and_a_run_warn_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, treatment("late", 'at = "40 days"'))
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # else a warning is an error in these tests
        code, _, error = command("check", str(path))
    assert code == 0
    assert "warning[C121]: late is never given: it is due on day 40" in error
    assert 'at = "40 days"' in error
    monkeypatch.setattr("ctcdyn.study.link", lambda *_words, **_more: pytest.fail("it went on"))
    with pytest.warns(StudyWarning, match="late is never given"), pytest.raises(pytest.fail.Exception, match="went on"):
        forecast(path)
