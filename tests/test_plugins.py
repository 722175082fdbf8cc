"""Plug-ins are found by file: names, paths, near misses, what a file must define."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcdyn import plugins
from ctcdyn.errors import CtcError


def test_names_are_the_files_of_the_folder() -> None:
    names = plugins.available("model")
    assert "ctc_linear" in names
    assert names == tuple(sorted(names))
    for name in names:
        assert plugins.find("model", name).name == f"{name}.toml"


def test_a_path_works_wherever_a_name_does(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("ALGEBRA = ('rates',)\n", encoding="utf-8")
    assert plugins.find("solver", "./mine.py", tmp_path) == tmp_path / "mine.py"
    assert plugins.find("solver", str(tmp_path / "mine.py")) == tmp_path / "mine.py"
    assert plugins.find("solver", tmp_path / "mine.py") == tmp_path / "mine.py"


@pytest.mark.parametrize(
    "name", ["ctc_linaer", "nothing_like_it", "./no.toml", "no.toml", "", "a/" + "x" * 5000, "a\0/b"]
)
def test_what_is_not_there(name: str) -> None:
    with pytest.raises(CtcError) as caught:
        plugins.find("model", name)
    assert caught.value.problems[0].code == "C112"
    assert caught.value.problems[0].fix


def test_a_plugin_is_imported_once_for_each_content(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("VALUE = 1\n", encoding="utf-8")
    first = plugins.import_plugin(path, ["VALUE"])
    assert plugins.import_plugin(path) is first
    path.write_text("VALUE = 2\n", encoding="utf-8")
    assert plugins.import_plugin(path).VALUE == 2
    assert first.VALUE == 1


@pytest.mark.parametrize(
    "content", ["VALUE = 1\n", "VALUE = = 1\n", "raise ZeroDivisionError\n", "import no_such_module_here\n"]
)
def test_a_file_that_does_not_serve(content: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CtcError) as caught:
        plugins.import_plugin(path, ["advance"])
    assert caught.value.problems[0].code == "C113"
