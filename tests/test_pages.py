"""Pages of mechanisms are made of their files, say what a model gets, and the commands show them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from commands import command
from ctcdyn.errors import Exit
from ctcdyn.model import pages
from ctcdyn.model.load import load_model

ROOT = Path(__file__).parents[1]
NAMES = pages.mechanism_names()
BEAST = """\"\"\"Beast: it eats cells.

    blood ->        hunger

It sleeps where nothing is.
\"\"\"

NUMBER = 0
ACTS_ON = ("blood",)
REFUTED_BY = "It is fed and cells stay."

MODEL = \"\"\"
[options]
mood = ["calm", "wild"]
[[refused]]
if = { mood = "shy" }
why = "it is not"
fix = "take calm"
[parameters]
hunger = { value = "2 /day", bounds = ["0 /day", "9 /day"], source = "assumed: a guess", doc = "cells eaten" }
rage = { value = 3, bounds = [1, 10], source = "doi:10.1000/rage", doc = "how much more", if = { mood = "wild" } }
[[hazard]]
name = "bite"
at = { blood = "hunger" }
[scale]
bite = { factor = "rage", if = { mood = "wild" } }
[flag.tame]
at = ["blood"]
gain = "hunger"
factors = { bite = "0.5" }
\"\"\"
"""
MODEL = """schema = 1
name = "cage"
[species]
blood = { unit = "cells", initial = 10, stage = "blood" }
[parameters]
clearance = { value = "1 /day", source = "doi:10.1000/cage" }
[[reaction]]
name = "clear"
equation = "blood ->"
k = "clearance"
[mechanisms]
beast = "./beast.py"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "beast.py").write_text(BEAST, encoding="utf-8")
    (tmp_path / "cage.model.toml").write_text(MODEL, encoding="utf-8")
    return tmp_path


def test_the_document_has_the_pages_of_the_files() -> None:
    text = (ROOT / "docs" / "mechanisms.md").read_text(encoding="utf-8")
    assert text == pages.with_pages(text), "run: python -m ctcdyn.model.pages docs/mechanisms.md"
    assert text.count(pages.MARK) == 1
    with pytest.raises(ValueError, match="do not edit"):
        pages.with_pages("# Mechanisms")


def test_the_document_shows_a_file_as_it_is_and_settings_that_there_are() -> None:
    text = (ROOT / "docs" / "mechanisms.md").read_text(encoding="utf-8")
    name = text.split("`src/ctcdyn/mechanisms/")[1].split(".py`")[0]
    shown = text.split("```python\n", 1)[1].split("```\n", 1)[0]
    assert shown == Path(pages.built_in(name).path).read_text(encoding="utf-8")
    asked = tomllib.loads(text.split("```toml\n", 1)[1].split("```", 1)[0])["mechanisms"]
    tables = {x: settings for x, settings in asked.items() if x in NAMES and isinstance(settings, dict)}
    assert len(tables) >= 2
    for x, settings in tables.items():
        assert settings.keys() <= set(pages.built_in(x).parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_mechanism_says_what_it_is_where_from_and_what_would_refute_it(name: str) -> None:
    mechanism = pages.built_in(name)
    assert 1 <= mechanism.number <= 24
    assert mechanism.acts_on
    assert len(mechanism.refuted_by) > 20
    assert len(mechanism.page) > 100
    assert pages.added(mechanism)
    for parameter, value, bounds, source, what in pages.parameters(mechanism):
        assert source.startswith(("doi:", "assumed: ", "derived: ")), parameter
        assert value.startswith("=") or bounds, parameter
        assert what, parameter


def test_all_24_are_there() -> None:
    assert {pages.built_in(name).number for name in NAMES} == set(range(1, 25))
    assert [pages.built_in(name).number for name in NAMES] == sorted(pages.built_in(name).number for name in NAMES)


def test_a_page_word_for_word(folder: Path) -> None:
    assert pages.page(pages.built_in(str(folder / "beast.py"))) == """### beast

**Beast: it eats cells.**

    blood ->        hunger

It sleeps where nothing is.

It needs a species of stage blood. It adds:

- hazard `bite`: blood `hunger`, fate bite
- flag `tame`: carried at blood; gain `hunger`; factors bite `0.5`
- scale `bite` times `rage` (with mood = wild)

Options:

- `mood`: calm, wild (default calm)
- refused: mood = shy, since it is not; take calm

| parameter | value | bounds | source | what |
|---|---|---|---|---|
| `beast_hunger` | 2 /day | 0 /day to 9 /day | assumed: a guess | cells eaten |
| `beast_rage` | 3 | 1 to 10 | doi:10.1000/rage | how much more (with mood = wild) |

Assumed are 1 of 2: beast_hunger.

Refuted by: It is fed and cells stay.
"""


def test_commands_show_mechanisms(folder: Path) -> None:
    code, out, _ = command("mechanisms")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == NAMES
    code, out, err = command("mechanisms", folder / "beast.py")
    assert (code, err) == (0, "")
    assert "    blood ->        hunger\n" in out
    for line in ("hazard      bite: blood hunger, fate bite", "option      mood: calm, wild (default calm)",
                 "assumed     beast_hunger", "refuted by  It is fed and cells stay."):  # fmt: skip
        assert line in out.splitlines()
    assert command("mechanisms", folder / "beast.py", "--source")[1] == BEAST
    code, _, err = command("mechanisms", "platelet")
    assert code == Exit.CONFIG
    assert 'did you mean "platelets"?' in err


def test_check_and_models_name_what_is_assumed(folder: Path) -> None:
    model = folder / "cage.model.toml"
    code, out, err = command("check", model)
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ["assumed:    1 of 2 parameters:", "            beast_hunger"]
    assert "            beast_hunger: a guess" in command("check", model, "--explain")[1].splitlines()
    out = command("models", model)[1]
    assert "mechanism   beast: Beast: it eats cells" in out
    assert "assumed:    1 of 2 parameters:" in out
    assert command("models", model, "--source")[1] == MODEL
    composed = command("models", model, "--composed")[1]
    assert "blood_tame" in composed
    assert "[mechanisms]" not in composed
    (folder / "composed.toml").write_text(composed, encoding="utf-8")
    assert load_model(folder / "composed.toml") == load_model(model)
